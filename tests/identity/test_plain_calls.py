"""Calls that need no care are told as all others are: the same messages, at the same places and times."""

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.sources import File, columns, opened
from cpa_core.sources.identity import Identified, Nothing, Opened, identified, plain_calls
from cpa_core.sources.identity.plain_calls import parted
from cpa_core.sources.identity.values import EMPTY
from tests.formats.generated import WRITERS
from tests.support.examples import examples
from tests.support.writings import WAYS, WITH_ID, Sent, Told, Turns, calls, failing, lines

BEGIN = datetime(2026, 3, 4, 9, tzinfo=UTC)
TEXTS = st.sampled_from(["yes", " yes", "ok", "Hi", "My order from last week has still not arrived."])
TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TEXTS), min_size=1, max_size=8)
TALK = (
    ("user", "Hi"),
    ("assistant", "yes"),
    ("user", "yes"),
    ("assistant", "yes"),
    ("user", "Bye"),
    ("assistant", "Bye."),
)


def file_of(name: str, records: Sequence[Any]) -> Opened:
    return opened(File(name, lines(records).encode()), BEGIN)


def told(found: Identified) -> tuple[Any, ...]:
    """All that identity says of each file, in an order of its own."""
    files = []
    for file in found.files:
        first = {n for n, history in file.openings.items() if history == EMPTY}
        rows = [
            json.dumps([row, file.repeated.get(n), n in first], default=str)
            for n, row in enumerate(file.drafts.to_pylist())
        ]
        by_talk = sorted(enumerate(rows), key=lambda one: (json.loads(one[1])[0]["conversation_id"], one[0]))
        files.append(([row for _, row in by_talk], sorted(file.rejects)))
    fresh = [tuple(row.values()) for table in found.fresh_traces for row in table.to_pylist()]
    traces = sorted([*map(tuple, fresh), *(one[:4] for one in found.traces)], key=str)
    return files, traces, sorted(one.conversation_id for one in found.talks), sorted(found.retold)


def both(files: Sequence[Opened]) -> tuple[Any, Any]:
    return told(identified(files, Nothing())), told(identified(files, Nothing(), alike=True))


CALLS: list[Callable[[Told], list[Sent]]] = [
    lambda one: list(calls(one)),
    lambda one: list(failing(one, retried=True)),
]


@examples(60)
@given(
    st.lists(TURNS, min_size=1, max_size=4),
    st.sampled_from(sorted(WITH_ID)),
    st.sampled_from(sorted(WAYS)),
    st.sampled_from(CALLS),
    st.sampled_from(["as they were", "newest first", "in no order", "some twice"]),
    st.randoms(),
)
def test_plain_calls_are_told_as_others_are(
    each: list[Any], form: str, way: str, of: Any, order: str, chance: random.Random
) -> None:
    talks = [Told(f"s{n}", None, BEGIN + timedelta(seconds=n), tuple(turns)) for n, turns in enumerate(each)]
    often = chance.choice([0.0, 0.5, 1.0]) if form != "langsmith" else 0.0

    def prompted(call: Sent) -> Turns:
        return (*[("system", "Be brief.")][: chance.random() < often], *WAYS[way](call))

    records = [WITH_ID[form](call, prompted) for told in talks for call in of(told)]
    if order == "newest first":
        records.reverse()
    elif order == "in no order":
        chance.shuffle(records)
    elif order == "some twice":
        records += records[:2]
    parts = 1 + (chance.random() < 0.3)
    files = [file_of(f"{n}.jsonl", part) for n in range(parts) if (part := records[n::parts])]
    plain, careful = both(files)
    assert plain == careful


@pytest.mark.parametrize("name", [name for name, (form, _) in WRITERS.items() if form not in ("slack", "rasa")])
def test_every_way_of_writing_is_told_the_same(name: str) -> None:
    records = [row for n in range(2) for row in WRITERS[name][1](Told(f"c{n}", "u", BEGIN, TALK))]
    if not isinstance(records[0], dict):
        return
    plain, careful = both([file_of("a.jsonl", records)])
    assert plain == careful


@pytest.mark.parametrize("name", ["langsmith", "otel structured", "braintrust", "phoenix", "langfuse traces"])
def test_histories_of_sessions_need_no_care(name: str) -> None:
    records = [row for n in range(2) for row in WRITERS[name][1](Told(f"c{n}", "u", BEGIN, TALK))]
    (found,) = parted([file_of("a.jsonl", records)], Nothing())
    assert not found.rest.records.num_rows and found.drafts.num_rows >= 2 * len(TALK)


def test_drafts_are_let_go_while_what_they_add_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file they are most of the memory: a word that a conversation repeats makes Arrow copy them."""
    monkeypatch.setattr(columns, "CHUNK", 50)
    monkeypatch.setattr(plain_calls, "AT_ONCE", 100)
    turns = [(role, "yes" if n > 1 else "word " * 500) for n, (role, _) in enumerate(TALK)]
    talks = [Told(f"s{n}", None, BEGIN + timedelta(seconds=n), tuple(turns)) for n in range(300)]
    records = [WITH_ID["langfuse"](call, WAYS["full history"]) for told in talks for call in calls(told)]
    before, most = pa.total_allocated_bytes(), 0
    files = [file_of("a.jsonl", records)]
    size = pa.total_allocated_bytes() - before
    placed = plain_calls._Telling._placed

    def watched(*given: Any) -> Any:
        nonlocal most
        made = placed(*given)
        most = max(most, pa.total_allocated_bytes() - before)
        return made

    monkeypatch.setattr(plain_calls._Telling, "_placed", watched)
    (found,) = identified((files.pop() for _ in range(1)), Nothing()).files
    assert found.drafts.num_rows == len(talks) * len(TALK) and most < 1.5 * size


@pytest.mark.parametrize("flags", [(0, 1, 0), (1, 0, 1), (0, 0, 1), (1, 1, 1)])
def test_a_system_prompt_that_comes_later_is_told(flags: tuple[int, ...]) -> None:
    sent = [
        (call, (*[("system", "Be brief.")][:flag], *WAYS["full history"](call)))
        for call, flag in zip(calls(Told("s", "u", BEGIN, TALK)), flags, strict=True)
    ]
    records = [WITH_ID["langfuse"](call, partial(_given, turns)) for call, turns in sent]
    plain, careful = both([file_of("a.jsonl", records)])
    assert plain == careful


def _given(turns: Turns, _: Sent) -> Turns:
    return turns
