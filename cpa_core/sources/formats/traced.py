"""Calls that other products export, each in rows of their own: Opik, Braintrust, Helicone, Weave, Datadog, MLflow.

Sources: https://www.comet.com/docs/opik/tracing/export_data, https://www.braintrust.dev/docs/reference/api/logs,
https://docs.helicone.ai/rest/request/post-v1requestquery,
https://docs.wandb.ai/weave/guides/tracking/tracing, https://docs.datadoghq.com/llm_observability/evaluations/export_api,
https://mlflow.org/docs/3.0.1/tracing/tracing-schema. A root or an outermost call is speech, as `traces` has it.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import decoded, raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.calls import CallAbout, called, is_readable
from cpa_core.sources.formats.form import Format, Reader, each
from cpa_core.sources.formats.langfuse import prompt_of
from cpa_core.sources.formats.talks import object_at
from cpa_core.sources.formats.trace_reading import UNNAMED, Foreign, Names, none_is, spoken_calls
from cpa_core.sources.formats.traces import INNER, Node, Part
from cpa_core.sources.records import Reject, moment, tupled
from cpa_core.sources.trees import Placed, Trees, unfolded

CONVERSATIONS = ("session_id", "thread_id", "conversation_id", "sessionId", "threadId", "conversationId")
USERS = ("user_id", "userId")
FOREIGN = "no call of a model stands in this file"


class TraceRow(NamedTuple):
    """One row of a trace: where it stands, what it was sent and answered, and what it says of itself."""

    id: str
    trace: str
    parent: str | None
    part: Part
    asked: Any
    answered: Any
    conversation_id: Any
    user_id: Any
    started: Any
    ended: Any


def spans(span_of: Callable[[dict[str, Any]], TraceRow], foreign: Foreign = none_is) -> Reader:
    """A reader of rows that are spans: those that are speech, out of what one row is.

    `foreign` says which rows are no spans at all; a file of nothing else is one of a quiet hour.
    """

    def read(file: File, records: Trees) -> Iterator[columns.Found]:
        named: Names = {}
        nodes = 0

        def look(n: int, tree: Any) -> tuple[Node, TraceRow] | None:
            nonlocal nodes
            if not isinstance(tree, dict):
                return None
            nodes += 1
            span = span_of(tree)
            conversation, user = named.get(span.trace, UNNAMED)
            if (span.conversation_id and not conversation) or (span.user_id and not user):
                named[span.trace] = conversation or span.conversation_id, user or span.user_id
            return _node(n, span), span

        def call(file: File, place: str, tree: Any, span: TraceRow | None) -> Iterator[columns.Found]:
            tree = talks.record(tree)
            return _called(file, place, span or span_of(tree), named)

        yield from spoken_calls(file, records, look, call, named, foreign)
        if not nodes:
            yield from (Reject(one[0], FOREIGN, "{}", loss=False) for one in islice(_foreign(records, foreign), 1))

    return read


def _foreign(records: Trees, foreign: Foreign) -> Iterator[Placed]:
    return (one for one in records if not isinstance(one, Reject) and isinstance(one[1], dict) and foreign(one[1]))


def _node(key: int, span: TraceRow) -> Node:
    part: Part = span.part
    speaks = part == "call" or is_readable(span.asked) or is_readable(span.answered)
    return tupled(Node, (key, span.id, span.parent, span.trace, part, speaks, prompt_of(span.asked)))


def _called(file: File, place: str, span: TraceRow, named: Names) -> Iterator[columns.Found]:
    if span.asked in (None, "", [], {}) and span.answered in (None, "", [], {}):
        yield Reject(place, "no input and no output", "{}", loss=False)
        return
    conversation, user = named.get(span.trace, UNNAMED)
    started_at, assumed = moment(span.started, file.zone)
    ended_at, _ = moment(span.ended, file.zone)
    about = CallAbout(
        place=place,
        conversation_id=fields.identity("conversation_id", conversation or span.trace),
        user_id=fields.identity("user_id", user),
        started_at=started_at,
        ended_at=ended_at,
        call_id=fields.identity("id", span.id),
        zone_assumed=assumed,
    )
    yield from called(file, about, span.asked, span.answered)


def _named(holder: dict[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys if holder else ():
        if found := holder.get(key):
            return found
    return None


def _opik(tree: dict[str, Any]) -> TraceRow:
    """A trace of Opik's, or a span of one."""
    about = object_at(tree, "metadata")
    kind = str(tree.get("type") or "")
    inner = bool(tree.get("trace_id"))
    part: Part = "call" if kind == "llm" or not inner else "aside" if kind in ("tool", "guardrail") else "step"
    parent = tree.get("parent_span_id") or (tree.get("trace_id") if inner else None)
    return TraceRow(
        id=str(tree.get("id")),
        trace=str(tree.get("trace_id") or tree.get("id")),
        parent=str(parent) if parent else None,
        part=part,
        asked=_unwrapped(tree, "input"),
        answered=_unwrapped(tree, "output"),
        conversation_id=tree.get("thread_id") or _named(about, CONVERSATIONS),
        user_id=_named(about, USERS),
        started=tree.get("start_time"),
        ended=tree.get("end_time"),
    )


def _unwrapped(tree: dict[str, Any], word: str) -> Any:
    """Input or output of Opik's; where it is no object, its SDK wraps it as `{"input": ...}` or `{"output": ...}`."""
    value = unfolded(tree.get(word))
    return value[word] if isinstance(value, dict) and value.keys() == {word} else value


ASIDES = frozenset({"tool", "score", "eval", "automation", "facet", "preprocessor", "classifier"})
"""Braintrust's types of spans in which nobody speaks."""


def _braintrust(tree: dict[str, Any]) -> TraceRow:
    """A row of Braintrust's logs. `span_parents` names the spans around it; a root has none."""
    kind = str(object_at(tree, "span_attributes").get("type") or "")
    parents = tree.get("span_parents")
    root = tree.get("is_root") is True or not parents
    part: Part = "call" if kind == "llm" else "aside" if kind in ASIDES else "step"
    about, metrics = object_at(tree, "metadata"), object_at(tree, "metrics")
    own = tree.get("span_id") or tree.get("id")
    parent = str(parents[0]) if isinstance(parents, list) and parents and not root else None
    stood = (str(own), str(tree.get("root_span_id") or own), parent, part)
    sides = (unfolded(tree.get("input")), unfolded(tree.get("output")))
    names = (_named(about, CONVERSATIONS), _named(about, USERS))
    times = (metrics.get("start") or tree.get("created"), metrics.get("end"))
    return tupled(TraceRow, (*stood, *sides, *names, *times))


def _helicone(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """A request to Helicone's gateway with its response: a call that stands for itself."""
    tree = talks.record(tree)
    properties = object_at({"": unfolded(tree.get("request_properties") or tree.get("properties"))}, "")
    request, response = (unfolded(tree.get(key)) for key in ("request_body", "response_body"))
    session = properties.get("Helicone-Session-Id")
    path = str(properties.get("Helicone-Session-Path") or "")
    if session and path.strip("/").count("/") > 0:
        yield Reject(place, INNER, "{}", loss=False)
        return
    started_at, assumed = moment(tree.get("request_created_at"), file.zone)
    ended_at, _ = moment(tree.get("response_created_at"), file.zone)
    about = CallAbout(
        place=place,
        conversation_id=fields.identity("Helicone-Session-Id", session),
        user_id=fields.identity("request_user_id", tree.get("request_user_id") or tree.get("user_id")),
        started_at=started_at,
        ended_at=ended_at,
        call_id=fields.identity("request_id", tree.get("request_id")),
        zone_assumed=assumed,
    )
    yield from called(file, about, request, response, words=("request_body", "response_body"))


def _readable_step(part: Part, asked: Any, answered: Any) -> tuple[Any, Any]:
    """Return the content of a call.

    The content of a step around calls counts only if both sides are words, not arguments.
    """
    whole = part == "call" or (asked and answered and is_readable(asked) and is_readable(answered))
    return (asked, answered) if whole else (None, None)


def _weave(tree: dict[str, Any]) -> TraceRow:
    """A call of Weave's: an op that was sent messages is a call of a model, any other a step. The user is W&B's own."""
    inputs, answered = unfolded(tree.get("inputs")), unfolded(tree.get("output"))
    sent = isinstance(inputs, dict) and any(isinstance(inputs.get(key), list) for key in ("messages", "contents"))
    part: Part = "call" if sent else "step"
    asked, answered = _readable_step(part, inputs, answered)
    about = object_at({"": unfolded(tree.get("attributes"))}, "")
    return TraceRow(
        id=str(tree.get("id")),
        trace=str(tree.get("trace_id") or tree.get("id")),
        parent=str(tree["parent_id"]) if tree.get("parent_id") else None,
        part=part,
        asked=asked,
        answered=answered,
        conversation_id=tree.get("thread_id") or _named(about, CONVERSATIONS),
        user_id=_named(about, USERS),
        started=tree.get("started_at"),
        ended=tree.get("ended_at"),
    )


def _datadog(tree: dict[str, Any]) -> TraceRow:
    """A span of Datadog's LLM Observability, as its export API has it."""
    span = object_at(tree, "attributes") or tree
    kind = str(span.get("span_kind") or "")
    part: Part = "call" if kind in ("llm", "agent") else "step" if kind in ("workflow", "task", "") else "aside"
    sides = (object_at(span, key) for key in ("input", "output"))
    asked, answered = _readable_step(part, *(one.get("messages") or unfolded(one.get("value")) for one in sides))
    tags = dict(tag.split(":", 1) for tag in talks.list_at(span, "tags") if isinstance(tag, str) and ":" in tag)
    began, lasted = span.get("start_ms"), span.get("duration")
    ended = None
    if isinstance(began, int | float) and isinstance(lasted, int | float):
        ended = int(began + lasted / 1_000_000)
    parent = span.get("parent_id")
    return TraceRow(
        id=str(span.get("span_id")),
        trace=str(span.get("trace_id")),
        parent=None if parent in (None, "", "undefined", "0", 0) else str(parent),
        part=part,
        asked=asked,
        answered=answered,
        conversation_id=span.get("session_id") or _named(tags, CONVERSATIONS),
        user_id=_named(tags, USERS),
        started=began,
        ended=ended,
    )


def _written(value: Any) -> Any:
    """A value that MLflow keeps as JSON in text, also where it is a text itself."""
    if isinstance(value, str) and value[:1] == '"':
        try:
            return decoded(value)
        except ValueError:
            return value
    return unfolded(value)


def _mlflow_span(tree: dict[str, Any]) -> TraceRow:
    """A span of an MLflow trace, with what the trace says of itself under `info`."""
    info, attributes = object_at(tree, "info"), object_at(tree, "attributes")
    kind = str(_written(attributes.get("mlflow.spanType")) or "")
    calls, steps = ("LLM", "CHAT_MODEL", "AGENT"), ("CHAIN", "UNKNOWN", "WORKFLOW", "TASK", "")
    part: Part = "call" if kind in calls else "step" if kind in steps else "aside"
    sides = (_written(attributes.get(f"mlflow.span{word}")) for word in ("Inputs", "Outputs"))
    asked, answered = _readable_step(part, *sides)
    about = object_at(info, "trace_metadata") or object_at(info, "request_metadata")
    context = object_at(tree, "context")
    parent = tree.get("parent_span_id") or tree.get("parent_id")
    times = (tree.get(f"{word}_time_unix_nano") or tree.get(f"{word}_time") for word in ("start", "end"))
    started, ended = (int(str(at)) // 1_000_000 if str(at).isdecimal() else at for at in times)
    return TraceRow(
        id=str(tree.get("span_id") or context.get("span_id")),
        trace=str(info.get("trace_id") or info.get("request_id") or tree.get("trace_id")),
        parent=str(parent) if parent else None,
        part=part,
        asked=asked,
        answered=answered,
        conversation_id=about.get("mlflow.trace.session"),
        user_id=about.get("mlflow.trace.user"),
        started=started,
        ended=ended,
    )


def _mlflow(file: File, records: Trees) -> Iterator[columns.Found]:
    """The calls of MLflow's traces: of each its spans, which lie in it."""
    read = spans(_mlflow_span)
    for one in records:
        if isinstance(one, Reject):
            yield one
            continue
        tree = talks.record(one[1]) if isinstance(one[1], dict) else {}
        held = unfolded(object_at(tree, "data").get("spans") or tree.get("spans"))
        info = object_at(tree, "info") or {key: unfolded(value) for key, value in tree.items() if key != "spans"}
        found = [{**span, "info": info} for span in held if isinstance(span, dict)] if isinstance(held, list) else []
        yield from read(file, [(f"{one[0]}.spans.{n}", span) for n, span in enumerate(found)])
        if not found:
            yield Reject(one[0], "a trace without spans", raw(one[1]))


OPIK = Format(
    name="opik",
    title="Opik's traces and spans",
    kind="call",
    signs=(
        "id thread_id input output start_time",
        "id thread_id input output start_time end_time tags",
        "id trace_id parent_span_id input output start_time type",
    ),
    read=spans(_opik),
    docs="https://www.comet.com/docs/opik/tracing/export_data",
    ids="thread_id, or session_id and the like in the metadata; else the trace",
    users="user_id of the metadata",
    times="start_time, end_time for the answer",
    speech="input and output of the trace, or of its outermost span of type llm",
    silent="spans inside another, tools; what repeats an earlier trace of the thread",
)

BRAINTRUST = Format(
    name="braintrust",
    title="Braintrust's logs",
    kind="call",
    signs=("span_id root_span_id input", "span_id root_span_id input output created span_attributes"),
    read=spans(_braintrust),
    docs="https://www.braintrust.dev/docs/reference/api/logs",
    ids="session_id, thread_id or conversation_id of the metadata; else root_span_id",
    users="user_id of the metadata",
    times="metrics.start and metrics.end, else created",
    speech="input and output of the root span where they are messages or text, else of the outermost span of type llm",
    silent="spans inside another, tools, scores",
)

HELICONE = Format(
    name="helicone",
    title="Helicone's requests",
    kind="call",
    signs=(
        "request_id request_body",
        "request_id request_body.messages[] response_body",
        "request_id request_created_at request_body response_body",
    ),
    read=each(_helicone),
    docs="https://docs.helicone.ai/rest/request/post-v1requestquery",
    ids="Helicone-Session-Id of the properties; else calls that repeat each other's history are one",
    users="request_user_id",
    times="request_created_at and response_created_at",
    speech="the messages of the request and the answer",
    silent="requests at an inner Helicone-Session-Path; what repeats an earlier request",
)

WEAVE = Format(
    name="weave",
    title="calls of W&B Weave",
    kind="call",
    signs=("op_name trace_id inputs started_at", "id op_name trace_id inputs output started_at"),
    read=spans(_weave),
    docs="https://docs.wandb.ai/weave/guides/tracking/tracing",
    ids="thread_id, or session_id and the like in the attributes; else the trace",
    users="user_id of the attributes; wb_user_id is the account at W&B",
    times="started_at, ended_at for the answer",
    speech="inputs and output of the outermost op that was sent messages, or of an op of words around it",
    silent="ops inside another; arguments of functions",
)

DATADOG = Format(
    name="datadog",
    title="spans of Datadog's LLM Observability",
    kind="call",
    signs=(
        "attributes.span_id attributes.trace_id attributes.span_kind",
        "type=span attributes.span_id attributes.trace_id attributes.span_kind attributes.start_ms",
        "span_id trace_id span_kind ml_app start_ms",
    ),
    read=spans(_datadog),
    docs="https://docs.datadoghq.com/llm_observability/evaluations/export_api",
    ids="session_id of the span or its tags; else the trace",
    users="user_id of the tags",
    times="start_ms, and duration for the answer",
    speech="messages or value of the outermost span of kind llm or agent, or of a workflow of words around it",
    silent="spans inside another, tools, retrievals, embeddings",
)

MLFLOW = Format(
    name="mlflow",
    title="traces of MLflow",
    kind="call",
    signs=(
        "info.trace_id data.spans[]",
        "info.request_id data.spans[]",
        "info.trace_id data.spans[].attributes data.spans[].name",
        "info.request_id data.spans[].attributes data.spans[].name",
        "trace_id trace_metadata request_time spans[].attributes spans[].name",
    ),
    read=_mlflow,
    docs="https://mlflow.org/docs/3.0.1/tracing/tracing-schema",
    ids="mlflow.trace.session of the trace's metadata; else the trace",
    users="mlflow.trace.user of the trace's metadata",
    times="start and end of the span",
    speech="inputs and outputs of the outermost span of a chat model, LLM or agent, or of a chain of words around it",
    silent="spans inside another, tools, retrievers, parsers; arguments of functions",
)
