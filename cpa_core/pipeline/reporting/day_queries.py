"""Results that people look at after a run: rows by day, one reading for all days of the run."""

from collections.abc import Sequence
from datetime import UTC, date

from cpa_core.models import EventSchema
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store import Store
from cpa_core.store.database import Row

LOWEST = 5


def events_by_type(store: Store, days: Sequence[date]) -> list[Row]:
    """Events and conversations of each type on each day, the most frequent first."""
    return _answer(store, "status/events_by_type", days)


def scores_by_band(store: Store, days: Sequence[date]) -> list[Row]:
    """Conversations of each day by tens of their score; those without a score last, with a null band."""
    return _answer(store, "status/scores_by_band", days)


def intents_of_days(store: Store, days: Sequence[date]) -> list[Row]:
    """How many intents of each day were delivered: yes, partly, no, cannot tell. No row where none was asked for."""
    return _answer(store, "status/intents_of_days", days)


def lowest_scores(store: Store, days: Sequence[date]) -> list[Row]:
    """The conversations of each day with the lowest scores."""
    return _answer(store, "status/lowest_scores", days, most=LOWEST)


def failures(assistant: Assistant, days: Sequence[date]) -> list[Row]:
    """Return the failures of each day: stage, conversation, reason, whether it is retried, attempts."""
    return _answer(assistant.store, "status/failures_of_days", days)


def messages_covered(store: Store, days: Sequence[date]) -> list[Row]:
    """Messages of each day that were asked about, and those of them with an event."""
    return _answer(store, "status/messages_covered", days)


def types_without_events(schema: EventSchema, rows: Sequence[Row]) -> list[str]:
    """The event types of a schema that do not occur in rows of `events_by_type`."""
    found = {row["event_type"] for row in rows}
    return sorted({one.name for one in schema.event_types} - found)


def money_spent(assistant: Assistant) -> tuple[float, float]:
    """US dollars that this run and the UTC day have cost so far. Calls of unknown price count nothing."""
    midnight = assistant.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with assistant.store.reading() as view:
        spent = view.answer("label/money_spent", run=f"{assistant.run_id}-", since=midnight)[0]
    return spent["by_run"], spent["by_day"]


def _answer(store: Store, question: str, days: Sequence[date], **names: object) -> list[Row]:
    with store.reading() as view:
        return view.answer(question, days=list(days), **names)
