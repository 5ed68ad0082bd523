"""The figures of topics, computed a second time in pandas from the raw tables."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from cpa_core.insights import Issue, Kind, Selection, issues, selected, whole
from cpa_core.insights.topic_figures import topic_figures
from cpa_core.store import Store
from tests.support.awkward import fill
from tests.support.frames import Frames, left_out, mean_of, same, share_of

pytestmark = pytest.mark.slow

TOPICS = {"t1": "Refunds", "t2": "Opening hours"}
NEAR_NONE = "none"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Awkward rows, of which each conversation has two texts in a corpus: of one topic, of two, or near to none."""
    made = Store(tmp_path_factory.mktemp("topics"))
    fill(made, 500)
    with made.writing() as tables:
        tables.execute(
            "update judge_scores set score = 10 where score is not null and hash(conversation_id) % 3 > 0 "
            "and conversation_id in (select conversation_id from tagged_events where event_type = 'Complaint')"
        )
        rows = tables.rows("select day, conversation_id from raw_conversations order by conversation_id")
        tables.insert(
            "topics",
            [
                {"topic_id": key, "corpus": "messages", "topic_name": name, "is_new": key == "t2", "group_id": "g"}
                for key, name in TOPICS.items()
            ],
        )
        tables.insert("topic_groups", [{"group_id": "g", "corpus": "messages", "group_name": "Both"}])
        names = ("t1", "t1", "t2", None, "t1", None, "t2")
        tables.insert(
            "topic_items",
            [
                {"corpus": "messages", "item_id": f"{n}-{part}", "topic_id": names[(n + part * part) % 7], **row}
                for n, row in enumerate(rows)
                for part in range(2)
            ],
        )
    return made


@pytest.fixture(scope="module")
def of(store: Store) -> Iterator[Selection]:
    scope = whole(store)
    assert scope
    with selected(store, scope) as made:
        yield made


@pytest.fixture(scope="module")
def items(store: Store) -> pd.DataFrame:
    with store.reading() as view:
        found = pd.DataFrame(view.rows("select topic_id, day, conversation_id from topic_items"))
    return found.fillna({"topic_id": NEAR_NONE})


def harmed(frames: Frames, found: list[Issue]) -> set[str]:
    """The conversations with an event type that is an issue, and those with a dealbreaker, where that is one."""
    kinds: set[Kind] = {kind for one in found if one.cause == "event" for kind in one.kinds}
    talks: set[str] = set(frames.events[frames.events.kind.isin(kinds)].conversation_id)
    if any(one.cause == "dealbreaker" for one in found):
        hit = [any(v["hit"] for v in json.loads(one).values()) for one in frames.judged.dealbreakers]
        talks |= set(frames.judged[hit].conversation_id)
    return talks


def by_unit(frames: Frames, talks: list[str], some: set[str]) -> Any:
    return share_of(left_out([one in some for one in talks], frames.unit.reindex(talks)), len(talks), frames.basis())


@pytest.mark.parametrize("causes", [("event",), ("dealbreaker",), ("event", "dealbreaker"), ()], ids=str)
def test_topics_and_how_their_conversations_end(
    of: Selection, store: Store, items: pd.DataFrame, causes: tuple[str, ...]
) -> None:
    frames = Frames(store)
    named = [one for one in issues(of) if one.cause in causes]
    if "event" in causes and not any(one.cause == "event" for one in named):
        pytest.fail("the rows hold no issue of an event")
    found = topic_figures(of, named)
    assert {one.topic_id or NEAR_NONE for one in found} == {*TOPICS, NEAR_NONE}
    assert found[-1].topic_id is None and found[0].items >= found[1].items
    last = of.scope.last
    groups = topic_figures(of, named, by_group=True)
    assert [(one.topic_id, one.name, one.topics) for one in groups] == [("g", "Both", 2), (None, None, 0)]
    for one in (*found, *groups):
        own = items[
            items.topic_id.isin(TOPICS) if one.topic_id == "g" else items.topic_id == (one.topic_id or NEAR_NONE)
        ]
        talks = sorted(set(own.conversation_id))
        scored = [talk for talk in talks if talk in frames.scored]
        rows = frames.all[frames.all.conversation_id.isin(talks)]
        age = (pd.Timestamp(last) - pd.to_datetime(own.day)) / timedelta(days=1)
        assert (one.items, one.conversations) == (len(own), len(talks))
        same(one.share, len(own) / len(items))
        assert (one.last_week, one.week_before) == (int((age < 7).sum()), int(((age >= 7) & (age < 14)).sum()))
        name = {**TOPICS, "g": "Both"}.get(one.topic_id or "")
        assert (one.name, one.is_new) == (name, one.topic_id == "t2")
        same(one.good, by_unit(frames, scored, frames.good))
        same(one.with_issue, by_unit(frames, talks, harmed(frames, named)))
        asked = frames.judged[frames.judged.intent_delivered.notna() & frames.judged.conversation_id.isin(talks)]
        with_intent = sorted(asked.conversation_id)
        got = set(asked[asked.intent_delivered == "yes"].conversation_id)
        assert got and one.delivered.of == len(with_intent) < len(talks)
        same(one.delivered, by_unit(frames, with_intent, got))
        known = rows.score.notna()
        same(one.score, mean_of(left_out(rows.score[known].astype(float), rows.unit[known]), frames.basis(), 100))
