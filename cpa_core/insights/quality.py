"""The quality of conversations, and the events associated with low scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cpa_core.insights.comparisons import Compared, Contrast, compare, differences
from cpa_core.insights.selection import Kind, Selection
from cpa_core.insights.statistics import FEW, UNKNOWN, Estimate, Rate, UnitSums, corrected, ratio, share
from cpa_core.insights.volume import MOST_SCORE
from cpa_core.store.database import Row

FALSE_FINDINGS = 0.05
"""The share of false ones that is accepted among findings."""

POSITIONS = 40
"""Messages of a conversation, from its first, that friction is shown for."""


@dataclass(frozen=True)
class ScoreBand:
    """Conversations with a score from `score_from` to below `score_to`; 100 belongs to the last band."""

    score_from: int
    score_to: int
    conversations: int


@dataclass(frozen=True)
class GoalResult:
    """The verdicts on one goal, by its id and its words in the schema. Rates leave out "cannot tell"."""

    criterion: str
    words: str
    met: Rate
    partly: Rate
    missed: Rate
    cannot_tell: int


@dataclass(frozen=True)
class DealbreakerResult:
    """How many of the judged conversations hit a dealbreaker. `most` is the share of the hits in the largest unit."""

    criterion: str
    words: str
    hit: Rate
    most: float = 0.0


@dataclass(frozen=True)
class Effect:
    """The ends of conversations with a kind of event, compared with those without it.

    `difference` of the two shares of bad conversations, from -1 to 1, and `lift`, their ratio; `at_equal_length` is
    the difference within bands of length; `score_difference` is in points. `p_value` is one-sided:
    that they end badly no more often, at equal length. `q_value` is the same after correction for all kinds; both are
    null with too little data.
    """

    kind: Kind
    met: Rate
    """The scored conversations that have it."""
    bad_with: Rate
    bad_without: Rate
    difference: Estimate
    lift: Estimate
    at_equal_length: Estimate
    score_difference: Estimate
    p_value: float | None
    q_value: float | None

    @property
    def is_enough(self) -> bool:
        """Whether there are enough conversations with it and without it."""
        return self.bad_with.is_enough and self.bad_without.is_enough

    @property
    def is_finding(self) -> bool:
        """Whether conversations with it end badly more often, beyond chance after correction."""
        low = self.at_equal_length.low
        return self.q_value is not None and self.q_value <= FALSE_FINDINGS and low is not None and low > 0


@dataclass(frozen=True)
class FrictionAt:
    """Messages at a position (0 is the first) that have an event of friction, of all conversations that go so far."""

    position: int
    messages: Rate


def scores(of: Selection) -> tuple[ScoreBand, ...]:
    """The ten bands of the score, in order, empty ones included."""
    found = {row["score_from"]: row["conversations"] for row in of.answer("scores", by_day=False)}
    return tuple(ScoreBand(low, low + 10, found.get(low, 0)) for low in range(0, 100, 10))


def criteria(of: Selection) -> tuple[GoalResult, ...]:
    """The goals in the order of their rank. The same id with other words, from another schema, is another goal."""
    found: list[GoalResult] = []
    for row in sorted(of.answer("criteria", by_day=False), key=_in_order):
        rates = {name: share(UnitSums(**row[f"of_{name}"])) for name in ("met", "partly", "missed")}
        found.append(GoalResult(row["criterion"], row["words"], **rates, cannot_tell=row["cannot_tell"]))
    return tuple(found)


def _in_order(row: Row) -> tuple[str, int, str, str]:
    return row["criterion"][:1], len(row["criterion"]), row["criterion"], row["words"]


def dealbreakers(of: Selection) -> tuple[DealbreakerResult, ...]:
    """The dealbreakers in order."""
    rows = sorted(of.answer("dealbreakers", by_day=False), key=_in_order)
    return tuple(
        DealbreakerResult(row["criterion"], row["words"], hit, sums.most_hits / sums.hits if sums.hits else 0.0)
        for row in rows
        for sums in [UnitSums(**row["of_judged"])]
        for hit in [share(sums)]
    )


def low_score_events(of: Selection) -> tuple[Effect, ...]:
    """Every kind of event beside bad ends: findings first, then by difference; those with too little data last."""
    return of.once(_low_score_events)


def _low_score_events(of: Selection) -> tuple[Effect, ...]:
    of.answer("low_scores")
    asked = {kind: Contrast(((kind, 1),)) for kind in of.kinds}
    compared = compare(of, asked)
    points = differences(of, asked, "score_sum")
    effects = [_effect(of.kinds[kind], one, points.get(kind)) for kind, one in compared.items()]
    tested = [effect for effect in effects if effect.p_value is not None]
    chances = corrected([effect.p_value for effect in tested if effect.p_value is not None], FEW)
    done = [replace(effect, q_value=q) for effect, q in zip(tested, chances, strict=True)]
    done += [effect for effect in effects if effect.p_value is None]
    return tuple(sorted(done, key=_rank))


def _rank(effect: Effect) -> tuple[bool, bool, float, str, str]:
    value = effect.difference.value
    name = effect.kind
    return not effect.is_finding, not effect.is_enough, -(value or 0.0), name.role, name.event_type


def _effect(kind: Kind, one: Compared, points: UnitSums | None) -> Effect:
    bad_with, bad_without = one.shares
    is_enough = bad_with.is_enough and bad_without.is_enough
    return Effect(
        kind=kind,
        met=share(one.met),
        bad_with=bad_with,
        bad_without=bad_without,
        difference=one.difference,
        lift=one.lift,
        at_equal_length=one.within_layers if is_enough else UNKNOWN,
        score_difference=ratio(points).within(MOST_SCORE) if points else UNKNOWN,
        p_value=one.chance if is_enough else None,
        q_value=None,
    )


def friction(of: Selection, kinds: Sequence[Kind] | None = None) -> tuple[FrictionAt, ...]:
    """Return the places of friction in a conversation, for its first POSITIONS messages.

    Friction is these kinds of event; without any given, those that `low_score_events` finds.
    """
    if kinds is None:
        kinds = [effect.kind for effect in low_score_events(of) if effect.is_finding]
    numbers = [of.numbers[kind] for kind in kinds if kind in of.numbers]
    rows = of.answer("friction", kinds=numbers, most=POSITIONS)
    return tuple(FrictionAt(row["position"], share(UnitSums(**row["of_messages"]))) for row in rows)
