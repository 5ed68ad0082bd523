"""Interactions of the Gemini API: calls chained by `previous_interaction_id`, which keep their steps at the server.

Sources: https://ai.google.dev/gemini-api/docs/interactions and
https://ai.google.dev/gemini-api/docs/interactions-breaking-changes-may-2026 (`outputs` became `steps`; an interaction
that `GET` returns has the step `user_input`, one that `POST` returns has not). They are read as OpenAI's Responses are.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns
from cpa_core.sources.files import File
from cpa_core.sources.formats.form import Format
from cpa_core.sources.formats.openai_responses import RESPONSES
from cpa_core.sources.formats.talks import list_at, object_at
from cpa_core.sources.records import Reject
from cpa_core.sources.trees import Placed, Trees

SPEAKERS = {"user_input": "user", "model_output": "assistant"}
"""Steps in which somebody speaks."""

Tree = dict[str, Any]


class _AsResponses:
    """The interactions of a file as responses, read anew each time they are gone through."""

    def __init__(self, records: Trees) -> None:
        self.records = records

    def __iter__(self) -> Iterator[Placed | Reject]:
        for one in self.records:
            if isinstance(one, Reject) or not isinstance(one[1], dict):
                yield one
            else:
                yield one[0], _as_response(one[1])


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    return RESPONSES.read(file, _AsResponses(records))


def _as_response(tree: Tree) -> Tree:
    """An interaction, or a request and its interaction, as a response of OpenAI's with its input."""
    made, request = object_at(tree, "response") or tree, object_at(tree, "request") or tree
    steps = [_as_item(one) for one in map(object_at, list_at(made, "steps"))]
    if parts := list_at(made, "outputs"):  # until June 2026
        steps.append({"type": "message", "role": "assistant", "content": parts})
    asked = [one for one in steps if one.get("role") == "user"]
    given = request.get("input", made.get("input"))
    found = {
        "id": made.get("id"),
        "created_at": made.get("created") or tree.get("timestamp") or tree.get("created_at"),
        "previous_response_id": request.get("previous_interaction_id") or made.get("previous_interaction_id"),
        "instructions": request.get("system_instruction"),
        "output": [one for one in steps if one.get("role") != "user"],
    }
    return found | ({"input": _as_input(given)} if given else {"input": asked} if asked else {})


def _as_input(given: Any) -> Any:
    """Text, the parts of one message, or the steps before the answer."""
    parts = [given] if isinstance(given, dict) else given
    if not isinstance(parts, list) or not all(isinstance(one, dict) for one in parts):
        return given
    if any("role" in one or one.get("type") in SPEAKERS for one in parts):
        return [_as_item(one) for one in parts]
    return [{"role": "user", "content": parts}]


def _as_item(step: Tree) -> Tree:
    """A step as an item: a message, reasoning, or the call or result of a tool."""
    kind = str(step.get("type") or "")
    if kind in SPEAKERS:
        return {"type": "message", "role": SPEAKERS[kind], "content": step.get("content") or []}
    return {**step, "type": "function_call_output"} if kind.endswith("_result") else step


SPOKEN = "|".join(SPEAKERS)
INTERACTIONS: Format = RESPONSES._replace(
    name="gemini_interactions",
    title="interactions of the Gemini API",
    signs=(
        f"id status steps[].type={SPOKEN}",
        f"request.input response.steps[].type={SPOKEN}",
        "id status outputs[].type role=model",
        "request.input response.outputs[].type",
    ),
    read=_read,
    docs="https://ai.google.dev/gemini-api/docs/interactions",
    ids="the first interaction of the chain of previous_interaction_id",
    users="none",
    times="created",
    speech="text of the steps user_input and model_output, or of input and outputs",
    silent="thoughts, calls and results of tools and searches, the system instruction",
)
