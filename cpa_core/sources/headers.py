"""The header of a table: the line on which it stands, its columns in our words, and the zone that it names.

Programs that make reports write a title, a date or notes above the header and totals below the rows: Excel, Salesforce
(https://help.salesforce.com/s/articleView?id=sf.reports_export.htm, formatted reports), Zendesk Explore and Power BI.
Databases and people change the case of names, and write a unit behind them, as Azure does (`timestamp [UTC]`).
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

import pyarrow as pa
from pyarrow import parquet

from cpa_core.sources import dialects, mapping, tables, times
from cpa_core.sources.contents import loaded, stream
from cpa_core.sources.files import File
from cpa_core.sources.sessions import SESSIONS, SESSIONS_OF_ROWS

BEGINNING = 1 << 16
"""Characters in which a header is looked for."""
LINES = 40
ABOVE = 20
"""Rows above a header, at most."""
END = 1 << 12
"""Bytes at the end of a table in which totals may stand."""

_UNIT = re.compile(r"\s*(?:\(([^()]*)\)|\[([^\[\]]*)\])$")
DAYS = frozenset({"date", "day", "datum", "fecha", "data", "jour", "messagedate", "chatdate", "createddate"})
DAYS |= {"sentdate", "datesent", "startdate", "eventdate"}
CLOCKS = frozenset({"time", "clock", "uhrzeit", "zeit", "hora", "heure", "ora", "tid", "timeofday", "messagetime"})
CLOCKS |= {"chattime", "createdtime", "senttime", "timesent", "starttime", "eventtime"}
"""Names of columns of dates and of times of day, of which one beside the other is a time."""
_CAMEL = re.compile(r"[a-z]+[A-Z]")
"""A name as programs write it: it may be a column of another format, whose own reader knows it."""
_TOTAL = re.compile(r"(?:grand |sub)?totals?:?|sum(?:me)?:?|gesamt:?|count:?|rows?:?|average:?", re.IGNORECASE)
_NUMBER = re.compile(r"[\d.,%\s-]+")


class Framed(NamedTuple):
    """A table that begins with its header, and what a person should know of the lines that it lost."""

    file: File
    notes: tuple[str, ...]


def framed(file: File, usual: str) -> Framed:
    """A table of text without the lines above its header and the totals below, and with its columns in our words.

    The lines above become empty ones, so that a line keeps its number. Its content is unpacked and UTF-8: see
    `dialects.as_utf8`.
    """
    content = loaded(file.content)
    text = content[:BEGINNING].decode("utf-8", "surrogateescape")
    lines = [line for line, _ in zip(io.StringIO(text.removeprefix("\ufeff"), newline=""), range(LINES), strict=False)]
    usual = dialects.separator(file.name, file.content, usual, lambda row: is_ours(file, row))
    begins, row, mark = _header(file, lines, usual)
    notes: list[str] = []
    if begins:
        notes.append(f"{file.name}: the header stands on line {begins + 1}; the lines above it are left out")
        mark_size = len(text) - len(text.removeprefix("\ufeff"))
        above = len("".join(lines[:begins]).encode("utf-8", "surrogateescape")) + 3 * mark_size
        file = file._replace(content=b"\n" * begins + content[above:])
    cut = _totals(content, len(row), mark)
    if cut:
        notes.append(f"{file.name}: the totals at its end are left out")
        file = file._replace(content=loaded(file.content)[:-cut])
    return Framed(named(file, [cell.strip() for cell in row]), tuple(notes))


def of_parquet(file: File) -> File:
    """A table of Parquet with its columns in our words. A damaged file is returned unchanged: its reader refuses it."""
    try:
        return named(file, parquet.read_schema(stream(file.content)).names)
    except (pa.ArrowInvalid, OSError):
        return file


def named(file: File, header: Sequence[str]) -> File:
    """A file whose mapping has the columns as this header spells them, and the zone that its column of times names."""
    file = file._replace(names=spelled(file, header))
    column = file.names.get("timestamp", "timestamp")
    where = [column] if column in header else column.split("+", 1)
    zone = next((found for one in where if one.strip() in header and (found := _zone(one.strip()))), None)
    return file._replace(zone=zone) if zone else file


def spelled(file: File, header: Sequence[str]) -> dict[str, str]:
    """The mapping of columns as this header spells them: letter case, spaces and a unit behind a name do not count.

    Our own words are found so too, where the header then has all that a table of messages needs. So is a session.
    """
    names = file.names
    given = {word: _spelled(path, header) or _spelled_apart(word, path, header) for word, path in names.items()}
    words = [word for word in sorted(tables.KNOWN) if word not in given and word not in header]
    own = {word: found for word in words if (found := _spelled(word, header)) and not _CAMEL.match(found)}
    own = {word: found for word, found in own.items() if found not in given.values()}
    lacks = tables.missing(File("", b"", {**given, **own}), header)
    if lacks:
        return given
    if "timestamp" not in {*given, *own, *header} and (pair := day_and_clock(header)):
        own["timestamp"] = pair
    taken = {*tables.KNOWN, *given.values(), *own.values()}
    return {**given, **own, **_session(file, [column for column in header if column not in taken])}


def _session(file: File, header: Sequence[str]) -> dict[str, str]:
    """The column of a session that is spelled in another way; none where one stands there in ours."""
    if not file.sessions.of_rows or not SESSIONS_OF_ROWS.isdisjoint(header):
        return {}
    found = ((word, _spelled(word, header)) for word in SESSIONS if word in SESSIONS_OF_ROWS)
    return next(({word: column} for word, column in found if column), {})


def day_and_clock(header: Sequence[str]) -> str | None:
    """The path of a time whose date and time of day are columns of their own; None where not one of each is there."""
    pair = [[column for column in header if _folded(column) in names] for names in (DAYS, CLOCKS)]
    return "+".join(one[0] for one in pair) if all(len(one) == 1 for one in pair) and "+" not in pair[0][0] else None


def _spelled_apart(word: str, path: str, header: Sequence[str]) -> str:
    """The path of a time in two columns as this header spells them; any other path as it is."""
    if word != "timestamp" or "+" not in path or path in header:
        return path
    return "+".join(_spelled(one.strip(), header) or one.strip() for one in path.split("+", 1))


def _spelled(path: str, header: Sequence[str]) -> str | None:
    """The only column that is this name but for case, spaces and unit; None where it is there itself."""
    if mapping.begins_in(path, header):
        return None
    alike = [column for column in header if column and _folded(column) == _folded(path)]
    return alike[0] if len(alike) == 1 else None


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "", _UNIT.sub("", name.strip())).casefold()


def _zone(column: str) -> tzinfo | None:
    unit = _UNIT.search(column)
    return times.zone(next(filter(None, unit.groups()), "").strip()) if unit else None


def is_ours(file: File, row: Sequence[str]) -> bool:
    """Whether a row has the columns of messages, as a person named them or in our words."""
    header = [cell.strip() for cell in row]
    return not tables.missing(file._replace(names=spelled(file, header)), header)


def _header(file: File, lines: Sequence[str], usual: str) -> tuple[int, list[str], str]:
    """How many lines stand above the header, its cells, and their separator; 0 where it is the first row."""
    marks = {mark: _rows(lines, mark) for mark in dict.fromkeys((usual, *dialects.SEPARATORS))}
    first = marks[usual][0][1] if marks[usual] else []
    likeliest = max(marks, key=lambda one: _area(marks[one]))
    for mark in [*marks] if not is_ours(file, first) else [usual]:
        rows = [row for _, row in marks[mark]]
        at = _at(file, rows, ours=True)
        if at is not None:
            return marks[mark][at][0] if at else 0, rows[at], mark
    rows = [row for _, row in marks[likeliest]]
    at = _at(file, rows, ours=False)
    return (marks[likeliest][at][0], rows[at], likeliest) if at else (0, first, usual)


def row_of(file: File, rows: Sequence[Sequence[str]]) -> int:
    """The place of the header among the rows of a sheet; 0 where no row can be distinguished as one."""
    return next((at for ours in (True, False) if (at := _at(file, rows, ours=ours)) is not None), 0)


def _at(file: File, rows: Sequence[Sequence[str]], *, ours: bool) -> int | None:
    """The first row that has the columns of messages, or else whose cells are names for as many columns as most have.

    The rows above it have cells for half of the columns at most: fuller ones may be messages.
    """
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    full = 0
    for n, row in enumerate(rows[: ABOVE + 1]):
        is_header = is_ours(file, row) if ours else len(row) == width > 1 and _are_names(row)
        if is_header and full <= max(1, len(row) // 2):
            return n
        full = max(full, sum(1 for cell in row if cell.strip()))
    return None


def _are_names(row: Sequence[str]) -> bool:
    return all(map(tables.is_name, row)) and len(set(row)) == len(row)


def _rows(lines: Sequence[str], mark: str) -> list[tuple[int, list[str]]]:
    """The rows of these lines that are not blank, each with how many lines stand above it."""
    reader = csv.reader(lines, delimiter=mark)
    found: list[tuple[int, list[str]]] = []
    begins = 0
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                found.append((begins, row))
            begins = reader.line_num
    except csv.Error:  # its reader says so with the line
        pass
    return found


def _area(rows: Sequence[tuple[int, list[str]]]) -> int:
    widths = Counter(len(row) for _, row in rows)
    return max((width * count for width, count in widths.items() if width > 1), default=0)


def _totals(content: bytes, width: int, mark: str) -> int:
    """How many bytes of totals end a table: a row of the word and of numbers alone, in which nobody says anything."""
    end = content[-END:]
    last = end.rstrip().rpartition(b"\n")[2]
    try:
        row = next(csv.reader([last.decode()], delimiter=mark), [])
    except (csv.Error, UnicodeDecodeError):
        return 0
    cells = [cell.strip() for cell in row if cell.strip()]
    if not (len(row) == width > 2 and cells and len(cells) <= max(1, width // 2) and _TOTAL.fullmatch(cells[0])):
        return 0
    return len(end) - end.rfind(last) if all(map(_NUMBER.fullmatch, cells[1:])) else 0
