"""A conversation that files have several times under the id that they give: each time as far as it had come.

Applications log the whole conversation at each turn. Messages that a later record repeats from its beginning were said
once, at the time of the first record.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

from cpa_core.sources.identity.links import Row, mark
from cpa_core.sources.identity.pages import Page, times_of
from cpa_core.sources.identity.values import Known

Heard = list[tuple[int, datetime]]
"""The known messages of a conversation, in order: a mark of each, and its time."""


class Filed(NamedTuple):
    """The messages of one file, its records, and the midnight that begins the day of those without times."""

    drafts: Any
    rows: Sequence[Row]
    midnight: datetime | None


def times_known(files: Sequence[Filed], known: Known) -> list[dict[int, datetime]]:
    """For each file the times of messages, by their place in it, that another object told at another time.

    Only conversations that a file names count, and of these records in which no message after the first has a time of
    its own: their start may be when they were written.
    """
    told: defaultdict[str, list[tuple[int, Row]]] = defaultdict(list)
    for n, file in enumerate(files):
        for row in file.rows:
            if row.conversation_id is not None and row.kind == "conversation" and row.size:
                told[row.conversation_id].append((n, row))
    found: list[dict[int, datetime]] = [{} for _ in files]
    heard = known.messages(told.keys()) if told else {}
    for key, written in told.items():
        if key in heard or len({n for n, _ in written}) > 1:
            before: Heard = [(one.mark, one.sent_at) for one in heard.get(key, [])]
            for n, row in _in_order(files, written):
                _hear(files[n], row, before, found[n])
            _met(files, written, [(one.mark, one.sent_at) for one in heard.get(key, [])], found)
    return found


def _met(
    files: Sequence[Filed], written: Collection[tuple[int, Row]], landed: Heard, found: list[dict[int, datetime]]
) -> None:
    """Bring an order into what pages say within one second: those with ids and rising times, one in each file."""
    read = [(n, row, page) for n, row in written if (page := _page(files[n], row))]
    if len(read) < len(written) or len({n for n, _ in written}) < len(written):
        return
    for (n, row, _), times in zip(read, times_of([page for _, _, page in read], landed), strict=True):
        found[n].update({row.first + place: at for place, at in times.items()})


def _page(file: Filed, row: Row) -> Page | None:
    part = file.drafts.slice(row.first, row.size)
    times = part["sent_at"].to_pylist()
    if part["message_id"].null_count or None in times or times != sorted(times):
        return None
    return Page([mark(r, c) for r, c in zip(part["role"].to_pylist(), part["content"].to_pylist(), strict=True)], times)


def _in_order(files: Sequence[Filed], written: Collection[tuple[int, Row]]) -> list[tuple[int, Row]]:
    def began(one: tuple[int, Row]) -> tuple[bool, float, int]:
        at = one[1].started_at or files[one[0]].midnight
        return at is None, at.timestamp() if at else 0.0, one[1].size

    return sorted(written, key=began)


def _hear(file: Filed, row: Row, before: Heard, found: dict[int, datetime]) -> None:
    """Give the messages of a record the times at which they are known, and note those that it adds."""
    part = file.drafts.slice(row.first, row.size)
    times = part["sent_at"].to_pylist()
    if any(times[1:]):
        return
    marks = [mark(r, c) for r, c in zip(part["role"].to_pylist(), part["content"].to_pylist(), strict=True)]
    shared = min(len(marks), len(before))
    if marks[:shared] != [one for one, _ in before[:shared]]:
        return
    for n, own in enumerate(marks):
        at = before[n][1] if n < shared else times[0] or (file.midnight and file.midnight + timedelta(seconds=n))
        if at is None:
            return
        found[row.first + n] = at
        if n >= shared:
            before.append((own, at))


class _Written(NamedTuple):
    """One record of a conversation: the place of its first message, what was said, and when, as far as it says."""

    first: int
    said: list[tuple[str, str]]
    times: list[datetime | None]


def without_snapshots(drafts: Any, rows: Sequence[Row], known: Mapping[int, datetime]) -> Any:
    """The drafts without the records that another record of the same given id continues or says again.

    `known` has the times of messages, by their place, where they are known otherwise.
    """
    same: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.conversation_id is not None and row.kind == "conversation" and row.size:
            same[row.conversation_id].append(row)
    dropped: set[int] = set()
    starts: dict[int, datetime] = {}
    for found in same.values():
        if len(found) > 1:
            _sort_out([_written(drafts, row) for row in found], dropped, starts)
    return _left(drafts, dropped, {**starts, **known}) if dropped or known else drafts


def _written(drafts: Any, row: Row) -> _Written:
    part = drafts.slice(row.first, row.size)
    said = list(zip(part["role"].to_pylist(), part["content"].to_pylist(), strict=True))
    return _Written(row.first, said, part["sent_at"].to_pylist())


def _sort_out(found: list[_Written], dropped: set[int], starts: dict[int, datetime]) -> None:
    """Note the rows that a longer record repeats, and the earliest start of that record."""
    kept: list[_Written] = []
    for one in sorted(found, key=lambda one: -len(one.said)):
        longer = next((other for other in kept if _continues(other, one)), None)
        if longer is None:
            kept.append(one)
            continue
        dropped.update(range(one.first, one.first + len(one.said)))
        known = [at for at in (starts.get(longer.first), longer.times[0], one.times[0]) if at]
        if known:
            starts[longer.first] = min(known)


def _continues(longer: _Written, one: _Written) -> bool:
    """Whether a record says all that another says, from its beginning, and no time of a message is another."""
    if longer.said[: len(one.said)] != one.said:
        return False
    if not any([*longer.times[1:], *one.times[1:]]):
        return True  # only their starts are known, and those may be when each was written
    return all(a is None or b is None or a == b for a, b in zip(longer.times, one.times, strict=False))


def _left(drafts: Any, dropped: set[int], starts: Mapping[int, datetime]) -> Any:
    times = drafts["sent_at"].to_pylist()
    for place, at in starts.items():
        times[place] = at
    place = drafts.schema.get_field_index("sent_at")
    field = drafts.schema.field(place)
    timed = drafts.set_column(place, field, pa.array(times, field.type))
    return timed.take(pa.array([n for n in range(drafts.num_rows) if n not in dropped], pa.int64()))
