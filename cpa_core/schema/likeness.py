"""How alike two texts are: what a person, or a model, would take for one another."""

import re

EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be been but by can do does for from has have how if in into is it its may might of on "
        "or such that the their them they this to was what when where which who will with would user assistant "
        "message conversation model event explicitly clearly",
    )
)
"""Words that almost every definition has, so that they make no two alike."""

ENDINGS = ("ations", "ation", "ings", "ing", "ied", "ies", "edly", "ed", "es", "s", "e", "y")
CONFUSABLE = 0.6
"""Shared words from which two definitions are easily confused."""
THE_SAME = 0.75
"""Shared words from which two definitions say the same."""


def words(text: str) -> frozenset[str]:
    """The words of a text that tell it from others, without their endings."""
    found = re.findall(r"[^\W_]+", text.casefold())
    return frozenset(_stem(word) for word in found if word not in EMPTY_WORDS) or frozenset(found)


def _stem(word: str) -> str:
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def likeness(one: str, other: str) -> float:
    """The share of the words of both that they have in common, 0 to 1."""
    a, b = words(one), words(other)
    return len(a & b) / len(a | b) if a | b else 1.0
