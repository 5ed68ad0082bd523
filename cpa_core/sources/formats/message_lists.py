"""A bare list of messages, `[{role, content}, ...]`: the `messages` of a chat saved alone. Also a list of such lists,
and lines `{role, content}`, which are the one conversation of their file.

Sources: https://platform.openai.com/docs/api-reference/chat/create (messages),
https://docs.haystack.deepset.ai/docs/chatmessage (`meta`) and
https://docs.llamaindex.ai/en/stable/api_reference/prompts (`blocks`, `additional_kwargs`).

A list whose elements have more than a
message has may be rows of many conversations under words of their own: it is refused, and the flag that names the
conversation is given. So are lines that repeat a system prompt: each conversation begins with its own.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, conversations, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import turns
from cpa_core.sources.formats.form import attempted, each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation
from cpa_core.sources.formats.parts import is_silent_item
from cpa_core.sources.formats.turns import KNOWN
from cpa_core.sources.records import Reject
from cpa_core.sources.sessions import SESSIONS, named_by
from cpa_core.sources.trees import Trees

ALSO = frozenset({"name", "tool_call_id", "created_at", "createdAt", "metadata", "annotations", "model", "status"})
ALSO |= {"meta", "additional_kwargs"}
"""Keys that a message may have besides those that are read; calls and results of tools beside it have others."""


def bare(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """The conversation of a bare list of messages, or its rows if each names its session.

    Raises ValueError where the messages may be rows of several conversations, and nothing names them.
    """
    if not isinstance(tree, list):
        raise ValueError(f"a list of messages is needed, this is a {fields.kind(tree)}")
    if file.sessions.of_rows and tree and all(isinstance(one, dict) and named_by(one, SESSIONS) for one in tree):
        return _rows(file, place, tree)
    said = (one for one in tree if isinstance(one, dict) and ("role" in one or not is_silent_item(one)))
    others = sorted({key for one in said for key, value in one.items() if key not in KNOWN | ALSO and _may_name(value)})
    if others:
        named = ", ".join(key[:40] for key in others[:8])
        likely = next((key for key in SESSIONS if key in others), others[0])[:40]
        raise ValueError(f"no conversation is named: if one of {named} names it, say --map conversation_id={likely}")
    if several := _named_inside(tree):
        raise ValueError(f"its messages name different conversations: say --map conversation_id={several}")
    return conversation(file, place, {}, tree)


def _may_name(value: Any) -> bool:
    """Whether a field may name a conversation: an empty one, a list or a truth value names none."""
    try:
        return fields.identity("", value) is not None
    except ValueError:
        return False


def _rows(file: File, place: str, tree: list[Any]) -> Iterator[columns.Found]:
    for n, one in enumerate(tree):
        yield from conversations.one_line(file, f"{place}: {n}", one, turns.drafts_of)


HELD = ("metadata", "meta", "additional_kwargs")


def _named_inside(tree: list[Any]) -> str | None:
    """The path at which what messages say about themselves names different conversations; None where it does not."""
    found: dict[str, set[str]] = {}
    for one in tree:
        for held in HELD if isinstance(one, dict) else ():
            inner = one.get(held)
            for key in SESSIONS if isinstance(inner, dict) else ():
                if inner.get(key) not in (None, ""):
                    found.setdefault(f"{held}.{key}", set()).add(str(inner[key]))
    return next((path for path, values in found.items() if len(values) > 1), None)


SEVERAL = (
    "the same system prompt stands here more than once, so these lines are several conversations: name the field that "
    "tells them apart (--map conversation_id=FIELD), or write each conversation as {messages: [...]}"
)


def _lines(file: File, records: Trees) -> Iterator[columns.Found]:
    """The messages of a whole file, which are one conversation."""
    said: list[Any] = []
    for one in records:
        if isinstance(one, Reject):
            yield one
        else:
            said.append(one[1])
    yield from attempted(file, ("lines", said), _one)


def _one(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    if all(isinstance(one, dict) and named_by(one, SESSIONS) for one in tree):
        return bare(file, place, tree)
    prompts = [str(one.get("content")) for one in tree if isinstance(one, dict) and one.get("role") in PROMPTS]
    if len(set(prompts)) < len(prompts):
        raise ValueError(SEVERAL)
    return bare(file, place, tree)


PROMPTS = ("system", "developer")

MESSAGES = OPENAI._replace(
    name="messages",
    title="a list of messages",
    signs=("[].role [].content", "[].role [].blocks[].block_type"),
    read=each(bare),
    ids="session_id, thread_id, conversationId and the like of each message, else none: what was said",
    users="none",
    times="timestamp of each message",
)

LINES = MESSAGES._replace(
    name="message_lines",
    title="messages, one a line",
    signs=("role content",),
    read=_lines,
    ids="session_id, thread_id, conversationId and the like of each line, else none: the file is one conversation",
)
"""Only lines have this format, and only where no other fits: see `recognition`."""
