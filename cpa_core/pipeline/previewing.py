"""Previewing a delivery: what would be sent, and nothing is."""

from collections import Counter
from datetime import date

from cpa_core.destinations import destination
from cpa_core.models import Event, Value
from cpa_core.pipeline.composing import events_of_day
from cpa_core.pipeline.context import Assistant
from cpa_core.pipeline.delivering import known_receipts, open_work

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
    events = events_of_day(assistant, day)
    unfinished = len(open_work(assistant, day))
    previews: list[Preview] = []
    for name, place in places.items():
        ledger = known_receipts(assistant, name, place, events, retry_rejected=retry_rejected)
        waiting = [event for event in events if not ledger.is_settled(event)]
        first = {event.name: event for event in reversed(waiting)}
        previews.append(
            Preview(
                day=day,
                destination=name,
                types=dict(sorted(Counter(event.name for event in waiting).items())),
                samples=tuple(first[kind] for kind in sorted(first)[:SAMPLES]),
                already=len(events) - len(waiting),
                unfinished=unfinished,
            )
        )
    return previews
