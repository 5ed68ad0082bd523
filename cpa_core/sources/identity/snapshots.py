"""A conversation that a file has several times under the id that it gives: each time as far as it had come.

Applications log the whole conversation at each turn. What a later record repeats from its beginning was said once, at
the time of the first record.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from cpa_core.sources.identity.links import Row


class _Written(NamedTuple):
    """One record of a conversation: the place of its first message, what was said, and when, as far as it says."""

    first: int
    said: list[tuple[str, str]]
    times: list[datetime | None]


def without_snapshots(drafts: Any, rows: Sequence[Row]) -> Any:
    """The drafts without the records that another record of the same given id continues or says again."""
    same: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.conversation_id is not None and row.kind == "conversation" and row.size:
            same[row.conversation_id].append(row)
    dropped: set[int] = set()
    starts: dict[int, datetime] = {}
    for found in same.values():
        if len(found) > 1:
            _sort_out([_written(drafts, row) for row in found], dropped, starts)
    return _left(drafts, dropped, starts) if dropped else drafts


def _written(drafts: Any, row: Row) -> _Written:
    part = drafts.slice(row.first, row.size)
    said = list(zip(part["role"].to_pylist(), part["content"].to_pylist(), strict=True))
    return _Written(row.first, said, part["sent_at"].to_pylist())


def _sort_out(found: list[_Written], dropped: set[int], starts: dict[int, datetime]) -> None:
    """Note the rows that are told again by a longer record, and the earliest start of that one."""
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


def _left(drafts: Any, dropped: set[int], starts: dict[int, datetime]) -> Any:
    times = drafts["sent_at"].to_pylist()
    for place, at in starts.items():
        times[place] = at
    place = drafts.schema.get_field_index("sent_at")
    field = drafts.schema.field(place)
    timed = drafts.set_column(place, field, pa.array(times, field.type))
    return timed.take(pa.array([n for n in range(drafts.num_rows) if n not in dropped], pa.int64()))
