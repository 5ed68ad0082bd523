"""What frameworks of agents write: the pages stand in the docstring of `cpa_core.sources.formats.frameworks`."""

from typing import Any

import pytest

from cpa_core.errors import SourceError
from tests.formats.reading import AT, read_file

ASKED = {"source": "user", "type": "TextMessage", "content": "hi", "created_at": AT}


@pytest.mark.parametrize(
    ("message", "roles"),
    [
        (ASKED, ["user"]),
        ({**ASKED, "source": "user_proxy"}, ["user"]),
        ({**ASKED, "source": "helper"}, ["assistant"]),
        ({**ASKED, "type": "MultiModalMessage", "content": ["hi", {"data": "x"}]}, ["user", "attachment"]),
        ({**ASKED, "source": "helper", "type": "ThoughtEvent"}, ["reasoning"]),
        ({**ASKED, "source": "helper", "type": "MemoryQueryEvent"}, ["tool"]),
    ],
    ids=lambda one: "/".join(one) if isinstance(one, list) else one["type"],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_message_of_autogen_is_of_who_it_comes_from_and_an_event_is_no_speech(
    message: dict[str, Any], roles: list[str], wrapped: bool
) -> None:
    listed = [{**ASKED, "content": "before"}, message]
    records, rejects = read_file({"messages": listed, "stop_reason": None} if wrapped else listed)
    assert ([one.role for one in records], rejects) == (["user", *roles], [])


def test_each_key_of_a_chat_store_is_a_conversation() -> None:
    kept = {key: [{"role": "user", "blocks": [{"block_type": "text", "text": key}]}] for key in "ab"}
    records, _ = read_file({"store": kept, "class_name": "SimpleChatStore"})
    assert [(one.conversation_id, one.content) for one in records] == [("a", "a"), ("b", "b")]


@pytest.mark.parametrize(
    ("message", "role"),
    [
        ({"type": "StructuredMessage[Answer]", "content": {"response": "hi"}}, "assistant"),
        ({"type": "ToolCallSummaryMessage"}, "tool"),
        ({"type": "HandoffMessage"}, "system"),
    ],
    ids=lambda one: one if isinstance(one, str) else one["type"],
)
def test_a_structured_answer_is_speech_and_what_a_tool_or_a_handoff_says_is_not(
    message: dict[str, Any], role: str
) -> None:
    records, _ = read_file([ASKED, {**ASKED, "source": "helper", **message}])
    assert [one.role for one in records] == ["user", role]


def test_the_states_of_a_team_and_of_an_agent_are_conversations() -> None:
    answer = {**ASKED, "source": "helper", "content": "ho"}
    manager = {"type": "RoundRobinManagerState", "message_thread": [ASKED, answer]}
    agent = {"type": "ChatAgentContainerState", "agent_state": {"llm_context": {"messages": []}}}
    team = {"type": "TeamState", "agent_states": {"helper": agent, "RoundRobinGroupChatManager": manager}}
    context = [
        {"source": "user", "type": "UserMessage", "content": "hi"},
        {"source": "helper", "type": "AssistantMessage", "content": [{"id": "c", "name": "f", "arguments": "{}"}]},
        {"type": "FunctionExecutionResultMessage", "content": [{"call_id": "c", "content": "x"}]},
        {"source": "helper", "type": "AssistantMessage", "content": "ho"},
    ]
    alone = {"type": "AssistantAgentState", "llm_context": {"messages": context}}
    for state in (team, alone):
        records, rejects = read_file(state)
        spoken = [(one.role, one.content) for one in records if one.role in ("user", "assistant")]
        assert (spoken, rejects) == ([("user", "hi"), ("assistant", "ho")], [])


def test_a_history_of_semantic_kernel_has_keys_of_either_case() -> None:
    text = {"$type": "TextContent", "text": "hi"}
    records, _ = read_file([{"role": {"label": "user"}, "items": [text]}])
    assert [(one.role, one.content) for one in records] == [("user", "hi")]


def test_a_store_inside_a_memory_is_read_and_what_is_no_list_in_it_is_a_reject() -> None:
    kept = {"a": [{"role": "user", "content": "hi"}], "b": "oops"}
    memory = {"chat_store": {"store": kept, "class_name": "SimpleChatStore"}, "chat_store_key": "a"}
    records, rejects = read_file(memory)
    assert [one.conversation_id for one in records] == ["a"]
    assert [one.place.split(".")[-1] for one in rejects if one.loss] == ["b"]


@pytest.mark.parametrize("repeated", [{}, {"content": "Sunny"}], ids=["version 5", "version 4"])
def test_a_list_of_the_ai_sdk_is_a_chat_and_text_beside_its_parts_hides_no_tool(repeated: dict[str, str]) -> None:
    tool = {"type": "tool-invocation", "toolInvocation": {"toolName": "w", "args": {"a": 1}, "result": "(sun)"}}
    listed = [
        {"id": "a", "role": "user", "parts": [{"type": "text", "text": "Weather?"}]},
        {"id": "b", "role": "assistant", "parts": [tool, {"type": "text", "text": "Sunny"}], **repeated},
    ]
    for file in (listed, {"id": "c", "messages": listed}):
        records, _ = read_file(file)
        assert sorted(one.role for one in records) == ["assistant", "tool", "tool_call", "user"]


BARE_LISTS = {
    "autogen": lambda words: {**ASKED, "content": words},
    "semantic_kernel": lambda words: {"role": "user", "items": [{"content_type": "text", "text": words}]},
    "ai_sdk_list": lambda words: {"id": words, "role": "user", "parts": [{"type": "text", "text": words}]},
}


@pytest.mark.parametrize("form", BARE_LISTS)
@pytest.mark.parametrize("key", ["conversation_id", "session_id", "thread_id"])
def test_a_list_whose_messages_name_different_conversations_is_never_one(form: str, key: str) -> None:
    listed = [{**BARE_LISTS[form](words), key: words} for words in ("hi", "ho")]
    try:
        records, rejects = read_file(listed)
    except SourceError as error:
        assert key in str(error)
    else:
        told = {one.conversation_id for one in records}
        assert len(told) == len(records) == 2 or (not records and any(key in one.reason for one in rejects))
