"""Conversations of support desks: Intercom, Help Scout, Zendesk, Chatwoot, Twilio. Only what a customer reads or writes
is speech.

Sources: https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations,
https://developer.helpscout.com/mailbox-api/endpoints/conversations/threads/list/ (newest first),
https://developer.helpscout.com/mailbox-api/endpoints/conversations/list/ (`embed=threads`),
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/,
https://developers.chatwoot.com/api-reference/messages/get-messages,
https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks,
https://www.twilio.com/docs/conversations/api/conversation-message-resource. A person at the desk is an `agent`, a
program a `bot`: beside each other in one conversation, --roles says who of them is the assistant.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import columns, fields, markup
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord
from cpa_core.sources.trees import unfolded

INTERCOM_ROLES = {"user": "user", "lead": "user", "contact": "user", "bot": "bot", "admin": "agent", "team": "agent"}
SPOKEN_PARTS = frozenset({"comment", "quick_reply", "open", "close", "assignment"})
"""Parts of a conversation that may hold words for the customer; a note never does."""


def _intercom(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    about = talks.head(file, place, tree, "id", start="created_at", title=tree.get("title"))
    source = object_at(tree, "source")
    author = object_at(source, "author")
    contacts = [one for one in list_at(tree, "contacts", "contacts") if isinstance(one, dict)]
    user = author.get("id") if INTERCOM_ROLES.get(str(author.get("type"))) == "user" else None
    user = user or next((one.get("id") for one in contacts if one.get("id")), None)
    first = {**source, "created_at": tree.get("created_at"), "part_type": "comment"}
    parts = [first, *list_at(tree, "conversation_parts", "conversation_parts")]
    made = (one for n, part in enumerate(parts) for one in _intercom_part(file, f"{place}: parts.{n}", part))
    return talks.talk(about._replace(user_id=fields.identity("author.id", user)), made)


def _intercom_part(file: File, place: str, part: Any) -> Iterable[Made]:
    if not isinstance(part, dict) or str(part.get("part_type")) not in SPOKEN_PARTS or part.get("redacted") is True:
        return []
    role = INTERCOM_ROLES.get(str(object_at(part, "author").get("type")), str(object_at(part, "author").get("type")))
    body = part.get("body")
    text = markup.words(body) if isinstance(body, str) else body
    said = talks.said(file, place, role, text, part.get("created_at"), part.get("id"))
    return said + _attached(file, place, part)


def _attached(file: File, place: str, message: dict[str, Any]) -> list[Made]:
    """The files that came with a message."""
    listed = list_at(message, "attachments")
    return [made for one in listed for made in talks.silent(file, place, "attachment", one, message.get("created_at"))]


INSIDE_DESK = frozenset({"note", "lineitem", "forwardparent", "forwardchild", "phone"})
"""Threads of Help Scout's that the customer never sees; of a telephone call there is a note."""
OF_THREADS = re.compile(r"/conversations/(\d+)/")


def _help_scout(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A conversation with its threads, or the list of its threads, which names it in the address of its own."""
    tree = talks.record(tree)
    threads = sorted(map(object_at, list_at(tree, "_embedded", "threads")), key=lambda one: str(one.get("createdAt")))
    found = OF_THREADS.search(str(object_at(tree, "_links", "self").get("href")))
    about = talks.head(
        file, place, {"id": found[1] if found else None, **tree}, "id", start="createdAt", subject=tree.get("subject")
    )
    customers = [object_at(tree, "primaryCustomer"), *(object_at(one, "customer") for one in threads)]
    user = next((one["id"] for one in customers if one.get("id")), None)
    made = (one for item in threads for one in _help_scout_thread(file, f"{place}: {item.get('id')}", item))
    return talks.talk(about._replace(user_id=fields.identity("customer.id", user)), made)


def _help_scout_thread(file: File, place: str, thread: dict[str, Any]) -> Iterator[Made]:
    kind, at, body = str(thread.get("type")), thread.get("createdAt"), thread.get("body")
    if kind in INSIDE_DESK or thread.get("state", "published") != "published":
        return
    author = object_at(thread, "createdBy").get("type")
    role = "user" if author == "customer" else "bot" if author == "system_user" else "agent"
    text = markup.words(body) if isinstance(body, str) else body
    yield from talks.said(file, place, role, text, at, thread.get("id"))
    for attached in list_at(thread, "_embedded", "attachments"):
        yield from talks.silent(file, place, "attachment", attached, at)


def _zendesk_roles(tree: dict[str, Any], ticket: dict[str, Any], authors: list[Any]) -> dict[Any, str]:
    """Which authors are the customer and which the desk, as far as ticket and users say; others are left out.

    Beside the requester, one author who is not in copy is the desk. Of several, nobody is known to be.
    """
    roles = {one.get("id"): str(one.get("role")) for one in list_at(tree, "users") if isinstance(one, dict)}
    found = {one: "user" if role == "end-user" else "agent" for one, role in roles.items()}
    requester = _person(ticket, "requester")
    copied = {one for key in ("collaborator_ids", "email_cc_ids") for one in list_at(ticket, key)}
    for one in [_person(ticket, "assignee"), *list_at(ticket, "follower_ids")]:
        found.setdefault(one, "agent")
    if requester is not None:
        found.setdefault(requester, "user")
        others = dict.fromkeys(one for one in authors if one not in found and one not in copied)
        if len(others) == 1 and "agent" not in {found.get(one) for one in authors}:
            found |= dict.fromkeys(others, "agent")
    return found


def _person(ticket: dict[str, Any], word: str) -> Any:
    """The id of a person of a ticket, also where the person is an object in it."""
    return ticket.get(f"{word}_id", object_at(ticket, word).get("id"))


def ticket(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A ticket's comments. Who is the customer stands in the ticket, or in the users beside it."""
    tree = talks.record(tree)
    about_it = object_at(tree, "ticket") or tree
    comments = [one for one in list_at(tree, "comments") or list_at(about_it, "comments") if isinstance(one, dict)]
    public = [one for one in comments if one.get("public") is not False]
    roles = _zendesk_roles(tree, about_it, [own for one in public if (own := one.get("author_id")) != ZENDESK_ITSELF])
    requester = _person(about_it, "requester") or next((key for key, role in roles.items() if role == "user"), None)
    number = about_it.get("id") or next((one["ticket_id"] for one in comments if one.get("ticket_id")), None)
    about = talks.Head(place, fields.identity("id", number), fields.identity("requester_id", requester))
    made = (
        one
        for n, comment in enumerate(public)
        for one in _zendesk_comment(file, f"{place}: comments.{n}", comment, roles)
    )
    return talks.talk(about, made)


ZENDESK_ITSELF = -1
"""The author of what a trigger or an automation wrote."""


def _zendesk_comment(file: File, place: str, comment: dict[str, Any], roles: dict[Any, str]) -> Iterable[Made]:
    author = comment.get("author_id")
    role = roles.get(author, "system" if author == ZENDESK_ITSELF else str(author))
    if comment.get("type") == "VoiceComment":  # its body is Zendesk's summary of a call
        words = object_at(comment, "data").get("transcription_text")
        return talks.said(file, place, role, words, comment.get("created_at"), comment.get("id"))
    html = comment.get("html_body")
    text = comment.get("plain_body") or (markup.words(html) if isinstance(html, str) else comment.get("body"))
    said = talks.said(file, place, role, text, comment.get("created_at"), comment.get("id"))
    return said + _attached(file, place, comment)


SIDES = {
    "0": "user",
    "1": "assistant",
    "3": "assistant",
    "incoming": "user",
    "outgoing": "assistant",
    "template": "assistant",
}


def _chatwoot(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """A message of Chatwoot's: 0 comes in, 1 goes out, 2 is an activity, 3 a template. A webhook names its event."""
    tree = talks.record(tree)
    if tree.get("event") not in (None, "message_created"):
        yield Reject(place, "an event that creates no message", "{}", loss=False)
        return
    side = SIDES.get(str(tree.get("message_type")))
    deleted = object_at({"": unfolded(tree.get("content_attributes"))}, "").get("deleted")
    if side is None or fields.truth(deleted) or fields.truth(tree.get("private")):
        yield Reject(place, "an activity, a private note or a deleted message: no speech", "{}", loss=False)
        return
    inside = object_at(tree, "conversation")
    number = tree.get("conversation_id") or inside.get("id") or inside.get("display_id")
    conversation_id = fields.needed("conversation_id", number)
    sender = object_at(tree, "sender")
    kind = str(sender.get("type") or tree.get("sender_type") or "").lower()
    role = side if side == "user" else {"user": "agent", "agent_bot": "bot", "agentbot": "bot"}.get(kind, side)
    user = fields.identity("sender.id", sender.get("id") or tree.get("sender_id")) if side == "user" else None
    at = tree.get("created_at")
    made = talks.said(file, place, role, tree.get("content"), at, tree.get("id"))
    yield from talks.in_conversation(made, conversation_id, user)
    yield from talks.in_conversation(_attached(file, place, tree), conversation_id)


ADDRESSES = ("+", "whatsapp:", "messenger:", "rcs:")
"""How the author of what comes in from a telephone or a messenger begins."""


def _twilio(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """A message of a Twilio conversation. A program's message without an author has the author `system`."""
    tree = talks.record(tree)
    conversation_id = fields.needed("conversation_sid", tree.get("conversation_sid", tree.get("conversationSid")))
    author = str(tree.get("author") or "system")
    role = "user" if author.startswith(ADDRESSES) else "assistant" if author == "system" else author
    at = tree.get("date_created", tree.get("dateCreated"))
    made = talks.said(file, place, role, tree.get("body"), at, tree.get("sid"))
    yield from talks.in_conversation(made, conversation_id)
    for attached in list_at(tree, "media"):
        yield from talks.in_conversation(talks.silent(file, place, "attachment", attached, at), conversation_id)


UNREAD = frozenset({"failed", "undelivered", "canceled", "scheduled", "queued", "accepted"})
"""Statuses of a message of Twilio's that nobody has read."""


def _text_message(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """An SMS, or a message of WhatsApp, as Twilio's log has it. The two addresses are the conversation."""
    tree = {key[:1].lower() + key[1:]: value for key, value in talks.record(tree).items()}
    inbound = str(tree.get("direction")) == "inbound"
    ends = [fields.identity(key, tree.get(key)) for key in (("from", "to") if inbound else ("to", "from"))]
    if ends[0] is None:
        raise ValueError("from and to: missing")
    if str(tree.get("status")) in UNREAD and not inbound:
        yield Reject(place, "a message that was not delivered", "{}", loss=False)
        return
    at = next((tree[key] for key in SENT if tree.get(key)), None)
    made = talks.said(file, place, "user" if inbound else "assistant", tree.get("body"), at, tree.get("sid"))
    yield from talks.in_conversation(made, " ".join(filter(None, ends)))


SENT = ("date_sent", "dateSent", "sentDate", "date_created", "dateCreated")

INTERCOM = Format(
    name="intercom",
    title="Intercom's conversations",
    kind="conversation",
    signs=(
        "source.author conversation_parts",
        "source.body source.author.type conversation_parts.conversation_parts[]",
    ),
    read=each(_intercom),
    docs="https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations",
    ids="id",
    users="the author where a user or lead wrote first, else the first contact",
    times="created_at of each part; that of the conversation for its first message",
    speech="bodies of source and parts by user, lead, bot and admin, without their HTML",
    silent="notes, and parts without a body: assignments, tags, state changes",
)

ZENDESK = Format(
    name="zendesk",
    title="comments of Zendesk tickets",
    kind="conversation",
    signs=(
        "comments[].author_id comments[].created_at",
        "comments[].author_id comments[].plain_body",
        "comments[].author_id comments[].public comments[].html_body",
    ),
    read=each(ticket),
    docs="https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/",
    ids="id of the ticket",
    users="requester_id",
    times="created_at of each comment",
    speech="public comments: the requester's and end-users' as user, those of agents and the assignee as agent, and of "
    "the only other author. Of anybody else the author's id is the role, and --roles says whose it is",
    silent="private comments, which are notes; what Zendesk writes of a call, beside the transcript of a voice comment",
)

HELP_SCOUT = Format(
    name="help_scout",
    title="conversations of Help Scout",
    kind="conversation",
    signs=("_embedded.threads[].type _embedded.threads[].createdBy.type", "id _embedded.threads[].body"),
    read=each(_help_scout),
    docs="https://developer.helpscout.com/mailbox-api/endpoints/conversations/threads/list/",
    ids="id of the conversation, for a list of threads that in its address",
    users="primaryCustomer.id, else customer.id of a thread",
    times="createdAt of each thread; they are put in this order",
    speech="body: the customer's as user, a person's at the desk as agent, a program's (system_user) as bot",
    silent="notes, also of telephone calls, line items, forwarded threads, what is not published, attachments",
)

CHATWOOT = Format(
    name="chatwoot",
    title="Chatwoot's messages",
    kind="message",
    signs=(
        "message_type content conversation_id",
        "message_type content conversation_id private",
        "event=message_created message_type content conversation",
        "event=message_updated message_type content conversation",
        "event=conversation_created|conversation_updated|conversation_status_changed|conversation_opened messages",
    ),
    read=each(_chatwoot),
    docs="https://developers.chatwoot.com/api-reference/messages/get-messages",
    ids="conversation_id",
    users="sender.id or sender_id of what comes in",
    times="created_at",
    speech="message_type 0 (user), 1 and 3 (bot, agent or assistant, by the sender)",
    silent="activities (2), private notes, deleted messages, attachments",
    texts=frozenset({"content"}),
)

TWILIO = Format(
    name="twilio",
    title="messages of Twilio Conversations",
    kind="message",
    signs=("conversation_sid author body", "conversation_sid author body sid", "conversationSid author body sid"),
    read=each(_twilio),
    docs="https://www.twilio.com/docs/conversations/api/conversation-message-resource",
    ids="conversation_sid",
    users="none: an address is no id",
    times="date_created",
    speech="body: an author that is an address (+46..., whatsapp:...) is the user, `system` the assistant; any other "
    "author is the role, and --roles says whose it is",
    silent="media",
    texts=frozenset({"body", "Body"}),
)

DIRECTIONS = "inbound|outbound-api|outbound-reply|outbound-call"
TWILIO_MESSAGES = TWILIO._replace(
    name="twilio_messages",
    title="Twilio's log of messages (SMS and WhatsApp)",
    signs=(
        f"sid direction={DIRECTIONS} from to body",
        f"Sid Direction={DIRECTIONS} From To Body",
    ),
    read=each(_text_message),
    docs="https://www.twilio.com/docs/messaging/api/message-resource",
    ids="the two addresses, the customer's first",
    times="date_sent, else date_created",
    speech="body: inbound is the user's, outbound the assistant's",
    silent="messages that were not delivered",
)
