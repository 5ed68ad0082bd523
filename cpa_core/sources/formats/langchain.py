"""LangChain's messages as `messages_to_dict`, `model_dump` and `dumpd` write them, and states of LangGraph threads.

`turns.plain` reads one message of these forms.

Sources: https://docs.langchain.com/oss/python/langchain/messages (the type is the role),
https://docs.langchain.com/oss/python/langgraph/persistence (a state repeats all that was said in its thread) and
https://github.com/langchain-ai/langchain-postgres (a table of chat histories; MongoDB's and DynamoDB's are alike).
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.calls import CallAbout, record
from cpa_core.sources.formats.form import NOT_OF_THE_FORM, Format, attempted, each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation, listed
from cpa_core.sources.formats.talks import object_at
from cpa_core.sources.records import Draft, Reject, SourceRecord, moment, own_input
from cpa_core.sources.trees import Trees, unfolded


def messages_of(given: list[Any]) -> list[Any]:
    """The messages of a list, or of the first of several; marks that remove others are none."""
    flat = given[0] if given and isinstance(given[0], list) else given
    return [one for one in flat if not (isinstance(one, dict) and one.get("type") == "remove")]


def _thread(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    return conversation(file, place, tree, messages_of(listed(tree, "messages")), tree.get("system"))


INSIDE = "a state of a graph inside another: neither said nor read by anybody"
SAID_BEFORE = "a state in which nothing is said that an earlier one of its thread has not"


def _states(file: File, records: Trees) -> Iterator[columns.Found]:
    """The states of a file. A first pass finds what each repeats of the one before it in its thread."""
    threads: dict[str, list[tuple[str, int, list[str]]]] = {}
    for n, one in enumerate(records):
        if not isinstance(one, Reject) and isinstance(one[1], dict) and not _is_inside(one[1]):
            try:
                found = [raw([m.get("type", m.get("role")), m.get("content")]) for m in _held(one[1])]
                thread = next((found for found in map(_thread_id, _holders(one[1])) if found is not None), None)
            except (ValueError, *NOT_OF_THE_FORM):
                continue  # the second pass says why
            if thread is not None:
                threads.setdefault(thread, []).append((str(_written_at(one[1]) or ""), n, found))
    repeated: dict[int, int] = {}
    for states in threads.values():
        before: list[str] | None = None
        for _, n, found in sorted(states):
            if before is not None and found[: len(before)] == before:
                repeated[n] = len(before)
            before = found
    for n, one in enumerate(records):
        if isinstance(one, Reject):
            yield one
        else:
            yield from attempted(file, one, lambda f, place, tree, n=n: _state(f, place, tree, repeated.get(n)))  # type: ignore[misc]


def _held(tree: dict[str, Any]) -> list[Any]:
    """The messages of a state; none where it has not begun. Raises ValueError where it is no state."""
    held = (
        object_at(tree, "values")
        or object_at(tree, "channel_values")
        or object_at(tree, "checkpoint", "channel_values")
    )
    return messages_of(listed(held, "messages")) if "messages" in held else []


def _written_at(tree: dict[str, Any]) -> Any:
    return tree.get("created_at", tree.get("ts", object_at(tree, "checkpoint").get("ts")))


def _state(file: File, place: str, tree: Any, repeated: int | None) -> Iterator[SourceRecord | Reject]:
    """One state. So many messages, where that is known, are those of the state before it."""
    tree = talks.record(tree)
    if _is_inside(tree):
        yield Reject(place, INSIDE, "{}", loss=False)
        return
    listed_there = _held(tree)
    at, assumed = moment(_written_at(tree), file.zone)
    said: list[Draft] = []
    known = 0
    for n, turn in enumerate(listed_there):
        known = len(said) if n == repeated else known
        for made in turns.drafts_of(file, f"{place}: messages.{n}", turn):
            if isinstance(made, Reject):
                yield made
            else:
                said.append(made)
    if not said or (listed_there and repeated == len(listed_there)):
        yield Reject(place, SAID_BEFORE if said else "no messages", "{}", loss=False)
        return
    roles = [file.role(one.role) for one in said]
    last = max((n for n, role in enumerate(roles) if role == "user"), default=0)
    own = own_input(roles[: last + 1]) if repeated is None else known
    yield record(_state_about(place, tree)._replace(started_at=at, ended_at=at, zone_assumed=assumed), said, own)


def _state_about(place: str, tree: dict[str, Any]) -> CallAbout:
    """Thread, user and id of a state."""
    holders = _holders(tree)
    thread = next((found for found in map(_thread_id, holders) if found is not None), None)
    user = next((one["user_id"] for one in holders if one.get("user_id")), None)
    own = next((one["checkpoint_id"] for one in holders if one.get("checkpoint_id")), None)
    return CallAbout(place, thread, fields.identity("user_id", user), call_id=fields.identity("checkpoint_id", own))


def _holders(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a state may name its thread."""
    configured = object_at(tree, "config", "configurable")
    return [tree, object_at(tree, "checkpoint"), configured, object_at(tree, "metadata")]


def _is_inside(tree: dict[str, Any]) -> bool:
    """Whether a state is that of a graph inside another, whose namespace it bears."""
    return any(one.get("checkpoint_ns") for one in _holders(tree))


def _thread_id(holder: dict[str, Any]) -> str | None:
    return fields.identity("thread_id", holder.get("thread_id"))


def _saved(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    if not isinstance(tree, list):
        raise ValueError(f"a list of messages is needed, this is a {fields.kind(tree)}")
    return conversation(file, place, {}, messages_of(tree))


def _row(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """A row of a table of chat histories: one message, or the list of a session's."""
    tree = talks.record(tree)
    session = fields.needed("session_id", tree.get("session_id", tree.get("SessionId")))
    held = unfolded(tree.get("message", tree.get("History")))
    at = next((tree[key] for key in ("created_at", "createdAt", "timestamp") if tree.get(key)), None)
    for n, turn in enumerate(held if isinstance(held, list) else [held]):
        given = turns.plain(unfolded(turn))
        timed = {"timestamp": at, **given} if isinstance(given, dict) else given
        yield from talks.in_conversation(turns.drafts_of(file, f"{place}: {n}", timed), session)


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
    read=_states,
    docs="https://docs.langchain.com/oss/python/langgraph/persistence",
    ids="thread_id of the checkpoint, the configuration or the metadata",
    users="user_id of the metadata or the configuration",
    times="created_at of the state: that of its newest messages",
    speech="messages of type human and ai",
    silent="system messages, tool calls and results, reasoning; what an earlier state of the thread has said",
)

LANGCHAIN_ROWS = LANGCHAIN._replace(
    name="langchain_rows",
    title="a table of LangChain's chat histories, as Postgres, MongoDB, DynamoDB and n8n keep it",
    kind="message",
    signs=(
        "session_id message.type=human|ai|system|tool message.content",
        "session_id message.type=human|ai|system|tool message.data.content",
        "SessionId History.type=human|ai|system|tool",
        "SessionId History[].type=human|ai|system|tool",
    ),
    read=each(_row),
    docs="https://github.com/langchain-ai/langchain-postgres",
    ids="session_id",
    users="none",
    times="created_at, where the table has it",
)
