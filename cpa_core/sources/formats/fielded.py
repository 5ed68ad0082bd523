"""Messages whose role, text and conversation stand under fields of a product's own: one row of a table a product.

Desks: https://docs.crisp.chat/references/rest-api/v1/#get-messages-in-conversation,
https://developers.freshchat.com/api/#conversation, https://developers.freshdesk.com/api/#conversations,
https://developers.hubspot.com/docs/api-reference/legacy/conversations, https://dev.frontapp.com/reference/messages,
https://developers.gorgias.com/reference/get_api-messages, https://devdocs.drift.com/docs/retrieve-a-conversations-messages.
Bots and messengers: https://github.com/FlowiseAI/Flowise (chat_message), https://botpress.com/docs/api-reference,
https://learn.microsoft.com/en-us/graph/api/resources/chatmessage, https://docs.langflow.org/memory.
A person at a desk is an `agent`, a program a `bot`, as in `helpdesks`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cpa_core.sources import columns, fields, markup, shapes
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.records import Reject

SILENT = "a note, an event or a draft: no message"

Tree = dict[str, Any]


class Fields(NamedTuple):
    """Where a product keeps the parts of a message: paths, of which the first with a value counts.

    `role` says whose words a record is; "" where it is no speech. `html`: paths of texts that are HTML; where
    `kind_of_text` leads to another word than html, they are plain. `beside`: paths of attachments.
    """

    role: Callable[[Tree], str]
    conversation: tuple[str, ...]
    content: tuple[str, ...]
    time: tuple[str, ...]
    user: tuple[str, ...] = ()
    html: tuple[str, ...] = ()
    message: tuple[str, ...] = ("id",)
    kind_of_text: str = ""
    beside: tuple[str, ...] = ()


def first(tree: Any, paths: Iterable[str]) -> Any:
    """The first value at one of these paths that is not empty."""
    return next((one for path in paths for one in shapes.at(tree, path) if one not in (None, "", [], {})), None)


def text_at(tree: Any, where: Fields) -> Any:
    """The words of a record: a text, the texts of its parts, or those of its HTML."""
    for path in where.content:
        found = [one for one in shapes.at(tree, path) if one not in (None, "")]
        if found and all(isinstance(one, str) for one in found):
            return "\n".join(found)
    html = first(tree, where.html)
    if where.kind_of_text and first(tree, (where.kind_of_text,)) not in (None, "html"):
        return html
    return markup.words(html) if isinstance(html, str) else html


def _message(file: File, place: str, tree: Any, where: Fields) -> Iterator[columns.Found]:
    tree = talks.record(tree)
    role = where.role(tree)
    if not role:
        yield Reject(place, SILENT, "{}", loss=False)
        return
    word = where.conversation[0]
    conversation_id = fields.needed(word, first(tree, where.conversation))
    conversation_id = conversation_id.rsplit("/", 1)[-1] if word.startswith("_links") else conversation_id
    user = fields.identity("user", first(tree, where.user)) if role == "user" else None
    at = first(tree, where.time)
    made = talks.said(file, place, role, text_at(tree, where), at, first(tree, where.message))
    beside = (one for path in where.beside for one in shapes.at(tree, path) if one)
    made += [draft for one in beside for draft in talks.silent(file, place, "attachment", one, at)]
    yield from talks.in_conversation(made, conversation_id, user)
    if not made:
        yield Reject(place, "a message without text", "{}", loss=False)


def _worded(path: str, words: Mapping[str, str]) -> Callable[[Tree], str]:
    """The role by a word that a record has; none for another word."""
    return lambda tree: words.get(str(first(tree, (path,))), "")


def _crisp(tree: Tree) -> str:
    desk = "bot" if fields.truth(tree.get("automated")) else "agent"
    side = {"user": "user", "operator": desk}.get(str(tree.get("from")), "")
    return side if tree.get("type") == "text" else ""


def _freshchat(tree: Tree) -> str:
    known = {"user": "user", "agent": "agent", "bot": "bot"}
    return known.get(str(tree.get("actor_type")), "") if tree.get("message_type", "normal") == "normal" else ""


def _freshdesk(tree: Tree) -> str:
    return "" if fields.truth(tree.get("private")) else "user" if fields.truth(tree.get("incoming")) else "agent"


def _hubspot(tree: Tree) -> str:
    if tree.get("type") not in ("MESSAGE", "WELCOME_MESSAGE"):
        return ""
    if tree.get("direction") == "INCOMING":
        return "user"
    return "agent" if str(first(tree, ("senders[].actorId", "createdBy"))).startswith("A-") else "bot"


def _front(tree: Tree) -> str:
    return "" if fields.truth(tree.get("is_draft")) else "user" if fields.truth(tree.get("is_inbound")) else "agent"


def _gorgias(tree: Tree) -> str:
    hidden = not fields.truth(tree.get("public", True)) or tree.get("channel") == "internal-note"
    return "" if hidden else "agent" if fields.truth(tree.get("from_agent")) else "user"


def _drift(tree: Tree) -> str:
    author = talks.object_at(tree, "author")
    desk = "bot" if fields.truth(author.get("bot")) or author.get("type") == "bot" else "agent"
    side = {"contact": "user", "user": desk, "bot": "bot"}.get(str(author.get("type")), "")
    return side if tree.get("type", "chat") in ("chat", "email") else ""


def _teams(tree: Tree) -> str:
    if tree.get("messageType") != "message" or tree.get("deletedDateTime"):
        return ""
    sender = talks.object_at(tree, "from")
    return "assistant" if talks.object_at(sender, "application") else "user" if sender.get("user") else ""


def _format(name: str, title: str, *signs: str, docs: str, where: Fields, speech: str, silent: str) -> Format:
    def read(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
        return _message(file, place, tree, where)

    named = " or ".join
    return Format(
        name=name,
        title=title,
        kind="message",
        signs=signs,
        read=each(read),
        docs=docs,
        ids=named(where.conversation),
        users=f"{named(where.user)} of what the user says" if where.user else "none",
        times=named(where.time),
        speech=speech,
        silent=silent,
        texts=frozenset((*where.content, *where.html)),
    )


FRESHDESK_FIELDS = Fields(_freshdesk, ("ticket_id",), ("body_text",), ("created_at",), ("user_id",), html=("body",))


def _ticket(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """A ticket of Freshdesk's with its conversations: its description is the requester's first message."""
    tree = talks.record(tree)
    opening = {"ticket_id": tree.get("id"), "incoming": True, "user_id": tree.get("requester_id")}
    opening |= {"body_text": tree.get("description_text"), "body": tree.get("description")}
    opening |= {"created_at": tree.get("created_at"), "id": f"{tree.get('id')}-description"}
    for n, one in enumerate([opening, *talks.list_at(tree, "conversations")]):
        if isinstance(one, dict):
            inside = {"ticket_id": tree.get("id"), **one}
            yield from _message(file, f"{place}: conversations.{n}", inside, FRESHDESK_FIELDS)


BY_FIELDS: tuple[Format, ...] = (
    _format(
        "crisp",
        "messages of Crisp",
        "session_id fingerprint from=user|operator content",
        "session_id website_id fingerprint from=user|operator type origin content",
        docs="https://docs.crisp.chat/references/rest-api/v1/#get-messages-in-conversation",
        where=Fields(
            _crisp,
            ("session_id",),
            ("content",),
            ("timestamp",),
            ("user.user_id", "session_id"),
            message=("fingerprint",),
        ),
        speech="content of type text; from `operator` is the agent, or the bot where it is automated",
        silent="notes, files, events",
    ),
    _format(
        "freshchat",
        "messages of Freshchat",
        "message_parts[] actor_type conversation_id",
        "message_parts[].text actor_type message_type conversation_id created_time",
        docs="https://developers.freshchat.com/api/#conversation",
        where=Fields(
            _freshchat,
            ("conversation_id",),
            ("message_parts[].text.content",),
            ("created_time",),
            ("user_id", "actor_id"),
        ),
        speech="texts of the parts of normal messages, by actor_type",
        silent="private messages, those of the system, pictures and files",
    ),
    _format(
        "freshdesk",
        "conversations of Freshdesk's tickets",
        "ticket_id incoming private body_text",
        "ticket_id incoming private body user_id created_at",
        docs="https://developers.freshdesk.com/api/#list_all_ticket_notes",
        where=FRESHDESK_FIELDS,
        speech="body_text, else body without its HTML; an incoming message is the user's, any other an agent's",
        silent="private notes",
    ),
    _format(
        "hubspot",
        "messages of HubSpot's threads",
        "conversationsThreadId senders[] direction",
        "conversationsThreadId senders[].actorId direction type text createdAt",
        docs="https://developers.hubspot.com/docs/api-reference/legacy/conversations/conversations/threads/get-messages",
        where=Fields(
            _hubspot, ("conversationsThreadId",), ("text",), ("createdAt",), ("senders[].actorId",), html=("richText",)
        ),
        speech="text of messages: INCOMING is the user, OUTGOING an agent (A-...) or a bot",
        silent="comments, changes of assignment and of status",
    ),
    _format(
        "front",
        "messages of Front",
        "is_inbound body _links.related.conversation",
        "is_inbound body text _links.related.conversation created_at is_draft",
        docs="https://dev.frontapp.com/reference/messages",
        where=Fields(
            _front, ("_links.related.conversation",), ("text",), ("created_at",), ("author.id",), html=("body",)
        ),
        speech="text, else body without its HTML; an inbound message is the user's, any other an agent's",
        silent="drafts",
    ),
    _format(
        "gorgias",
        "messages of Gorgias",
        "ticket_id from_agent body_text",
        "ticket_id from_agent body_text public channel sender created_datetime",
        docs="https://developers.gorgias.com/reference/get_api-messages",
        where=Fields(
            _gorgias,
            ("ticket_id",),
            ("stripped_text", "body_text"),
            ("sent_datetime", "created_datetime"),
            ("sender.id",),
            html=("body_html",),
        ),
        speech="stripped_text or body_text of public messages, by from_agent",
        silent="internal notes",
    ),
    _format(
        "drift",
        "messages of Drift",
        "author.type conversationId body createdAt",
        "author.type author.id conversationId body createdAt orgId type",
        docs="https://devdocs.drift.com/docs/retrieve-a-conversations-messages",
        where=Fields(_drift, ("conversationId",), (), ("createdAt",), ("author.id",), html=("body",)),
        speech="words of body of type chat: a contact is the user, a user of Drift the agent",
        silent="private notes and prompts, edits",
    ),
    _format(
        "flowise",
        "chat messages of Flowise",
        "chatflowid role=userMessage|apiMessage content",
        "chatflowid chatId role=userMessage|apiMessage content createdDate",
        docs="https://docs.flowiseai.com/api-reference/chat-message",
        where=Fields(
            _worded("role", {"userMessage": "user", "apiMessage": "assistant"}),
            ("sessionId", "chatId"),
            ("content",),
            ("createdDate",),
        ),
        speech="content of userMessage and apiMessage",
        silent="sources, tools and reasoning beside the content",
    ),
    _format(
        "botpress",
        "messages of Botpress",
        "conversationId direction=incoming|outgoing payload",
        "conversationId direction=incoming|outgoing payload.text type userId createdAt",
        docs="https://botpress.com/docs/api-reference/runtime-api/openapi/listMessages",
        where=Fields(
            _worded("direction", {"incoming": "user", "outgoing": "assistant"}),
            ("conversationId",),
            ("payload.text", "payload.title", "payload.markdown"),
            ("createdAt",),
            ("userId",),
        ),
        speech="text of the payload: incoming is the user's, outgoing the bot's",
        silent="pictures, files, cards",
    ),
    _format(
        "teams",
        "messages of Microsoft Teams, as Graph has them",
        "messageType createdDateTime body.content from",
        "messageType createdDateTime body.content body.contentType from chatId",
        docs="https://learn.microsoft.com/en-us/graph/api/resources/chatmessage",
        where=Fields(
            _teams,
            ("chatId", "replyToId", "id"),
            (),
            ("createdDateTime",),
            ("from.user.id",),
            html=("body.content",),
            kind_of_text="body.contentType",
            beside=("attachments[]",),
        ),
        speech="words of body: an application is the assistant, a user the user",
        silent="messages of the system, deleted ones, cards and other attachments",
    ),
    _format(
        "langflow",
        "messages of Langflow",
        "sender=User|Machine sender_name session_id text",
        "sender=User|Machine sender_name session_id text timestamp",
        docs="https://docs.langflow.org/memory",
        where=Fields(
            _worded("sender", {"User": "user", "Machine": "assistant"}), ("session_id",), ("text",), ("timestamp",)
        ),
        speech="text: of the sender User as user, of Machine as assistant",
        silent="files, properties and content blocks beside the text",
    ),
    _format(
        "salesforce",
        "entries of Salesforce's conversations",
        "ConversationId ActorType Message EntryTime",
        docs="https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/"
        "sforce_api_objects_conversationentry.htm",
        where=Fields(
            _worded("ActorType", {"EndUser": "user", "Agent": "agent", "Bot": "bot"}),
            ("ConversationId",),
            ("Message",),
            ("EntryTime", "ClientTimestamp", "CreatedDate"),
            ("ActorId",),
            message=("Id",),
        ),
        speech="Message: by ActorType of EndUser, Agent and Bot",
        silent="entries of supervisors and of the system",
    ),
    _format(
        "freshdesk_tickets",
        "Freshdesk's tickets with their conversations",
        "id requester_id subject description_text conversations[]",
        "id requester_id subject description_text conversations[].incoming conversations[].private",
        docs="https://developers.freshdesk.com/api/#view_a_ticket",
        where=FRESHDESK_FIELDS,
        speech="description_text is the requester's first message; then as in freshdesk",
        silent="private notes",
    )._replace(read=each(_ticket), ids="id of the ticket", kind="conversation"),
)
"""One row a product."""
