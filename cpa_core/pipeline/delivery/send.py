"""Sending events to one destination: in rounds, each with pending rows before it and receipts after it."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, islice
from typing import Any

from cpa_core.destinations import Destination
from cpa_core.destinations.sending import EventRate
from cpa_core.errors import DestinationStopped
from cpa_core.models import SETTLED_STATUSES, Event, Receipt
from cpa_core.pipeline.assistant import Advance
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.pipeline.delivery.receipts import Book, Key, Ledger, key_of, unsent
from cpa_core.store import Store

FLUSH = timedelta(seconds=2)
"""The longest time before answers are written: a kill can repeat the requests of this time."""
ROUND = 5_000
"""Events whose pending rows are written together, if there are as many. A pass takes no further day after as many."""


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


def send_events(book: Book, groups: Iterator[Sequence[Event]], totals: Mapping[date, int]) -> "Sending":
    """Send those of the events that need it, and write all answers. `totals` are the numbers of events by day."""
    with book.assistant.progress("deliver", sum(totals.values())) as advance:
        sending = Sending(book, _rounds(book.assistant.store, groups), totals, advance)
        for batch, answer in _answers(book.place, sending.batches()):
            sending.note(batch, answer)
        sending.end()
    return sending


def _rounds(store: Store, groups: Iterator[Sequence[Event]]) -> Iterator[list[Event]]:
    """Yield the events of several groups together; they are composed in one reading."""
    while True:
        together: list[Event] = []
        with store.reading():
            for events in groups:
                together += events
                if len(together) >= ROUND:
                    break
        if not together:
            return
        yield together


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


class Sending:
    """The sending of some days to one destination: events drawn from the store, receipts noted when they are answered.

    `stop` is the destination's words if it stopped.
    """

    def __init__(
        self, book: Book, rounds: Iterator[Sequence[Event]], totals: Mapping[date, int], advance: Advance
    ) -> None:
        self.book = book
        self.stop = ""
        self.already: Counter[date] = Counter()
        self._rounds = rounds
        self._totals = totals
        self._statuses: Counter[tuple[date, str]] = Counter()
        self._advance = advance
        self._pace = EventRate(book.selection.events_per_second)
        self._tried: dict[Key, tuple[Ledger, Event]] = {}
        self._rows: dict[str, list[Any]] = {}
        self._written_at = book.assistant.now()

    def counts(self, day: date) -> dict[str, int]:
        """Return the counts of a day's sent events by outcome."""
        statuses = {status: count for (of, status), count in self._statuses.items() if of == day}
        return {
            "sent": sum(statuses.values()),
            "accepted": statuses.get("accepted", 0) + statuses.get("accepted_warning", 0),
            "rejected": statuses.get("rejected", 0),
            "open": sum(count for status, count in statuses.items() if status not in SETTLED_STATUSES),
        }

    def is_through(self, day: date) -> bool:
        """Whether every event of a day is settled. Without a stop, none is open then."""
        counts = self.counts(day)
        return not counts["open"] and (not self.stop or self.already[day] + counts["sent"] == self._totals[day])

    def stopped_days(self) -> list[date]:
        """Return the days that a stop left open, else the last one; none without a stop."""
        if not self.stop:
            return []
        days = list(self._totals)
        return [day for day in days if not self.is_through(day)] or days[-1:]

    def batches(self) -> Iterator[EventBatch]:
        """Yield the batches to send, after writing their pending rows; none once the destination has stopped."""
        for events in self._rounds:
            ledger = self.book.known(events)
            waiting = [event for event in events if not ledger.is_settled(event)]
            self.already.update(event.day for event in events if ledger.is_settled(event))
            self._shown(len(events) - len(waiting))
            if not waiting:
                continue
            self.book.write_pending(ledger, waiting)
            self._tried.update((key_of(event), (ledger, event)) for event in waiting)
            for batch in _parts(waiting, self._pace.most(self.book.place.batch)):
                self._pace.wait(len(batch))
                if self.stop:
                    return
                yield EventBatch(batch, ledger)

    def note(self, batch: EventBatch, answer: SendResult) -> None:
        """Take an answer in; it is written with others, two seconds later at most."""
        self.stop = self.stop or answer.stop
        found = [(event, receipt) for event in batch.events if (receipt := _noted(batch.ledger, event, answer))]
        self._statuses.update((event.day, receipt.status) for event, receipt in found)
        for event, _ in found:
            self._tried.pop(key_of(event), None)
        for name, values in self.book.columns(batch.ledger, found).items():
            self._rows.setdefault(name, []).extend(values)
        self._shown(len(found))
        if self.book.assistant.now() - self._written_at >= FLUSH:
            self._flush()

    def end(self) -> None:
        """Write the remaining answers. Events that a stop kept from being tried keep their earlier receipts."""
        self._flush()
        untried = list(self._tried.values()) if self.stop else []
        for ledger in {id(ledger): ledger for ledger, _ in untried}.values():
            self.book.put_back(ledger, [event for of, event in untried if of is ledger])

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
