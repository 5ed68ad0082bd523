"""Corrected rates on conversations resampled from real labels: how often their intervals hold the truth, and how wide.

    python -m benchmarks.corrected [--annomi FOLDER] [--draws 1000] [--seed 1]

5,000 conversations are resampled from those of FOLDER (gold.csv, by expert labels); without it they are generated with
the same lengths and clustering. A tagger of kappa 0.6 errs alike within a conversation. Each draw takes other
conversations, other errors and other gold. Exits 1 where a coverage or a width is out of its bounds.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import numpy as np

from cpa_core.gold.correcting import (
    CorrectedRate,
    DoubtedMessage,
    GoldUnit,
    beyond_the_gold,
    by_doubt_rate,
    corrected_rate,
    gold_rate,
    interval,
)
from cpa_core.gold.drawing import LEAST_DOUBT

POPULATION = 5_000
LOWEST, HIGHEST = 0.92, 0.975
WIDER = 1.05
"""By how much an interval may be wider than the one measured with the same formulas before."""
EFFECT = 0.8
"""The standard deviation of a conversation's own effect on the logits of both errors."""
Numbers = Any


@dataclass(frozen=True)
class TaggerErrors:
    """A tagger's sensitivity and specificity, over all conversations."""

    found: float
    right: float


@dataclass(frozen=True)
class Talks:
    """Conversations: messages, those with the label by people, those by the tagger, those by both."""

    messages: Numbers
    gold: Numbers
    tagged: Numbers
    both: Numbers

    @property
    def truth(self) -> float:
        """The share of messages with the label."""
        return float(self.gold.sum() / self.messages.sum())

    @property
    def tagged_share(self) -> float:
        """The same by the tagger."""
        return float(self.tagged.sum() / self.messages.sum())

    def units(self, chosen: Numbers) -> list[GoldUnit]:
        """The gold units of these conversations."""
        columns = (self.gold, self.messages, self.tagged, self.messages, self.both)
        return [GoldUnit(*map(float, row)) for row in zip(*(one[chosen] for one in columns), strict=True)]


RARE, COMMON = TaggerErrors(0.62, 0.9925), TaggerErrors(0.65, 0.955)


def logistic(values: Numbers) -> Numbers:
    """Probabilities of logits."""
    return 1 / (1 + np.exp(-values))


GRID = NormalDist().inv_cdf
EFFECTS = np.array([GRID((n + 0.5) / 999) for n in range(999)])
"""A standard normal distribution as a grid."""


@cache
def middle(share: float) -> float:
    """The logit of the middle conversation when the mean share over all conversations is `share`."""
    low, high = -20.0, 20.0
    for _ in range(60):
        at = (low + high) / 2
        low, high = (at, high) if logistic(at + EFFECT * EFFECTS).mean() < share else (low, at)
    return (low + high) / 2


def tagged_talks(chance: np.random.Generator, messages: Numbers, gold: Numbers, tagger: TaggerErrors) -> Talks:
    """The conversations with what the tagger says: its errors go with the conversation."""
    found = logistic(middle(tagger.found) + EFFECT * chance.standard_normal(len(messages)))
    false = logistic(middle(1 - tagger.right) + EFFECT * chance.standard_normal(len(messages)))
    both = chance.binomial(gold, found)
    return Talks(messages, gold, both + chance.binomial(messages - gold, false), both)


@dataclass(frozen=True)
class Annotated:
    """Real conversations: their messages, and those with the common label."""

    messages: Numbers
    labelled: Numbers


def annotated(folder: Path) -> Annotated:
    """The conversations of a folder; generated ones where it is not there."""
    path = folder / "gold.csv"
    if not path.exists():
        chance = np.random.default_rng(7)
        messages = np.maximum(8, chance.gamma(1.2, 64, 65)).astype(int)
        return Annotated(messages, chance.binomial(messages, chance.beta(1.0, 8.3, 65)))
    counts: dict[str, list[int]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = counts.setdefault(row["conversation_id"], [0, 0])
            found[0] += 1
            found[1] += row["event_type"] == "Change Talk"
    columns = np.array(list(counts.values()))
    return Annotated(columns[:, 0], columns[:, 1])


def rare(of: Annotated, chance: np.random.Generator) -> Talks:
    """A label of 2 % of messages, overdispersed."""
    messages = of.messages[chance.integers(0, len(of.messages), POPULATION)]
    return tagged_talks(chance, messages, chance.binomial(messages, chance.beta(0.35, 0.35 * 49, POPULATION)), RARE)


def common(of: Annotated, chance: np.random.Generator) -> Talks:
    """The real label."""
    at = chance.integers(0, len(of.messages), POPULATION)
    return tagged_talks(chance, of.messages[at], of.labelled[at], COMMON)


def verdicts(of: Annotated, chance: np.random.Generator) -> Talks:
    """One verdict a conversation: 80 % pass; the judge finds 92 % of these, and 70 % of those that fail."""
    gold = (chance.random(POPULATION) < 0.8).astype(int)
    both = chance.binomial(gold, 0.92)
    return Talks(np.ones(POPULATION, dtype=int), gold, both + chance.binomial(1 - gold, 0.3), both)


Make = Callable[[Annotated, np.random.Generator], Talks]
Estimate = Callable[[Talks, Numbers], CorrectedRate | None]


def by_sample(talks: Talks, chosen: Numbers) -> CorrectedRate | None:
    """The corrected rate."""
    return corrected_rate(talks.units(chosen), talks.tagged_share, sampled=len(chosen) / POPULATION)


def by_gold_alone(talks: Talks, chosen: Numbers) -> CorrectedRate | None:
    """The rate of the gold alone."""
    return gold_rate(talks.units(chosen), sampled=len(chosen) / POPULATION)


def by_plain_weight(talks: Talks, chosen: Numbers) -> CorrectedRate | None:
    """Return the rate by PPI++ as it was before decision 0119: the weight is the plain slope, cut to 0 to 1."""
    y, m, f, k = (one[chosen].astype(float) for one in (talks.gold, talks.messages, talks.tagged, talks.messages))
    sums = np.array([y, m, f, k, y * f, y * k, m * f, m * k, f * f, f * k, k * k])
    totals = sums.sum(axis=1)
    without = _plain(totals[:, None] - sums, talks.tagged_share)
    variance = (len(chosen) - 1) * without.var() * (1 - len(chosen) / POPULATION)
    value = float(_plain(totals[:, None], talks.tagged_share)[0])
    return interval(value, float(variance), len(chosen), is_seen=bool(totals[0] > 0))


def _plain(sums: Numbers, tagged_share: float) -> Numbers:
    y, m, f, k, yf, yk, mf, mk, ff, fk, kk = sums
    by_people, by_tagger = y / m, f / k
    together = yf - by_tagger * yk - by_people * mf + by_people * by_tagger * mk
    own = ff - 2 * by_tagger * fk + by_tagger**2 * kk
    weight = np.clip(together / np.where(own > 0, own, np.inf), 0, 1)
    return by_people + weight * (tagged_share - by_tagger)


def by_old_gold(talks: Talks, chosen: Numbers) -> CorrectedRate | None:
    """Rogan and Gladen's, as for days after the gold's."""
    return beyond_the_gold(talks.units(chosen), talks.tagged_share)


def by_rows(talks: Talks, chosen: Numbers) -> CorrectedRate | None:
    """What not to do: each message as a unit of its own."""
    rows: list[GoldUnit] = []
    for unit in talks.units(chosen):
        both, tagged, gold = int(unit.both), int(unit.tagged), int(unit.gold)
        rows += [GoldUnit(1, 1, 1, 1)] * both + [GoldUnit(0, 1, 1, 1)] * (tagged - both)
        rows += [GoldUnit(1, 1, 0, 1)] * (gold - both)
        rows += [GoldUnit(0, 1, 0, 1)] * (int(unit.gold_of) - tagged - gold + both)
    return corrected_rate(rows, talks.tagged_share)


def by_two_rates(talks: Talks, chosen: Numbers) -> CorrectedRate | None:
    """The first half of the population read three times as densely as the second: weights by chance of selection."""
    half = POPULATION // 2
    first, second = chosen[: 3 * len(chosen) // 4] % half, half + chosen[3 * len(chosen) // 4 :] % half
    sums = [_weighted(unit, 1.0) for unit in talks.units(np.unique(first))]
    weight = len(sums) / len(np.unique(second))
    sums += [_weighted(unit, weight) for unit in talks.units(np.unique(second))]
    return corrected_rate(sums, talks.tagged_share, sampled=len(chosen) / POPULATION)


def _weighted(unit: GoldUnit, weight: float) -> GoldUnit:
    names = ("gold", "gold_of", "tagged", "tagged_of", "both")
    return GoldUnit(**{name: weight * getattr(unit, name) for name in names})


@dataclass(frozen=True)
class Measured:
    """One row: what, the share of draws that hold the truth, the median width, and the width to keep within."""

    name: str
    size: int
    coverage: float
    width: float
    most: float | None = None
    bound: bool = False

    @property
    def is_good(self) -> bool:
        """Whether coverage and width are within bounds. Rows without a width to keep are shown for comparison."""
        highest = 1.0 if self.bound else HIGHEST
        return self.most is None or (LOWEST <= self.coverage <= highest and self.width <= WIDER * self.most)


def measured(
    name: str, make: Callable[[np.random.Generator], Talks], estimate: Estimate, size: int, how: tuple[int, int]
) -> Measured:
    """One row over so many draws with a seed."""
    draws, seed = how
    held, widths, bounds = 0, [], 0
    for n in range(draws):
        chance = np.random.default_rng([seed, size, n])
        talks = make(chance)
        found = estimate(talks, chance.choice(POPULATION, size, replace=False))
        if found is not None:
            held += found.low <= talks.truth <= found.high
            bounds += found.is_bound
            widths.append(found.high - found.low)
    return Measured(name, size, held / max(1, len(widths)), median(widths), bound=bounds > draws / 20)


def by_doubt(of: Annotated, draws: int, seed: int, least: float = LEAST_DOUBT, size: int = 500) -> Measured:
    """Messages chosen by a calibrated probability, whose errors go with the conversation; some draws a population.

    `least` is what is added to each doubt; with a very large one the messages are chosen at random.
    """
    held, widths = 0, []
    for population in range(max(1, draws // 50)):
        chance = np.random.default_rng([seed, 500, population])
        present, believed = _probabilities(of, chance)
        weights = np.sqrt(believed * (1 - believed)) + least
        chances = weights / weights.sum()
        truth, mean = float(present.mean()), float(believed.mean())
        for _ in range(min(draws, 50)):
            at = chance.choice(len(chances), size, p=chances)
            drawn = [
                DoubtedMessage(bool(y), float(s), float(p))
                for y, s, p in zip(present[at], believed[at], chances[at], strict=True)
            ]
            found = by_doubt_rate(drawn, mean, len(chances))
            if found is not None:
                held += found.low <= truth <= found.high
                widths.append(found.high - found.low)
    if least > 1:
        return Measured("at random, by probabilities", size, held / len(widths), median(widths))
    return Measured("by doubt, messages", size, held / len(widths), median(widths), 0.0083)


def _probabilities(of: Annotated, chance: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Messages with the rare label, and calibrated probabilities whose errors go with the conversation."""
    lengths = of.messages[chance.integers(0, len(of.messages), POPULATION)]
    rates = chance.beta(0.35, 0.35 * 49, POPULATION)
    present = chance.random(lengths.sum()) < np.repeat(rates, lengths)
    distance = 3.3  # so that 500 messages at random, corrected by the probabilities, have a width of .0154
    score = distance * present + chance.standard_normal(len(present))
    score += np.repeat(0.35 * chance.standard_normal(POPULATION), lengths)
    order = np.argsort(score)
    believed = np.empty(len(score))
    for part in np.array_split(order, 400):
        believed[part] = present[part].mean()
    tail = order[-len(order) // 400 :]
    for part in np.array_split(tail, 10):
        believed[part] = present[part].mean()
    return present, np.clip(believed, 0.0005, 0.9995)


WIDTHS = {
    ("rare", 50): 0.0140,
    ("rare", 100): 0.0093,
    ("rare", 200): 0.0067,
    ("common", 50): 0.0394,
    ("common", 100): 0.0277,
    ("common", 200): 0.0200,
    ("verdicts", 30): 0.243,
    ("verdicts", 50): 0.183,
    ("verdicts", 100): 0.127,
    ("verdicts", 200): 0.087,
}
"""Median widths measured with the same formulas when they were chosen."""
MAKERS: dict[str, Make] = {"rare": rare, "common": common, "verdicts": verdicts}


def rows(of: Annotated, draws: int, seed: int) -> list[Measured]:
    """Every row."""
    found: list[Measured] = []
    for (name, size), most in WIDTHS.items():
        make = partial(MAKERS[name], of)
        one = measured(f"{name}, corrected", make, by_sample, size, (draws, seed))
        found.append(Measured(one.name, size, one.coverage, one.width, most, one.bound))
        found.append(measured(f"{name}, plain weight", make, by_plain_weight, size, (draws, seed)))
        found.append(measured(f"{name}, gold alone", make, by_gold_alone, size, (draws, seed)))
    few = max(50, draws // 5)
    for name in ("rare", "common"):
        make = partial(MAKERS[name], of)
        found.append(measured(f"{name}, old gold (assumed)", make, by_old_gold, 100, (draws, seed)))
        found.append(measured(f"{name}, two rates of reading", make, by_two_rates, 100, (draws, seed)))
        found.append(measured(f"{name}, by rows: not to be used", make, by_rows, 100, (few, seed)))
    found += [by_doubt(of, draws, seed, least) for least in (1e6, LEAST_DOUBT)]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the rows; 1 where one is out of bounds."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    reader.add_argument("--annomi", type=Path, default=Path("../shared/data/annomi"))
    reader.add_argument("--draws", type=int, default=1000)
    reader.add_argument("--seed", type=int, default=1)
    given = reader.parse_args(arguments)
    of = annotated(given.annomi)
    print(f"{len(of.messages)} conversations, {of.labelled.sum() / of.messages.sum():.1%} of messages labelled")
    found = rows(of, given.draws, given.seed)
    for one in found:
        most = (
            ""
            if one.most is None
            else f"  at most {WIDER * one.most:.4f}  {'good' if one.is_good else 'OUT OF BOUNDS'}"
        )
        print(
            f"{one.name:32} n {one.size:4}  coverage {100 * one.coverage:5.1f}%  width {one.width:.4f}{most}",
            flush=True,
        )
    return 0 if all(one.is_good for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
