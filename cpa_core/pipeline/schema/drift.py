"""Drift of days: the rates of messages that the schema does not cover, and of each type, against earlier days."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

from cpa_core.insights.drift import Measured, Share, measured
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store import Store

LOOKED_BACK = timedelta(days=90)
"""The time in which earlier days are searched: an assistant that rests at weekends has 28 of them in less."""


class Drift(Value):
    """A measure of a day that a usual day would not have, and conversations of that day in which it shows."""

    measured: Measured
    examples: tuple[str, ...]


def measures_of(store: Store, day: date) -> list[Measured]:
    """Return every measure of a day against the earlier days that the same version of the schema tagged.

    Another version counts differently, so the first week of a version has no measure.
    """
    with store.reading() as view:
        versions = view.answer(
            "schema/version_of_day",
            day=day,
        )
        span = {"first": day - LOOKED_BACK, "last": day}
        rows = view.answer("schema/daily_shares", version=versions[0]["version"], **span) if versions else []
    histories: defaultdict[str, list[Share]] = defaultdict(list)
    for row in rows:
        histories[row["name"]].append(Share(day=row["day"], hits=row["hits"], trials=row["trials"]))
    return measured(histories, day, leading=[name for name in histories if name.startswith("no event")])


def drift(assistant: Assistant, days: Sequence[date]) -> list[Drift]:
    """Return the drifts of these days, each with at most five conversation ids."""
    found: list[Drift] = []
    for day in days:
        for one in measures_of(assistant.store, day):
            if one.is_out:
                with assistant.store.reading() as view:
                    rows = view.answer("schema/drift_examples", day=day, name=one.name)
                found.append(Drift(measured=one, examples=tuple(row["conversation_id"] for row in rows)))
    return found
