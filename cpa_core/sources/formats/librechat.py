"""LibreChat's export of one conversation: messages that name their parent, and by whom with `isCreatedByUser`.

Sources: https://www.librechat.ai/docs/features/import_convos, client/src/hooks/Conversations/useExportConversation.ts
in https://github.com/danny-avila/LibreChat (`messages`, or nested `messagesTree` with `children`).
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, attempted, each
from cpa_core.sources.formats.talks import Made, list_at
from cpa_core.sources.records import Reject, SourceRecord
from cpa_core.sources.trees import Trees


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
        role = _role(message)
        parts = [_part(one) for one in list_at(message, "content")]
        content = _without_thoughts(message["text"]) if isinstance(message.get("text"), str) else None
        content = content or parts
        where, at = f"{place}: messages.{n}", message.get("createdAt")
        yield from talks.turn(file, where, role, content, at, message.get("messageId"))


def _role(message: dict[str, Any]) -> str:
    """Who says a message; what LibreChat shows where an answer failed is its own."""
    if str(message.get("isCreatedByUser")).lower() == "true":
        return "user"
    return "system" if message.get("error") is True else "assistant"


_THOUGHT = re.compile(r"\A\s*:::thinking\s*\n(.*?)\n:::\s*", re.DOTALL)


def _without_thoughts(text: str) -> Any:
    """The text of a message; what the model thought stands before it, between `:::thinking` and `:::`."""
    found = _THOUGHT.match(text)
    if not found:
        return text
    return [{"type": "thinking", "thinking": found[1]}, {"type": "text", "text": text[found.end() :]}]


def _rows(file: File, records: Trees) -> Iterator[columns.Found]:
    """Messages one by one, as a dump of LibreChat's collection has them: those of a conversation together."""
    found: defaultdict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for one in records:
        if isinstance(one, Reject):
            yield one
        elif isinstance(one[1], dict):
            found[str(one[1].get("conversationId"))].append((one[0], one[1]))
    for rows in found.values():
        rows.sort(key=lambda one: str(one[1].get("createdAt")))
        whole = {"conversationId": rows[0][1].get("conversationId"), "user": rows[0][1].get("user")}
        whole["messages"] = [row for _, row in rows]
        yield from attempted(file, (rows[0][0], whole), _read)


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
    silent="other branches, thoughts, tool calls, errors that are shown for an answer",
)

LIBRECHAT_ROWS = LIBRECHAT._replace(
    name="librechat_rows",
    kind="message",
    title="LibreChat's messages, one a record, as a dump of its database has them",
    signs=("messageId conversationId isCreatedByUser", "messageId conversationId isCreatedByUser parentMessageId text"),
    read=_rows,
    docs="https://github.com/danny-avila/LibreChat/blob/main/packages/data-schemas/src/schema/message.ts",
)
