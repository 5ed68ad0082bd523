"""Every question is answered for the examples, with figures that a person can count."""

from collections.abc import Iterator
from dataclasses import astuple
from datetime import date, timedelta
from pathlib import Path

import pytest

from benchmarks.insights import QUESTIONS
from cpa_core import insights
from cpa_core.demo import demo_settings
from cpa_core.insights import Estimate, Scope, Selection, selected, whole
from cpa_core.pipeline import Assistant, due_days, land, run_day
from cpa_core.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the therapist's example."""
    return demo_store(tmp_path_factory.mktemp("demo"))


def demo_store(folder: Path) -> Store:
    """An example, run."""
    assistant = Assistant.of(demo_settings("therapist", folder))
    land(assistant)
    for row in due_days(assistant):
        run_day(assistant, row["day"])
    return assistant.store


@pytest.fixture
def everything(store: Store) -> Iterator[Selection]:
    """All conversations of the example."""
    scope = whole(store)
    assert scope
    with selected(store, scope) as of:
        yield of


def test_every_question_has_an_answer(everything: Selection) -> None:
    figures = insights.overview(everything)
    assert (figures.conversations, figures.messages, figures.events) == (14, 139, 160)
    assert sum(day.figures.conversations for day in insights.days(everything)) == 14
    assert sum(row.events for row in insights.event_mix(everything)) == 160
    assert sum(row.events for row in insights.events(everything)) == 160
    assert sum(band.conversations for band in insights.scores(everything)) == 14
    assert sum(row.times.count for row in insights.transitions(everything)) == 160 + 14
    assert sum(turn.ended.count for turn in insights.turns(everything)) == 14
    assert sum(hour.conversations for hour in insights.hours(everything)) == 14
    assert sum(length.conversations for length in insights.lengths(everything)) == 14
    assert sum(ending.conversations for ending in insights.endings(everything)) == 14
    assert {row.criterion for row in insights.criteria(everything)} == {f"P{n}" for n in (1, 2, 3)} | {
        *(f"S{n}" for n in (1, 2, 3)),
        *(f"T{n}" for n in (1, 2)),
    }
    assert [row.criterion for row in insights.dealbreakers(everything)] == ["D1", "D2", "D3"]
    assert {cost.task for cost in insights.costs(everything)} == {"tag", "judge"}
    assert [version.conversations for version in insights.versions(everything)] == [14]
    assert all(day.tagged.share == day.judged.share == 1 for day in insights.coverage(everything))
    assert insights.failures(everything) == () and insights.intent_outcomes(everything) == ()
    assert insights.returns(everything).too_recent == 10


def test_with_fourteen_conversations_nothing_is_a_finding(everything: Selection) -> None:
    assert not any(effect.is_enough or effect.is_finding for effect in insights.low_score_events(everything))
    assert insights.drop_offs(everything) == ()
    assert not insights.overview(everything).bad.is_enough


def test_no_interval_of_a_difference_is_wider_than_the_figures_themselves(store: Store, everything: Selection) -> None:
    """Few conversations make wide ones: days beside the days before, and every kind of event."""
    scope = whole(store)
    assert scope
    found: list[tuple[Estimate, float]] = []
    for part in range(1, (scope.last - scope.first).days + 1, 2):
        day = scope.first + timedelta(part)
        with (
            selected(store, Scope(scope.first, day - timedelta(1))) as before,
            selected(store, Scope(day, scope.last)) as after,
        ):
            for change in insights.compared(before, after):
                if change.figure != "messages_per_conversation":
                    found.append((change.difference, 100 if change.figure == "score" else 1))
    for effect in insights.low_score_events(everything):
        found += [(effect.difference, 1), (effect.at_equal_length, 1), (effect.score_difference, 100)]
    known = [(low, high, most) for (_, low, high), most in ((astuple(one), most) for one, most in found) if high]
    assert [one for one in known if one[0] < -one[2] or one[1] > one[2]] == []
    assert len(known) > 50 and any(high == most for _, high, most in known)


def test_of_no_conversation_every_question_has_an_answer_too(store: Store) -> None:
    with selected(store, Scope(date(2020, 1, 1), date(2020, 1, 31))) as nothing:
        for question in QUESTIONS:
            question(nothing)
        assert insights.overview(nothing).conversations == 0
        assert insights.overview(nothing).bad.share is None
        assert insights.issues(nothing, nothing) == ()
        assert {change.verdict for change in insights.compared(nothing, nothing)} == {"too little data"}


def test_filters_choose_conversations(store: Store) -> None:
    scope = whole(store)
    assert scope

    def conversations(**filters: object) -> int:
        with selected(store, Scope(scope.first, scope.last, **filters)) as of:  # type: ignore[arg-type]
            return insights.overview(of).conversations

    assert conversations(score_below=50.0) == 6
    assert conversations(score_from=50.0) == 8
    assert conversations(events=("Misalignment",)) == 7
    assert conversations(events=("Misalignment", "No Such Event")) == 0
    assert conversations(properties=(("Coping Technique", "Journaling"),)) > 0
    assert 0 < conversations(user=(("user_id", "maren.k"),)) < 14
    assert conversations(user=(("plan", "none"),)) == 0
