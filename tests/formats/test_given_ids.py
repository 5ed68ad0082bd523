"""Conversations that a file names itself: under which keys, and how often it may tell them."""

import json
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import SourceError
from cpa_core.sources import File
from cpa_core.sources.formats import opened
from tests.formats.reading import AT, BOTH, FOUR, HISTORY, lines, message, read_file, said
from tests.support.homes import Home

LATER = "2026-03-02T09:05:00Z"
TIMED = [message(role, text, timestamp=f"2026-03-02T09:0{n}:00Z") for n, (role, text) in enumerate(FOUR)]


@pytest.mark.parametrize(
    "key", ["session_id", "sessionId", "conversationId", "conversation_sid", "chat_id", "threadId"]
)
def test_messages_of_several_conversations_are_never_one(key: str) -> None:
    page = {"messages": [message("user", "hi", timestamp=AT, **{key: one}) for one in "ab"]}
    with pytest.raises(SourceError, match=f"--map conversation_id={key}"):
        read_file(page)
    assert set(said(page, names={"conversation_id": key})) == {"a", "b"}
    alike = {"messages": [{**one, key: "a"} for one in page["messages"]]}
    assert len(said(alike)) == 1


@pytest.mark.parametrize("key", ["id", "conversation_id"])
def test_a_record_with_an_id_is_read_alike_under_either_key(key: str) -> None:
    messages = [message("user", [{"type": "text", "text": "hi"}]), message("assistant", None, refusal="ho")]
    records, rejects = read_file(lines({key: "x", "user": "u", "timestamp": AT, "messages": messages}), "a.jsonl")
    assert not rejects
    assert [(r.conversation_id, r.user_id, r.role, r.content) for r in records] == [
        ("x", "u", role, text) for role, text in BOTH
    ]
    assert {r.sent_at.isoformat() for r in records} == {"2026-03-02T09:00:00+00:00"}


@pytest.mark.parametrize("starts", [(AT, AT), (AT, LATER), (None, None)])
@pytest.mark.parametrize("parts", [(2, 4), (4, 2), (2, 4, 4), (2, 3, 4)])
def test_a_conversation_that_is_written_at_each_turn_was_said_once(
    starts: tuple[str | None, str | None], parts: tuple[int, ...]
) -> None:
    written = [{"id": "x", "timestamp": starts[min(n, 1)], "messages": HISTORY[:size]} for n, size in enumerate(parts)]
    assert said(lines(*written), "a.jsonl") == {"x": FOUR}
    grown = {"id": "x", "timestamp": starts[1], "messages": [*HISTORY, message("user", "more")]}
    assert _ids(written[:1]) <= _ids(written) < _ids([*written, grown])


NAMES = ("session_id", "sessionId", "conversationId", "conversation_sid", "chat_id", "chatId", "thread_id", "threadId")


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("user", ["user_id", "userId", "user"])
def test_the_usual_names_of_a_session_and_user_beside_messages_are_read(key: str, user: str) -> None:
    written = [
        {key: name, user: f"u-{name}", "timestamp": AT, "messages": HISTORY[:size]}
        for name, size in (("a", 2), ("b", 2), ("a", 4))
    ]
    assert said(lines(*written), "a.jsonl") == {"a": FOUR, "b": BOTH}
    assert {(r.conversation_id, r.user_id) for r in read_file(lines(*written), "a.jsonl")[0]} == {
        ("a", "u-a"),
        ("b", "u-b"),
    }


@pytest.mark.parametrize("form", ["anthropic", "gemini", "bedrock", "sharegpt"])
def test_so_they_are_in_every_list_of_messages(form: str) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "anthropic": {"system": "s", "messages": HISTORY[:2]},
        "gemini": {
            "contents": [{"role": who, "parts": [{"text": text}]} for who, text in (("user", "hi"), ("model", "ho"))]
        },
        "bedrock": {"modelId": "m", "messages": [message(role, [{"text": text}]) for role, text in BOTH]},
        "sharegpt": {"conversations": [{"from": who, "value": text} for who, text in (("human", "hi"), ("gpt", "ho"))]},
    }
    record = {"sessionId": "s", "user": {"id": "u", "name": "n"}, "timestamp": AT, **kinds[form]}
    assert said(record) == {"s": BOTH}
    assert {r.user_id for r in read_file(record)[0]} == {"u"}


def test_rows_of_a_session_that_name_their_user_are_one_conversation() -> None:
    messages = [{**one, "user_id": "u"} for one in HISTORY]
    assert said([{"session_id": key, "timestamp": AT, "messages": messages} for key in "ab"]) == {"a": FOUR, "b": FOUR}


@pytest.mark.parametrize(
    ("more", "flag"),
    [
        ({"metadata": {"session_id": "s"}}, "--map conversation_id=metadata.session_id"),
        ({"ticketId": "s"}, "--map conversation_id=ticketId"),
        ({"customer_id": "u"}, "--map user_id=customer_id"),
        ({"metadata": {"userId": 7}}, "--map user_id=metadata.userId"),
    ],
)
def test_what_looks_like_an_id_is_named_with_the_flag(more: dict[str, Any], flag: str) -> None:
    record = {"timestamp": AT, "messages": HISTORY, **more}
    content = json.dumps(record).encode()
    notes = opened(File("a.json", content), None).notes
    assert any(flag in one for one in notes)
    word, path = flag.removeprefix("--map ").split("=")
    mapped = File("a.json", content, names={word: path})
    assert not any(flag in one for one in opened(mapped, None).notes)
    assert {getattr(r, word) for r in read_file(content, names={word: path})[0]} == {
        str(next(iter(more.values())))
    } or "." in path
    plain = json.dumps({"id": "x", "user_id": "u", "timestamp": AT, "messages": HISTORY}).encode()
    assert not opened(File("a.json", plain), None).notes


def test_a_home_that_named_conversations_by_their_words_goes_on_so(tmp_path: Path) -> None:
    home = Home(tmp_path)
    record = {"session_id": "s", "user": "u", "timestamp": AT, "messages": HISTORY[:2]}
    home.write("a.jsonl", lines({**record, "session_id": None}))
    home.land()
    with home.assistant().store.writing() as transaction:
        transaction.execute("delete from migrations where number = 19")
        transaction.execute("delete from settings_fixed where name = 'conversations_by_words'")
    before = home.rows("select distinct conversation_id from landed_messages")
    home.write("a.jsonl", lines({**record, "messages": HISTORY}))
    home.land()
    assert home.rows("select distinct conversation_id from landed_messages") == before
    fresh = Home(tmp_path / "fresh")
    fresh.write("a.jsonl", lines(record))
    fresh.land()
    assert [row["conversation_id"] for row in fresh.rows("select distinct conversation_id from landed_messages")] == [
        "s"
    ]


def test_what_was_said_again_at_another_time_is_kept() -> None:
    again = [{**one, "timestamp": one["timestamp"].replace("T09", "T10")} for one in TIMED]
    assert said(lines({"id": "x", "messages": TIMED[:2]}, {"id": "x", "messages": again}), "a.jsonl") == {
        "x": [*BOTH, *FOUR]
    }
    assert said(lines({"id": "x", "messages": TIMED[:2]}, {"id": "x", "messages": TIMED}), "a.jsonl") == {"x": FOUR}


def _ids(written: list[dict[str, Any]]) -> set[str]:
    return {one.message_id for one in read_file(lines(*written), "a.jsonl")[0]}
