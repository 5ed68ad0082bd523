"""Issues found by rule, with their frequency and harm, and an identity that lasts from day to day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cpa_core.insights.paths import DropOff, drop_offs
from cpa_core.insights.quality import DealbreakerResult, Effect, dealbreakers, low_score_events
from cpa_core.insights.selection import Kind, Selection
from cpa_core.insights.statistics import ENOUGH, UNKNOWN, Estimate, Rate, difference, rate
from cpa_core.insights.volume import overview
from cpa_core.models import digest

Cause = Literal["event", "path", "dealbreaker"]
State = Literal["new", "growing", "steady", "shrinking", "gone"]

HITS = 5
"""Conversations that must hit a dealbreaker before it is an issue."""


@dataclass(frozen=True)
class Issue:
    """One issue. `id` stays the same from day to day, and if an event type is renamed.

    `cause`: an `event` associated with bad ends, a `path` after which conversations break off, or a `dealbreaker`.
    `kinds` are its event or events in order, `criterion` and `words` its dealbreaker. `met`: the scored conversations
    that have it (for a path: the steps that take it, of all steps). `badness`: by how much more often these end badly
    (a path: end there), at equal length. `impact` is size times badness: the conversations that would have ended better
    (gone on) without it. `state` compares with the days before, null if they have too little data; `met_before` is
    `met` of those days.
    """

    id: str
    cause: Cause
    kinds: tuple[Kind, ...]
    criterion: str
    words: str
    met: Rate
    badness: Estimate
    impact: Estimate
    lift: Estimate
    q_value: float | None
    state: State | None = None
    met_before: Rate | None = None
    most: float = 0.0
    """The share of `met` in the largest unit, 0 to 1: a user, else a conversation."""


@dataclass(frozen=True)
class Candidate:
    """A candidate for an issue, and whether it is one."""

    issue: Issue
    is_found: bool


def issues(now: Selection, before: Selection | None = None) -> tuple[Issue, ...]:
    """Return the issues of a selection, the surest impact first; then earlier issues that are `gone`.

    `before` is the selection of the days to compare with, as `Scope.previous` names them.
    """
    found = {one.issue.id: one for one in _candidates(now)}
    current = sorted((one.issue for one in found.values() if one.is_found), key=_rank)
    if before is None:
        return tuple(current)
    earlier = {one.issue.id: one for one in _candidates(before)}
    if overview(before).scored < ENOUGH:
        return tuple(current)
    followed = [_followed(issue, earlier.get(issue.id)) for issue in current]
    lost = [one.issue for one in earlier.values() if one.is_found and not _is_found(found.get(one.issue.id))]
    gone = [] if overview(now).scored < ENOUGH else [_gone(one, found.get(one.id)) for one in sorted(lost, key=_rank)]
    return tuple(followed + gone)


def _rank(issue: Issue) -> tuple[float, str]:
    return -(issue.impact.low or 0.0), issue.id


def _is_found(one: Candidate | None) -> bool:
    return one is not None and one.is_found


def _followed(issue: Issue, earlier: Candidate | None) -> Issue:
    if earlier is None or not earlier.issue.met.count:
        return replace(issue, state="new", met_before=earlier.issue.met if earlier else None)
    gap = difference(issue.met, earlier.issue.met)
    state: State = "steady"
    if gap.low is not None and gap.low > 0:
        state = "growing"
    if gap.high is not None and gap.high < 0:
        state = "shrinking"
    return replace(issue, state=state, met_before=earlier.issue.met)


def _gone(earlier: Issue, now: Candidate | None) -> Issue:
    """Return an earlier issue with its present `met`."""
    nothing = rate(0, 0)
    return replace(now.issue if now else replace(earlier, met=nothing), state="gone", met_before=earlier.met)


def _candidates(of: Selection) -> Iterator[Candidate]:
    for effect in low_score_events(of):
        yield Candidate(_of_event(of, effect), effect.is_finding)
    for path in drop_offs(of):
        yield Candidate(_of_path(of, path), path.is_finding and not path.ends_well)
    for breaker in dealbreakers(of):
        yield Candidate(_of_dealbreaker(breaker), breaker.hit.is_enough and breaker.hit.count >= HITS)


def _of_event(of: Selection, effect: Effect) -> Issue:
    return Issue(
        id=_identity(of, "event", (effect.kind,)),
        cause="event",
        kinds=(effect.kind,),
        criterion="",
        words="",
        met=effect.met,
        badness=effect.at_equal_length,
        impact=effect.at_equal_length.times(effect.bad_with.of),
        lift=effect.lift,
        q_value=effect.q_value,
        most=effect.bad_with.most,
    )


def _of_path(of: Selection, path: DropOff) -> Issue:
    return Issue(
        id=_identity(of, "path", path.path),
        cause="path",
        kinds=path.path,
        criterion="",
        words="",
        met=path.met,
        badness=path.at_equal_depth,
        impact=path.at_equal_depth.times(path.ended_after.of),
        lift=path.lift,
        q_value=path.q_value,
        most=path.ended_after.most,
    )


def _of_dealbreaker(found: DealbreakerResult) -> Issue:
    hit = found.hit
    size = Estimate(hit.share, hit.low, hit.high).times(hit.of)
    return Issue(
        id=digest(["dealbreaker", found.words or found.criterion])[:12],
        cause="dealbreaker",
        kinds=(),
        criterion=found.criterion,
        words=found.words,
        met=hit,
        badness=Estimate(1.0, 1.0, 1.0),
        impact=size,
        lift=UNKNOWN,
        q_value=None,
        most=found.most,
    )


def keys_of_kinds(of: Selection, kinds: Sequence[Kind]) -> tuple[str, ...]:
    """Return the key of each kind, which survives renames; a kind unknown to every schema has its name and role."""
    return tuple(of.keys.get(kind, f"{kind.event_type}|{kind.role}") for kind in kinds)


def _identity(of: Selection, cause: Cause, kinds: Sequence[Kind]) -> str:
    return digest([cause, *keys_of_kinds(of, kinds)])[:12]
