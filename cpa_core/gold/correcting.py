"""Rates corrected by people's labels, with intervals, from the sums of each unit: a user or a conversation.

Prediction-powered inference with a tuned weight (PPI++; Angelopoulos, Duchi and Zrnic 2023), on totals of units and
with the jackknife over units, because events of one conversation and conversations of one user come in clusters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, sqrt

from cpa_core.insights import Estimate
from cpa_core.insights.distributions import clopper_pearson, t_quantile, wilson
from cpa_core.insights.statistics import effective_size, jackknife

LEAST_CONVERSATIONS = 30
"""Labelled conversations below which no rate is corrected."""

LEAST_POSITIVES = 10
"""Labelled positives below which no rate is corrected."""

LEAST_DIFFERENCE = 0.02
"""Least excess of sensitivity over the false-positive rate at which a tagger's errors can be inverted."""

MOST_WEIGHT = 2.0
"""The most that a tag counts in a corrected rate: a tagger that finds half of a label has a slope of 2."""

ROUNDING = 1e-20
"""A variance up to which differences between units are those of rounding."""


@dataclass(frozen=True)
class GoldUnit:
    """Counts of people and the tagger in one unit: `gold` of `gold_of`, `tagged` of `tagged_of`, `both` agreed on.

    For a rate of messages these are events and messages; for a verdict `gold_of` and `tagged_of` are 1. If chances of
    selection differ, each conversation's numbers are divided by its chance before they are added.
    """

    gold: float
    gold_of: float
    tagged: float
    tagged_of: float
    both: float = 0.0


@dataclass(frozen=True)
class CorrectedRate:
    """A corrected share with its interval of 95 %, and the variance of the share.

    `is_bound` means that the units show nothing that varies: no positive, only positives, or no difference between
    people and tagger. The interval is then Clopper and Pearson's bound on what the other units may hold.
    """

    value: float
    low: float
    high: float
    variance: float
    units: int
    is_bound: bool = False

    @property
    def estimate(self) -> Estimate:
        """The share with its interval."""
        return Estimate(self.value, self.low, self.high)


def corrected_rate(units: Sequence[GoldUnit], tagged_share: float, *, sampled: float = 0.0) -> CorrectedRate | None:
    """Return the share in a population of which the tagger counts `tagged_share`; the units are a random sample of it.

    `sampled` is the sampled share of the population, 0 to 1. Null with fewer than two units or without any item.
    """
    doubt = _slope_variance(units)
    return _jackknifed(units, lambda sums: _tuned(sums, tagged_share, doubt), sampled)


def gold_rate(units: Sequence[GoldUnit], *, sampled: float = 0.0) -> CorrectedRate | None:
    """The share by people's labels alone, from the same units."""
    return _jackknifed(units, lambda sums: _share(sums[0], sums[1]), sampled)


Sums = tuple[float, ...]


def _terms(unit: GoldUnit) -> Sums:
    y, m, f, k = unit.gold, unit.gold_of, unit.tagged, unit.tagged_of
    each = 1 / _size(unit)
    return y, m, f, k, *(one * each for one in (y * f, y * k, m * f, m * k, f * f, f * k, k * k))


def _size(unit: GoldUnit) -> float:
    return max(unit.gold_of, unit.tagged_of)


def _tuned(sums: Sums, tagged_share: float, doubt: float) -> float | None:
    """Return people's share, moved by the tagger's from the sample's to the population's, times a weight.

    The weight is the slope, as far as it is surely another than 1: `doubt` is the variance of the slope.
    """
    y, m, f, k = sums[:4]
    if m <= 0 or k <= 0:
        return None
    slope = _slope(sums)
    weight = 0.0 if slope is None else min(MOST_WEIGHT, max(0.0, _towards_one(slope, doubt)))
    return y / m + weight * (tagged_share - f / k)


def _slope(sums: Sums) -> float | None:
    """Return the slope of people's counts on the tagger's, both less what their shares lead to expect, by 1 / items."""
    y, m, f, k, yf, yk, mf, mk, ff, fk, kk = sums
    by_people, by_tagger = y / m, f / k
    together = yf - by_tagger * yk - by_people * mf + by_people * by_tagger * mk
    own = ff - 2 * by_tagger * fk + by_tagger * by_tagger * kk
    return together / own if own > 1e-12 else None


def _towards_one(slope: float, variance: float) -> float:
    """Return the slope, moved towards 1 by the factor that has the least mean square error if the slope is right."""
    away = slope - 1
    return 1 + away**3 / (away**2 + variance) if away else 1.0


def _slope_variance(units: Sequence[GoldUnit]) -> float:
    """Return the variance of the slope over units (the sandwich estimate); 0 if there is no slope."""
    used = [unit for unit in units if _size(unit) > 0]
    totals = tuple(map(sum, zip(*map(_terms, used), strict=True)))
    slope = _slope(totals) if used and totals[1] > 0 and totals[3] > 0 else None
    if slope is None:
        return 0.0
    by_people, by_tagger = totals[0] / totals[1], totals[2] / totals[3]
    squares = parts = 0.0
    for unit in used:
        own = unit.tagged - by_tagger * unit.tagged_of
        left = unit.gold - by_people * unit.gold_of - slope * own
        squares += (own * left / _size(unit)) ** 2
        parts += own * own / _size(unit)
    return squares / parts**2


def _share(count: float, of: float) -> float | None:
    return count / of if of > 0 else None


def _jackknifed(
    units: Sequence[GoldUnit], share: Callable[[Sums], float | None], sampled: float
) -> CorrectedRate | None:
    """A share from sums of units, with the interval from leaving out one unit at a time."""
    terms = [_terms(unit) for unit in units if _size(unit) > 0]
    totals = tuple(map(sum, zip(*terms, strict=True)))
    value = share(totals) if len(terms) > 1 else None
    if value is None:
        return None
    without = [share(tuple(a - b for a, b in zip(totals, one, strict=True))) for one in terms]
    known = [one for one in without if one is not None]
    if len(known) < len(terms):
        return None
    unread = max(0.0, 1 - sampled)
    variance = (jackknife(known) or 0.0) * unread
    variance = variance if variance > ROUNDING else 0.0
    is_seen = 0 < totals[0] < totals[1]
    if is_seen and not variance and 0 <= value <= 1:
        return _agreed(value, _unseen(independent_items(units)) * unread, len(known))
    return interval(value, variance, len(known), is_seen=is_seen, unread=unread)


def _agreed(value: float, most: float, units: int) -> CorrectedRate:
    """A share on which people and tagger agree in every unit; in the others they may differ by `most`."""
    spread = (most / t_quantile(units - 1)) ** 2
    return CorrectedRate(value, max(0.0, value - most), min(1.0, value + most), spread, units, is_bound=True)


def _unseen(items: float) -> float:
    """The largest share that something may have which none of so many independent items has."""
    return clopper_pearson(0, items)[1]


def independent_items(units: Sequence[GoldUnit]) -> float:
    """Return as how many independent items the units count, by how the label clusters in them; at least as the units.

    Errors of a tagger are taken to cluster no more than the label itself.
    """
    positives, items = sum(one.gold for one in units), sum(one.gold_of for one in units)
    left = [(positives - one.gold) / (items - one.gold_of) for one in units if items > one.gold_of]
    one_each = min((one.gold for one in units if one.gold > 0), default=1.0)
    alike = effective_size(positives / items, jackknife(left) or 0.0)
    return max(float(len(units)), min(alike, items / one_each))


def interval(value: float, variance: float, units: int, *, is_seen: bool = True, unread: float = 1.0) -> CorrectedRate:
    """Wilson's interval at the effective sample size, with Student's t; or Clopper and Pearson's bound.

    The bound is the largest share of units that differ from all that were seen, which lie in the `unread` share of the
    population: up from zero and down from one. It applies where no positive was seen, or only positives, where nothing
    varies, or where the estimate lies outside 0 to 1 and is cut to that range.
    """
    most, quantile = clopper_pearson(0, units)[1] * unread, t_quantile(units - 1)
    cut = min(1.0, max(0.0, value))
    bounded = partial(CorrectedRate, cut, variance=max(variance, (most / quantile) ** 2), units=units, is_bound=True)
    if not is_seen or variance <= 0 or not 0 < value < 1:
        low, high = (0.0, max(most, cut)) if cut < 0.5 else (min(1 - most, cut), 1.0)
        return bounded(low=low, high=high)
    low, high = wilson(value, effective_size(value, variance), quantile)
    return CorrectedRate(value, low, high, variance, units)


def beyond_the_gold(units: Sequence[GoldUnit], tagged_share: float) -> CorrectedRate | None:
    """The share in another population, of which the tagger counts `tagged_share`: Rogan and Gladen's on units.

    It assumes that the tagger errs there as it does in the units. Null if its errors cannot be inverted: sensitivity
    exceeds the false-positive rate by no more than LEAST_DIFFERENCE, or a class was never seen.
    """
    positives = sum(unit.gold for unit in units)
    negatives = sum(unit.gold_of - unit.gold for unit in units)
    if len(units) < 2 or positives <= 0 or negatives <= 0:
        return None
    found = sum(unit.both for unit in units) / positives
    false = sum(unit.tagged - unit.both for unit in units) / negatives
    if found - false <= LEAST_DIFFERENCE:
        return None
    value = (tagged_share - false) / (found - false)
    errors = [_influence(unit, (found, false, value), (positives, negatives)) for unit in units]
    variance = len(units) / (len(units) - 1) * sum(one * one for one in errors)
    half = t_quantile(len(units) - 1) * sqrt(variance)
    low, high = _beyond_the_seen(units, tagged_share, (found, false), (value - half, value + half))
    variance = max(variance, ((high - low) / 2 / t_quantile(len(units) - 1)) ** 2)
    low, high = (min(1.0, max(0.0, one)) for one in (low, high))
    return CorrectedRate(min(1.0, max(0.0, value)), low, high, variance, len(units))


def _beyond_the_seen(
    units: Sequence[GoldUnit], tagged_share: float, errors: tuple[float, float], ends: tuple[float, float]
) -> tuple[float, float]:
    """Return the ends of Rogan and Gladen's interval, wider where no false alarm, or no miss, was seen.

    The most false alarms that none of the negatives shows lowers the share, the most misses raises it.
    """
    (found, false), (low, high) = errors, ends
    share, items = sum(unit.gold for unit in units) / sum(unit.gold_of for unit in units), independent_items(units)
    if false <= 0:
        most = min(_unseen(max(1.0, items * (1 - share))), found - LEAST_DIFFERENCE)
        low = min(low, (tagged_share - most) / (found - most))
    if found >= 1:
        least = max(1 - _unseen(max(1.0, items * share)), false + LEAST_DIFFERENCE)
        high = max(high, (tagged_share - false) / (least - false))
    return low, high


def _influence(unit: GoldUnit, at: tuple[float, float, float], classes: tuple[float, float]) -> float:
    """Return a unit's contribution to the error of Rogan and Gladen's estimate, by the delta method."""
    found, false, value = at
    positives, negatives = classes
    of_false = ((unit.tagged - unit.both) - false * (unit.gold_of - unit.gold)) / negatives
    of_found = (unit.both - found * unit.gold) / positives
    return (-(1 - value) * of_false - value * of_found) / (found - false)


def difference_of(one: CorrectedRate, other: CorrectedRate) -> Estimate:
    """The first corrected share less the second, each with gold of its own, with its interval."""
    return difference(one.value - other.value, one.variance + other.variance)


def difference(value: float, variance: float) -> Estimate:
    """A difference of two independent shares with its interval, from the sum of their variances."""
    half = 1.98 * sqrt(variance)
    return Estimate(value, value - half, value + half).within(1)


@dataclass(frozen=True)
class DoubtedMessage:
    """A message drawn by doubt: people's label, the probability it was drawn by, and the chance of one draw of it."""

    present: bool
    believed: float
    chance: float


def by_doubt_rate(drawn: Sequence[DoubtedMessage], mean_believed: float, frame: int) -> CorrectedRate | None:
    """The share of messages with a label, from draws by doubt out of `frame` messages.

    It is the mean of the probabilities, corrected by people's labels of the drawn messages (Zrnic and Candès, ICML
    2024).
    """
    n = len(drawn)
    if n < 2 or frame < 1:
        return None
    terms = [(one.present - one.believed) / (frame * one.chance) for one in drawn]
    middle = sum(terms) / n
    variance = sum((one - middle) ** 2 for one in terms) / (n - 1) / n
    return interval(mean_believed + middle, variance, n)


@dataclass(frozen=True)
class Lacking:
    """The labelled conversations that a correction still needs; 0 if it has enough."""

    conversations: int
    positives: int

    @property
    def more(self) -> int:
        """Conversations to label."""
        by_number = LEAST_CONVERSATIONS - self.conversations
        missing = LEAST_POSITIVES - self.positives
        each = self.positives / self.conversations if self.conversations and self.positives else 0.0
        by_positives = ceil(missing / each) if each and missing > 0 else (LEAST_CONVERSATIONS if missing > 0 else 0)
        return max(0, by_number, by_positives)
