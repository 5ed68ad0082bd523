"""Draws of the conversations and messages that a person reads next; each item's chance of selection is stored."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import accumulate
from math import sqrt
from random import Random
from typing import Literal

from cpa_core.models import Value, digest

Way = Literal["random", "doubt", "disagreement", "second", "border", "imported"]
"""How a draw was made. Texts at the border of a topic, and those of people, are no sample: no rate is made of them."""
LEAST_DOUBT = 0.02
"""Constant added to each message's doubt, so that all have a chance (Zrnic and Candès, ICML 2024, section 3)."""


class DrawnItem(Value):
    """One item for a reviewer: a conversation, or one message of it.

    `chance` of selection; null if unknown. `believed` is the probability that the message has the label, by which it
    was drawn; null for other draws.
    """

    conversation_id: str
    message_id: str | None = None
    chance: float | None = None
    believed: float | None = None


class Draw(Value):
    """One draw. Its items are in random order, so that those read first are a random sample of them.

    `frame` is the number of conversations, or of messages for a draw by doubt, that could have been drawn on the days
    from `first` to `last`. `label` is the key of the type that a draw by doubt is for, and `mean_believed` the mean of
    the probabilities over the frame. `drawn_as` is its original id if items were forgotten since.
    """

    way: Way
    queue: str
    first: date
    last: date
    frame: int
    seed: int
    drawn_at: datetime
    schema_version: str
    label: str | None = None
    mean_believed: float | None = None
    items: tuple[DrawnItem, ...]
    drawn_as: str | None = None

    @property
    def draw_id(self) -> str:
        """An id made of the content."""
        return self.drawn_as or digest(self.model_dump(mode="json", exclude={"drawn_as"}))[:12]


def at_random(frame: Sequence[tuple[date, str]], size: int, seed: int) -> tuple[DrawnItem, ...]:
    """Draw `size` of these conversations (day and id), each with the same chance, and each day by its share.

    Systematic sampling of the conversations in the order of their days, in random order within a day: every chance is
    size / frame exactly, so that no weights are needed. A smaller frame is taken whole.
    """
    random = Random(seed)
    ordered = sorted((day, random.random(), conversation) for day, conversation in sorted(frame))
    if size >= len(ordered):
        chosen = ordered
    else:
        step = len(ordered) / size
        start = random.random() * step
        chosen = [ordered[min(int(start + step * n), len(ordered) - 1)] for n in range(size)]
    chance = len(chosen) / len(ordered) if ordered else 0.0
    items = [DrawnItem(conversation_id=one[2], chance=chance) for one in chosen]
    random.shuffle(items)
    return tuple(items)


def by_doubt(believed: Sequence[tuple[str, str, float]], size: int, seed: int) -> tuple[DrawnItem, ...]:
    """Make `size` draws, with replacement, of these messages (conversation, message, probability of the label).

    The chance of one draw is proportional to √(s(1 − s)) + LEAST_DOUBT. A message that is drawn twice appears twice.
    """
    weights = [sqrt(max(0.0, s * (1 - s))) + LEAST_DOUBT for _, _, s in believed]
    total = sum(weights)
    random = Random(seed)
    bounds = list(accumulate(weights))
    chosen = random.choices(range(len(weights)), cum_weights=bounds, k=size) if weights else []
    return tuple(
        DrawnItem(
            conversation_id=believed[at][0],
            message_id=believed[at][1],
            chance=weights[at] / total,
            believed=believed[at][2],
        )
        for at in chosen
    )


def chance_in(draws: Sequence[tuple[date, date, float]], day: date) -> float | None:
    """Return the chance that a conversation of a day is read, given several draws: first day, last day, chance of each.

    Draws exclude conversations drawn before, so the chances of not being drawn multiply. Null where no draw covers it.
    """
    missed = 1.0
    for first, last, chance in draws:
        if first <= day <= last:
            missed *= 1 - chance
    return None if missed == 1.0 else 1 - missed


def beliefs(
    tagged: Mapping[str, bool], doubtful: frozenset[str], neighbours: frozenset[str], precision: float, missed: float
) -> dict[str, float]:
    """Return the probability of a label for each message, from the tagger's labels.

    `precision` and `missed` are the shares of tagged and of untagged messages that have the label. A tag whose quote
    was not found, or whose answer had to be repaired, is `doubtful` and halfway between the two. A message without
    the label that has another event of its role is a `neighbour`: twice as likely as one with none.
    """
    found: dict[str, float] = {}
    for message, has_label in tagged.items():
        if has_label:
            found[message] = (precision + missed) / 2 if message in doubtful else precision
        else:
            found[message] = min(0.5, 2 * missed) if message in neighbours else missed
    return found
