"""What people say to coding agents in other places than a message of their own, and what only looks like speech."""

from typing import Any

import pytest

from tests.formats.reading import AT, lines, read_file

LINE = {"sessionId": "s", "timestamp": AT, "isSidechain": False}
TYPED = {**LINE, "type": "user", "uuid": "1", "message": {"role": "user", "content": "hi"}}


@pytest.mark.parametrize(
    ("attached", "spoken"),
    [
        ({"type": "queued_command", "prompt": "stop", "commandMode": "prompt"}, ["hi", "stop"]),
        ({"type": "queued_command", "prompt": [{"type": "text", "text": "stop"}]}, ["hi", "stop"]),
        ({"type": "queued_command", "prompt": "(a task)", "commandMode": "task-notification"}, ["hi"]),
        ({"type": "file", "content": "(a file)"}, ["hi"]),
    ],
    ids=str,
)
def test_what_is_typed_while_claude_code_works_is_speech(attached: dict[str, Any], spoken: list[str]) -> None:
    line = {**LINE, "type": "attachment", "uuid": "2", "attachment": attached}
    records, rejects = read_file(lines(TYPED, line), "a.jsonl")
    assert [one.content for one in records if one.role == "user"] == spoken
    assert not [one for one in rejects if one.loss]


def test_a_summary_in_a_session_of_opencode_is_no_speech_and_its_list_of_messages_is_a_session() -> None:
    def message(own: str, role: str, text: str, **about: Any) -> dict[str, Any]:
        info = {"id": own, "sessionID": "s", "role": role, "time": {"created": 1772442000000 + int(own)}, **about}
        return {"info": info, "parts": [{"type": "text", "text": text}]}

    listed = [
        message("1", "user", "hi", summary={"title": "(a title)"}),
        message("2", "assistant", "(a summary)", summary=True, mode="compaction"),
        message("3", "assistant", "ho"),
    ]
    for file in (listed, {"info": {"id": "s", "time": {"created": 1772442000000}}, "messages": listed}):
        records, _ = read_file(file)
        assert [(one.conversation_id, one.role) for one in records] == [
            ("s", "user"),
            ("s", "system"),
            ("s", "assistant"),
        ]


def test_messages_of_several_sessions_of_opencode_are_several_conversations() -> None:
    listed = [
        {"info": {"id": key, "sessionID": key, "role": "user"}, "parts": [{"type": "text", "text": "hi"}]}
        for key in "ab"
    ]
    records, _ = read_file(listed)
    assert [one.conversation_id for one in records] == ["a", "b"]


def test_the_words_of_cline_are_speech_also_where_tools_are_the_models_own() -> None:
    def message(n: int, role: str, *parts: dict[str, Any], **about: Any) -> dict[str, Any]:
        return {"role": role, "ts": 1772442000000 + n, "content": list(parts), **about}

    def text(words: str) -> dict[str, Any]:
        return {"type": "text", "text": words}

    editor = text("<environment_details>\n(x)\n</environment_details>")
    end = {"type": "tool_use", "id": "t", "name": "attempt_completion", "input": {"result": "Done."}}
    answer = {"type": "tool_result", "tool_use_id": "t", "content": "<user_message>\nmake it red\n</user_message>"}
    records, _ = read_file(
        [
            message(1, "user", text("<task>\nhi\n</task>"), editor),
            message(2, "assistant", end),
            message(3, "user", answer),
            message(4, "assistant", text("(a summary)"), isSummary=True),
        ],
    )
    spoken = [(one.role, one.content) for one in records if one.role in ("user", "assistant")]
    assert spoken == [("user", "hi"), ("assistant", "Done."), ("user", "make it red")]
