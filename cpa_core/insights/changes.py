"""Before and after: the differences between two selections, marked as unknown if there is too little data."""

from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from cpa_core.insights.quality import FALSE_FINDINGS
from cpa_core.insights.selection import Kind, Selection
from cpa_core.insights.statistics import (
    Estimate,
    Mean,
    Rate,
    UnitSums,
    change_chance,
    corrected,
    difference,
    ratio_difference,
    share,
)
from cpa_core.insights.volume import MOST_SCORE, overview, totals

Verdict = Literal["higher", "lower", "no clear difference", "too little data"]


@dataclass(frozen=True)
class FigureChange:
    """One figure before and after. `difference` is after less before: of shares, points, or messages.

    `figure` is good, bad, with_dealbreaker, score, messages_per_conversation, or event for a kind of event: the share
    of conversations that have it. Verdicts on events are corrected for their number (`q_value`), the others not.
    """

    figure: str
    kind: Kind | None
    before: Rate | Mean
    after: Rate | Mean
    difference: Estimate
    verdict: Verdict
    q_value: float | None = None


def compared(before: Selection, after: Selection) -> tuple[FigureChange, ...]:
    """Return the differences: the header figures, then the kinds of event, those with a clear difference first."""
    return (*_headers(before, after), *_events(before, after))


def _headers(before: Selection, after: Selection) -> list[FigureChange]:
    old, new = overview(before), overview(after)
    found: list[FigureChange] = []
    for name in ("good", "bad", "with_dealbreaker"):
        one, other = getattr(old, name), getattr(new, name)
        gap = difference(other, one)
        found.append(FigureChange(name, None, one, other, gap, _verdict(one, other, gap)))
    rows = [totals(of) for of in (before, after)]
    for name, sums, most in (("score", "of_score", MOST_SCORE), ("messages_per_conversation", "of_messages", inf)):
        one, other = getattr(old, name), getattr(new, name)
        gap = ratio_difference(UnitSums(**rows[1][sums]), UnitSums(**rows[0][sums])).within(most)
        found.append(FigureChange(name, None, one, other, gap, _verdict(one, other, gap)))
    return found


def _verdict(before: Rate | Mean, after: Rate | Mean, gap: Estimate) -> Verdict:
    if not before.is_enough or not after.is_enough or gap.low is None or gap.high is None:
        return "too little data"
    if gap.low > 0:
        return "higher"
    return "lower" if gap.high < 0 else "no clear difference"


def _events(before: Selection, after: Selection) -> list[FigureChange]:
    old, new = _by_kind(before), _by_kind(after)
    kinds = sorted(old.keys() | new.keys(), key=lambda kind: (kind.role, kind.event_type))
    none = [_none(of) for of in (before, after)]
    pairs = [(kind, old.get(kind, none[0]), new.get(kind, none[1])) for kind in kinds]
    chances = [change_chance(b, a) for _, a, b in pairs]
    q_values = corrected([1.0 if chance is None else chance for chance in chances])
    found: list[FigureChange] = []
    for (kind, *sums), q in zip(pairs, q_values, strict=True):
        a, b = (share(one) for one in sums)
        gap = difference(b, a)
        verdict = _verdict(a, b, gap)
        if verdict == "too little data":
            found.append(FigureChange("event", kind, a, b, gap, verdict))
            continue
        verdict = verdict if q <= FALSE_FINDINGS else "no clear difference"
        found.append(FigureChange("event", kind, a, b, gap, verdict, q))
    return sorted(found, key=lambda one: (one.verdict == "no clear difference", -abs(one.difference.value or 0.0)))


def _by_kind(of: Selection) -> dict[Kind, UnitSums]:
    """Of the tagged conversations, those that have each kind of event."""
    rows = of.answer("event_mix", by_day=False)
    return {Kind(row["role"], row["event_type"]): UnitSums(**row["of_tagged"]) for row in rows}


def _none(of: Selection) -> UnitSums:
    """The same of a kind that does not occur."""
    tagged = UnitSums(**totals(of)["of_tagged"])
    return replace(tagged, hits=0.0, hit_squares=0.0, products=0.0, most_hits=0.0, variance=0.0)
