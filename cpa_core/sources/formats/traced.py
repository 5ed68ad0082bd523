"""Calls that other observability products export, each in rows of their own: Opik, Braintrust, Helicone.

Sources: https://www.comet.com/docs/opik/tracing/export_data, https://www.braintrust.dev/docs/reference/api/logs,
https://docs.helicone.ai/rest/request/post-v1requestquery. A root or an outermost call is speech, as `traces` has it.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.calls import CallAbout, called, spoken
from cpa_core.sources.formats.form import Format, Reader, each
from cpa_core.sources.formats.langfuse import prompt_of
from cpa_core.sources.formats.talks import object_at
from cpa_core.sources.formats.traces import INNER, Node, Part, spoken_calls
from cpa_core.sources.records import Reject, moment
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


def _never(tree: dict[str, Any]) -> bool:
    return False


def spans(span_of: Callable[[dict[str, Any]], TraceRow], foreign: Callable[[dict[str, Any]], bool] = _never) -> Reader:
    """A reader of rows that are spans: those that are speech, out of what one row is.

    `foreign` says which rows are no spans at all; a file of nothing else is one of a quiet hour.
    """

    def read(file: File, records: Trees) -> Iterator[columns.Found]:
        nodes: list[Node] = []
        named: dict[str, tuple[Any, Any]] = {}
        for n, one in enumerate(_without(records, foreign)):
            if not isinstance(one, Reject) and isinstance(one[1], dict):
                span = span_of(one[1])
                nodes.append(_node(n, span))
                conversation, user = named.get(span.trace, (None, None))
                named[span.trace] = conversation or span.conversation_id, user or span.user_id
        if not nodes:
            yield from (Reject(one[0], FOREIGN, "{}", loss=False) for one in islice(_foreign(records, foreign), 1))
        yield from spoken_calls(
            file,
            _without(records, foreign),
            nodes,
            lambda f, place, tree: _called(f, place, span_of(talks.record(tree)), named),
        )

    return read


def _without(records: Trees, foreign: Callable[[dict[str, Any]], bool]) -> Iterator[Placed | Reject]:
    return (one for one in records if isinstance(one, Reject) or not (isinstance(one[1], dict) and foreign(one[1])))


def _foreign(records: Trees, foreign: Callable[[dict[str, Any]], bool]) -> Iterator[Placed]:
    return (one for one in records if not isinstance(one, Reject) and isinstance(one[1], dict) and foreign(one[1]))


def _node(key: int, span: TraceRow) -> Node:
    speaks = _is_readable(span.asked) or _is_readable(span.answered)
    part: Part = span.part
    return Node(key, span.id, span.parent, span.trace, part, speaks or part == "call", prompt_of(span.asked))


def _is_readable(value: Any) -> bool:
    try:
        return bool(spoken(value, ""))
    except ValueError:
        return False


def _called(file: File, place: str, span: TraceRow, named: dict[str, tuple[Any, Any]]) -> Iterator[columns.Found]:
    if span.asked in (None, "", [], {}) and span.answered in (None, "", [], {}):
        yield Reject(place, "no input and no output", "{}", loss=False)
        return
    conversation, user = named.get(span.trace, (None, None))
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
    return next((holder[key] for key in keys if holder.get(key)), None)


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
        asked=unfolded(tree.get("input")),
        answered=unfolded(tree.get("output")),
        conversation_id=tree.get("thread_id") or _named(about, CONVERSATIONS),
        user_id=_named(about, USERS),
        started=tree.get("start_time"),
        ended=tree.get("end_time"),
    )


def _braintrust(tree: dict[str, Any]) -> TraceRow:
    """A row of Braintrust's logs. `span_parents` names the spans around it; a root has none."""
    kind = str(object_at(tree, "span_attributes").get("type") or "")
    parents = tree.get("span_parents")
    root = tree.get("is_root") is True or not parents
    asides = ("tool", "score", "eval", "automation", "facet", "preprocessor", "classifier")
    part: Part = "call" if kind == "llm" else "aside" if kind in asides else "step"
    about, metrics = object_at(tree, "metadata"), object_at(tree, "metrics")
    return TraceRow(
        id=str(tree.get("span_id") or tree.get("id")),
        trace=str(tree.get("root_span_id") or tree.get("span_id") or tree.get("id")),
        parent=str(parents[0]) if isinstance(parents, list) and parents and not root else None,
        part=part,
        asked=unfolded(tree.get("input")),
        answered=unfolded(tree.get("output")),
        conversation_id=_named(about, CONVERSATIONS),
        user_id=_named(about, USERS),
        started=metrics.get("start") or tree.get("created"),
        ended=metrics.get("end"),
    )


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
