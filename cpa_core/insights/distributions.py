"""Quantiles, tails and exact intervals of the distributions behind the figures, without a numerical library."""

from collections.abc import Callable
from functools import cache
from math import exp, lgamma, log, pi, sqrt

Z = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


def wilson(share: float, size: float, quantile: float = Z) -> tuple[float, float]:
    """Wilson's interval of a share of `size` cases, which may be an effective size, at a normal or t quantile."""
    square = quantile * quantile / size
    middle = (share + square / 2) / (1 + square)
    half = sqrt(share * (1 - share) * square + square * square / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson(count: float, size: float) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of 95 % for `count` of `size`; either may be an effective number."""
    if count <= 0 or count >= size:
        end = 0.025 ** (1 / size)
        return (0.0, 1 - end) if count <= 0 else (end, 1.0)
    low = _root(lambda p: 0.025 - _beta_share(p, count, size - count + 1), 0.0, 1.0)
    high = _root(lambda p: 0.975 - _beta_share(p, count + 1, size - count), 0.0, 1.0)
    return low, high


@cache
def t_quantile(freedom: float) -> float:
    """The t quantile of a two-sided interval of 95 %: Fisher's expansion, below 100 degrees with Newton's steps on it.

    From 100 degrees on the expansion has nine digits. The tails fall and are convex, and the expansion lies below the
    root, so that each step comes nearer.
    """
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
        (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / 92160,
    )
    t = Z + sum(term / freedom**power for power, term in enumerate(terms, 1))
    for _ in range(30 if freedom < 100 else 0):
        step = (t_tails(t, freedom) - 0.05) / (2 * _t_density(t, freedom))
        t += step
        if abs(step) < 1e-13 * t:
            break
    return t


def t_tails(t: float, freedom: float) -> float:
    """Return the two-sided tail probability of t."""
    return _beta_share(freedom / (freedom + t * t), freedom / 2, 0.5)


def _t_density(t: float, freedom: float) -> float:
    middle = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - log(freedom * pi) / 2
    return exp(middle - (freedom + 1) / 2 * log(1 + t * t / freedom))


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta_share(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    c, d, fraction = 1.0, 0.0, 1.0
    for n in range(400):
        half = n // 2
        top = half * (b - half) if n % 2 == 0 else -(a + half) * (a + b + half)
        step = top * x / ((a + n - 1) * (a + n)) if n else 1.0
        d = 1 / (1 + step * d)
        c = 1 + step / c
        fraction *= c * d
        if abs(1 - c * d) < 1e-14:
            break
    return front * (fraction - 1)
