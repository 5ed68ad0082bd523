"""Traces without a session: one that repeats all that was said before continues that conversation, and no other."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from cpa_core.pipeline.forgetting.forget import forget
from tests.identity.test_tracing import landed, lines, trace, user
from tests.support import writings
from tests.support.homes import Home
from tests.support.writings import Sent, Told, Turns, calls, full

TURNS = ("Where is my parcel?", "In Uppsala.", "yes", "It is sent.", "yes", "You are welcome.")
Record = dict[str, Any]


def call(n: int, turns: tuple[str, ...], who: str | None = "u") -> Record:
    """A trace of its own, which is sent all turns but the last, and answers with that."""
    roles = ("user", "assistant")
    sent = [{"role": roles[m % 2], "content": text} for m, text in enumerate(turns[:-1])]
    return trace(n, sent, turns[-1], session_id=None, user_id=who)


def talk(first: int, who: str | None = "u", turns: tuple[str, ...] = TURNS) -> list[Record]:
    return [call(first + n, turns[: 2 * n + 2], who) for n in range(len(turns) // 2)]


@pytest.mark.parametrize("who", ["u", None])
@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_traces_with_the_whole_history_are_one_conversation(
    tmp_path: Path, who: str | None, order: tuple[int, ...]
) -> None:
    home, calls = Home(tmp_path), talk(1, who)
    home.write("a.jsonl", lines(*(calls[n] for n in order)))
    home.land()
    assert landed(home) == {("t1", who): list(TURNS)}


@pytest.mark.parametrize("who", ["u", None])
def test_they_are_one_in_files_that_land_one_after_the_other_and_again(tmp_path: Path, who: str | None) -> None:
    home = Home(tmp_path)
    for n, one in enumerate(talk(1, who)):
        home.write(f"{n}.jsonl", lines(one))
        home.land()
    assert landed(home) == {("t1", who): list(TURNS)}
    home.write("whole.jsonl", lines(*talk(1, who)))
    home.land()
    assert landed(home) == {("t1", who): list(TURNS)}


def test_two_users_who_say_the_same_are_never_joined(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.jsonl", lines(*talk(1, "ann"), *talk(4, "ben")))
    home.land()
    assert landed(home) == {("t1", "ann"): list(TURNS), ("t4", "ben"): list(TURNS)}


def test_strangers_who_began_alike_stay_apart(tmp_path: Path) -> None:
    """Two unknown users with the same beginning: whose second trace this is, nothing tells."""
    home = Home(tmp_path)
    home.write("a.jsonl", lines(call(1, TURNS[:2], None), call(2, TURNS[:2], None), call(3, TURNS[:4], None)))
    home.land()
    assert landed(home) == {
        ("t1", None): list(TURNS[:2]),
        ("t2", None): list(TURNS[:2]),
        ("t3", None): list(TURNS[:4]),
    }


def test_a_users_latest_conversation_is_continued_where_several_begin_alike(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.jsonl", lines(call(1, TURNS[:2]), call(2, TURNS[:2]), call(3, TURNS[:4])))
    home.land()
    assert landed(home) == {("t1", "u"): list(TURNS[:2]), ("t2", "u"): list(TURNS[:4])}


@pytest.mark.parametrize("who", ["u", None])
def test_a_call_without_an_answer_is_sent_again_in_the_same_conversation(tmp_path: Path, who: str | None) -> None:
    home = Home(tmp_path)
    failed = call(2, TURNS[:4], who) | {"output": None}
    home.write("a.jsonl", lines(call(1, TURNS[:2], who), failed, call(3, TURNS[:4], who), call(4, TURNS, who)))
    home.land()
    assert landed(home) == {("t1", who): list(TURNS)}


@pytest.mark.parametrize("alone", [0, 1, 2])
def test_no_trace_of_a_forgotten_conversation_lands_again(tmp_path: Path, alone: int) -> None:
    home, calls = Home(tmp_path), talk(1, None)
    home.write("a.jsonl", lines(*calls))
    home.land()
    forget(home.assistant(), conversations=["t1"])
    for name, some in (("b.jsonl", calls), ("c.jsonl", [calls[alone]])):
        home.write(name, lines(*some))
        home.land()
        assert landed(home) == {}


def test_a_window_and_a_newest_message_are_a_conversation_of_their_trace(tmp_path: Path) -> None:
    home = Home(tmp_path)
    window = trace(2, [{"role": "assistant", "content": TURNS[1]}, user(TURNS[2])], TURNS[3], session_id=None)
    home.write("a.jsonl", lines(call(1, TURNS[:2]), window, trace(3, [user(TURNS[4])], TURNS[5], session_id=None)))
    home.land()
    assert {conversation for conversation, _ in landed(home)} == {"t1", "t2", "t3"}


def test_a_trace_keeps_the_id_that_it_was_given(tmp_path: Path) -> None:
    """The second trace landed before the first was known."""
    home = Home(tmp_path)
    home.write("b.jsonl", lines(call(2, TURNS[:4])))
    home.land()
    home.write("a.jsonl", lines(call(1, TURNS[:2])))
    home.land()
    home.write("c.jsonl", lines(call(2, TURNS[:4]), call(3, TURNS)))
    home.land()
    assert {conversation for conversation, _ in landed(home)} == {"t1", "t2"}
    assert landed(home)["t2", "u"] == list(TURNS)


FORMS = (writings.langfuse, writings.otlp, writings.langsmith, writings.posthog)


def without_session(record: Any, key: str) -> Any:
    """The record without each value that is the id of the conversation."""
    if isinstance(record, list):
        return [without_session(one, key) for one in record if not _names(one, key)]
    if isinstance(record, dict):
        return {name: without_session(value, key) for name, value in record.items() if value != key}
    return record


def _names(one: Any, key: str) -> bool:
    return isinstance(one, dict) and one.get("value") == {"stringValue": key}


@pytest.mark.parametrize("who", ["u", None])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_each_message_lands_once_in_every_form_of_traces(
    tmp_path: Path, form: Callable[[Sent, Callable[[Sent], Turns]], Any], who: str | None
) -> None:
    """Six conversations at the same time, some of which open alike, in files in any order."""
    drawn = random.Random(0)
    begin = datetime(2026, 3, 2, 9, tzinfo=UTC)
    told = [
        Told(f"conversation-{n}", f"{who}{n}" if who else None, begin + timedelta(seconds=7 * n), turns(n, drawn))
        for n in range(6)
    ]
    records = [without_session(form(call, full), one.key) for one in told for call in calls(one)]
    drawn.shuffle(records)
    home = Home(tmp_path)
    for n in range(3):
        home.write(f"{n}.jsonl", lines(*records[n::3]))
    home.land()
    assert sorted(landed(home).values()) == sorted([text for _, text in one.turns] for one in told)


def turns(n: int, drawn: random.Random) -> Turns:
    """A conversation of three to five questions; all open with the same word, and the answers differ."""
    roles = ("user", "assistant")
    texts = ["Hi", f"Good morning, this is desk {n}."]
    texts += [f"{drawn.choice(('yes', 'and', 'no'))} {n} {m}" for m in range(2 * drawn.randint(2, 4))]
    return tuple((roles[m % 2], text) for m, text in enumerate(texts))
