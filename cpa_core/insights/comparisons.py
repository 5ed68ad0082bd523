"""Comparisons of cases that have something with those that do not, by unit and within layers: asked all at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cpa_core.insights.selection import Selection
from cpa_core.insights.statistics import UNKNOWN, Estimate, Rate, UnitSums, excess_chance, lift, ratio, share

Signed = tuple[tuple[int, int], ...]
"""Parts of the temporary table `compared_rows`, each with 1 (its cases belong to it) or -1 (they are taken away)."""

ALL: Signed = ((0, 1),)
"""Every case."""


@dataclass(frozen=True)
class Contrast:
    """One comparison: the cases of `own` with the others of `base`, which holds them."""

    own: Signed
    base: Signed = ALL


@dataclass(frozen=True)
class Compared:
    """The result of one contrast: sums for the share of ends in its own cases, in the others, and for their difference.

    `met` are the sums for the share of its own cases in its base. `plain` and `layered` are sums whose ratio is the
    difference of the two shares, over all and within layers; `plain` is null if it was not requested.
    """

    own: UnitSums
    rest: UnitSums
    met: UnitSums
    plain: UnitSums | None
    layered: UnitSums

    @property
    def shares(self) -> tuple[Rate, Rate]:
        """The share of ends in its own cases, and in the others."""
        return share(self.own), share(self.rest)

    @property
    def lift(self) -> Estimate:
        """The first share as a multiple of the second."""
        return lift(self.own, self.rest)

    @property
    def difference(self) -> Estimate:
        """Return the difference of the two shares over all layers; unknown if it was not requested."""
        return ratio(self.plain).within(1) if self.plain else UNKNOWN

    @property
    def within_layers(self) -> Estimate:
        """The difference of shares within layers, by Mantel and Haenszel's weights."""
        return ratio(self.layered).within(1)

    @property
    def chance(self) -> float | None:
        """Return the one-sided p-value that its own cases end no more often, within layers; null if unknown."""
        return excess_chance(self.layered)


def compare(of: Selection, asked: Mapping[int, Contrast], *, is_plain: bool = True) -> dict[int, Compared]:
    """The comparisons that could be made, by their numbers. Cases are the rows of `compared_rows` in this selection.

    Without `is_plain` the difference over all layers is left out, which takes a third of the time.
    """
    if not asked:
        return {}
    _sum_cases(of, asked, "ends")
    layered = _differences(of, by_layer=True)
    plain = _differences(of, by_layer=False) if is_plain else {}
    shares = {row["id"]: row for row in of.answer("compared_shares")}
    return {
        number: Compared(
            own=UnitSums(**shares[number]["own"]),
            rest=UnitSums(**shares[number]["rest"]),
            met=UnitSums(**shares[number]["met"]),
            plain=plain.get(number),
            layered=one,
        )
        for number, one in layered.items()
        if number in shares and (number in plain or not is_plain)
    }


def differences(
    of: Selection, asked: Mapping[int, Contrast], measure: Literal["ends", "score_sum"] = "ends"
) -> dict[int, UnitSums]:
    """The sums whose ratio is the difference of means of a measure over all layers, by the comparisons' numbers."""
    if not asked:
        return {}
    _sum_cases(of, asked, measure)
    return _differences(of, by_layer=False)


def _sum_cases(of: Selection, asked: Mapping[int, Contrast], measure: str) -> None:
    """Make the tables that all figures of these comparisons read: the cases by unit and layer, and by unit."""
    bases = {base: number for number, base in enumerate(sorted({one.base for one in asked.values()}))}
    own = [(number, one.own) for number, one in asked.items()]
    of.answer("compared_own", measure=measure, **_listed(own))
    of.answer("compared_base", measure=measure, **_listed([(number, base) for base, number in bases.items()]))
    of.answer("compared_base_units")
    of.answer("compared_means", ids=list(asked), bases=[bases[one.base] for one in asked.values()])
    of.answer("compared_own_units")


def _differences(of: Selection, *, by_layer: bool) -> dict[int, UnitSums]:
    for table in ("layered_parts", "layered_beside") if by_layer else ("plain_means", "plain_parts", "plain_beside"):
        of.answer(table)
    return {row.pop("id"): UnitSums(**row) for row in of.answer("comparisons")}


def _listed(signed: Sequence[tuple[int, Signed]]) -> dict[str, list[int]]:
    rows = [(number, part, sign) for number, parts in signed for part, sign in parts]
    return {name: [row[n] for row in rows] for n, name in enumerate(("ids", "parts", "signs"))}
