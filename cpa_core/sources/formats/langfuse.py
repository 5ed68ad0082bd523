"""Langfuse: traces and observations, as the API, the blob export, the table's CSV and a session's download have them.

Sources: https://langfuse.com/docs/api-and-data-platform/features/public-api,
https://langfuse.com/docs/api-and-data-platform/features/export-to-blob-storage and
https://langfuse.com/docs/observability/features/observation-types. Blob exports name their columns in snake case and
write times of UTC without a zone. Langfuse keeps environments that begin with `langfuse-` for itself: its evaluators.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats.calls import CallAbout, called, record
from cpa_core.sources.formats.form import Format
from cpa_core.sources.formats.trace_reading import Names, spoken_calls
from cpa_core.sources.formats.traces import Node, Part
from cpa_core.sources.records import Reject, SourceRecord, moment
from cpa_core.sources.trees import Trees, unfolded

CALLS = frozenset({"GENERATION", "AGENT"})
STEPS = frozenset({"SPAN", "CHAIN"})
WORDS = {
    "traceId": "trace_id",
    "sessionId": "session_id",
    "userId": "user_id",
    "parentObservationId": "parent_observation_id",
    "startTime": "start_time",
    "endTime": "end_time",
}
"""Langfuse's keys in the API, and in the blob export."""

BLOB = frozenset(WORDS.values())
"""A record with one of these keys is of a blob export, whose times are UTC's."""

EVALUATOR = "a trace of Langfuse's own evaluator: nobody's conversation"
NOTHING = "no input and no output"


def value(tree: Any, word: str) -> Any:
    """A field of a trace or observation, in whichever case it is written."""
    found = tree.get(word)
    return tree.get(WORDS[word]) if found is None and word in WORDS else found


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    """The calls of a file that are speech."""
    sessions: Names = {}

    def look(n: int, tree: Any) -> tuple[Node, None] | None:
        if not (isinstance(tree, dict) and _is_observation(tree)):
            return None
        node = _node(n, tree)
        session, user = sessions.get(node.trace, (None, None))
        sessions[node.trace] = session or value(tree, "sessionId"), user or value(tree, "userId")
        return node, None

    def call(file: File, place: str, tree: Any, _: None) -> Iterator[columns.Found]:
        return _called(file, place, tree, sessions)

    yield from spoken_calls(file, records, look, call, sessions)


def _is_observation(tree: dict[str, Any]) -> bool:
    return bool(value(tree, "traceId"))


def _is_said(tree: dict[str, Any]) -> bool:
    return any(tree.get(word) not in (None, "", [], {}) for word in ("input", "output"))


def _node(key: int, tree: dict[str, Any]) -> Node:
    kind = str(tree.get("type") or "GENERATION").upper()
    part: Part = "call" if kind in CALLS else "step" if kind in STEPS else "aside"
    parent = value(tree, "parentObservationId") or tree.get("parent_span_id")
    trace = str(value(tree, "traceId"))
    own = str(tree.get("id"))
    return Node(key, own, str(parent) if parent else None, trace, part, _is_said(tree), prompt_of(tree.get("input")))


def prompt_of(asked: Any) -> str:
    """Return the system prompt of a call's input, which distinguishes it from others; empty if it has none."""
    asked = unfolded(asked) if isinstance(asked, str) else asked
    listed = asked.get("messages") if isinstance(asked, dict) else asked
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    return raw(first.get("content")) if first.get("role") in ("system", "developer") else ""


def _called(file: File, place: str, tree: Any, sessions: Names) -> Iterator[columns.Found]:
    if not isinstance(tree, dict) or not {"input", "output"} & tree.keys():
        raise ValueError("an object with input and output is needed")
    fields.once(tree)
    if str(tree.get("environment") or "").startswith("langfuse-"):
        yield Reject(place, EVALUATOR, "{}", loss=False)
        return
    if not _is_said(tree):
        inside = tree.get("observations")
        if isinstance(inside, list) and any(isinstance(one, dict) for one in inside):
            yield from _inside(file, place, tree, inside)
        else:
            yield Reject(place, NOTHING, "{}", loss=False)
            yield from [] if _is_observation(tree) else _naming(_about(file, place, tree, sessions))
        return
    trace = None if _is_observation(tree) else fields.identity("id", tree.get("id"))
    for found in called(file, _about(file, place, tree, sessions), tree.get("input"), tree.get("output")):
        yield found._replace(trace_id=trace) if isinstance(found, SourceRecord) else found


def _naming(about: CallAbout) -> Iterator[columns.Found]:
    """A trace that says nothing, but names the session and user of observations that lie in another file."""
    if about.call_id and (about.user_id or about.conversation_id != about.call_id):
        yield record(about, (), 0)._replace(trace_id=about.call_id)


def _inside(file: File, place: str, tree: dict[str, Any], observations: list[Any]) -> Iterator[columns.Found]:
    """A trace that says nothing itself: what its observations say, which name its session and user."""
    named = {"sessionId": value(tree, "sessionId"), "userId": value(tree, "userId"), "traceId": tree.get("id")}
    found = [{**named, **one} for one in observations if isinstance(one, dict)]
    yield from _read(file, [(f"{place}.observations.{n}", one) for n, one in enumerate(found)])


def _about(file: File, place: str, tree: dict[str, Any], sessions: Names) -> CallAbout:
    trace = value(tree, "traceId") or tree.get("id")
    session, user = sessions.get(str(trace), (None, None))
    conversation_id = fields.identity("sessionId", value(tree, "sessionId") or session or trace)
    if conversation_id is None:
        raise ValueError("id: missing")
    exported = bool(tree.keys() & BLOB)
    zone = UTC if exported else file.zone
    started_at, assumed = moment(tree.get("timestamp") or value(tree, "startTime"), zone)
    ended_at, _ = moment(value(tree, "endTime"), zone)
    return CallAbout(
        place=place,
        conversation_id=conversation_id,
        user_id=fields.identity("userId", value(tree, "userId") or user),
        started_at=started_at,
        ended_at=ended_at,
        call_id=fields.identity("id", tree.get("id")),
        zone_assumed=assumed and not exported,
    )


LANGFUSE = Format(
    name="langfuse",
    title="Langfuse traces and observations",
    kind="call",
    signs=(
        "id input output timestamp",
        "id input output timestamp sessionId",
        "id input output timestamp environment userId",
        "id input output timestamp observations[].type observations[].input",
        "id sessionId input",
        "id traceId input output",
        "id traceId type input output startTime",
        "id trace_id type input output start_time",
        "id trace_id type input output start_time parent_observation_id",
        "id trace_id input output start_time provided_model_name",
        "id trace_id parent_span_id type input output start_time session_id user_id",
    ),
    read=_read,
    docs="https://langfuse.com/docs/api-and-data-platform/features/public-api",
    ids="the session, else the trace",
    users="userId of the trace or observation",
    times="timestamp or startTime, endTime for the answer; without a zone in blob exports, where it is UTC",
    speech="input and output of the trace, or of its outermost observation",
    silent="calls inside another, tools, guardrails, evaluators; an object of the application's own is a reject",
)
