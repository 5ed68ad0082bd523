"""Many questions handed over at once and answered within a day, at half the price: what a vendor of batches does."""

from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from cpa_core.llm.values import Reply, Request


class BatchForm(NamedTuple):
    """How the file of a batch is written, and how large it may be: lines, and bytes in all."""

    opening: bytes
    between: bytes
    closing: bytes
    most: int
    most_bytes: int


class BatchLook(NamedTuple):
    """What a vendor says of a batch; `done` counts its questions.

    `refused` is one that was refused as a whole, and `crowded` one that was so only because too much is enqueued.
    """

    phase: Literal["waiting", "ended", "refused", "crowded"]
    done: int = 0
    detail: str = ""


class Lost(NamedTuple):
    """A batch that may have been created by a process that was killed before it knew the batch's id.

    `taken` are ids of batches that are known to be others; `since` is when its own row was written.
    """

    key: str
    request_hashes: Collection[str]
    since: datetime
    taken: Collection[str]


class Found(NamedTuple):
    """The id of a lost batch, null when there is none. `undecided` when the vendor will only say so later."""

    batch_id: str | None
    undecided: bool = False


class BatchLine(NamedTuple):
    """What became of one question of a batch: a reply, or the reason why there is none.

    `stops` when the reason is the account or the model, so that every other question would meet the same.
    """

    request_hash: str
    reply: Reply | None
    problem: str = ""
    stops: bool = False


class BatchVendor(Protocol):
    """A vendor's half-price lane. Every method raises ProviderFailed or ProviderStopped."""

    @property
    def form(self) -> BatchForm:
        """The form of its files."""
        ...

    def line(self, request: Request) -> bytes:
        """The question as the file has it, under its hash, with the same body that a single call has."""
        ...

    def submit(self, key: str, path: Path) -> str:
        """Hand a file over, with our own key where the vendor keeps one. The batch's id. Raises QueueFull as well."""
        ...

    def find(self, lost: Lost) -> Found:
        """Whether a batch was created after all."""
        ...

    def look(self, batch_id: str) -> BatchLook:
        """How far a batch is."""
        ...

    def results(self, batch_id: str) -> Iterator[BatchLine]:
        """What became of the questions of a batch that ended, in any order; some may be missing."""
        ...
