"""Volume: conversations, users, messages and events, by day, hour, turn and length."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from cpa_core.insights.selection import Selection
from cpa_core.insights.statistics import Basis, Mean, Rate, UnitSums, bounded_mean, mean, share
from cpa_core.store.database import Row


@dataclass(frozen=True)
class Figures:
    """The volume in all, or of a day. Rates are shares of the conversations that have a score."""

    conversations: int
    users: int
    messages: int
    messages_per_conversation: Mean
    events: int
    tagged: int
    judged: int
    scored: int
    score: Mean
    good: Rate
    bad: Rate
    with_dealbreaker: Rate
    """Of the judged conversations."""

    @property
    def basis(self) -> Basis:
        """Return the units of its intervals."""
        return self.messages_per_conversation.basis or Basis(self.conversations, 0)


@dataclass(frozen=True)
class DayFigures:
    """The volume of a day."""

    day: date
    figures: Figures


@dataclass(frozen=True)
class Turn:
    """A turn is a message of the user. `ended` are conversations with no later one, of those that `reached` it."""

    turn: int
    reached: int
    ended: Rate
    bad: Rate
    """Of the scored conversations that ended at this turn."""


@dataclass(frozen=True)
class Hour:
    """Conversations that began in an hour of a weekday (1 is Monday), in the home's time zone."""

    weekday: int
    hour: int
    conversations: int
    bad: Rate


@dataclass(frozen=True)
class Length:
    """Conversations of `messages_from` to `messages_to` messages; the last band has no upper end."""

    messages_from: int
    messages_to: int | None
    conversations: int
    bad: Rate
    median_minutes: float | None


MOST_SCORE = 100.0
"""A score is from 0 to this."""

BANDS = (1, 3, 5, 7, 10, 15, 20, 30, 50)
"""The lower bounds of the bands of length, in messages."""


def overview(of: Selection) -> Figures:
    """Return the volume in all."""
    return _figures(totals(of))


def totals(of: Selection) -> Row:
    """The sums of the volume in all."""
    return of.once(_totals)


def _totals(of: Selection) -> Row:
    return of.answer("overview")[0]


def days(of: Selection) -> tuple[DayFigures, ...]:
    """Return the volume of each day with conversations, in order."""
    return tuple(DayFigures(row["day"], _figures(row)) for row in of.answer("days"))


def _figures(row: Row) -> Figures:
    count: dict[str, Any] = row
    return Figures(
        **{
            name: count[name] for name in ("conversations", "users", "messages", "events", "tagged", "judged", "scored")
        },
        messages_per_conversation=mean(UnitSums(**count["of_messages"])),
        score=bounded_mean(UnitSums(**count["of_score"]), MOST_SCORE),
        good=share(UnitSums(**count["of_good"])),
        bad=share(UnitSums(**count["of_bad"])),
        with_dealbreaker=share(UnitSums(**count["of_dealbreaker"])),
    )


def turns(of: Selection) -> tuple[Turn, ...]:
    """The turns after which conversations ended, in order; turn 0 is a conversation without a message of the user."""
    rows = of.answer("turns", by_day=False)
    found: list[Turn] = []
    for row in rows:
        ended = share(UnitSums(**row["of_reached"]))
        found.append(Turn(row["turns"], ended.of, ended, share(UnitSums(**row["of_bad"]))))
    return tuple(found)


def hours(of: Selection) -> tuple[Hour, ...]:
    """The hours of the week in which conversations began. Conversations whose times are assumed are left out."""
    rows = of.answer("hours", zone=of.timezone)
    return tuple(
        Hour(row["weekday"], row["hour"], row["conversations"], share(UnitSums(**row["of_bad"]))) for row in rows
    )


def lengths(of: Selection) -> tuple[Length, ...]:
    """The bands of length, in order."""
    ends = dict(zip(BANDS, [*(one - 1 for one in BANDS[1:]), None], strict=True))
    return tuple(
        Length(
            messages_from=row["length_from"],
            messages_to=ends[row["length_from"]],
            conversations=row["conversations"],
            bad=share(UnitSums(**row["of_bad"])),
            median_minutes=row["median_minutes"],
        )
        for row in of.answer("lengths")
    )
