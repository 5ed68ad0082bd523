"""A bare list of messages, `[{role, content}, ...]`: the `messages` of a chat saved alone. Also a list of such lists.

Source: https://platform.openai.com/docs/api-reference/chat/create (messages). A list whose elements have more than a
message has may be rows of many conversations under words of their own: it is refused, and the flag that names the
conversation is given.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.formats.form import each
from cpa_core.sources.formats.openai_chat import OPENAI, conversation
from cpa_core.sources.formats.turns import KNOWN
from cpa_core.sources.records import Reject, SourceRecord

ALSO = frozenset({"name", "tool_call_id", "created_at", "createdAt", "metadata", "annotations", "model"})
"""Keys that a message may have besides those that are read."""


def bare(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """The conversation of a bare list of messages. Raises ValueError where they may be rows of several."""
    if not isinstance(tree, list):
        raise ValueError(f"a list of messages is needed, this is a {fields.kind(tree)}")
    others = sorted({key for one in tree if isinstance(one, dict) for key in one if key not in KNOWN | ALSO})
    if others:
        named = ", ".join(key[:40] for key in others[:8])
        raise ValueError(
            f"no conversation is named: if one of {named} names it, say --map conversation_id={others[0][:40]}"
        )
    return conversation(file, place, {}, tree)


MESSAGES = OPENAI._replace(
    name="messages",
    title="a list of messages",
    signs=("[].role [].content",),
    read=each(bare),
    ids="none: what was said",
    users="none",
    times="timestamp of each message",
)
