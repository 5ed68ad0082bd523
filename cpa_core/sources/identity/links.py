"""The spoken messages of each record as numbers: a hash of every message, and of it with all before it."""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from hashlib import blake2b, sha256
from itertools import pairwise
from struct import Struct
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.sources.columns import CHUNK

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPOKEN = frozenset({"user", "assistant"})
NO_LINK = bytes(8)
pack, unpack = Struct(">q").pack, Struct(">q").unpack


def mark(role: str, content: str) -> int:
    """A hash of one message: 64 bits, signed. White space around it does not count."""
    return unpack(hashed(role, content.strip()))[0]  # type: ignore[no-any-return]


def hashed(role: str, text: str) -> bytes:
    """The eight bytes of a mark, the greatest first, of a text without white space around it."""
    return blake2b(f"{role}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def chain(marks: Iterable[int]) -> list[int]:
    """The links of messages, given their marks: of each, a hash of it and of the link before it."""
    return [unpack(one)[0] for one in chained(map(pack, marks))]


def chained(marks: Iterable[bytes]) -> Iterator[bytes]:
    """The same, of marks and links as eight bytes each."""
    before = NO_LINK
    for own in marks:
        before = blake2b(before + own, digest_size=8).digest()
        yield before


class Row(NamedTuple):
    """One record: its number in the file, what it says of itself, and its messages by role and mark."""

    number: int
    kind: str
    conversation_id: str | None
    user_id: str | None
    started_at: datetime | None
    ended_at: datetime | None
    own_from: int
    call_id: str | None
    after: str | None
    trace_id: str | None
    standing: int
    first: int
    size: int
    held: Sequence[int] = ()

    @property
    def rows(self) -> Sequence[int]:
        """The places of its messages in the drafts: `held` of a call that shares them, else those side by side."""
        return self.held or range(self.first, self.first + self.size)


def rows_of(records: Any) -> Iterator[Row]:
    """The records of a file, one by one."""
    number = 0
    for batch in records.drop_columns(["places"]).to_batches(CHUNK):
        columns = [_of_many(one) for one in batch.columns]
        yield from map(Row, range(number, number + batch.num_rows), *columns)
        number += batch.num_rows


def values_of(column: Any) -> Sequence[Any]:
    """The values of an Arrow array: times as UTC, lists of whole numbers as tuples (null: empty).

    Arrow makes each time through its zone and each number through an object of its own, at several times the cost.
    """
    if column.null_count == len(column):
        return [() if pa.types.is_list(column.type) else None] * len(column)
    if pa.types.is_timestamp(column.type):
        instants = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
        return [None if at is None else EPOCH + timedelta(microseconds=at) for at in instants]
    if pa.types.is_list(column.type) and pa.types.is_int64(column.type.value_type):
        offsets, numbers = column.offsets.to_pylist(), _numbers(column.values)
        return [tuple(numbers[begin:end]) for begin, end in pairwise(offsets)]
    return column.to_pylist()  # type: ignore[no-any-return]


def _of_many(column: Any) -> Sequence[Any]:
    """The values of a column whose values are held for long: each text once, lists of numbers as arrays."""
    if pa.types.is_list(column.type):
        return _arrays_of(column)
    if not pa.types.is_string(column.type):
        return values_of(column)
    found = column.dictionary_encode()
    texts = [*map(sys.intern, found.dictionary.to_pylist())]
    return [None if n is None else texts[n] for n in found.indices.to_pylist()]


def _arrays_of(column: Any) -> list[Sequence[int]]:
    """Lists of whole numbers, each as an array of its own (null: empty): at a third of the memory of a tuple."""
    if column.null_count == len(column):
        return [()] * len(column)
    numbers = array("q", _numbers(column.values))
    return [numbers[begin:end] for begin, end in pairwise(column.offsets.to_pylist())]


def _numbers(flat: Any) -> list[int]:
    """An array of whole numbers of 64 bits as a list."""
    if flat.null_count or not len(flat):
        return flat.to_pylist()  # type: ignore[no-any-return]
    return memoryview(flat.buffers()[1]).cast("q")[flat.offset : flat.offset + len(flat)].tolist()


def parts_of(columns: Any, places: Iterable[tuple[int, int]]) -> Iterator[list[list[Any]]]:
    """The values of each column at each of these places (first row and number of rows), read by the chunk."""
    at, end = 0, 0
    values: list[list[Any]] = [[] for _ in columns.columns]
    for begin, count in places:
        if count and (begin + count > end or begin < at):
            part = columns.slice(begin, max(CHUNK, count))
            at, end = begin, begin + max(CHUNK, count)
            values = [column.to_pylist() for column in part.columns]
        yield [column[begin - at : begin - at + count] for column in values]


class Held(NamedTuple):
    """Of each row of drafts its role, its mark, whether somebody speaks in it, and how many characters, at most 255."""

    roles: list[str]
    marks: list[int]
    speaks: list[bool]
    sizes: bytearray


def held_of(drafts: Any) -> Held:
    """Return the fields of messages that identity needs if several calls contain them."""
    found = Held([], [], [], bytearray())
    for batch in drafts.select(["role", "content"]).to_batches(CHUNK):
        roles, contents = (column.to_pylist() for column in batch.columns)
        found.roles.extend(map(sys.intern, roles))
        for role, content in zip(roles, contents, strict=True):
            text = content.strip()
            found.marks.append(unpack(hashed(role, text))[0])
            found.speaks.append(role in SPOKEN and bool(text))
            found.sizes.append(min(len(text), 255))
    return found


class Spoken:
    """The spoken messages of all records of a file: marks and links, flat, and where each record's begin.

    `times` has the first time that a record's messages bear, in microseconds since 1970. Twenty bytes a message: a file
    may hold millions. A record in which nobody speaks has one link, of all that it holds. Calls whose messages are held
    have none here: they give their conversation, and their marks are those of `held`.
    """

    def __init__(self, drafts: Any, records: Any) -> None:
        self.marks, self.links, self.offsets = array("q"), array("q"), array("q", [0])
        self.times: list[int | None] = []
        self.held = held_of(drafts) if records["rows"].null_count < len(records) else Held([], [], [], bytearray())
        alone = pc.is_null(records["rows"]).to_pylist()
        sizes = [size if own else 0 for size, own in zip(records["size"].to_pylist(), alone, strict=True)]
        places = zip(records["first"].to_pylist(), sizes, strict=True)
        told = drafts.select(["role", "content"]).append_column("time", drafts["sent_at"].cast(pa.int64()))
        for own, (roles, contents, known) in zip(alone, parts_of(told, places), strict=True):
            if own:
                self._add(roles, contents)
            else:
                self.offsets.append(self.offsets[-1])
            first = known[0] if known else None
            self.times.append(first if first is not None else next((time for time in known if time is not None), None))
        if sys.byteorder == "little":
            self.marks.byteswap()
            self.links.byteswap()

    def _add(self, roles: list[str], contents: list[str]) -> None:
        pairs = zip(roles, contents, strict=True)
        marks = [hashed(r, text) for r, content in pairs if r in SPOKEN and content and (text := content.strip())]
        if not marks:
            marks = [hashed("", "\0".join(f"{r}\0{c}" for r, c in zip(roles, contents, strict=True)).strip())]
        self.marks.frombytes(b"".join(marks))
        self.links.frombytes(b"".join(chained(marks)))
        self.offsets.append(self.offsets[-1] + len(marks))

    def digest(self) -> bytes:
        """A hash of all that is said."""
        return sha256(self.links.tobytes() + array("q", self.held.marks).tobytes()).digest()

    def of(self, number: int) -> tuple[int, ...]:
        """The links of one record."""
        return tuple(self.links[self.offsets[number] : self.offsets[number + 1]])

    def said(self, number: int) -> tuple[int, ...]:
        """The marks of one record."""
        return tuple(self.marks[self.offsets[number] : self.offsets[number + 1]])

    def end(self, number: int) -> int:
        """The last link of one record: of all that was said in it."""
        return self.links[self.offsets[number + 1] - 1]


def start_of(row: Row, spoken: Spoken) -> datetime | None:
    """When a record's conversation began, as far as it says: itself, or the time of its first message that has one."""
    first = spoken.times[row.number]
    if row.started_at is not None or first is None:
        return row.started_at
    return EPOCH + timedelta(microseconds=first)


def day_of(started_at: datetime | None, named: date | None, zone: tzinfo) -> date | None:
    """The day in which a conversation began: by its start, else the one that was named."""
    return started_at.astimezone(zone).date() if started_at else named
