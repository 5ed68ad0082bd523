"""Figures of extreme selections: every interval stays in its range, holds its own value, and claims nothing on few."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

import pytest

from cpa_core import insights
from cpa_core.insights import Estimate, Mean, Rate, Selection, compared, issues, selected, whole
from cpa_core.insights.statistics import ENOUGH, ENOUGH_UNITS
from cpa_core.store import Store
from tests.support.awkward import fill

pytestmark = pytest.mark.slow

OF_THE_FIRST = "conversation_id in (select conversation_id from raw_conversations order by conversation_id limit {})"
EXTREMES = {
    "one user has half": ("update raw_conversations set user_id = 'big' where hash(conversation_id) % 2 = 0",),
    "all are anonymous": ("update raw_conversations set user_id = null",),
    "14 users": ("update raw_conversations set user_id = 'u' || hash(conversation_id) % 14",),
    "51 conversations": (f"delete from raw_conversations where not {OF_THE_FIRST.format(51)}",),
    "one conversation": (f"delete from raw_conversations where not {OF_THE_FIRST.format(1)}",),
    "nothing is scored": ("delete from judge_scores",),
    "one event is everywhere": ("update tagged_events set event_type = 'Thanks', role = 'user'",),
    "half of the values are missing": ("update tagged_events set properties = '{}' where hash(event_id) % 2 = 0",),
}
QUESTIONS = (
    insights.overview,
    insights.events,
    insights.event_mix,
    insights.properties,
    insights.days,
    insights.hours,
    insights.lengths,
    insights.turns,
    insights.transitions,
    insights.endings,
    insights.drop_offs,
    insights.low_score_events,
    insights.returns,
    insights.criteria,
    insights.dealbreakers,
    insights.friction,
    insights.versions,
    insights.coverage,
    insights.costs,
    insights.failures,
    insights.scores,
    insights.intent_outcomes,
    issues,
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with awkward rows, and a copy of the tables that are changed."""
    store = Store(tmp_path_factory.mktemp("extremes"))
    fill(store, 120)
    with store.writing() as transaction:
        for table in TABLES:
            transaction.execute(f"create table kept_{table} as select * from {table}")
    return store


TABLES = ("raw_conversations", "tagged_events", "judge_scores")


@pytest.mark.parametrize("name", EXTREMES)
def test_an_extreme_selection_has_figures_within_their_ranges_and_no_claim_on_few(filled: Store, name: str) -> None:
    with filled.writing() as transaction:
        for table in TABLES:
            transaction.execute(f"delete from {table}")
            transaction.execute(f"insert into {table} select * from kept_{table}")
        for change in EXTREMES[name]:
            transaction.execute(change)
    scope = whole(filled)
    assert scope
    with selected(filled, scope) as of:
        count = 0
        for question in QUESTIONS:
            for path, figure in figures(question(of), question.__name__):
                in_range(path, figure)
                count += 1
        assert count > 5
        no_claim_on_few(of)


def figures(found: Any, path: str) -> Iterator[tuple[str, Rate | Mean | Estimate]]:
    """Every figure in a result, at any depth, with its place."""
    if isinstance(found, Rate | Mean | Estimate):
        yield path, found
    elif is_dataclass(found):
        for field in fields(found):
            yield from figures(getattr(found, field.name), f"{path}.{field.name}")
    elif isinstance(found, dict | list | tuple):
        for one in found.values() if isinstance(found, dict) else found:
            yield from figures(one, path)


def in_range(path: str, figure: Rate | Mean | Estimate) -> None:
    """An interval holds its value, and both lie in the range of the figure."""
    value = figure.share if isinstance(figure, Rate) else figure.mean if isinstance(figure, Mean) else figure.value
    ends = [one for one in (figure.low, value, figure.high) if one is not None]
    assert all(isfinite(one) for one in ends) and ends == sorted(ends), (path, figure)
    if isinstance(figure, Rate):
        assert (value is None) == (figure.of == 0) and all(0 <= one <= 1 for one in ends), (path, figure)
        assert 0 <= figure.units <= max(1, figure.of) + 1e-9 and 0 <= figure.most <= 1, (path, figure)
        enough = figure.conversations >= ENOUGH and figure.units >= ENOUGH_UNITS - 1e-9
        assert figure.is_enough == enough, (path, figure)
    elif "lift" in path:
        assert all(one >= 0 for one in ends), (path, figure)
    elif "difference" in path or "at_equal" in path or "badness" in path:
        most = 100 if "score" in path else 1
        assert all(-most <= one <= most for one in ends), (path, figure)
    elif "score" in path:
        assert all(0 <= one <= 100 for one in ends), (path, figure)


def no_claim_on_few(of: Selection) -> None:
    """What is called a finding, an issue or a change has enough conversations and users behind it."""
    for effect in insights.low_score_events(of):
        assert not effect.is_finding or effect.is_enough
        assert all(one is None or 0 <= one <= 1 for one in (effect.p_value, effect.q_value))
    for path in insights.drop_offs(of):
        assert not path.is_finding or path.ended_after.is_enough
        assert all(one is None or 0 <= one <= 1 for one in (path.p_value, path.q_value))
    for issue in issues(of):
        assert issue.met.is_enough and 0 <= issue.most <= 1
    for change in compared(of, of):
        assert change.verdict in ("too little data", "no clear difference"), "nothing differs from itself"
        both = [one for one in (change.before, change.after) if isinstance(one, Rate | Mean)]
        assert change.verdict == "too little data" or all(one.is_enough for one in both)
