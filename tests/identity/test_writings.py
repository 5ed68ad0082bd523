"""The same conversations in every way in which vendors write them: every message once, in order, in its own."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.sources import File, as_records, opened, read_together
from cpa_core.sources.columns import Gathered, gathered
from cpa_core.sources.identity import Opened
from cpa_core.sources.records import Draft, SourceRecord, own_input
from tests.support.examples import examples
from tests.support.homes import Home
from tests.support.remembered import Remembered
from tests.support.writings import (
    WAYS,
    WITH_ID,
    WITHOUT_ID,
    Sent,
    Told,
    Turns,
    calls,
    chat,
    failing,
    full,
    lines,
    newest,
    window,
)

pytestmark = pytest.mark.slow

many = examples(10)
BEGIN = datetime(2026, 3, 4, 9, tzinfo=UTC)
TEXTS = st.sampled_from(["yes", "yes", "ok", "OK. Next?", "Hi", "My order from last week has still not arrived."])
TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXTS), min_size=2, max_size=12).filter(
    lambda turns: any(role == "user" for role, _ in turns)
)


def corpus(each: Sequence[Turns], who: bool = True) -> list[Told]:
    """Conversations at the same time, a few seconds apart."""
    return [
        Told(f"s{n}", f"u{n}" if who else None, BEGIN + timedelta(seconds=n), tuple(turns))
        for n, turns in enumerate(each)
    ]


CORPUS = st.lists(TURNS, min_size=1, max_size=4).map(corpus)


def as_read(files: Sequence[Opened]) -> tuple[dict[str, list[tuple[str, str]]], list[str]]:
    """Role and text by conversation, in the order in which a day is built, and the reasons of rejects."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    batches = read_together(files)
    for n, batch in enumerate(batches):
        for record in as_records(batch):
            place = (record.sent_at, n, record.ordinal)
            found[record.conversation_id].append((place, record.message_id, record.role, record.content))
    once: dict[str, list[tuple[str, str]]] = {}
    for key, rows in found.items():
        ids = {message_id: (place, (role, content)) for place, message_id, role, content in sorted(rows, reverse=True)}
        once[key] = [said for _, said in sorted(ids.values())]
    return once, [reject.reason for batch in batches for reject in batch.rejects]


def split(records: list[Any], parts: int) -> list[list[Any]]:
    return [part for n in range(parts) if (part := records[n::parts])]


@many
@given(CORPUS, st.sampled_from(sorted(WITH_ID)), st.sampled_from(sorted(WAYS)), st.integers(1, 3), st.randoms())
def test_calls_of_a_session_are_every_message_once_in_order(
    found: list[Told], form: str, way: str, parts: int, chance: random.Random
) -> None:
    records = [WITH_ID[form](call, WAYS[way]) for told in found for call in calls(told)]
    chance.shuffle(records)
    files = [opened(File(f"{n}.jsonl", lines(part).encode()), None) for n, part in enumerate(split(records, parts))]
    once, rejects = as_read(files)
    assert once == {told.key: list(told.turns) for told in found} and rejects == []


@many
@given(CORPUS)
def test_conversations_are_every_message_once_in_order(found: list[Told]) -> None:
    once, rejects = as_read([opened(File("a.jsonl", lines([chat(told) for told in found]).encode()), None)])
    assert sorted(once.values()) == sorted(list(told.turns) for told in found) and rejects == []


def logged(call: Sent, way: Any) -> SourceRecord:
    """A call of a log that has no id of a conversation."""
    sent = way(call)
    said = [Draft("p", "", None, None, role, text, None, None, None) for role, text in (*sent, *call.output)]
    begin = own_input([role for role, _ in sent])
    about = (None, call.told.user, call.began, call.ended, tuple(said))
    return SourceRecord(f"{call.number}", "call", *about, own_from=begin, call_id=f"{call.told.key}-{call.number}")


def without_id(records: Sequence[SourceRecord]) -> Opened:
    found: Gathered = gathered(records)
    return Opened("a", found.drafts, found.records, found.rejects)


@many
@given(CORPUS, st.integers(1, 3), st.booleans(), st.randoms())
def test_calls_without_an_id_are_chained_by_their_full_history(
    found: list[Told], parts: int, who: bool, chance: random.Random
) -> None:
    ended = [("user", "Goodbye"), ("assistant", "Goodbye."), ("user", "And thanks")]
    talks = corpus([(*told.turns, *ended, ("user", f"From {n}")) for n, told in enumerate(found)], who)
    records = [logged(call, full) for told in talks for call in calls(told)]
    chance.shuffle(records)
    once, rejects = as_read([without_id(part) for part in split(records, parts if who else 1)])
    assert sorted(once.values()) == sorted(list(told.turns) for told in talks) and rejects == []


def spoken(n: int, greets: bool, size: int, twice: bool) -> Turns:
    """A conversation in words of its own, but for the greeting that many share; the user may speak twice at a time."""
    roles = ("user", "user", "assistant") if twice else ("user", "assistant")
    turns = [(roles[k % len(roles)], f"Word {k} of conversation {n}") for k in range(size)]
    return [("assistant", "Hello, how can I help?"), *turns] if greets else turns


@many
@given(
    st.lists(st.tuples(st.booleans(), st.integers(2, 14)), min_size=1, max_size=5),
    st.integers(2, 7),
    st.integers(1, 3),
    st.booleans(),
    st.randoms(),
)
def test_of_a_window_without_an_id_each_message_is_in_its_whole_conversation_or_one_reject(
    sizes: list[tuple[bool, int]], size: int, parts: int, who: bool, chance: random.Random
) -> None:
    talks = corpus([spoken(n, greets, many, size > 3 and n % 2 > 0) for n, (greets, many) in enumerate(sizes)], who)
    records = [logged(call, lambda sent: window(sent, size)) for told in talks for call in calls(told)]
    chance.shuffle(records)
    files = [without_id(part) for part in split(records, parts if size > 2 else 1)]
    once, rejects = as_read(files)
    whole = Counter(tuple(told.turns) for told in talks)
    assert Counter(map(tuple, once.values())) <= whole
    assert len(rejects) + sum(map(len, once.values())) == sum(len(told.turns) for told in talks)
    assert all("repeats only the end" in one or "no call of this file repeats" in one for one in rejects)
    uncut = [tuple(told.turns) for told in talks if who and all(window(c, size) == full(c) for c in calls(told))]
    assert Counter(uncut) <= Counter(map(tuple, once.values())) or size == 2


LONG = [
    ("user", "My order has not arrived"),
    ("assistant", "Which order?"),
    ("user", "The last"),
    ("assistant", "I look"),
]
MORE = [*LONG, ("user", "yes"), ("assistant", "Found it."), ("user", "Good"), ("assistant", "Bye")]


@pytest.mark.parametrize(
    ("way", "reason"), [(window, "repeats only the end"), (newest, "no call of this file repeats")]
)
def test_without_an_id_what_is_not_a_full_history_is_a_reject_with_that_reason(way: Any, reason: str) -> None:
    told = corpus([MORE])
    once, rejects = as_read([without_id([logged(call, way) for call in calls(told[0])])])
    assert rejects and all(reason in one for one in rejects)
    assert all(list(MORE[: len(said)]) == said for said in once.values())


def test_an_edited_history_adds_nothing_and_an_unknown_one_is_kept() -> None:
    told = corpus([MORE])[0]
    each = list(calls(told))
    edited = [("user", "My order (...) arrived"), *MORE[1:6]]
    records = [WITH_ID["langfuse"](call, full) for call in each]
    records[-1]["input"] = {"messages": [{"role": r, "content": t} for r, t in [*edited, *each[-1].newest]]}
    once, _ = as_read([opened(File("a.json", json.dumps(records).encode()), None)])
    assert once == {"s0": MORE}
    once, _ = as_read([opened(File("a.json", json.dumps(records[2:3]).encode()), None)])
    assert once == {"s0": MORE[:6]}  # a log that begins in the middle


def test_the_same_call_twice_is_once() -> None:
    records = [WITH_ID["langfuse"](call, newest) for call in calls(corpus([MORE])[0])]
    files = [
        opened(File(name, json.dumps(part).encode()), None)
        for name, part in (("a.json", records), ("b.json", records[1:]))
    ]
    assert as_read(files)[0] == {"s0": MORE}


@many
@given(
    CORPUS,
    st.sampled_from(sorted(WITH_ID)),
    st.sampled_from([full, newest, *(partial(window, size=size) for size in range(1, 8))]),
    st.integers(2, 4),
    st.randoms(),
)
def test_calls_land_in_any_order_and_late_ones_find_their_place(
    found: list[Told], form: str, way: Callable[[Sent], Turns], parts: int, chance: random.Random
) -> None:
    records = [WITH_ID[form](call, way) for told in found for call in calls(told)]
    chance.shuffle(records)
    one = Remembered()
    for n, part in enumerate(split(records, parts)):
        one.land(f"{n}", opened(File("a.jsonl", lines(part).encode()), None))
    assert one.said() == {told.key: list(told.turns) for told in found}
    one.land("again", opened(File("a.jsonl", lines(records).encode()), None))
    assert one.said() == {told.key: list(told.turns) for told in found}


@many
@given(TURNS, st.sampled_from(sorted(WAYS)), st.booleans(), st.integers(1, 3), st.randoms())
def test_a_call_that_failed_tells_its_message_once_in_any_order(
    turns: Turns, way: str, retried: bool, parts: int, chance: random.Random
) -> None:
    """In pieces, a call that shows little of its past may be any of two that say the same: one of these is kept."""
    said = [text for role, text in turns if role == "user"]
    is_told = way == "full history" or parts == 1 or len(set(said)) == len(said)
    (told,) = corpus([turns])
    records = [
        WITH_ID["langfuse"](call, WAYS[way])
        for call in failing(told, retried and (way == "full history" or parts == 1))
    ]
    chance.shuffle(records)
    one = Remembered()
    for n, part in enumerate(split(records, parts)):
        one.land(f"{n}", opened(File("a.jsonl", lines(part).encode()), None))
    (found,) = one.said().values()
    assert found == list(turns) if is_told else set(found) == set(turns)


AGAIN = [
    ("user", "My order from last week has still not arrived."),
    ("assistant", "Which order?"),
    ("user", "The last"),
]
QUESTION, ANSWER, NEXT = AGAIN
FAILED: dict[str, tuple[list[tuple[Turns, Turns]], Turns]] = {
    "the first question again": ([([QUESTION], []), ([QUESTION], [ANSWER])], AGAIN[:2]),
    "the next beside it": ([([QUESTION], []), ([QUESTION, NEXT], [ANSWER])], [QUESTION, NEXT, ANSWER]),
    "a later question again": (
        [([QUESTION], [ANSWER]), (AGAIN, []), (AGAIN, [("assistant", "Found.")])],
        [*AGAIN, ("assistant", "Found.")],
    ),
    "another answer": (
        [([QUESTION], [ANSWER]), (AGAIN, [("assistant", "No.")]), (AGAIN, [("assistant", "Yes.")])],
        [*AGAIN, ("assistant", "No."), ("assistant", "Yes.")],
    ),
    "another answer, gone on with": (
        [
            ([QUESTION], [ANSWER]),
            (AGAIN, [("assistant", "No.")]),
            (AGAIN, [("assistant", "Yes.")]),
            ([*AGAIN, ("assistant", "Yes."), ("user", "Ah")], [("assistant", "Bye")]),
        ],
        [*AGAIN, ("assistant", "No."), ("assistant", "Yes."), ("user", "Ah"), ("assistant", "Bye")],
    ),
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("form", sorted(FAILED))
def test_a_call_without_an_id_that_failed_is_of_the_conversation_that_asks_again(
    tmp_path: Path, form: str, late: bool
) -> None:
    sent, said = FAILED[form]
    (told,) = corpus([[]], who=late)
    each = [Sent(told, n, asked, (), answered) for n, (asked, answered) in enumerate(sent)]
    records = [WITHOUT_ID["proxy"](call, full) for call in each]
    one = Home(tmp_path)
    failed = [n for n, call in enumerate(each) if not call.output] if late else []
    for numbers in (sorted(set(range(len(each))) - set(failed)), failed):
        if numbers:
            one.write(f"{numbers[0]}.jsonl", lines([records[n] for n in numbers]))
            one.land()
    assert list(in_home(one).values()) == [list(said)]


def test_another_answer_to_the_first_question_is_one_where_a_later_history_says_so() -> None:
    (told,) = corpus([[]])
    sent = [([QUESTION], [("assistant", "Hm.")]), ([QUESTION], [ANSWER]), ([QUESTION, ANSWER, NEXT], [])]
    records = [WITH_ID["langfuse"](Sent(told, n, one, (), answer), full) for n, (one, answer) in enumerate(sent)]
    once, _ = as_read([opened(File("a.jsonl", lines(records).encode()), None)])
    assert once == {"s0": [QUESTION, ("assistant", "Hm."), ANSWER, NEXT]}


@pytest.mark.parametrize(
    ("spoken_by", "size", "objects"),
    [
        *(("uaauau", 4, objects) for objects in ([[3, 1], [0, 2]], [[1, 3], [2, 0]], [[1, 3], [0, 2]])),
        ("aaauaaau", 7, [[2], [0], [3], [1]]),
        ("uuuuuuuauuaauaau", 7, [[3], [5], [0], [2], [4], [1]]),
        ("uuaauauaauuuuaaa", 7, [[7, 2], [1, 6], [5, 3], [0, 4]]),
        ("uaaaaaua", 7, [[3, 0], [1, 4], [2], [5]]),
    ],
)
def test_late_windows_of_repeated_words_tell_each_message_once(
    spoken_by: str, size: int, objects: Sequence[Sequence[int]]
) -> None:
    turns = [({"u": "user", "a": "assistant"}[one], "yes") for one in spoken_by]
    each = list(calls(corpus([turns])[0]))
    one = Remembered()
    for n, part in enumerate(objects):
        records = [WITH_ID["langfuse"](each[k], partial(window, size=size)) for k in part]
        one.land(f"{n}", opened(File("a.jsonl", lines(records).encode()), None))
    assert one.said() == {"s0": turns}


REPEATING = [("user", "yes"), *[("assistant", text) for text in ("yes", "ok", "yes", "ok")], ("user", "yes")]


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("last", ["user", "assistant"])
@pytest.mark.parametrize(
    "objects", [([0, 2], [1, 4], [3]), ([0, 2], [4, 1], [3]), ([2, 0], [1, 4], [3]), ([2], [1, 4])]
)
def test_a_call_that_lands_beside_a_late_one_knows_what_that_tells(
    way: str, last: str, objects: Sequence[Sequence[int]]
) -> None:
    turns = [*REPEATING[:-1], (last, "yes")]
    each = list(calls(corpus([turns])[0]))
    one = Remembered()
    for n, numbers in enumerate([*objects, range(len(each))]):
        records = [WITH_ID["langfuse"](each[k], WAYS[way]) for k in numbers]
        one.land(f"{n}", opened(File("a.jsonl", lines(records).encode()), None))
    assert one.said() == {"s0": turns}


def test_the_store_takes_late_calls_as_they_are(tmp_path: Path) -> None:
    each = list(calls(corpus([MORE])[0]))
    for way, cut in WAYS.items():
        one = Home(tmp_path / way)
        for n in (2, 0, 3, 1):
            one.write(f"{n}.jsonl", lines([WITH_ID["langfuse"](each[n], cut)]))
            one.land()
        assert in_home(one) == {"s0": MORE}
        before = one.rows("select conversation_id, message_id from landed_messages where superseded_at is null")
        one.write("again.jsonl", lines([WITH_ID["langfuse"](call, cut) for call in each]))
        assert one.land().days == ()
        again = one.rows("select conversation_id, message_id from landed_messages where superseded_at is null")
        assert {tuple(row.values()) for row in before} == {tuple(row.values()) for row in again}


@pytest.mark.parametrize("form", sorted(WITHOUT_ID))
@pytest.mark.parametrize("since", [0, 1, 2])
def test_calls_without_an_id_that_are_exported_again_add_nothing(tmp_path: Path, form: str, since: int) -> None:
    each = [list(calls(told)) for told in corpus([MORE, [*MORE[:4], ("user", "Thank you."), ("assistant", "Bye.")]])]
    one = Home(tmp_path)
    one.write("first.jsonl", lines([WITHOUT_ID[form](call, full) for found in each for call in found[:-1]]))
    one.land()
    before = in_home(one)
    one.write("again.jsonl", lines([WITHOUT_ID[form](call, full) for found in each for call in found[since:]]))
    one.land()
    after = in_home(one)
    assert after.keys() == before.keys()
    assert sorted(after.values()) == sorted([list(MORE), [*MORE[:4], ("user", "Thank you."), ("assistant", "Bye.")]])


@pytest.mark.parametrize("form", sorted(WITHOUT_ID))
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_calls_of_strangers_without_an_id_are_never_one_conversation(
    tmp_path: Path, form: str, order: Sequence[int]
) -> None:
    words = ("Hi, I am {}", "Hello.", "What is the news of the day for {}?", "None.")
    who = ("user", "assistant", "user", "assistant")
    talks = corpus([list(zip(who, [one.format(name) for one in words], strict=True)) for name in ("Ada", "Bo", "Cy")])
    one = Home(tmp_path)
    for n in order:
        one.write(f"{n}.jsonl", lines([WITHOUT_ID[form](call, full) for call in calls(talks[n])]))
        one.land()
    found = in_home(one)
    assert sorted(found.values()) == [list(told.turns) for told in talks]
    together = Home(tmp_path / "together")
    together.write("all.jsonl", lines([WITHOUT_ID[form](call, full) for told in talks for call in calls(told)]))
    together.land()
    assert in_home(together) == found  # an id is made of who, when and what, not of a place


def in_home(one: Home) -> dict[str, list[tuple[str, str]]]:
    """Role and text by conversation, in the order in which a day is built."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in one.rows(
        "select conversation_id, role, content from landed_messages where superseded_at is null "
        "order by conversation_id, sent_at, uri, ordinal"
    ):
        found[row["conversation_id"]].append((row["role"], row["content"]))
    return dict(found)
