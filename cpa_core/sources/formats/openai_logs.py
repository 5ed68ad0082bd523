"""Requests and answers of chat completions side by side, as proxies log them; and answers without their prompts.

Sources: https://platform.openai.com/docs/api-reference/chat/object, https://platform.openai.com/docs/guides/batch (its
outputs), https://docs.litellm.ai/docs/proxy/logging_spec (LiteLLM's standard payload) and
https://learn.microsoft.com/azure/api-management/api-management-howto-llm-logs (LLM logs of Azure API Management).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import streams
from cpa_core.sources.formats.calls import CallAbout, called, spoken
from cpa_core.sources.formats.form import Format, attempted, each
from cpa_core.sources.formats.openai_chat import ONLY_ANSWERS
from cpa_core.sources.formats.talks import object_at
from cpa_core.sources.formats.traces import ROOT
from cpa_core.sources.records import Reject, SourceRecord, moment
from cpa_core.sources.trees import Placed, Trees, unfolded

SESSION_KEYS = (
    "conversation_id",
    "session_id",
    "thread_id",
    "sessionId",
    "threadId",
    "conversationId",
    "litellm_session_id",
)
STARTS = ("timestamp", "ts", "startTime", "start_time", "created_at", "createdAt", "request_time", "time", "created")
USERS = ("end_user", "user_id", "userId", "user")
"""Of a record; LiteLLM's `end_user` is the customer, its `user` the owner of the key."""
REQUEST_USERS = ("user", "safety_identifier")
METADATA_USERS = ("user_id", "_user", "user", "userId")
"""Anthropic's requests and gateways keep the user among the metadata (`_user`: Portkey)."""
ANSWERS_BESIDE = ("message", "completion", "output", "answer", "reply")
REQUESTS = ("request", "request_body", "requestBody", "req")
RESPONSES = ("response", "response_body", "responseBody", "res")
ENDS = ("endTime", "end_time", "response_time", "completed_at")


def body_of(tree: Any) -> dict[str, Any]:
    """The object of a request or response, also where a proxy keeps it under `body`, or as text."""
    found = unfolded(tree)
    inner = unfolded(found.get("body")) if isinstance(found, dict) else None
    return inner if isinstance(inner, dict) else found if isinstance(found, dict) else {}


def _pair(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    if not isinstance(tree, dict):
        raise ValueError(f"a request and its response are needed, this is a {fields.kind(tree)}")
    fields.once(tree)
    request = body_of(next((tree[key] for key in (*REQUESTS, "proxy_server_request") if key in tree), None))
    response = next((tree[key] for key in RESPONSES if key in tree), _beside(tree))
    asked = request.get(
        "messages", request.get("input", request.get("prompt", tree.get("messages", tree.get("input"))))
    )
    if not asked:
        raise ValueError(ONLY_ANSWERS)
    answer = body_of(response)
    started_at, assumed = moment(_first(tree, STARTS) or answer.get("created") or streams.began(response), file.zone)
    ended_at, _ = moment(_first(tree, ENDS), file.zone)
    given = unfolded(tree.get("metadata"))
    metadata = {**object_at(given, "requester_metadata"), **object_at(given)}
    asking = request.get("metadata")
    user = _first(tree, USERS) or _first(request, REQUEST_USERS) or _first(metadata, METADATA_USERS)
    user = user or (_first(asking, METADATA_USERS) if isinstance(asking, dict) else None)
    session, trace = _first(tree, SESSION_KEYS) or _first(metadata, SESSION_KEYS), tree.get("trace_id")
    about = CallAbout(
        place=place,
        conversation_id=fields.identity("trace_id", session or trace),
        user_id=fields.identity("user", user),
        started_at=started_at,
        ended_at=ended_at,
        call_id=fields.identity("id", tree.get("id") or answer.get("id")),
        zone_assumed=assumed,
    )
    answered = answer or (response if isinstance(response, str | list) else None)
    made = called(file, about, asked, answered, request.get("system"), ("request", "response"))
    yield from made if session or not trace else map(_of_trace, made)


def _of_trace(made: columns.Found) -> columns.Found:
    """A call that names only its trace, which LiteLLM makes for each request: another may continue what it told."""
    if not isinstance(made, SourceRecord):
        return made
    return made._replace(trace_id=made.conversation_id, standing=ROOT)


def _beside(tree: dict[str, Any]) -> Any:
    """An answer that stands beside the messages of its request, as in Ollama's log: a vendor's, a message, or text."""
    if isinstance(tree.get("choices"), list):
        return {"choices": tree["choices"]}
    return next((tree[key] for key in ANSWERS_BESIDE if tree.get(key)), None)


def _first(tree: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((tree[key] for key in keys if tree.get(key)), None)


def _refused(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    raise ValueError(ONLY_ANSWERS)
    yield  # a reader of records


def _gateway(file: File, records: Trees) -> Iterator[columns.Found]:
    """The calls of Azure API Management's log: one in several rows, in the order of their sequence number."""
    joined: defaultdict[str, list[Placed]] = defaultdict(list)
    for one in records:
        if isinstance(one, Reject):
            yield one
        elif isinstance(one[1], dict):
            joined[str(one[1].get("CorrelationId"))].append(one)
    for rows in joined.values():
        rows.sort(key=lambda one: int(one[1]["SequenceNumber"]) if str(one[1].get("SequenceNumber")).isdecimal() else 0)
        yield from attempted(file, rows[0], lambda f, place, tree, rows=rows: _joined(f, rows))  # type: ignore[misc]


def _joined(file: File, rows: list[Placed]) -> Iterator[columns.Found]:
    place, first = rows[0]
    asked, answered = (
        _messages([row[key] for _, row in rows if row.get(key)], key) for key in ("RequestMessages", "ResponseMessages")
    )
    if not asked:
        raise ValueError(ONLY_ANSWERS)
    started_at, assumed = moment(first.get("TimeGenerated", first.get("TimeGenerated [UTC]")), file.zone)
    about = CallAbout(place, None, None, started_at, None, fields.identity("CorrelationId", first.get("CorrelationId")))
    yield from called(
        file, about._replace(zone_assumed=assumed), asked, answered, words=("RequestMessages", "ResponseMessages")
    )


def _messages(cells: list[Any], word: str) -> list[Any]:
    """The messages of a call's rows: each has its own, or a piece of 32 KB of one JSON."""
    if len(cells) > 1 and all(isinstance(one, str) for one in cells):
        joined = unfolded("".join(cells))
        cells = cells if isinstance(joined, str) else [joined]
    return [message for one in cells for message in spoken(unfolded(one), word)]


PAIRS = Format(
    name="openai_pairs",
    title="requests and responses of chat completions, as a proxy logs them",
    kind="call",
    signs=(
        "request.messages[] response.choices[]",
        "request.body.messages[] response.body",
        *(f"{asked}.messages[] {answered}" for asked, answered in zip(REQUESTS, RESPONSES, strict=True)),
        "messages[].role messages[].content response.choices[].message",
        "messages[].role messages[].content response call_type startTime",
        "messages response call_type startTime",
        "proxy_server_request.messages[] response call_type startTime",
        "input output conversation_id",
        *(f"messages[].role messages[].content {key}" for key in ("response", "choices[].message", *ANSWERS_BESIDE)),
    ),
    read=each(_pair),
    docs="https://platform.openai.com/docs/api-reference/chat/object",
    ids="a session or thread in the record or its metadata, else trace_id (LiteLLM); else calls are chained by history",
    users="end_user, user_id or user of the record; user of the request; user_id or user of the metadata",
    times="timestamp or startTime, endTime",
    speech="messages of the request and the first choice of the response",
    silent="system prompts, reasoning, tool calls and results",
)
ANSWERS = PAIRS._replace(
    name="openai_answers",
    title="answers without their prompts (stored completions, outputs of batches, answers alone)",
    signs=(
        "object=chat.completion choices[].message",
        "choices[].delta !request !messages !prompt !input",
        "type response.object !request !input !messages !prompt",
        "candidates[].content.parts[] !contents !request !prompt !input",
        "custom_id response.body",
        "custom_id response.status_code",
        "custom_id result.message",
        "key response.candidates[]",
        "type=message role=assistant content[] stop_reason",
    ),
    read=each(_refused),
    docs="https://platform.openai.com/docs/guides/batch",
    speech="none: the prompts are elsewhere, so such a file is refused",
)
AZURE = PAIRS._replace(
    name="azure_apim",
    title="LLM logs of Azure API Management",
    signs=("CorrelationId SequenceNumber RequestMessages", "CorrelationId RequestMessages ResponseMessages"),
    read=_gateway,
    docs="https://learn.microsoft.com/azure/api-management/api-management-howto-llm-logs",
    ids="none: calls are chained by history",
    users="none",
    times="TimeGenerated",
)
