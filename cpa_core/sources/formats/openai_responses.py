"""OpenAI Responses, as a log of them has each with its input: calls chained by `previous_response_id`.

Sources: https://platform.openai.com/docs/api-reference/responses/object and
https://platform.openai.com/docs/api-reference/conversations/list-items (items, newest first by default).
`conversation` names the conversation where the Conversations API keeps it; else the first response of the chain does.
The input may be text or items.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats.calls import CallAbout, called
from cpa_core.sources.formats.form import Format, attempted, each
from cpa_core.sources.formats.openai_chat import ONLY_ANSWERS, OPENAI, conversation, listed
from cpa_core.sources.records import Reject, SourceRecord, moment
from cpa_core.sources.trees import Trees


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    """The responses of a file. A first pass finds the chains."""
    before: dict[str, str] = {}
    for one in records:
        if not isinstance(one, Reject) and isinstance(one[1], dict):
            own, earlier = response_of(one[1]).get("id"), _asked_after(one[1])
            if isinstance(own, str) and isinstance(earlier, str):
                before[own] = earlier
    chains = _Chains(before, frozenset(before.values()))
    for one in records:
        if isinstance(one, Reject):
            yield one
        else:
            yield from attempted(file, one, lambda f, place, tree: _called(f, place, tree, chains))


class _Chains(NamedTuple):
    """The response before each, and those that others follow."""

    before: Mapping[str, str]
    followed: frozenset[str]


def response_of(tree: dict[str, Any]) -> dict[str, Any]:
    """The response in a record: the record itself, or what stands beside its request."""
    inner = tree.get("response")
    return inner if isinstance(inner, dict) else tree


def _request_of(tree: dict[str, Any]) -> dict[str, Any]:
    inner = tree.get("request")
    return inner if isinstance(inner, dict) else tree


def _asked_after(tree: dict[str, Any]) -> Any:
    return response_of(tree).get("previous_response_id") or _request_of(tree).get("previous_response_id")


def _called(file: File, place: str, tree: Any, chains: _Chains) -> Iterator[columns.Found]:
    if not isinstance(tree, dict):
        raise ValueError(f"a response is needed, this is a {fields.kind(tree)}")
    fields.once(tree)
    response, request = response_of(tree), _request_of(tree)
    asked = request.get("input", response.get("input"))
    if asked is None:
        raise ValueError(ONLY_ANSWERS)
    created = response.get("created_at") or tree.get("timestamp") or tree.get("created_at")
    started_at, assumed = moment(created, file.zone)
    ended_at, _ = moment(response.get("completed_at"), file.zone)
    user = request.get("user") or request.get("safety_identifier") or response.get("user")
    conversation_id = _conversation(tree, chains)
    about = CallAbout(
        place=place,
        conversation_id=conversation_id,
        user_id=fields.identity("user", user or response.get("safety_identifier")),
        started_at=started_at,
        ended_at=ended_at,
        call_id=fields.identity("id", response.get("id")),
        zone_assumed=assumed,
        after=None if _named(tree) else str(_asked_after(tree) or ""),
    )
    output = response.get("output", response.get("output_text"))
    yield from called(file, about, asked, output, request.get("instructions") or response.get("instructions"))


def _named(tree: dict[str, Any]) -> str | None:
    """The conversation that a response names."""
    for part in (response_of(tree), _request_of(tree), tree):
        given = part.get("conversation") or part.get("conversation_id")
        named = given.get("id") if isinstance(given, dict) else given
        if named is not None and (found := fields.identity("conversation", named)):
            return found
    return None


def _conversation(tree: dict[str, Any], chains: _Chains) -> str | None:
    """The conversation that a response names, else the first response of its chain in this file.

    None for a response outside of chains: its history leads to its conversation, or it begins one of its own id.
    """
    if found := _named(tree):
        return found
    first = fields.identity("id", response_of(tree).get("id"))
    earlier = _asked_after(tree)
    if not earlier and first not in chains.followed:
        return None
    seen: set[str] = set()
    while isinstance(earlier, str) and earlier not in seen:
        seen.add(earlier)
        first, earlier = earlier, chains.before.get(earlier)
    return first


UNORDERED = (
    "whether the oldest or the newest item stands first cannot be told: write the items in their order as "
    "{messages: [...]}, or export the responses with their input"
)


def _items(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A page of items: one conversation. An answer at the beginning and a question at the end are newest first."""
    items = listed(tree, "data")
    said = [one.get("role") for one in items if isinstance(one, dict) and one.get("role") in ("user", "assistant")]
    if len(said) > 1 and said[0] == said[-1]:
        raise ValueError(UNORDERED)
    turned = bool(said) and said[0] == "assistant"
    return conversation(file, place, {}, items[::-1] if turned else items)


RESPONSES = Format(
    name="openai_responses",
    title="OpenAI Responses with their input",
    kind="call",
    signs=(
        "output[].type object=response",
        "output[].type input object=response created_at",
        "response.output[].type request.input",
        "previous_response_id input output",
    ),
    read=_read,
    docs="https://platform.openai.com/docs/api-reference/responses/object",
    ids="conversation, else the first response of the chain of previous_response_id, also in earlier files; of inputs "
    "with the answers before them, the first response of those that their history chains",
    users="user or safety_identifier",
    times="created_at, completed_at",
    speech="input text of the user, output text and refusals of the assistant",
    silent="reasoning items, calls and results of tools, instructions",
)

ITEMS = OPENAI._replace(
    name="openai_items",
    title="items of an OpenAI conversation, or of the input of a response",
    signs=(
        "object=list data[].type=message data[].role data[].content[].type first_id",
        "object=list data[].type=message data[].role data[].content[].type=input_text|output_text has_more",
    ),
    read=each(_items),
    docs="https://platform.openai.com/docs/api-reference/conversations/list-items",
    ids="none: what was said",
    users="none",
    times="none",
    silent="reasoning items, calls and results of tools",
)
