"""Delivering a day: a complete day only, a pending row before each event, a receipt after it."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, islice
from typing import Any

from cpa_core import selection
from cpa_core.destinations import Destination, destination
from cpa_core.destinations.sending import EventRate
from cpa_core.errors import DayIncomplete, DestinationStopped
from cpa_core.events import of_withdrawal
from cpa_core.models import SETTLED_STATUSES, Event, Receipt, Value
from cpa_core.pipeline.assistant import Advance, Assistant
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.pipeline.delivery.events import count_of_day, events_of_day
from cpa_core.pipeline.delivery.receipts import Book, Key, Ledger, key_of, unsent
from cpa_core.pipeline.delivery.reconcile import reconciled, withdrawable
from cpa_core.pipeline.delivery.withheld import decide_withheld, without
from cpa_core.pipeline.label.given_up import pause_of, ways, with_wait
from cpa_core.pipeline.schema.acceptance import destinations_of
from cpa_core.store.database import Row

FLUSH = timedelta(seconds=2)
"""The longest time before answers are written: a kill can repeat the requests of this time."""


class Delivered(Value):
    """The result of delivering a day, over all destinations.

    `left_out` counts events that the filter excludes. `stale` counts delivered events that are no longer true, and
    `withdrawn` those of them that were withdrawn now.
    """

    events: int
    sent: int
    already: int
    left_out: int
    accepted: int
    rejected: int
    open: int
    withdrawn: int
    stale: int


@dataclass(frozen=True)
class EventBatch:
    """The events of one call of `send`, with their earlier receipts."""

    events: Sequence[Event]
    ledger: Ledger


@dataclass(frozen=True)
class SendResult:
    """The receipts of a batch by the id that was sent, and the destination's words if it stopped."""

    receipts: Mapping[str, Receipt]
    stop: str = ""


def open_work(assistant: Assistant, days: Sequence[date]) -> list[Row]:
    """Why these days may not be delivered yet: day, conversation, stage and reason; empty when all are complete."""
    now, since = ways(assistant), assistant.now() - pause_of(assistant)
    with assistant.store.reading() as view:
        rows = view.answer("delivery/conversations_open", days=list(days), ways=now, paused_since=since)
    return [with_wait(assistant, row) for row in rows]


def deliver_day(
    assistant: Assistant,
    day: date,
    *,
    deliver_incomplete: bool = False,
    retry_rejected: bool = False,
    correct: bool = False,
) -> Delivered:
    """Send the day's events that have no settled receipt, or were rejected if that is asked, to every destination.

    To `correct` is to send, after that, a withdrawing event for each that was delivered and is no longer true.
    Raises DayIncomplete, SettingsError before anything is sent, and DestinationStopped after the other
    destinations had their turn.
    """
    settings = assistant.settings
    places = {name: destination(name, settings) for name in destinations_of(assistant, day)}
    selections = selection.load(settings.delivery_path)
    with assistant.store.day_lock(day):
        withheld = decide_withheld(assistant, day)
        if not deliver_incomplete:
            _check_whole(assistant, day)
        counts, stops = [], []
        for name, place in places.items():
            try:
                chosen = without(selections.get(name, selection.EVERYTHING), withheld)
                book = Book(assistant, name, place, day, chosen, retry_rejected)
                counts.append(_deliver(book))
                counts += [_withdraw(book)] if correct else []
            except DestinationStopped as stop:
                stops.append(str(stop))
    if stops:
        raise DestinationStopped(f"{day}: {'; '.join(stops)}")
    totals = {key: sum(getattr(count, key) for count in counts) for key in Delivered.model_fields}
    stale = sum(line.stale for line in reconciled(assistant, [day]) if line.destination in places)
    return Delivered(**totals | {"events": counts[0].events if counts else 0, "stale": stale})


def _check_whole(assistant: Assistant, day: date) -> None:
    """Raise DayIncomplete, with both remedies, if a day has open questions or only questions that were given up."""
    if unfinished := open_work(assistant, [day]):
        reasons = sorted({f"{row['stage']}: {row['reason']}" for row in unfinished})
        after = " after that, cpa run --retry-final at once" if any("waits until" in one for one in reasons) else ""
        raise DayIncomplete(
            f"{day}: not delivered: {len(unfinished)} open ({'; '.join(reasons)}): cpa run asks for them again{after}; "
            f"cpa run --deliver-incomplete delivers the day without them"
        )
    now = ways(assistant)
    with assistant.store.reading() as view:
        (found,) = view.answer("delivery/answered_or_given_up", day=day, ways=now)
    if found["given_up"] and not found["answered"]:
        raise DayIncomplete(
            f"{day}: not delivered: none of its questions was answered, and {found['given_up']} are given up: "
            "another model or schema asks them again, and so does cpa run --retry-final"
        )


def _deliver(book: Book) -> Delivered:
    """Deliver the day to one destination. Raises DestinationStopped when everything that was answered is written."""
    total = count_of_day(book.assistant.store, book.day, book.selection)
    way = _sent(book, events_of_day(book.assistant, book.day, book.selection), total)
    if not way.counts["open"]:
        book.mark_delivered()
    whole = count_of_day(book.assistant.store, book.day)
    return Delivered(events=whole, already=way.already, left_out=whole - total, withdrawn=0, stale=0, **way.counts)


def _withdraw(book: Book) -> Delivered:
    """Withdraw the stale events of a destination. Raises DestinationStopped."""
    rows = withdrawable(book.assistant.store, book.day, book.name, book.place.project)
    events = [of_withdrawal(row, book.place.replaces) for row in rows]
    way = _sent(book, iter([events]), len(events))
    counts = way.counts | {"withdrawn": way.counts["accepted"]}
    return Delivered(events=0, already=0, left_out=0, stale=0, **counts)


def _sent(book: Book, groups: Iterator[Sequence[Event]], total: int) -> "_Way":
    """Send those of the events that need it. Raises DestinationStopped after all answers are written."""
    with book.assistant.progress("deliver", total) as advance:
        way = _Way(book, groups, advance)
        for batch, answer in _answers(book.place, way.batches()):
            way.note(batch, answer)
        way.end()
    return way


def _answers(place: Destination, batches: Iterator[EventBatch]) -> Iterator[tuple[EventBatch, SendResult]]:
    """Yield each tried batch with its answers. The first batch is sent alone, so that a wrong key costs one request."""
    stopped = threading.Event()

    def send(batch: EventBatch) -> SendResult | None:
        if stopped.is_set():
            return None
        answered: dict[str, Receipt] = {}
        try:
            for receipt in place.send([batch.ledger.addressed(event) for event in batch.events]):
                answered[receipt.event_id] = receipt
        except DestinationStopped as stop:
            stopped.set()
            return SendResult(answered, str(stop))
        return SendResult(answered)

    first = ((batch, send(batch)) for batch in islice(batches, 1))
    for batch, answer in chain(first, in_order_of_end(send, batches, place.at_once, ahead=1)):
        if isinstance(answer, SendResult):
            yield batch, answer


class _Way:
    """A day's events on their way to one destination: drawn from the store, noted when they are answered."""

    def __init__(self, book: Book, groups: Iterator[Sequence[Event]], advance: Advance) -> None:
        self.book = book
        self._groups = groups
        self.statuses: Counter[str] = Counter()
        self.already = 0
        self._advance = advance
        self._pace = EventRate(book.selection.events_per_second)
        self._stop = ""
        self._tried: dict[Key, tuple[Ledger, Event]] = {}
        self._rows: dict[str, list[Any]] = {}
        self._written_at = book.assistant.now()

    @property
    def counts(self) -> dict[str, int]:
        """Return the counts of sent events by outcome."""
        return {
            "sent": self.statuses.total(),
            "accepted": self.statuses["accepted"] + self.statuses["accepted_warning"],
            "rejected": self.statuses["rejected"],
            "open": sum(count for status, count in self.statuses.items() if status not in SETTLED_STATUSES),
        }

    def batches(self) -> Iterator[EventBatch]:
        """Yield the batches to send, after writing their pending rows; none once the destination has stopped."""
        for events in self._groups:
            ledger = self.book.known(events)
            waiting = [event for event in events if not ledger.is_settled(event)]
            self.already += len(events) - len(waiting)
            self._shown(len(events) - len(waiting))
            if not waiting:
                continue
            self.book.write_pending(ledger, waiting)
            self._tried.update((key_of(event), (ledger, event)) for event in waiting)
            for batch in _parts(waiting, self._pace.most(self.book.place.batch)):
                self._pace.wait(len(batch))
                if self._stop:
                    return
                yield EventBatch(batch, ledger)

    def note(self, batch: EventBatch, answer: SendResult) -> None:
        """Take an answer in; it is written with others, two seconds later at most."""
        self._stop = self._stop or answer.stop
        found = [(event, receipt) for event in batch.events if (receipt := _noted(batch.ledger, event, answer))]
        self.statuses.update(receipt.status for _, receipt in found)
        for event, _ in found:
            self._tried.pop(key_of(event), None)
        for name, values in self.book.columns(batch.ledger, found).items():
            self._rows.setdefault(name, []).extend(values)
        self._shown(len(found))
        if self.book.assistant.now() - self._written_at >= FLUSH:
            self._flush()

    def end(self) -> None:
        """Write the remaining answers.

        Raises DestinationStopped; events that were not tried then keep their earlier receipts.
        """
        self._flush()
        if self._stop:
            untried = list(self._tried.values())
            for ledger in {id(ledger): ledger for ledger, _ in untried}.values():
                self.book.put_back(ledger, [event for of, event in untried if of is ledger])
            raise DestinationStopped(self._stop)

    def _flush(self) -> None:
        if self._rows:
            self.book.write(self._rows)
        self._rows, self._written_at = {}, self.book.assistant.now()

    def _shown(self, events: int) -> None:
        for _ in range(events):
            self._advance()


def _noted(ledger: Ledger, event: Event, answer: SendResult) -> Receipt | None:
    """Return the event's receipt; null for a known event that was not tried before the destination stopped."""
    if not answer.stop or ledger.sent_id(event) in answer.receipts:
        return ledger.receipt(event, answer.receipts)
    return None if ledger.row(event) else unsent(event, "retryable", answer.stop)


def _parts(events: Sequence[Event], size: int) -> Iterable[Sequence[Event]]:
    return (events[start : start + size] for start in range(0, len(events), size))
