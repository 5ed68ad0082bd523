"""How each instrumentation of OpenTelemetry writes what a model was sent and answered into a span.

Sources: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (attributes; events up to 1.36),
https://arize-ai.github.io/openinference/spec/semantic_conventions.html, https://www.traceloop.com/docs/openllmetry and
https://ai-sdk.dev/docs/ai-sdk-core/telemetry. Agents of Pydantic AI:
https://logfire.pydantic.dev/docs/integrations/llms/pydanticai/. LangSmith's attributes:
https://docs.smith.langchain.com/observability/how_to_guides/trace_with_opentelemetry. Google's Agent Development Kit:
https://github.com/google/adk-python (src/google/adk/telemetry/tracing.py). Langfuse's and MLflow's attributes:
https://hexdocs.pm/langfuse/Langfuse.OpenTelemetry.AttributeMapper.html.
Strands' agents: https://strandsagents.com (traces). Logfire, with `events` before it took up the attributes:
https://github.com/pydantic/logfire (logfire/_internal/integrations/llm_providers). Traceloop's workflows:
https://github.com/traceloop/openllmetry (traceloop-sdk, decorators/base.py; instrumentation-langchain).
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from cpa_core.sources.conversations import decoded
from cpa_core.sources.cut_json import begins_messages
from cpa_core.sources.formats.calls import is_readable, prompted, spoken
from cpa_core.sources.formats.langsmith import ASKED, run_answer, run_input
from cpa_core.sources.trees import unfolded

Attributes = dict[str, Any]
Event = tuple[str, Attributes]


class Exchange(NamedTuple):
    """The content of a span: input and output of a call, in any form, and its system prompt if it is separate."""

    asked: Any
    answered: Any
    system: Any = None


def said_in(attributes: Attributes, events: Iterable[Event]) -> Exchange | None:
    """Return the content of a span in any dialect; null if it has none."""
    heard = list(events)
    if not heard and not any(map(_may_speak, attributes)):
        return None
    merged = attributes
    for name, payload in heard:
        if name == DETAILS:
            merged = merged | payload
    for dialect in DIALECTS:
        found = dialect(merged, heard)
        if found is not None and (found.asked or found.answered):
            return found
    return None


DETAILS = "gen_ai.client.inference.operation.details"


SPEAKING = (
    *("gen_ai.input.", "gen_ai.output.", "gen_ai.prompt", "gen_ai.completion", "llm.input_messages"),
    *("llm.output_messages", "input.value", "output.value", "ai.prompt", "ai.response.", "ai.result."),
    *("pydantic_ai.all_messages", "all_messages_events", "gcp.vertex.agent.llm_", "mlflow.span"),
    *("langfuse.observation.", "langfuse.trace.", "request_data", "events", "traceloop.entity."),
)
"""The attributes in which a span may say something, by any of DIALECTS, begin so; it needs none where it has events."""


@lru_cache(4_096)
def _may_speak(key: str) -> bool:
    return key.startswith(SPEAKING)


CONVENTIONS = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions")


def _conventions(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """`gen_ai.input.messages` and `gen_ai.output.messages`, as JSON text or structured."""
    if attributes.keys().isdisjoint(CONVENTIONS):
        return None
    asked, answered, system = [unfolded(attributes.get(word)) for word in CONVENTIONS]
    return Exchange(asked, first_answer(answered), system) if asked or answered else None


def first_answer(answered: Any) -> Any:
    """Of several answers to one question, each a message of its own, the first."""
    choices = isinstance(answered, list) and all(isinstance(one, dict) and "finish_reason" in one for one in answered)
    return answered[:1] if choices else answered


def _events(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """A message an event, as the conventions had it up to 1.36: `gen_ai.user.message`, `gen_ai.choice`.

    Logfire has them in an attribute of the span, `events`, each with its name under `event.name`.
    """
    asked: list[Any] = []
    answered: list[Any] = []
    for name, written in [*events, *_listed_events(attributes)]:
        body = unfolded(written.get("gen_ai.event.content"))
        payload = {**written, **(body if isinstance(body, dict) else {})}
        if name == "gen_ai.choice":
            answered += [] if answered else _choice(payload)
        elif name in EVENT_ROLES:
            asked.append({"role": EVENT_ROLES[name], **_traced(payload)})
        elif name == "gen_ai.content.prompt":
            asked += spoken(unfolded(payload.get("gen_ai.prompt")), "input")
        elif name == "gen_ai.content.completion":
            answered += spoken(unfolded(payload.get("gen_ai.completion")), "output")
    return Exchange(asked, answered) if asked or answered else None


def _listed_events(attributes: Attributes) -> list[Event]:
    listed = unfolded(attributes.get("events"))
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [(str(one.get("event.name")), one) for one in found]


EVENT_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}


def _choice(payload: Attributes) -> list[Any]:
    message = unfolded(payload.get("message", payload.get("content")))
    if message is None and "message.content" in payload:
        message = payload["message.content"]
    found = message if isinstance(message, dict) else {"content": message}
    return [{"role": "assistant", **found}] if found.get("content") or found.get("tool_calls") else []


def _openinference(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """`llm.input_messages.N.message.role` and `.content`, or the text in `input.value` and `output.value`."""
    asked, answered = _messages(attributes, "llm.input_messages"), _messages(attributes, "llm.output_messages")
    if asked or answered:
        return Exchange(asked, answered[:1])
    if "openinference.span.kind" not in attributes and "output.value" not in attributes:
        return None
    sides = [_readable(attributes.get(f"{word}.value")) for word in ("input", "output")]
    return Exchange(*sides) if all(sides) else None


def _readable(value: Any) -> list[Any]:
    """The messages in a value of a span that is no call of a model: none in an object of the application's own."""
    try:
        return spoken(unfolded(value), "input")
    except ValueError:
        return []


def _messages(attributes: Attributes, name: str) -> list[dict[str, Any]]:
    """OpenInference's messages under this name; most in frames of spans are nothing but text."""
    given = attributes.get(name)
    if type(given) is list and all(map(_is_plain, given)):
        return [{"role": one["message.role"], "content": one["message.content"]} for one in given]
    return [_message(one) for one in listed(attributes, name)]


def _is_plain(item: Any) -> bool:
    return (
        type(item) is dict and tuple(item) == IN_FRAMES and type(text := item["message.content"]) is str and text != ""
    )


IN_FRAMES = ("message.role", "message.content")
SAID = frozenset({"role", "content"})


def _message(item: Any) -> dict[str, Any]:
    """OpenInference's message, whose parts and tool calls are each wrapped once more."""
    given = item.get("message", item) if isinstance(item, dict) else {}
    if given.keys() == SAID and given["content"]:
        return given
    parts = [one.get("message_content", one) for one in _nested_each(given.get("contents"))]
    calls = [one.get("tool_call", one) for one in _nested_each(given.get("tool_calls"))]
    content = given.get("content") or parts
    return {"role": given.get("role"), "content": content, **({"tool_calls": calls} if calls else {})}


def _nested_each(listed: Any) -> list[dict[str, Any]]:
    """The objects of a list; in frames of spans their keys have dots, as those of the message around them."""
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [nested(one) if any("." in key for key in one) else one for one in found]


def _openllmetry(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """`gen_ai.prompt.N.role` and `.content`, `gen_ai.completion.N.content`; or each whole, as LangSmith has them."""
    asked, answered = (
        [_traced(one) for one in listed(attributes, f"gen_ai.{word}")] for word in ("prompt", "completion")
    )
    for one in answered:
        one["role"] = one.get("role") or "assistant"
    if asked or answered:
        return Exchange(asked, answered[:1])
    whole = [unfolded(attributes.get(f"gen_ai.{word}")) for word in ("prompt", "completion")]
    return Exchange(prompted(whole[0]), whole[1]) if any(whole) else None


def _adk(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """`gcp.vertex.agent.llm_request` and `.llm_response`, as Google's Agent Development Kit has them."""
    request, response = (unfolded(attributes.get(f"gcp.vertex.agent.llm_{word}")) for word in ("request", "response"))
    if not isinstance(request, dict):
        return Exchange(request, None) if request else None
    config = request.get("config")
    system = config.get("system_instruction") if isinstance(config, dict) else None
    answer = response.get("content") if isinstance(response, dict) else response
    return Exchange(request.get("contents"), answer, system)


BLOCKS = frozenset({"type", "text", "image", "document", "video", "toolUse", "toolResult", "reasoningContent"})
"""Keys of parts of a message, of which Bedrock's have no type: so write Strands' agents."""


def _traced(item: Any) -> dict[str, Any]:
    """A message whose content is text, or a list of parts as JSON in text."""
    if not isinstance(item, dict):
        return {"content": item}
    content = unfolded(item.get("content"))
    parts = (
        content and isinstance(content, list) and all(isinstance(one, dict) and BLOCKS & one.keys() for one in content)
    )
    found = {key: unfolded(item[key]) for key in ("role", "tool_calls") if item.get(key)}
    return {**found, "content": content if parts else item.get("content")}


def _ai_sdk(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """`ai.prompt` or `ai.prompt.messages`, `ai.response.text` (before version 4 of the SDK `ai.result.text`)."""
    prompt = unfolded(attributes.get("ai.prompt"))
    asked = unfolded(attributes.get("ai.prompt.messages")) or prompt
    system = None
    if isinstance(asked, dict):
        system, asked = asked.get("system"), asked.get("messages") or asked.get("prompt")
    answers = ("ai.response.text", "ai.result.text", "ai.response.object", "ai.result.object")
    answered = next((attributes[key] for key in answers if attributes.get(key)), None)
    calls = unfolded(attributes.get("ai.response.toolCalls"))
    answer = {"role": "assistant", "content": answered, **({"tool_calls": calls} if isinstance(calls, list) else {})}
    return Exchange(asked, [answer] if answered or calls else [], system) if asked or answered else None


def _sides(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """Input and output as Langfuse and MLflow have them on a span: what is no message or text says nothing."""
    for asked, answered in SIDES:
        sides = [_readable(attributes.get(word)) for word in (asked, answered)]
        if all(sides):
            return Exchange(*sides)
    return None


SIDES = (
    ("langfuse.observation.input", "langfuse.observation.output"),
    ("langfuse.trace.input", "langfuse.trace.output"),
    ("mlflow.spanInputs", "mlflow.spanOutputs"),
)


def _logfire(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """`request_data` and `response_data`, as Logfire writes calls of OpenAI and Anthropic; of a stream the whole."""
    request, response = (unfolded(attributes.get(f"{word}_data")) for word in ("request", "response"))
    if not isinstance(request, dict) or not isinstance(request.get("messages"), list):
        return None
    given = response if isinstance(response, dict) else {}
    answered = given.get("message") or given.get("combined_chunk_content")
    return Exchange(request, answered)


def _traceloop(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """`traceloop.entity.input` and `.output`: the arguments and the result of a function, or of a chain of LangChain's.

    They are speech only where both are words or messages: other arguments are the application's own.
    """
    asked = _argument(unfolded(attributes.get("traceloop.entity.input")))
    answered = _result(attributes.get("traceloop.entity.output")) if asked else None
    return Exchange(asked, answered) if asked and answered and is_readable(asked) and is_readable(answered) else None


def _argument(given: Any) -> Any:
    """The one argument that is a text or a list of messages, or the input of a chain; None where there is none."""
    if not isinstance(given, dict):
        return given
    if "inputs" in given:
        return run_input(given)
    args, named = given.get("args"), given.get("kwargs")
    args = args if isinstance(args, list) else []
    found = [one for one in args if _are_words(one)]
    for one in (*args, named):  # in TypeScript one object often holds all arguments
        held = one if isinstance(one, dict) else {}
        found += [held[word] for word in (*ASKED, *ASKED_TOO) if _are_words(held.get(word))]
    return _as_said("user", found[0]) if len(found) == 1 else None


def _as_said(role: str, value: Any) -> Any:
    """Words as a message, whatever they look like; anything else as it is."""
    return [{"role": role, "content": value}] if isinstance(value, str) else value


ASKED_TOO = ("message", "user_message", "user_input", "user_query", "prompt", "text")
"""Names of an argument that has a user's words, beside those of LangChain's inputs."""


def _are_words(value: Any) -> bool:
    return (isinstance(value, str) and bool(value)) or (isinstance(value, list) and is_readable(value))


def _result(written: Any) -> Any:
    """The result of a function, which is written as JSON, or the output of a chain. None for a number and the like."""
    try:
        found = decoded(written) if isinstance(written, str) else written
    except ValueError:
        return written
    if isinstance(found, dict) and "outputs" in found:
        return run_answer(found)
    return _as_said("assistant", found) if isinstance(found, str | list | dict) and found else None


def _pydantic_ai(attributes: Attributes, events: list[Event]) -> Exchange | None:
    """`pydantic_ai.all_messages`, or `all_messages_events` before: the whole state of an agent's run."""
    state = unfolded(attributes.get("pydantic_ai.all_messages")) or unfolded(attributes.get("all_messages_events"))
    is_state = begins_messages(state) if isinstance(state, str) else isinstance(state, list) and state
    return Exchange(None, state) if is_state else None


DIALECTS: tuple[Callable[[Attributes, list[Event]], Exchange | None], ...] = (
    _conventions,
    _openinference,
    _openllmetry,
    _ai_sdk,
    _adk,
    _pydantic_ai,
    _sides,
    _logfire,
    _events,
    _traceloop,
)
"""One line a dialect; the first that finds something in a span has read it."""


PLAIN_MESSAGE = frozenset({"message.role", "message.content"})
"""The keys of a message of OpenInference that is nothing but text, as frames of spans have them."""


def listed(attributes: Attributes, name: str) -> list[Any]:
    """The list under this name, in one attribute (also as JSON text) or in one for each leaf: `name.0.role`."""
    whole = unfolded(attributes.get(name))
    if isinstance(whole, list):
        return [nested(one) if isinstance(one, dict) else one for one in whole]
    begin = f"{name}."
    flat = {key[len(begin) :]: value for key, value in attributes.items() if key.startswith(begin)}
    if not flat:
        return []
    found = nested({key: value for key, value in flat.items() if key.split(".", 1)[0].isdecimal()})
    return found if isinstance(found, list) else []


def nested(flat: dict[str, Any]) -> Any:
    """The tree that keys with dots describe: `{"a.0.b": 1}` is `{"a": [{"b": 1}]}`."""
    if flat.keys() <= PLAIN_MESSAGE and not any(type(value) is dict for value in flat.values()):
        return {"message": {key[8:]: value for key, value in flat.items()}} if flat else flat
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        at = tree
        for step in path:
            inner = at.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at[last] = value
    return _with_lists(tree)


def _with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdecimal() for key in tree):
        return [_with_lists(tree[key]) for key in sorted(tree, key=int)]
    return {key: _with_lists(value) for key, value in tree.items()}
