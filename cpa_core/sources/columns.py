"""Messages by the column: the same rules as row by row, at a tenth of the time and a quarter of the memory.

Whatever is not plain is left to the careful way, so that both give the same records; `tests/sources/test_columns.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.records import Draft, Record, Reject, SourceRecord, as_json, moment, tupled
from cpa_core.sources.reject_table import RejectTable
from cpa_core.sources.sessions import with_session

CHUNK = 4_000
TIME = pa.timestamp("us", tz="UTC")
FLAGS = ("id_given", "time_assumed", "by_user", "zone_assumed")
TIMES = ("sent_at", "started_at", "ended_at")
NUMBERS = ("ordinal", "own_from", "standing", "first", "size")
KINDS = dict.fromkeys(NUMBERS, pa.int64()) | dict.fromkeys(TIMES, TIME) | dict.fromkeys(FLAGS, pa.bool_())
DRAFT = pa.schema([(name, KINDS.get(name, pa.string())) for name in Draft._fields])
RECORD = pa.schema([(name, KINDS.get(name, pa.string())) for name in Record._fields])
SOURCE_RECORD = pa.schema(
    [
        (name, KINDS.get(name, pa.string()))
        for name in ("kind", "conversation_id", "user_id", "started_at", "ended_at", "own_from", "call_id", "after")
    ]
    + [(name, KINDS.get(name, pa.string())) for name in ("trace_id", "standing")]
    + [(name, KINDS[name]) for name in ("first", "size")]
    + [("rows", pa.list_(pa.int64())), ("places", pa.list_(pa.string()))]
)
"""The fields of a record that identity needs besides its messages, which are rows `first` to `first + size` of the
drafts.

A call repeats what was said before, and so its messages are held once: they are `rows` of the drafts, in any place.
`places` says where its first message stands in the file, and those of its own input and output, if a record before it
has them; null: where the draft stands.
"""

MOST_HELD, MOST_CHARACTERS = 25_000, 16 << 20
"""So many different messages, of so many characters in all, are known again when a later call repeats them.

As many of those before them stay known, so no conversation is cut in two while its calls follow each other.
"""

EARLIEST, LATEST = ((datetime(year, 1, 2) - datetime(1970, 1, 1)) // timedelta(microseconds=1) for year in (1, 9999))
"""Microseconds between which every time is one of Python's, in any zone."""
PLAIN_TIME = r"^[12]\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{3}|\.\d{6})?Z$"
PLAIN_WITHOUT_ZONE = PLAIN_TIME.replace("T[0-2]", "[T ][0-2]").replace("Z$", "$")

PROVISIONAL = "\0record "
"""How the conversation of a record that names none is called until identity has named it."""

Row = TypeVar("Row")
Table: TypeAlias = Any
"""A table of Arrow, whose package states no types."""

Cells = Mapping[str, Sequence[str | None]]


class Gathered(NamedTuple):
    """The messages of a file as drafts, its records (of which identity names the conversations), and its rejects."""

    drafts: Table
    records: Table
    rejects: Sequence[Reject]


Found: TypeAlias = SourceRecord | Draft | Reject | Gathered | Table
"""The values that a format yields: conversations or calls, messages one by one or many as columns, and rejects."""


def drafts(lines: Sequence[int], written: Cells, known: frozenset[str], file: File) -> Table | None:
    """The messages on these lines, given as columns of text, as drafts; None when any of them is not plain."""
    cells = with_session(written) if file.sessions.of_rows else written
    if cells is None:
        return None
    key = "conversation_id" if "conversation_id" in cells else "user_id"
    none: Sequence[None] = [None] * len(lines)
    other = [name for name in cells if name not in known]
    try:
        sent_at, zone_assumed = moments(pa.array(cells.get("timestamp", none), pa.string()), file.zone)
        arrays: dict[str, Any] = {
            "place": pc.binary_join_element_wise("line", pa.array(lines).cast(pa.string()), " "),
            "conversation_id": _each(partial(fields.group, key), cells[key]),
            "message_id": _given(cells.get("message_id", none)),
            "user_id": _given(cells.get("user_id", none)),
            "role": _each(fields.role, cells["role"]),
            "content": cells["content"],
            "sent_at": sent_at,
            "metadata": _metadata(other, cells) if other else none,
            "conversation_metadata": none,
            "by_user": repeated("conversation_id" not in cells, len(lines)),
            "zone_assumed": zone_assumed,
        }
        return pa.table(arrays, DRAFT)
    except (ValueError, pa.ArrowInvalid):  # half a surrogate pair is a ValueError here
        return None


def _given(values: Sequence[str | None]) -> Sequence[str | None]:
    """Ids; a blank one is none."""
    if None not in set(values) and all(map(str.strip, values)):  # type: ignore[arg-type]
        return values
    return [value if value and value.strip() else None for value in values]


def _each(rule: Callable[[str | None], str | None], values: Sequence[str | None]) -> list[str | None]:
    """A rule applied to each different value once."""
    found = {value: rule(value) for value in set(values)}
    return [found[value] for value in values]


def repeated(flag: bool, times: int) -> Any:
    """One truth value for all."""
    return pa.repeat(pa.scalar(flag), times)


def moments(written: Any, zone: tzinfo) -> tuple[Any, Any]:
    """Times, as they are written, and which have no zone; in bulk where all are in a usual form. Raises ValueError."""
    written = pc.if_else(pc.equal(written, ""), pa.scalar(None, pa.string()), written)
    if pc.all(pc.match_substring_regex(written, PLAIN_TIME), min_count=0).as_py():
        return written.cast(TIME), repeated(False, len(written))
    if str(zone) == "UTC" and pc.all(pc.match_substring_regex(written, PLAIN_WITHOUT_ZONE), min_count=0).as_py():
        return pc.assume_timezone(written.cast(pa.timestamp("us")), "UTC"), pc.is_valid(written)
    values = written.to_pylist()
    found = {value: moment(value, zone) for value in set(values)}
    times = pa.array([found[value][0] for value in values], TIME)
    return times, pa.array([found[value][1] for value in values], pa.bool_())


def instants(times: Any, zone: tzinfo) -> tuple[Any, Any]:
    """Values of a type of time, and which have no zone. Raises ValueError for one outside the years 1 to 9999."""
    found = pc.min_max(times.cast(pa.int64()))
    if times.type.unit != "us" or not all(EARLIEST <= (one or 0) <= LATEST for one in found.as_py().values()):
        raise ValueError("a time that needs care")
    if times.type.tz:
        return times.cast(TIME), repeated(False, len(times))
    if str(zone) == "UTC":
        return pc.assume_timezone(times, "UTC"), pc.is_valid(times)
    values = times.to_pylist()
    known = {value: value and value.replace(tzinfo=zone).astimezone(UTC) for value in set(values)}
    return pa.array([known[value] for value in values], TIME), pc.is_valid(times)


def metadata(cells: Mapping[str, Any]) -> Any:
    """Columns that are texts, numbers, truth values, dates or times, as a JSON object a row; None for others."""
    kinds = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_date)
    if not all(pa.types.is_timestamp(one.type) or any(kind(one.type) for kind in kinds) for one in cells.values()):
        return None
    try:
        values = [[_plain_value(value) for value in one.to_pylist()] for one in cells.values()]
        return pa.array([as_json(dict(zip(cells, row, strict=True))) for row in zip(*values, strict=True)], pa.string())
    except (ValueError, OverflowError):
        return None


def _plain_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _metadata(names: Sequence[str], cells: Cells) -> list[str]:
    return [as_json(dict(zip(names, row, strict=True))) for row in zip(*(cells[name] for name in names), strict=True)]


def gathered(found: Iterable[Found]) -> Gathered:
    """All that a format yields, in its order. The messages of a record are flattened: see SOURCE_RECORD."""
    heap = Heap()
    for one in found:
        heap.take(one)
    return heap.gathered()


class Heap:
    """The values gathered so far; Python's values become columns by the chunk."""

    def __init__(self) -> None:
        self.tables: list[Table] = [DRAFT.empty_table()]
        self.records: list[Table] = [SOURCE_RECORD.empty_table()]
        self.rejects = RejectTable()
        self.drafts: list[Draft] = []
        self.about: list[tuple[Any, ...]] = []
        self.count = 0
        self.held: dict[tuple[Any, ...], int] = {}
        self.earlier: dict[tuple[Any, ...], int] = {}
        self.characters = 0

    def take(self, one: Found) -> None:
        """Whatever a format yields."""
        if isinstance(one, Reject):
            self.rejects.append(one)
            return
        if isinstance(one, Draft):
            self.drafts.append(one)
        elif isinstance(one, SourceRecord):
            self.add(one)
        elif isinstance(one, Gathered):
            self._append(one)
        else:
            self.flush()
            self.tables.append(one)
            self.count += one.num_rows
        if len(self.drafts) >= CHUNK or len(self.about) >= CHUNK:
            self.flush()

    def gathered(self) -> Gathered:
        """All of it."""
        self.flush()
        records = pa.concat_tables(self.records).combine_chunks()  # identity would have to hold both
        self.records = [records]
        return Gathered(pa.concat_tables(self.tables), records, self.rejects)

    def add(self, record: SourceRecord) -> None:
        """A record and its messages. The first message has the start of its record, where it has no time itself."""
        about = (record.kind, record.conversation_id, record.user_id, record.started_at, record.ended_at)
        of_call = (record.own_from, record.call_id, record.after, record.trace_id, record.standing)
        if record.kind == "call" and record.conversation_id is not None and record.messages:
            rows, places = self._known(record)
            self.about.append((*about, *of_call, rows[0], len(rows), rows, places))
            return
        place = (self.count + len(self.drafts), len(record.messages))
        self.about.append((*about, *of_call, *place, None, None))
        conversation_id = record.conversation_id or f"{PROVISIONAL}{place[0]}"
        user_id, metadata = record.user_id, record.metadata
        first = len(self.drafts)
        self.drafts += [
            Draft(where, conversation_id, own, user_id, role, text, at, about, metadata, by_user, assumed)
            for where, _, own, _, role, text, at, about, _, by_user, assumed in record.messages
        ]
        if record.kind == "conversation" and record.messages and record.messages[0].sent_at is None:
            begun = self.drafts[first]._replace(sent_at=record.started_at, zone_assumed=record.zone_assumed)
            self.drafts[first] = begun

    def _known(self, record: SourceRecord) -> tuple[list[int], list[str | None]]:
        """The rows of a call's messages; a row for each that its conversation did not just have. And their places."""
        conversation_id, user_id, metadata = record.conversation_id, record.user_id, record.metadata
        rows: list[int] = []
        places: list[str | None] = [None] * len(record.messages)
        for where, _, own, _, role, text, at, about, _, by_user, assumed in record.messages:
            is_bare = own is None and at is None and about is None and metadata is None and not assumed
            key: tuple[Any, ...] = (text, role, conversation_id)
            key = key if is_bare else (*key, own, at, about, metadata, assumed)
            row = self.held.get(key)
            if row is None and (row := self.earlier.get(key)) is not None:
                self._hold(key, row)
            if row is None:
                row = self.count + len(self.drafts)
                about_it = (own, user_id, role, text, at, about, metadata, by_user, assumed)
                self.drafts.append(tupled(Draft, (where, conversation_id or "", *about_it)))
                self._hold(key, row)
            elif not rows or len(rows) >= record.own_from:
                places[len(rows)] = where
            rows.append(row)
        return rows, places

    def _hold(self, key: tuple[Any, ...], row: int) -> None:
        """Know the row of a message again; of those that are known, let the older ones go where they are too many."""
        self.characters += len(key[0])
        if len(self.held) >= MOST_HELD or self.characters > MOST_CHARACTERS:
            self.earlier, self.held, self.characters = self.held, {}, len(key[0])
        self.held[key] = row

    def _append(self, other: Gathered) -> None:
        """Append values that were gathered elsewhere, behind the present rows."""
        self.flush()
        records = other.records
        if self.count:
            places = records.schema.get_field_index("first")
            moved = pc.add(records["first"], self.count)
            records = records.set_column(places, records.schema.field(places), moved)
            records = with_rows(records, lambda row: row + self.count)
        self.tables.append(other.drafts)
        self.records.append(records)
        self.rejects += other.rejects
        self.count += other.drafts.num_rows

    def flush(self) -> None:
        """Convert the pending values into columns."""
        if self.drafts:
            self.tables.append(table(DRAFT, self.drafts))
            self.count += len(self.drafts)
            self.drafts = []
        if self.about:
            self.records.append(table(SOURCE_RECORD, self.about))
            self.about = []


def with_rows(records: Table, moved: Callable[[int], int]) -> Table:
    """Records whose calls have their messages in other rows."""
    place = records.schema.get_field_index("rows")
    rows = [[moved(row) for row in found] if found else None for found in records["rows"].to_pylist()]
    return records.set_column(place, records.schema.field(place), pa.array(rows, records.schema.field(place).type))


def selected(found: Gathered, told: Mapping[str, Sequence[Any]], kept: Sequence[bool]) -> tuple[Table, Table]:
    """The drafts and records of what was gathered, of which some are kept, with other values in some columns.

    A draft bears the conversation and user of a record that has it.
    """
    records = found.records
    for word, values in told.items():
        place = records.schema.get_field_index(word)
        column = pa.array(values, records.schema.field(place).type)
        records = records.set_column(place, records.schema.field(place), column)
    records = records if all(kept) else records.filter(pa.array(kept, pa.bool_()))
    return _of_records(found.drafts, records)


def ordered(records: Table, numbers: Sequence[int]) -> Table:
    """Records in the order of their numbers; of equal ones in the present order."""
    if all(before <= after for before, after in pairwise(numbers)):
        return records
    return records.take(pa.array(sorted(range(len(numbers)), key=numbers.__getitem__), pa.int64()))


def _of_records(drafts: Table, records: Table) -> tuple[Table, Table]:
    """The drafts that records have, and these with their places among them."""
    words = ("first", "size", "conversation_id", "user_id", "rows")
    conversations: list[str | None] = [None] * drafts.num_rows
    users: list[str | None] = [None] * drafts.num_rows
    taken = bytearray(drafts.num_rows)
    for first, size, conversation_id, user_id, rows in zip(*(records[one].to_pylist() for one in words), strict=True):
        name = conversation_id or f"{PROVISIONAL}{first}"
        for n in rows or range(first, first + size):
            conversations[n], users[n], taken[n] = name, user_id, 1
    if not all(taken):
        left = [n for n, one in enumerate(taken) if one]
        moved = dict(zip(left, range(len(left)), strict=True))
        drafts = drafts.take(pa.array(left, pa.int64()))
        conversations, users = ([each[n] for n in left] for each in (conversations, users))
        place = records.schema.get_field_index("first")
        first_rows = pa.array([moved.get(n, 0) for n in records["first"].to_pylist()], pa.int64())
        records = records.set_column(place, records.schema.field(place), first_rows)
        records = with_rows(records, moved.__getitem__)
    for word, values in (("conversation_id", conversations), ("user_id", users)):
        place = drafts.schema.get_field_index(word)
        drafts = drafts.set_column(place, drafts.schema.field(place), pa.array(values, pa.string()))
    return drafts, records


def untimed(drafts: Table, records: Table) -> str | None:
    """The place of the first record of a conversation without any time: its day must be named. None where all have."""
    if not drafts["sent_at"].null_count:
        return None
    timed = pc.unique(drafts["conversation_id"].filter(pc.is_valid(drafts["sent_at"])))
    without = pc.invert(pc.is_in(drafts["conversation_id"], timed))
    starts = pc.or_kleene(pc.is_valid(records["started_at"]), pc.is_valid(records["ended_at"]))
    starts = pc.and_(starts, pc.greater(records["size"], 0))
    begun = drafts["conversation_id"].take(records["first"].filter(starts)) if records.num_rows else None
    if begun is not None:
        without = pc.and_(without, pc.invert(pc.is_in(drafts["conversation_id"], pc.unique(begun))))
    place = pc.index(without, True).as_py()
    return None if place < 0 else str(drafts["place"][place].as_py())


def table(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> Table:
    """Rows as columns."""
    if not rows:
        return schema.empty_table()
    return pa.table(dict(zip(schema.names, zip(*rows, strict=True), strict=True)), schema)


def rows(columns: Table, kind: Callable[..., Row]) -> Iterator[Row]:
    """Columns as rows."""
    for batch in columns.to_batches(CHUNK):
        yield from map(kind, *(column.to_pylist() for column in batch.columns))


def as_one(column: Any) -> Any:
    """A column as one array; Arrow copies a column that is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def give_back() -> None:
    """Return the memory of columns that are gone to the system: Arrow keeps it, as much as the columns of a file."""
    pa.default_memory_pool().release_unused()
