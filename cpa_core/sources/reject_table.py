"""The rejects of a file as columns: a file of traces has as many of them as messages, for it holds inner calls."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, overload

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.sources.records import Reject, tupled, whole

CHUNK = 4_000
REJECT = pa.schema(
    [
        ("place", pa.string()),
        ("reason", pa.dictionary(pa.int32(), pa.string())),
        ("raw", pa.string()),
        ("loss", pa.bool_()),
    ]
)


class RejectTable(Sequence[Reject]):
    """Rejects in order. Those that are added become columns by the chunk, at a tenth of the memory."""

    def __init__(self, found: Iterable[Reject] = ()) -> None:
        self._chunks: list[Any] = []
        self._count = 0
        self._pending: list[Reject] = []
        self += found

    def append(self, one: Reject) -> None:
        """Add a reject."""
        self._pending.append(one)
        if len(self._pending) >= CHUNK:
            self._flush()

    def __iadd__(self, others: Iterable[Reject]) -> Self:
        if isinstance(others, RejectTable):
            self._flush()
            self._chunks += others._chunks
            self._count += others._count
            others = list(others._pending)
        for one in others:
            self.append(one)
        return self

    def __add__(self, others: Iterable[Reject]) -> "RejectTable":
        both = RejectTable(self)
        both += others
        return both

    def __len__(self) -> int:
        return self._count + len(self._pending)

    def __iter__(self) -> Iterator[Reject]:
        for chunk in self._chunks:
            yield from _rows(chunk)
        yield from self._pending

    @overload
    def __getitem__(self, at: int) -> Reject: ...
    @overload
    def __getitem__(self, at: slice) -> list[Reject]: ...
    def __getitem__(self, at: int | slice) -> Reject | list[Reject]:
        if isinstance(at, slice):
            return list(self)[at]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return next(_rows(self.columns().slice(at % len(self), 1)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"RejectTable({list(self)!r})"

    def columns(self) -> Any:
        """All of it as a table of Arrow: see REJECT."""
        self._flush()
        return pa.concat_tables([REJECT.empty_table(), *self._chunks]).unify_dictionaries()

    def taken(self, order: "array[int]", kept: Iterable[bool] | None = None) -> "RejectTable":
        """The rejects in the order of these numbers, of equal ones in the present order; or those that are kept."""
        numbers = pa.Array.from_buffers(pa.int64(), len(order), [None, pa.py_buffer(order)])
        places = pc.array_sort_indices(numbers)
        if kept is not None:
            places = places.filter(pa.array(kept, pa.bool_()).take(places))
        return of_columns(self.columns().take(places))

    def _flush(self) -> None:
        if self._pending:
            self._chunks.append(_table(self._pending))
            self._count += len(self._pending)
            self._pending = []


def of_columns(found: Any) -> RejectTable:
    """Rejects out of a table with the columns of REJECT."""
    made = RejectTable()
    made._chunks, made._count = ([found] if found.num_rows else []), found.num_rows
    return made


def table_of(rejects: Sequence[Reject]) -> RejectTable:
    """The same rejects as such a table."""
    return rejects if isinstance(rejects, RejectTable) else RejectTable(rejects)


def lost(rejects: Sequence[Reject]) -> list[Reject]:
    """The rejects by which something is missing that a person wrote."""
    if not isinstance(rejects, RejectTable):
        return [one for one in rejects if one.loss]
    found = rejects.columns()
    return list(_rows(found.filter(found["loss"])))


def _table(rows: Sequence[Reject]) -> Any:
    try:
        return pa.table(dict(zip(REJECT.names, zip(*rows, strict=True), strict=True)), REJECT)
    except (UnicodeEncodeError, pa.ArrowInvalid):
        return _table([Reject(whole(place), whole(reason), whole(raw), loss) for place, reason, raw, loss in rows])


def _rows(chunk: Any) -> Iterator[Reject]:
    for batch in chunk.to_batches(CHUNK):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield tupled(Reject, row)
