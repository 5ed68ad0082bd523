"""Conversations that a file names itself: under which keys, and how often it may tell them."""

from typing import Any

import pytest

from cpa_core.errors import SourceError
from tests.formats.reading import AT, BOTH, FOUR, HISTORY, lines, message, read_file, said

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


def test_what_was_said_again_at_another_time_is_kept() -> None:
    again = [{**one, "timestamp": one["timestamp"].replace("T09", "T10")} for one in TIMED]
    assert said(lines({"id": "x", "messages": TIMED[:2]}, {"id": "x", "messages": again}), "a.jsonl") == {
        "x": [*BOTH, *FOUR]
    }
    assert said(lines({"id": "x", "messages": TIMED[:2]}, {"id": "x", "messages": TIMED}), "a.jsonl") == {"x": FOUR}


def _ids(written: list[dict[str, Any]]) -> set[str]:
    return {one.message_id for one in read_file(lines(*written), "a.jsonl")[0]}
