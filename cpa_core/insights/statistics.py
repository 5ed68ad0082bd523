"""Intervals, tests and corrections, from sums by unit alone; `distributions` has the quantiles that they use.

The unit is independent of other units: a user, else a conversation. Every figure is a ratio of two sums over units, and
its variance comes from leaving one unit out at a time (the jackknife). docs/decisions gives the reasons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import erfc, exp, fsum, inf, sqrt
from typing import Literal

from cpa_core.insights.distributions import clopper_pearson, t_quantile, t_tails, wilson

ENOUGH = 50
"""Conversations below which a figure is uncertain: it is flagged, and makes no finding."""

ENOUGH_UNITS = 15
"""Effective units below which the same applies: the second bound of enough data."""

MUCH = 0.2
"""The part of a finding from which on one user's share of it is named."""

FEW = 2.0
"""The power by which fewer findings are expected among causes of bad ends: a product has few of some hundred."""


@dataclass(frozen=True)
class Basis:
    """The units of a figure: users, and each of the selection's conversations without a user."""

    conversations: int
    with_user: int

    @property
    def unit(self) -> Literal["user", "conversation"]:
        """The unit: the user, where any conversation has one."""
        return "user" if self.with_user else "conversation"

    @property
    def is_mixed(self) -> bool:
        """Whether fewer than nine tenths of the conversations have a user, but some have."""
        return 0 < self.with_user < 0.9 * self.conversations


@dataclass(frozen=True)
class UnitSums:
    """Sums over the units with trials, from which a ratio `hits / trials`, its interval and its tests are computed.

    `hit_squares`, `products` and `trial_squares` are the sums over units of hits², hits x trials and trials²;
    `most_hits` and `most_trials` those of the largest unit. `variance` is the jackknife's of the ratio, null with
    fewer than two units.
    """

    hits: float
    trials: float
    units: int
    conversations: int
    hit_squares: float
    products: float
    trial_squares: float
    most_hits: float
    most_trials: float
    variance: float | None
    basis: Mapping[str, int] | None = None

    @property
    def effective(self) -> float:
        """Return the effective number of units of equal size (Kish): (sum of trials)² / sum of trials²."""
        return self.trials**2 / self.trial_squares if self.trial_squares else 0.0

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance: the effective units less one, at least one."""
        return max(1.0, self.effective - 1)

    def squares_about(self, ratio: float) -> float:
        """The sum over units of (hits - ratio x trials)²."""
        return max(0.0, self.hit_squares - 2 * ratio * self.products + ratio * ratio * self.trial_squares)


def unit_sums(parts: Iterable[tuple[float, float]], conversations: int | None = None) -> UnitSums:
    """The sums of units given as (hits, trials); units without trials are left out. SQL does the same, in `by_unit`.

    `conversations` is how many the trials come from; without it, as many as there are trials.
    """
    used = [(hits, trials) for hits, trials in parts if trials]
    hits, trials = sum(one for one, _ in used), sum(one for _, one in used)
    left = [] if len(used) < 2 else [(hits - a) / (trials - b) for a, b in used]
    return UnitSums(
        hits=hits,
        trials=trials,
        units=len(used),
        conversations=round(trials) if conversations is None else conversations,
        hit_squares=sum(a * a for a, _ in used),
        products=sum(a * b for a, b in used),
        trial_squares=sum(b * b for _, b in used),
        most_hits=max((a for a, _ in used), default=0),
        most_trials=max((b for _, b in used), default=0),
        variance=jackknife(left),
    )


def jackknife(left_out: Sequence[float]) -> float | None:
    """The variance of an estimate from its values with each unit left out in turn; null with fewer than two.

    (n - 1) / n x the sum of squares about their mean (Efron and Stein, Annals of Statistics 9, 1981).
    """
    count = len(left_out)
    if count < 2:
        return None
    middle = fsum(left_out) / count
    return (count - 1) / count * fsum((one - middle) ** 2 for one in left_out)


def effective_size(share: float, variance: float) -> float:
    """Return the number of independent cases that give a share this variance; 0 if unknown."""
    return share * (1 - share) / variance if variance > 0 and 0 < share < 1 else 0.0


def share_interval(
    share: float, variance: float | None, of: UnitSums, most: float
) -> tuple[float | None, float | None]:
    """The interval of a share whose variance over units is known: Wilson's with t at the effective size.

    At 0 and 1 it is Clopper and Pearson's at the effective units. If the units do not differ, they count as the cases;
    `most` bounds the effective size. Null with fewer than two units.
    """
    if variance is None:
        return None, None
    if share <= 0 or share >= 1:
        return clopper_pearson(of.effective if share >= 1 else 0, of.effective)
    size = min(most, effective_size(share, variance) or of.effective)
    return wilson(share, size, t_quantile(of.freedom))


@dataclass(frozen=True)
class Rate:
    """A share of `of` with its interval of 95 %, 0 to 1; null if unknown.

    `conversations` is the number it is based on, `units` the effective number of independent units of equal size, and
    `most` the share of `of` in the largest unit. `basis` is null if there is no unit.
    """

    count: int
    of: int
    share: float | None
    low: float | None
    high: float | None
    conversations: int
    units: float
    most: float = 0.0
    basis: Basis | None = None

    @property
    def is_enough(self) -> bool:
        """Whether the share stands on enough conversations and on enough units."""
        return is_enough(self.conversations, self.units)


@dataclass(frozen=True)
class Mean:
    """A mean with its interval of 95 %; null without values, the interval null with fewer than two units."""

    of: int
    mean: float | None
    low: float | None
    high: float | None
    units: float
    basis: Basis | None = None

    @property
    def is_enough(self) -> bool:
        """Whether the mean stands on enough conversations and on enough units."""
        return is_enough(self.of, self.units)


def is_enough(conversations: int, units: float) -> bool:
    """Return whether a figure of these conversations and effective units is shown as certain."""
    return conversations >= ENOUGH and units >= ENOUGH_UNITS - 1e-9


@dataclass(frozen=True)
class Estimate:
    """A value with its interval of 95 %; null if unknown. One end alone is null if the interval is open there."""

    value: float | None
    low: float | None
    high: float | None

    def times(self, factor: float) -> "Estimate":
        """The same, scaled by a factor that is not negative."""
        return Estimate(*(None if one is None else one * factor for one in (self.value, self.low, self.high)))

    def within(self, most: float) -> "Estimate":
        """Return the estimate with its interval cut to -most..most, the range of a difference of two such figures."""
        low, high = (None if one is None else min(most, max(-most, one)) for one in (self.low, self.high))
        return Estimate(self.value, low, high)


UNKNOWN = Estimate(None, None, None)


def share(of: UnitSums) -> Rate:
    """The share of hits in trials, with its interval by unit. Trials are all counted cases."""
    count, trials = round(of.hits), round(of.trials)
    if not trials:
        return Rate(count, trials, None, None, None, of.conversations, 0.0, basis=_basis(of))
    value = of.hits / of.trials
    low, high = share_interval(value, of.variance, of, of.trials)
    return Rate(count, trials, value, low, high, of.conversations, of.effective, of.most_trials / of.trials, _basis(of))


def _basis(of: UnitSums) -> Basis | None:
    return Basis(**of.basis) if of.basis else None


def rate(count: int, of: int) -> Rate:
    """A share of cases that are independent of each other, or of all that there are, with Wilson's interval."""
    if of == 0:
        return Rate(count, of, None, None, None, 0, 0.0)
    low, high = wilson(count / of, of)
    return Rate(count, of, count / of, low if count else 0.0, high if count < of else 1.0, of, of, 1 / of)


def mean(of: UnitSums) -> Mean:
    """The mean of values without bounds, with its t interval by unit."""
    found = ratio(of)
    return Mean(round(of.trials), found.value, found.low, found.high, of.effective, _basis(of))


def bounded_mean(of: UnitSums, most: float) -> Mean:
    """The mean of values from 0 to `most`, with an interval by unit that stays within these: Wilson's."""
    if not of.trials:
        return Mean(0, None, None, None, 0.0, _basis(of))
    value = of.hits / of.trials
    variance = None if of.variance is None else of.variance / most**2
    ends = share_interval(value / most, variance, of, inf)
    low, high = (None if end is None else end * most for end in ends)
    return Mean(round(of.trials), value, low, high, of.effective, _basis(of))


def ratio(of: UnitSums) -> Estimate:
    """Hits over trials with a t interval at the effective units; the interval null with fewer than two units."""
    if not of.trials:
        return UNKNOWN
    value = of.hits / of.trials
    if of.variance is None:
        return Estimate(value, None, None)
    half = t_quantile(of.freedom) * sqrt(of.variance)
    return Estimate(value, value - half, value + half)


def ratio_difference(one: UnitSums, other: UnitSums) -> Estimate:
    """The first ratio less the second, of different units, with Welch's t interval; unknown with one unit in either."""
    if one.variance is None or other.variance is None:
        return UNKNOWN
    value = one.hits / one.trials - other.hits / other.trials
    both = one.variance + other.variance
    if not both:
        return Estimate(value, value, value)
    half = t_quantile(both**2 / (one.variance**2 / one.freedom + other.variance**2 / other.freedom)) * sqrt(both)
    return Estimate(value, value - half, value + half)


def difference(one: Rate, other: Rate) -> Estimate:
    """The first share less the second, of different cases: Newcombe's hybrid of the two intervals (1998, method 10)."""
    if one.share is None or one.low is None or one.high is None:
        return UNKNOWN
    if other.share is None or other.low is None or other.high is None:
        return UNKNOWN
    value = one.share - other.share
    below = sqrt((one.share - one.low) ** 2 + (other.high - other.share) ** 2)
    above = sqrt((one.high - one.share) ** 2 + (other.share - other.low) ** 2)
    return Estimate(value, value - below, value + above)


def lift(one: UnitSums, other: UnitSums) -> Estimate:
    """The first share as a multiple of the second, with Katz's interval on the logarithm at the effective sizes.

    If one share has no case, the interval adds half a case to each. It begins at zero if that is the first. If it is
    the second, the multiple has no upper end, which is null: it is at least the lower end. Unknown if both have none.
    """
    if not one.trials or not other.trials or not one.hits + other.hits:
        return UNKNOWN
    value = (one.hits / one.trials) / (other.hits / other.trials) if other.hits else None
    if one.variance is None or other.variance is None:
        return Estimate(value, None, None)
    (a, n), (b, m) = _cases(one), _cases(other)
    if not one.hits or not other.hits:
        a, n, b, m = a + 0.5, n + 0.5, b + 0.5, m + 0.5
    half = t_quantile(min(one.freedom, other.freedom)) * sqrt(max(0.0, 1 / a - 1 / n + 1 / b - 1 / m))
    multiple = (a / n) / (b / m)
    high = multiple * exp(half) if other.hits else None
    return Estimate(value, multiple * exp(-half) if one.hits else 0.0, high)


def _cases(of: UnitSums) -> tuple[float, float]:
    """A share as hits and trials of independent cases that would be as sure."""
    share = of.hits / of.trials
    size = min(of.trials, effective_size(share, of.variance or 0.0) or of.effective)
    return share * size, size


def change_chance(one: UnitSums, other: UnitSums) -> float | None:
    """Return the p-value of the difference of two ratios of different units; null if unknown."""
    trials = one.trials + other.trials
    if not one.trials or not other.trials:
        return None
    same = (one.hits + other.hits) / trials
    squares = (other.trials / trials) ** 2 * one.squares_about(same)
    squares += (one.trials / trials) ** 2 * other.squares_about(same)
    return score_chance((one.hits * other.trials - other.hits * one.trials) / trials, squares)


def ratio_chance(of: UnitSums) -> float | None:
    """Return the p-value of a ratio, if it is zero: Student's t at the effective units; null if unknown.

    The error is the jackknife's. A unit that makes the ratio alone also makes its error alone, and decides nothing.
    """
    if not of.trials or of.variance is None:
        return None
    if not of.variance:
        return score_chance(of.hits, of.hit_squares)
    return t_tails(of.hits / of.trials / sqrt(of.variance), of.freedom)


def excess_chance(of: UnitSums) -> float | None:
    """Return the one-sided p-value that a ratio is not above zero, from that of `ratio_chance`; null if unknown."""
    chance = ratio_chance(of)
    return None if chance is None else chance / 2 if of.hits > 0 else 1 - chance / 2


def score_chance(total: float, squares: float) -> float | None:
    """Return the p-value of a sum over units, if each unit's part is zero on average; null if unknown.

    `squares` is the sum of the squared parts: the variance under no difference, which one unit cannot make small.
    """
    return erfc(abs(total) / sqrt(2 * squares)) if squares > 0 else None


def corrected(chances: Sequence[float], few: float = 1.0) -> list[float]:
    """The same chances after a correction for their number, whatever their dependence: shares of false findings.

    Blanchard and Roquain's (2008, Electronic Journal of Statistics 2), where k findings are expected with a weight of
    1 / k to the power `few`. 1 is Benjamini and Yekutieli's; FEW is stricter on many findings and milder on the first.
    """
    count = len(chances)
    weights = [rank**-few for rank in range(1, count + 1)]
    found, least = [1.0] * count, 1.0
    whole, reach = fsum(weights), fsum(rank * weight for rank, weight in enumerate(weights, 1))
    for rank, at in reversed(list(enumerate(sorted(range(count), key=chances.__getitem__), 1))):
        least = min(least, chances[at] * count * whole / reach)
        found[at] = least
        reach -= rank * weights[rank - 1]
    return found
