"""Previewing a delivery: the events that would be sent; nothing is sent."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

from cpa_core import selection
from cpa_core.destinations import destination
from cpa_core.models import JUDGED_EVENT, Event, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.delivery.deliver import open_work
from cpa_core.pipeline.delivery.events import count_of_day, events_of_day
from cpa_core.pipeline.delivery.receipts import Book
from cpa_core.pipeline.delivery.reconcile import withdrawable
from cpa_core.pipeline.delivery.withheld import untrusted, without

SAMPLES = 3


class Preview(Value):
    """The events of one day that one destination would receive: counts by type, and samples of some types.

    `left_out` counts events that the filter excludes, `unfinished` the open questions that hold the day back. `already`
    counts events that need not be sent, `stale` delivered events that are no longer true and can be withdrawn.
    """

    day: date
    destination: str
    types: dict[str, int]
    samples: tuple[Event, ...]
    already: int
    left_out: int
    stale: int
    unfinished: int


def preview_day(assistant: Assistant, day: date, *, retry_rejected: bool = False) -> list[Preview]:
    """Return a preview for each destination, of the labels so far. Raises SettingsError."""
    given = assistant.settings
    places = {name: destination(name, given) for name in given.destinations}
    unfinished = len(open_work(assistant, [day]))
    selections, withheld = selection.load(given.delivery_path), untrusted(assistant)
    books = [
        Book(assistant, name, place, without(selections.get(name, selection.EVERYTHING), withheld), retry_rejected)
        for name, place in places.items()
    ]
    return [_preview(book, day, unfinished) for book in books]


def _preview(book: Book, day: date, unfinished: int) -> Preview:
    types: Counter[str] = Counter()
    first: dict[str, Event] = {}
    already = 0
    for events in events_of_day(book.assistant, day, book.selection):
        ledger = book.known(events)
        waiting = [event for event in events if not ledger.is_settled(event)]
        already += len(events) - len(waiting)
        types.update(event.name for event in waiting)
        for event in waiting:
            first.setdefault(event.name, event)
    return Preview(
        day=day,
        destination=book.name,
        types=dict(sorted(types.items())),
        samples=tuple(first[kind] for kind in sorted(first)[:SAMPLES]),
        already=already,
        left_out=count_of_day(book.assistant.store, day) - count_of_day(book.assistant.store, day, book.selection),
        stale=len(withdrawable(book.assistant.store, day, book.name, book.place.project)),
        unfinished=unfinished,
    )


class Expected(Value):
    """About how many events a day one destination would be sent; null as long as nothing is tagged to go by."""

    destination: str
    events_a_day: float | None


def expected_events(assistant: Assistant, days: Sequence[date]) -> list[Expected]:
    """Return the expected events of these built days for each destination, from the events a message has had so far.

    Raises SettingsError.
    """
    given = assistant.settings
    selections, withheld = selection.load(given.delivery_path), untrusted(assistant)
    with assistant.store.reading() as view:
        rates = view.answer("delivery/events_per_message")
        held = view.answer("delivery/messages_of_days", days=list(days))[0]
    expected: list[Expected] = []
    for name in given.destinations:
        chosen = without(selections.get(name, selection.EVERYTHING), withheld)
        tags = sum(row["rate"] for row in rates if chosen.takes(row["event_type"], row["role"])) * held["messages"]
        judged = held["conversations"] if chosen.takes(JUDGED_EVENT, None) else 0
        known = bool(rates and days)
        expected.append(Expected(destination=name, events_a_day=(tags + judged) / len(days) if known else None))
    return expected
