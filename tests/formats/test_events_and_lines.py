"""Records in the wrapper of an event, and lines of messages that name no conversation.

The reasons stand in docs/decisions, 0132 and 0133.
"""

import json
from typing import Any

import pytest

from cpa_core.errors import DayNeeded, SourceError
from cpa_core.sources import File, read
from cpa_core.sources.formats import form_of, opened
from tests.formats.reading import AT, BOTH, FOUR, HISTORY, MIDNIGHT, lines, message, read_file, said, told

TALK = {"id": "c1", "messages": [message(role, text) for role, text in BOTH]}
ROW = {"conversation_id": "c1", **message("user", "hi")}
HOURS = ("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z")

WRAPPERS = ("data", "payload", "message", "conversation", "result")
TIMES = {"timestamp": str, "created_at": str, "time": str, "occurredAt": str, "created": lambda at: 1772442000}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("key", TIMES)
def test_the_record_in_an_event_has_its_time_conversation_and_user(wrapper: str, key: str) -> None:
    def event(record: Any) -> Any:
        about = {"type": "chat", key: TIMES[key](AT), "user_id": "u1", "session_id": "s1"}
        return {**about, wrapper: record}

    alone = {key: value for key, value in TALK.items() if key != "id"}
    for content, name in ((lines(event(alone)), "a.jsonl"), ([event(alone)], "a.json")):
        records, rejects = read_file(content, name)
        assert not rejects and {f"{one.sent_at:%Y-%m-%dT%H:%M}" for one in records} == {AT[:16]}
        assert {(one.conversation_id, one.user_id) for one in records} == {("s1", "u1")}
    (record,) = read_file(lines(event(ROW)), "a.jsonl")[0]
    assert f"{record.sent_at:%Y-%m-%dT%H:%M:%SZ}" == AT and record.conversation_id == "c1"


def test_a_record_in_an_event_keeps_what_it_names_itself() -> None:
    own = {**ROW, "timestamp": HOURS[1]}
    (record,) = read_file(lines({"timestamp": HOURS[0], "conversation_id": "c2", "data": own}), "a.jsonl")[0]
    assert (record.sent_at.hour, record.conversation_id) == (10, "c1")


PAGES: dict[str, Any] = {
    "an answer with one conversation": {"timestamp": AT, "data": TALK},
    "a page of rows": {"timestamp": AT, "data": [ROW]},
    "a page of conversations": {"created_at": AT, "data": {"conversations": [TALK]}},
}


@pytest.mark.parametrize("page", PAGES)
def test_the_time_of_a_page_is_that_of_no_record(page: str) -> None:
    with pytest.raises(DayNeeded):
        read(File("a.json", json.dumps(PAGES[page]).encode()), None)


@pytest.mark.parametrize("word", ["soon", "", None, 7, True, {"x": 1}])
def test_what_is_no_time_beside_a_record_is_left(word: Any) -> None:
    assert said(lines({"time": word, "data": TALK}), "a.jsonl") == {"c1": BOTH}


def test_a_record_under_a_wrapper_is_no_row_of_a_table_by_ids() -> None:
    events = [{"at": at, "payload": {"message": {**ROW, "content": at}}} for at in HOURS]
    assert said(lines(*events), "a.jsonl") == {"c1": [("user", at) for at in HOURS]}


def test_lines_of_messages_are_the_conversation_of_their_file() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": "(nobody)"}}
    noise = [message("system", "(nobody)"), message("assistant", None, tool_calls=[call])]
    noise += [message("tool", "(nobody)", tool_call_id="x")]
    for times in ({}, {"timestamp": AT}):
        written = lines(*({**one, **times} for one in [noise[0], *HISTORY[:1], *noise[1:], *HISTORY[1:]]))
        assert told(written, "chat.jsonl") == [FOUR]
        assert form_of(File("chat.jsonl", written.encode())) == "message_lines"
    found = opened(File("chat.jsonl", written.encode()), MIDNIGHT)
    assert len(found.notes) == 1 and "--map conversation_id=" in found.notes[0]


SEVERAL: dict[str, tuple[str, str]] = {
    "a prompt that is repeated": (lines(message("system", "x"), HISTORY[0], message("system", "x")), "system prompt"),
    "another field": (lines(*({**one, "room": "x"} for one in HISTORY)), "--map conversation_id=room"),
    "different conversations in their metadata": (
        lines(*({**one, "metadata": {"session_id": n // 2}} for n, one in enumerate(HISTORY))),
        "--map conversation_id=metadata.session_id",
    ),
    "under a key of their own": (lines({"history": HISTORY}, {"history": HISTORY}), "--map messages=history"),
    "one that is no message": (lines(*HISTORY, {"total": 4}), "not recognised"),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_lines_that_may_be_of_several_conversations_are_refused(kind: str) -> None:
    content, reason = SEVERAL[kind]
    with pytest.raises(SourceError, match=reason):
        told(content, "chat.jsonl")


def test_a_field_that_is_named_tells_lines_of_messages_apart() -> None:
    rooms = lines(*({**one, "room": room} for room in ("x", "y") for one in HISTORY))
    assert said(rooms, "chat.jsonl", names={"conversation_id": "room"}) == {"x": FOUR, "y": FOUR}
