"""OpenAI chats: `{"messages": [{role, content}]}`, one conversation a record.

Source: https://platform.openai.com/docs/api-reference/chat/create (messages, refusal, audio, tool_calls).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import turns
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.wrappers import is_wrapped, unwrapped
from cpa_core.sources.records import Draft, Reject, SourceRecord, moment
from cpa_core.sources.sessions import SESSIONS, named_by, session_id

ONLY_ANSWERS = "only answers stand here, and not what was asked: export the prompts (the input of each call) with them"
"""Why answers without prompts are refused."""

KEYS = frozenset({"messages", "conversations", "contents", "system", "id", "conversation_id", "user_id", "user"})
KNOWN = KEYS | {"timestamp", "systemInstruction", "system_instruction"}

CONVERSATIONS = frozenset(
    f"{word}{ending}"
    for word in ("conversation", "session", "thread", "chat", "dialog", "dialogue", "ticket")
    for ending in ("_id", "Id", "ID", "_sid", "_uuid")
)
"""Under these keys a message names the conversation that it belongs to."""


USERS = ("user_id", "user", "userId", "userID", "user_uuid")
"""Beside a list of messages, these keys name the user."""


def conversation(
    file: File, place: str, tree: dict[str, Any], messages: Sequence[Any], system: Any = None
) -> Iterator[SourceRecord | Reject]:
    """A record whose messages stand in a list, as one conversation; those that are no messages as rejects.

    Its id is `conversation_id`, `id` or one of SESSIONS, its user one of USERS, its start `timestamp`. Raises
    ValueError.
    """
    fields.once(tree)
    conversation_id = fields.identity("id", tree.get("conversation_id", tree.get("id")))
    started_at, assumed = moment(tree.get("timestamp"), file.zone)
    if conversation_id is None and (key := several([file.message(one) for one in messages])):
        raise ValueError(f"its messages name different conversations: say --map conversation_id={key}")
    session = named_by(tree, SESSIONS) if conversation_id is None and file.sessions.of_lists else ""
    conversation_id = conversation_id or session_id(session, tree.get(session))
    user_id = _user(file, tree)
    metadata = fields.rest(tree, KNOWN | {session, *(USERS if file.sessions.of_lists else ())})
    if not messages:
        yield Reject(place, "no messages", "{}", loss=False)
        return
    if is_wrapped(messages):
        messages = list(unwrapped(messages))
    first = [{"role": "system", "content": system}] if system else []
    said: list[Draft] = []
    for made in turns.drafts(file, f"{place}: messages", [*first, *messages]):
        if isinstance(made, Reject):
            yield made
        else:
            said.append(made)
    if said:
        about = (conversation_id, user_id, started_at, None, tuple(said))
        yield SourceRecord(place, "conversation", *about, metadata=metadata, zone_assumed=assumed)


def _user(file: File, tree: dict[str, Any]) -> str | None:
    """The user whom a record names, also as an object with an id of its own. Raises ValueError."""
    if not file.sessions.of_lists:
        return fields.identity("user_id", tree.get("user_id", tree.get("user")))
    given = next((tree[key] for key in USERS if tree.get(key) not in (None, "", {})), None)
    return fields.identity("user_id", given.get("id", given.get("user_id")) if isinstance(given, dict) else given)


def several(messages: Sequence[Any]) -> str | None:
    """The key by which the messages of one list name different conversations; None where they do not."""
    named = [one for one in messages if isinstance(one, dict) and not CONVERSATIONS.isdisjoint(one)]
    return next(
        (key for key in sorted(CONVERSATIONS) if len({str(one[key]) for one in named if one.get(key)}) > 1), None
    )


def listed(tree: Any, key: str) -> list[Any]:
    """The list under this key of a record. Raises ValueError where there is none."""
    if not isinstance(tree, dict):
        raise ValueError(f"an object with messages is needed, this is a {fields.kind(tree)}")
    if not isinstance(tree.get(key), list):
        raise ValueError(f'an object with a list "{key}" is needed')
    found: list[Any] = tree[key]
    return found


def _chat(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    return conversation(file, place, tree, listed(tree, "messages"), tree.get("system"))


OPENAI = Format(
    name="openai",
    title="OpenAI chats",
    kind="conversation",
    signs=(
        "messages[]",
        "messages[].role",
        "messages[].role messages[].content",
        "messages[].role messages[].blocks[]",
    ),
    read=each(_chat),
    docs="https://platform.openai.com/docs/api-reference/chat/create",
    ids="conversation_id or id, else session_id, thread_id, chat_id and the like; else what was said",
    users="user_id, user or userId",
    times="timestamp of each message, else of the conversation",
    speech="text, refusals and transcripts of audio, of user and assistant",
    silent="system prompts, reasoning, tool calls and results, images and files",
)
