"""The spoken messages of each record as numbers: a hash of every message, and of it with all before it."""

from array import array
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from hashlib import blake2b
from typing import Any, NamedTuple

import pyarrow as pa

from cpa_core.sources.columns import CHUNK

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPOKEN = frozenset({"user", "assistant"})


def mark(role: str, content: str) -> int:
    """A hash of one message: 64 bits, signed. White space around it does not count."""
    words = f"{role}\0{content.strip()}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(words, digest_size=8).digest(), "big", signed=True)


def link(before: int, own: int) -> int:
    """A hash of a message and all before it."""
    words = before.to_bytes(8, "big", signed=True) + own.to_bytes(8, "big", signed=True)
    return int.from_bytes(blake2b(words, digest_size=8).digest(), "big", signed=True)


def chain(marks: list[int]) -> list[int]:
    """The links of messages, given their marks."""
    found: list[int] = []
    for own in marks:
        found.append(link(found[-1] if found else 0, own))
    return found


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


def rows_of(records: Any) -> Iterator[Row]:
    """The records of a file, one by one."""
    number = 0
    for batch in records.to_batches(CHUNK):
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield Row(number, *values)
            number += 1


class Spoken:
    """The spoken messages of all records of a file: marks and links, flat, and where each record's begin.

    `times` has the first time that a record's messages bear, in microseconds since 1970. Twenty bytes a message: a file
    may hold millions. A record in which nobody speaks has one link, of all that it holds.
    """

    def __init__(self, drafts: Any, records: Any) -> None:
        self.marks, self.links, self.offsets = array("q"), array("q"), array("q", [0])
        self.times: list[int | None] = []
        at = 0
        roles: list[str] = []
        contents: list[str] = []
        times: list[int | None] = []
        for begin, count in zip(records["first"].to_pylist(), records["size"].to_pylist(), strict=True):
            if begin + count > at + len(roles) or begin < at:
                at = begin
                part = drafts.slice(begin, max(CHUNK, count))
                roles, contents = part["role"].to_pylist(), part["content"].to_pylist()
                times = part["sent_at"].cast(pa.int64()).to_pylist()
            own = slice(begin - at, begin - at + count)
            self._add(roles[own], contents[own])
            self.times.append(next((time for time in times[own] if time is not None), None))

    def _add(self, roles: list[str], contents: list[str]) -> None:
        marks = [mark(r, c) for r, c in zip(roles, contents, strict=True) if r in SPOKEN and c and not c.isspace()]
        if not marks:
            marks = [mark("", "\0".join(f"{r}\0{c}" for r, c in zip(roles, contents, strict=True)))]
        self.marks.extend(marks)
        self.links.extend(chain(marks))
        self.offsets.append(len(self.links))

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
