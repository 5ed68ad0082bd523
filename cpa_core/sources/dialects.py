"""How a table of text is written: its encoding and its separator, recognised by what stands in it.

Sources: RFC 4180 (CSV); Excel's `sep=;` line and its "Unicode Text" (UTF-16 with tabs); the byte order marks of
https://www.unicode.org/faq/utf_bom.html; https://encoding.spec.whatwg.org/#windows-1252.
"""

import codecs
import csv
import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from cpa_core.errors import SourceError
from cpa_core.sources import documents
from cpa_core.sources.contents import Content
from cpa_core.sources.documents import WINDOW

SEPARATORS = (",", ";", "\t", "|")
LOOKED_AT = 20
"""Rows that are compared to find the separator."""

MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_EXCELS_LINE = re.compile(rb"(?:\xef\xbb\xbf)?sep=[^\r\n]\r?\n", re.IGNORECASE)
_UNUSED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")


class Text(NamedTuple):
    """The text of a file as UTF-8, and what a person should know of how it was read."""

    content: Content
    notes: tuple[str, ...] = ()


def as_utf8(name: str, content: Content, *, table: bool) -> Text:
    """The content of a file as UTF-8: as it is where it is that, converted from UTF-16, or a table's Windows-1252.

    Windows-1252 is assumed of a table only where bytes above 127 never form a character of UTF-8: a file in which
    some do is a damaged one, whose bad lines are rejects.
    """
    start = documents.binary(name, content).read(4)
    encoding = MARKS.get(start[:2]) or _unmarked(start)
    if encoding:
        written = documents.binary(name, content).read()
        try:
            return Text(written.decode(encoding).removeprefix("\ufeff").encode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise SourceError(f"{name}: {encoding.upper()}: damaged or cut off") from None
    if not table:
        return Text(content)
    written = content = documents.binary(name, content).read()
    if excel := _EXCELS_LINE.match(written):
        written = content = b"\n" + written[excel.end() :]
    if written.isascii() or not _is_windows(written):
        return Text(content)
    converted = written.decode("cp1252").encode()
    count = len(_HIGH.findall(written))
    return Text(converted, (f"{name}: not UTF-8: read as Windows-1252 ({count:,} characters beyond ASCII)",))


def _unmarked(start: bytes) -> str:
    """UTF-16 without a mark, by the empty halves of its first two characters."""
    if len(start) == 4 and start[1] == start[3] == 0 != start[0] and start[2]:
        return "utf-16-le"
    return "utf-16-be" if len(start) == 4 and start[0] == start[2] == 0 != start[1] and start[3] else ""


def _is_windows(written: bytes) -> bool:
    return not (_MULTIBYTE.search(written) or _UNUSED.search(written))


def separator(name: str, content: Content, usual: str, is_header: Callable[[Sequence[str]], bool]) -> str:
    """Return the separator of a table's fields: by its header if `is_header` knows it, else by rows of equal length."""
    with documents.lines(name, content) as stream:
        lines = list(islice((line for line in iter(lambda: stream.readline(WINDOW), "") if line.strip()), LOOKED_AT))
    best, found = 1, usual
    for mark in dict.fromkeys((usual, *SEPARATORS)):
        try:
            rows = [row for row in csv.reader(lines, delimiter=mark) if row]
        except csv.Error:
            continue
        if rows and is_header(rows[0]):
            return mark
        width = len(rows[0]) if rows else 0
        if width > best and all(len(row) == width for row in rows[:-1]):
            best, found = width, mark
    return found
