"""Zendesk messaging (Sunshine Conversations, before that Smooch): messages of its API and of its webhooks.

Sources: https://docs.smooch.io/guide/receiving-messages/ (webhooks of version 2 and what a message holds),
https://docs.smooch.io/rest/v1/ (version 1: `role` is appUser or appMaker, `received` in seconds),
https://github.com/zendesk/sunshine-conversations-java. A page of messages names no conversation: it is one.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord

SPEAKERS = {"user": "user", "appUser": "user", "business": "agent", "appMaker": "agent"}
"""A business's message is an agent's; with the subtype `AI`, a bot's."""

NO_MESSAGE = "an event without a message: somebody typed, read, joined or left"


def _page(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A page of messages: those of one conversation."""
    tree = talks.record(tree)
    messages = [one for one in list_at(tree, "messages") if isinstance(one, dict)]
    given = object_at(tree, "conversation")
    own = given.get("id", given.get("_id")) or tree.get("conversationId")
    user = next((name for one in messages if (name := _user(one))), None) or object_at(tree, "appUser").get("_id")
    about = talks.Head(place, fields.identity("id", own), fields.identity("userId", user))
    return talks.talk(about, (made for n, one in enumerate(messages) for made in _message(file, f"{place}.{n}", one)))


def _event(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """An event of a webhook: its message, if it has one, in the conversation that it names."""
    tree = talks.record(tree)
    payload = object_at(tree, "payload")
    message = object_at(payload, "message")
    if tree.get("type") != "conversation:message" or not message:
        yield Reject(place, NO_MESSAGE, "{}", loss=False)
        return
    conversation = fields.identity("conversation.id", object_at(payload, "conversation").get("id"))
    if conversation is None:
        raise ValueError("payload.conversation.id: missing")
    user = fields.identity("userId", _user(message))
    yield from talks.in_conversation(_message(file, place, message), conversation, user)


def _user(message: dict[str, Any]) -> Any:
    author = object_at(message, "author")
    return author.get("userId") if author.get("type") == "user" else None


def _message(file: File, place: str, tree: dict[str, Any]) -> Iterator[Made]:
    """One message: its text and what a person filled into a form; anything else it holds is an attachment."""
    if tree.get("deleted") is True:
        return
    author, content = object_at(tree, "author"), object_at(tree, "content") or tree
    speaker = str(author.get("type") or tree.get("role"))
    role = "bot" if "AI" in list_at(author, "subtypes") else SPEAKERS.get(speaker, speaker)
    at, own, kind = tree.get("received"), tree.get("id", tree.get("_id")), str(content.get("type") or "text")
    yield from talks.said(file, place, role, content.get("text") or _filled(content) or None, at, own)
    if kind not in ("text", "formResponse"):
        yield from talks.silent(file, place, "attachment", content, at)


def _filled(content: dict[str, Any]) -> str:
    """Return the fields that a person filled into a form, one in each line."""
    if content.get("type") != "formResponse":
        return ""
    found = [_value(one) for one in list_at(content, "fields") if isinstance(one, dict)]
    return "\n".join(one for one in found if one)


def _value(field: dict[str, Any]) -> str:
    chosen = [str(one["label"]) for one in list_at(field, "select") if isinstance(one, dict) and one.get("label")]
    return str(field.get("text") or field.get("email") or ", ".join(chosen))


MESSAGING = Format(
    name="zendesk_messaging",
    title="messages of Zendesk messaging (Sunshine Conversations)",
    kind="conversation",
    signs=(
        "messages[].author.type=user|business messages[].content.type messages[].received",
        "messages[].role=appUser|appMaker messages[].received",
        "messages[].role=appUser|appMaker messages[].received conversation._id",
    ),
    read=each(_page),
    docs="https://docs.smooch.io/guide/receiving-messages/",
    ids="conversation.id where it stands beside the messages, else what was said",
    users="userId of the first author who is a user",
    times="received",
    speech="text and filled forms of a user; text of a business as agent, or as bot where its subtype is AI",
    silent="images, files, carousels, forms; deleted messages",
)
EVENTS = MESSAGING._replace(
    name="zendesk_messaging_events",
    title="webhooks of Zendesk messaging (Sunshine Conversations)",
    kind="message",
    signs=("type payload.conversation.id createdAt", "type=conversation:message payload.message payload.conversation"),
    read=each(_event),
    ids="payload.conversation.id",
    users="userId of the author",
    silent="images, files, carousels, forms; events that hold no message",
)
