"""Issues, comparisons, examples and filters, computed a second time in pandas from the raw tables."""

import json
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from cpa_core import insights
from cpa_core.insights import Example, Kind, Scope, Selection, selected, whole
from cpa_core.store import Store
from tests.support.awkward import fill
from tests.support.frames import Frames, compared, newcombe, same

pytestmark = pytest.mark.slow

CHANGE = date(2026, 3, 20)
COMPLAINT = Kind("user", "Complaint")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Awkward rows in which a complaint goes with a low score."""
    made = Store(tmp_path_factory.mktemp("awkward"))
    fill(made, 500)
    with made.writing() as transaction:
        transaction.execute(
            "update judge_scores set score = 10 where score is not null and hash(conversation_id) % 3 > 0 "
            "and conversation_id in (select conversation_id from tagged_events where event_type = 'Complaint')"
        )
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


def with_event(frames: Frames, kind: Kind) -> set[str]:
    return set(frames.events[frames.events.kind == kind].conversation_id)


def test_an_issue_is_size_times_badness(of: Selection, frames: Frames) -> None:
    found = insights.issues(of)
    assert [one.impact.low for one in found] == sorted((one.impact.low or 0 for one in found), reverse=True)
    rows = frames.tagged[frames.tagged.score.notna()].copy()
    rows["bad"] = rows.score < 50
    rows["band"] = pd.cut(rows.message_count, [0, 2, 4, 6, 9, 14, 19, 29, 49, 10**6], labels=False)
    complaint = next(one for one in found if one.kinds == (COMPLAINT,) and one.cause == "event")
    has = rows.conversation_id.isin(with_event(frames, COMPLAINT))
    badness, _ = compared(rows, has, "bad", "band")
    same(complaint.met, frames.cases(rows.conversation_id, has))
    same(complaint.badness, badness)
    same(complaint.impact, badness.times(int(has.sum())))
    same(complaint.most, float(rows[has].unit.value_counts().max() / has.sum()))
    breaker = next(one for one in found if one.cause == "dealbreaker")
    hits = [json.loads(written)[breaker.criterion]["hit"] for written in frames.judged.dealbreakers]
    same(breaker.met, frames.cases(frames.judged.conversation_id, hits))
    same(breaker.impact.value, float(sum(hits)))


def test_before_and_after(store: Store, frames: Frames) -> None:
    scope = whole(store)
    assert scope
    before, after = scope.split(CHANGE)
    with selected(store, before) as old, selected(store, after) as new:
        found = {(one.figure, one.kind): one for one in insights.compared(old, new)}
    parts = [frames.all[(frames.all.day < CHANGE) == is_before] for is_before in (True, False)]
    for name, chosen in (("good", frames.good), ("bad", frames.bad)):
        rates = [frames.rate(chosen, set(part.conversation_id) & frames.scored, frames.basis(part)) for part in parts]
        one = found.pop((name, None))
        same((one.before, one.after), tuple(rates))
        same(one.difference, newcombe(rates[1], rates[0]))
        assert one.verdict == verdict(one.difference.low, one.difference.high)
    for name, column, most in (("score", "score", 100.0), ("messages_per_conversation", "message_count", None)):
        one = found.pop((name, None))
        same((one.before, one.after), tuple(frames.mean(part[column], part, most) for part in parts))
        same(one.difference.value, parts[1][column].mean() - parts[0][column].mean())
    found.pop(("with_dealbreaker", None))
    assert {kind for _, kind in found} == set(frames.events.kind)
    for (_, kind), one in found.items():
        assert kind
        rates = [
            frames.rate(with_event(frames, kind), part[part.tag == "ok"].conversation_id, frames.basis(part))
            for part in parts
        ]
        same((one.before, one.after), tuple(rates))
        same(one.difference, newcombe(rates[1], rates[0]))


def verdict(low: float | None, high: float | None) -> str:
    assert low is not None and high is not None
    return "higher" if low > 0 else "lower" if high < 0 else "no clear difference"


def lowest(frames: Frames, ids: Any) -> list[str]:
    """The twenty of lowest score, those without one last, in the order of day and id."""
    rows = frames.all[frames.all.conversation_id.isin(set(ids))].sort_values(["day", "conversation_id"])
    return list(rows.sort_values("score", kind="stable", na_position="last").conversation_id[:20])


def names(examples: tuple[Example, ...]) -> list[str]:
    return [example.conversation_id for example in examples]


def test_the_examples_are_the_worst_ones(of: Selection, frames: Frames) -> None:
    by_event = insights.event_examples(of)
    assert set(by_event) == set(frames.events.kind)
    places = frames.events.set_index("event_id")
    for kind, examples in by_event.items():
        assert names(examples) == lowest(frames, with_event(frames, kind))
        for one in examples:
            row = places.loc[one.event_id]
            assert (row.conversation_id, row.kind, row.position) == (one.conversation_id, kind, one.position)
            assert (one.quote_start is None) if pd.isna(row.quote_start) else (one.quote_start == row.quote_start)
    pairs: dict[Any, set[str]] = {}
    ends: dict[Any, set[str]] = {}
    for key, kinds in frames.events.groupby("conversation_id").kind:
        for pair in pairwise([None, *kinds, None]):
            pairs.setdefault(pair, set()).add(key)
        ends.setdefault(tuple(kinds)[-3:], set()).add(key)
    by_transition = insights.transition_examples(of)
    assert {pair: names(examples) for pair, examples in by_transition.items()} == {
        pair: lowest(frames, ids) for pair, ids in pairs.items()
    }
    full = [path for path in ends if len(path) == 3]
    by_ending = insights.ending_examples(of, full)
    assert {path: names(examples) for path, examples in by_ending.items()} == {
        path: lowest(frames, ends[path]) for path in full
    }


def test_the_conversations_behind_each_bar(of: Selection, frames: Frames) -> None:
    days = insights.conversation_examples(of, "day")
    assert {day: names(found) for day, found in days.items()} == {
        str(day): lowest(frames, rows.conversation_id) for (day,), rows in frames.all.groupby(["day"])
    }
    bands = insights.conversation_examples(of, "score_from")
    scores = frames.all[frames.all.score.notna()]
    for band, found in bands.items():
        inside = (scores.score // 10 * 10).clip(upper=90) == int(band)
        assert names(found) == lowest(frames, scores[inside].conversation_id)
    turns = frames.messages[frames.messages.role == "user"].groupby("conversation_id").size()
    for turn, found in insights.conversation_examples(of, "turns").items():
        assert names(found) == lowest(frames, turns[turns == int(turn)].index)
    assert sum(map(len, insights.conversation_examples(of, "hour").values())) > 0
    assert sum(map(len, insights.conversation_examples(of, "length_from").values())) > 0
    hit = [json.loads(written)["D2"]["hit"] for written in frames.judged.dealbreakers]
    found = insights.criterion_examples(of)[("D2", "Shouts", "hit")]
    assert names(found) == lowest(frames, frames.judged[hit].conversation_id)


def test_filters_choose_the_same_conversations(store: Store, frames: Frames) -> None:
    plan = frames.all.metadata.map(lambda written: json.loads(written)["plan"] if isinstance(written, str) else None)
    age = frames.all.metadata.map(lambda written: json.loads(written)["age"] if isinstance(written, str) else None)
    ids = frames.all.conversation_id
    said = [json.loads(written) for written in frames.events.properties]
    tax = pd.Series([one.get("Subject", one.get("Topic")) == "Tax" for one in said])
    on_request = frames.events.event_type == "Request"
    user = frames.all.user_id.dropna().iloc[0]
    asked = ids.isin(with_event(frames, Kind("user", "Request")))
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"user": (("plan", "pro"),)}, plan == "pro"),
        ({"user": (("plan", "pro"), ("age", "2"))}, (plan == "pro") & (age == 2)),
        ({"user": (("user_id", user),)}, frames.all.user_id == user),
        ({"events": ("Request",)}, asked),
        ({"events": ("Request", "Complaint")}, asked & ids.isin(with_event(frames, COMPLAINT))),
        ({"properties": (("Subject", "Tax"),)}, ids.isin(frames.events[tax & on_request].conversation_id)),
        ({"properties": (("Topic", "Tax"),)}, ids.isin(frames.events[tax & ~on_request].conversation_id)),
        ({"score_from": 50.0, "score_below": 80.0}, (frames.all.score >= 50) & (frames.all.score < 80)),
    ]
    scope = whole(store)
    assert scope
    for filters, mask in cases:
        with selected(store, Scope(scope.first, scope.last, **filters)) as of:
            rows = of.view.rows("select conversation_id from chosen")
        assert {row["conversation_id"] for row in rows} == set(ids[mask]), filters
        assert rows, filters
