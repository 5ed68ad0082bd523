"""Labels before and after a change of model, prompt or schema, beside the same labels by people."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Literal

from cpa_core.gold.agreement import cohen
from cpa_core.gold.correcting import LEAST_CONVERSATIONS, LEAST_POSITIVES
from cpa_core.gold.people import unit_of
from cpa_core.gold.validity import Tagger
from cpa_core.insights import UNKNOWN, Estimate
from cpa_core.insights.distributions import t_quantile, t_tails
from cpa_core.insights.statistics import corrected, jackknife
from cpa_core.models import Value
from cpa_core.store.database import Row

FALSE_CHANGES = 0.05
"""The share of false ones that is accepted among labels said to be better or worse."""

Verdict = Literal["better", "worse", "no clear difference", "too little data"]


class SaidLabels(Value):
    """One tagger's labels of one conversation, without words of messages.

    `asked` are the labels that it could give, by event types' keys and criteria's words. `said` has the ids of the
    messages with each, or the verdict.
    """

    replaced_at: datetime | None = None
    task: Literal["tag", "judge"]
    schema_version: str
    prompt_id: str
    model: str
    conversation_id: str
    content_hash: str
    asked: tuple[str, ...]
    said: dict[str, tuple[str, ...]]

    @property
    def tagger(self) -> Tagger:
        """Return the tagger that made the labels."""
        return Tagger(self.schema_version, self.prompt_id, self.model)

    @property
    def place(self) -> tuple[str, str, str]:
        """The task, and the conversation with a hash of its content: a changed conversation has another."""
        return self.task, self.conversation_id, self.content_hash

    def has(self, key: str, message_id: str | None) -> bool | None:
        """Return whether a message has the label, or a conversation the verdict; null where it cannot tell."""
        said = self.said.get(key, ())
        if message_id is not None:
            return message_id in said
        return None if not said or said[0] == "cannot tell" else said[0] in ("met", "hit")


@dataclass(frozen=True)
class AgreementChange:
    """Cohen's kappa of one label with people, before and after a change of the tagger, on the same conversations.

    `difference` is the second less the first, from -2 to 2, with an interval by unit (a user, else a conversation).
    `verdict` holds for all labels together: of those better or worse, at most FALSE_CHANGES are so by chance.
    """

    kind: str
    key: str
    before: Tagger
    after: Tagger
    kappa_before: float | None
    kappa_after: float | None
    difference: Estimate
    conversations: int
    positives: int
    verdict: Verdict


def last_replaced(earlier: Iterable[SaidLabels], now: Sequence[SaidLabels]) -> list[tuple[SaidLabels, SaidLabels]]:
    """The labels of each conversation before its last change of tagger, and its present ones.

    For each task they are those of one pair of taggers: the pair with the most conversations.
    """
    present = {one.place: one for one in now}
    before: dict[tuple[str, str, str], SaidLabels] = {}
    for one in earlier:
        if (new := present.get(one.place)) and one.tagger != new.tagger:
            before[one.place] = one
    counts = Counter((one.task, one.tagger, present[place].tagger) for place, one in before.items())
    most = {task: pair for (task, *pair), _ in reversed(counts.most_common())}
    pairs = [(one, present[place]) for place, one in before.items()]
    return [(old, new) for old, new in pairs if [old.tagger, new.tagger] == most[old.task]]


def agreement_changes(
    items: Iterable[Row], pairs: Sequence[tuple[SaidLabels, SaidLabels]]
) -> tuple[AgreementChange, ...]:
    """The change of each label that both taggers could give, from people's labels of messages and conversations.

    `items` are the rows of `gold/measured_items`.
    """
    of: dict[tuple[str, str], tuple[SaidLabels, SaidLabels]] = {
        (old.task, old.conversation_id): (old, new) for old, new in pairs
    }
    labels: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in items:
        pair = of.get((_task(row["kind"]), row["conversation_id"]))
        if pair and all(row["key"] in one.asked for one in pair):
            labels[row["kind"], row["key"]].append(row)
    found = [change for label, rows in labels.items() if (change := _Compared.of(label, rows, of))]
    enough = [one for one in found if one.chance is not None]
    q_values = dict(zip(map(id, enough), corrected([one.chance or 0.0 for one in enough]), strict=True))
    return tuple(one.change(q_values.get(id(one))) for one in found)


def _task(kind: str) -> str:
    return "tag" if kind == "event" else "judge"


Counts = tuple[float, ...]
"""Labelled by both, by the tagger alone, by people alone, by neither: before the change, then after it."""


@dataclass(frozen=True)
class _Compared:
    """The confusions of one label before and after, by unit."""

    label: tuple[str, str]
    taggers: tuple[Tagger, Tagger]
    sums: Sequence[Counts]
    conversations: int
    positives: int

    @classmethod
    def of(
        cls, label: tuple[str, str], rows: Sequence[Row], pairs: Mapping[tuple[str, str], tuple[SaidLabels, SaidLabels]]
    ) -> "_Compared | None":
        """The counts over the items of which both taggers can tell; null without any."""
        sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * 8)
        seen: set[str] = set()
        positives = 0
        for row in rows:
            pair = pairs[_task(label[0]), row["conversation_id"]]
            said = [one.has(row["key"], row["message_id"]) for one in pair]
            if None not in said:
                for n, one in enumerate(said):
                    sums[unit_of(row)][4 * n + (not row["present"]) + 2 * (not one)] += 1
                seen.add(row["conversation_id"])
                positives += row["present"]
        if not seen:
            return None
        old, new = pairs[_task(label[0]), rows[0]["conversation_id"]]
        return cls(label, (old.tagger, new.tagger), [tuple(one) for one in sums.values()], len(seen), positives)

    @property
    def difference(self) -> float | None:
        """The second kappa less the first."""
        return _gained(_total(self.sums))

    @property
    def variance(self) -> float | None:
        """The jackknife's variance of the difference over units; null where it is unknown."""
        whole = _total(self.sums)
        without = [_gained([a - b for a, b in zip(whole, one, strict=True)]) for one in self.sums]
        known = [one for one in without if one is not None]
        return jackknife(known) if len(known) == len(without) else None

    @property
    def interval(self) -> Estimate:
        """The difference with its t interval by unit; without one where no unit differs from another."""
        value, variance = self.difference, self.variance
        if value is None:
            return UNKNOWN
        if not variance:
            return Estimate(value, None, None)
        half = t_quantile(len(self.sums) - 1) * sqrt(variance)
        return Estimate(value, value - half, value + half).within(2)

    @property
    def chance(self) -> float | None:
        """Return the p-value of the difference; null with too little data."""
        is_enough = self.conversations >= LEAST_CONVERSATIONS and self.positives >= LEAST_POSITIVES
        value, variance = self.difference, self.variance
        if not is_enough or value is None or variance is None:
            return None
        return t_tails(value / sqrt(variance), len(self.sums) - 1) if variance else float(value == 0)

    def change(self, q_value: float | None) -> AgreementChange:
        """The change, with its p-value after correction for all labels; null with too little data."""
        whole = _total(self.sums)
        return AgreementChange(
            kind=self.label[0],
            key=self.label[1],
            before=self.taggers[0],
            after=self.taggers[1],
            kappa_before=cohen(*whole[:4]),
            kappa_after=cohen(*whole[4:]),
            difference=self.interval,
            conversations=self.conversations,
            positives=self.positives,
            verdict=_verdict(self.difference, q_value),
        )


def _verdict(difference: float | None, q_value: float | None) -> Verdict:
    if q_value is None or difference is None:
        return "too little data"
    if q_value > FALSE_CHANGES:
        return "no clear difference"
    return "better" if difference > 0 else "worse"


def _total(sums: Sequence[Counts]) -> list[float]:
    return [sum(one) for one in zip(*sums, strict=True)]


def _gained(counts: Sequence[float]) -> float | None:
    before, after = cohen(*counts[:4]), cohen(*counts[4:])
    return None if before is None or after is None else after - before
