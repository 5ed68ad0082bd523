"""AI events as product analytics export them: PostHog's `$ai_generation` and Amplitude's `[Agent]` events.

Sources: https://posthog.com/docs/llm-analytics/generations, https://posthog.com/docs/llm-analytics/traces,
https://posthog.com/docs/api/queries (an answer to a query: `columns`, and `results` in lists);
https://amplitude.com/docs/amplitude-ai/agent-analytics/taxonomy, https://amplitude.com/docs/apis/analytics/export
(times without a zone are UTC's).
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.traced import TraceRow, spans
from cpa_core.sources.formats.traces import Part
from cpa_core.sources.records import Draft, Reject, as_json, moment, whole
from cpa_core.sources.trees import unfolded

GENERATIONS = frozenset({"$ai_generation"})
STEPS = frozenset({"$ai_trace", "$ai_span"})
PROPERTY = "properties."
COLUMNS = (f"{PROPERTY}$ai_", "$ai_")
"""How the columns of an answer to a query begin that are properties of AI events."""


def _posthog(tree: dict[str, Any]) -> TraceRow:
    """An event of PostHog's: a generation, or the trace or span around it. Any other says nothing."""
    about = _properties(tree)
    event = str(tree.get("event") or ("$ai_generation" if "$ai_input" in about else ""))
    trace = str(about.get("$ai_trace_id") or tree.get("uuid"))
    own = (
        trace
        if event == "$ai_trace"
        else about.get("$ai_generation_id") or about.get("$ai_span_id") or tree.get("uuid")
    )
    parent = about.get("$ai_parent_id") or (None if event == "$ai_trace" else trace)
    part: Part = "call" if event in GENERATIONS else "step" if event in STEPS else "aside"
    generated = event in GENERATIONS
    return TraceRow(
        id=str(own),
        trace=trace,
        parent=str(parent) if parent and event != "$ai_trace" else None,
        part=part,
        asked=unfolded(about.get("$ai_input" if generated else "$ai_input_state")),
        answered=unfolded(about.get("$ai_output_choices" if generated else "$ai_output_state")),
        conversation_id=about.get("$ai_session_id") or about.get("$ai_trace_id"),
        user_id=tree.get("distinct_id") or about.get("distinct_id"),
        started=tree.get("timestamp"),
        ended=None,
    )


def _properties(tree: dict[str, Any]) -> dict[str, Any]:
    """The properties of an event; in a query's answer each may be a column of its own, with or without that word."""
    given = unfolded(tree.get("properties"))
    about: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    apart = {key.removeprefix(PROPERTY): unfolded(value) for key, value in tree.items() if key.startswith(COLUMNS)}
    return about | {key: value for key, value in apart.items() if value is not None}


def _is_foreign(tree: dict[str, Any]) -> bool:
    """Whether an event has nothing to do with a model: an export holds those of the whole product."""
    return "$ai_" not in str(tree.get("event")) and not any(key.startswith(COLUMNS) for key in tree)


AMPLITUDE_ROLES = {"[Agent] User Message": "user", "[Agent] AI Response": "assistant", "[Agent] Tool Call": "tool_call"}


def _amplitude(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """An event of Amplitude's agent analytics: one message."""
    tree = talks.record(tree)
    role = AMPLITUDE_ROLES.get(str(tree.get("event_type")))
    given = unfolded(tree.get("event_properties"))
    about: dict[str, Any] = given if isinstance(given, dict) else {}
    if role is None:
        yield Reject(place, "an event that is no message", "{}", loss=False)
        return
    session = fields.needed("[Agent] Session ID", about.get("[Agent] Session ID"))
    message = unfolded(about.get("$llm_message"))
    text = about.get("$llm_message.text", message.get("text") if isinstance(message, dict) else message)
    if role == "tool_call":
        text = as_json({key: value for key, value in about.items() if key.startswith("[Agent] Tool")})
    if not isinstance(text, str) or not text:
        yield Reject(place, "no text: the privacy mode of the SDK leaves it out", raw(tree.get("event_type")))
        return
    sent_at, _ = moment(tree.get("event_time") or tree.get("time"), UTC)
    user = fields.identity("user_id", tree.get("user_id") or tree.get("device_id"))
    own = fields.identity("uuid", tree.get("$insert_id") or tree.get("uuid"))
    yield Draft(place, session, own, user, role, whole(text), sent_at, None, None)


POSTHOG = Format(
    name="posthog",
    title="PostHog's AI events",
    kind="call",
    signs=(
        "event=$ai_generation|$ai_trace|$ai_span properties",
        "event=$ai_generation|$ai_trace|$ai_span properties distinct_id timestamp",
        "event properties distinct_id timestamp",
        "properties.$ai_input properties.$ai_output_choices timestamp",
        "$ai_input $ai_output_choices timestamp",
    ),
    read=spans(_posthog, foreign=_is_foreign),
    docs="https://posthog.com/docs/llm-analytics/generations",
    ids="$ai_session_id, else $ai_trace_id",
    users="distinct_id",
    times="timestamp of the event",
    speech="the states of a trace where they are messages or text, else its outermost $ai_generation",
    silent="spans, embeddings, feedback and metrics; other events",
)

AMPLITUDE = Format(
    name="amplitude",
    title="Amplitude's [Agent] events",
    kind="message",
    signs=(
        "event_type=[Agent]+User+Message|[Agent]+AI+Response|[Agent]+Tool+Call event_properties",
        "event_type event_properties.[Agent]+Session+ID",
        "event_type event_properties event_time",
    ),
    read=each(_amplitude),
    docs="https://amplitude.com/docs/amplitude-ai/agent-analytics/taxonomy",
    ids="[Agent] Session ID",
    users="user_id, else device_id",
    times="event_time, which is UTC",
    speech="$llm_message.text of [Agent] User Message and [Agent] AI Response",
    silent="tool calls, spans, scores and session events",
)
