"""Values of Arrow's columns, as identity takes them."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from cpa_core.sources.identity.links import values_of

AT = datetime(2026, 3, 4, 9, 0, 0, 123456, UTC)
TIMES = [AT, None, datetime(1, 1, 2, tzinfo=UTC), AT.astimezone(timezone(timedelta(hours=2))), AT + timedelta(days=9)]
LISTS = [[1, -(2**63), 3], [], None, [2**63 - 1], [5, 6]]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(TIMES, pa.timestamp("us", "UTC")),
        pa.array(TIMES[3:], pa.timestamp("us", "Europe/Berlin")),
        pa.array(["a", None, "b", "c", "d"]),
        pa.array([None] * 5, pa.string()),
        pa.array([None] * 5, pa.timestamp("us", "UTC")),
        pa.array([1, None, 2, 3, 4], pa.int64()),
    ],
)
def test_values_are_those_that_arrow_gives(column: pa.Array) -> None:
    for part in (column, column.slice(1), column.slice(1, 2), column.slice(4)):
        assert list(values_of(part)) == part.to_pylist()


def test_times_are_of_utc() -> None:
    (at,) = values_of(pa.array([AT], pa.timestamp("us", "America/New_York")))
    assert (at, at.tzinfo) == (AT, UTC)


@pytest.mark.parametrize("begin", range(5))
def test_lists_of_whole_numbers_are_tuples(begin: int) -> None:
    column = pa.array(LISTS, pa.list_(pa.int64()))
    assert values_of(column.slice(begin)) == [tuple(one or ()) for one in LISTS[begin:]]
    within = pa.array([[1, None], [2]], pa.list_(pa.int64()))
    assert values_of(within) == [(1, None), (2,)]
