"""Plans: the labels that bring a corrected rate within a wanted width, and the reading worth the next half hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from cpa_core.gold.correcting import LEAST_CONVERSATIONS, LEAST_POSITIVES, GoldUnit, corrected_rate
from cpa_core.gold.drawing import LEAST_DOUBT

QUANTILE = 1.96
ASSUMED_CORRELATION = 0.6
"""The assumed correlation of tagger and people before anybody has labelled: a tagger of kappa 0.6."""
HALF_HOUR = 1800.0
CONVERSATION_SECONDS, MESSAGE_SECONDS = 180.0, 20.0
"""Assumed time to read one, in seconds, until reviews give it."""


def in_words(minutes: float) -> str:
    """Return a time in minutes in words: `40 minutes` below two hours, else `39 hours`."""
    whole = max(1, round(minutes))
    if whole < 120:
        return f"{whole} minute{'' if whole == 1 else 's'}"
    return f"{minutes / 60:.0f} hours"


@dataclass(frozen=True)
class LabelCost:
    """Labels by one way of drawing: the interval's half width by number of labels, and the seconds for each.

    `spread` is the variance of the rate times the labels. `of` is the number of items to label, 0 if unlimited; `done`
    are the labelled ones; `least` is the number that any correction needs.
    """

    spread: float
    of: int
    done: int
    seconds: float
    least: int = 0

    def half_width(self, labels: int) -> float | None:
        """Return the half width with this number of labels in all; null without any."""
        if labels < 2:
            return None
        unseen = max(0.0, 1 - labels / self.of) if self.of else 1.0
        return QUANTILE * sqrt(self.spread / labels * unseen)

    def needed(self, within: float) -> int | None:
        """Return the labels needed for a half width; null if labelling everything does not suffice.

        The number is corrected for a finite population.
        """
        per = self.spread * QUANTILE * QUANTILE / (within * within)
        found = ceil(per / (1 + per / self.of)) if self.of else ceil(per)
        return max(found, self.least) if not self.of or found <= self.of else None

    def after(self, seconds: float) -> float | None:
        """Return the half width after `seconds` more of reading; null while the labels are too few for a correction."""
        labels = self.done + int(seconds / self.seconds)
        return self.half_width(min(labels, self.of or labels)) if labels >= self.least else None


def spread_of_conversations(
    units: Sequence[GoldUnit], conversations: int, tagged: Sequence[GoldUnit], tagged_share: float
) -> float:
    """The variance of a corrected rate times the number of labelled conversations.

    It is estimated from gold if `units` suffice. Else it comes from the variance of the tagger's own counts (`tagged`:
    every conversation, without people's labels), with ASSUMED_CORRELATION.
    """
    found = corrected_rate(units, tagged_share) if conversations >= LEAST_CONVERSATIONS else None
    if found and found.variance > 0:
        return found.variance * conversations
    of = sum(unit.tagged_of for unit in tagged)
    if not of or len(tagged) < 2:
        return 0.25
    share = sum(unit.tagged for unit in tagged) / of
    errors = sum((unit.tagged - share * unit.tagged_of) ** 2 for unit in tagged)
    n = len(tagged)
    return errors * n / (of * of) * n / (n - 1) * (1 - ASSUMED_CORRELATION**2)


def spread_by_doubt(believed: Sequence[float]) -> float:
    """The variance of the rate by doubt times the number of draws, if the probabilities are right."""
    doubts = [max(0.0, s * (1 - s)) for s in believed]
    weights = [sqrt(one) + LEAST_DOUBT for one in doubts]
    total = sum(weights)
    return total / len(believed) ** 2 * sum(d / w for d, w in zip(doubts, weights, strict=True)) if believed else 0.25


def least_conversations(positives_each: float) -> int:
    """Conversations that any correction needs, given the positives that one has on average."""
    by_positives = ceil(LEAST_POSITIVES / positives_each) if positives_each > 0 else LEAST_CONVERSATIONS
    return max(LEAST_CONVERSATIONS, by_positives)
