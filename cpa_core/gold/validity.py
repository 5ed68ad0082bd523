"""For which days a correction holds: where gold was drawn, and where the tagger is the one that gold met."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from cpa_core.gold.correcting import LEAST_CONVERSATIONS, Lacking

SMALL_PART = 0.1
"""The share of conversations that another tagger may have tagged without gold of its own."""

Basis = Literal["sample", "assumed", "none"]
"""A correction by gold of these days; by older gold, assuming that the tagger errs as it did; none."""


class Tagger(NamedTuple):
    """What labels were made by."""

    schema_version: str | None
    prompt_id: str | None
    model: str | None

    def words(self) -> str:
        """As people read it."""
        return f"{self.model or 'an unknown model'}, schema {(self.schema_version or 'unknown')[:6]}"


@dataclass(frozen=True)
class Frame:
    """A random draw of conversations of these days, and the chance with which each was drawn and read."""

    first: date
    last: date
    chance: float


@dataclass(frozen=True)
class Population:
    """What is asked about: conversations by day and tagger."""

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
    """What a correction is valid for, in words, and whose gold it uses. `lacking`: conversations to label for one."""

    basis: Basis
    words: str
    tagger: Tagger | None = None
    lacking: int = 0


def validity(population: Population, frames: Sequence[Frame], gold: Sequence[GoldSeen]) -> Validity:
    """Whether gold corrects a rate of the population, and on what assumption.

    By a sample where every day was in a random draw and each tagger of a tenth of the conversations or more has enough
    gold. Else by older gold of the one tagger, marked as an assumption. Else not at all: it says what is lacking.
    """
    inside = [one for one in gold if one.is_inside]
    lacking = _lacking(inside)
    if not gold:
        return Validity("none", f"no labels by people: label {lacking.more} conversations", lacking=lacking.more)
    beyond = [day for day in population.days if not any(one.first <= day <= one.last for one in frames)]
    unsampled = _unsampled(population, inside)
    if not beyond and not lacking.more and not unsampled:
        days = f"{min(one.day for one in inside)} to {max(one.day for one in inside)}"
        return Validity("sample", f"by {len(inside)} conversations labelled at random, {days}")
    return _assumed(population, beyond or list(population.days), gold, lacking)


def _unsampled(population: Population, inside: Sequence[GoldSeen]) -> list[Tagger]:
    """Taggers of a good part of the population, in a population of several, without enough gold of their own."""
    counted = population.taggers(population.days)
    if len(counted) < 2:
        return []
    labelled = Counter(one.tagger for one in inside)
    least = SMALL_PART * counted.total()
    return [one for one, n in counted.items() if n >= least and labelled[one] < LEAST_CONVERSATIONS]


def _assumed(population: Population, beyond: Sequence[date], gold: Sequence[GoldSeen], lacking: Lacking) -> Validity:
    """By gold of other days, where one tagger made all labels that are asked about and enough of that gold's."""
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
