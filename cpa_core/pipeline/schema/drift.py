"""Drift of days: the rates of messages that the schema does not cover, and of each type, against earlier days."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from cpa_core.insights.drift import Measured, Share, measured
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store import Store
from cpa_core.store.database import Transaction

LOOKED_BACK = timedelta(days=90)
"""The time in which earlier days are searched: an assistant that rests at weekends has 28 of them in less."""

NO_EVENT, NOT_APPLICABLE = "no event", "not applicable"
"""How the names of the measures begin that are no type's, in `schema/daily_shares`."""


class Drift(Value):
    """A measure of a day that a usual day would not have, and conversations of that day in which it shows."""

    measured: Measured
    examples: tuple[str, ...]


def measures_of(store: Store, day: date) -> list[Measured]:
    """Return every measure of a day against the earlier days that the same version of the schema tagged.

    Another version counts differently, so the first week of a version has no measure.
    """
    with store.reading() as view:
        return _measures(view, [day]).get(day, [])


def _measures(view: Transaction, days: Sequence[date]) -> dict[date, list[Measured]]:
    """The measures of each day. All days of a version are read at once."""
    by_version: defaultdict[str, list[date]] = defaultdict(list)
    for day in days:
        for row in view.answer("schema/version_of_day", day=day):
            by_version[row["version"]].append(day)
    found: dict[date, list[Measured]] = {}
    for version, of_version in by_version.items():
        span = {"first": min(of_version) - LOOKED_BACK, "last": max(of_version)}
        histories: defaultdict[str, list[Share]] = defaultdict(list)
        for row in view.answer("schema/daily_shares", version=version, **span):
            histories[row["name"]].append(Share(day=row["day"], hits=row["hits"], trials=row["trials"]))
        for day in of_version:
            seen = _seen_on(day, histories)
            found[day] = measured(seen, day, leading=[name for name in seen if name.startswith(NO_EVENT)])
    return found


def _seen_on(day: date, histories: Mapping[str, Sequence[Share]]) -> dict[str, Sequence[Share]]:
    """Return the shares up to a day by name, without types that no message had in that time. All are in order."""
    seen: dict[str, Sequence[Share]] = {}
    for name, shares in histories.items():
        first = bisect_left(shares, day - LOOKED_BACK, key=lambda share: share.day)
        window = shares[first : bisect_right(shares, day, key=lambda share: share.day)]
        if name.startswith((NO_EVENT, NOT_APPLICABLE)) or any(share.hits for share in window):
            seen[name] = window
    return seen


def drift(assistant: Assistant, days: Sequence[date]) -> list[Drift]:
    """Return the drifts of these days, each with at most five conversation ids."""
    if not days:
        return []
    with assistant.store.reading() as view:
        measures = _measures(view, days)
        return [
            Drift(measured=one, examples=tuple(_examples(view, one)))
            for day in days
            for one in measures.get(day, ())
            if one.is_out
        ]


def _examples(view: Transaction, one: Measured) -> Iterator[str]:
    for row in view.answer("schema/drift_examples", day=one.day, name=one.name):
        yield row["conversation_id"]
