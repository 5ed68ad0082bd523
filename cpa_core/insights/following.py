"""The life of an issue from day to day: new, growing, steady, shrinking, gone, come back. Pure, from sums by unit.

An issue's figure is its share of harm: the share of all conversations that end badly with it, beyond the rate without
it. Each day compares the last one to seven days with up to 28 before them, in the spell that the issue is in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import sqrt
from typing import Literal

from cpa_core.insights.distributions import t_tails
from cpa_core.insights.statistics import UnitSums

Life = Literal["new", "growing", "steady", "shrinking", "gone", "come back"]
RECENT, REFERENCE = 7, 28
"""Days that a change shows in at most, and days that it is compared with at most."""
CHANCE = 0.0005
"""The significance level of a change: each issue is tested on each day, in seven ways."""
RESIDUE = 0.25
"""An issue is gone below this fraction of its earlier share, and back above it."""

Sums = Mapping["DaySpan", UnitSums]


@dataclass(frozen=True, order=True)
class DaySpan:
    """Days from `first` to `last`, both included."""

    first: date
    last: date


@dataclass(frozen=True)
class IssueStanding:
    """An issue's state at the end of a day.

    `since` is the first day of its spell, present or gone. `told_on` is the day on which that spell was reported, null
    for an issue older than the following. `last_found` is the last day on which it was an issue beyond chance;
    `share_there` its share when it was last present.
    """

    state: Life
    since: date
    told_on: date | None
    last_found: date
    share_there: float | None = None


def first_standing(day: date, *, is_first_day: bool) -> IssueStanding:
    """An issue that was found for the first time; on the first day that is followed, it was there before."""
    if is_first_day:
        return IssueStanding("steady", day - timedelta(days=REFERENCE - 1), None, day)
    return IssueStanding("new", day, day, day)


def spans_of(standing: IssueStanding, day: date, fixed_on: date | None = None) -> list[DaySpan]:
    """The stretches whose sums `next_standing` and `is_back_after_fix` ask for."""
    pairs = [*_pairs(standing.since, day), *_pairs_after_fix(standing, day, fixed_on), _weeks(day)]
    return sorted({one for pair in pairs for one in pair})


def next_standing(before: IssueStanding, day: date, sums: Sums, *, is_found: bool) -> IssueStanding:
    """Return an issue's state at the end of a day. `sums` has the stretches of `spans_of`."""
    last_found = day if is_found else before.last_found
    now = replace(before, last_found=last_found)
    if before.state == "gone":
        return _perhaps_back(now, day, sums, is_found)
    went = _best(sums, _pairs(before.since, day), _is_gone)
    if went:
        recent, earlier = went
        return IssueStanding("gone", recent.first, day, last_found, _share(sums[earlier]))
    if (day - last_found).days >= REFERENCE:
        return IssueStanding("gone", day, day, last_found)
    is_young = before.state in ("new", "come back") and before.told_on and (day - before.told_on).days < RECENT
    return now if is_young else replace(now, state=_trend(before.since, day, sums))


def is_back_after_fix(standing: IssueStanding, day: date, sums: Sums, fixed_on: date) -> bool:
    """Return whether an issue marked as fixed is present after that day, beyond chance: it is back, or never went."""
    if standing.state == "gone" or day <= fixed_on:
        return False
    if standing.state == "come back" and standing.told_on == day:
        return True
    return any(chance_of_more(sums[a], sums[b], RESIDUE) < CHANCE for a, b in _pairs_after_fix(standing, day, fixed_on))


def chance_of_more(one: UnitSums, other: UnitSums, times: float = 1.0) -> float:
    """Return the p-value that the first share is at most `times` the second; 1 if unknown."""
    return _chance(_share(one) - times * _share(other), one, other, times)


def chance_of_less(one: UnitSums, other: UnitSums) -> float:
    """Return the p-value that the first share is at least the second; 1 if unknown."""
    return _chance(_share(other) - _share(one), one, other, 1.0)


def _chance(gap: float, one: UnitSums, other: UnitSums, times: float) -> float:
    """One-sided, by a t distribution. If a stretch has no hit, its variance is at least the other's."""
    if gap <= 0 or one.variance is None or other.variance is None:
        return 1.0
    as_other = times * other.variance * other.effective / one.effective
    variance = max(one.variance, as_other) + times**2 * other.variance
    freedom = max(1.0, min(one.effective, other.effective) - 1)
    return t_tails(gap / sqrt(variance), freedom) / 2 if variance else 0.0


def _perhaps_back(now: IssueStanding, day: date, sums: Sums, is_found: bool) -> IssueStanding:
    least = RESIDUE * (now.share_there or 0.0)
    back = _best(sums, _pairs(now.since, day), lambda a, b: chance_of_more(a, b) if _share(a) >= least else 1.0)
    if back:
        return IssueStanding("come back", back[0].first, day, now.last_found)
    if is_found and (day - now.since).days >= REFERENCE:
        return IssueStanding("come back", day, day, now.last_found)
    return now


def _is_gone(recent: UnitSums, earlier: UnitSums) -> float:
    return chance_of_less(recent, earlier) if _share(recent) <= RESIDUE * _share(earlier) else 1.0


def _trend(since: date, day: date, sums: Sums) -> Life:
    this, last = _weeks(day)
    if last.first < since:
        return "steady"
    if chance_of_more(sums[this], sums[last]) < CHANCE:
        return "growing"
    return "shrinking" if chance_of_less(sums[this], sums[last]) < CHANCE else "steady"


def _best(
    sums: Sums, pairs: Sequence[tuple[DaySpan, DaySpan]], chance: Callable[[UnitSums, UnitSums], float]
) -> tuple[DaySpan, DaySpan] | None:
    """Return the pair of stretches with the lowest p-value; null if none is below CHANCE."""
    chances = [(chance(sums[recent], sums[earlier]), recent, earlier) for recent, earlier in pairs]
    least = min(chances, default=None, key=lambda one: one[0])
    return (least[1], least[2]) if least and least[0] < CHANCE else None


def _pairs(since: date, day: date) -> list[tuple[DaySpan, DaySpan]]:
    """The last one to seven days, each with up to 28 days before them, from `since` on."""
    ends = [day - timedelta(days=length) for length in range(1, RECENT + 1)]
    return [
        (DaySpan(end + timedelta(days=1), day), DaySpan(max(since, end - timedelta(days=REFERENCE - 1)), end))
        for end in ends
        if end >= since
    ]


def _pairs_after_fix(standing: IssueStanding, day: date, fixed_on: date | None) -> list[tuple[DaySpan, DaySpan]]:
    """The days after a fix, the last seven at most, with up to 28 before it in the same spell."""
    if fixed_on is None or standing.state == "gone" or not 0 < (day - fixed_on).days <= REFERENCE:
        return []
    before = fixed_on - timedelta(days=1)
    earlier = DaySpan(max(standing.since, before - timedelta(days=REFERENCE - 1)), before)
    if earlier.first > earlier.last:
        return []
    lengths = range(1, min(RECENT, (day - fixed_on).days) + 1)
    return [(DaySpan(day - timedelta(days=length - 1), day), earlier) for length in lengths]


def _weeks(day: date) -> tuple[DaySpan, DaySpan]:
    this = DaySpan(day - timedelta(days=RECENT - 1), day)
    return this, DaySpan(this.first - timedelta(days=RECENT), this.first - timedelta(days=1))


def last_week(day: date) -> DaySpan:
    """The seven days that end with this one."""
    return _weeks(day)[0]


def _share(of: UnitSums) -> float:
    return of.hits / of.trials if of.trials else 0.0
