"""OpenTelemetry: calls of models in spans and log records, in every living convention (see `otel_dialects`).

Sources: https://opentelemetry.io/docs/specs/otlp/ (JSON), https://opentelemetry.io/docs/specs/semconv/gen-ai/,
https://arize.com/docs/phoenix (spans as data frames). Spans of OTLP, of Python's console exporter, and of Phoenix.
"""

import marshal
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats.calls import CallAbout, called
from cpa_core.sources.formats.form import Format, attempted
from cpa_core.sources.formats.langfuse import prompt_of
from cpa_core.sources.formats.otel_dialects import (
    CONVENTIONS,
    EVENT_ROLES,
    Attributes,
    Event,
    Exchange,
    first_answer,
    said_in,
)
from cpa_core.sources.formats.trace_reading import Names, spoken_calls
from cpa_core.sources.formats.traces import Node, Part
from cpa_core.sources.records import Reject, moment, tupled, whole
from cpa_core.sources.times import EPOCH
from cpa_core.sources.trees import Trees, unfolded

SESSIONS = (
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    *(f"langsmith.metadata.{word}" for word in ("thread_id", "session_id", "conversation_id")),
    "gcp.vertex.agent.session_id",
    *(f"ai.telemetry.metadata.{word}" for word in ("sessionId", "threadId", "conversationId", "chatId")),
    *(f"traceloop.association.properties.{word}" for word in ("session_id", "conversation_id", "thread_id", "chat_id")),
)
USERS = (
    "user.id",
    "enduser.id",
    "langfuse.user.id",
    "ai.telemetry.metadata.userId",
    "traceloop.association.properties.user_id",
)
ASIDE = frozenset(
    {"TOOL", "RETRIEVER", "EMBEDDING", "RERANKER", "GUARDRAIL", "EVALUATOR", "PROMPT"}
    | {"embeddings", "execute_tool", "create_agent", "retrieval", "tool", "ai.toolCall", "ai.embed", "ai.embedMany"}
    | {"evaluation", "guardrail", "rerank"}
)
KINDS = ("openinference.span.kind", "gen_ai.operation.name", "traceloop.span.kind", "ai.operationId")
"""The attributes that say what a span is."""
STEPS = frozenset({"CHAIN", "UNKNOWN", "workflow", "task", "invoke_workflow"})


class TracedSpan(NamedTuple):
    """One span, whoever wrote it, with its attributes. `written` is the whole of it, of which its times are read."""

    id: str
    trace: str
    parent: str | None
    written: dict[str, Any]
    attributes: Attributes
    events: list[Event]


def span_of(tree: Any) -> TracedSpan:
    """A span out of a parsed record, its lists and objects unopened. Raises ValueError where it is none."""
    if not isinstance(tree, dict):
        raise ValueError(f"a span is needed, this is a {fields.kind(tree)}")
    if not (trace := tree.get("traceId") or _otherwise(tree, "trace_id")):
        raise ValueError("traceId: missing")
    own = tree.get("spanId") or _otherwise(tree, "span_id")
    parent = tree.get("parentSpanId") or tree.get("parent_id") or tree.get("parent_span_id")
    given = tree.get("attributes")
    if type(given) is list:
        attributes = _keyed(given, _unopened)
    else:
        attributes = plain_attributes(given)
        attributes |= {short: one for key, short in _in_columns(tuple(tree)) if (one := tree[key]) is not None}
    if isinstance(tree.get("span_kind"), str):
        attributes.setdefault("openinference.span.kind", tree["span_kind"])
    heard = _heard(tree) if tree.get("events") else []
    name = whole(str(trace))
    return tupled(TracedSpan, (str(own), name, str(parent) if parent else None, tree, attributes, heard))


def _otherwise(tree: dict[str, Any], word: str) -> Any:
    """An id of a span under another name than OTLP's."""
    given = tree.get("context")
    return (given.get(word) if isinstance(given, dict) else None) or tree.get(f"context.{word}") or tree.get(word)


@lru_cache(1_024)
def _in_columns(keys: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The columns of a table of spans that hold attributes, each with the name of its attribute."""
    return tuple((key, key[11:]) for key in keys if key.startswith("attributes."))


TIMES = [(f"{key}TimeUnixNano", f"{key}_time_unix_nano", f"{key}_time", f"{key}_timestamp") for key in ("start", "end")]


def _instant(tree: dict[str, Any], otlp: str, snake: str, time: str, timestamp: str) -> datetime | None:
    """A time of a span, under one of these keys. Raises ValueError."""
    nanoseconds = tree.get(otlp, tree.get(snake))
    return nanosecond(nanoseconds) if nanoseconds is not None else moment(tree.get(time, tree.get(timestamp)), UTC)[0]


WITH_THIRTEEN_DIGITS = range(10**12, 10**13)
"""Milliseconds between 2001 and 2286, which `moment` takes for just those."""


def nanosecond(value: Any) -> datetime | None:
    """A time in nanoseconds since 1970, as a number or as text; 0 is none. Raises ValueError."""
    if type(value) is str and len(value) == 19 and value.isdecimal() and value[0] != "0":
        return EPOCH + timedelta(0, int(value[:10]), int(value[10:13]) * 1_000)
    if value in (None, "", 0, "0"):
        return None
    if isinstance(value, bool | float | list | dict) or not str(value).isdecimal():
        raise ValueError("time: nanoseconds since 1970 are needed")
    milliseconds = int(value) // 1_000_000
    if milliseconds in WITH_THIRTEEN_DIGITS:
        return EPOCH + timedelta(milliseconds=milliseconds)
    return moment(milliseconds)[0]


def _heard(tree: dict[str, Any]) -> list[Event]:
    """The events of a span."""
    given = tree.get("events")
    found = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [(str(one.get("name")), plain_attributes(one.get("attributes"))) for one in found]


ROOTS = ("openinference", "llm", "session", "user", "input", "output", "gen_ai", "traceloop", "ai")
"""Where attributes stand as a tree, as Phoenix keeps them (its tables, and its GraphQL), these are its first keys."""


def _flat(tree: dict[str, Any], before: str = "") -> Attributes:
    """The attributes of a tree by their names with dots; lists are left as they are."""
    found: Attributes = {}
    for key, value in tree.items():
        inner = type(value) is dict and (before or key in ROOTS)
        found |= _flat(value, f"{before}{key}.") if inner else {f"{before}{key}": value}
    return found


def plain_attributes(given: Any) -> Attributes:
    """Attributes as a dict of plain values, from OTLP's list of keys and values or from an object."""
    if isinstance(given, dict):
        return _flat(given) if any(type(given.get(root)) is dict for root in ROOTS) else dict(given)
    return _keyed(given, plain_value) if isinstance(given, list) else {}


def _keyed(given: list[Any], value_of: Callable[[Any], Any]) -> Attributes:
    found: Attributes = {}
    for one in given:
        if not isinstance(one, dict) or "key" not in one:
            continue
        key, value = one["key"], one.get("value")
        name = key if type(key) is str else str(key)
        if type(value) is dict and len(value) == 1 and type(text := value.get("stringValue")) is str:
            found[name] = text
        else:
            found[name] = value_of(value)
    return found


class Unopened(NamedTuple):
    """A list or an object among the values of OTLP's attributes, as it is written: most spans are no speech."""

    written: dict[str, Any]


def _unopened(value: Any) -> Any:
    nested = type(value) is dict and len(value) == 1 and type(next(iter(value.values()))) is dict
    return tupled(Unopened, (value,)) if nested else plain_value(value)


def _has_elements(span: TracedSpan, word: str) -> bool:
    """Whether an attribute is a list, unopened and not empty."""
    value = span.attributes.get(word)
    return type(value) is Unopened and bool(_elements(value))


def _elements(value: Unopened) -> list[Any]:
    """The elements of a list, as they are written; none of an object."""
    inner = value.written.get("arrayValue")
    found = inner.get("values") if type(inner) is dict else None
    return found if type(found) is list else []


def _element(value: Any) -> Any:
    """The same as `plain_value`, of an object sooner: most elements of lists are."""
    inner = value.get("kvlistValue") if type(value) is dict and len(value) == 1 else None
    if type(inner) is dict and type(pairs := inner.get("values")) is list:
        return _keyed(pairs, plain_value)
    return plain_value(value)


NESTED_KINDS = ("arrayValue", "kvlistValue", "array_value", "kvlist_value")
SNAKE = {"string_value": "stringValue", "array_value": "arrayValue", "kvlist_value": "kvlistValue"}
"""Names of protobuf's own, which some writers of OTLP's JSON keep."""


def plain_value(value: Any) -> Any:
    """Return the plain form of a value of OTLP's JSON, such as `{"stringValue": ...}`."""
    if not isinstance(value, dict) or not value:
        return value if isinstance(value, str | int | float) else None
    kind, inner = next(iter(value.items()))
    if kind == "stringValue":
        return inner if type(inner) is str else None
    if type(inner) is dict and type(items := inner.get("values")) is list:
        if kind == "kvlistValue":
            return _keyed(items, plain_value)
        if kind == "arrayValue":
            return [*map(_element, items)]
    kind = SNAKE.get(kind, kind)
    if kind in NESTED_KINDS:
        values = inner.get("values") if isinstance(inner, dict) else None
        items = values if isinstance(values, list) else []
        return _keyed(items, plain_value) if kind == "kvlistValue" else [*map(plain_value, items)]
    return inner if isinstance(inner, str) or kind != "stringValue" else None


class ReadSpan(NamedTuple):
    """A span and what it says, if it says anything. `later`: it does, and was not read yet."""

    span: TracedSpan
    said: Exchange | None
    later: bool = False


def _told(tree: Any) -> ReadSpan:
    """A record as a span. Raises ValueError where it is none."""
    span = span_of(tree)
    if not span.events and (_has_elements(span, CONVENTIONS[0]) or _has_elements(span, CONVENTIONS[1])):
        return tupled(ReadSpan, (span, None, True))
    return tupled(ReadSpan, (span, _said(span), False))


def _said(span: TracedSpan, *, later: bool = False) -> Exchange | None:
    """The content of a span, its lists and objects opened."""
    if later:
        asked, answered, system = [unfolded(_opened(span.attributes.get(word))) for word in CONVENTIONS]
        return Exchange(asked, first_answer(answered), system)
    return said_in({key: _opened(one) for key, one in span.attributes.items()}, span.events)


def _opened(value: Any) -> Any:
    return plain_value(value.written) if type(value) is Unopened else value


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    """The calls of a file's spans that are speech."""
    named: Names = {}

    def look(n: int, tree: Any) -> tuple[Node, ReadSpan]:
        told = _told(tree)
        trace = told.span.trace
        session, user = named.get(trace, (None, None))
        if not (session and user):
            named[trace] = session or first_of(told.span, SESSIONS), user or first_of(told.span, USERS)
        return _node(n, told), told

    def call(file: File, place: str, tree: Any, told: ReadSpan | None) -> Iterator[columns.Found]:
        if told is None and isinstance(tree, dict) and not OTHER_SIGNALS.isdisjoint(tree):
            return iter([Reject(place, NO_SPAN, "{}", loss=False)])
        return _called(file, place, told or _told(tree), named)

    yield from spoken_calls(file, records, look, call, named)


OTHER_SIGNALS = frozenset({"resourceMetrics", "resourceLogs", "resourceProfiles"})
NO_SPAN = "another signal among the spans of a collector: no call of a model"
"""Collectors write all signals into one file: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/."""


def _node(key: int, told: ReadSpan) -> Node:
    span, said, later = told
    attributes = span.attributes
    kinds = [str(attributes[word]) for word in KINDS if word in attributes]
    speaks = later or said is not None
    part: Part = "call" if speaks else "step"
    if kinds:
        part = part if STEPS.isdisjoint(kinds) else "step"
        part = part if ASIDE.isdisjoint(kinds) else "aside"
    prompt = _prompt_of(span) if later else _prompt(said.asked, said.system) if said else ""
    return tupled(Node, (key, span.id, span.parent, span.trace, part, speaks, prompt))


class WrittenPrompt(NamedTuple):
    """Instructions as they are written, marshalled: to hold their tree until the trace is over would cost as much."""

    written: bytes

    @property
    def text(self) -> str:
        """The instructions as JSON; empty if there are none."""
        return _prompt(None, plain_value(marshal.loads(self.written)))


def _prompt_of(span: TracedSpan) -> "str | WrittenPrompt":
    """The system prompt of a span whose input is unopened: of that, the first message is enough."""
    asked, system = span.attributes.get(CONVENTIONS[0]), span.attributes.get(CONVENTIONS[2])
    if type(system) is Unopened and _elements(system):
        try:
            return tupled(WrittenPrompt, (marshal.dumps(system.written, 2),))
        except ValueError:  # a key occurs twice
            return _prompt(None, plain_value(system.written))
    if said := _prompt(None, unfolded(_opened(system))):
        return said
    return prompt_of([*map(plain_value, _elements(asked)[:1])] if type(asked) is Unopened else unfolded(asked))


def _prompt(asked: Any, system: Any) -> str:
    return raw(system) if system else prompt_of(asked)


def first_of(span: TracedSpan, words: tuple[str, ...]) -> str | None:
    """The first of these attributes that a span has."""
    attributes = span.attributes
    for word in words:
        if (one := attributes.get(word)) and type(one) in (str, int):
            return fields.identity("id", one)
    return None


NOTHING_SAID = Exchange(None, None)


def _called(file: File, place: str, told: ReadSpan, named: Names) -> Iterator[columns.Found]:
    span = told.span
    session, user = named.get(span.trace, (None, None))
    about = CallAbout(
        place=place,
        conversation_id=first_of(span, SESSIONS) or session or span.trace,
        user_id=first_of(span, USERS) or user,
        started_at=_instant(span.written, *TIMES[0]),
        ended_at=_instant(span.written, *TIMES[1]),
        call_id=f"{span.trace}/{span.id}",
    )
    said = _said(span, later=True) if told.later else told.said
    yield from called(file, about, *(said or NOTHING_SAID))


def _logged(file: File, records: Trees) -> Iterator[columns.Found]:
    """The calls in log records: one a record, or one message a record, which the span's id joins."""
    joined: defaultdict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for n, one in enumerate(records):
        if isinstance(one, Reject):
            yield one
        elif isinstance(one[1], dict) and _event_name(one[1]) in (*EVENT_ROLES, "gen_ai.choice"):
            span = one[1].get("spanId") or one[1].get("span_id") or f"record {n}"
            joined[str(one[1].get("traceId") or one[1].get("trace_id")), str(span)].append((one[0], one[1]))
        else:
            yield from attempted(file, one, lambda f, place, tree: _record(f, [(place, tree)]))
    for found in joined.values():
        yield from attempted(file, found[0], lambda f, place, tree, found=found: _record(f, found))  # type: ignore[misc]


def _event_name(tree: dict[str, Any]) -> str:
    said = plain_attributes(tree.get("attributes"))
    return str(tree.get("eventName") or tree.get("event_name") or said.get("event.name") or "")


def _record(file: File, found: list[tuple[str, dict[str, Any]]]) -> Iterator[columns.Found]:
    """The call that these log records of one span tell."""
    events: list[Event] = []
    attributes: Attributes = {}
    for _, tree in found:
        if not isinstance(tree, dict):
            raise ValueError(f"a log record is needed, this is a {fields.kind(tree)}")
        body = plain_value(tree["body"]) if isinstance(tree.get("body"), dict) else unfolded(tree.get("body"))
        said = plain_attributes(tree.get("attributes"))
        attributes |= said
        events.append((_event_name(tree), said | (body if isinstance(body, dict) else {})))
    place, tree = found[0]
    span = TracedSpan(str(tree.get("spanId")), str(tree.get("traceId") or ""), None, tree, attributes, events)
    times = [nanosecond(one.get("timeUnixNano") or one.get("observedTimeUnixNano")) for _, one in found]
    about = CallAbout(
        place=place,
        conversation_id=first_of(span, SESSIONS) or span.trace or None,
        user_id=first_of(span, USERS),
        started_at=min((at for at in times if at), default=None),
        ended_at=max((at for at in times if at), default=None),
        call_id=f"{span.trace}/{span.id}" if span.trace and tree.get("spanId") else None,
    )
    if (said_there := said_in(attributes, events)) is not None:
        yield from called(file, about, *said_there)


OTLP = Format(
    name="otlp",
    title="spans of OpenTelemetry",
    kind="call",
    signs=(
        "traceId spanId attributes startTimeUnixNano",
        "traceId spanId startTimeUnixNano",
        "traceId attributes[].key attributes[].value !timeUnixNano !observedTimeUnixNano",
        "context.trace_id context.span_id attributes parent_id",
        "context.trace_id context.span_id parent_id start_time",
        "trace_id span_id attributes start_timestamp span_name",
        "trace_id span_id attributes[].key attributes[].value start_time_unix_nano",
    ),
    read=_read,
    docs="https://opentelemetry.io/docs/specs/semconv/gen-ai/",
    ids="gen_ai.conversation.id or session.id, also of another span of the trace; else the trace",
    users="user.id or enduser.id",
    times="start and end of the span",
    speech="messages of the outermost call of a trace, in every convention (GenAI, OpenInference, OpenLLMetry, AI SDK, "
    "Logfire); of a workflow around it, if its argument and its result are words (Traceloop)",
    silent="calls inside another, tools, retrievers, guardrails, evaluators; reasoning parts, system instructions",
)
LOGS = OTLP._replace(
    name="otlp_logs",
    title="log records of OpenTelemetry",
    signs=(
        "timeUnixNano attributes eventName",
        "timeUnixNano attributes eventName traceId",
        "timeUnixNano attributes body traceId",
        "observedTimeUnixNano attributes body",
    ),
    read=_logged,
    ids="gen_ai.conversation.id or session.id, else the trace",
    times="timeUnixNano",
)
