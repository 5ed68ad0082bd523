"""Every question of the report, answered once, in one consistent view of the store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from cpa_core import insights
from cpa_core.gold.quality import trust
from cpa_core.gold.trust import Trust
from cpa_core.insights import Kind, Selection
from cpa_core.insights.inbox import FollowedIssue, inbox
from cpa_core.insights.statistics import Mean, Rate, UnitSums, bounded_mean, share
from cpa_core.insights.topic_figures import TopicFigures, topic_figures
from cpa_core.insights.volume import MOST_SCORE
from cpa_core.report.behind import Behind, behind
from cpa_core.report.comparing import Comparison
from cpa_core.report.document import MOST_EXAMPLES
from cpa_core.store.database import Row

Unit = Literal["day", "week", "month"]

FLOW_STEPS = 6
"""Messages with events, from a conversation's first, that the flow shows."""

FRICTION_KINDS = 3
"""Kinds of event that count as friction if none is a finding."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of time with its volume."""

    bucket: date
    conversations: int
    users: int
    messages: int
    score: Mean
    bad: Rate


@dataclass(frozen=True)
class Asked:
    """The answers. `unit` is the stretch of time that charts are drawn by."""

    scope: insights.Scope
    compared: Comparison | None
    declared: tuple[Comparison, ...]
    issues: tuple[insights.Issue, ...]
    unit: Unit
    overview: insights.Figures
    stretches: tuple[Stretch, ...]
    mix: tuple[Row, ...]
    flow: tuple[Row, ...]
    events: tuple[insights.EventShare, ...]
    properties: tuple[insights.PropertyValue, ...]
    transitions: tuple[insights.Transition, ...]
    endings: tuple[insights.Ending, ...]
    drop_offs: tuple[insights.DropOff, ...]
    turns: tuple[insights.Turn, ...]
    hours: tuple[insights.Hour, ...]
    lengths: tuple[insights.Length, ...]
    scores: tuple[insights.ScoreBand, ...]
    criteria: tuple[insights.GoalResult, ...]
    dealbreakers: tuple[insights.DealbreakerResult, ...]
    effects: tuple[insights.Effect, ...]
    friction: tuple[insights.FrictionAt, ...]
    returns: insights.Returns
    coverage: tuple[insights.Coverage, ...]
    versions: tuple[insights.Version, ...]
    costs: tuple[insights.Cost, ...]
    failures: tuple[insights.Failed, ...]
    behind: Behind
    kinds: dict[int, Kind]
    trust: tuple[Trust, ...] = ()
    inbox: tuple[FollowedIssue, ...] = ()
    topics: tuple[TopicFigures, ...] = ()

    @property
    def cost(self) -> float | None:
        """Return the cost of asking about all conversations, in US dollars; null if a price is unknown."""
        known = [one.cost for one in self.costs]
        return None if None in known else sum(cost for cost in known if cost is not None)


def unit_of(first: date, last: date) -> Unit:
    """The stretch of time of which at most some fifty fit between two days."""
    days = (last - first) / timedelta(days=1)
    return "day" if days <= 45 else "week" if days <= 380 else "month"


def ask(of: Selection, compared: Comparison | None = None, declared: Sequence[Comparison] = ()) -> Asked:
    """Ask everything about a selection. `compared` and `declared` have been asked before."""
    effects = insights.low_score_events(of)
    friction = friction_kinds(effects)
    unit = unit_of(of.scope.first, of.scope.last)
    issues = insights.issues(of)
    found = behind(of, friction, unit, [one.after.first for one in declared])
    return Asked(
        scope=of.scope,
        compared=compared,
        declared=tuple(declared),
        issues=issues,
        unit=unit,
        overview=insights.overview(of),
        stretches=tuple(_stretch(row) for row in of.view.answer("report/stretches")),
        mix=tuple(of.view.answer("report/mix")),
        flow=tuple(of.view.answer("report/flow", steps=FLOW_STEPS, most=MOST_EXAMPLES)),
        events=insights.events(of),
        properties=insights.properties(of),
        transitions=insights.transitions(of),
        endings=insights.endings(of, 8),
        drop_offs=insights.drop_offs(of),
        turns=insights.turns(of),
        hours=insights.hours(of),
        lengths=insights.lengths(of),
        scores=insights.scores(of),
        criteria=insights.criteria(of),
        dealbreakers=insights.dealbreakers(of),
        effects=effects,
        friction=insights.friction(of, friction),
        returns=insights.returns(of),
        coverage=insights.coverage(of),
        versions=insights.versions(of),
        costs=insights.costs(of),
        failures=insights.failures(of),
        behind=found,
        kinds=of.kinds,
        trust=tuple(_placed(of, trust(of))),
        inbox=inbox(of.view),
        topics=topic_figures(of, issues),
    )


def _placed(of: Selection, labels: Sequence[Trust]) -> Iterator[Trust]:
    """The labels, with the conversations that people read by their places in the report."""
    wanted = sorted({n for one in labels for n in one.places})
    if wanted:
        rows = of.view.answer("report/places_of_sample", wanted=wanted)
        at = {row["n"]: row["place"] for row in rows}
        labels = [replace(one, places=tuple(sorted(at[n] for n in one.places))) for one in labels]
    yield from labels


def friction_kinds(effects: tuple[insights.Effect, ...]) -> list[Kind]:
    """The findings; without any, the kinds that go most with bad ends."""
    found = [effect.kind for effect in effects if effect.is_finding]
    worse = sorted(effects, key=lambda effect: -(effect.difference.value or 0.0))
    return found or [effect.kind for effect in worse if (effect.difference.value or 0.0) > 0][:FRICTION_KINDS]


def _stretch(row: Row) -> Stretch:
    return Stretch(
        bucket=row["bucket"],
        conversations=row["conversations"],
        users=row["users"],
        messages=row["messages"],
        score=bounded_mean(UnitSums(**row["of_score"]), MOST_SCORE),
        bad=share(UnitSums(**row["of_bad"])),
    )
