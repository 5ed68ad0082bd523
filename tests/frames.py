"""The raw tables in pandas, and statistics computed by other ways than the insights take."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cpa_core.insights import Estimate, Kind, Mean, Rate
from cpa_core.store import Store
from tests.awkward import NEWEST


class Frames:
    """The raw tables, and what pandas makes of them."""

    def __init__(self, store: Store) -> None:
        with store.reading() as view:
            names = (
                "raw_conversations",
                "tagged_conversations",
                "tagged_events",
                "judge_scores",
                "messages",
                "answers",
            )
            found = {name: pd.DataFrame(view.rows(f"select * from {name}")) for name in names}
        self.raw = found["raw_conversations"]
        self.messages, self.answers = found["messages"], found["answers"]
        key = ["day", "conversation_id", "content_hash"]
        tags = self.raw[key].merge(found["tagged_conversations"], on=key)
        judged = self.raw[key].merge(found["judge_scores"], on=key)
        self.judged = judged[judged.outcome == "ok"]
        all_of_it = self.raw.merge(tags[["conversation_id", "outcome"]], on="conversation_id", how="left")
        all_of_it = all_of_it.rename(columns={"outcome": "tag"})
        all_of_it["judge"] = all_of_it.conversation_id.map(judged.set_index("conversation_id").outcome)
        all_of_it["score"] = all_of_it.conversation_id.map(self.judged.set_index("conversation_id").score)
        self.all = all_of_it
        self.tagged = all_of_it[all_of_it.tag == "ok"]
        self.events = self._events(found["tagged_events"])
        self.bad = set(all_of_it[all_of_it.score < 50].conversation_id)
        self.good = set(all_of_it[all_of_it.score >= 80].conversation_id)
        self.scored = set(all_of_it[all_of_it.score.notna()].conversation_id)
        self.tags = tags

    def _events(self, events: pd.DataFrame) -> pd.DataFrame:
        events = events[events.conversation_id.isin(self.tagged.conversation_id)].copy()
        events["written"] = events.event_type
        events["event_type"] = [NEWEST.get((r, t), t) for r, t in zip(events.role, events.event_type, strict=True)]
        events["kind"] = [Kind(r, t) for r, t in zip(events.role, events.event_type, strict=True)]
        order = ["conversation_id", "position", "quote_start", "event_type"]
        return events.sort_values(order, na_position="last").reset_index(drop=True)

    def rate(self, some: Any, of: Any) -> Rate:
        """The share of the first set in the second."""
        return wilson(len(set(some) & set(of)), len(set(of)))

    def bad_of(self, conversations: Any) -> Rate:
        """The bad of the scored ones of these."""
        return self.rate(self.bad, set(conversations) & self.scored)


def wilson(count: int, of: int) -> Rate:
    """The interval as the roots of the score equation."""
    if not of:
        return Rate(count, of, None, None, None)
    p, z2 = count / of, 1.959963984540054**2
    low, high = sorted(np.roots([1 + z2 / of, -(2 * p + z2 / of), p * p]).real)
    return Rate(count, of, p, float(low), float(high))


@cache
def t_critical(freedom: float) -> float:
    """The quantile, by adding up the density over the angle whose tangent is t / sqrt(freedom)."""
    angles = np.linspace(0, np.pi / 2, 400_001)
    density = np.cos(angles) ** (freedom - 1)
    areas = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(np.tan(np.interp(0.95 * areas[-1], areas, angles)) * np.sqrt(freedom))


def averaged(values: "pd.Series[Any]") -> Mean:
    values = values.dropna().astype(float)
    if values.empty:
        return Mean(0, None, None, None)
    if len(values) == 1:
        return Mean(1, values.iloc[0], None, None)
    half = t_critical(len(values) - 1) * values.sem()
    return Mean(len(values), values.mean(), values.mean() - half, values.mean() + half)


def newcombe(one: Rate, other: Rate) -> Estimate:
    assert one.share is not None and one.low is not None and one.high is not None
    assert other.share is not None and other.low is not None and other.high is not None
    gap = one.share - other.share
    low = np.hypot(one.share - one.low, other.high - other.share)
    high = np.hypot(one.high - one.share, other.share - other.low)
    return Estimate(gap, float(gap - low), float(gap + high))


def same(found: Any, wanted: Any) -> None:
    """Equal, to nine digits."""
    if isinstance(found, tuple):
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
    elif isinstance(found, Rate | Mean | Estimate):
        assert type(found) is type(wanted)
        for name in found.__dataclass_fields__:
            same(getattr(found, name), getattr(wanted, name))
    elif isinstance(found, float) or isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    else:
        assert found == wanted


def pooled(rows: pd.DataFrame, has: Any, end: str, layer: str) -> float:
    """The difference of shares, weighted as Mantel and Haenszel do."""
    top = bottom = 0.0
    for _, part in rows.assign(has=has).groupby(layer):
        one, other = part[part.has][end], part[~part.has][end]
        if len(one) and len(other):
            weight = len(one) * len(other) / len(part)
            top, bottom = top + weight * (one.mean() - other.mean()), bottom + weight
    return top / bottom


def cochran(rows: pd.DataFrame, has: Any, end: str, layer: str) -> float:
    """The chance by Cochran's test, from each layer's hypergeometric mean and variance."""
    gap = variance = 0.0
    for _, part in rows.assign(has=has).groupby(layer):
        n, m, k = len(part), int(part.has.sum()), int(part[end].sum())
        if n > 1:
            gap += part[part.has][end].sum() - m * k / n
            variance += m * (k / n) * (1 - k / n) * (n - m) / (n - 1)
    z = abs(gap) / np.sqrt(variance)
    return float(2 * normal_tail(z))


def normal_tail(z: float) -> float:
    """How much of a normal distribution lies beyond z."""
    grid = np.linspace(z, z + 12, 20_001)
    density = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    return float(np.trapezoid(density, grid))


def yekutieli(chances: dict[Any, float]) -> dict[Any, float]:
    ranked = pd.Series(chances.values()).sort_values()
    factor = sum(1 / n for n in range(1, len(ranked) + 1)) * len(ranked)
    raised = ranked * factor / np.arange(1, len(ranked) + 1)
    lowest = raised[::-1].cummin()[::-1].clip(upper=1.0)
    return dict(zip(chances, lowest.sort_index(), strict=True))


def steps_of(frames: Frames) -> pd.DataFrame:
    """The last event of each message that has any, with the path before it."""
    rows: list[dict[str, Any]] = []
    for key, part in frames.events.groupby("conversation_id"):
        kinds, positions = list(part.kind), list(part.position)
        for n, position in enumerate(positions):
            if n + 1 < len(positions) and positions[n + 1] == position:
                continue
            row = {"conversation_id": key, "layer": min(position // 2, 11), "ended": n + 1 == len(positions)}
            rows.append(row | {"path": tuple(kinds[max(0, n - 2) : n + 1])})
    return pd.DataFrame(rows)
