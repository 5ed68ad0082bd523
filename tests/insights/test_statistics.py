"""Intervals and corrections against published values."""

from random import Random

import pytest

from cpa_core.insights.distributions import clopper_pearson, t_quantile
from cpa_core.insights.statistics import (
    FEW,
    bounded_mean,
    change_chance,
    corrected,
    difference,
    effective_size,
    excess_chance,
    jackknife,
    lift,
    mean,
    rate,
    ratio,
    ratio_chance,
    ratio_difference,
    score_chance,
    share,
    share_interval,
    unit_sums,
)


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3."""
    for count, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = rate(count, of)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert rate(0, 0).share is None


def test_newcombes_interval_of_a_difference_is_the_published_one() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 873, table II, method 10."""
    for a, m, b, n, low, high in (
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 20, 0.6791, 1.0),
    ):
        found = difference(rate(a, m), rate(b, n))
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(
    ("freedom", "wanted"),
    [(1, 12.7062), (2, 4.3027), (5, 2.5706), (30, 2.0423), (99.9, 1.9840), (120, 1.9799), (1e9, 1.9600)],
)
def test_the_t_quantile_is_that_of_the_tables(freedom: float, wanted: float) -> None:
    assert t_quantile(freedom) == pytest.approx(wanted, abs=5e-5)


def test_a_mean_of_one_unit_has_no_interval_and_of_none_no_value() -> None:
    assert mean(unit_sums(())).mean is None
    assert (mean(unit_sums([(7, 1)])).mean, mean(unit_sums([(7, 1)])).low) == (7.0, None)
    assert ratio_difference(unit_sums([(7, 1)]), unit_sums([(1, 1)] * 5)).value is None
    assert ratio_difference(unit_sums([(7, 1)] * 2), unit_sums([(5, 1)] * 2)).low == 2.0


def test_the_interval_of_a_mean_is_students() -> None:
    """Of 1, 2, 3, 4, 5: 3 and 2.7764 standard errors of sqrt(2.5 / 5)."""
    found = mean(unit_sums([(n, 1) for n in range(1, 6)]))
    assert (found.low, found.high) == (pytest.approx(3 - 1.9632, abs=1e-4), pytest.approx(3 + 1.9632, abs=1e-4))


@pytest.mark.parametrize("scores", [[100.0] * 20, [0.0] * 20, [0.0] + [100.0] * 19, [50.0] * 2, [99.0] * 3, [1.0, 3.0]])
def test_a_scores_interval_stays_on_the_scale(scores: list[float]) -> None:
    found = bounded_mean(unit_sums([(score, 1) for score in scores]), 100)
    assert found.mean is not None and found.low is not None and found.high is not None
    assert 0 <= found.low <= found.mean <= found.high <= 100 and found.low < found.high


def test_a_lift_without_cases_is_unknown_or_half_known() -> None:
    none, half = unit_sums([(0, 1)] * 10), unit_sums([(1, 1)] * 5 + [(0, 1)] * 5)
    assert lift(none, none).value is None
    none_without = lift(half, none)
    assert none_without.value is None
    assert none_without.low is not None and none_without.low > 0 and none_without.high is None
    none_with = lift(none, half)
    assert none_with.value == none_with.low == 0 and none_with.high is not None and none_with.high > 0


@pytest.mark.parametrize("users", [2, 20, 300])
@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("second", [0, 1, 2])
def test_a_multiple_of_a_share_has_no_upper_end_as_long_as_that_share_may_be_zero(
    users: int, first: int, second: int
) -> None:
    """A share without a case may be as small as one likes, so that the other may be any multiple of it."""
    one, other = (unit_sums([(cases, 2)] * (users // 2) + [(0, 2)] * (users // 2)) for cases in (first, second))
    found = lift(one, other)
    assert (found.high is None) == (second == 0) and (found.low is None) == (first == second == 0)
    assert found.low is None or (found.low == 0) == (first == 0)


def test_enough_is_fifty_conversations_and_fifteen_units() -> None:
    def of(users: int, each: int) -> bool:
        return share(unit_sums([(1, each)] * users)).is_enough

    assert of(50, 1) and of(15, 4) and not of(14, 100) and not of(49, 1)
    heavy = unit_sums([(1, 1)] * 100 + [(300, 1000)])
    assert heavy.units == 101 and not share(heavy).is_enough, "one user makes nearly all"


def test_two_shares_of_the_same_users_over_and_over_are_no_more_than_the_users() -> None:
    """Ten users of one mind against ten of another, however often each came, and each of them ten times."""
    once = change_chance(unit_sums([(1, 1)] * 7 + [(0, 1)] * 3), unit_sums([(1, 1)] * 2 + [(0, 1)] * 8))
    often = change_chance(unit_sums([(10, 10)] * 7 + [(0, 10)] * 3), unit_sums([(10, 10)] * 2 + [(0, 10)] * 8))
    assert once == pytest.approx(often) and once is not None and once > 0.01
    assert change_chance(unit_sums(()), unit_sums([(1, 1)])) is None


def test_the_correction_is_benjamini_and_yekutielis() -> None:
    harmonic = 1 + 1 / 2 + 1 / 3
    assert corrected([0.01, 0.5, 0.02]) == pytest.approx([0.01 * 3 * harmonic, 0.5 * harmonic, 0.02 * 3 / 2 * harmonic])
    assert corrected([]) == corrected([], FEW) == []
    assert corrected([0.9, 0.95]) == [1.0, 1.0]


def test_where_few_are_expected_the_first_costs_less_and_many_cost_more() -> None:
    """Blanchard and Roquain's shape for weights of 1, 1/4 and 1/9: 1, 1 + 1/2 and 1 + 1/2 + 1/3 over their sum."""
    weights = 1 + 1 / 4 + 1 / 9
    wanted = [0.01 * 3 * weights, min(1.0, 0.5 * 3 * weights / (11 / 6)), 0.02 * 3 * weights / 1.5]
    assert corrected([0.01, 0.5, 0.02], FEW) == pytest.approx(wanted)
    first, many = [1e-4] + [0.9] * 299, [1e-4] * 100 + [0.9] * 200
    assert corrected(first, FEW)[0] < corrected(first)[0] / 3
    assert corrected(many, FEW)[0] > corrected(many)[0]


def test_no_correction_lets_more_than_its_share_of_false_ones_through_where_all_are_false() -> None:
    """Each chance uniform, and all of them alike or independent: a simulation with any finding is a false one."""
    random = Random(3)
    for alike in (True, False):
        found = 0
        for _ in range(2_000):
            one = random.random()
            found += min(corrected([one if alike else random.random() for _ in range(40)], FEW)) <= 0.05
        assert found < 2_000 * 0.065


def test_only_more_is_a_finding_and_half_of_a_two_sided_chance() -> None:
    more = unit_sums([(float(n % 3), 10.0) for n in range(30)])
    less = unit_sums([(-float(n % 3), 10.0) for n in range(30)])
    both = ratio_chance(more)
    assert both is not None and excess_chance(more) == pytest.approx(both / 2)
    assert excess_chance(less) == pytest.approx(1 - both / 2)
    assert excess_chance(unit_sums([])) is None


@pytest.mark.parametrize(
    ("count", "size", "low", "high"),
    [(0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776), (15, 148, 0.0578, 0.1617), (20, 20, 0.8316, 1.0)],
)
def test_the_exact_interval_is_the_published_one(count: int, size: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 5."""
    assert clopper_pearson(count, size) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_one_trial_a_unit_is_the_binomial_and_its_effective_size_is_the_number_less_one() -> None:
    of = unit_sums([(1, 1)] * 30 + [(0, 1)] * 70)
    assert of.variance == pytest.approx(0.3 * 0.7 / 99)
    assert (of.effective, effective_size(0.3, of.variance or 0.0)) == (pytest.approx(100), pytest.approx(99))


def test_units_that_say_the_same_again_count_once() -> None:
    """A hundred conversations of ten users, each of one mind, know no more than ten conversations."""
    many, once = unit_sums([(10, 10)] * 3 + [(0, 10)] * 7), unit_sums([(1, 1)] * 3 + [(0, 1)] * 7)
    assert many.variance == pytest.approx(once.variance)
    assert many.effective == pytest.approx(10)
    assert share_interval(0.3, many.variance, many, many.trials) == pytest.approx(
        share_interval(0.3, once.variance, once, 100)
    )


def test_one_large_unit_lowers_the_effective_number() -> None:
    of = unit_sums([(0, 1)] * 100 + [(50, 100)])
    assert of.units == 101 and of.effective == pytest.approx(200**2 / 10_100)
    assert (of.most_trials, of.most_hits) == (100, 50)


def test_the_interval_of_none_seen_is_the_exact_one_at_the_units_and_of_one_unit_there_is_none() -> None:
    none = unit_sums([(0, 10)] * 20)
    assert share_interval(0.0, none.variance, none, 200) == pytest.approx(clopper_pearson(0, 20))
    assert share_interval(0.5, unit_sums([(5, 10)]).variance, none, 10) == (None, None)
    alike = unit_sums([(5, 10)] * 20)
    low, high = share_interval(0.5, alike.variance, alike, 200)
    assert low is not None and high is not None and high - low > 0.3


def test_leaving_one_out_is_the_variance_of_a_mean() -> None:
    values = [1.0, 4.0, 4.0, 7.0]
    left = [(sum(values) - one) / 3 for one in values]
    assert jackknife(left) == pytest.approx(6.0 / 4)
    assert jackknife([1.0]) is None


def test_a_ratio_is_tested_by_its_own_interval() -> None:
    """Student's t at the effective units: its chance is 5 % where an end of the interval is zero, less beyond it."""
    parts = [(one, 10.0 + one % 3) for one in (1, 4, 2, 6, 3, 5, 4, 7, 2, 1, 5, 4, 3, 6, 2, 4, 5, 3)]
    found = ratio(unit_sums(parts))
    assert found.value is not None and found.low is not None and found.high is not None
    chances = [
        ratio_chance(unit_sums([(hits - away * trials, trials) for hits, trials in parts]))
        for away in (0.0, found.low, (found.value + found.low) / 2, found.high)
    ]
    outside, low, inside, high = (one or 0.0 for one in chances)
    assert low == pytest.approx(0.05, rel=1e-6) and high == pytest.approx(0.05, rel=1e-6)
    assert 0 < outside < 1e-6 and inside > 0.3
    assert ratio_chance(unit_sums(())) is None and ratio_chance(unit_sums([(1, 2)])) is None


@pytest.mark.parametrize("units", [15, 100, 2_000])
def test_one_unit_that_has_every_hit_decides_nothing(units: int) -> None:
    found = unit_sums([(50.0, 100.0), *[(0.0, 100.0)] * (units - 1)])
    chance = ratio_chance(found)
    assert chance is not None and chance > 0.3
    same = unit_sums([(50.0, 100.0)] * units)
    assert same.variance == 0 and ratio_chance(same) == score_chance(same.hits, same.hit_squares)


def test_a_unit_cannot_outweigh_its_own_square() -> None:
    assert score_chance(10.0, 100.0) == pytest.approx(0.3173, abs=1e-4)
    assert score_chance(10.0, 0.0) is None
