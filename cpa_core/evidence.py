"""The answer of a model: the shape asked for, the one JSON object that it is, and its quotes found in the text."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from cpa_core.errors import ReplyInvalid

UNEVEN = re.compile(r"[^!-~ ]|  ")
"""What folding would change, or might."""


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Start and end of the quote in the text: exactly, else with compatibility forms and spaces folded."""
    if not quote.strip():
        return None
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
    """The text with compatibility forms as one and runs of space as one, and the place each character came from.

    It is decomposed (NFKD), which goes letter by letter; two texts are equal so exactly when they are in NFKC.
    """
    if not UNEVEN.search(text):
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
    """An object that needs all of its properties and allows no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
