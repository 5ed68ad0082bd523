"""Previewing a delivery: what would be sent, and nothing is."""

from collections import Counter
from datetime import date

from cpa_core.destinations import destination
from cpa_core.models import Event, Value
from cpa_core.pipeline.composing import events_of_day
from cpa_core.pipeline.context import Assistant
from cpa_core.pipeline.delivering import open_work
from cpa_core.pipeline.ledger import Book

SAMPLES = 3


class Preview(Value):
    """What one destination would be sent of one day: how many by type, and the first of some types.

    `unfinished` counts what holds the day back, `already` the events that need not be sent.
    """

    day: date
    destination: str
    types: dict[str, int]
    samples: tuple[Event, ...]
    already: int
    unfinished: int


def preview_day(assistant: Assistant, day: date, *, retry_rejected: bool = False) -> list[Preview]:
    """A preview for each destination, of what is tagged and judged by now. Raises SettingsError."""
    given = assistant.settings
    places = {name: destination(name, given.home, given.environ) for name in given.destinations}
    unfinished = len(open_work(assistant, day))
    return [_preview(Book(assistant, name, place, day, retry_rejected), unfinished) for name, place in places.items()]


def _preview(book: Book, unfinished: int) -> Preview:
    types: Counter[str] = Counter()
    first: dict[str, Event] = {}
    already = 0
    for events in events_of_day(book.assistant, book.day):
        ledger = book.known(events)
        waiting = [event for event in events if not ledger.is_settled(event)]
        already += len(events) - len(waiting)
        types.update(event.name for event in waiting)
        for event in waiting:
            first.setdefault(event.name, event)
    return Preview(
        day=book.day,
        destination=book.name,
        types=dict(sorted(types.items())),
        samples=tuple(first[kind] for kind in sorted(first)[:SAMPLES]),
        already=already,
        unfinished=unfinished,
    )
