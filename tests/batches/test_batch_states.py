"""The states of a batch: every state is placed, and no batch moves but as the diagram says."""

from datetime import UTC, date, datetime
from typing import get_args

import pytest

from cpa_core.pipeline.batches.states import AT_VENDOR, AWAITED, NEXT, OPEN, BatchState, OpenBatch, move
from cpa_core.store import Store

STATES: tuple[BatchState, ...] = get_args(BatchState)
MOVES = [(before, after) for before in STATES for after in STATES]


def batch(state: BatchState) -> OpenBatch:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return OpenBatch("key", "b-1", "openai", "m", "tag", at.date(), state, at, None, 0, 2, False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home whose batches every test makes anew."""
    return Store(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_a_batch_moves_only_to_a_state_that_follows(store: Store, before: BatchState, after: BatchState) -> None:
    with store.writing() as transaction:
        transaction.execute("delete from batches")
        transaction.insert("batches", [{"batch_key": "key", "state": before, "day": date(2026, 3, 2)}])
        if after in NEXT[before]:
            assert move(transaction, batch(before), after, done=1).done == 1
        else:
            with pytest.raises(ValueError, match=f"{before} cannot become {after}"):
                move(transaction, batch(before), after)
        found = transaction.rows("select state from batches")
    assert found == [{"state": after if after in NEXT[before] else before}]


def test_every_state_can_be_reached_and_an_open_one_is_left() -> None:
    begun = {"submitting", "held"}
    assert begun | {after for states in NEXT.values() for after in states} == set(STATES) == set(NEXT)
    assert AT_VENDOR < AWAITED < OPEN
    assert all(NEXT[state] for state in OPEN - {"held"}), "an open batch must be able to end"
    assert not any(NEXT[state] for state in set(STATES) - OPEN), "a finished batch stays as it is"
