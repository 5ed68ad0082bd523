"""The similarity of two texts: a person or a model would confuse similar definitions."""

import re

EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be been but by can do does for from has have how if in into is it its may might of on "
        "or such that the their them they this to was what when where which who will with would user assistant "
        "message conversation model event explicitly clearly",
    )
)
"""Words that almost every definition has, so they do not count as similarity."""

ENDINGS = ("ations", "ation", "ings", "ing", "ied", "ies", "edly", "ed", "es", "s", "e", "y")
CONFUSABLE = 0.6
"""Shared words from which two definitions are easily confused."""
THE_SAME = 0.75
"""Shared words from which two definitions say the same."""


FEW = 3
"""Telling words below which two texts are compared with all of their words."""


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    return re.findall(r"[^\W_]+", text.casefold())


def same_words(one: str, other: str) -> bool:
    """Whether two names are of the same words, whatever their order and endings."""
    return set(map(_stem, words(one))) == set(map(_stem, words(other)))


def _stem(word: str) -> str:
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def likeness(one: str, other: str) -> float:
    """The share of the telling words of both that they have in common, 0 to 1."""
    all_words = words(one), words(other)
    telling = [[word for word in found if word not in EMPTY_WORDS] for found in all_words]
    first, second = telling if min(map(len, telling)) >= FEW else all_words
    a, b = set(map(_stem, first)), set(map(_stem, second))
    return len(a & b) / len(a | b) if a | b else 1.0
