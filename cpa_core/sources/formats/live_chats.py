"""Chats between visitors of a site and its desk: Zendesk Chat (before that Zopim) and LiveChat, now of Text.

Sources: https://developer.zendesk.com/api-reference/live-chat/chat-api/chats/ (`history`, offline messages),
https://platform.text.com/docs/agent-chat-api/data-structures (events, users, `visibility`) and
https://platform.text.com/docs/agent-chat-api/ (`list_archives`). A person at the desk is an `agent`, a program a `bot`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord

SENDERS = {"visitor": "user", "agent": "agent", "trigger": "bot"}


def _zendesk(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A chat, or a message that was left while nobody was there."""
    tree = talks.record(tree)
    visitor = object_at(tree, "visitor").get("id")
    about = talks.head(file, place, tree, "id", start="timestamp")._replace(
        user_id=fields.identity("visitor.id", visitor)
    )
    if tree.get("type") == "offline_msg":
        return talks.talk(about, talks.said(file, place, "user", tree.get("message"), tree.get("timestamp")))
    listed = enumerate(map(object_at, list_at(tree, "history")))
    return talks.talk(about, (one for n, item in listed for one in _line(file, f"{place}: history.{n}", item)))


def _line(file: File, place: str, item: dict[str, Any]) -> Iterable[Made]:
    if item.get("type") != "chat.msg":
        return []
    who = str(item.get("sender_type") or str(item.get("nick") or "").partition(":")[0]).lower()
    return talks.said(file, place, SENDERS.get(who, who or "unknown"), item.get("msg"), item.get("timestamp"))


SIDES = {"customer": "user", "agent": "agent"}


def _livechat(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A chat with one thread. A chat has a thread for each visit of a customer, and each is a conversation."""
    tree = talks.record(tree)
    thread = object_at(tree, "thread")
    types = {str(one.get("id")): str(one.get("type")) for one in map(object_at, list_at(tree, "users"))}
    customer = next((key for key, kind in types.items() if kind == "customer"), None)
    about = talks.head(file, place, thread, "id", start="created_at")
    about = about._replace(user_id=fields.identity("users.id", customer))
    listed = enumerate(map(object_at, list_at(thread, "events")))
    return talks.talk(about, (one for n, item in listed for one in _happened(file, f"{place}: {n}", item, types)))


def _happened(file: File, place: str, item: dict[str, Any], types: dict[str, str]) -> Iterable[Made]:
    if "agents" in (item.get("visibility"), item.get("recipients")) or item.get("deleted") is True:
        return []
    at, author = item.get("created_at"), str(item.get("author_id"))
    role = SIDES.get(types.get(author, ""), author)
    if item.get("type") == "message":
        return talks.said(file, place, role, item.get("text"), at, item.get("id"))
    silent = item.get("type") in ("file", "rich_message", "filled_form")
    return talks.silent(file, place, "attachment", item, at) if silent else iter(())


ZENDESK_CHAT = Format(
    name="zendesk_chat",
    title="chats of Zendesk Chat",
    kind="conversation",
    signs=("visitor history[].type history[].msg", "type=offline_msg visitor message"),
    read=each(_zendesk),
    docs="https://developer.zendesk.com/api-reference/live-chat/chat-api/chats/",
    ids="id of the chat",
    users="visitor.id",
    times="timestamp of each message",
    speech="msg of chat.msg: by sender_type the visitor's as user, the agent's as agent, a trigger's as bot",
    silent="joins, ratings, comments, files",
)

LIVECHAT = ZENDESK_CHAT._replace(
    name="livechat",
    title="archives of LiveChat",
    signs=("users[].type thread.events[].author_id thread.events[].type",),
    read=each(_livechat),
    docs="https://platform.text.com/docs/agent-chat-api/data-structures",
    ids="id of the thread",
    users="id of the user of type customer",
    times="created_at of each event",
    speech="text of messages: by the type of their author the customer's as user, the agent's as agent",
    silent="system messages, messages to agents only, files, cards and forms",
)
