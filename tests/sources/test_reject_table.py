"""A table of rejects is the list of its rejects, whatever is asked of it."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from cpa_core.sources import reject_table
from cpa_core.sources.records import Reject
from cpa_core.sources.reject_table import RejectTable, lost, table_of

TEXTS = st.sampled_from(["", "a", "{}", "ä 𝄞", "line 7.resourceSpans.0"])
REJECTS = st.lists(st.builds(Reject, TEXTS, TEXTS, TEXTS, st.booleans()), max_size=9)


@given(REJECTS, REJECTS, st.integers(1, 4), st.data())
def test_a_table_of_rejects_is_the_list_of_them(
    one: list[Reject], more: list[Reject], chunk: int, data: st.DataObject
) -> None:
    before, reject_table.CHUNK = reject_table.CHUNK, chunk
    try:
        found = RejectTable(one) + more
        found += RejectTable(more)
        expected = [*one, *more, *more]
        assert found == expected and list(found) == expected and len(found) == len(expected)
        assert bool(found) == bool(expected) and found[1:3] == expected[1:3]
        assert [found[n] for n in range(-len(expected), len(expected))] == expected * 2
        assert lost(found) == lost(expected) == [reject for reject in expected if reject.loss]
        assert table_of(expected).columns().to_pylist() == [reject._asdict() for reject in expected]
        numbers = data.draw(st.lists(st.integers(0, 3), min_size=len(expected), max_size=len(expected)))
        order = sorted(range(len(expected)), key=numbers.__getitem__)
        assert found.taken(array("q", numbers)) == [expected[n] for n in order]
        kept = [number > 0 for number in numbers]
        assert found.taken(array("q", numbers), kept) == [expected[n] for n in order if kept[n]]
    finally:
        reject_table.CHUNK = before


def test_half_a_surrogate_pair_in_a_reject_is_replaced() -> None:
    (found,) = RejectTable([Reject("line 1", "no \ud83d", "\udc80", loss=True)]).columns().to_pylist()
    assert (found["reason"], found["raw"]) == ("no \ufffd", "\ufffd")
