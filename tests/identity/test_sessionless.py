"""Traces without a session: one that repeats all that was said before continues that conversation, and no other."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from cpa_core.pipeline.forgetting.forget import forget
from cpa_core.sources import File, opened
from tests.identity.test_tracing import landed, lines, trace, user
from tests.support import writings
from tests.support.homes import Home
from tests.support.remembered import Remembered
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


@pytest.mark.parametrize("who", ["u", None])
def test_a_trace_that_lands_before_the_earlier_ones_keeps_its_id_and_is_joined_by_them(
    tmp_path: Path, who: str | None
) -> None:
    home, calls = Home(tmp_path), talk(1, who)
    for n in (2, 1, 0):
        home.write(f"{n}.jsonl", lines(calls[n]))
        home.land()
    assert landed(home) == {("t3", who): list(TURNS)}
    home.write("whole.jsonl", lines(*calls))
    assert home.land().days == ()
    assert landed(home) == {("t3", who): list(TURNS)}


def in_memory(*landings: list[Record]) -> Remembered:
    home = Remembered()
    for n, records in enumerate(landings):
        home.land(f"{n}", opened(File("a.jsonl", lines(*records).encode()), None))
    return home


def texts(home: Remembered) -> list[list[str]]:
    return sorted([text for _, text in said] for said in home.said().values())


def at(moment: str, record: Record) -> Record:
    return record | {"timestamp": f"2026-03-02 {moment}.000000"}


@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("who", ["u", None])
def test_three_traces_are_one_conversation_in_whatever_order_they_land(who: str | None, order: tuple[int, ...]) -> None:
    """Unless a call of nobody known is missing between: then nothing tells, and it is counted."""
    calls = talk(1, who)
    home = in_memory(*([calls[n]] for n in order))
    if who is None and order == (0, 2, 1):
        assert (texts(home), home.untold) == ([list(TURNS[:2]), list(TURNS)], 1)
    else:
        assert (texts(home), home.untold, len(home.known)) == ([list(TURNS)], 0, 1)
    before = home.said()
    home.land("again", opened(File("a.jsonl", lines(*calls).encode()), None))
    assert home.said() == before


OTHER = (*TURNS[:2], "no", "It is lost.", "yes", "I am sorry.")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("turned", [False, True])
def test_two_talks_of_one_user_that_open_alike_stay_two_in_whatever_order_they_land(
    order: tuple[int, int], turned: bool
) -> None:
    later = [at(f"11:0{n}:00", call(4 + n, OTHER[: 2 * n + 2])) for n in range(3)]
    each = [talk(1), later]
    each = [one[::-1] for one in each] if turned else each
    assert texts(in_memory(*([one] for n in order for one in each[n]))) == sorted([list(TURNS), list(OTHER)])


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_a_first_question_without_an_answer_is_of_the_talk_that_asks_again_in_whatever_order(
    order: tuple[int, ...],
) -> None:
    calls = [call(1, TURNS[:2]) | {"output": None}, call(2, TURNS[:2]), call(3, TURNS[:4])]
    assert texts(in_memory(*([calls[n]] for n in order))) == [list(TURNS[:4])]


STRANGER = ("Where is my parcel?", "In Uppsala.", "What is the time in Uppsala?", "Two.")


def test_a_stranger_who_opens_alike_later_in_the_day_stays_apart_and_is_counted() -> None:
    first, later = call(1, TURNS[:2], None), at("15:00:00", call(2, STRANGER, None))
    for landings in ([[first, later]], [[first], [later]], [[later], [first]]):
        home = in_memory(*landings)
        assert texts(home) == [list(TURNS[:2]), list(STRANGER)]
        assert (home.untold, home.guessed) == (1, 0)


def test_where_calls_are_missing_a_stranger_who_opens_alike_soon_stays_apart_and_is_counted() -> None:
    """The second call of nobody known lacks its first: the log was sampled, so the third may lack its own."""
    orphan = call(2, ("Hi", "Hello.", "What is the news of today?", "None."), None)
    home = in_memory([call(1, TURNS[:2], None), orphan, call(3, STRANGER, None)])
    assert len(texts(home)) == 3
    assert (home.untold, home.guessed) == (1, 0)


def test_where_nothing_tells_that_calls_are_missing_the_guess_is_a_warning(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.jsonl", lines(call(1, TURNS[:2], None), call(2, STRANGER, None)))
    (warning,) = home.land().warnings
    assert warning.startswith("1 calls without a session and user were taken as the next ones")


def test_another_answer_and_an_edited_question_are_of_their_conversation() -> None:
    question = "And when does it arrive at my home in Gothenburg?"
    calls = [*talk(1)[:2], call(3, (*TURNS[:4], question, "Soon.")), call(4, (*TURNS[:4], question, "Tomorrow."))]
    more = (*TURNS[:4], question, "Tomorrow.", "Good", "Bye.")
    assert texts(in_memory([*calls, call(5, more)])) == [[*TURNS[:4], question, "Soon.", *more[5:]]]
    edited = (*more[:6], "Better", "Goodbye.")
    assert texts(in_memory([*calls, call(5, more), call(6, edited)])) == [
        [*TURNS[:4], question, "Soon.", *more[5:], *edited[6:]]
    ]


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
