"""LibreChat's export of one conversation: messages that name their parent, and by whom with `isCreatedByUser`.

Sources: https://www.librechat.ai/docs/features/import_convos, client/src/hooks/Conversations/useExportConversation.ts
in https://github.com/danny-avila/LibreChat (`messages`, or nested `messagesTree` with `children`).
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at
from cpa_core.sources.records import Reject, SourceRecord


def _read(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    about = talks.head(file, place, tree, "conversationId", "user", "createdAt", title=tree.get("title"))
    nodes = list(_unfolded([*list_at(tree, "messages"), *list_at(tree, "messagesTree")]))
    if about.conversation_id is None and nodes:
        about = about._replace(conversation_id=fields.identity("conversationId", nodes[0].get("conversationId")))
    return talks.talk(about, _messages(file, place, nodes))


def _unfolded(messages: list[Any]) -> Iterator[dict[str, Any]]:
    """All messages, those inside `children` as well, parents first."""
    waiting = [one for one in messages if isinstance(one, dict)][::-1]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += [inner for inner in list_at(one, "children") if isinstance(inner, dict)][::-1]


def _messages(file: File, place: str, listed: list[dict[str, Any]]) -> Iterator[Made]:
    nodes = {one.get("messageId"): one for one in listed}
    parents = {key: node.get("parentMessageId") for key, node in nodes.items()}
    leaf = listed[-1].get("messageId") if listed else None
    way = [nodes[key] for key in talks.branch(leaf, parents)] if len(nodes) == len(listed) else listed
    for n, message in enumerate(way):
        role = "user" if message.get("isCreatedByUser") is True else "assistant"
        parts = [_part(one) for one in list_at(message, "content")]
        content = message.get("text") or parts
        where, at = f"{place}: messages.{n}", message.get("createdAt")
        yield from talks.turn(file, where, role, content, at, message.get("messageId"))


def _part(part: Any) -> Any:
    """A part of an answer; what was thought stands under `think`."""
    if isinstance(part, dict) and part.get("type") == "think":
        return {"type": "thinking", "thinking": part.get("think")}
    return part


LIBRECHAT = Format(
    name="librechat",
    title="LibreChat's conversations",
    kind="conversation",
    signs=(
        "messages[].isCreatedByUser",
        "messages[].isCreatedByUser messages[].messageId",
        "messagesTree[].isCreatedByUser",
        "conversationId messages[].isCreatedByUser messages[].parentMessageId",
    ),
    read=each(_read),
    docs="https://www.librechat.ai/docs/features/import_convos",
    ids="conversationId",
    users="user",
    times="createdAt of each message",
    speech="text on the branch that ends at the last message: the user's where isCreatedByUser, else the assistant's",
    silent="other branches, thoughts, tool calls",
)
