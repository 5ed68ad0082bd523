"""Assembling a response that a server streamed without being asked to."""

import json
from typing import Any

TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
"""The text fields of a delta; the second and third hold a model's reasoning."""


def streamed(content: bytes) -> Any:
    """Return the chat completion of server-sent events in its unstreamed form. Raises ValueError for other content.

    Usage and finish reason are the last ones sent. An event that is not JSON makes the whole unreadable: a partial
    answer is not used. Source: platform.openai.com/docs/api-reference/chat/streaming; a server that streams unasked,
    open-webui/computer#193.
    """
    events = [json.loads(line) for line in _lines(content) if line != "[DONE]"]
    chunks = [event for event in events if isinstance(event, dict)]
    if not chunks:
        raise ValueError("no events")
    if failed := next((chunk for chunk in chunks if chunk.get("error")), None):
        return failed
    return _completion(chunks)


def _lines(content: bytes) -> list[str]:
    lines = content.decode("utf-8", "replace").splitlines()
    return [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]


def _completion(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    finish = None
    choices = [choice for chunk in chunks for choice in chunk.get("choices") or () if isinstance(choice, dict)]
    for choice in choices:
        if choice.get("index", 0) == 0:
            _add(message, choice.get("delta") or choice.get("message") or {})
            finish = choice.get("finish_reason") or finish
    for chunk in chunks:
        whole |= {name: value for name, value in chunk.items() if name != "choices" and value is not None}
    made = {"index": 0, "message": message, "finish_reason": finish}
    return whole | {"object": "chat.completion", "choices": [made] if choices else []}


def _add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in TEXTS:
        piece = delta.get(name)
        if isinstance(piece, str):
            message[name] = (message.get(name) or "") + piece
        elif isinstance(piece, list):
            message[name] = [*(message.get(name) or []), *piece]
    for call in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", [])
        place = call.get("index", 0)
        while len(calls) <= place:
            calls.append({"function": {"name": "", "arguments": ""}})
        for name in ("name", "arguments"):
            calls[place]["function"][name] += (call.get("function") or {}).get(name) or ""
