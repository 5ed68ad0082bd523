"""Reconciling: the events of each day against the receipts for them, to a difference of zero."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date

from cpa_core import selection
from cpa_core.models import JUDGED_EVENT, JUDGED_KEY, Value, event_id
from cpa_core.pipeline.assistant import Assistant
from cpa_core.settings import Settings
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction


class Reconciled(Value):
    """One day at one destination. `events` is the current number of tags and judgments.

    `left_out` counts excluded events, which are not in `events`. `difference` is how many events have no receipt.
    `stale` counts delivered events that are no longer true and stay there: removed events, and uncorrected versions
    that the vendor does not replace.
    """

    day: date
    destination: str
    project: str
    events: int
    left_out: int
    accepted: int
    rejected: int
    open: int
    difference: int
    stale: int


def reconciled(assistant: Assistant, days: Sequence[date]) -> list[Reconciled]:
    """A line for each day and destination that has a receipt, in order."""
    with assistant.store.reading() as view:
        judged = _judged(view, days)
        rows = view.answer(
            "delivery/reconciled", days=list(days), judged=json.dumps(judged), left_out=_left_out(assistant.settings)
        )
    stale = Counter((row["day"], row["destination"], row["project"]) for row in stale_receipts(assistant.store, days))
    return [Reconciled(**row, stale=stale[row["day"], row["destination"], row["project"]]) for row in rows]


def stale_receipts(store: Store, days: Sequence[date]) -> list[Row]:
    """Return the receipts of delivered events that are no longer true, stay there and were not withdrawn."""
    with store.reading() as view:
        ids = [row["event_id"] for row in _judged(view, days)]
        return view.answer("delivery/receipts_without_event", days=list(days), judged=json.dumps(ids))


def withdrawable(store: Store, day: date, name: str, project: str) -> list[Row]:
    """Return the receipts of a day's stale events at one destination that can be withdrawn.

    The user of events delivered before version 3 of the store is unknown: they stay.
    """
    rows = stale_receipts(store, [day])
    return [row for row in rows if (row["destination"], row["project"]) == (name, project) and row["distinct_id"]]


def _judged(view: Transaction, days: Sequence[date]) -> list[dict[str, str]]:
    """The judgments' events of these days."""
    rows = view.answer(
        "delivery/judged_conversations",
        days=list(days),
    )
    return [
        {
            "day": str(row["day"]),
            "event_id": event_id(row["conversation_id"], None, JUDGED_KEY),
            "event_type": JUDGED_EVENT,
        }
        for row in rows
    ]


def _left_out(settings: Settings) -> str:
    """For each destination the event types and roles that it is not to be sent, as JSON."""
    chosen = selection.load(settings.delivery_path)
    return json.dumps([{"destination": name, **one.leave_out.model_dump()} for name, one in chosen.items()])


def rejected_days(assistant: Assistant) -> list[date]:
    """Days of which a destination in use rejected events."""
    with assistant.store.reading() as view:
        rows = view.answer("delivery/rejected_days", destinations=list(assistant.settings.destinations))
    return [row["day"] for row in rows]


def days_to_correct(assistant: Assistant) -> list[date]:
    """Return the days of which a destination in use has events that are no longer true."""
    with assistant.store.reading() as view:
        days = [row["day"] for row in view.answer("status/days_recorded")]
    stale = stale_receipts(assistant.store, days)
    return sorted({row["day"] for row in stale if row["destination"] in assistant.settings.destinations})
