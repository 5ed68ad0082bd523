"""The days for which a correction holds: days in a random draw of gold, labelled by the tagger that gold measured."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from cpa_core.gold.correcting import LEAST_CONVERSATIONS, Lacking

SMALL_PART = 0.1
"""The largest share of conversations whose tagger needs no gold of its own."""

Basis = Literal["sample", "assumed", "none"]
"""A correction by gold of these days; by older gold, assuming unchanged errors of the tagger; or none."""


class Tagger(NamedTuple):
    """The maker of labels: schema version, prompt and model."""

    schema_version: str | None
    prompt_id: str | None
    model: str | None

    def words(self) -> str:
        """Return it as text for people."""
        return f"{self.model or 'an unknown model'}, schema {(self.schema_version or 'unknown')[:6]}"


@dataclass(frozen=True)
class Frame:
    """A random draw of conversations of these days, and the chance with which each was drawn and read."""

    first: date
    last: date
    chance: float


@dataclass(frozen=True)
class Population:
    """The population of a rate: conversations by day and tagger."""

    counts: Mapping[tuple[date, Tagger], int]

    @property
    def days(self) -> tuple[date, ...]:
        """The days, in order."""
        return tuple(sorted({day for day, _ in self.counts}))

    def taggers(self, days: Sequence[date]) -> Counter[Tagger]:
        """The conversations of these days by tagger."""
        found: Counter[Tagger] = Counter()
        wanted = set(days)
        for (day, tagger), count in self.counts.items():
            if day in wanted:
                found[tagger] += count
        return found


@dataclass(frozen=True)
class GoldSeen:
    """A labelled conversation: its day, its tagger, its positives, and whether it is among those asked about."""

    day: date
    tagger: Tagger
    positives: int
    is_inside: bool


@dataclass(frozen=True)
class Validity:
    """The validity of a correction in words, and the tagger whose gold it uses.

    `lacking`: conversations still to label.
    """

    basis: Basis
    words: str
    tagger: Tagger | None = None
    lacking: int = 0


def validity(population: Population, frames: Sequence[Frame], gold: Sequence[GoldSeen]) -> Validity:
    """Return whether gold corrects a rate of the population, and under which assumption.

    A sample corrects it if every day was in a random draw and each tagger of a tenth of the conversations or more has
    enough gold. Else older gold of the one tagger corrects it, marked as an assumption. Else nothing does, and the
    result names the labels that are lacking.
    """
    inside = [one for one in gold if one.is_inside]
    lacking = _lacking(inside)
    if not gold:
        why = f"people labelled nothing that was drawn at random: label {lacking.more} conversations"
        return Validity("none", why, lacking=lacking.more)
    beyond = [day for day in population.days if not any(one.first <= day <= one.last for one in frames)]
    unsampled = _unsampled(population, inside)
    if not beyond and not lacking.more and not unsampled:
        days = f"{min(one.day for one in inside)} to {max(one.day for one in inside)}"
        return Validity("sample", f"by {len(inside)} conversations labelled at random, {days}")
    return _assumed(population, beyond or list(population.days), gold, lacking)


def _unsampled(population: Population, inside: Sequence[GoldSeen]) -> list[Tagger]:
    """Return the taggers, of several, that labelled a large part of the population and lack gold of their own."""
    counted = population.taggers(population.days)
    if len(counted) < 2:
        return []
    labelled = Counter(one.tagger for one in inside)
    least = SMALL_PART * counted.total()
    return [one for one, n in counted.items() if n >= least and labelled[one] < LEAST_CONVERSATIONS]


def _assumed(population: Population, beyond: Sequence[date], gold: Sequence[GoldSeen], lacking: Lacking) -> Validity:
    """Return validity by gold of other days, if one tagger made all selected labels and enough of that gold's."""
    taggers = population.taggers(population.days)
    most, count = taggers.most_common(1)[0] if taggers else (None, 0)
    if most is None or count <= (1 - SMALL_PART) * taggers.total():
        return Validity(
            "none", _none(beyond, "several models, prompts or schemas tagged them", lacking), lacking=lacking.more
        )
    same = [one for one in gold if one.tagger == most]
    if not same:
        why = f"another model, prompt or schema tagged them ({most.words()})"
        return Validity("none", _none(beyond, why, lacking), lacking=max(LEAST_CONVERSATIONS, lacking.more))
    enough = _lacking(same)
    if enough.more:
        why = f"{enough.conversations} labelled conversations with {enough.positives} positives are too few"
        return Validity("none", f"{why}: label {enough.more} more", lacking=enough.more)
    when = f"{min(one.day for one in same)} to {max(one.day for one in same)}"
    return Validity("assumed", f"assumes the tagger errs as on {when}, the days of the gold", tagger=most)


def _none(beyond: Sequence[date], why: str, lacking: Lacking) -> str:
    days = f"{beyond[0]} to {beyond[-1]}" if len(beyond) > 1 else f"{beyond[0]}"
    return f"not valid for {days}: {why}: label {max(LEAST_CONVERSATIONS, lacking.more)} conversations of these days"


def _lacking(gold: Sequence[GoldSeen]) -> Lacking:
    return Lacking(len(gold), sum(one.positives for one in gold))
