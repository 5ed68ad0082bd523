"""Logs of known users in whatever order, split, doubled and grown: each message once, under an id that stays."""

import gzip
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.sources import File, opened
from tests.identity.test_following import whole
from tests.identity.test_sessionless import at, call
from tests.support.examples import examples
from tests.support.homes import Home
from tests.support.remembered import Remembered
from tests.support.writings import WITH_ID, Sent, Told, calls, chat, full, lines, newest, proxy

pytestmark = pytest.mark.slow

some = examples(8)
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
WORDS = st.sampled_from(["yes", "yes", "ok", "Hi", "My order from last week has still not arrived."])
SAID = st.lists(st.lists(WORDS, min_size=2, max_size=8), min_size=1, max_size=3)
Writer = Callable[[int, Sent], dict[str, Any]]


def talks(said: Sequence[Sequence[str]]) -> list[Told]:
    """Conversations at the same time, each of a user of its own; many open alike, and some are identical."""
    roles = ("user", "assistant")
    return [
        Told(
            f"s{n}",
            f"u{n}",
            BEGIN + timedelta(seconds=n),
            tuple((roles[m % 2], text) for m, text in enumerate(words[: len(words) // 2 * 2])),
        )
        for n, words in enumerate(said)
    ]


def texts(call: Sent) -> tuple[str, ...]:
    return tuple(text for _, text in (*full(call), *call.output))


def trace_of(n: int, sent: Sent) -> dict[str, Any]:
    """A trace without a session."""
    return at(sent.began.strftime("%H:%M:%S"), call(n, texts(sent), sent.told.user))


def response_of(n: int, sent: Sent) -> dict[str, Any]:
    """A response with its whole input."""
    return whole(n, texts(sent), user=sent.told.user, created_at=int(sent.began.timestamp()))


FORMS: dict[str, Writer] = {
    "traces without a session": trace_of,
    "responses with whole inputs": response_of,
    "a session's newest messages": lambda n, sent: WITH_ID["langfuse"](sent, newest),
}


def land(home: Remembered, name: str, records: Sequence[Any]) -> None:
    home.land(name, opened(File(f"{name}.jsonl", lines(records).encode()), None))


def found(home: Remembered) -> list[list[str]]:
    return sorted([text for _, text in said] for said in home.said().values())


def ids(home: Remembered) -> set[tuple[str, str]]:
    return {(key, row.message_id) for key, rows in home.counted().items() for _, row in rows}


@some
@given(SAID, st.sampled_from(sorted(FORMS)), st.integers(1, 4), st.randoms(use_true_random=False))
def test_calls_land_in_any_order_and_again(said: list[list[str]], form: str, parts: int, chance: random.Random) -> None:
    each = talks(said)
    sent = [call for told in each for call in calls(told)]
    records = [FORMS[form](n, one) for n, one in enumerate(sent, 1)]
    right = sorted([text for _, text in told.turns] for told in each)
    shuffled = chance.sample(records, len(records))
    home = Remembered()
    for n in range(parts):
        if part := shuffled[n::parts]:
            land(home, f"{n}", [*part, chance.choice(shuffled[: n + 1])])
    assert found(home) == right and home.untold == 0
    before = ids(home)
    land(home, "again", chance.sample(records, len(records)))
    assert found(home) == right and ids(home) == before


@some
@given(SAID, st.sampled_from(["traces without a session", "responses with whole inputs"]), st.randoms())
def test_growth_in_order_of_time_changes_no_id(said: list[list[str]], form: str, chance: random.Random) -> None:
    each = talks(said)
    sent = sorted((call for told in each for call in calls(told)), key=lambda call: call.began)
    records = [FORMS[form](n, one) for n, one in enumerate(sent, 1)]
    home, before = Remembered(), set[tuple[str, str]]()
    for end in sorted(chance.sample(range(1, len(records) + 1), min(3, len(records)))):
        land(home, "log", records[:end])
        assert before <= ids(home)
        before = ids(home)
    together = Remembered()
    land(together, "log", records)
    land(home, "log", records)
    assert found(home) == found(together) == sorted([text for _, text in told.turns] for told in each)


@some
@given(SAID, st.sampled_from([chat, None]), st.integers(1, 3), st.randoms())
def test_conversations_and_logs_without_ids_in_any_order_split_and_doubled(
    said: list[list[str]], form: Callable[[Told], Any] | None, parts: int, chance: random.Random
) -> None:
    each = talks(said)
    records = [form(told) for told in each] if form else [proxy(call, full) for told in each for call in calls(told)]
    right = sorted([text for _, text in told.turns] for told in each)
    home = Remembered()
    for n in range(parts if form else 1):
        land(home, f"{n}", records[n::parts] if form else chance.sample(records, len(records)))
    land(home, "again", chance.sample(records, len(records)))
    before = ids(home)
    assert found(home) == right
    land(home, "other", json.loads(json.dumps(records)))
    assert found(home) == right and ids(home) == before


@some
@given(st.lists(WORDS, min_size=4, max_size=8), st.sampled_from(sorted(WITH_ID)), st.data())
def test_a_failed_call_of_newest_messages_that_lands_after_its_retry_is_noted_and_tells_nothing(
    words: list[str], form: str, data: st.DataObject
) -> None:
    (told,) = talks([words])
    answered = list(calls(told))
    again = data.draw(st.integers(1, len(answered) - 1))
    one = answered[again]
    begins = one.began - timedelta(minutes=90, seconds=20)
    failed = Sent(Told(told.key, told.user, begins, told.turns), 90, (), one.newest, ())
    home = Remembered()
    land(home, "log", [WITH_ID[form](call, newest) for call in answered])
    land(home, "late", [WITH_ID[form](failed, newest)])
    assert found(home) == [[text for _, text in told.turns]]
    assert ["sends again" in reason for reason in home.rejects["late"]] == [True]


@pytest.mark.parametrize("form", [*sorted(FORMS), "conversations"])
def test_the_same_file_under_another_name_compressed_and_in_an_archive_adds_nothing(tmp_path: Path, form: str) -> None:
    each = talks([["Hi", "ok", "yes", "ok", "yes", "ok"], ["Hi", "ok", "yes", "no"]])
    sent = [call for told in each for call in calls(told)]
    records = [FORMS[form](n, one) for n, one in enumerate(sent, 1)] if form in FORMS else [chat(one) for one in each]
    text = lines(records)
    archive = BytesIO()
    with ZipFile(archive, "w") as packed:
        packed.writestr("inside/log.jsonl", text)
    home = Home(tmp_path)
    home.write("log.jsonl", text)
    assert home.land().records == 10
    home.write("a copy.jsonl", text)
    home.write("log.jsonl.gz", gzip.compress(text.encode()))
    home.write("log.zip", archive.getvalue())
    again = home.land()
    assert (again.days, again.problems, again.untold) == ((), (), 0)
    rows = home.rows("select content from landed_messages where superseded_at is null")
    assert sorted(row["content"] for row in rows) == sorted(text for told in each for _, text in told.turns)
