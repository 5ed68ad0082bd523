"""The contents of conversations: events, their properties, and their order."""

from dataclasses import dataclass
from datetime import date

from cpa_core.insights.selection import Kind, Selection
from cpa_core.insights.statistics import Rate, UnitSums, share
from cpa_core.store.database import Row


@dataclass(frozen=True)
class EventCount:
    """How often a kind of event happened, and in how many conversations; on `day`, or in all when that is null."""

    day: date | None
    kind: Kind
    events: int
    conversations: int
    bad: Rate
    """Of the scored conversations with it."""


@dataclass(frozen=True)
class EventShare:
    """A kind of event: how often, in how many of the tagged conversations, and how they ended."""

    kind: Kind
    events: int
    conversations: Rate
    bad: Rate


@dataclass(frozen=True)
class PropertyValue:
    """A value of a property of a kind of event, as a share of that property's. Null: text that is no choice."""

    kind: Kind
    property: str
    value: str | None
    events: Rate


@dataclass(frozen=True)
class Transition:
    """One event after another, as a share of what follows the first. Null is the beginning or the end."""

    earlier: Kind | None
    later: Kind | None
    times: Rate


def event_mix(of: Selection) -> tuple[EventCount, ...]:
    """The events of each day, most frequent first."""
    return tuple(
        EventCount(row["day"], _kind(row), row["events"], row["conversations"], share(UnitSums(**row["of_bad"])))
        for row in of.answer("event_mix", by_day=True)
    )


def events(of: Selection) -> tuple[EventShare, ...]:
    """The kinds of event in all, most frequent first."""
    return tuple(
        EventShare(_kind(row), row["events"], share(UnitSums(**row["of_tagged"])), share(UnitSums(**row["of_bad"])))
        for row in of.answer("event_mix", by_day=False)
    )


def properties(of: Selection) -> tuple[PropertyValue, ...]:
    """The values of the properties of each kind of event, most frequent first."""
    return tuple(
        PropertyValue(_kind(row), row["property"], row["value"], share(UnitSums(**row["of_events"])))
        for row in of.answer("properties", by_day=False)
    )


def transitions(of: Selection) -> tuple[Transition, ...]:
    """The matrix of consecutive events, most frequent first. Events of one message are in the order of their quotes."""
    return tuple(
        Transition(_end(row, "from"), _end(row, "to"), share(UnitSums(**row["of_times"])))
        for row in of.answer("transitions", by_day=False)
    )


def _kind(row: Row) -> Kind:
    return Kind(row["role"], row["event_type"])


def _end(row: Row, side: str) -> Kind | None:
    return Kind(row[f"{side}_role"], row[f"{side}_event"]) if row[f"{side}_event"] else None
