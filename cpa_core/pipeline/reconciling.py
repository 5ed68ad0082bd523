"""Reconciling: the events of each day against the receipts for them, to a difference of zero."""

import json
from collections.abc import Sequence
from datetime import date

from cpa_core import selection
from cpa_core.models import JUDGED_EVENT, JUDGED_KEY, Value, event_id
from cpa_core.pipeline.context import Assistant


class Reconciled(Value):
    """One day at one destination. `events` is tags and judgments together, as they stand now.

    `left_out` are not to be sent there and not in `events`. `difference` is how many events have no receipt. `stale`
    counts what was delivered, is no longer true and stays there: events that are no more, and versions from before a
    correction that the vendor does not replace.
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
        judgments = view.rows(
            "select day, conversation_id from judge_scores where outcome = 'ok' and list_contains($days::date[], day)",
            days=list(days),
        )
        judged = [
            {
                "day": str(row["day"]),
                "event_id": event_id(row["conversation_id"], None, JUDGED_KEY),
                "event_type": JUDGED_EVENT,
            }
            for row in judgments
        ]
        rows = view.answer("reconciled", days=list(days), judged=json.dumps(judged), left_out=_left_out(assistant))
    return [Reconciled(**row) for row in rows]


def _left_out(assistant: Assistant) -> str:
    """For each destination the event types and roles that it is not to be sent, as JSON."""
    chosen = selection.load(assistant.settings.delivery_path)
    return json.dumps([{"destination": name, **one.leave_out.model_dump()} for name, one in chosen.items()])


def rejected_days(assistant: Assistant) -> list[date]:
    """Days of which a destination in use rejected events."""
    with assistant.store.reading() as view:
        rows = view.answer("rejected_days", destinations=list(assistant.settings.destinations))
    return [row["day"] for row in rows]
