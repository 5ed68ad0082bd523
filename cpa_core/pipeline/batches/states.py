"""The states of a batch, and their transitions. A row of the table `batches` is in one of them.

    submitting -> submitted -> ended -> stored -> used
    submitting -> (deleted)               the vendor never created it
    submitting | submitted -> crowded     refused because too much is enqueued; a `held` row keeps its questions
    submitted -> refused -> failed        refused as a whole; failed once a run has stopped with the vendor's words
    held -> (deleted)                     its questions are submitted, or the stage is run again

Only the holder of the store's batch lock moves a batch. A batch that it finds in `submitting` was left by a killed
process.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal, NamedTuple, cast

from cpa_core.store.database import Row, Transaction

BatchState = Literal["submitting", "submitted", "ended", "stored", "used", "held", "crowded", "refused", "failed"]
NEXT: Mapping[BatchState, frozenset[BatchState]] = {
    "submitting": frozenset({"submitted", "crowded"}),
    "submitted": frozenset({"submitted", "ended", "stored", "refused", "crowded"}),
    "ended": frozenset({"stored"}),
    "stored": frozenset({"used"}),
    "refused": frozenset({"failed"}),
    "used": frozenset(),
    "held": frozenset(),
    "crowded": frozenset(),
    "failed": frozenset(),
}
"""The states that may follow each.

`submitted` follows itself if the vendor has answered more questions; `stored` follows it directly if the vendor no
longer knows the batch.
"""

AT_VENDOR: frozenset[BatchState] = frozenset({"submitting", "submitted"})
"""The vendor is, or may be, at work on the batch."""
AWAITED: frozenset[BatchState] = AT_VENDOR | {"ended"}
"""Its answers are still to come."""
WAITING: frozenset[BatchState] = AT_VENDOR | {"held"}
"""Its day waits: for the vendor's answers or for room in the vendor's queue."""
OPEN: frozenset[BatchState] = AWAITED | {"stored", "held", "refused"}
"""Something is still to be done with it."""


class OpenBatch(NamedTuple):
    """One batch that is not finished, or the questions that a stage holds until the vendor has room.

    `batch_id` is the vendor's, null before it is known. `done` and `questions` are counts. `retag`: its day was named
    for a re-tag.
    """

    batch_key: str
    batch_id: str | None
    provider: str
    model: str
    task: str
    day: date
    state: BatchState
    submitted_at: datetime
    detail: str | None
    done: int
    questions: int
    retag: bool

    @property
    def vendor_id(self) -> str:
        """The vendor's id. Raises ValueError before it is known."""
        if self.batch_id is None:
            raise ValueError(f"batch {self.batch_key} has no id yet")
        return self.batch_id


def open_batches(view: Transaction, task: str | None = None, day: date | None = None) -> list[OpenBatch]:
    """The batches that are not finished, oldest first: of a stage, or all."""
    rows = view.answer("batches/open_batches", task=task, day=day, open=sorted(OPEN))
    return [OpenBatch(**row) for row in rows]


def move(transaction: Transaction, batch: OpenBatch, state: BatchState, **fields: object) -> OpenBatch:
    """The batch in its next state, written with these fields. Raises ValueError where that state cannot follow."""
    if state not in NEXT[batch.state]:
        raise ValueError(f"a batch that is {batch.state} cannot become {state}")
    write(transaction, batch.batch_key, state=state, **fields)
    own = {name: value for name, value in fields.items() if name in OpenBatch._fields}
    return batch._replace(**cast(Row, own | {"state": state}))


def write(transaction: Transaction, key: str, **fields: object) -> None:
    """Write fields of a batch's row."""
    transaction.update("batches", fields, "batch_key = $key", key=key)
