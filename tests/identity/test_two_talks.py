"""Two talks of one user that open alike, with whole histories: right in any order, or counted as not told apart."""

from collections import Counter
from datetime import timedelta
from itertools import permutations

import pytest

from cpa_core.sources import File, opened
from tests.identity.test_any_order import BEGIN, trace_of
from tests.support.remembered import Remembered
from tests.support.writings import Told, Turns, calls, full, lines, proxy

pytestmark = pytest.mark.slow

OPENING = "My order from last week has still not arrived."
BLUE = [("user", OPENING), ("assistant", "Which order?"), ("user", "The blue one"), ("assistant", "Found it.")]
RED = [*BLUE[:2], ("user", "The red one"), ("assistant", "Lost.")]
OTHER = [("user", OPENING), ("assistant", "What is its number?"), *RED[2:]]
WRITERS = {"a trace": lambda n, call: trace_of(n + 1, call), "a proxy": lambda n, call: proxy(call, full)}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("second", [RED, OTHER], ids=["alike", "other answer"])
@pytest.mark.parametrize("gap", [timedelta(seconds=30), timedelta(minutes=5)])
def test_two_talks_that_open_alike_are_apart_or_counted(writer: str, second: Turns, gap: timedelta) -> None:
    each = [
        *calls(Told("a", "u", BEGIN, tuple(BLUE))),
        *calls(Told("b", "u", BEGIN + gap, tuple(second))),
    ]
    expected = Counter([tuple(BLUE), tuple(second)])
    for order in permutations(range(len(each))):
        one = Remembered()
        for n in order:
            one.land(f"{n}", opened(File("a.jsonl", lines([WRITERS[writer](n, each[n])]).encode()), None))
        found = Counter(map(tuple, one.said().values()))
        assert found == expected or one.untold, order
        assert expected <= found, order
        assert second is RED or not one.untold, order
