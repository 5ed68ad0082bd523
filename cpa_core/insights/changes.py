"""Before and after: what differs between two selections, and the honest word when too little is known."""

from dataclasses import dataclass
from typing import Literal

from cpa_core.insights.content import events
from cpa_core.insights.quality import FALSE_FINDINGS
from cpa_core.insights.selection import Kind, Selection
from cpa_core.insights.statistics import (
    ENOUGH,
    Estimate,
    Mean,
    Rate,
    Stratum,
    Sums,
    corrected,
    difference,
    layered_p,
    mean_difference,
    rate,
)
from cpa_core.insights.volume import overview

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
    """What differs: the header figures, then the kinds of event, those with a clear difference first."""
    return (*_headers(before, after), *_events(before, after))


def _headers(before: Selection, after: Selection) -> list[FigureChange]:
    old, new = overview(before), overview(after)
    found: list[FigureChange] = []
    for name in ("good", "bad", "with_dealbreaker"):
        one, other = getattr(old, name), getattr(new, name)
        gap = difference(other, one)
        found.append(FigureChange(name, None, one, other, gap, _verdict(one, other, gap)))
    sums = [_sums(before), _sums(after)]
    for name in ("score", "messages_per_conversation"):
        one, other = getattr(old, name), getattr(new, name)
        gap = mean_difference(sums[1][name], sums[0][name])
        found.append(FigureChange(name, None, one, other, gap, _verdict(one, other, gap)))
    return found


def _sums(of: Selection) -> dict[str, Sums]:
    row = of.answer("overview")[0]
    return {
        "score": Sums(row["scored"], row["score_sum"], row["score_squares"]),
        "messages_per_conversation": Sums(row["conversations"], row["messages"], row["message_squares"]),
    }


def _verdict(before: Rate | Mean, after: Rate | Mean, gap: Estimate) -> Verdict:
    if min(before.of, after.of) < ENOUGH or gap.low is None or gap.high is None:
        return "too little data"
    if gap.low > 0:
        return "higher"
    return "lower" if gap.high < 0 else "no clear difference"


def _events(before: Selection, after: Selection) -> list[FigureChange]:
    old = {row.kind: row.conversations for row in events(before)}
    new = {row.kind: row.conversations for row in events(after)}
    tagged = [overview(one).tagged for one in (before, after)]
    kinds = sorted(old.keys() | new.keys(), key=lambda kind: (kind.role, kind.event_type))
    pairs = [(kind, old.get(kind, rate(0, tagged[0])), new.get(kind, rate(0, tagged[1]))) for kind in kinds]
    if min(tagged) < ENOUGH:
        return [FigureChange("event", kind, a, b, difference(b, a), "too little data") for kind, a, b in pairs]
    chances = [layered_p([Stratum(b.count, b.of, a.count, a.of)]) for _, a, b in pairs]
    q_values = corrected([1.0 if chance is None else chance for chance in chances])
    found: list[FigureChange] = []
    for (kind, a, b), q in zip(pairs, q_values, strict=True):
        gap = difference(b, a)
        verdict = _verdict(a, b, gap) if q <= FALSE_FINDINGS else "no clear difference"
        found.append(FigureChange("event", kind, a, b, gap, verdict, q))
    return sorted(found, key=lambda one: (one.verdict == "no clear difference", -abs(one.difference.value or 0.0)))
