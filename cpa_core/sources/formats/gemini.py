"""Requests of Gemini's generateContent: `{"contents": [{role, parts}]}`, also beside their response.

Source: https://ai.google.dev/api/generate-content. Role `model` is the assistant; a part has no type; `thought` is none
of its words. Logs of Vertex AI have `full_request` and `full_response` in a row of BigQuery
(https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/request-response-logging).
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats.calls import CallAbout, called
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation, listed
from cpa_core.sources.formats.openai_logs import body_of
from cpa_core.sources.records import Reject, SourceRecord, moment
from cpa_core.sources.trees import unfolded

STARTS = ("logging_time", "timestamp", "processed_time", "created_at")
"""When a call was made; `processed_time` is that of a batch."""


def _request(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    return conversation(file, place, tree, _contents(listed(tree, "contents")), instruction(tree))


def _history(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """The contents alone, as a chat's history is saved; Gemini CLI keeps them under `history`."""
    contents = tree if isinstance(tree, list) else listed(tree, "history")
    return conversation(file, place, {}, _contents(contents))


def _contents(given: Any) -> list[Any]:
    """The contents of a request: a list, one of them, or text. One without a role is the user's."""
    found = given if isinstance(given, list) else [given] if given else []
    if found and all(isinstance(one, dict) and "parts" not in one and "role" not in one for one in found):
        return [{"role": "user", "parts": found}]  # parts alone, as the SDK takes them
    return [{"role": "user", **(one if isinstance(one, dict) else {"parts": one})} for one in found]


def instruction(tree: dict[str, Any]) -> Any:
    """The parts of a request's system instruction."""
    given = tree.get("systemInstruction", tree.get("system_instruction"))
    return given.get("parts") if isinstance(given, dict) else given


def _logged(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    if not isinstance(tree, dict):
        raise ValueError(f"a request and its response are needed, this is a {fields.kind(tree)}")
    request = body_of(tree.get("full_request", tree.get("request")))
    answer = unfolded(tree.get("full_response", tree.get("response")))
    response = answer if isinstance(answer, list | str) else body_of(answer)  # a list: a stream's pieces
    created = response.get("createTime") if isinstance(response, dict) else None
    at = next((tree[key] for key in STARTS if tree.get(key)), created)
    started_at, assumed = moment(at, file.zone)
    own = fields.identity("request_id", tree.get("request_id", tree.get("id")))
    about = CallAbout(place, None, None, started_at, None, own, zone_assumed=assumed)
    if not (contents := _contents(request.get("contents"))):
        raise ValueError("contents: missing")
    yield from called(file, about, contents, response or None, instruction(request), ("request", "response"))


GEMINI = OPENAI._replace(
    name="gemini",
    title="requests of Gemini's generateContent",
    signs=("contents[].parts[]", "contents[].parts[] contents[].role"),
    read=each(_request),
    docs="https://ai.google.dev/api/generate-content",
    silent="parts that are thoughts, function calls and responses, files, the system instruction",
)
GEMINI_HISTORY = GEMINI._replace(
    name="gemini_history",
    title="the history of a Gemini chat",
    signs=("[].role=model [].parts[]", "history[].role=model history[].parts[]"),
    read=each(_history),
    ids="none: what was said",
    users="none",
    times="none",
)
GEMINI_LOGS = Format(
    name="gemini_logs",
    title="requests and responses of Gemini, as Vertex AI logs them",
    kind="call",
    signs=(
        "full_request.contents[] full_response",
        "request.contents[] response.candidates[]",
        "request.contents[] response.promptFeedback",
        "request.contents[] response",
        "request.contents response[].candidates[]",
        "request.contents response.candidates[]",
    ),
    read=each(_logged),
    docs="https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/request-response-logging",
    ids="none: calls are chained by history",
    users="none",
    times="logging_time, processed_time or timestamp, else createTime of the response",
    speech="text of the user's contents and of the first candidate",
    silent=GEMINI.silent,
)
