"""Delivering days: complete days only, a pending row before each event, a receipt after it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from itertools import chain

from cpa_core import selection
from cpa_core.destinations import Destination, destination
from cpa_core.errors import CpaError, DayIncomplete, DestinationStopped
from cpa_core.events import of_withdrawal
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.delivery.events import count_of_day, events_of_day
from cpa_core.pipeline.delivery.receipts import Book
from cpa_core.pipeline.delivery.reconcile import reconciled, withdrawable
from cpa_core.pipeline.delivery.send import ROUND, Sending, send_events
from cpa_core.pipeline.delivery.withheld import Untrusted, decide_withheld, without
from cpa_core.pipeline.label.given_up import pause_of, ways, with_wait
from cpa_core.pipeline.schema.acceptance import destinations_of
from cpa_core.store import Store
from cpa_core.store.database import Row

TOGETHER = 50
"""Days that are delivered in one pass at most: it holds the lock of each."""


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
        together = _together(assistant.store, days, held)
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


def _together(store: Store, days: Sequence[date], held: ExitStack) -> list[date]:
    """Return the first day, whose lock is held, and those after it that fit into the pass. Their locks are taken."""
    together = [days[0]]
    with store.reading():
        events = count_of_day(store, days[0])
        for day in days[1:TOGETHER]:
            if events >= ROUND or not store.takes_day(day, held):
                break
            together.append(day)
            events += count_of_day(store, day)
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
    sending = _sent_days(book, days, parts)
    if correct and not sending.stop:
        sending = _withdrawn(book, days, parts)
    for day in sending.stopped_days():
        parts[day].stops.append(sending.stop)


def _sent_days(book: Book, days: Sequence[date], parts: Mapping[date, DayParts]) -> Sending:
    """Send the events of these days, and record the days that the destination has whole."""
    store = book.assistant.store
    with store.reading():
        totals = {day: count_of_day(store, day, book.selection) for day in days}
        whole = {day: count_of_day(store, day) for day in days}
    groups = chain.from_iterable(events_of_day(book.assistant, day, book.selection) for day in days)
    sending = send_events(book, groups, totals)
    book.mark_delivered([day for day in days if sending.is_through(day)])
    for day in days:
        left_out = whole[day] - totals[day]
        counts = sending.counts(day) | {"already": sending.already[day], "left_out": left_out}
        parts[day].counts.append(Delivered(events=whole[day], withdrawn=0, stale=0, **counts))
    return sending


def _withdrawn(book: Book, days: Sequence[date], parts: Mapping[date, DayParts]) -> Sending:
    """Withdraw the stale events of a destination."""
    store = book.assistant.store
    with store.reading():
        rows = [row for day in days for row in withdrawable(store, day, book.name, book.place.project)]
    events = [of_withdrawal(row, book.place.replaces) for row in rows]
    totals = Counter(event.day for event in events)
    sending = send_events(book, iter([events]), {day: totals[day] for day in days})
    for day in days:
        counts = sending.counts(day) | {"withdrawn": sending.counts(day)["accepted"]}
        parts[day].counts.append(Delivered(events=0, already=0, left_out=0, stale=0, **counts))
    return sending
