"""The shares of a pass: the questions of each task about each day, as far as no batch has answered them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date

from cpa_core.errors import ProviderStopped, Stopped
from cpa_core.models import Conversation, EventSchema
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.batches.poll import Settled, at_work, is_by_batch, settle
from cpa_core.pipeline.batches.states import open_batches
from cpa_core.pipeline.budget import Tariff, tariff
from cpa_core.pipeline.label.questions import CHUNK, Asking, asker_of, asking_of, first_questions
from cpa_core.pipeline.label.tasks import Result, Work
from cpa_core.store import AnswerBook
from cpa_core.store.buffers import Buffers
from cpa_core.store.database import Row

TOGETHER = 50
"""Days of a pass at most: it holds the lock of each."""


class TaskShare:
    """One task's share of a pass: its questions, the batches that answer them, and its results so far.

    `failed` are failures that may be temporary. They are written when the pass ends, if the model then works. `counted`
    is the stored number of such failures of each.
    """

    def __init__(self, asking: Asking, batches: Settled) -> None:
        self.asking = asking
        self.batches = batches
        self.day = asking.origin.day
        self.pending = frozenset(asking.plan.pending)
        self.rows = Buffers()
        self.failed: list[tuple[Conversation, Result]] = []
        self.counted: list[Row] = []
        self.given_up = 0
        self.ids: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.asked = 0
        self.reused = 0
        self.folded = 0
        self.quoted: float | None = 0.0
        self.prompts: dict[str, str] = {}

    def take_earlier(self, book: AnswerBook, conversations: Sequence[Conversation]) -> None:
        """Use batch answers to an earlier version's questions as answers to the present ones."""
        for one in conversations if self.batches.earlier else ():
            for request in self.asking.first(one):
                before = self.batches.earlier.get(request.hash)
                if before and book.stands_for(before.request_hash, request.hash):
                    self.prompts[one.conversation_id] = before.prompt_id

    @property
    def task(self) -> str:
        """The task's name."""
        return self.asking.work.task

    @property
    def is_open(self) -> bool:
        """Whether a conversation that was to be asked about has no result."""
        return not self.batches.waiting and not self.pending <= self.ids

    def quote(self, dollars: float | None) -> None:
        """Add this price to the quote; null if it is unknown."""
        self.quoted = None if self.quoted is None or dollars is None else self.quoted + dollars


@dataclass(frozen=True)
class DayShares:
    """The shares of one day in a pass, and the reason that kept its other tasks from it, if one did."""

    day: date
    shares: Sequence[TaskShare]
    refused: Stopped | None = None

    @property
    def asked(self) -> list[TaskShare]:
        """The shares that wait for no batch."""
        return [share for share in self.shares if not share.batches.waiting]

    @property
    def is_open(self) -> bool:
        """Whether a conversation of the day has no result."""
        return any(share.is_open for share in self.shares)


def planned(
    assistant: Assistant, days: Sequence[date], works: Sequence[Work], schema: EventSchema, retag: bool, held: ExitStack
) -> list[DayShares]:
    """Return the shares of the first day, whose lock is held, and of those after it that fit into the same pass.

    The days are planned in one reading, in which nobody writes. Where batches are at work they may have to be written:
    then a pass has one day.
    """
    with assistant.store.reading() as view:
        if not _is_by_batch(assistant, works) and not open_batches(view):
            return list(_planned_together(assistant, days, works, schema, retag, held))
    return [_shares(assistant, days[0], works, schema, retag, _tariffs(assistant, works))]


def _is_by_batch(assistant: Assistant, works: Sequence[Work]) -> bool:
    return any(is_by_batch(assistant, assistant.model(work.task)) for work in works)


def _planned_together(
    assistant: Assistant, days: Sequence[date], works: Sequence[Work], schema: EventSchema, retag: bool, held: ExitStack
) -> Iterator[DayShares]:
    tariffs = _tariffs(assistant, works)
    pending = 0
    for n, day in enumerate(days[:TOGETHER]):
        if pending >= CHUNK or (n and not assistant.store.takes_day(day, held)):
            return
        yield (one := _shares(assistant, day, works, schema, retag, tariffs))
        pending += len(frozenset[str]().union(*(share.pending for share in one.shares)))
        if one.refused:
            return


def _tariffs(assistant: Assistant, works: Sequence[Work]) -> dict[str, Tariff]:
    return {work.task: tariff(assistant, work.task, assistant.model(work.task)) for work in works}


def _shares(
    assistant: Assistant,
    day: date,
    works: Sequence[Work],
    schema: EventSchema,
    retag: bool,
    tariffs: Mapping[str, Tariff],
) -> DayShares:
    """Return the tasks' shares of a day as far as their batches could be polled, and the reason that stopped it."""
    shares: list[TaskShare] = []
    for work in works:
        wanted = retag or any(row.retag for row in at_work(assistant.store, work.task, day))
        asking = asking_of(assistant, day, work, schema, retag=wanted, own=tariffs[work.task])
        try:
            shares.append(_share(assistant, asking, retag=wanted))
        except Stopped as stopped:
            if isinstance(stopped, ProviderStopped):
                stopped.provider = stopped.provider or assistant.model(work.task).provider
            return DayShares(day, shares, stopped)
    return DayShares(day, shares)


def _share(assistant: Assistant, asking: Asking, *, retag: bool) -> TaskShare:
    asker = asker_of(asking, retag=retag)
    return TaskShare(asking, settle(assistant, asker, lambda: first_questions(assistant, asking, asking.plan.pending)))
