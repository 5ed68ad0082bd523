"""Reconciling: the events of each day against the receipts for them, to a difference of zero."""

import json
from collections.abc import Sequence
from datetime import date

from cpa_core.models import JUDGED_KEY, Value, event_id
from cpa_core.pipeline.context import Assistant


class Reconciled(Value):
    """One day at one destination. `events` is tags and judgments together, as they stand now.

    `difference` is how many of them have no receipt. `stale` counts what was delivered, is no longer true and stays
    there: events that are no more, and versions from before a correction that the vendor does not replace.
    """

    day: date
    destination: str
    project: str
    events: int
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
            {"day": str(row["day"]), "event_id": event_id(row["conversation_id"], None, JUDGED_KEY)}
            for row in judgments
        ]
        rows = view.answer("reconciled", days=list(days), judged=json.dumps(judged))
    return [Reconciled(**row) for row in rows]


def rejected_days(assistant: Assistant) -> list[date]:
    """Days of which a destination in use rejected events."""
    with assistant.store.reading() as view:
        rows = view.answer("rejected_days", destinations=list(assistant.settings.destinations))
    return [row["day"] for row in rows]
