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
from tests.support.writings import WITH_ID, Sent, Told, Turns, full, lines, proxy

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


OPENINGS: dict[str, tuple[Sequence[tuple[str, ...]], list[str]]] = {
    "the second is continued": (
        [("{q}", "one"), ("{q}", "two"), ("{q}", "two", NEXT, "three")],
        ["{q}", "one", "two", NEXT, "three"],
    ),
    "the first is continued": (
        [("{q}", "one"), ("{q}", "two"), ("{q}", "one", NEXT, "three")],
        ["{q}", "one", "two", NEXT, "three"],
    ),
    "the second of three": (
        [("{q}", "one"), ("{q}", "two"), ("{q}", "four"), ("{q}", "two", NEXT, "three")],
        ["{q}", "one", "two", "four", NEXT, "three"],
    ),
    "both are continued": (
        [("{q}", "one"), ("{q}", "one", "OK", "end"), ("{q}", "two"), ("{q}", "two", NEXT, "three")],
        ["{q}", "one", "OK", "end", "two", NEXT, "three"],
    ),
    "none is": ([("{q}", "one"), ("{q}", "two")], ["{q}", "one", "{q}", "two"]),
    "only newest messages": (
        [("{q}", "one"), ("{q}", "two"), (NEXT, "three")],
        ["{q}", "one", "{q}", "two", NEXT, "three"],
    ),
    "it was said again": (
        [("{q}", "one"), ("{q}", "one", "{q}", "two"), ("{q}", "one", "{q}", "two", NEXT, "three")],
        ["{q}", "one", "{q}", "two", NEXT, "three"],
    ),
    "said again, in a window of three": (
        [("{q}", "one"), ("{q}", "one", "{q}", "two"), ("{q}", "two", NEXT, "three")],
        ["{q}", "one", "{q}", "two", NEXT, "three"],
    ),
    "said again, in a window of two": (
        [("{q}", "one"), ("one", "{q}", "two"), ("two", NEXT, "three")],
        ["{q}", "one", "{q}", "two", NEXT, "three"],
    ),
}
"""The calls of one session and what was said, for a first question that is asked more than once."""


def spoken(text: str, question: str) -> tuple[str, str]:
    return ("assistant" if text.islower() and "{" not in text else "user", text.format(q=question))


@pytest.mark.parametrize("case", OPENINGS)
@pytest.mark.parametrize("question", [FIRST, "Hi"])
@pytest.mark.parametrize("form", ["langfuse", "otlp"])
def test_a_first_question_is_one_where_a_history_holds_it_once_in_any_order(
    form: str, question: str, case: str
) -> None:
    given, said = OPENINGS[case]
    records = written_as([[spoken(text, question) for text in texts] for texts in given], form)
    right = [spoken(text, question) for text in said]
    wrong = [order for order in permutations(range(len(records))) if landed(records, order) != right]
    assert not wrong


def landed(records: Sequence[dict[str, Any]], order: Sequence[int]) -> list[tuple[str, str]]:
    """What the one conversation of these records holds, each landed by itself."""
    one = Remembered()
    for n in order:
        one.land(f"{n}", opened(File("a.jsonl", lines([records[n]]).encode()), None))
    (found,) = one.said().values()
    return found


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_the_store_keeps_the_histories_that_tell_it(tmp_path: Path, order: Sequence[int]) -> None:
    given, said = OPENINGS["the second is continued"]
    records = written_as([[spoken(text, FIRST) for text in texts] for texts in given], "langfuse")
    home = Home(tmp_path)
    for n in order:
        home.write(f"{n}.jsonl", lines([records[n]]))
        home.land()
    right = [spoken(text, FIRST)[1] for text in said]
    assert home.contents("s") == right
    home.write("again.jsonl", lines(records))
    assert home.land().days == () and home.contents("s") == right


def test_rows_of_an_earlier_version_stay_as_they_are(tmp_path: Path) -> None:
    given, _ = OPENINGS["the second is continued"]
    records = written_as([[spoken(text, FIRST) for text in texts] for texts in given], "langfuse")
    home = Home(tmp_path)
    for n, record in enumerate(records):
        home.write(f"{n}.jsonl", lines([record]))
        home.land()
        with home.assistant().store.writing() as transaction:
            transaction.execute("update landed_messages set history_length = null, history_mark = null")
    assert home.contents("s") == [FIRST, "one", FIRST, "two", NEXT, "three"]


LIMITS: dict[str, tuple[Sequence[tuple[str, ...]], list[str]]] = {
    "a window of two asks for another answer": (
        [("{q}", "one"), ("one", NEXT, "two"), ("one", NEXT, "three"), ("three", "OK", "end")],
        ["{q}", "one", NEXT, "two", "three", "OK", "end"],
    ),
    "a window of three does": (
        [("{q}", "one"), ("{q}", "one", NEXT, "two"), (NEXT, "two", "OK", "end"), (NEXT, "two", "OK", "four")],
        ["{q}", "one", NEXT, "two", "OK", "end", "four"],
    ),
    "histories without answers": (
        [("{q}", "one"), ("{q}", NEXT, "two"), ("{q}", NEXT, "OK", "end")],
        ["{q}", "one", NEXT, "two", "OK", "end"],
    ),
}
"""Calls of a session of which nothing tells whether a question was asked or said again."""


@pytest.mark.parametrize("case", LIMITS)
@pytest.mark.parametrize("question", [FIRST, "Hi"])
def test_where_nothing_tells_a_question_may_stand_again_and_no_message_is_lost(question: str, case: str) -> None:
    given, said = LIMITS[case]
    records = written_as([[spoken(text, question) for text in texts] for texts in given], "langfuse")
    right = [spoken(text, question) for text in said]
    found = [landed(records, order) for order in permutations(range(len(records)))]
    assert all([*dict.fromkeys(one)] == right for one in found)
    assert all(role == "user" for one in found for role, text in one if one.count((role, text)) > 1)


def written_as(each: Sequence[Turns], form: str) -> list[dict[str, Any]]:
    told = Told("s", "u", BEGIN, ())
    return [WITH_ID[form](Sent(told, n, turns[:-1], (), turns[-1:]), full) for n, turns in enumerate(each)]
