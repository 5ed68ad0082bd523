"""OpenAI: chats, Responses, threads, logs of proxies, and answers without prompts."""

import csv
import io
import json
from typing import Any

import pytest

from cpa_core.errors import SourceError
from tests.formats.reading import AT, BOTH, FOUR, HISTORY, lines, message, read_file, roles, said, told

TIMES = [1772442000, 1772442060]
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": TIMES[0],
    "choices": [{"index": 0, "message": HISTORY[1]}],
}


def completion(n: int) -> dict[str, Any]:
    return {"id": f"c{n}", "object": "chat.completion", "choices": [{"index": 0, "message": HISTORY[2 * n + 1]}]}


def response(n: int, before: str | None, asked: Any, **more: Any) -> dict[str, Any]:
    text = [{"type": "output_text", "text": HISTORY[2 * n + 1]["content"]}]
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": text}]
    about = {"id": f"r{n}", "object": "response", "created_at": TIMES[n], "previous_response_id": before}
    return {**about, "input": asked, "output": output, **more}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"content": None, "refusal": "no"}, "no"),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, "no"),
        ({"content": "", "refusal": "no"}, "no"),
    ],
)
def test_a_refusal_is_what_the_assistant_said_and_is_marked(answer: Any, text: str) -> None:
    records, _ = read_file({"id": "c", "messages": [HISTORY[0], {"role": "assistant", **answer}]})
    assert [(one.role, one.content) for one in records] == [("user", "hi"), ("assistant", text)]
    assert json.loads(records[1].metadata or "{}") == {"refusal": True} and records[0].metadata is None


@pytest.mark.parametrize(
    "answer",
    [
        {"content": None, "audio": {"id": "a", "transcript": "ho", "data": "AAAA"}},
        {"content": [{"type": "output_audio", "transcript": "ho", "audio": None}]},
        {"content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "transcript": "ho"}}]},
        {"content": "ho", "refusal": None, "audio": None, "tool_calls": None, "function_call": None},
        {"content": [{"text": "ho"}]},
        {"content": [{"type": "text", "text": {"value": "ho", "annotations": []}}]},
    ],
)
def test_words_are_speech_however_a_part_holds_them(answer: Any) -> None:
    assert told({"messages": [HISTORY[0], {"role": "assistant", **answer}]}) == [BOTH]


def test_responses_are_chained_by_the_one_before() -> None:
    items = [{"role": "user", "content": [{"type": "input_text", "text": "and?"}]}]
    log = [response(1, "r0", items), response(0, None, "hi", user="u")]
    assert said(lines(*log), "a.jsonl") == {"r0": FOUR}
    whole = [*HISTORY[:2], *items]
    assert said([response(0, None, "hi"), response(1, "r0", whole)]) == {"r0": FOUR}
    assert said([response(1, None, whole, conversation={"id": "conv"})]) == {"conv": FOUR}
    assert said([response(1, "elsewhere", items)]) == {"elsewhere": FOUR[2:]}


def test_items_of_tools_in_a_response_are_no_speech() -> None:
    call = {"type": "function_call", "call_id": "x", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "x", "output": "42"}
    assert roles([response(0, None, [HISTORY[0], call, result])]) == ["user", "tool_call", "tool", "assistant"]


def test_a_thread_is_told_in_the_order_of_time() -> None:
    def item(n: int, role: str, text: str) -> dict[str, Any]:
        content = [{"type": "text", "text": {"value": text, "annotations": []}}]
        named = {"id": f"m{n}", "object": "thread.message", "thread_id": "t", "created_at": TIMES[0] + n // 2}
        return {**named, "role": role, "content": content}

    items = [item(n, role, text) for n, (role, text) in enumerate(FOUR)]
    assert said({"object": "list", "data": items[::-1], "has_more": False}) == {"t": FOUR}
    assert said(lines(*items), "a.jsonl") == {"t": FOUR}


PAIRS: dict[str, Any] = {
    "proxy": lambda n: {"request": {"messages": HISTORY[: 2 * n + 1]}, "response": completion(n), "session_id": "s"},
    "bodies": lambda n: {
        "request": {"body": {"messages": HISTORY[: 2 * n + 1]}},
        "response": {"status_code": 200, "body": completion(n)},
        "metadata": {"session_id": "s"},
    },
    "bodies as text": lambda n: {
        "request_body": json.dumps({"messages": HISTORY[: 2 * n + 1]}),
        "response_body": json.dumps(completion(n)),
        "conversation_id": "s",
    },
    "litellm": lambda n: {
        "id": f"c{n}",
        "call_type": "acompletion",
        "trace_id": "s",
        "messages": HISTORY[: 2 * n + 1],
        "response": completion(n),
    },
}
"""One line a proxy."""


@pytest.mark.parametrize("proxy", PAIRS)
def test_a_proxys_calls_are_one_conversation(proxy: str) -> None:
    calls = [{"timestamp": at} | PAIRS[proxy](n) for n, at in enumerate(TIMES)]
    if proxy == "bodies as text":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(calls[0]))
        writer.writeheader()
        writer.writerows(calls)
        assert said(text.getvalue(), "a.csv") == {"s": FOUR}
    else:
        assert said(lines(*calls), "a.jsonl") == said(calls) == {"s": FOUR}


@pytest.mark.parametrize(
    "content",
    [
        {"object": "list", "data": [COMPLETION], "has_more": False},
        {"id": "b", "custom_id": "x", "response": {"status_code": 200, "body": COMPLETION}, "error": None},
        {"custom_id": "x", "result": {"type": "succeeded", "message": message("assistant", "ho")}},
    ],
)
def test_answers_without_prompts_are_refused_and_say_so(content: Any) -> None:
    for name, text in (("a.json", json.dumps(content)), ("a.jsonl", json.dumps(content) + "\n" + json.dumps(content))):
        with pytest.raises(SourceError, match="only answers stand here, and not what was asked"):
            read_file(text, name)


def test_a_call_of_the_gateways_log_stands_in_several_rows() -> None:
    rows = [
        {"SequenceNumber": "1", "RequestMessages": "", "ResponseMessages": json.dumps([HISTORY[1]])},
        {"SequenceNumber": "0", "RequestMessages": json.dumps([HISTORY[0]]), "ResponseMessages": ""},
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["TimeGenerated", "CorrelationId", *rows[0]])
    writer.writeheader()
    writer.writerows({"TimeGenerated": AT, "CorrelationId": "x", **row} for row in rows)
    assert told(text.getvalue(), "a.csv") == [BOTH]
