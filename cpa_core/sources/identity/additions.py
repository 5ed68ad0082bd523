"""The drafts of a file of calls: the messages that each call adds, in order of time."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.sources.identity.calls import LoggedCall
from cpa_core.sources.identity.links import Row
from cpa_core.sources.identity.telling import before_next
from cpa_core.sources.identity.values import History, Opened


class Added(NamedTuple):
    """The drafts of a file with what its calls add, and the histories of rows: see Decided."""

    drafts: Any
    repeated: Mapping[int, History]
    openings: Mapping[int, History]


class Additions:
    """The messages that the calls of a file add, in order of time: rows of the drafts, and what each call says of them.

    Calls without a conversation add nothing. `beside` are the rows that are of no call.
    """

    def __init__(self, rows: Sequence[Row], calls: Iterable[LoggedCall], drafts: Any) -> None:
        self.beside = _of_no_call(rows, drafts)
        self.rows, self.numbers, self.places = array("q"), array("q"), array("q")
        self.conversations: list[str] = []
        self.users: list[str | None] = []
        self.times: list[datetime | None] = []
        self.repeated: dict[int, History] = {}
        self.openings: dict[int, History] = {}

        timed = drafts["sent_at"]
        own_times = {n: at for n, at in enumerate(timed.to_pylist()) if at} if timed.null_count < len(timed) else {}
        for call in sorted(calls, key=lambda call: call.moment):
            if call.conversation_id is not None:
                self._add(call, call.conversation_id, own_times)

    def _add(self, call: LoggedCall, conversation_id: str, own_times: Mapping[int, datetime]) -> None:
        """Add the new messages of one call.

        Without a time, an answer gets the call's end, any other message its start.
        """
        output, told, opening = call.output, call.repeated, call.opening
        began, ended = call.at or call.ended_at, call.ended_at or call.at
        for n in call.kept:
            row = call.rows[n]
            only_told = n in told if told else False
            if (at := own_times.get(row)) is None:
                at = before_next(call, n) if only_told else ended if n >= output else began
            if only_told:
                self.repeated[len(self.rows)] = call.history
            elif opening is not None:
                self.openings[len(self.rows)], opening = opening, None
            self.rows.append(row)
            self.numbers.append(call.number)
            self.places.append(n)
            self.times.append(at)
        self.conversations += repeat(conversation_id, len(call.kept))
        self.users += repeat(call.user_id, len(call.kept))

    def added(self, opened: Opened, drafts: Any) -> Added:
        """The drafts that are of no call, then these messages as drafts, with times."""
        made, first = self._drafts(opened, drafts), len(self.beside)
        found = pa.concat_tables([drafts.take(numbers_of(self.beside)), made]) if first else made
        return Added(found, _moved(self.repeated, first), _moved(self.openings, first))

    def _drafts(self, opened: Opened, drafts: Any) -> Any:
        made = drafts.take(numbers_of(self.rows))
        told: dict[str, Any] = {
            "place": places_of(opened, self.numbers, self.places, self.rows),
            "conversation_id": self.conversations,
            "user_id": self.users,
            "sent_at": self.times,
        }
        for word, values in told.items():
            place = made.schema.get_field_index(word)
            array = values if isinstance(values, pa.ChunkedArray) else pa.array(values, made.schema.field(place).type)
            made = made.set_column(place, made.schema.field(place), array)
        return made


def _of_no_call(rows: Sequence[Row], drafts: Any) -> "array[int]":
    others = bytearray(b"\1") * drafts.num_rows
    for row in rows:
        for n in row.rows if row.kind == "call" else ():
            others[n] = 0
    return array("q", (n for n, other in enumerate(others) if other))


def _moved(histories: Mapping[int, History], by: int) -> Mapping[int, History]:
    return {by + n: history for n, history in histories.items()} if by else histories


def places_of(file: Opened, numbers: Iterable[int], places: Iterable[int], rows: Iterable[int]) -> Any:
    """Where messages stand in the file, by the number of their record and their place in it; `rows` of the drafts."""
    taken = file.drafts["place"].take(numbers_of(rows))
    held = file.records["places"].combine_chunks()
    if held.null_count == len(held):
        return taken
    of_records = numbers_of(numbers)
    at = pc.add(held.offsets.cast(pa.int64()).take(of_records), numbers_of(places))
    at = pc.if_else(held.is_valid().take(of_records), at, pa.scalar(None, pa.int64()))
    return pa.chunked_array([pc.coalesce(held.values.take(at), taken.combine_chunks())])


def numbers_of(numbers: Iterable[int]) -> Any:
    """Whole numbers as an Arrow array."""
    return pa.Array.from_buffers(pa.int64(), len(found := array("q", numbers)), [None, pa.py_buffer(found)])
