"""Agreement of labels, between tagger and people and among people, with jackknife intervals over units."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

from cpa_core.insights import UNKNOWN, Estimate
from cpa_core.insights.distributions import clopper_pearson, t_quantile
from cpa_core.insights.statistics import jackknife

Sums = tuple[float, ...]


@dataclass(frozen=True)
class Confusion:
    """Counts of one unit, or weighted sums of several: labelled by both, by the tagger or people alone, by neither."""

    both: float = 0.0
    tagger_only: float = 0.0
    people_only: float = 0.0
    neither: float = 0.0

    @property
    def counts(self) -> Sums:
        """The four, in order."""
        return self.both, self.tagger_only, self.people_only, self.neither


@dataclass(frozen=True)
class Agreement:
    """The agreement of a tagger's label with people's. Shares are from 0 to 1, kappa from -1; null where undefined.

    `false_positives` is the share of people's negatives that the tagger labels; `prevalence` is the label's share by
    people. `positive_agreement` is 2a / (2a + b + c).
    """

    precision: Estimate
    recall: Estimate
    false_positives: Estimate
    kappa: Estimate
    positive_agreement: Estimate
    prevalence: Estimate
    units: int
    items: int
    positives: int


def agreement(units: Sequence[Confusion]) -> Agreement:
    """The figures of agreement over units."""
    sums = [unit.counts for unit in units]
    totals = _totals(sums, 4)
    return Agreement(
        precision=left_one_out(sums, lambda s: _over(s[0], s[0] + s[1])),
        recall=left_one_out(sums, lambda s: _over(s[0], s[0] + s[2])),
        false_positives=left_one_out(sums, lambda s: _over(s[1], s[1] + s[3])),
        kappa=left_one_out(sums, lambda s: cohen(*s), least=-1.0),
        positive_agreement=left_one_out(sums, lambda s: _over(2 * s[0], 2 * s[0] + s[1] + s[2])),
        prevalence=left_one_out(sums, lambda s: _over(s[0] + s[2], sum(s))),
        units=len(sums),
        items=round(sum(totals)),
        positives=round(totals[0] + totals[2]),
    )


def cohen(both: float, first_only: float, second_only: float, neither: float) -> float | None:
    """Cohen's kappa of two raters; null if both give the same label to every item."""
    count = both + first_only + second_only + neither
    if count <= 0:
        return None
    observed = (both + neither) / count
    first, second = (both + first_only) / count, (both + second_only) / count
    expected = first * second + (1 - first) * (1 - second)
    return (observed - expected) / (1 - expected) if expected < 1 - 1e-12 else None


def left_one_out(units: Sequence[Sums], figure: Callable[[Sums], float | None], least: float = 0.0) -> Estimate:
    """A figure of sums over units, with its t interval from leaving out one unit at a time, between `least` and 1.

    The interval is null with fewer than two units, or if the figure is undefined without one of them.
    """
    totals = _totals(units, len(units[0]) if units else 0)
    value = figure(totals) if units else None
    if value is None:
        return UNKNOWN
    without = [figure(tuple(a - b for a, b in zip(totals, one, strict=True))) for one in units]
    known = [one for one in without if one is not None]
    if len(known) < len(units) or len(known) < 2:
        return Estimate(value, None, None)
    variance = jackknife(known) or 0.0
    if variance <= 0:
        return Estimate(value, *_bound(value, len(known), least))
    half = t_quantile(len(known) - 1) * sqrt(variance)
    return Estimate(value, max(least, value - half), min(1.0, value + half))


def _bound(value: float, units: int, least: float) -> tuple[float | None, float | None]:
    """Return Clopper and Pearson's bound of a share of 0 or 1, if the units do not differ; null for any other value."""
    if least < 0 or value not in (0.0, 1.0):
        return None, None
    return clopper_pearson(units * value, units)


def _totals(units: Sequence[Sums], width: int) -> Sums:
    return tuple(sum(unit[n] for unit in units) for n in range(width)) if units else (0.0,) * width


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole > 1e-12 else None


@dataclass(frozen=True)
class PeopleAgreement:
    """People's agreement on one label, the ceiling of any tagger. Null if no item has two reviewers.

    `alpha` is Krippendorff's for yes and no; `kappa` the mean of Cohen's over pairs of reviewers. `disputed` counts
    items on which reviewers differ.
    """

    alpha: Estimate
    kappa: float | None
    positive_agreement: Estimate
    prevalence: float | None
    reviewers: int
    units: int
    items: int
    disputed: int


Ratings = Mapping[Hashable, Mapping[str, bool]]
"""For each item, such as a message: each reviewer's label of it."""


def people_agreement(units: Iterable[Mapping[Hashable, Mapping[str, bool]]]) -> PeopleAgreement:
    """Return people's agreement on a label, from the ratings in each unit. Items with one reviewer are left out."""
    double = [{item: said for item, said in unit.items() if len(said) > 1} for unit in units]
    double = [unit for unit in double if unit]
    sums = [_alpha_sums(unit) for unit in double]
    rated = [said for unit in double for said in unit.values()]
    positives = sum(sum(said.values()) for said in rated)
    count = sum(len(said) for said in rated)
    return PeopleAgreement(
        alpha=left_one_out(sums, _alpha, least=-1.0),
        kappa=mean_kappa(rated),
        positive_agreement=left_one_out([_pair_sums(unit) for unit in double], lambda s: _over(s[0], s[0] + s[1])),
        prevalence=positives / count if count else None,
        reviewers=len({name for said in rated for name in said}),
        units=len(double),
        items=len(rated),
        disputed=sum(len(set(said.values())) > 1 for said in rated),
    )


def _alpha_sums(unit: Ratings) -> Sums:
    """Return the sums of a unit. An item of u ratings, c1 of them yes and c0 no, adds 2·c0·c1 / (u - 1), c1 and c0."""
    found = [0.0, 0.0, 0.0]
    for said in unit.values():
        yes = sum(said.values())
        no = len(said) - yes
        found[0] += 2 * yes * no / (len(said) - 1)
        found[1] += yes
        found[2] += no
    return tuple(found)


def _alpha(sums: Sums) -> float | None:
    """Krippendorff's alpha for two values (Content Analysis, 4th edition, chapter 12)."""
    observed, yes, no = sums
    if yes * no <= 0:
        return None
    return 1 - observed / (2 * yes * no / (yes + no - 1))


def _pair_sums(unit: Ratings) -> Sums:
    """Over pairs of reviewers of an item: twice the pairs that both say yes, and the pairs that differ."""
    found = [0.0, 0.0]
    for said in unit.values():
        yes = sum(said.values())
        found[0] += yes * (yes - 1)
        found[1] += yes * (len(said) - yes)
    return tuple(found)


def mean_kappa(rated: Iterable[Mapping[str, bool]]) -> float | None:
    """The mean of Cohen's kappa over the pairs of reviewers that share items; null where none is defined."""
    pairs: defaultdict[tuple[str, str], Counter[tuple[bool, bool]]] = defaultdict(Counter)
    for said in rated:
        for one, other in combinations(sorted(said), 2):
            pairs[one, other][said[one], said[other]] += 1
    found = [cohen(c[True, True], c[True, False], c[False, True], c[False, False]) for c in pairs.values()]
    known = [one for one in found if one is not None]
    return sum(known) / len(known) if known else None
