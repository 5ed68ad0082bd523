"""Delivering days: complete days only, a pending row before each event, a receipt after it."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, islice
from typing import Any

from cpa_core import selection
from cpa_core.destinations import Destination, destination
from cpa_core.destinations.sending import EventRate
from cpa_core.errors import CpaError, DayIncomplete, DestinationStopped
from cpa_core.events import of_withdrawal
from cpa_core.models import SETTLED_STATUSES, Event, Receipt, Value
from cpa_core.pipeline.assistant import Advance, Assistant
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.pipeline.delivery.events import count_of_day, events_of_day
from cpa_core.pipeline.delivery.receipts import Book, Key, Ledger, key_of, unsent
from cpa_core.pipeline.delivery.reconcile import reconciled, withdrawable
from cpa_core.pipeline.delivery.withheld import Untrusted, decide_withheld, without
from cpa_core.pipeline.label.given_up import pause_of, ways, with_wait
from cpa_core.pipeline.schema.acceptance import destinations_of
from cpa_core.store import Store
from cpa_core.store.database import Row

FLUSH = timedelta(seconds=2)
"""The longest time before answers are written: a kill can repeat the requests of this time."""
TOGETHER = 50
"""Days that are delivered in one pass at most: it holds the lock of each."""
ROUND = 5_000
"""Events whose pending rows are written together, if there are as many. A pass takes no further day after as many."""


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
    how = {"deliver_incomplete": deliver_incomplete, "retry_rejected": retry_rejected, "correct": correct}
    end = deliver_days(assistant, [day], **how)[day]
    if isinstance(end, CpaError):
        raise end
    return end


def deliver_days(
    assistant: Assistant,
    days: Sequence[date],
    *,
    deliver_incomplete: bool = False,
    retry_rejected: bool = False,
    correct: bool = False,
) -> dict[date, Delivered | DayIncomplete | DestinationStopped]:
    """Deliver the first of these days and those after it that fit into one pass, as `deliver_day` does.

    A pass ends after `TOGETHER` days or `ROUND` events, and before a day that another run holds. `days` are in order,
    without duplicates. A day that is not delivered has the error that says why. Raises SettingsError.
    """
    with ExitStack() as held:
        held.enter_context(assistant.store.day_lock(days[0]))
        together = _together(assistant, days, held)
        ended: dict[date, Delivered | DayIncomplete | DestinationStopped] = {}
        places = _places(assistant, together)
        withheld = decide_withheld(assistant, together)
        if not deliver_incomplete:
            ended |= _unfinished(assistant, together)
        parts = {day: DayParts([], []) for day in together if day not in ended}
        for place in places:
            _deliver(assistant, place, withheld, parts, retry_rejected=retry_rejected, correct=correct)
    stale = Counter[date]()
    for line in reconciled(assistant, list(parts)) if parts else ():
        stale[line.day] += line.stale if line.destination in {one.name for one in places if line.day in one.days} else 0
    return {day: ended[day] if day in ended else parts[day].whole(day, stale[day]) for day in together}


def _together(assistant: Assistant, days: Sequence[date], held: ExitStack) -> list[date]:
    """Return the first day, whose lock is held, and those after it that fit into the pass. Their locks are taken."""
    together = [days[0]]
    with assistant.store.reading():
        events = count_of_day(assistant.store, days[0])
        for day in days[1:TOGETHER]:
            if events >= ROUND or not assistant.store.takes_day(day, held):
                break
            together.append(day)
            events += count_of_day(assistant.store, day)
    return together


@dataclass(frozen=True)
class DestinationDays:
    """A destination, with the days of a pass whose events go there."""

    name: str
    destination: Destination
    days: Sequence[date]


def _places(assistant: Assistant, days: Sequence[date]) -> list[DestinationDays]:
    """Return the destinations of these days. Raises SettingsError."""
    of_days = destinations_of(assistant, days)
    names = dict.fromkeys(name for names in of_days.values() for name in names)
    return [
        DestinationDays(name, destination(name, assistant.settings), [day for day in days if name in of_days[day]])
        for name in names
    ]


@dataclass(frozen=True)
class DayParts:
    """The results of one day by destination, and the messages of the destinations that stopped."""

    counts: list[Delivered]
    stops: list[str]

    def whole(self, day: date, stale: int) -> Delivered | DestinationStopped:
        """Return the result over all destinations."""
        if self.stops:
            return DestinationStopped(f"{day}: {'; '.join(self.stops)}")
        totals = {key: sum(getattr(count, key) for count in self.counts) for key in Delivered.model_fields}
        return Delivered(**totals | {"events": self.counts[0].events if self.counts else 0, "stale": stale})


def _unfinished(assistant: Assistant, days: Sequence[date]) -> dict[date, DayIncomplete]:
    """Return, for days with open questions or only questions that were given up, the reason with both remedies."""
    found: dict[date, DayIncomplete] = {}
    unfinished: dict[date, list[Row]] = {}
    for row in open_work(assistant, days):
        unfinished.setdefault(row["day"], []).append(row)
    now = ways(assistant)
    with assistant.store.reading() as view:
        for day in days:
            (given_up,) = view.answer("delivery/answered_or_given_up", day=day, ways=now)
            if day in unfinished:
                found[day] = _open(day, unfinished[day])
            elif given_up["given_up"] and not given_up["answered"]:
                found[day] = DayIncomplete(
                    f"{day}: not delivered: none of its questions was answered, and {given_up['given_up']} are given "
                    "up: another model or schema asks them again, and so does cpa run --retry-final"
                )
    return found


def _open(day: date, unfinished: Sequence[Row]) -> DayIncomplete:
    reasons = sorted({f"{row['stage']}: {row['reason']}" for row in unfinished})
    after = " after that, cpa run --retry-final at once" if any("waits until" in one for one in reasons) else ""
    return DayIncomplete(
        f"{day}: not delivered: {len(unfinished)} open ({'; '.join(reasons)}): cpa run asks for them again{after}; "
        f"cpa run --deliver-incomplete delivers the day without them"
    )


def _deliver(
    assistant: Assistant,
    place: DestinationDays,
    withheld: Untrusted,
    parts: Mapping[date, DayParts],
    *,
    retry_rejected: bool,
    correct: bool,
) -> None:
    """Deliver days to one destination, and add the result of each to its parts."""
    days = [day for day in place.days if day in parts]
    if not days:
        return
    chosen = selection.load(assistant.settings.delivery_path).get(place.name, selection.EVERYTHING)
    book = Book(assistant, place.name, place.destination, without(chosen, withheld), retry_rejected)
    way = _sent_days(book, days, parts)
    if correct and not way.stop:
        way = _withdrawn(book, days, parts)
    for day in way.stopped_days():
        parts[day].stops.append(way.stop)


def _sent_days(book: Book, days: Sequence[date], parts: Mapping[date, DayParts]) -> "_Way":
    """Send the events of these days, and record the days that the destination has whole."""
    store = book.assistant.store
    with store.reading():
        totals = {day: count_of_day(store, day, book.selection) for day in days}
        whole = {day: count_of_day(store, day) for day in days}
    way = _sent(book, chain.from_iterable(events_of_day(book.assistant, day, book.selection) for day in days), totals)
    book.mark_delivered([day for day in days if way.is_through(day)])
    for day in days:
        left_out = whole[day] - totals[day]
        counts = way.counts(day) | {"already": way.already[day], "left_out": left_out}
        parts[day].counts.append(Delivered(events=whole[day], withdrawn=0, stale=0, **counts))
    return way


def _withdrawn(book: Book, days: Sequence[date], parts: Mapping[date, DayParts]) -> "_Way":
    """Withdraw the stale events of a destination."""
    store = book.assistant.store
    with store.reading():
        rows = [row for day in days for row in withdrawable(store, day, book.name, book.place.project)]
    events = [of_withdrawal(row, book.place.replaces) for row in rows]
    totals = Counter(event.day for event in events)
    way = _sent(book, iter([events]), {day: totals[day] for day in days})
    for day in days:
        counts = way.counts(day) | {"withdrawn": way.counts(day)["accepted"]}
        parts[day].counts.append(Delivered(events=0, already=0, left_out=0, stale=0, **counts))
    return way


def _sent(book: Book, groups: Iterator[Sequence[Event]], totals: Mapping[date, int]) -> "_Way":
    """Send those of the events that need it, and write all answers. `totals` are the numbers of events by day."""
    with book.assistant.progress("deliver", sum(totals.values())) as advance:
        way = _Way(book, _rounds(book.assistant.store, groups), totals, advance)
        for batch, answer in _answers(book.place, way.batches()):
            way.note(batch, answer)
        way.end()
    return way


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


class _Way:
    """The events of some days on their way to one destination: drawn from the store, noted when they are answered.

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
