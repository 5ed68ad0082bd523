"""The beginning of a JSON file as parsed values, in bounded memory: what recognition looks at."""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from cpa_core.sources import documents, envelopes
from cpa_core.sources.documents import DECODER
from cpa_core.sources.files import File

SIZES = (1 << 20, 16 << 20)
"""Characters that are looked at: more of them only where the first did not decide."""

MOST = 20
"""Records that decide which format a file has."""

DEEPEST = 1_000
"""Lists and objects inside one another; Python's reader of JSON gives up at about as many."""

Layout = Literal["lines", "values"]
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|["\[\]{},]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


class Beginning(NamedTuple):
    """The first values of a file, the last one perhaps cut short, and whether they stand one a line.

    `whole`: all of the file was looked at. `damaged`: none of its text is a value.
    """

    values: list[Any]
    layout: Layout
    whole: bool
    damaged: bool


def samples(file: File) -> Iterator[Beginning]:
    """The first values of a JSON file, and, for whoever cannot decide by them, those of a longer beginning."""
    for size in SIZES:
        stream = documents.lines(file.name, file.content, newline="\n")
        beginning = stream.read(size)
        found = _sample(beginning, whole=not stream.read(1))
        yield found
        if found.whole:
            return


def _sample(beginning: str, *, whole: bool) -> Beginning:
    layout: Layout = "lines" if _is_lines(beginning, whole=whole) else "values"
    values = (_of_lines if layout == "lines" else _of_values)(beginning, whole=whole)
    return Beginning(values, layout, whole, damaged=not values and bool(beginning.strip()))


def _is_lines(beginning: str, *, whole: bool) -> bool:
    """Whether each line is a value of its own: the first is one, or, beside a damaged first, the second.

    One such first line suffices if the second continues beyond the sample.
    """
    parts = beginning.split("\n", 20)
    written = [line for line in (parts if whole or len(parts) > 20 else parts[:-1]) if line.strip()][:2]
    if written and envelopes.WRITTEN.match(written[0]):
        return any(envelopes.of_line(line) for line in parts)
    if len(written) < 2:
        return not whole and bool(written and parts[-1].strip()) and _value(written[0]) is not None
    readable = [_value(line) is not None for line in written]
    return readable[0] or (readable[1] and beginning.lstrip()[:1] == "{")


def _of_lines(beginning: str, *, whole: bool) -> list[Any]:
    lines = beginning.split("\n")
    found: list[Any] = []
    for line in lines if whole else lines[:-1]:
        value = _value(line)
        found += [] if value is None else [value]
        if len(found) == MOST:
            break
    return found


def _value(line: str) -> Any:
    """An object or list that is the whole of a line, or ends a line of a log; None for anything else."""
    try:
        value = DECODER.decode(line)
    except (ValueError, RecursionError):
        return envelopes.of_line(line)
    return value if isinstance(value, dict | list) else None


def _of_values(beginning: str, *, whole: bool) -> list[Any]:
    """Values one after the other; what the end of the sample cuts is closed where it stands."""
    found: list[Any] = []
    at = 0
    while len(found) < MOST and (start := _next(beginning, at)) < len(beginning):
        try:
            value, at = DECODER.raw_decode(beginning, start)
        except (ValueError, RecursionError) as error:
            cut = isinstance(error, json.JSONDecodeError) and not whole
            return found + ([closed] if cut and (closed := _closed(beginning[start:])) is not None else [])
        found.append(value)
    return found


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n\ufeff":
        at += 1
    return at


def _closed(text: str) -> Any:
    """The value that begins here, closed behind its last whole element or text; None where that is no JSON either."""
    opened: list[str] = []
    end, tail = 0, ""
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark == '"':  # a text that continues beyond the sample
            tail = text.rstrip("\\") + '"' + _closers(opened)
            break
        if mark in _CLOSING:
            opened.append(mark)
            end = token.end()
            if len(opened) > DEEPEST:
                return None
        elif mark == ",":
            end = token.start()
        elif mark in ("]", "}") and opened:
            opened.pop()
            end = token.end()
    cut = text[:end] + _closers(opened)
    return next((value for one in (tail, cut) if one and (value := _value(one)) is not None), None)


def _closers(opened: list[str]) -> str:
    return "".join(_CLOSING[one] for one in reversed(opened))
