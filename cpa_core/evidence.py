"""The answer of a model: the shape asked for, the one JSON object that it is, and its quotes found in the text."""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from cpa_core.errors import ReplyInvalid
from cpa_core.markup import bare, unescaped

SHOWN = 40
"""Characters of a wrong label that are shown."""
LETTERS = 3
"""Letters or digits that each side of an ellipsis must have: less would be found by chance."""
QUOTES = (
    "\"'`\u00ab\u00b4\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033"
    "\u2039\u203a\u300c\u300d\u300e\u300f\uff02\uff07"
)
"""Quotation marks that writers and models use for one another."""
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
SELECTORS = "\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Variation selectors: they choose the look of the character before them, and belong to it."""
INVISIBLE = re.compile(
    f"[\u00ad\u034f\u061c\u0640\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff{SELECTORS}]"
)
"""Soft hyphens, joiners, marks of direction, variation selectors, Arabic's tatweel: they carry no meaning."""
RUNS = re.compile(r"  +|--+|[*_~]+")
"""Runs in folded text of which some characters may carry no meaning."""
SIGNS = "'.,!?;: "
"""Punctuation. A quote must hold more than these marks."""
BLANK = re.compile(r"[\t-\r\x1c-\x1f]")
SPECIAL = re.compile(r"[^\x00-\x7f]")
SELECTOR = re.compile(f"[{SELECTORS}]")
ELLIPSIS = re.compile(r" *(?:\[\.{2,}\]|\(\.{2,}\)|\.{3,}) *")


class Folded(NamedTuple):
    """A text in the form for comparison: `dropped` are the spans of folded characters left out, `plain` is the rest."""

    text: str
    dropped: Sequence[tuple[int, int]]
    plain: str

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text that `plain[start:end]` comes from."""
        first, last = self._folded(start), self._folded(end - 1)
        return (first, last + 1) if self.text.isascii() else (self._written(first), self._written(last) + 1)

    def _folded(self, index: int) -> int:
        for start, end in self.dropped:
            if start > index:
                break
            index += end - start
        return index

    def _written(self, index: int) -> int:
        """Return the place in the original text; a character that became several is the place of each."""
        for special in SPECIAL.finditer(self.text):
            place, length = special.start(), len(FOLDS[ord(special[0])])
            if place > index:
                break
            if index < place + length:
                return place
            index += 1 - length
        return index


class Folds(dict[int, str]):
    """The folded form of each character, computed once: compatibility forms (NFKD), case and marks."""

    def __missing__(self, ordinal: int) -> str:
        letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", chr(ordinal)).casefold())
        folded = self[ordinal] = "".join(map(self._mark, INVISIBLE.sub("", letters)))
        return folded

    @staticmethod
    def _mark(letter: str) -> str:
        if letter.isspace():
            return " "
        return "'" if letter in QUOTES else "-" if letter in DASHES else letter


FOLDS = Folds()


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return start and end of the quote in the text, in characters; null if the text does not contain it.

    The forms are tried in order. First, the exact quote. Second, without differences that models introduce
    unintentionally: case, spaces, typographic signs, compatibility forms, invisible characters, Markdown's emphasis.
    Third, without quotation marks around it and a full stop or an ellipsis at its ends. Fourth, with an ellipsis for an
    omitted part, if all other parts stand in order. Last, in whole words without Markdown's code, links and list marks,
    HTML entities, JSON escapes, spaces around dashes and any final punctuation.

    Public code that folds such signs: NousResearch/hermes-agent#85749, open-legal-products/mike#249.
    """
    start = text.find(quote)
    if start >= 0 and quote.strip():
        return start, start + len(quote)
    found = _folded(text)
    for wanted in _forms(_folded(quote).plain, "'."):
        if span := _span(found.plain, wanted):
            start, end = found.place(*span)
            return start, _selected(text, end)
    return _without_markup(quote, text)


def _without_markup(quote: str, text: str) -> tuple[int, int] | None:
    """Return the place of a quote that differs from the text by markup; null if there is none."""
    for written in dict.fromkeys(INVISIBLE.sub("", one) for one in (quote, *unescaped(quote))):
        for ours, theirs, words in (
            ("kept", "kept", " ".join(written.split())),
            ("dropped", "bullets dropped", written),
        ):
            shown = bare(text, ours)
            found = _folded(shown.text)
            for wanted in _forms(_folded(bare(words, theirs).text).plain, "'.,!?;:"):
                if span := _span(found.plain, wanted, in_words=True):
                    start, end = shown.place(*found.place(*span))
                    return start, _selected(text, end)
    return None


@lru_cache(maxsize=512)
def _folded(text: str) -> Folded:
    """The text, folded. A character may become several, or none; decomposed, it goes letter by letter."""
    if text.isascii():
        joined = text.lower().replace('"', "'").replace("`", "'")
        joined = joined if joined.isprintable() else BLANK.sub(" ", joined)
    else:
        joined = text.translate(FOLDS)
    if not ("  " in joined or "--" in joined or "*" in joined or "_" in joined or "~" in joined):
        return Folded(text, (), joined)
    dropped = [span for run in RUNS.finditer(joined) if (span := _dropped(joined, *run.span()))]
    starts = (0, *(end for _, end in dropped))
    ends = (*(start for start, _ in dropped), len(joined))
    return Folded(text, dropped, "".join(joined[start:end] for start, end in zip(starts, ends, strict=True)))


def _dropped(joined: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the part of a run of spaces, dashes or Markdown's signs that carries no meaning, null if all of it does.

    Emphasis is at the edge of a word, or two asterisks between letters, as in scripts that put no spaces between words;
    `2 * 3`, `2**3` and `snake_case` stay.
    """
    if joined[start] in " -":
        return start + 1, end
    before, after = joined[start - 1 : start], joined[end : end + 1]
    if before.isalnum() and after.isalnum():
        is_bold = joined[start:end] == "**" and not (before.isdigit() and after.isdigit())
        return (start, end) if is_bold else None
    return (start, end) if before.strip() or after.strip() else None


def _forms(folded: str, ends: str) -> Iterator[tuple[str, ...]]:
    """Yield the forms of a quote to search for, the closest first, each as the parts that must stand in order.

    `ends` are the final signs that may be left out; quotation marks only if the quote also begins with one.
    """
    plain = left = folded.strip()
    if plain and (plain.strip(SIGNS) or ends == "'."):
        yield (plain,)
    while len(left) > 2 and left[-1] in ends and (left[-1] != "'" or left[0] == "'"):
        left = (left[1:-1] if left[-1] == "'" else left[:-1]).strip()
        if left.strip(SIGNS):
            yield (left,)
    left = plain.strip("'")
    if ".." not in left:
        return
    parts = tuple(part for part in ELLIPSIS.split(left.removesuffix("'.")) if part.strip("'. "))
    if parts and all(sum(map(str.isalnum, part)) >= LETTERS for part in parts):
        yield parts


def _span(text: str, parts: Sequence[str], *, in_words: bool = False) -> tuple[int, int] | None:
    """The shortest span of the text in which the parts stand in order, and of these the first.

    One part alone may cut a word in two, unless `in_words`.
    """
    if len(parts) == 1:
        start = _whole(text, parts[0], 0) if in_words else _find(text, parts[0], 0)
        return (start, start + len(parts[0])) if start >= 0 else None
    best: tuple[int, int] | None = None
    start = _whole(text, parts[0], 0)
    while start >= 0 and (end := _end(text, parts, start)):
        if best is None or end - start < best[1] - best[0]:
            best = start, end
        start = _whole(text, parts[0], start + 1)
    return best


def _end(text: str, parts: Sequence[str], start: int) -> int | None:
    end = start + len(parts[0])
    for part in parts[1:]:
        place = _whole(text, part, end)
        if place < 0:
            return None
        end = place + len(part)
    return end


def _whole(text: str, part: str, start: int) -> int:
    """Return the start of the next match that cuts no word of ASCII letters in two; -1 if there is none."""
    place = _find(text, part, start)
    while place >= 0 and (_is_cut(text, place) or _is_cut(text, place + len(part))):
        place = _find(text, part, place + 1)
    return place


def _is_cut(text: str, place: int) -> bool:
    around = text[max(0, place - 1) : place + 1]
    return len(around) == 2 and place > 0 and around.isascii() and around.isalnum()


def _selected(text: str, end: int) -> int:
    """The end of a quote with the selectors of its last character."""
    while end < len(text) and text[end] > "\u180a" and SELECTOR.match(text[end]):
        end += 1
    return end


def _find(text: str, part: str, start: int) -> int:
    """Return the start of the next match that separates no letter from its accents; -1 if there is none."""
    place = text.find(part, start)
    while place >= 0:
        end = place + len(part)
        if end == len(text) or text[end] < "\u0300" or not unicodedata.combining(text[end]):
            break
        place = text.find(part, place + 1)
    return place


def answer_object(text: str) -> dict[str, Any]:
    """The answer as an object. The whole answer must be it, a code fence around it aside. Raises ReplyInvalid."""
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = bare.removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        tree = json.loads(bare)
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ReplyInvalid("answer: half a character (a lone surrogate)") from None
    except (ValueError, RecursionError):
        raise ReplyInvalid("answer: not JSON") from None
    if not isinstance(tree, dict):
        raise ReplyInvalid("answer: not an object")
    return tree


def listed(tree: dict[str, Any], key: str) -> list[Any]:
    """A list in the answer. Raises ReplyInvalid."""
    found = tree.get(key)
    if not isinstance(found, list):
        raise ReplyInvalid(f"answer: {key}: not a list")
    return found


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an object that requires all of these properties and allows no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def shown_values(values: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """Return the disallowed labels of an answer as a failure may show them: shortened, each once.

    A label that occurs in the conversation's texts is left out: a failure never shows a message's words.
    """
    known = dict.fromkeys(" ".join(value.split()) for value in values)
    apart = [value for value in known if value and not any(locate(value, text) for text in texts)]
    return tuple(value if len(value) <= SHOWN else f"{value[: SHOWN - 1]}…" for value in apart)
