"""LangChain's messages as `messages_to_dict`, `model_dump` and `dumpd` write them, and states of LangGraph threads.

`turns.plain` reads one message of these forms.

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


def messages_of(given: list[Any]) -> list[Any]:
    """The messages of a list, or of the first of several; marks that remove others are none."""
    flat = given[0] if given and isinstance(given[0], list) else given
    return [one for one in flat if not (isinstance(one, dict) and one.get("type") == "remove")]


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


def _saved(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    if not isinstance(tree, list):
        raise ValueError(f"a list of messages is needed, this is a {fields.kind(tree)}")
    return conversation(file, place, {}, messages_of(tree))


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

LANGCHAIN_LISTS = LANGCHAIN._replace(
    name="langchain_messages",
    title="a list of LangChain's messages, as messages_to_dict and model_dump write it",
    signs=(
        "[].type=human|ai [].data.content ![].role",
        "[].type=human|ai [].content ![].role",
        "[].lc [].id [].kwargs.content",
    ),
    read=each(_saved),
    ids="none: what was said",
    users="none",
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
