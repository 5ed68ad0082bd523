"""Requests and logs of Anthropic, Gemini and Bedrock: parts in each vendor's shape."""

import gzip
import json
from typing import Any

import pytest

from tests.formats.reading import AT, BOTH, FOUR, HISTORY, lines, message, roles, told

THOUGHT = {"type": "thinking", "thinking": "hmm", "signature": "s"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "42"}]}

TALKS: dict[str, tuple[Any, list[str]]] = {
    "anthropic": (
        {
            "model": "m",
            "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                message("user", "hi"),
                message("assistant", [THOUGHT, {"type": "redacted_thinking", "data": "x"}, USE]),
                message("user", [RESULT]),
                message("assistant", [{"type": "text", "text": "ho", "citations": []}]),
            ],
        },
        ["system", "user", "reasoning", "tool_call", "tool", "assistant"],
    ),
    "gemini": (
        {
            "contents": [
                {"parts": [{"text": "hi"}]},
                {
                    "role": "model",
                    "parts": [{"text": "hmm", "thought": True}, {"functionCall": {"name": "f", "args": {}}}],
                },
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"x": "42"}}}]},
                {"role": "model", "parts": [{"text": "ho", "thoughtSignature": "s"}]},
            ],
            "systemInstruction": {"parts": [{"text": "be kind"}]},
        },
        ["system", "user", "reasoning", "tool_call", "tool", "assistant"],
    ),
    "bedrock": (
        {
            "modelId": "m",
            "messages": [
                message("user", [{"guardContent": {"text": {"text": "hi"}}}, {"cachePoint": {"type": "default"}}]),
                message(
                    "assistant",
                    [
                        {"reasoningContent": {"reasoningText": {"text": "hmm", "signature": "s"}}},
                        {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}},
                    ],
                ),
                message("user", [{"toolResult": {"toolUseId": "t", "content": [{"text": "42"}], "status": "success"}}]),
                message("assistant", [{"text": "ho"}]),
            ],
            "system": [{"text": "be kind"}],
        },
        ["system", "user", "reasoning", "tool_call", "tool", "assistant"],
    ),
}


@pytest.mark.parametrize("vendor", TALKS)
@pytest.mark.parametrize("layout", ["whole", "indented", "list", "reversed", "lines"])
def test_only_what_people_and_the_assistant_said_is_speech(vendor: str, layout: str) -> None:
    tree, expected = TALKS[vendor]
    content, name = {
        "whole": (json.dumps(tree), "a.json"),
        "indented": (json.dumps(tree, indent=3), "a.json"),
        "list": (json.dumps([tree]), "a.json"),
        "reversed": (json.dumps(dict(reversed(tree.items()))), "a.json"),
        "lines": (lines(tree), "a.jsonl"),
    }[layout]
    assert told(content, name) == [BOTH]
    assert roles(content, name) == expected


def invocation(n: int, **more: Any) -> dict[str, Any]:
    parts = [message(one["role"], [{"text": one["content"]}]) for one in HISTORY]
    return {
        "schemaType": "ModelInvocationLog",
        "timestamp": f"2026-03-02T09:0{n}:00Z",
        "requestId": f"q{n}",
        "operation": "Converse",
        "modelId": "m",
        "input": {"inputBodyJson": {"messages": parts[: 2 * n + 1]}},
        "output": {"outputBodyJson": {"output": {"message": parts[2 * n + 1]}, "stopReason": "end_turn"}},
    } | more


def invoked(n: int) -> dict[str, Any]:
    """The same by InvokeModel of Claude, streamed."""
    events = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in HISTORY[2 * n + 1]["content"]
    ]
    asked = {"messages": HISTORY[: 2 * n + 1], "system": "be kind"}
    return invocation(n, input={"inputBodyJson": asked}, output={"outputBodyJson": events})


@pytest.mark.parametrize("call", [invocation, invoked])
def test_calls_in_bedrocks_log_are_chained_by_their_history(call: Any) -> None:
    log = gzip.compress(lines(call(0), call(1)).encode())
    assert told(log, "a.json.gz") == [FOUR]


def test_a_body_that_stands_elsewhere_is_a_reject() -> None:
    assert told(lines(invocation(0), invocation(1, input={"inputBodyS3Path": "s3://b/k"})), "a.jsonl", lost=1) == [BOTH]


def test_vertex_logs_a_request_beside_its_response() -> None:
    row = {
        "logging_time": AT,
        "request_id": "1",
        "full_request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        "full_response": {"candidates": [{"content": {"role": "model", "parts": [{"text": "ho"}]}}]},
    }
    assert told(lines(row, row), "a.jsonl") == told(lines(row), "a.jsonl") == [BOTH]
