"""What is planted in simulated conversations is found, first, and with its size; what does nothing is not."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.planted import LONGER_IS_WORSE, Tally, is_planted
from cpa_core.insights import EXAMPLES, compared, evidence, issues, low_score_events, selected, whole
from cpa_core.store import Store
from tests.simulated import FIRST, Truth, simulate

pytestmark = pytest.mark.slow

NOTHING = Truth(more_failure=0.0, more_end=0.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_what_is_planted_is_found_first_and_with_its_size(store: Store) -> None:
    tally = Tally()
    for seed in range(3):
        simulate(store, seed)
        scope = whole(store)
        assert scope
        tally.add(store, scope, Truth())
    assert (tally.found, tally.first) == (3, 3)
    assert tally.event_covered_at_equal_length >= 2
    assert tally.path_covered_at_equal_depth >= 2
    assert tally.false_findings <= 1


def test_where_nothing_is_planted_nothing_is_found(store: Store) -> None:
    simulate(store, 1, truth=NOTHING)
    scope = whole(store)
    assert scope
    with selected(store, scope) as of:
        assert issues(of) == ()


def test_what_only_happens_in_longer_conversations_is_not_blamed(store: Store) -> None:
    simulate(store, 0, truth=LONGER_IS_WORSE)
    scope = whole(store)
    assert scope
    with selected(store, scope) as of:
        effects = low_score_events(of)
    assert all((one.difference.low or 0.0) > 0 for one in effects)
    assert not any(one.is_finding for one in effects)


def test_an_issue_is_followed_from_before_to_now(store: Store) -> None:
    simulate(store, 7)
    scope = whole(store)
    assert scope
    before, after = scope.split(FIRST.replace(day=16))
    with selected(store, before) as old, selected(store, after) as new:
        found = issues(new, old)
        assert {(one.cause, one.state) for one in found if is_planted(one)} == {("event", "steady"), ("path", "steady")}
        assert [one.id for one in found] == [one.id for one in issues(new)]
        for issue in found:
            examples = evidence(new, issue)
            assert len(examples) == EXAMPLES
            assert list(examples) == sorted(examples, key=lambda one: one.score or 0.0)
        assert {change.verdict for change in compared(old, new)} == {"no clear difference"}


def test_an_issue_that_is_over_is_gone_and_one_that_begins_is_new(store: Store) -> None:
    simulate(store, 3)
    scope = whole(store)
    assert scope
    quiet = replace(scope, events=("User Event 1",), score_from=50.0)
    with selected(store, scope) as all_of_it, selected(store, quiet) as none_bad:
        lost = [one for one in issues(none_bad, all_of_it) if one.state == "gone"]
        assert {one.cause for one in lost} >= {"event"}
        assert all(one.met_before and one.met_before.count for one in lost)


def test_with_too_little_data_nothing_is_said(store: Store) -> None:
    simulate(store, 5, conversations=49)
    scope = whole(store)
    assert scope
    with selected(store, scope) as few:
        assert issues(few) == ()
        assert issues(few, few) == ()
        assert {change.verdict for change in compared(few, few)} == {"too little data"}
