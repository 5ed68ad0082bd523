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
from cpa_core.store.database import Row, as_json

Unit = Literal["day", "week", "month"]

FLOW_STEPS = 6
"""Messages with events, from a conversation's first, that the flow shows."""

KEPT = ("conversations", "users", "messages")
"""Counts of a stretch that add up."""
ADDED = ("hits", "trials", "units", "conversations", "hit_squares", "products", "trial_squares")
"""Sums over units that add up."""

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
    topic_groups: tuple[TopicFigures, ...] = ()
    intents: tuple[insights.IntentOutcome, ...] = ()
    kept_days: int = 0
    """Days of which only sums are left; they are in the charts over time alone."""

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
    kept = _kept_days(of)
    unit = unit_of(min([of.scope.first, *kept]), of.scope.last)
    issues = insights.issues(of)
    found = behind(of, friction, unit, [one.after.first for one in declared])
    return Asked(
        scope=of.scope,
        compared=compared,
        declared=tuple(declared),
        issues=issues,
        unit=unit,
        overview=insights.overview(of),
        stretches=tuple(_stretch(row) for row in _with_kept(of, kept, unit)),
        mix=(*_kept(of, kept, "report/kept_mix", unit), *of.view.answer("report/mix")),
        kept_days=len(kept),
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
        topic_groups=topic_figures(of, issues, by_group=True),
        intents=insights.intent_outcomes(of),
    )


def _kept_days(of: Selection) -> list[date]:
    """The days of the range of which only sums are left; none where the range is filtered."""
    before, scope = of.sums_only_before, of.scope
    if before is None or scope != insights.Scope(scope.first, scope.last):
        return []
    rows = of.view.answer("report/kept_days", before=before, first=scope.first, last=scope.last)
    return [row["day"] for row in rows]


def _kept(of: Selection, days: Sequence[date], question: str, unit: Unit) -> list[Row]:
    return of.view.answer(question, days=as_json(map(str, days)), unit=unit) if days else []


def _with_kept(of: Selection, days: Sequence[date], unit: Unit) -> Iterator[Row]:
    """The rows of the stretches, in order, with what is left of conversations that were removed for their age."""
    rows = {row["bucket"]: row for row in of.view.answer("report/stretches")}
    for old in _kept(of, days, "report/kept_stretches", unit):
        here = rows.get(old["bucket"])
        rows[old["bucket"]] = _added(here, old) if here else old | _sums_alone(old)
    yield from (rows[bucket] for bucket in sorted(rows))


def _sums_alone(old: Row) -> Row:
    """The scores of conversations of which only sums are left; no interval, for sums do not say who came back."""
    scored = old["scored"]
    common = {"trials": scored, "units": scored, "conversations": scored, "trial_squares": scored, "variance": None}
    scores = {"hits": old["score_sum"], "hit_squares": old["score_squares"], "products": old["score_sum"]}
    bad = {"hits": old["bad"], "hit_squares": old["bad"], "products": old["bad"]}
    return {
        "of_score": common | scores | {"most_hits": MOST_SCORE, "most_trials": 1},
        "of_bad": common | bad | {"most_hits": 1, "most_trials": 1},
    }


def _added(here: Row, old: Row) -> Row:
    """A stretch with conversations of both kinds."""
    counts = {name: here[name] + old[name] for name in KEPT}
    ratios = {
        name: here[name] | {key: here[name][key] + ratio[key] for key in ADDED} | {"variance": None}
        for name, ratio in _sums_alone(old).items()
    }
    return here | counts | ratios


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
