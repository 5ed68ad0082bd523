"""Every figure of the insights, computed a second time in pandas from the raw tables."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cpa_core import insights
from cpa_core.insights import Kind, Selection, selected, whole
from cpa_core.store import Store
from tests.support.awkward import fill
from tests.support.frames import (
    Frames,
    compared,
    expecting_few,
    left_out,
    newcombe,
    ratio_without,
    same,
    share_of,
    steps_of,
    wilson,
)

pytestmark = pytest.mark.slow

ZONE = "America/New_York"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("awkward"), ZONE)
    fill(made)
    return made


@pytest.fixture(scope="module")
def frames(store: Store) -> Frames:
    return Frames(store)


@pytest.fixture(scope="module")
def of(store: Store) -> Iterator[Selection]:
    scope = whole(store)
    assert scope
    with selected(store, scope) as made:
        yield made


def figures_match(found: insights.Figures, rows: pd.DataFrame, frames: Frames) -> None:
    ids = set(rows.conversation_id)
    judged = set(rows[rows.judge == "ok"].conversation_id)
    hit = [any(v["hit"] for v in json.loads(one).values()) for one in frames.judged.dealbreakers]
    same(found.conversations, len(rows))
    same(found.users, rows.user_id.nunique())
    same(found.messages, rows.message_count.sum())
    same(found.messages_per_conversation, frames.mean(rows.message_count, rows, basis=frames.basis()))
    same(found.events, frames.events.conversation_id.isin(ids).sum())
    same(found.tagged, (rows.tag == "ok").sum())
    same(found.judged, len(judged))
    same(found.scored, rows.score.count())
    same(found.score, frames.mean(rows.score, rows, 100, frames.basis()))
    same(found.good, frames.rate(frames.good, ids & frames.scored))
    same(found.bad, frames.bad_of(ids))
    same(found.with_dealbreaker, frames.rate(frames.judged[hit].conversation_id, judged))


def test_the_overview_and_each_day(of: Selection, frames: Frames) -> None:
    figures_match(insights.overview(of), frames.all, frames)
    found = insights.days(of)
    by_day = {key: rows for (key,), rows in frames.all.groupby(["day"])}
    assert [day.day for day in found] == sorted(by_day)
    for day in found:
        figures_match(day.figures, by_day[day.day], frames)


def test_the_events(of: Selection, frames: Frames) -> None:
    wanted = frames.events.groupby(["day", "kind"]).conversation_id.agg([len, set])
    found = insights.event_mix(of)
    assert len(found) == len(wanted)
    for row in found:
        events, ids = wanted.loc[(row.day, row.kind)]
        assert (row.events, row.conversations) == (events, len(ids))
        same(row.bad, frames.bad_of(ids))
    in_all = frames.events.groupby("kind").conversation_id.agg([len, set])
    shares = insights.events(of)
    assert {row.kind for row in shares} == set(in_all.index)
    for share in shares:
        events, ids = in_all.loc[share.kind]
        assert share.events == events
        same(share.conversations, frames.rate(ids, frames.tagged.conversation_id))
        same(share.bad, frames.bad_of(ids))


def test_the_properties(of: Selection, frames: Frames) -> None:
    rows = pd.DataFrame(
        [
            (talk, kind, "Subject" if is_subject else name, value if value in choices(name) else "")
            for talk, kind, written in zip(
                frames.events.conversation_id, frames.events.kind, frames.events.properties, strict=True
            )
            for name, value in json.loads(written).items()
            for is_subject in [kind.event_type == "Request" and name != "Wish"]
        ],
        columns=["talk", "kind", "name", "value"],
    )
    found = insights.properties(of)
    assert len(found) == len(rows[["kind", "name", "value"]].drop_duplicates())
    for row in found:
        own = rows[(rows.kind == row.kind) & (rows.name == row.property)]
        same(row.events, frames.cases(own.talk, own.value == (row.value or "")))


def choices(name: str) -> tuple[str, ...]:
    """What a property may be by the schema, which is no text."""
    return ("not applicable",) if name == "Wish" else ("Tax", "Form", "not applicable")


def test_the_transitions(of: Selection, frames: Frames) -> None:
    pairs: list[tuple[str, Kind | None, Kind | None]] = []
    for talk, kinds in frames.events.groupby("conversation_id").kind:
        pairs += [(str(talk), *pair) for pair in pairwise([None, *kinds, None])]
    found = insights.transitions(of)
    assert len(found) == len({pair[1:] for pair in pairs})
    for row in found:
        own = [pair for pair in pairs if pair[1] == row.earlier]
        same(row.times, frames.cases([talk for talk, *_ in own], [later == row.later for *_, later in own]))


def test_scores_criteria_and_dealbreakers(of: Selection, frames: Frames) -> None:
    scores = frames.all.score.dropna()
    for band in insights.scores(of):
        is_last = band.score_to == 100
        inside = (scores >= band.score_from) & ((scores <= 100) if is_last else (scores < band.score_to))
        assert band.conversations == inside.sum()
    words = {"P1": "Be right", "S1": "Be short", "D1": "Lies", "D2": "Shouts"}
    rows = [
        (talk, key, words.get(key) or ("Be kind" if str(day) < "2026-03-20" else "Be brave"), found["verdict"])
        for talk, day, written in zip(
            frames.judged.conversation_id, frames.judged.day, frames.judged.verdicts, strict=True
        )
        for key, found in json.loads(written).items()
    ]
    goals = insights.criteria(of)
    assert [(goal.criterion, goal.words) for goal in goals] == sorted({row[1:3] for row in rows})
    for goal in goals:
        own = [(talk, verdict) for talk, *named, verdict in rows if named == [goal.criterion, goal.words]]
        told = [(talk, verdict) for talk, verdict in own if verdict != "cannot tell"]
        for name in ("met", "partly", "missed"):
            same(getattr(goal, name), frames.cases([talk for talk, _ in told], [said == name for _, said in told]))
        assert goal.cannot_tell == len(own) - len(told)
    for breaker in insights.dealbreakers(of):
        hits = [json.loads(written)[breaker.criterion]["hit"] for written in frames.judged.dealbreakers]
        same(breaker.hit, frames.cases(frames.judged.conversation_id, hits))
        by_unit = left_out(hits, frames.unit.reindex(frames.judged.conversation_id)).hits
        same(breaker.most, float(by_unit.max() / by_unit.sum()))
        assert breaker.words == words[breaker.criterion]


def test_intents_that_were_delivered(of: Selection, frames: Frames) -> None:
    asked = frames.judged[frames.judged.intent_delivered.notna()]
    found = insights.intent_outcomes(of)
    assert [one.outcome for one in found] == ["yes", "partly", "no", "cannot tell"]
    for one in found:
        same(one.share, frames.cases(asked.conversation_id, [said == one.outcome for said in asked.intent_delivered]))


def beside(rows: pd.DataFrame, has: Any, end: str, conversations: int | None, frames: Frames) -> insights.Rate:
    """The share of the others, its variance without leaving out: each unit's distance from its part."""
    others = rows[~has].groupby("unit")[end].agg(["sum", "size"]).astype(float)
    share, units = others["sum"].sum() / others["size"].sum(), len(others)
    away = ((others["sum"] - share * others["size"]) ** 2).sum() / others["size"].sum() ** 2 * units / (units - 1)
    # Two ratios as far apart stand for any that have this variance.
    parts = ratio_without(others["sum"], others["size"])
    found = share_of_variance(parts, float(away))
    return replace(
        found, conversations=len(rows[~has]) if conversations is None else conversations, basis=frames.basis()
    )


def share_of_variance(parts: pd.DataFrame, variance: float) -> insights.Rate:
    known = share_of(parts.assign(without=spread(len(parts), variance)), 0, None)
    return replace(known, most=0.0)


def spread(count: int, variance: float) -> Any:
    """Values whose jackknife variance is this."""
    values = np.zeros(count)
    values[:2] = [-1, 1]
    return values * np.sqrt(variance / ((count - 1) * values.var()))


def test_the_events_that_go_with_low_scores(of: Selection, frames: Frames) -> None:
    rows = frames.tagged[frames.tagged.score.notna()].copy()
    rows["bad"] = rows.score < 50
    rows["band"] = pd.cut(rows.message_count, [0, 2, 4, 6, 9, 14, 19, 29, 49, 10**6], labels=False)
    found = insights.low_score_events(of)
    assert {one.kind for one in found} == set(
        frames.events[frames.events.conversation_id.isin(rows.conversation_id)].kind
    )
    chances: dict[Kind, float] = {}
    for one in found:
        has = rows.conversation_id.isin(frames.events[frames.events.kind == one.kind].conversation_id)
        inside, outside = rows[has], rows[~has]
        same(one.bad_with, frames.cases(inside.conversation_id, inside.bad))
        same(one.bad_without, beside(rows, has, "bad", None, frames))
        same(one.met, frames.cases(rows.conversation_id, has))
        same(one.difference, compared(rows, has, "bad", None)[0])
        same(one.score_difference, compared(rows, has, "score", None)[0])
        same(one.lift.value, inside.bad.mean() / outside.bad.mean())
        assert one.is_enough == (one.p_value is not None)
        if one.p_value is not None:
            at_equal_length, chances[one.kind] = compared(rows, has, "bad", "band")
            same(one.at_equal_length, at_equal_length)
            same(one.p_value, chances[one.kind])
    raised = expecting_few(chances)
    for one in found:
        same(one.q_value, raised.get(one.kind))


def test_the_paths_to_an_end(of: Selection, frames: Frames) -> None:
    paths = frames.events.groupby("conversation_id").kind.agg(lambda kinds: tuple(kinds)[-3:])
    found = insights.endings(of, most=10**6)
    assert len(found) == paths.nunique()
    for ending in found:
        ids = set(paths[paths == ending.path].index)
        assert ending.conversations == len(ids)
        same(ending.bad, frames.bad_of(ids))
        same(ending.of_bad, frames.rate(ids, frames.bad))
        same(ending.of_good, frames.rate(ids, frames.good))


def test_the_drop_offs(of: Selection, frames: Frames) -> None:
    steps = steps_of(frames)
    found = insights.drop_offs(of)
    tails = [path[n:] for path in steps.path for n in range(len(path))]
    assert {one.path for one in found} == {path for path, n in pd.Series(tails).value_counts().items() if n >= 50}
    chances: dict[Any, float] = {}
    for one in found:
        has = steps.path.map(lambda path, tail=one.path: path[-len(tail) :] == tail)
        after = steps[has]
        same(one.ended_after, frames.cases(after.conversation_id, after.ended))
        same(one.ended_else, beside(steps, has, "ended", steps.conversation_id.nunique(), frames))
        same(one.met, frames.cases(steps.conversation_id, has))
        at_equal_depth, chance = compared(steps, has, "ended", "layer")
        same(one.at_equal_depth, at_equal_depth)
        same(one.p_value, chance if one.ended_after.is_enough and one.ended_else.is_enough else None)
        ends = set(after[after.ended].conversation_id)
        same(one.good, frames.rate(frames.good, ends & frames.scored))
        if one.p_value is not None:
            chances[one.path] = one.p_value
    raised = expecting_few(chances)
    for one in found:
        same(one.q_value, raised.get(one.path))


def test_turns_hours_and_lengths(of: Selection, frames: Frames) -> None:
    turns = frames.messages[frames.messages.role == "user"].groupby("conversation_id").size()
    turns = turns.reindex(frames.all.conversation_id, fill_value=0)
    for turn in insights.turns(of):
        ended = set(turns[turns == turn.turn].index)
        assert turn.reached == (turns >= turn.turn).sum()
        same(turn.ended, frames.rate(ended, turns[turns >= turn.turn].index))
        same(turn.bad, frames.bad_of(ended))
    timed = frames.all[~frames.all.time_assumed]
    local = timed.started_at.dt.tz_convert(ZONE)
    by_hour = timed.groupby([local.dt.day_of_week + 1, local.dt.hour]).conversation_id.agg(set)
    hours = insights.hours(of)
    assert len(hours) == len(by_hour)
    for hour in hours:
        ids = by_hour.loc[(hour.weekday, hour.hour)]
        assert hour.conversations == len(ids)
        same(hour.bad, frames.bad_of(ids))
    for band in insights.lengths(of):
        rows = frames.all[frames.all.message_count.between(band.messages_from, band.messages_to or 10**6)]
        assert band.conversations == len(rows)
        same(band.bad, frames.bad_of(rows.conversation_id))
        minutes = (rows.ended_at - rows.started_at)[~rows.time_assumed].dt.total_seconds() / 60
        same(band.median_minutes, minutes.median())


def test_friction(of: Selection, frames: Frames) -> None:
    kinds = [Kind("user", "Complaint"), Kind("assistant", "Excuse")]
    met = frames.events[frames.events.kind.isin(kinds)].drop_duplicates(["conversation_id", "position"])
    for at in insights.friction(of, kinds):
        reached = frames.tagged[frames.tagged.message_count > at.position].conversation_id
        same(at.messages, frames.rate(met[met.position == at.position].conversation_id, reached))


def test_who_came_back(of: Selection, frames: Frames) -> None:
    seen_until = frames.raw.started_at.max()
    first = frames.all[frames.all.user_id.notna() & frames.all.score.notna()]
    first = first.sort_values(["started_at", "conversation_id"]).groupby("user_id").head(1)
    window = pd.Timedelta(days=14)
    back: dict[bool, list[str]] = {True: [], False: []}
    asked: dict[bool, list[str]] = {True: [], False: []}
    for row in first[first.started_at + window <= seen_until].itertuples():
        own = frames.raw[frames.raw.user_id == row.user_id].started_at
        asked[row.score < 50].append(row.conversation_id)
        if ((own > row.started_at) & (own <= row.started_at + window)).any():
            back[row.score < 50].append(row.conversation_id)
    found = insights.returns(of)
    same(found.after_bad, frames.rate(back[True], asked[True]))
    same(found.after_other, frames.rate(back[False], asked[False]))
    same(found.difference, newcombe(found.after_bad, found.after_other))
    assert found.too_recent == (first.started_at + window > seen_until).sum() > 0


def test_coverage_versions_costs_and_failures(of: Selection, frames: Frames) -> None:
    spoken = frames.events.drop_duplicates(["conversation_id", "position"]).groupby("day").size()
    by_day = {key: rows for (key,), rows in frames.all.groupby(["day"])}
    for day in insights.coverage(of):
        rows = by_day[day.day]
        same(day.tagged, wilson(int((rows.tag == "ok").sum()), len(rows)))
        same(day.judged, wilson(int((rows.judge == "ok").sum()), len(rows)))
        same(day.scored, wilson(int(rows.score.count()), len(rows)))
        assert day.refused == (rows.tag.eq("refused") | rows.judge.eq("filtered")).sum()
        same(day.messages_with_event, wilson(int(spoken.get(day.day, 0)), int(rows.message_count.sum())))
    tags = frames.tags.groupby(["schema_version", "prompt_id", "model"]).day.agg(["min", "max", "size"])
    versions = insights.versions(of)
    assert len(versions) == len(tags)
    for row in versions:
        wanted = tags.loc[(row.schema_version, row.prompt_id, row.model)]
        assert [row.first_day, row.last_day, row.conversations] == list(wanted)
    for cost in insights.costs(of):
        paid = frames.answers[(frames.answers.task == cost.task) & ("x:" + frames.answers.model == cost.model)]
        assert (cost.calls, cost.prompt_tokens) == (len(paid), paid.prompt_tokens.sum())
        same(cost.cost, None if paid.cost.isna().any() else float(paid.cost.sum()))
    assert {cost.cost is None for cost in insights.costs(of)} == {True, False}
    (failed,) = insights.failures(of)
    assert (failed.stage, failed.reason, failed.retryable) == ("tag", "refused", False)
    assert failed.conversations == sum(n % 29 == 0 and n % 31 != 0 for n in range(600))
