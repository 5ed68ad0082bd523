"""The raw tables in pandas, and statistics computed by other ways than the insights take."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cpa_core.insights import Basis, Estimate, Kind, Mean, Rate
from cpa_core.models import is_person
from cpa_core.store import Store
from tests.support.awkward import NEWEST


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
        people = all_of_it.user_id.map(lambda user: user if isinstance(user, str) and is_person(user) else None)
        all_of_it["user_id"] = people
        all_of_it["unit"] = people.where(people.notna(), "without " + all_of_it.conversation_id)
        self.all = all_of_it
        self.unit = all_of_it.set_index("conversation_id").unit
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

    def basis(self, rows: pd.DataFrame | None = None) -> Basis:
        """What the units of these conversations are, or of all."""
        rows = self.all if rows is None else rows
        return Basis(len(rows), int(rows.user_id.notna().sum()))

    def rate(self, some: Any, of: Any, basis: Basis | None = None) -> Rate:
        """The share of the first set of conversations in the second."""
        trials = sorted(set(of))
        return self.cases(trials, [one in set(some) for one in trials], basis=basis)

    def cases(self, talks: Any, hits: Any, conversations: int | None = None, basis: Basis | None = None) -> Rate:
        """The share of hits in cases, each of a conversation; `conversations` where they stand on others."""
        talks = list(talks)
        number = len(set(talks)) if conversations is None else conversations
        found = left_out(list(hits), self.unit.reindex(talks))
        return share_of(found, number, basis or self.basis())

    def mean(
        self, values: "pd.Series[Any]", rows: pd.DataFrame, most: float | None = None, basis: Basis | None = None
    ) -> Mean:
        """The mean of the values of conversations, by unit."""
        known = values.notna()
        found = left_out(values[known].astype(float), rows.unit[known])
        return mean_of(found, basis or self.basis(rows), most)

    def bad_of(self, conversations: Any, basis: Basis | None = None) -> Rate:
        """The bad of the scored ones of these."""
        return self.rate(self.bad, set(conversations) & self.scored, basis)


def left_out(values: Any, units: Any) -> pd.DataFrame:
    """By unit: the sum of its values, their number, and the mean of all values without it."""
    found = pd.DataFrame(
        {"value": np.asarray(list(values), dtype=float), "unit": np.asarray(list(units), dtype=object)}
    )
    parts = found.groupby("unit").value.agg(["sum", "size"]).astype(float)
    return ratio_without(parts["sum"].to_numpy(), parts["size"].to_numpy())


def ratio_without(hits: Any, trials: Any) -> pd.DataFrame:
    """The sums by unit, and the ratio of all sums without each, one after the other."""
    parts = pd.DataFrame({"hits": hits, "trials": trials}).query("trials > 0")
    without = [
        (parts.hits.sum() - one.hits) / (parts.trials.sum() - one.trials) if len(parts) > 1 else None
        for one in parts.itertuples()
    ]
    return parts.assign(without=without)


def variance_of(parts: pd.DataFrame) -> float | None:
    """The jackknife's variance of the ratio."""
    return None if len(parts) < 2 else float((len(parts) - 1) * parts.without.astype(float).var(ddof=0))


def effective_of(parts: pd.DataFrame) -> float:
    return float(parts.trials.sum() ** 2 / (parts.trials**2).sum()) if len(parts) else 0.0


def share_of(parts: pd.DataFrame, conversations: int, basis: Basis | None) -> Rate:
    count, of = round(parts.hits.sum()), round(parts.trials.sum())
    if not of:
        return Rate(count, of, None, None, None, conversations, 0.0, basis=basis)
    share, units = count / of, effective_of(parts)
    low, high = ends_of(share, variance_of(parts), units, of)
    return Rate(count, of, share, low, high, conversations, units, float(parts.trials.max() / of), basis)


def ends_of(share: float, variance: float | None, units: float, most: float) -> tuple[float | None, float | None]:
    """Wilson's interval at the effective size, by the roots of its equation; the exact one at 0 and 1."""
    if variance is None:
        return None, None
    if share in (0.0, 1.0):
        beyond = 0.025 ** (1 / units)
        return (0.0, 1 - beyond) if share == 0 else (beyond, 1.0)
    size = min(most, share * (1 - share) / variance if variance > 1e-14 else units)
    square = t_critical(max(1.0, units - 1)) ** 2 / size
    low, high = sorted(np.roots([1 + square, -(2 * share + square), share * share]).real)
    return float(low), float(high)


def mean_of(parts: pd.DataFrame, basis: Basis | None, most: float | None = None) -> Mean:
    if not len(parts):
        return Mean(0, None, None, None, 0.0, basis)
    of, variance, units = round(parts.trials.sum()), variance_of(parts), effective_of(parts)
    middle = float(parts.hits.sum() / of)
    if variance is None:
        return Mean(of, middle, None, None, units, basis)
    if most is None:
        half = t_critical(max(1.0, units - 1)) * np.sqrt(variance)
        return Mean(of, middle, float(middle - half), float(middle + half), units, basis)
    low, high = ends_of(middle / most, variance / most**2, units, np.inf)
    return Mean(of, middle, (low or 0.0) * most, (high or 0.0) * most, units, basis)


def t_interval(parts: pd.DataFrame) -> Estimate:
    """Of a ratio of sums by unit."""
    value, variance = float(parts.hits.sum() / parts.trials.sum()), variance_of(parts)
    assert variance is not None
    half = t_critical(max(1.0, effective_of(parts) - 1)) * np.sqrt(variance)
    return Estimate(value, float(value - half), float(value + half))


def wilson(count: int, of: int) -> Rate:
    """The interval as the roots of the score equation."""
    if not of:
        return Rate(count, of, None, None, None, 0, 0.0)
    p, z2 = count / of, 1.959963984540054**2
    low, high = sorted(np.roots([1 + z2 / of, -(2 * p + z2 / of), p * p]).real)
    return Rate(count, of, p, float(low), float(high), of, of, 1 / of)


@cache
def t_critical(freedom: float) -> float:
    """The quantile, by adding up the density over the angle whose tangent is t / sqrt(freedom)."""
    angles = np.linspace(0, np.pi / 2, 400_001)
    density = np.cos(angles) ** (freedom - 1)
    areas = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(np.tan(np.interp(0.95 * areas[-1], areas, angles)) * np.sqrt(freedom))


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
    elif isinstance(found, Rate | Mean | Estimate | Basis):
        assert type(found) is type(wanted)
        for name in found.__dataclass_fields__:
            same(getattr(found, name), getattr(wanted, name))
    elif isinstance(found, float) or isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    else:
        assert found == wanted


def compared(rows: pd.DataFrame, has: Any, end: str, layer: str | None) -> tuple[Estimate, float]:
    """The difference of the means of `end` with and without, within layers, its interval, and a one-sided chance.

    The chance is that the difference is not above zero.

    A regression of what is left of `end` by its layer's mean on what is left of `has`; each unit left out in turn.
    A unit that has none of it moves only the means beside, and is left out of the hits alone.
    """
    cases = rows.assign(x=has.astype(float), y=rows[end].astype(float), layer=rows[layer] if layer else 0)
    by_layer = cases.groupby("layer")[["x", "y"]]
    left = cases[["x", "y"]] - by_layer.transform("mean")
    parts = pd.DataFrame({"hits": left.x * left.y, "trials": left.x**2, "has": cases.x, "unit": cases.unit})
    sums = parts.groupby("unit").sum()
    hits, trials = sums.hits.sum(), sums.trials.sum()
    value = hits / trials
    beside = sums.hits - value * sums.trials
    away = np.where(sums.has > 0, -beside / (trials - sums.trials), -beside / trials)
    units = rows.unit.nunique()
    variance = (units - 1) / units * (float((away**2).sum()) - float(away.sum()) ** 2 / units)
    freedom = max(1.0, trials**2 / (sums.trials**2).sum() - 1)
    half = t_critical(freedom) * np.sqrt(variance)
    tail = t_tail(abs(value) / np.sqrt(variance), freedom) / 2
    chance = tail if value > 0 else 1 - tail
    low, high = np.clip([value - half, value + half], *((-100, 100) if end == "score" else (-1, 1)))
    return Estimate(float(value), float(low), float(high)), chance


def t_tail(t: float, freedom: float) -> float:
    """How much of Student's distribution lies beyond t on both sides: the area over the angle whose tangent it is."""
    ends = np.arctan(t / np.sqrt(freedom)), np.pi / 2
    tail, whole = (np.linspace(low, ends[1], 400_001) for low in (ends[0], 0.0))
    return float(
        np.trapezoid(np.cos(tail) ** (freedom - 1), tail) / np.trapezoid(np.cos(whole) ** (freedom - 1), whole)
    )


def expecting_few(chances: dict[Any, float]) -> dict[Any, float]:
    """Blanchard and Roquain's correction, where k findings are expected with a weight of one over the square of k."""
    ranked = pd.Series(chances.values()).sort_values()
    ranks = np.arange(1, len(ranked) + 1)
    shape = np.cumsum(1 / ranks) / np.sum(1 / ranks**2)
    raised = ranked * len(ranked) / shape
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
            row = {
                "conversation_id": key,
                "unit": frames.unit[key],
                "layer": min(position // 2, 11),
                "ended": n + 1 == len(positions),
            }
            rows.append(row | {"path": tuple(kinds[max(0, n - 2) : n + 1])})
    return pd.DataFrame(rows)
