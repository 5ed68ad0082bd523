"""The prose of a page of Markdown, and how hard it is to read: sentences, words, and Flesch's reading ease."""

import re
from functools import cache
from typing import NamedTuple

import pyphen

DASHES = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
HIDDEN = (
    (re.compile(r"```.*?```", re.DOTALL), "\n\n"),
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<[^>]+>"), ""),
    (re.compile(r"`[^`]*`"), ""),
    (re.compile(r"https?://\S+|\b\w[\w.-]*\.\w+/\S+"), ""),
    (re.compile(r"[*_]{1,2}"), ""),
)
"""What is no prose, and what stands for it."""


class Reading(NamedTuple):
    """How hard a text is: its sentences, its words, its syllables."""

    sentences: int
    words: int
    syllables: int

    @property
    def ease(self) -> float:
        """Flesch's reading ease: 60 and above is plain English, below 30 is hard.

        Source: https://en.wikipedia.org/wiki/Flesch%E2%80%93Kincaid_readability_tests
        """
        return 206.835 - 1.015 * self.words / self.sentences - 84.6 * self.syllables / self.words


def sentences(page: str) -> list[str]:
    """The sentences of a page, without headings, tables and code. An item of a list ends a sentence."""
    for pattern, instead in HIDDEN:
        page = pattern.sub(instead, page)
    lines = [line for line in page.splitlines() if not line.lstrip().startswith(("#", "|", ">"))]
    text = "\n".join(DASHES.sub("\n\n", line) for line in lines)
    parts = (part for block in re.split(r"\n\s*\n", text) for part in re.split(r"(?<=[.!?])\s+", block))
    return [one for one in (" ".join(part.split()) for part in parts) if len(words(one)) > 2]


def words(sentence: str) -> list[str]:
    """The words of a sentence; numbers are none."""
    return re.findall(r"[A-Za-z][A-Za-z'’-]*", sentence)


def reading(page: str) -> Reading:
    """How hard a page is."""
    found = sentences(page)
    said = [word for one in found for word in words(one)]
    return Reading(len(found), len(said), sum(syllables(word) for word in said))


@cache
def syllables(word: str) -> int:
    """The syllables of an English word: by its hyphenation, or its groups of vowels where these are more.

    Hyphenation alone finds too few, for no line may end after "a" of "about".
    """
    groups = len(re.findall(r"[aeiouy]+", re.sub(r"(?<=[^aeiouyl])e$|(?<=[^aeioudt])ed$", "", word.lower())))
    return max(groups, len(_hyphens().inserted(word).split("-")), 1)


@cache
def _hyphens() -> pyphen.Pyphen:
    return pyphen.Pyphen(lang="en_US")
