"""Cells of tables, made from figures."""

from cpa_core.insights import Estimate, Rate
from cpa_core.report import words
from cpa_core.report.document import Cell

LAST = -1e9
"""The sort key of an unknown value."""


def number_cell(number: int | None, drill: str | None = None) -> Cell:
    """A whole number, or that it is unknown."""
    return Cell("unknown" if number is None else words.count(number), drill=drill, sort=_sort(number))


def share_cell(rate: Rate, drill: str | None = None, *, is_bad: bool = False, has_bar: bool = True) -> Cell:
    """Return a share with its base, its interval and its bar; grey if it is based on too few."""
    return Cell(
        words.percent(rate.share),
        of=words.rate_of(rate),
        drill=drill,
        share=rate.share if has_bar else None,
        low=rate.low if has_bar else None,
        high=rate.high if has_bar else None,
        sort=_sort(rate.share),
        is_few=not rate.is_enough,
        is_bad=is_bad,
    )


def part_cell(rate: Rate) -> Cell:
    """A share of all there is, which needs no interval."""
    return Cell(
        words.percent(rate.share), f"{words.count(rate.count)} of {words.count(rate.of)}", sort=_sort(rate.share)
    )


def change_cell(estimate: Estimate, unit: str = "", factor: float = 1.0) -> Cell:
    """Return a difference with its interval; grey if there is too little data."""
    is_few = estimate.value is None
    return Cell(words.change(estimate, unit, factor), sort=_sort(estimate.value), is_few=is_few)


def _sort(value: float | None) -> float:
    return LAST if value is None else value
