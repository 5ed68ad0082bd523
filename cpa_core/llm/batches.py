"""Batches of questions, answered within a day at half the price: the protocol of a vendor of batches."""

from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from cpa_core.llm.values import Reply, Request


class BatchForm(NamedTuple):
    """The form of a batch's file, and its limits: lines, and bytes in all."""

    opening: bytes
    between: bytes
    closing: bytes
    most: int
    most_bytes: int


class BatchLook(NamedTuple):
    """The state of a batch at its vendor; `done` counts its answered questions.

    `refused` means that the vendor refused the whole batch, `crowded` that it did so only because its queue is full.
    """

    phase: Literal["waiting", "ended", "refused", "crowded"]
    done: int = 0
    detail: str = ""


class Lost(NamedTuple):
    """A batch that may exist: the process that created it was killed before it knew the batch's id.

    `taken` are ids of batches known to be others; `since` is the time at which its own row was written.
    """

    key: str
    request_hashes: Collection[str]
    since: datetime
    taken: Collection[str]


class Found(NamedTuple):
    """The id of a lost batch, null when there is none. `undecided` means that the vendor cannot tell yet."""

    batch_id: str | None
    undecided: bool = False


class BatchLine(NamedTuple):
    """The result of one question of a batch: a reply, or the reason why there is none.

    `stops` is true if the reason is the account or the model, so that every other question would fail too.
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
        """Return the question's line in the file, under its hash, with the same body as a single call."""
        ...

    def submit(self, key: str, path: Path) -> str:
        """Submit a file, with our own key if the vendor stores one. Return the batch's id. Raises QueueFull as well."""
        ...

    def find(self, lost: Lost) -> Found:
        """Return whether a lost batch was created, and its id."""
        ...

    def look(self, batch_id: str) -> BatchLook:
        """Return the state of a batch."""
        ...

    def results(self, batch_id: str) -> Iterator[BatchLine]:
        """Yield the results of an ended batch's questions, in any order; some may be missing."""
        ...
