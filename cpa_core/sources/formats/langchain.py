"""LangChain's messages as `messages_to_dict`, `model_dump` and `dumpd` write them, and states of LangGraph threads.

Sources: https://docs.langchain.com/oss/python/langchain/messages (the type is the role),
https://docs.langchain.com/oss/python/langgraph/persistence (a state repeats all that was said in its thread).
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.calls import CallAbout, record
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation, listed
from cpa_core.sources.formats.talks import object_at
from cpa_core.sources.records import Draft, Reject, SourceRecord, moment, own_input

TYPES = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
CLASSES = {f"{kind.capitalize()}Message{part}": role for kind, role in TYPES.items() for part in ("", "Chunk")}
CLASSES |= {f"AIMessage{part}": "assistant" for part in ("", "Chunk")}


def message_of(tree: Any) -> Any:
    """A message of LangChain's, in whichever form it was dumped, as `{role, content}`; anything else as it is."""
    if not isinstance(tree, dict):
        return tree
    if isinstance(tree.get("kwargs"), dict) and isinstance(tree.get("id"), list):  # dumpd: lc, type, id, kwargs
        name = str(tree["id"][-1]) if tree["id"] else ""
        return _plain(tree["kwargs"], CLASSES.get(name) or TYPES.get(str(tree["kwargs"].get("type"))))
    if isinstance(tree.get("data"), dict) and "type" in tree:  # messages_to_dict
        return _plain(tree["data"], TYPES.get(str(tree["type"])))
    kind = str(tree.get("type") or "").removesuffix("MessageChunk").lower()
    return _plain(tree, TYPES[kind]) if "role" not in tree and kind in TYPES else tree


def _plain(tree: dict[str, Any], role: str | None) -> dict[str, Any]:
    """The words of a message; what a model thought stands among the vendor's own arguments."""
    extra = object_at(tree, "additional_kwargs")
    kept = {key: tree[key] for key in ("content", "id", "tool_calls", "timestamp") if tree.get(key) not in (None, [])}
    beside = {key: extra[key] for key in ("refusal", "reasoning_content", "audio") if extra.get(key)}
    return {"role": role or tree.get("role") or tree.get("type"), "content": "", **kept, **beside}


def messages_of(listed_: list[Any]) -> list[Any]:
    """A list of messages in any of these forms; marks that remove others are none."""
    flat = listed_[0] if len(listed_) == 1 and isinstance(listed_[0], list) else listed_
    kept = [one for one in flat if not (isinstance(one, dict) and one.get("type") == "remove")]
    return [message_of(one) for one in kept]


def _thread(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    return conversation(file, place, tree, messages_of(listed(tree, "messages")), tree.get("system"))


def _state(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    held = (
        object_at(tree, "values")
        or object_at(tree, "channel_values")
        or object_at(tree, "checkpoint", "channel_values")
    )
    thread = next((found for found in map(_thread_id, _holders(tree)) if found is not None), None)
    at, assumed = moment(tree.get("created_at", tree.get("ts", object_at(tree, "checkpoint").get("ts"))), file.zone)
    said: list[Draft] = []
    for made in turns.drafts(file, f"{place}: messages", messages_of(listed(held, "messages"))):
        if isinstance(made, Reject):
            yield made
        else:
            said.append(made)
    if not said:
        yield Reject(place, "no messages", "{}", loss=False)
        return
    roles = [file.role(one.role) for one in said]
    last = max((n for n, role in enumerate(roles) if role == "user"), default=0)
    about = CallAbout(place, thread, started_at=at, ended_at=at, zone_assumed=assumed)
    yield record(about, said, own_input(roles[: last + 1]))


def _holders(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a state may name its thread."""
    configured = object_at(tree, "config", "configurable")
    return [tree, object_at(tree, "checkpoint"), configured, object_at(tree, "metadata")]


def _thread_id(holder: dict[str, Any]) -> str | None:
    return fields.identity("thread_id", holder.get("thread_id"))


LANGCHAIN = OPENAI._replace(
    name="langchain",
    title="LangChain's messages",
    signs=(
        "messages[].type=human|ai !messages[].role messages[].content",
        "messages[].type=human|ai !messages[].role messages[].content messages[].additional_kwargs",
        "messages[].type=human|ai !messages[].role messages[].data.content",
        "messages[].lc messages[].id messages[].kwargs.content",
    ),
    read=each(_thread),
    docs="https://docs.langchain.com/oss/python/langchain/messages",
    speech="messages of type human and ai",
    silent="system messages, tool calls and results, reasoning",
)

LANGGRAPH = Format(
    name="langgraph",
    title="states of LangGraph threads",
    kind="call",
    signs=(
        "values.messages[].type",
        "values.messages[].content values.messages[].type checkpoint.thread_id",
        "values.messages[].type created_at",
        "checkpoint.channel_values.messages[]",
        "channel_values.messages[]",
    ),
    read=each(_state),
    docs="https://docs.langchain.com/oss/python/langgraph/persistence",
    ids="thread_id of the checkpoint, the configuration or the metadata",
    users="none",
    times="created_at of the state: that of its newest messages",
    speech="messages of type human and ai",
    silent="system messages, tool calls and results, reasoning; what an earlier state of the thread has said",
)
