"""Events to hand to a destination in its test."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from cpa_core.models import Event, event_id

DAY = date(2026, 3, 4)
SENT_AT = datetime(2026, 3, 4, 9, 0, 0, 250_000, tzinfo=UTC)
SECRET = "my salary is 81,000"


def event(n: int = 0, **changes: Any) -> Event:
    """The n-th event; fields may be given, even impossible ones."""
    fields: dict[str, Any] = {
        "event_id": event_id("c1", f"m{n}", "Question|user"),
        "name": "Question",
        "distinct_id": "u1",
        "conversation_id": "c1",
        "message_id": f"m{n}",
        "day": DAY,
        "sent_at": SENT_AT + timedelta(seconds=n),
        "payload": {"conversation_id": "c1", "message_id": f"m{n}", "content": SECRET},
    }
    return Event.model_construct(**{"identified": True, "withdraws": None} | fields | changes)
