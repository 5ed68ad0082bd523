"""Intervals and corrections against published values."""

import pytest

from cpa_core.insights.statistics import (
    Stratum,
    Sums,
    corrected,
    difference,
    layered_difference,
    layered_p,
    lift,
    mean,
    mean_difference,
    rate,
    t_quantile,
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


def test_a_mean_of_one_value_has_no_interval_and_of_none_no_value() -> None:
    assert mean(0, 0.0, 0.0).mean is None
    assert (mean(1, 7.0, 49.0).mean, mean(1, 7.0, 49.0).low) == (7.0, None)
    assert mean_difference(Sums(1, 7.0, 49.0), Sums(5, 1.0, 1.0)).value is None
    assert mean_difference(Sums(2, 14.0, 98.0), Sums(2, 10.0, 50.0)).low == 2.0


def test_a_comparison_in_one_layer_is_the_plain_one_and_layers_undo_what_they_explain() -> None:
    assert layered_difference([Stratum(56, 70, 48, 80)]).value == pytest.approx(0.2)
    layers = [Stratum(10, 100, 90, 900), Stratum(450, 900, 50, 100)]
    assert layered_difference(layers).value == pytest.approx(0.0)
    assert layered_p(layers) == pytest.approx(1.0)
    assert layered_p([Stratum(0, 5, 0, 5)]) is None


def test_a_lift_without_cases_is_unknown_or_half_known() -> None:
    assert lift(rate(0, 10), rate(0, 10)).value is None
    none_without = lift(rate(5, 10), rate(0, 10))
    assert none_without.value is None
    assert none_without.low is not None and none_without.low > 0


def test_the_correction_is_benjamini_and_yekutielis() -> None:
    harmonic = 1 + 1 / 2 + 1 / 3
    assert corrected([0.01, 0.5, 0.02]) == pytest.approx([0.01 * 3 * harmonic, 0.5 * harmonic, 0.02 * 3 / 2 * harmonic])
    assert corrected([]) == []
    assert corrected([0.9, 0.95]) == [1.0, 1.0]
