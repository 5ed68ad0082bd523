"""Claude.ai's data export: `conversations.json`, a list of conversations with `chat_messages`.

`text` and the text blocks of `content` say the same; the blocks also hold thinking and tools. Source:
https://support.claude.com/en/articles/9450526-how-can-i-export-my-claude-data (the file's keys: as exports have them).
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord


def _read(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    about = talks.head(file, place, tree, "uuid", start="created_at", title=tree.get("name"))
    user = fields.identity("account.uuid", object_at(tree, "account").get("uuid"))
    return talks.talk(about._replace(user_id=user), _messages(file, place, tree))


def _messages(file: File, place: str, tree: dict[str, Any]) -> Iterator[Made]:
    for n, message in enumerate(_branch(tree)):
        where = f"{place}: chat_messages.{n}"
        if not isinstance(message, dict):
            yield from talks.said(file, where, "user", message)
            continue
        at, role = message.get("created_at"), str(message.get("sender") or "")
        blocks = [block for block in list_at(message, "content") if block]
        content = blocks if any(isinstance(one, dict) and one.get("text") for one in blocks) else message.get("text")
        yield from talks.turn(file, where, role, content or blocks, at, message.get("uuid"))
        for key in ("attachments", "files"):
            for attached in list_at(message, key):
                yield from talks.silent(file, where, "attachment", attached, at)


def _branch(tree: dict[str, Any]) -> list[Any]:
    """The messages of the branch that is shown, else of the newest, where the export has a tree; else all of them."""
    listed = list_at(tree, "chat_messages")
    nodes = {one.get("uuid"): one for one in listed if isinstance(one, dict)}
    parents = {key: node.get("parent_message_uuid") for key, node in nodes.items()}
    known = [parent for parent in parents.values() if parent]
    branches = len(set(known)) < len(known)
    leaf = tree.get("current_leaf_message_uuid") or (next(reversed(nodes), None) if branches else None)
    return [nodes[key] for key in talks.branch(leaf, parents)] if leaf in nodes else listed


CLAUDE_AI = Format(
    name="claude_ai",
    title="Claude.ai's data export",
    kind="conversation",
    signs=("uuid chat_messages[]", "uuid chat_messages[].sender", "uuid chat_messages[].sender chat_messages[].text"),
    read=each(_read),
    docs="https://support.claude.com/en/articles/9450526-how-can-i-export-my-claude-data",
    ids="uuid",
    users="account.uuid",
    times="created_at of each message, else of the conversation",
    speech="human and assistant: the text blocks, else text",
    silent="thinking, tool use and results, attachments, conversations without messages",
)
