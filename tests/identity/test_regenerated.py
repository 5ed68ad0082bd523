"""Another answer to a question: the user's message is one row with both answers, whatever lands first."""

from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from cpa_core.sources import File, opened
from tests.identity.test_any_order import BEGIN, response_of, trace_of
from tests.support.homes import Home
from tests.support.remembered import Remembered
from tests.support.writings import WITH_ID, Sent, Told, full, lines, proxy

pytestmark = pytest.mark.slow

FIRST, NEXT, LAST = "My order from last week has still not arrived.", "Where is it?", "ok"
CASES: dict[str, Sequence[tuple[str, ...]]] = {
    "another answer": [(FIRST, "one"), (FIRST, "one", NEXT, "two"), (FIRST, "one", NEXT, "three")],
    "which the user answers": [
        *[(FIRST, "one"), (FIRST, "one", NEXT, "two"), (FIRST, "one", NEXT, "three")],
        (FIRST, "one", NEXT, "three", LAST, "end"),
    ],
    "two others": [
        *[(FIRST, "one"), (FIRST, "one", NEXT, "two")],
        *[(FIRST, "one", NEXT, "three"), (FIRST, "one", NEXT, "four")],
    ],
    "to a short word": [(FIRST, "one"), (FIRST, "one", LAST, "two"), (FIRST, "one", LAST, "three")],
    "the same word again": [(FIRST, "one"), (FIRST, "one", LAST, "two"), (FIRST, "one", LAST, "two", LAST, "three")],
}
SAID = {
    "another answer": [FIRST, "one", NEXT, "two", "three"],
    "which the user answers": [FIRST, "one", NEXT, "two", "three", LAST, "end"],
    "two others": [FIRST, "one", NEXT, "two", "three", "four"],
    "to a short word": [FIRST, "one", LAST, "two", "three"],
    "the same word again": [FIRST, "one", LAST, "two", LAST, "three"],
}
Writer = Callable[[int, Sent], dict[str, Any]]
WRITERS: dict[str, Writer] = {
    "a session": lambda n, call: WITH_ID["langfuse"](call, full),
    "traces without one": lambda n, call: trace_of(n + 1, call),
    "responses": lambda n, call: response_of(n + 1, call),
    "a proxy without an id": lambda n, call: proxy(call, full),
}


def written(case: str, writer: str) -> list[dict[str, Any]]:
    told = Told("s", "u", BEGIN, ())
    roles = ("user", "assistant")
    each = [[(roles[n % 2], text) for n, text in enumerate(turns)] for turns in CASES[case]]
    return [WRITERS[writer](n, Sent(told, n, turns[:-1], (), turns[-1:])) for n, turns in enumerate(each)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("writer", WRITERS)
def test_both_answers_stand_under_the_question_in_any_order_of_landing(case: str, writer: str) -> None:
    records = written(case, writer)
    for order in [*permutations(range(len(records)))][:: 1 + (len(records) > 3)]:
        one = Remembered()
        for n in order:
            one.land(f"{n}", opened(File("a.jsonl", lines([records[n]]).encode()), None))
        assert [[text for _, text in said] for said in one.said().values()] == [SAID[case]], order


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (3, 2, 1, 0)])
def test_the_store_leaves_the_question_out_that_stood_twice(tmp_path: Path, order: Sequence[int]) -> None:
    case, home = "which the user answers", Home(tmp_path)
    records = written(case, "a session")
    for n in order:
        home.write(f"{n}.jsonl", lines([records[n]]))
        home.land()
    assert home.contents("s") == SAID[case]
    home.write("again.jsonl", lines(records))
    assert home.land().days == ()
    assert home.contents("s") == SAID[case]
