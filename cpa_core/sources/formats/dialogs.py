"""Conversations whose turns stand in a list of a product's own: Telegram, WhatsApp, Discord, Amazon Connect, Voiceflow.

And the log of Amazon Lex.

Sources: https://core.telegram.org/import-export, https://github.com/Tyrrrz/DiscordChatExporter (JSON),
https://docs.aws.amazon.com/connect/latest/adminguide/chat-transcripts.html and /contact-lens-analyze-chat.html,
https://docs.aws.amazon.com/lexv2/latest/dg/conversation-logs-cw.html, and of V1
https://docs.aws.amazon.com/lex/latest/dg/conversation-logs-cw.html,
https://docs.voiceflow.com/reference/gettranscriptdialog.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cpa_core.sources import columns, fields, markup
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks
from cpa_core.sources.formats.form import Format, each
from cpa_core.sources.formats.talks import Made, list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord, whole


def _telegram(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A chat. With a bot, the bot is the other side; between people, the sender's id is the role."""
    tree = talks.record(tree)
    about = talks.head(file, place, tree, "id", title=tree.get("name"))
    bot = f"user{tree.get('id')}" if tree.get("type") == "bot_chat" else None
    listed = [one for one in list_at(tree, "messages") if object_at(one).get("type") == "message"]
    senders = [str(one.get("from_id")) for one in listed if one.get("from_id")]
    user = next((one for one in senders if one != bot), None) if bot else None
    made = (one for n, item in enumerate(listed) for one in _sent(file, f"{place}: messages.{n}", item, bot))
    return talks.talk(about._replace(user_id=user), made)


def _sent(file: File, place: str, item: dict[str, Any], bot: str | None) -> Iterator[Made]:
    sender = str(item.get("from_id") or "")
    role = sender if bot is None else "assistant" if sender == bot else "user"
    parts = item.get("text")
    pieces = (one.get("text") if isinstance(one, dict) else one for one in parts) if isinstance(parts, list) else ()
    text = "".join(one for one in pieces if isinstance(one, str)) if isinstance(parts, list) else parts
    at = item.get("date_unixtime") or item.get("date")
    yield from talks.said(file, place, role or "unknown", text, at, item.get("id"))
    for key in ("photo", "file"):
        if item.get(key):
            yield from talks.silent(file, place, "attachment", {key: item[key]}, at)


def _whatsapp(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A chat of WhatsApp's (see `sources.whatsapp`). The sender is the role; `--roles` says whose it is."""
    listed = list(map(object_at, list_at(talks.record(tree), "messages")))
    senders = [str(one.get("sender")) for one in listed if one.get("kind") == "message"]
    user = next((one for one in senders if file.role(one) == "user"), None)
    about = talks.Head(place, None, fields.identity("sender", user))
    return talks.talk(about, (made for one in listed for made in _texted(file, one)))


def _texted(file: File, item: dict[str, Any]) -> Iterator[Made]:
    where, at = f"line {item.get('line')}", item.get("at")
    if item.get("kind") == "message":
        yield from talks.said(file, where, whole(str(item.get("sender") or "unknown")), item.get("text"), at)
    elif item.get("kind") == "attachment":
        yield from talks.silent(file, where, "attachment", item.get("text"), at)


def _discord(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    tree = talks.record(tree)
    listed = [one for one in list_at(tree, "messages") if object_at(one).get("type") in ("Default", "Reply", 0, 19)]
    people = {
        object_at(one, "author").get("id") for one in listed if not fields.truth(object_at(one, "author").get("isBot"))
    }
    about = talks.Head(
        place,
        fields.identity("channel.id", object_at(tree, "channel").get("id")),
        fields.identity("author.id", next(iter(people))) if len(people) == 1 else None,
    )
    made = (one for n, item in enumerate(listed) for one in _posted(file, f"{place}: messages.{n}", item))
    return talks.talk(about, made)


def _posted(file: File, place: str, item: dict[str, Any]) -> Iterator[Made]:
    role = "assistant" if fields.truth(object_at(item, "author").get("isBot")) else "user"
    yield from talks.said(file, place, role, item.get("content"), item.get("timestamp"), item.get("id"))
    for attached in list_at(item, "attachments"):
        yield from talks.silent(file, place, "attachment", attached, item.get("timestamp"))


CONNECT_ROLES = {"CUSTOMER": "user", "AGENT": "agent", "SYSTEM": "bot", "CUSTOM_BOT": "bot"}


def _connect(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A chat of Amazon Connect, also as Contact Lens has it: there the roles stand with the participants."""
    tree = talks.record(tree)
    number = tree.get("ContactId") or object_at(tree, "CustomerMetadata").get("ContactId")
    who = {
        one.get("ParticipantId"): one.get("ParticipantRole") for one in map(object_at, list_at(tree, "Participants"))
    }
    about = talks.Head(place, fields.identity("ContactId", number))
    listed = enumerate(list_at(tree, "Transcript"))
    return talks.talk(
        about, (one for n, item in listed for one in _written(file, f"{place}: Transcript.{n}", item, who))
    )


def _written(file: File, place: str, item: Any, who: dict[Any, Any]) -> Iterator[Made]:
    item = object_at(item)
    kind, at = str(item.get("ContentType") or "text/plain"), item.get("AbsoluteTime")
    if item.get("Type", "MESSAGE") != "MESSAGE":
        return
    given = str(item.get("ParticipantRole") or who.get(item.get("ParticipantId")) or item.get("ParticipantId"))
    if kind.startswith("text/"):
        role = CONNECT_ROLES.get(given.upper(), given.lower())
        yield from talks.said(file, place, role, item.get("Content"), at, item.get("Id"))
    else:  # a list to choose from, a form, a card
        yield from talks.silent(file, place, "attachment", item.get("Content"), at)


def _voiceflow(file: File, place: str, tree: Any) -> Iterator[SourceRecord | Reject]:
    """A transcript: the dialog as a list of turns, or an object with its logs."""
    about = talks.Head(place, None)
    listed = tree
    if isinstance(tree, dict):
        tree = object_at(talks.record(tree), "transcript") or tree
        named = tree.get("sessionID") or tree.get("id")
        about, listed = talks.Head(place, fields.identity("sessionID", named)), list_at(tree, "logs")
    return talks.talk(about, (one for n, item in enumerate(listed) for one in _turn(file, f"{place}.{n}", item)))


def _turn(file: File, place: str, item: Any) -> Iterable[Made]:
    item = object_at(item)
    event = object_at(item, "data") or object_at(item, "payload")
    held, at = event.get("payload"), item.get("startTime") or item.get("createdAt")
    asked = item.get("format") == "request" or item.get("type") in ("request", "action")
    if asked:
        text = held if isinstance(held, str) else object_at(held).get("query") or object_at(held).get("label")
        return talks.said(file, place, "user", text if event.get("type") != "launch" else None, at)
    spoken = object_at(held).get("message") if event.get("type") in ("text", "speak") else None
    return talks.said(file, place, "assistant", markup.words(spoken) if isinstance(spoken, str) else None, at)


def _lex(file: File, place: str, tree: Any) -> Iterator[columns.Found]:
    """One request of Lex's conversation log: what the user typed or said, and the messages of the answer."""
    tree = talks.record(tree)
    session = fields.needed("sessionId", tree.get("sessionId"))
    user = fields.identity("userId", tree.get("userId"))
    at, own = tree.get("timestamp"), tree.get("requestId")
    yield from talks.in_conversation(_sides(file, place, tree, at, own), session, user)


def _sides(file: File, place: str, tree: dict[str, Any], at: Any, own: Any) -> Iterator[Made]:
    yield from talks.said(file, f"{place}: inputTranscript", "user", tree.get("inputTranscript"), at, own)
    answer = tree.get("botResponse")  # of Lex V1
    if tree.get("messageFormat") in ("CustomPayload", "Composite"):
        yield from talks.silent(file, f"{place}: botResponse", "attachment", answer, at)
    else:
        answer = markup.words(answer) if tree.get("messageFormat") == "SSML" and isinstance(answer, str) else answer
        yield from talks.said(file, f"{place}: botResponse", "assistant", answer, at, f"{own}.0" if own else None)
    for n, one in enumerate(map(object_at, list_at(tree, "messages"))):
        where, text, kind = f"{place}: messages.{n}", one.get("content"), one.get("contentType")
        if kind in ("PlainText", "SSML", None):
            words = markup.words(text) if kind == "SSML" and isinstance(text, str) else text
            yield from talks.said(file, where, "assistant", words, at, f"{own}.{n}" if own else None)
        elif text or one.get("imageResponseCard"):
            yield from talks.silent(file, where, "attachment", one, at)


def _talks(name: str, title: str, *signs: str, read: Callable[..., Iterable[Any]], **about: Any) -> Format:
    return Format(name, title, "conversation", signs, each(read), **about)


TELEGRAM = _talks(
    "telegram",
    "chats of Telegram's export",
    "messages[].from_id messages[].date messages[].text type",
    "messages[].from_id messages[].date_unixtime messages[].text type=bot_chat|personal_chat|private_group",
    read=_telegram,
    docs="https://core.telegram.org/import-export",
    ids="id of the chat",
    users="from_id of who writes to a bot",
    times="date_unixtime, else date",
    speech="text of messages: with a bot the bot's and the user's; between people from_id is the role, and --roles "
    "says whose it is",
    silent="service messages, pictures and files",
)
WHATSAPP = _talks(
    "whatsapp",
    "chats that WhatsApp exports as text",
    "whatsapp messages[].kind messages[].at",
    read=_whatsapp,
    docs="https://faq.whatsapp.com/1180414079177245",
    ids="none: a chat is known again by what was said in it",
    users="the sender whom --roles makes the user",
    times="the time before each message, in the phone's zone (CPA_ASSUMED_ZONE); --times where 03/02 may be either",
    speech="text of messages: the sender's name is the role, and --roles says whose it is "
    '(--roles "user=Ada,assistant=Shop Bot")',
    silent="notices of the program, deleted messages; pictures, sound and files are attachments",
)
DISCORD = _talks(
    "discord",
    "channels of DiscordChatExporter",
    "channel.id messages[].author messages[].content",
    "guild channel.id messages[].author.isBot messages[].content messages[].timestamp",
    read=_discord,
    docs="https://github.com/Tyrrrz/DiscordChatExporter/blob/master/.docs/Getting-started.md",
    ids="id of the channel",
    users="author.id, where only one person writes",
    times="timestamp of each message",
    speech="content: of a bot as assistant, of anybody else as user",
    silent="notices, attachments, embeds",
)
CONNECT = _talks(
    "amazon_connect",
    "chats of Amazon Connect and Contact Lens",
    "ContactId Transcript[].ParticipantRole Transcript[].Content",
    "ContactId Transcript[].ParticipantRole Transcript[].AbsoluteTime Transcript[].Content Participants",
    "CustomerMetadata.ContactId Participants[].ParticipantRole Transcript[].ParticipantId Transcript[].Content",
    read=_connect,
    docs="https://docs.aws.amazon.com/connect/latest/adminguide/chat-transcripts.html",
    ids="ContactId",
    users="none: a participant is one contact",
    times="AbsoluteTime",
    speech="text of messages: CUSTOMER is the user, AGENT the agent, SYSTEM (the flow and its bot) the bot",
    silent="events, lists and cards, what supervisors say",
)
VOICEFLOW = _talks(
    "voiceflow",
    "transcripts of Voiceflow",
    "[].turnID [].type [].payload",
    "[].turnID [].type [].payload [].startTime [].format",
    "sessionID logs[].type=trace|action logs[].data",
    "transcript.sessionID transcript.logs[].type=trace|action transcript.logs[].data",
    read=_voiceflow,
    docs="https://docs.voiceflow.com/reference/gettranscriptdialog",
    ids="sessionID or id of the transcript; else what was said",
    users="none",
    times="startTime or createdAt of each turn",
    speech="text of requests; messages of traces of type text and speak",
    silent="launches, paths, blocks, choices, cards",
)
LEX = _talks(
    "lex",
    "conversation logs of Amazon Lex",
    "sessionId inputTranscript messages[].content",
    "sessionId inputTranscript messages[].content messages[].contentType botId requestId",
    "sessionId inputTranscript botId requestId",
    "sessionId inputTranscript botResponse botName botAlias requestId",
    read=_lex,
    docs="https://docs.aws.amazon.com/lexv2/latest/dg/conversation-logs-cw.html",
    ids="sessionId",
    users="userId, which V1 has",
    times="timestamp",
    speech="inputTranscript; messages of type PlainText and SSML; botResponse of V1",
    silent="cards, payloads, intents, slots",
)._replace(kind="message")
