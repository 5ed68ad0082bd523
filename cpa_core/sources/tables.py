"""Rows with named columns: CSV and its relatives."""

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time
from itertools import islice
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from cpa_core.errors import SourceError
from cpa_core.sources import columns, dialects, documents, fields, mapping, regular
from cpa_core.sources.contents import stream
from cpa_core.sources.conversations import decoded, one_line
from cpa_core.sources.files import File
from cpa_core.sources.records import Draft, Reject, SourceRecord, as_json, moment
from cpa_core.sources.sessions import SESSIONS, id_of_row, key_of_row

KNOWN = frozenset({"user_id", "conversation_id", "role", "content", "message_id", "timestamp"})

csv.field_size_limit(sys.maxsize)  # the default of 128 KiB refuses long messages

SHOWN = 20
"""Columns of a header that an error names."""
WORDS = 4
"""Words of a name of a column."""
SPEAKERS = frozenset({"user", "human", "assistant", "ai", "bot", "system"})
"""Roles that are no column's name, but beside one of HEADERS."""
HEADERS = frozenset({"id", "question", "answer", "prompt", "response", "message", "text", "content", "created_at"})
_NAME = re.compile(r"[^\W\d][\w.$/ -]{0,39}")

Placed = tuple[int, list[str]]
"""The line on which a row begins, and its fields."""


def from_csv(file: File) -> Iterator[columns.Found]:
    """Columns role, content, one of user_id and conversation_id, optional message_id and timestamp."""
    regular_file = regular.csv_drafts(file)
    return _from_delimited(file, separator(file, ",")) if regular_file is None else iter([regular_file])


def from_tsv(file: File) -> Iterator[columns.Found]:
    """The same with tabs."""
    return _from_delimited(file, separator(file, "\t"))


def separator(file: File, usual: str) -> str:
    """Return the separator of a file's fields: the usual one for its name, or another that makes it a table."""
    return dialects.separator(file.name, file.content, usual, lambda row: not missing(file, [*map(str.strip, row)]))


def from_parquet(file: File) -> Iterator[columns.Found]:
    """The same columns in Parquet; or a column `messages` of lists, or of JSON."""
    try:
        source = parquet.ParquetFile(stream(file.content))
        _check_columns(file, source.schema_arrow.names)
        row = 0
        for batch in source.iter_batches(columns.CHUNK):
            plain = regular.batch_drafts(file, batch, row)
            if plain is not None:
                yield plain
            else:
                yield from _careful_batch(file, batch, row)
            row += batch.num_rows
    except (pa.ArrowInvalid, OSError):
        raise SourceError(f"{file.name}: not Parquet, or damaged") from None


def _careful_batch(file: File, batch: pa.RecordBatch, row: int) -> Iterator[SourceRecord | Draft | Reject]:
    """The rows of a batch that begins after so many rows."""
    for number, tree in enumerate(trees_of(batch), row + 1):
        yield from one_line(file, f"row {number}", _with_list(file, tree))


def trees_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """The rows of a batch as objects, their values as JSON would have them."""
    cells = {name: _values(batch.column(name)) for name in batch.schema.names}
    for values in zip(*cells.values(), strict=True):
        yield as_written(dict(zip(cells, values, strict=True)))


def _values(column: pa.Array) -> list[Any]:
    """The values of a column; a time that Python has no value for, such as Postgres's infinity, as words."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        return [_value(one) for one in column]


def _value(cell: pa.Scalar) -> Any:
    try:
        return cell.as_py()
    except (ValueError, OverflowError):
        return "a time outside the years 1 to 9999"


def _with_list(file: File, tree: dict[str, Any]) -> dict[str, Any]:
    """A row whose messages are a list, where they stand as JSON in text."""
    column = file.names.get("messages", "messages")
    value = tree.get(column)
    if not isinstance(value, str):
        return tree
    try:
        return tree | {column: decoded(value)}
    except ValueError:
        return tree


def _check_columns(file: File, header: Sequence[str]) -> None:
    """Raises SourceError where the columns are those neither of messages nor of conversations."""
    lacking = missing(file, header)
    if not lacking or mapping.begins_in(file.names.get("messages", "messages"), header):
        return
    shown = ", ".join(header[:SHOWN]) + (", ..." if len(header) > SHOWN else "")
    found = f"{len(header)} columns found: {shown}; if they are other words here: {_flag(file, header, lacking)}"
    raise SourceError(f"{file.name}: missing columns: {', '.join(lacking)} ({found})")


def _flag(file: File, header: Sequence[str], lacking: Sequence[str]) -> str:
    return mapping.advice(file.names, [word.split()[0] for word in lacking], header)


def as_written(value: Any) -> Any:
    """Values as JSON would have them: times in ISO 8601, bytes and decimals as text."""
    if isinstance(value, dict):
        return {str(key): as_written(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_written(one) for one in value]
    if isinstance(value, date | time):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _from_delimited(file: File, delimiter: str) -> Iterator[columns.Found]:
    lines = Lines(documents.lines(file.name, file.content))
    numbered = numbered_rows(lines, delimiter)
    first = next(numbered, (1, []))
    if isinstance(first, Reject):
        raise SourceError(f"{file.name}: {first.place}: {first.reason}")
    header = distinct([column.strip() for column in first[1]], file)
    check_header(file, header)
    again = first[1]
    if file.is_plain(header):
        header, file = _named(file, header), file._replace(names={})
    while found := list(islice(numbered, columns.CHUNK)):
        yield from (one for one in found if isinstance(one, Reject))
        yield from (header_again(one[0]) for one in found if not isinstance(one, Reject) and one[1] == again)
        if part := [one for one in found if not isinstance(one, Reject) and one[1] != again]:
            plain = _plain(file, header, part)
            yield from [plain] if plain is not None else _careful(file, header, part)


class Lines:
    """The lines of a text, which remembers those of the row that is being read."""

    def __init__(self, stream: Iterable[str]) -> None:
        self.stream = iter(stream)
        self.begin()

    def begin(self) -> None:
        """Forget the row before."""
        self.row = io.StringIO(newline="")
        self.is_utf8 = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self.stream)
        self.row.write(line)
        self.is_utf8 = self.is_utf8 and documents.is_utf8(line)
        return line

    def shown(self) -> str:
        """The row as it is written."""
        return documents.with_bytes_shown(self.row.getvalue())


def numbered_rows(lines: Lines, delimiter: str) -> Iterator[Placed | Reject]:
    """The rows, each with the line on which it begins; lines that are not CSV are rejects, and the next ones go on.

    A quote that is never closed takes in all that follows: what stands there may be a message, never rows.
    """
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.begin()
        begins = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Reject(f"line {begins}", f"not CSV: {error}", lines.shown())
            continue
        if any(row) and not all(map(str.isspace, filter(None, row))):
            yield (begins, row) if lines.is_utf8 else Reject(f"line {begins}", documents.NOT_UTF8, lines.shown())


def missing(file: File, header: Sequence[str], *, strictly: bool = False) -> list[str]:
    """The columns that a header lacks, after what a person named. `strictly`: a session does not name a conversation.

    Tables of other formats have a role, a content and a session too.
    """
    given = {file.ours(column) for column in header}
    given |= {word for word, path in file.names.items() if mapping.begins_in(path, header)}
    lacking = [column for column in ("role", "content") if column not in given]
    naming = {"conversation_id", "user_id", *(SESSIONS if file.sessions.of_rows and not strictly else ())}
    return lacking if naming & given else [*lacking, "conversation_id (or user_id)"]


def distinct(header: Sequence[str], file: File) -> list[str]:
    """The names of columns, each once: one without a name, or like another, has its number; ours are left as they are.

    A sheet that is saved as CSV has commas for empty columns.
    """
    counts = Counter(header)
    ours = {column for column in header if file.ours(column) in KNOWN or column in file.names.values()}
    return [
        column if column in ours or (column and counts[column] == 1) else f"{column or 'column'} ({n})"
        for n, column in enumerate(header, 1)
    ]


def header_again(line: int) -> Reject:
    """A row that repeats the header, as in exports that were put one behind the other."""
    return Reject(f"line {line}", "the header again", "{}", loss=False)


def check_header(file: File, header: Sequence[str]) -> None:
    """Raises SourceError for columns that are missing or occur twice."""
    if lacking := missing(file, header):
        raise SourceError(
            f"{file.name}: line 1: missing columns: {', '.join(lacking)} ({_seen(file, header, lacking)})"
        )
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if repeated:
        raise SourceError(f"{file.name}: line 1: columns that occur twice: {', '.join(map(repr, repeated))}")


def _seen(file: File, header: Sequence[str], lacking: Sequence[str]) -> str:
    """Return the first line's columns in words. If the header is missing, it may be a message: then it is not shown."""
    count = f"{len(header)} columns found"
    names = [cell for cell in header if cell.lower() not in SPEAKERS or not HEADERS & set(map(str.lower, header))]
    if not all(map(is_name, names)) or len(set(header)) < len(header):
        return f"{count}, and no header: the first line must name them, as in conversation_id,role,content,timestamp"
    shown = ", ".join(header[:SHOWN]) + (", ..." if len(header) > SHOWN else "")
    return f"{count}: {shown}; if they are other words here: {_flag(file, header, lacking)}"


def is_name(cell: str) -> bool:
    """Whether a cell of the first line can be a column's name, and not a message, an id, a role or a time."""
    if not _NAME.fullmatch(cell) or len(cell.split()) > WORDS or cell.lower() in SPEAKERS:
        return False
    try:
        moment(cell)
    except ValueError:
        return True
    return False


def _named(file: File, header: Sequence[str]) -> list[str]:
    """The columns in our words. A column with the name of one of our words, mapped elsewhere, is renamed."""
    ours = [file.ours(column) for column in header]
    return [
        f"{column} (of the file)" if word == column and word in file.names and file.names[word] != column else word
        for column, word in zip(header, ours, strict=True)
    ]


def _plain(file: File, header: list[str], part: Sequence[Placed]) -> columns.Table | None:
    lines, rows = zip(*part, strict=True)
    if set(map(len, rows)) != {len(header)} or file.names:
        return None
    return columns.drafts(lines, dict(zip(header, zip(*rows, strict=True), strict=True)), KNOWN, file)


def _careful(file: File, header: list[str], part: Sequence[Placed]) -> Iterator[Draft | Reject]:
    for line, row in part:
        try:
            yield _draft(file, f"line {line}", header, row)
        except ValueError as error:
            yield Reject(f"line {line}", str(error), as_json(row))


def _draft(file: File, place: str, header: list[str], row: list[str]) -> Draft:
    if len(row) != len(header):
        raise ValueError(f"{len(row)} fields where the header has {len(header)}")
    cells = dict(zip(header, row, strict=True))
    if file.names:
        cells = {key: _text(value) for key, value in file.mapped(cells).items()}
    group = key_of_row(cells, sessions=file.sessions.of_rows)
    conversation_id = id_of_row(group, cells)
    sent_at, zone_assumed = moment(cells.get("timestamp"), file.zone)
    return Draft(
        place=place,
        # One text for all its rows: a file repeats these in every line.
        conversation_id=sys.intern(conversation_id),
        message_id=fields.identity("message_id", cells.get("message_id")),
        user_id=fields.identity("user_id", cells.get("user_id")),
        role=fields.role(cells["role"]),
        content=cells["content"],
        sent_at=sent_at,
        metadata=fields.rest(cells, KNOWN | {group}),
        conversation_metadata=None,
        by_user=group == "user_id",
        zone_assumed=zone_assumed,
    )


def _text(value: Any) -> str:
    """A cell as text, where a path found another value in its JSON."""
    return value if isinstance(value, str) else "" if value is None else as_json(value)
