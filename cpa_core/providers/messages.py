"""The answer in a chat message: in its content, in a tool call, or, where a server confuses them, in its reasoning."""

import json
from typing import Any

from cpa_core.providers.wire import mapping

REASONING = ("reasoning_content", "reasoning", "thinking")
"""The fields of a model's reasoning: at DeepSeek and vLLM, at OpenRouter and Ollama, at others."""

THOUGHTS = ("thinking", "reasoning", "redacted_thinking")
"""Kinds of chunks of a content that hold reasoning: Mistral's, OpenRouter's, Claude's through gateways."""


def answer_text(message: dict[str, Any]) -> str:
    """The text that holds the answer; empty where there is none.

    Content with JSON in it comes first. Else a tool call (LiteLLM's form of a JSON schema is one), the parsed object
    that some servers add, then other content. Reasoning counts only if it is all JSON and the content is empty: some
    parsers treat the whole answer as reasoning (vllm-project/vllm#16182).
    """
    content = content_text(message.get("content"))
    if "{" in content or "[" in content:
        return content
    called = "\n".join(filter(None, map(_arguments, _calls(message))))
    parsed = message.get("parsed")
    if called or parsed:
        return called or _written(parsed)
    return content if content.strip() else next((text for text in _reasoned(message) if _is_json(text)), "")


def has_reasoned(message: dict[str, Any]) -> bool:
    """Whether the server sends the model's reasoning along, be it as a field or as a chunk of the content."""
    chunks = message.get("content")
    kinds = [mapping(chunk).get("type") for chunk in chunks] if isinstance(chunks, list) else []
    return any(text.strip() for text in _reasoned(message)) or any(kind in THOUGHTS for kind in kinds)


def content_text(content: Any) -> str:
    """The text of a message's content: itself, or its chunks of text (mistralai/client-python#621)."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return content_text(content["text"]) if "text" in content else _written(content)
    if not isinstance(content, list):
        return ""
    return "".join(_chunk(chunk) for chunk in content)


def _chunk(chunk: Any) -> str:
    if isinstance(chunk, str):
        return chunk
    kind, text = mapping(chunk).get("type", "text"), mapping(chunk).get("text")
    if kind in THOUGHTS:
        return ""
    return text if isinstance(text, str) else str(mapping(text).get("value") or "")


def _calls(message: dict[str, Any]) -> list[Any]:
    calls = message.get("tool_calls")
    return calls if isinstance(calls, list) else [{"function": message.get("function_call")}]


def _arguments(call: Any) -> str:
    """Its arguments, which are a string at OpenAI and an object at Ollama."""
    return _written(mapping(mapping(call).get("function")).get("arguments"))


def _written(found: Any) -> str:
    if found is None or isinstance(found, str):
        return found or ""
    return json.dumps(found, ensure_ascii=False)


def _reasoned(message: dict[str, Any]) -> list[str]:
    return [text for name in REASONING if isinstance(text := message.get(name), str)]


def _is_json(text: str) -> bool:
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    return bare[:1] in ("{", "[") and bare[-1:] in ("}", "]")
