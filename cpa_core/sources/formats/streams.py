"""The answer of a stream whose events were kept one by one, put together as the caller saw it.

Sources: https://platform.openai.com/docs/api-reference/chat-streaming and /responses-streaming,
https://docs.anthropic.com/en/docs/build-with-claude/streaming, https://ai.google.dev/api/generate-content
(streamGenerateContent), https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html and
https://github.com/ollama/ollama/blob/main/docs/api.md. Server-sent events are lines that begin with `data:`.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources.conversations import decoded

ENDINGS = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Events of OpenAI's Responses that bear the whole response."""
EVENTS = frozenset({"message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop"})
EVENTS |= {"ping", "content_block_stop"}
CHUNKS = frozenset(
    {"contentBlockDelta", "contentBlockStart", "messageStart", "messageStop", "outputText", "generation"}
)
MESSAGE = frozenset({"role", "content", "parts", "type", "id"})
"""Keys of a message; no event has these alone, unless its type says that it is one."""


def put_together(answer: Any) -> Any:
    """The answer that the events of a stream make together, None where they hold no words; no stream as it is."""
    events = _events(answer)
    if not events:
        return answer
    ended = next((one["response"] for one in events if one.get("type") in ENDINGS and "response" in one), None)
    if ended is not None:
        return ended
    text = "".join(_said(one) for one in events)
    refused = "".join(_refused(one) for one in events)
    said = {"content": text} if text else {"refusal": refused} if refused else None
    return said and {"role": "assistant", **said}


def began(answer: Any) -> Any:
    """The time that the first event of a stream names; None where there is no stream, or it names none."""
    return next((one["created"] for one in _events(answer) if one.get("created")), None)


def _events(answer: Any) -> list[dict[str, Any]]:
    """The events of a stream: a list of them, or the text of server-sent events or JSON Lines; none for all else."""
    found = list(_written(answer)) if isinstance(answer, str) else answer
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return []
    return found if any(map(_is_event, found)) else []


def _written(text: str) -> Iterator[Any]:
    text = text.lstrip()
    if not text.startswith(("data:", "event:", ": ", "{")):
        return  # most answers are words
    lines = text.splitlines()
    first = lines[0]
    if first.startswith(("data:", "event:", ": ")):
        lines = [line[5:] for line in lines if line.startswith("data:")]
    elif not (first.startswith("{") and len(lines) > 1):
        return
    for line in lines:
        if line.lstrip().startswith("{"):
            try:
                yield decoded(line.strip())
            except ValueError:
                continue  # an event that was cut


def _is_event(tree: dict[str, Any]) -> bool:
    kind = str(tree.get("type") or "")
    if tree.keys() <= MESSAGE:
        return kind in EVENTS or kind.startswith("response.")
    first = _first(tree.get("choices"))
    named = kind in EVENTS or kind.startswith("response.") or bool(tree.keys() & CHUNKS)
    return named or str(tree.get("object")).endswith(".chunk") or "delta" in first or _is_piece(tree)


def _is_piece(tree: dict[str, Any]) -> bool:
    """A piece of Ollama's, or a response of Gemini's, of which a stream has several."""
    return ("done" in tree and ("message" in tree or "response" in tree)) or isinstance(tree.get("candidates"), list)


def _first(items: Any) -> dict[str, Any]:
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}


def _said(event: dict[str, Any]) -> str:
    """The words that one event adds for the reader: no reasoning, no arguments of tools."""
    kind = str(event.get("type") or "")
    if kind.startswith("response."):
        return _text(event.get("delta")) if kind == "response.output_text.delta" else ""
    choice = _first(event.get("choices"))
    if choice.get("index") in (None, 0) and choice:
        delta = choice.get("delta")
        return _text(delta.get("content")) if isinstance(delta, dict) else _text(choice.get("text"))
    if candidate := _first(event.get("candidates")):
        return _of_parts(candidate.get("content"))
    inner = event.get("contentBlockDelta", event)
    delta = inner.get("delta") if isinstance(inner, dict) else None
    if isinstance(delta, dict):
        return _text(delta.get("text"))
    message = event.get("message")
    if isinstance(message, dict) and "done" in event:
        return _text(message.get("content"))
    return next((found for key in ("outputText", "generation", "response") if (found := _text(event.get(key)))), "")


def _of_parts(content: Any) -> str:
    parts = content.get("parts") if isinstance(content, dict) else None
    listed = [one for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
    return "".join(_text(one.get("text")) for one in listed if one.get("thought") is not True)


def _refused(event: dict[str, Any]) -> str:
    if event.get("type") == "response.refusal.delta":
        return _text(event.get("delta"))
    delta = _first(event.get("choices")).get("delta")
    return _text(delta.get("refusal")) if isinstance(delta, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
