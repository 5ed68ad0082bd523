"""Text of any size out of bytes, and JSON out of text: one member, element or line at a time."""

import codecs
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO, ClassVar, TextIO

import jiter

from cpa_core.errors import SourceError
from cpa_core.sources.contents import Content, OnDisk, beginning, size, stream
from cpa_core.sources.records import whole

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
NEWLINE = b"\n"
WINDOW = 1 << 20
NOT_UTF8 = "not UTF-8"
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
SLACK = 16
"""So many characters before the end of a window, an error may only mean that the rest is not read yet."""

LEAST_BOUND, GREATEST_RATIO = 256 << 20, 100
"""Real text shrinks to a tenth or a twentieth; gzip packs zeros a thousandfold. Such a file is refused."""


class Repeating(dict[str, Any]):
    """A JSON object in which `key` occurs twice: one of its values is lost here. `made` counts them, of all threads."""

    key: str
    made: ClassVar[int] = 0


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    Repeating.made += 1
    repeating = Repeating(found)
    repeating.key = Counter(key for key, _ in pairs).most_common(1)[0][0]
    return repeating


# Python's own writer puts NaN where pandas has a missing value; JSON knows no such word.
DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=lambda _: None)


def parser(*, once: bool = False) -> Callable[[bytes], Any]:
    """Return a function that reads one line of JSON as DECODER does, in half the time.

    `once`: no object in it has a key twice. It raises ValueError for all that DECODER must look at: what is no JSON, a
    key that occurs twice, NaN, half a surrogate pair, bytes that are not UTF-8, an empty line.
    Source: https://docs.rs/jiter and https://pypi.org/project/jiter (`catch_duplicate_keys`).
    """
    return partial(jiter.from_json, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=not once)


class _Bounded(io.RawIOBase):
    """The unpacked content of a gzip file, up to a bound: a small file that grows without end is no transcript."""

    def __init__(self, name: str, content: Content) -> None:
        super().__init__()
        self.name = name
        self.file = gzip.GzipFile(fileobj=stream(content))
        self.left = max(LEAST_BOUND, GREATEST_RATIO * size(content))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            read = self.file.readinto(buffer)
        except (EOFError, OSError, zlib.error):
            raise SourceError(f"{self.name}: gzip: damaged or cut off") from None
        self.left -= read
        if self.left < 0:
            raise SourceError(f"{self.name}: gzip: unpacks to more than {GREATEST_RATIO} times its size")
        return read


def is_parquet(name: str, content: Content) -> bool:
    """Whether a file is Parquet, by its name or by the marks at both of its ends."""
    if name.lower().endswith(".parquet"):
        return True
    marked = beginning(content, len(PARQUET)) == PARQUET
    return marked and (isinstance(content, OnDisk) or content.endswith(PARQUET))


def binary(name: str, content: Content) -> BinaryIO:
    """The bytes of a file as a stream, unpacked where they are gzip."""
    packed = beginning(content, len(GZIP)) == GZIP
    return io.BufferedReader(_Bounded(name, content), WINDOW) if packed else stream(content)


def text(name: str, content: Content, newline: str = "") -> TextIO:
    """The text of a file, line ends as they are. Reading raises UnicodeDecodeError: see `not_utf8`."""
    return io.TextIOWrapper(binary(name, content), "utf-8-sig", newline=newline)


def lines(name: str, content: Content, newline: str = "") -> TextIO:
    """The same, where a line that is not UTF-8 must not stop the others: see `is_utf8` and `with_bytes_shown`."""
    return io.TextIOWrapper(binary(name, content), "utf-8-sig", errors="surrogateescape", newline=newline)


def lines_of_bytes(name: str, content: Content) -> Iterator[bytes]:
    """The same lines, cut at line feeds only, as bytes without the mark that a file may begin with."""
    with binary(name, content) as opened:
        first = opened.readline()
        if first:
            yield first.removeprefix(codecs.BOM_UTF8)
        yield from opened


def as_line(line: bytes) -> str:
    """A line of `lines_of_bytes` as `lines` has it."""
    return line.decode("utf-8", "surrogateescape")


def is_utf8(line: str) -> bool:
    """Whether every byte of a line of `lines` was one of UTF-8."""
    if line.isascii():
        return True
    try:
        line.encode()  # at a tenth of the cost of looking for such bytes
    except UnicodeEncodeError:
        return _NOT_UTF8.search(line) is None
    return True


def with_bytes_shown(line: str) -> str:
    """A line of `lines`, with the bytes that are not UTF-8 written out."""
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def not_utf8(name: str, content: Content) -> SourceError:
    """The complaint about a file in which `text` met bytes that are not UTF-8: with line and byte."""
    line, before = 1, 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    opened = binary(name, content)
    while piece := opened.read(WINDOW):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(piece)
        except UnicodeDecodeError as error:
            bad = error.start - held
            line += piece.count(NEWLINE, 0, max(bad, 0))
            return SourceError(f"{name}: line {line}: not UTF-8 (byte {before + bad})")
        line, before = line + piece.count(NEWLINE), before + len(piece)
    return SourceError(f"{name}: line {line}: not UTF-8 (byte {before})")


class Window:
    """A text being read as JSON: `text[at:]` is what is known of the rest. Raises SourceError with the line."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name, self.stream = name, stream
        self.text, self.at, self.lines, self.ended = "", 0, 1, False

    def grow(self) -> None:
        """Read on, at least as much again as is known; forget what was passed."""
        self.lines += self.text.count("\n", 0, self.at)
        rest = self.text[self.at :]
        more = self.stream.read(max(WINDOW, len(rest)))
        self.ended = not more
        self.text, self.at = rest + more, 0

    def peek(self) -> str:
        """The next character that is not white space; at the end, none."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in " \t\n\r":
                    return self.text[self.at]
                self.at += 1
            if self.ended:
                return ""
            self.grow()

    def value(self) -> Any:
        """The next JSON value."""
        self.peek()
        while True:
            try:
                found, end = DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self.text) - SLACK or error.msg.startswith("Unterminated")
                if self.ended or not cut:
                    raise self.wrong(error.msg, error.pos) from None
            except RecursionError:
                raise SourceError(f"{self.name}: top level: lists or objects nested too deeply") from None
            except ValueError:
                raise SourceError(f"{self.name}: top level: a number with too many digits") from None
            else:
                if self.ended or end < len(self.text) - SLACK:
                    self.at = end
                    return found
            self.grow()

    def take(self, mark: str, missing: str) -> None:
        """Pass this character, or complain."""
        if self.peek() != mark:
            raise self.wrong(missing, self.at)
        self.at += 1

    def wrong(self, reason: str, at: int) -> SourceError:
        """A complaint about this place of the text."""
        line = self.lines + self.text.count("\n", 0, at)
        return SourceError(f"{self.name}: line {line}: not JSON: {reason}")

    def end(self) -> None:
        """Complain about whatever follows."""
        if self.peek():
            raise self.wrong("Extra data", self.at)


def members(window: Window) -> Iterator[tuple[str, Any]]:
    """The members of the object that comes next. Raises SourceError for a key that occurs twice."""
    return ((key, window.value()) for key in keys(window))


def keys(window: Window) -> Iterator[str]:
    """The keys of the object that comes next; who takes one must read its value before the next is taken."""
    window.take("{", "Expecting value")
    seen: set[str] = set()
    closed = window.peek() == "}"
    while not closed:
        if window.peek() != '"':
            raise window.wrong("Expecting property name enclosed in double quotes", window.at)
        key = window.value()
        if key in seen:
            raise SourceError(f"{window.name}: {whole(key)}: this key occurs twice in one object")
        seen.add(key)
        window.take(":", "Expecting ':' delimiter")
        yield key
        closed = window.peek() == "}"
        if not closed:
            window.take(",", "Expecting ',' delimiter")
    window.at += 1


def elements(window: Window) -> Iterator[Any]:
    """The elements of the list that comes next."""
    window.take("[", "Expecting value")
    closed = window.peek() == "]"
    while not closed:
        yield window.value()
        closed = window.peek() == "]"
        if not closed:
            window.take(",", "Expecting ',' delimiter")
    window.at += 1
