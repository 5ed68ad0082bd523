"""Rates corrected by people's labels, and how far labels agree: against independent computations, and their limits."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmarks import corrected as bench
from cpa_core.gold.agreement import Confusion, agreement, people_agreement
from cpa_core.gold.correcting import (
    CorrectedRate,
    DoubtedMessage,
    GoldUnit,
    Lacking,
    beyond_the_gold,
    by_doubt_rate,
    corrected_rate,
    difference_of,
    gold_rate,
    independent_items,
)
from cpa_core.gold.planning import LabelCost
from cpa_core.gold.validity import Basis, Frame, GoldSeen, Population, Tagger, validity
from cpa_core.insights.distributions import clopper_pearson
from cpa_core.pipeline.gold.planning import PlannedWay, with_teaching

ANNOMI = Path(__file__).parents[3] / "shared" / "data" / "annomi"
NOWHERE = Path("no-such-folder")


def units(count: int, seed: int = 1, alike: float = 1.0) -> list[GoldUnit]:
    """Conversations of ten messages; `alike` is how closely the tagger follows people."""
    chance = np.random.default_rng(seed)
    found = []
    for taste in chance.beta(1, 3, count):
        gold = chance.random(10) < taste
        tagged = np.where(chance.random(10) < alike, gold, chance.random(10) < 0.2)
        found.append(GoldUnit(gold.sum(), 10, tagged.sum(), 10, (gold & tagged).sum()))
    return found


@pytest.mark.slow
def test_the_gold_rate_is_the_clustered_regression_of_statsmodels() -> None:
    import statsmodels.api as sm  # here, for it takes seconds, which no other test shall wait for

    of = units(150)
    found = gold_rate(of)
    assert found is not None
    said = np.concatenate([np.repeat([1, 0], [int(u.gold), 10 - int(u.gold)]) for u in of])
    groups = np.repeat(np.arange(150), 10)
    fit = sm.OLS(said, np.ones(len(said))).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert found.value == pytest.approx(fit.params[0])
    assert found.variance == pytest.approx(fit.cov_params()[0, 0], rel=0.02)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("alike", [0.2, 0.7, 0.97])
def test_the_corrected_rate_is_computed_a_second_time(alike: float) -> None:
    import statsmodels.api as sm

    of = [replace(u, gold_of=10 + n % 7, tagged_of=10 + n % 7) for n, u in enumerate(units(80, alike=alike))]
    share = 0.31
    y, m, f = (np.array([getattr(u, name) for u in of], float) for name in ("gold", "gold_of", "tagged"))

    def slope(keep: np.ndarray) -> tuple[float, float]:
        a, b, c = y[keep], m[keep], f[keep]
        fit = sm.WLS(a - a.sum() / b.sum() * b, c - c.sum() / b.sum() * b, weights=1 / b).fit(cov_type="HC0")
        return float(fit.params[0]), float(fit.cov_params()[0, 0])

    def theta(keep: np.ndarray) -> float:
        a, b, c = y[keep], m[keep], f[keep]
        away = slope(keep)[0] - 1
        weight = np.clip(1 + away**3 / (away**2 + doubt), 0, 2)
        return float(weight * share + (a - weight * c).sum() / b.sum())

    everyone = np.arange(80)
    doubt = slope(everyone)[1]
    without = np.array([theta(np.delete(everyone, n)) for n in everyone])
    variance = 79 / 80 * ((without - without.mean()) ** 2).sum() * (1 - 0.1)
    found = corrected_rate(of, share, sampled=0.1)
    assert found is not None
    assert (found.value, found.variance) == (pytest.approx(theta(everyone)), pytest.approx(variance))


VERDICTS = [GoldUnit(n % 5 < 2, 1, n % 5 < 2, 1, n % 5 < 2) for n in range(60)]
"""One verdict a conversation, on which people and judge agree."""


@pytest.mark.parametrize("weight", [1.0, 1 / 0.07])
@pytest.mark.parametrize("rate", [corrected_rate, beyond_the_gold], ids=["sample", "assumed"])
@pytest.mark.parametrize("share", [0.02, 0.196, 0.375, 0.5, 0.9])
@pytest.mark.parametrize("of", [VERDICTS, units(60)], ids=["verdicts", "messages"])
def test_full_agreement_leaves_the_tagged_share_with_the_doubt_of_what_was_not_read(
    of: list[GoldUnit], share: float, rate: Callable[..., CorrectedRate | None], weight: float
) -> None:
    """The interval goes both ways: not down to zero, up to one, or nowhere."""
    alike = [
        GoldUnit(u.gold * weight, u.gold_of * weight, *(u.gold * weight, u.gold_of * weight), u.gold * weight)
        for u in of
    ]
    found = rate(alike, share)
    assert found is not None and found.value == pytest.approx(share) and found.variance > 0
    most = clopper_pearson(0, 60)[1]
    assert found.low < share < found.high
    if rate is corrected_rate:
        assert found.is_bound and max(0, share - most) - 1e-9 <= found.low and found.high <= min(1, share + most) + 1e-9
        twice = rate(alike * 2, share)
        assert (twice is not None and found.low < twice.low) or twice.low == found.low == 0
        everything = corrected_rate(alike, share, sampled=1.0)
        assert everything is not None and everything.low == everything.high == pytest.approx(share), "all are read"
    if of is VERDICTS and rate is corrected_rate:
        assert (found.low, found.high) == pytest.approx((max(0.0, share - most), min(1.0, share + most)))


def test_messages_that_agree_tell_more_than_their_conversations_as_far_as_the_label_does_not_cluster() -> None:
    even = [GoldUnit(n % 3, 10, n % 3, 10, n % 3) for n in range(60)]
    lumped = [GoldUnit(10 * (n % 10 == 0), 10, 10 * (n % 10 == 0), 10, 10 * (n % 10 == 0)) for n in range(60)]
    widths = [found.high - found.low for of in (even, lumped) if (found := corrected_rate(of, 0.5))]
    assert widths[1] == pytest.approx(2 * clopper_pearson(0, 60)[1]) and widths[0] < widths[1] / 5
    assert 60 == independent_items(lumped) < independent_items(even) <= 600


def test_two_periods_of_full_agreement_differ_only_by_more_than_their_doubt() -> None:
    one, other, far = (corrected_rate(VERDICTS, share) for share in (0.40, 0.44, 0.70))
    assert one and other and far
    near, clear = difference_of(other, one), difference_of(far, one)
    assert near.low is not None and near.high is not None and near.low < 0 < near.high
    assert clear.low is not None and clear.low > 0


@pytest.mark.slow
@pytest.mark.parametrize("found", [0.3, 0.5, 0.62, 0.8, 1.0])
def test_a_tagger_that_only_misses_is_worth_more_than_it_counts(found: float) -> None:
    """The error of the corrected rate is smaller than with a weight of 1 at most, the less of a label is found."""
    chance, errors, plain, held = np.random.default_rng(3), [], [], []
    for _ in range(150):
        gold = chance.binomial(60, chance.beta(0.35, 3, 400))
        tagged = chance.binomial(gold, found)
        of = [GoldUnit(y, 60, f, 60, f) for y, f in zip(gold[:60], tagged[:60], strict=True)]
        share, truth = tagged.sum() / 24_000, gold.sum() / 24_000
        rate = corrected_rate(of, share, sampled=0.15)
        assert rate is not None
        errors.append(rate.value - truth)
        plain.append((gold[:60].sum() - tagged[:60].sum()) / 3_600 + share - truth)
        held.append(rate.low <= truth <= rate.high)
    assert np.std(errors) <= (0.9 if found < 0.7 else 1.0) * np.std(plain) + 1e-12
    assert np.mean(held) >= 0.9


def test_a_blind_tagger_leaves_the_gold_alone() -> None:
    blind = [GoldUnit(u.gold, 10, 3, 10, 0) for u in units(60)]
    alone, corrected = gold_rate(blind), corrected_rate(blind, 0.9)
    assert alone is not None and corrected is not None
    assert corrected.value == alone.value and corrected.high == pytest.approx(alone.high)


@pytest.mark.parametrize("count", [30, 100])
def test_where_nothing_was_seen_the_bound_is_clopper_and_pearsons(count: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    found = corrected_rate([GoldUnit(0, 10, 0, 10)] * count, 0.0)
    assert found is not None and found.is_bound
    assert (found.low, found.high) == pytest.approx(proportion_confint(0, count, method="beta"), abs=1e-9)


def test_errors_are_turned_round_and_not_where_the_tagger_guesses() -> None:
    of = [GoldUnit(5, 10, 5, 10, 4)] * 20 + [GoldUnit(0, 10, 1, 10, 0)] * 20
    found = beyond_the_gold(of, 0.45)  # sensitivity .8, false alarms 40 of 300
    assert found is not None
    assert found.value == pytest.approx((0.45 - 40 / 300) / (0.8 - 40 / 300))
    assert beyond_the_gold([GoldUnit(5, 10, 5, 10, 2.5)] * 20, 0.5) is None


def test_a_rate_by_doubt_is_unbiased() -> None:
    chance = np.random.default_rng(3)
    believed = chance.beta(0.2, 2, 4000)
    present = chance.random(4000) < believed * 0.8  # overconfident
    weights = np.sqrt(believed * (1 - believed)) + 0.02
    chances = weights / weights.sum()
    values = []
    for _ in range(200):
        at = chance.choice(4000, 100, p=chances)
        drawn = [DoubtedMessage(bool(present[n]), float(believed[n]), float(chances[n])) for n in at]
        found = by_doubt_rate(drawn, float(believed.mean()), 4000)
        assert found is not None
        values.append(found.value)
    assert np.mean(values) == pytest.approx(present.mean(), abs=3 * np.std(values) / np.sqrt(200))


def test_a_difference_has_the_variance_of_both() -> None:
    one, other = gold_rate(units(60)), gold_rate(units(60, seed=2))
    assert one is not None and other is not None
    found = difference_of(one, other)
    assert found.value == one.value - other.value and found.high is not None
    assert found.high - found.value == pytest.approx(1.98 * (one.variance + other.variance) ** 0.5)
    far = replace(one, variance=1.0)
    assert (difference_of(far, other).low, difference_of(far, other).high) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("conversations", "positives", "more"),
    [(0, 0, 30), (29, 50, 1), (30, 10, 0), (30, 5, 30), (100, 0, 30), (100, 9, 12), (500, 10, 0)],
)
def test_it_is_said_how_many_more_labels_are_needed(conversations: int, positives: int, more: int) -> None:
    assert Lacking(conversations, positives).more == more


@pytest.mark.slow
def test_intervals_by_conversation_hold_and_those_by_rows_do_not() -> None:
    make = partial(bench.common, bench.annotated(NOWHERE))
    good = bench.measured("by conversation", make, bench.by_sample, 50, (80, 5))
    rows = bench.measured("by rows", make, bench.by_rows, 50, (15, 5))
    assert 0.83 <= good.coverage <= 1  # 80 draws: 3 standard errors below 92 %
    assert rows.coverage < 0.8


def test_agreement_of_tagger_and_people_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import cohen_kappa_score, precision_score, recall_score

    of = units(50, alike=0.7)
    both = [Confusion(u.both, u.tagged - u.both, u.gold - u.both, 10 - u.gold - u.tagged + u.both) for u in of]
    people: list[int] = []
    tagger: list[int] = []
    for one in both:
        for count, (a, b) in zip(one.counts, ((1, 1), (0, 1), (1, 0), (0, 0)), strict=True):
            people += [a] * int(count)
            tagger += [b] * int(count)
    found = agreement(both)
    assert found.kappa.value == pytest.approx(cohen_kappa_score(people, tagger))
    assert found.precision.value == pytest.approx(precision_score(people, tagger))
    assert found.recall.value == pytest.approx(recall_score(people, tagger))
    assert found.kappa.low is not None and found.kappa.low < cohen_kappa_score(people, tagger)
    assert (found.units, found.items, found.positives) == (50, 500, sum(people))


def alpha_by_coincidences(items: list[list[bool]]) -> float:
    """Krippendorff's alpha from the matrix of coincidences, as his book builds it."""
    matrix = np.zeros((2, 2))
    for said in items:
        if len(said) > 1:
            for n, a in enumerate(said):
                for k, b in enumerate(said):
                    if n != k:
                        matrix[int(a), int(b)] += 1 / (len(said) - 1)
    margins = matrix.sum(axis=1)
    n = margins.sum()
    return float(1 - (n - 1) * matrix[0, 1] / (margins[0] * margins[1]))


def test_alpha_is_that_of_the_matrix_of_coincidences_with_gaps() -> None:
    chance = np.random.default_rng(2)
    talks = []
    for _ in range(6):
        said = {}
        for item in range(15):
            raters = chance.choice(5, chance.integers(1, 6), replace=False)
            likely = chance.random() < 0.3
            said[item] = {str(r): bool(chance.random() < (0.8 if likely else 0.1)) for r in raters}
        talks.append(said)
    found = people_agreement(talks)
    items = [list(said.values()) for talk in talks for said in talk.values()]
    assert found.alpha.value == pytest.approx(alpha_by_coincidences(items))
    assert found.items == sum(len(one) > 1 for one in items)


@pytest.mark.skipif(not ANNOMI.exists(), reason="the ten annotators are not part of the repository")
@pytest.mark.parametrize(
    ("label", "role", "alpha", "kappa"), [("Change Talk", "user", 0.42, 0.44), ("Sustain Talk", "user", 0.47, 0.42)]
)
def test_ten_annotators_agree_as_an_independent_computation_says(
    label: str, role: str, alpha: float, kappa: float
) -> None:
    from sklearn.metrics import cohen_kappa_score

    talks: defaultdict[str, dict[object, dict[str, bool]]] = defaultdict(dict)
    with (ANNOMI / "gold_annotators.csv").open() as file:
        for row in csv.DictReader(file):
            if row["role"] == role:
                said = talks[row["conversation_id"]].setdefault(row["message_id"], {})
                said[row["annotator_id"]] = row["event_type"] == label
    found = people_agreement(talks.values())
    ratings = [said for talk in talks.values() for said in talk.values()]
    assert found.alpha.value == pytest.approx(alpha_by_coincidences([list(said.values()) for said in ratings]))
    assert found.alpha.value == pytest.approx(alpha, abs=0.006)
    pairs = [
        cohen_kappa_score(*zip(*[(said[a], said[b]) for said in ratings if {a, b} <= said.keys()], strict=True))
        for a, b in combinations(sorted({name for said in ratings for name in said}), 2)
    ]
    assert found.kappa == pytest.approx(np.mean(pairs))
    assert found.kappa == pytest.approx(kappa, abs=0.006)
    assert found.reviewers == 10


OLD, NEW = Tagger("v1", "p1", "one"), Tagger("v1", "p1", "two")
MARCH = date(2026, 3, 1)


def population(**parts: int) -> Population:
    """Conversations of ten days in March and of ten in April, by tagger: march_old=100."""
    counts: Counter[tuple[date, Tagger]] = Counter()
    for name, count in parts.items():
        month, _, tagger = name.partition("_")
        first = MARCH if month == "march" else date(2026, 4, 1)
        for n in range(count):
            counts[first + timedelta(days=n % 10), OLD if tagger == "old" else NEW] += 1
    return Population(counts)


def seen(count: int, month: int, tagger: Tagger, *, inside: bool = True) -> list[GoldSeen]:
    """Labelled conversations with a positive each."""
    return [GoldSeen(date(2026, month, 1 + n % 10), tagger, 1, inside) for n in range(count)]


IN_MARCH, IN_APRIL = Frame(MARCH, date(2026, 3, 31), 0.1), Frame(date(2026, 4, 1), date(2026, 4, 30), 0.1)


@pytest.mark.parametrize(
    ("asked", "frames", "gold", "basis", "says"),
    [
        (population(march_old=500), [], [], "none", "label 30 conversations"),
        (population(march_old=500), [IN_MARCH], seen(50, 3, OLD), "sample", "50 conversations labelled at random"),
        (population(march_old=500), [IN_MARCH], seen(20, 3, OLD), "none", "label 10 more"),
        # older gold: marked as an assumption, and only while the tagger is the same
        (population(april_old=500), [IN_MARCH], seen(50, 3, OLD, inside=False), "assumed", "errs as on 2026-03-01"),
        (population(march_old=99, april_old=99), [IN_MARCH], seen(50, 3, OLD), "assumed", "errs as on"),
        (population(april_new=500), [IN_MARCH], seen(50, 3, OLD, inside=False), "none", "another model"),
        # asked again with the new model: the gold's days are corrected by it, later ones on its assumption
        (population(march_new=500), [IN_MARCH], seen(50, 3, NEW), "sample", "labelled at random"),
        # fresh gold of the days of the new model
        (population(april_new=500), [IN_MARCH, IN_APRIL], seen(30, 4, NEW), "sample", "labelled at random"),
        (
            population(march_old=500, april_new=500),
            [IN_MARCH, IN_APRIL],
            seen(80, 3, OLD) + seen(10, 4, NEW),
            "none",
            "several models",
        ),
        (
            population(march_old=500, april_new=500),
            [IN_MARCH, IN_APRIL],
            seen(80, 3, OLD) + seen(30, 4, NEW),
            "sample",
            "110 conversations",
        ),
        (
            population(march_old=500, april_new=20),
            [IN_MARCH, IN_APRIL],
            seen(80, 3, OLD) + seen(2, 4, NEW),
            "sample",
            "82 conversations",
        ),
    ],
)
def test_a_correction_says_what_it_is_valid_for_and_falls_away_by_itself(
    asked: Population, frames: list[Frame], gold: list[GoldSeen], basis: Basis, says: str
) -> None:
    found = validity(asked, frames, gold)
    assert (found.basis, says in found.words) == (basis, True), found.words


def test_the_planner_counts_what_is_left_and_says_where_it_cannot_be_had() -> None:
    cost = LabelCost(spread=0.25, of=0, done=0, seconds=60)
    assert cost.needed(0.05) == 385  # 1.96² x .25 / .05²
    assert LabelCost(spread=0.25, of=500, done=0, seconds=60).needed(0.05) == 218  # with the finite population's factor
    assert cost.half_width(385) == pytest.approx(0.05, abs=1e-4)
    assert cost.after(1800) == pytest.approx(1.96 * (0.25 / 30) ** 0.5)


def test_a_plan_counts_the_conversations_that_teach_and_never_more_than_there_are() -> None:
    way = PlannedWay(
        way="random", unit="conversations", done=40, needed=80, minutes=40, now=None, after_half_an_hour=None
    )
    planned = with_teaching(way, 500, 60)
    assert (planned.needed, planned.done, planned.minutes) == (100, 50, 50)
    assert with_teaching(way, 99, 60).needed is None
