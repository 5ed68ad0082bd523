"""Open WebUI's export of chats: `chat.history` is a tree of messages, `currentId` ends the branch that is shown.

Source: https://docs.openwebui.com/features/chat-conversations/data-controls/import-export. The assistant's text holds
its reasoning and its tools in `<details type="reasoning">` (backend/open_webui/utils/middleware.py), which nobody said.
"""

import re
from collections.abc import Iterator
from typing import Any

from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord

DETAILS = re.compile(
    r"<details\b[^>]*\btype=\"(reasoning|tool_calls|code_interpreter)\"[^>]*>.*?</details>\s*", re.DOTALL
)
ROLES = {"reasoning": "reasoning", "tool_calls": "tool_call", "code_interpreter": "tool_call"}


def _read(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    about = talks.head(file, place, tree, "id", "user_id", "created_at", title=tree.get("title"))
    return talks.talk(about, _messages(file, place, tree))


def _messages(file: File, place: str, tree: dict[str, Any]) -> Iterator[Made]:
    for n, message in enumerate(_branch(object_at(tree, "chat"))):
        where = f"{place}: chat.messages.{n}"
        role, content, at = str(message.get("role") or ""), message.get("content"), message.get("timestamp")
        inner: list[re.Match[str]] = []
        words = _without_details(content, inner) if role == "assistant" else content
        for found in inner:
            yield from talks.silent(file, where, ROLES[found[1]], found[0], at)
        yield from talks.turn(file, where, role, words, at, message.get("id"))
        for attached in list_at(message, "files"):
            yield from talks.silent(file, where, "attachment", attached, at)


def _without_details(content: Any, found: list[re.Match[str]]) -> Any:
    """The content of an answer, be it text or a list of parts, without its details, which are added to `found`."""
    if isinstance(content, str):
        found += DETAILS.finditer(content)
        return DETAILS.sub("", content)
    if isinstance(content, list):
        return [_without_details(one, found) for one in content]
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        return {**content, "text": _without_details(content["text"], found)}
    return content


def _branch(chat: dict[str, Any]) -> list[dict[str, Any]]:
    nodes = {key: one for key, one in object_at(chat, "history", "messages").items() if isinstance(one, dict)}
    parents = {key: node.get("parentId") for key, node in nodes.items()}
    leaf = object_at(chat, "history").get("currentId")
    if nodes and leaf not in nodes:
        leaf = talks.latest_leaf(parents, {key: node.get("timestamp") for key, node in nodes.items()})
    way = [nodes[key] for key in talks.branch(leaf, parents)]
    return way or [one for one in list_at(chat, "messages") if isinstance(one, dict)]


OPEN_WEBUI = Format(
    name="open_webui",
    title="Open WebUI's chats",
    kind="conversation",
    signs=(
        "chat.history.messages",
        "chat.history.messages.*.role",
        "chat.history.messages.*.role chat.history.currentId",
        "chat.messages[].role",
    ),
    read=each(_read),
    docs="https://docs.openwebui.com/features/chat-conversations/data-controls/import-export",
    ids="id",
    users="user_id",
    times="timestamp of each message, else created_at of the chat",
    speech="user and assistant on the branch that ends at currentId",
    silent="other branches, reasoning and tools in <details>, files",
)
