"""The rates of one label in three forms: as tagged, corrected by people's labels, and by people alone."""

from collections.abc import Callable, Mapping, Sequence

from cpa_core.gold.correcting import CorrectedRate, GoldUnit, beyond_the_gold, corrected_rate, gold_rate
from cpa_core.gold.drawing import chance_in
from cpa_core.gold.people import unit_of
from cpa_core.gold.trust import TrustedRate
from cpa_core.gold.validity import Frame, GoldSeen, Population, Tagger, Validity, validity
from cpa_core.insights import UNKNOWN, Rate
from cpa_core.store.database import Row


class LabelRates:
    """The rates of one label, from the conversations that people read whole."""

    def __init__(self, population: Population, frames: Mapping[str, Frame], rows: Sequence[Row]) -> None:
        self._population = population
        self._frames = frames
        self._rows = [row for row in rows if any(draw in self._frames for draw in row["draws"] or ())]

    @property
    def inside(self) -> list[Row]:
        """Return the conversations within the selection."""
        return [row for row in self._rows if row["n"] is not None]

    def validity(self, positives: Callable[[Row], int]) -> Validity:
        """Return the validity of a correction."""
        seen = [GoldSeen(r["day"], _tagger(r), positives(r), r["n"] is not None) for r in self._rows]
        return validity(self._population, list(self._frames.values()), seen)

    def units(self, unit: Callable[[Row], GoldUnit]) -> list[GoldUnit]:
        """Return the units within the selection."""
        return self._units(self.inside, unit)

    def rate(self, tagged: Rate, unit: Callable[[Row], GoldUnit], held: Validity) -> TrustedRate:
        """Return a rate as tagged, as corrected and by people alone."""
        units = self.units(unit)
        total = sum(self._population.taggers(self._population.days).values())
        sampled = min(1.0, len(self.inside) / total) if total else 0.0
        gold = gold_rate(units, sampled=sampled) if held.basis == "sample" else None
        found: CorrectedRate | None = None
        if held.basis == "sample" and tagged.share is not None:
            found = corrected_rate(units, tagged.share, sampled=sampled)
        elif held.basis == "assumed" and tagged.share is not None:
            same = [row for row in self._rows if _tagger(row) == held.tagger]
            found = beyond_the_gold(self._units(same, unit), tagged.share)
        words, basis = held.words, held.basis
        if found is None and basis != "none":
            basis, words = "none", "the tagger's errors on the gold are too many to correct"
        return TrustedRate(
            tagged=tagged,
            corrected=found.estimate if found else UNKNOWN,
            gold=gold.estimate if gold else UNKNOWN,
            basis=basis,
            valid_for=words,
            variance=found.variance if found else None,
        )

    def _units(self, rows: Sequence[Row], unit: Callable[[Row], GoldUnit]) -> list[GoldUnit]:
        """The sums of each user, else of each conversation, weighted by the chance to be read."""
        draws = [(one.first, one.last, one.chance) for one in self._frames.values()]
        found: dict[str, GoldUnit] = {}
        for row in rows:
            if chance := chance_in(draws, row["day"]):
                found[unit_of(row)] = _added(found.get(unit_of(row), GoldUnit(0, 0, 0, 0)), unit(row), 1 / chance)
        return list(found.values())


def _added(sums: GoldUnit, one: GoldUnit, weight: float) -> GoldUnit:
    """The sums of a unit with one more conversation, which counts by its weight."""
    names = ("gold", "gold_of", "tagged", "tagged_of", "both")
    return GoldUnit(**{name: getattr(sums, name) + weight * getattr(one, name) for name in names})


def _tagger(row: Row) -> Tagger:
    return Tagger(row["schema_version"], row["prompt_id"], row["model"])
