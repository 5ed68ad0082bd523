"""A text without its markup, with the original place of each character: models often quote without markup."""

import html
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

LINK = r"!?\[(?P<label>[^\[\]]{1,500})\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+\"[^\"\n]*\")?\)"
ENTITY = r"(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});)"
MARKS = r"(?P<mark>^[ \t]*(?:(?:[-*+•·‣▪◦]|\d{1,3}[.)])[ \t]+|\#{1,6}[ \t]+|>[> \t]*))"
BULLETS = r"(?P<mark>^[ \t]*(?:[-*+•·‣▪◦][ \t]+|\#{1,6}[ \t]+|>[> \t]*))"
SPACES = r"[^\S\r\n]*"
DASH = rf"(?P<dash>{SPACES}(?:[\u2012-\u2015]|--+|(?<=[^\S\r\n])[-\u2010\u2011\u2212](?=\s)){SPACES})"
QUOTE = r"(?P<quote>['\u2018\u2019\u00b4]{2})"
CODE = r"(?P<code>`+)"
ESCAPE = re.compile(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]')
REST = "|".join((LINK, ENTITY, DASH, QUOTE, CODE))
PATTERNS = {
    "kept": re.compile(REST, re.MULTILINE),
    "dropped": re.compile(f"{MARKS}|{REST}", re.MULTILINE),
    "bullets dropped": re.compile(f"{BULLETS}|{REST}", re.MULTILINE),
}
"""Patterns by their treatment of list, heading and quotation marks at the beginning of a line."""


class Bare(NamedTuple):
    """A text without markup, and of each of its characters the start and the end in the text."""

    text: str
    spans: tuple[tuple[int, int], ...]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text that characters `start` to `end` come from."""
        return self.spans[start][0], self.spans[end - 1][1]


@lru_cache(maxsize=256)
def bare(text: str, marks: str) -> Bare:
    """Return the text without code marks and link addresses, and with HTML entities replaced by their characters.

    A dash with the spaces around it becomes a hyphen, two apostrophes a quotation mark. `marks` is a name of PATTERNS.
    """
    found = list(_characters(text, 0, len(text), PATTERNS[marks]))
    return Bare("".join(one for one, _ in found), tuple(span for _, span in found))


def _characters(text: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    place = start
    for mark in pattern.finditer(text, start, end):
        yield from ((text[n], (n, n + 1)) for n in range(place, mark.start()))
        place = mark.end()
        kind = mark.lastgroup
        if kind == "label":
            yield from _characters(text, *mark.span("label"), pattern)
        elif kind == "entity":
            yield from ((one, mark.span()) for one in html.unescape(mark[0]))
        elif kind in ("dash", "quote"):
            yield ("-" if kind == "dash" else '"'), mark.span()
    yield from ((text[n], (n, n + 1)) for n in range(place, end))


def unescaped(text: str) -> tuple[str, str]:
    """Return the text twice: with JSON escapes decoded, and with HTML entities decoded."""
    return ESCAPE.sub(_unescaped, text), html.unescape(text)


def _unescaped(escape: re.Match[str]) -> str:
    return str(json.loads(f'"{escape[0]}"'))
