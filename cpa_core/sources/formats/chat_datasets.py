"""Rows of published chats such as WildChat and LMSYS-Chat-1M: a column `conversation` with a list of messages.

Sources: https://huggingface.co/datasets/allenai/WildChat-1M, https://huggingface.co/datasets/lmsys/lmsys-chat-1m.
WildChat's `conversation_hash` is one of the content, and several conversations share it, also in different files. Its
turn_identifier counts all turns of the data set; one that begins with 0 or 1 counts those of its own conversation.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import list_at
from cpa_core.sources.records import Reject, SourceRecord

IDS = ("conversation_hash", "conversation_id", "id")


def _turn(tree: Any) -> int | None:
    """The identifier of a row's first turn."""
    first = next(iter(list_at(tree, "conversation")), None)
    turn = first.get("turn_identifier") if isinstance(first, dict) else None
    return turn if type(turn) is int else None


def _row(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    own = next((key for key in IDS if tree.get(key)), IDS[0])
    start = "timestamp" if tree.get("timestamp") else "tstamp"
    about = talks.head(file, place, tree, own, start=start, model=tree.get("model"), language=tree.get("language"))
    turn = _turn(tree) if own == "conversation_hash" else None
    if turn is not None and turn > 1 and about.conversation_id:
        about = about._replace(conversation_id=f"{about.conversation_id}-{turn}")
    user = fields.identity("hashed_ip", tree.get("user_id") or tree.get("hashed_ip"))
    messages = turns.drafts(file, f"{place}: conversation", map(_plain, list_at(tree, "conversation")))
    return talks.talk(about._replace(user_id=user), messages)


def _plain(message: Any) -> Any:
    """A message without the row's other columns, which say the same in each."""
    kept = ("role", "content", "timestamp")
    return {key: message[key] for key in kept if key in message} if isinstance(message, dict) else message


CHAT_DATASET = Format(
    name="chat_dataset",
    title="rows of WildChat, LMSYS and the like",
    kind="conversation",
    signs=(
        "conversation[].role conversation[].content",
        "conversation_hash conversation[].role conversation[].content",
    ),
    read=each(_row),
    docs="https://huggingface.co/datasets/allenai/WildChat-1M",
    ids="conversation_id, or conversation_hash; with WildChat's first turn_identifier",
    users="user_id or hashed_ip",
    times="timestamp of each message, else of the row",
    speech="content of user and assistant",
    silent="every other role",
)
