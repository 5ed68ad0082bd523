"""The parts of a message in every vendor's shape: who says each, and what. Speech is text; the rest has other roles.

Sources: OpenAI (platform.openai.com/docs/api-reference/chat, /responses, /messages), Anthropic
(docs.anthropic.com/en/api/messages), Gemini (ai.google.dev/api/caching#Part), Bedrock
(docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html), the GenAI conventions of
OpenTelemetry (opentelemetry.io/docs/specs/semconv/gen-ai), the AI SDK
(ai-sdk.dev/docs/reference/ai-sdk-core/ui-message), LangChain (docs.langchain.com/oss/python/langchain/messages),
LlamaIndex (`block_type`: docs.llamaindex.ai/en/stable/api_reference/prompts) and Haystack (docs.haystack.deepset.ai).
"""

from functools import lru_cache
from typing import Any, NamedTuple

from cpa_core.sources import fields
from cpa_core.sources.records import as_json, whole

TEXTS = frozenset({"text", "input_text", "output_text"})
REASONS = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content", "reasoning-delta", "thought"})
CALLS = frozenset({"tool_use", "tool_call", "tool-call", "function_call", "toolCall", "non_standard_tool_call"})
CALLS |= {"mcp_approval_request"}
RESULTS = frozenset(
    {"tool_result", "tool-result", "tool_call_response", "function_call_output", "toolResult", "function"}
    | {"mcp_approval_response", "tool_search_output"}
)
AUDIO = frozenset({"input_audio", "output_audio", "audio"})
NOTHING = frozenset(
    {"step-start", "step-finish", "start-step", "finish-step", "start", "finish", "cache_point", "source-url"}
    | {"source-document", "compaction", "item_reference", "mcp_list_tools", "token_budget", "flag"}
)
NAMED_CALLS = frozenset({"functionCall", "function_call", "toolUse", "executableCode", "executable_code"})
NAMED_CALLS |= {"tool_call"}
NAMED_RESULTS = frozenset(
    {"functionResponse", "function_response", "toolResult", "codeExecutionResult", "code_execution_result"}
    | {"tool_call_result"}
)
NAMED_NOTHING = frozenset({"cachePoint", "cache_point"})
PARTS = TEXTS | AUDIO | {"refusal", "image_url", "input_image", "image", "file", "input_file"}
"""Types of parts that stand in a message, never for one."""

CALL_ENDINGS = ("_tool_use", "_call")
RESULT_ENDINGS = ("_tool_result", "_call_output", "_call_result", "_call_response")


NOBODY, UI = "nobody", "ui"
"""Beside the roles of parts that nobody says: a part that is no row, and one of the AI SDK that may be two."""


class Piece(NamedTuple):
    """One part of a message. `role` is None where its speaker says it; `refusal` marks that he refuses."""

    role: str | None
    text: str
    refusal: bool = False


def pieces(content: Any) -> list[Piece]:
    """The parts of a message's content: text, or a list of parts. Raises ValueError for anything else."""
    if isinstance(content, str):
        return [Piece(None, whole(content))]
    if isinstance(content, dict):
        return _pieces_of(content)
    if not isinstance(content, list):
        raise ValueError(f"content: text or a list of parts is needed, this is a {fields.kind(content)}")
    found: list[Piece] = []
    for part in content:
        if type(part) is dict and len(part) == 2 and part.get("type") == "text" and type(part.get("text")) is str:
            found.append(Piece(None, whole(part["text"])))
        else:
            found += _pieces_of(part)
    return found


def is_silent_item(tree: dict[str, Any]) -> bool:
    """Whether an item of a list of messages is a tool's call or result, or reasoning, of no role of its own."""
    return _silent_role(tree, str(tree.get("type") or "")) is not None


def _pieces_of(part: Any) -> list[Piece]:
    if isinstance(part, str):
        return [Piece(None, whole(part))]
    if not isinstance(part, dict):
        raise ValueError(f"content: a part is an object, this is a {fields.kind(part)}")
    fields.once(part)
    kind = str(part.get("type") or part.get("block_type") or "")
    is_text = kind in TEXTS and part.get("thought") is not True
    if not is_text and (silent := _silent(part, kind)) is not None:
        return silent
    if isinstance(part.get("refusal"), str) and kind in ("", "refusal"):
        return [Piece(None, whole(part["refusal"]), refusal=True)]
    if kind in AUDIO or (not kind and "audio" in part):
        return [_voice(part)]
    if (text := _text(part, kind)) is not None:
        return [Piece(None, whole(text))]
    return [Piece("attachment", as_json(part))]


def _silent(part: dict[str, Any], kind: str) -> list[Piece] | None:
    """Reasoning, calls and results of tools, marks of steps: as rows of their own, or none. None: it is neither."""
    role = _silent_role(part, kind)
    if role is None or role == NOBODY:
        return None if role is None else []
    if role == "reasoning":
        return _reasoning(part)
    return _ui_tool(part) if role == UI else [Piece(role, as_json(part))]


def _silent_role(part: dict[str, Any], kind: str) -> str | None:
    """The role of a part that nobody says; None for any other part.

    NOBODY: the part makes no row. UI: it holds the call of a tool, and the result if there is one yet.
    """
    if not kind:
        return _unnamed_role(part)
    role = _role_of_kind(kind)
    if role != NOBODY and part.get("thought") is True:
        return "reasoning"
    if kind == "function" and isinstance(part.get("function"), dict):  # as `tool_calls` have it
        return "tool_call"
    return role


@lru_cache(maxsize=1024)
def _role_of_kind(kind: str) -> str | None:
    if kind in NOTHING or kind.startswith("data-"):
        return NOBODY
    if kind in REASONS:
        return "reasoning"
    if kind in CALLS:
        return "tool_call"
    if (kind.startswith("tool-") and kind not in RESULTS) or kind in ("dynamic-tool", "tool-invocation"):
        return UI
    if kind in RESULTS or kind.endswith(RESULT_ENDINGS):
        return "tool"
    return "tool_call" if kind.endswith(CALL_ENDINGS) else None


def _unnamed_role(part: dict[str, Any]) -> str | None:
    """The same of a part without a type, by its keys."""
    if not part.keys().isdisjoint(NAMED_NOTHING):
        return NOBODY
    if part.get("thought") is True or "reasoningContent" in part:
        return "reasoning"
    if not part.keys().isdisjoint(NAMED_RESULTS):
        return "tool"
    return None if part.keys().isdisjoint(NAMED_CALLS) else "tool_call"


def _reasoning(part: dict[str, Any]) -> list[Piece]:
    thought = _thought(part)
    return [Piece("reasoning", whole(thought))] if thought else []


def _ui_tool(part: dict[str, Any]) -> list[Piece]:
    """A part of the AI SDK that holds a tool's call and, once it has come, the result."""
    given = part.get("toolInvocation")
    one = given if isinstance(given, dict) else part
    call = {key: value for key, value in one.items() if key not in ("output", "result", "errorText")}
    results = [one[key] for key in ("output", "result", "errorText") if one.get(key) is not None]
    return [Piece("tool_call", as_json(call))] + [Piece("tool", as_json(result)) for result in results]


def _thought(part: dict[str, Any]) -> str:
    """The words of a part that is reasoning; encrypted and empty ones have none."""
    inner = part.get("reasoningContent")
    if isinstance(inner, dict):
        return _thought({"type": "reasoning", **inner})
    for key in ("thinking", "text", "content", "reasoning", "reasoningText", "thought", "summary"):
        value = part.get(key)
        if isinstance(value, dict):
            value = value.get("text")
        if isinstance(value, list):
            value = "\n".join(str(one["text"]) for one in value if isinstance(one, dict) and one.get("text"))
        if isinstance(value, str) and value:
            return value
    return ""


def _voice(part: dict[str, Any]) -> Piece:
    """Return the transcript of speech; sound without a transcript is an attachment."""
    for holder in (part, part.get("input_audio"), part.get("output_audio"), part.get("audio")):
        if isinstance(holder, dict) and isinstance(holder.get("transcript"), str):
            return Piece(None, whole(holder["transcript"]))
    return Piece("attachment", as_json(part))


def _text(part: dict[str, Any], kind: str) -> str | None:
    """The words of a part that is text, with or without a type."""
    if kind and kind not in TEXTS:
        return None
    guarded = part.get("guardContent")  # Bedrock: text of the speaker that a guardrail is to look at
    if isinstance(guarded, dict):
        return _text(guarded, "")
    if isinstance(cited := part.get("citationsContent"), dict):  # Bedrock: words of the answer with their sources
        return "".join(found for one in _listed(cited.get("content")) if (found := _text(one, "")) is not None)
    for key in ("text", "content") if kind else ("text",):
        value = part.get(key)
        while isinstance(value, dict):
            value = value.get("value", value.get("text"))
        if isinstance(value, str):
            return value
    return None


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
