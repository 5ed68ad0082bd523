"""Quotes that a model alters, found in real conversations: how many, how many at a wrong place, and how fast.

python -m benchmarks.quotes FOLDER ...   the conversations.json in each

One quote of each message, some words from its middle, is altered in each of 20 ways; some ways alter the message, as
telephones and word processors do, and leave the quote. A quote counts where its words occur once in the message. The
speed is beside that of a search that folds compatibility forms and spaces only.
"""

import json
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from cpa_core import evidence

Way = Callable[[str], str]
Place = tuple[int, int] | None


class Case(NamedTuple):
    """A quote as the model writes it, the message, and the words that must be found there."""

    quote: str
    text: str
    own: str


def signs(text: str) -> str:
    """As a word processor writes it."""
    text = re.sub(r'(^|(?<=\s))"', "“", text).replace('"', "”")
    return text.replace("'", "’").replace(" - ", " – ").replace("...", "…")


def inserted(sign: str) -> Way:
    """With a sign after every third letter."""
    return lambda text: re.sub(r"(\w{3})", rf"\1{sign}", text)


def elided(quote: str) -> str:
    """With an ellipsis for the words in the middle."""
    words = quote.split(" ")
    return " ... ".join((" ".join(words[:3]), " ".join(words[-3:])))


def bold(text: str) -> str:
    """With every other word in bold."""
    return " ".join(f"**{word}**" if n % 2 else word for n, word in enumerate(text.split(" ")))


def same(text: str) -> str:
    """As it is."""
    return text


WAYS: dict[str, tuple[Way, Way]] = {
    "typographic signs in the message": (same, signs),
    "typographic signs in the quote": (signs, same),
    "an em dash for a hyphen": (lambda quote: quote.replace("-", "—"), same),
    "an ellipsis in the middle": (elided, same),
    "zero-width spaces": (inserted("\u200b"), same),
    "zero-width joiners in the message": (same, inserted("\u200d")),
    "soft hyphens in the message": (same, inserted("\u00ad")),
    "marks of direction": (lambda quote: f"\u200f{quote}\u200e", same),
    "variation selectors in the message": (same, inserted("\ufe0f")),
    "upper case": (str.upper, same),
    "a capital": (lambda quote: quote[:1].upper() + quote[1:], same),
    "a small letter": (lambda quote: quote[:1].lower() + quote[1:], same),
    "bold in the message": (same, bold),
    "emphasis in the quote": (lambda quote: f"*{quote}*", same),
    "a full stop": (lambda quote: f"{quote}.", same),
    "quotation marks": (lambda quote: f'"{quote}"', same),
    "typographic quotation marks": (lambda quote: f"“{quote}”", same),
    "hard spaces": (lambda quote: quote.replace(" ", "\u00a0"), same),
    "line breaks": (lambda quote: quote.replace(" ", "\n  "), same),
    "wide letters": (lambda quote: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in quote), same),
}


def texts(folders: Sequence[Path]) -> Iterator[str]:
    """The messages of at least nine words."""
    for folder in folders:
        for conversation in json.loads((folder / "conversations.json").read_text("utf-8")).values():
            for message in conversation["messages"]:
                if len(message["content"].split()) >= 9:
                    yield " ".join(message["content"].split())


def cases(messages: Sequence[str], quoted: Way, written: Way) -> Iterator[Case]:
    """A quote of each message, altered in one way, where its words stand there once."""
    for n, message in enumerate(messages):
        words = message.split(" ")
        random = Random(n)
        length = random.randint(7, min(15, len(words)))
        start = random.randint(0, len(words) - length)
        own = " ".join(words[start : start + length]).rstrip(".,;:!?'\" ")
        bounds = (own.split(" ")[:3], own.split(" ")[-3:])
        if message.casefold().count(own.casefold()) == 1 and all(
            message.casefold().count(" ".join(b).casefold()) == 1 for b in bounds
        ):
            text = written(message)
            place = text.find(written(own))
            if place >= 0:
                yield Case(quoted(own), text, written(own))


def folded_before(quote: str, text: str) -> Place:
    """Start and end, with compatibility forms and spaces folded only."""
    start = text.find(quote)
    if start >= 0:
        return start, start + len(quote)
    folded, places = _fold(text)
    wanted = _fold(quote)[0].strip()
    start = folded.find(wanted)
    while wanted and start >= 0:
        end = start + len(wanted)
        if end == len(folded) or not unicodedata.combining(folded[end]):
            return places[start], places[end - 1] + 1
        start = folded.find(wanted, start + 1)
    return None


def _fold(text: str) -> tuple[str, Sequence[int]]:
    if not re.search(r"[^!-~ ]|  ", text):
        return text, range(len(text))
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for letter in unicodedata.normalize("NFKD", character):
            blank = letter.isspace()
            if blank and letters and letters[-1] == " ":
                continue
            letters.append(" " if blank else letter)
            places.append(place)
    return "".join(letters), places


def measured(find: Callable[[str, str], Place], made: Sequence[Case]) -> tuple[int, int, float]:
    """Quotes found, those of them at a wrong place, and seconds of the processor."""
    began = time.process_time()
    places = [find(case.quote, case.text) for case in made]
    seconds = time.process_time() - began
    found = [(case, place) for case, place in zip(made, places, strict=True) if place]
    wrong = sum(not right(case, place) for case, place in found)
    return len(found), wrong, seconds


def right(case: Case, place: tuple[int, int]) -> bool:
    """Whether the words of the quote, and no other, are at the place; invisible signs at its edges do not count."""
    start = case.text.find(case.own)
    outside = (
        case.text[min(start, place[0]) : max(start, place[0])]
        + case.text[min(start + len(case.own), place[1]) : max(start + len(case.own), place[1])]
    )
    return not any(letter.isalnum() for letter in outside)


def main(folders: Sequence[str]) -> None:
    """Print a line for each way, and the sums."""
    messages = list(texts([Path(folder) for folder in folders]))
    sums = [0, 0, 0]
    now = before = 0.0
    for name, (quoted, written) in WAYS.items():
        made = list(cases(messages, quoted, written))
        evidence._folded.cache_clear()
        found, wrong, seconds = measured(evidence.locate, made)
        old, _, old_seconds = measured(folded_before, made)
        each = f"{seconds / len(made) * 1e6:.1f} us, {old_seconds / len(made) * 1e6:.1f} before"
        print(f"{name:36} {found} of {len(made)} found ({old} before), {wrong} wrong, {each}")
        sums = [total + one for total, one in zip(sums, (len(made), found, wrong), strict=True)]
        now, before = now + seconds, before + old_seconds
    share, ratio = sums[1] / sums[0], now / before
    print(f"{sums[1]} of {sums[0]} found ({share:.2%}), {sums[2]} wrong, {ratio:.2f} times the time before")


if __name__ == "__main__":
    main(sys.argv[1:])
