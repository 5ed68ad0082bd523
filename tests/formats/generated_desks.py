"""Generated exports of desks, messengers and bot builders whose messages have fields of their own."""

from typing import Any

from tests.formats.generated_talks import as_html, timed
from tests.formats.marks import INSIDE, SILENT
from tests.support.writings import Told, calls, messages

Record = dict[str, Any]


def crisp(told: Told) -> list[Record]:
    found: list[Record] = []
    for n, at, role, text in timed(told):
        side = {"from": "user"} if role == "user" else {"from": "operator", "automated": True}
        about = {"session_id": told.key, "website_id": "w", "origin": "chat", "timestamp": int(at.timestamp()) * 1000}
        found.append({**about, "fingerprint": n, "type": "text", "content": text, **side, "user": {"user_id": "u"}})
        found.append({**about, "fingerprint": n + 99, "type": "note", "content": SILENT, **side})
    return found


def freshchat(told: Told) -> list[Record]:
    who = {"user": "user", "assistant": "bot"}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"conversation_id": told.key, "created_time": at.isoformat(), "actor_type": who[role]}
        for kind, words in (("normal", text), ("private", SILENT)):
            parts = [{"text": {"content": words}}, {"image": {"url": SILENT}}]
            found.append({**about, "id": f"{told.key}-{n}-{kind}", "message_type": kind, "message_parts": parts})
    return found


def freshdesk(told: Told) -> list[Record]:
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"ticket_id": told.key, "created_at": at.isoformat(), "user_id": 7, "incoming": role == "user"}
        for private, words in ((False, text), (True, SILENT)):
            body = {"body_text": words, "body": as_html(words), "attachments": [{"name": SILENT}]}
            found.append({**about, **body, "id": f"{told.key}-{n}-{private}", "private": private})
    return found


def freshdesk_tickets(told: Told) -> list[Record]:
    """A ticket, whose description is what the requester wrote first."""
    first, inner = told.turns[0][1], freshdesk(told)[1:]
    about = {"id": told.key, "requester_id": 7, "subject": SILENT, "created_at": told.begins.isoformat()}
    return [{**about, "description_text": first, "description": as_html(first), "conversations": inner}]


def hubspot(told: Told) -> list[Record]:
    sides = {"user": ("INCOMING", "V-1"), "assistant": ("OUTGOING", "B-2")}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        direction, actor = sides[role]
        about = {"conversationsThreadId": told.key, "createdAt": at.isoformat(), "direction": direction}
        for kind, words in (("MESSAGE", text), ("COMMENT", SILENT)):
            said = {"text": words, "richText": as_html(words), "senders": [{"actorId": actor, "name": SILENT}]}
            found.append({**about, **said, "id": f"{told.key}-{n}-{kind}", "type": kind})
    return found


def front(told: Told) -> list[Record]:
    found: list[Record] = []
    for n, at, role, text in timed(told):
        links = {"related": {"conversation": f"https://api2.frontapp.com/conversations/{told.key}"}}
        about = {"created_at": at.timestamp(), "is_inbound": role == "user", "_links": links, "blurb": SILENT}
        for draft, words in ((False, text), (True, SILENT)):
            found.append({**about, "id": f"{told.key}-{n}-{draft}", "is_draft": draft, "text": words, "body": words})
    return found


def gorgias(told: Told) -> list[Record]:
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"ticket_id": told.key, "created_datetime": at.isoformat(), "from_agent": role == "assistant"}
        for public, words in ((True, text), (False, SILENT)):
            said = {"body_text": words, "body_html": as_html(words), "sender": {"id": 1, "name": SILENT}}
            found.append({**about, **said, "id": f"{told.key}-{n}-{public}", "channel": "chat", "public": public})
    return found


def drift(told: Told) -> list[Record]:
    sides = {"user": {"type": "contact", "bot": False}, "assistant": {"type": "user", "bot": True}}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {
            "conversationId": told.key,
            "createdAt": int(at.timestamp() * 1000),
            "author": {**sides[role], "id": 5},
        }
        for kind, words in (("chat", text), ("private_note", SILENT)):
            found.append({**about, "id": f"{told.key}-{n}-{kind}", "type": kind, "body": as_html(words)})
    return found


def flowise(told: Told) -> list[Record]:
    who = {"user": "userMessage", "assistant": "apiMessage"}
    noise = {"usedTools": [{"tool": SILENT}], "agentReasoning": [{"messages": [SILENT]}], "sourceDocuments": None}
    return [
        {"id": f"{told.key}-{n}", "chatflowid": "f", "chatId": "x", "sessionId": told.key, "role": who[role], **noise}
        | {"content": text, "createdDate": at.isoformat()}
        for n, at, role, text in timed(told)
    ]


def botpress(told: Told) -> list[Record]:
    who = {"user": "incoming", "assistant": "outgoing"}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"conversationId": told.key, "createdAt": at.isoformat(), "direction": who[role], "userId": who[role]}
        found.append({**about, "id": f"{told.key}-{n}", "type": "text", "payload": {"text": text}})
        found.append({**about, "id": f"{told.key}-{n}i", "type": "image", "payload": {"imageUrl": SILENT}})
    return found


def teams(told: Told) -> list[Record]:
    found: list[Record] = []
    for n, at, role, text in timed(told):
        sender = {"application": {"id": "b"} if role == "assistant" else None, "user": {"id": "u"}}
        about = {"chatId": told.key, "createdDateTime": at.isoformat(), "from": sender}
        for kind, words in (("message", text), ("systemEventMessage", SILENT)):
            body = {"contentType": "html", "content": as_html(words)}
            found.append({**about, "id": f"{told.key}-{n}-{kind}", "messageType": kind, "body": body})
    return found


def telegram(told: Told) -> list[Record]:
    """A chat with a bot, with its pictures and notices."""
    said: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"date": at.isoformat(), "date_unixtime": str(int(at.timestamp()))}
        who = f"user{told.key}" if role == "assistant" else "user7"
        said.append(
            {**about, "id": n, "type": "message", "from": SILENT, "from_id": who, "text": text, "photo": SILENT}
        )
        said.append({**about, "id": n + 99, "type": "service", "actor_id": who, "action": "call", "text": SILENT})
    return [{"name": SILENT, "type": "bot_chat", "id": told.key, "messages": said}]


def discord(told: Told) -> list[Record]:
    said: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"timestamp": at.isoformat(), "author": {"id": role, "name": SILENT, "isBot": role == "assistant"}}
        noise = {"attachments": [{"url": SILENT}], "embeds": [{"description": SILENT}]}
        said.append({**about, **noise, "id": f"{told.key}-{n}", "type": "Default", "content": text})
        said.append({**about, "id": f"{told.key}-{n}p", "type": "ChannelPinnedMessage", "content": SILENT})
    return [{"guild": {"id": "0"}, "channel": {"id": told.key, "topic": SILENT}, "messages": said}]


def connect(told: Told) -> list[Record]:
    who = {"user": "CUSTOMER", "assistant": "SYSTEM"}
    said: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"AbsoluteTime": at.isoformat(), "ParticipantRole": who[role], "ParticipantId": role}
        said.append({**about, "Id": f"m{n}", "Type": "MESSAGE", "ContentType": "text/plain", "Content": text})
        said.append({**about, "Id": f"e{n}", "Type": "EVENT", "ContentType": SILENT, "Content": SILENT})
        said.append({**about, "Id": f"j{n}", "Type": "MESSAGE", "ContentType": "application/json", "Content": SILENT})
    return [{"Version": "2019-08-26", "ContactId": told.key, "Participants": [], "Transcript": said}]


def voiceflow(told: Told) -> list[Record]:
    logs: list[Record] = []
    for _, at, role, text in timed(told):
        words = {"type": "text", "payload": text if role == "user" else {"message": as_html(text)}}
        about = {"createdAt": at.isoformat()}
        logs.append({**about, "type": "action" if role == "user" else "trace", "data": words})
        logs.append({**about, "type": "trace", "data": {"type": "debug", "payload": {"message": SILENT}}})
    return [{"sessionID": told.key, "projectID": SILENT, "logs": logs}]


def lex(told: Told) -> list[Record]:
    found: list[Record] = []
    for call in calls(told):
        (asked,), texts = [text for _, text in call.newest], [text for _, text in call.output]
        card = {"contentType": "CustomPayload", "content": SILENT}
        said = [*({"content": text, "contentType": "PlainText"} for text in texts), card]
        about = {"sessionId": told.key, "requestId": f"{told.key}-{call.number}", "timestamp": call.began.isoformat()}
        found.append({**about, "botId": SILENT, "inputTranscript": asked, "messages": said, "interpretations": []})
    return found


def dify(told: Told) -> list[Record]:
    """Each question with its answer."""
    found: list[Record] = []
    for call in calls(told):
        own, before = (f"{told.key}-{n}" for n in (call.number, call.number - 1))
        about = {"conversation_id": told.key, "inputs": {"x": SILENT}, "parent_message_id": before, "id": own}
        noise = {"agent_thoughts": [{"thought": SILENT}], "message_files": [{"url": SILENT}], "retriever_resources": []}
        (asked,), (answer,) = call.newest, call.output
        said = {"query": asked[1], "answer": answer[1], "created_at": int(call.began.timestamp())}
        found.append({**about, **noise, **said})
    return found


OASST = {"user": "prompter", "assistant": "assistant"}


def oasst(told: Told) -> list[Record]:
    """Messages of a tree, beside replies that were deleted."""
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about: Record = {
            "message_tree_id": told.key,
            "parent_id": f"{told.key}-{n - 1}" if n else None,
            "role": OASST[role],
        }
        about |= {"created_date": at.isoformat(), "user_id": told.user, "deleted": False}
        left: Record = {**about, "message_id": f"{told.key}-{n}x", "text": SILENT, "deleted": True}
        found += [left] if n else []
        found.append({**about, "message_id": f"{told.key}-{n}", "text": text, "rank": 0})
    return found


def oasst_trees(told: Told) -> list[Record]:
    replies: list[Record] = []
    for n, at, role, text in reversed(list(timed(told))):
        about = {"message_id": f"{told.key}-{n}", "role": OASST[role], "created_date": at.isoformat()}
        left = {**about, "message_id": f"{told.key}-{n}x", "text": SILENT, "deleted": True, "replies": []}
        replies = [left, {**about, "text": text, "rank": 0, "replies": replies}]
    return [{"message_tree_id": told.key, "tree_state": "ready_for_export", "prompt": replies[1]}]


def zendesk_audits(told: Told) -> list[Record]:
    """A ticket's audits: what sets its fields, its comments, a note, and a comment made private later."""
    who = {"user": 7, "assistant": 9}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"id": n, "ticket_id": told.key, "author_id": who[role], "created_at": at.isoformat()}
        fields = [("requester_id", "7"), ("subject", SILENT)] if n == 0 else [("status", "open")]
        events: list[Record] = [
            {"id": f"{n}-{key}", "type": "Create", "field_name": key, "value": value} for key, value in fields
        ]
        events.append({"id": f"{n}-c", "type": "Comment", "author_id": who[role], "body": text, "public": True})
        events.append({"id": f"{n}-n", "type": "Comment", "author_id": 9, "body": SILENT, "public": False})
        events.append({"id": f"{n}-p", "type": "Comment", "author_id": 9, "body": INSIDE, "public": True})
        events.append({"id": f"{n}-q", "type": "CommentPrivacyChange", "comment_id": f"{n}-p", "public": False})
        events.append({"id": f"{n}-m", "type": "Notification", "body": SILENT, "subject": SILENT})
        found.append({**about, "events": events, "metadata": {"x": SILENT}})
    return found


def cx_studio(told: Told) -> list[Record]:
    """A conversation of CX Agent Studio: turns with tools and variables between what is said."""
    name = f"projects/p/locations/l/apps/a/conversations/{told.key}"
    found: list[Record] = []
    for _, at, role, text in timed(told):
        who = {"role": "user" if role == "user" else "root_agent", "eventTime": at.isoformat()}
        noise = [{"toolCall": {"args": {"q": SILENT}}}, {"toolResponse": {"response": SILENT}}]
        chunks = [*(noise if role == "assistant" else []), {"text": text}, {"updatedVariables": {"x": SILENT}}]
        found.append({"messages": [{**who, "chunks": chunks}]})
    return [{"name": name, "startTime": told.begins.isoformat(), "turns": found, "entryAgent": SILENT}]


def cx_insights(told: Told) -> list[Record]:
    sides = {"user": ("END_USER", 1), "assistant": ("AUTOMATED_AGENT", 2)}
    said = [
        {
            "text": text,
            "role": sides[role][0],
            "user_id": sides[role][1],
            "start_timestamp_usec": int(at.timestamp() * 1_000_000),
        }
        for _, at, role, text in timed(told)
    ]
    return [{"conversation_info": {"categories": [{"display_name": SILENT}]}, "entries": said}]


def copilot_sessions(told: Told) -> list[Record]:
    """A session as Copilot Studio itself lets one download it."""
    sides = {"user": "User", "assistant": "Bot"}
    said = " ".join(f"{sides[role]} says: {text};" for role, text in told.turns)
    about = {"SessionId": told.key, "StartDateTime": told.begins.isoformat(), "InitialUserMessage": SILENT}
    return [{**about, "TopicName": SILENT, "ChatTranscript": said, "SessionOutcome": "Resolved"}]


def rasa_by_sender(told: Told) -> list[Record]:
    """Trackers by their sender."""
    events = {"user": "user", "assistant": "bot"}
    said = [{"event": events[role], "timestamp": at.timestamp(), "text": text} for _, at, role, text in timed(told)]
    return [{told.key: {"slots": {"x": SILENT}, "events": [{"event": "action", "name": SILENT}, *said]}}]


def vapi_of_openai(told: Told) -> list[Record]:
    """A call of which only the messages for OpenAI are kept."""
    said = [{"role": "system", "content": SILENT}, *messages(told.turns)]
    about: Record = {"id": told.key, "customerId": told.user, "startedAt": told.begins.isoformat(), "messages": []}
    return [{**about, "artifact": {"messagesOpenAIFormatted": said, "transcript": SILENT}}]


def zendesk_chat(told: Told) -> list[Record]:
    """A chat with joins and a rating."""
    sides = {"user": "Visitor", "assistant": "Trigger"}
    history: list[Record] = [{"type": "chat.memberjoin", "timestamp": told.begins.isoformat(), "name": SILENT}]
    for _, at, role, text in timed(told):
        about = {"timestamp": at.isoformat(), "name": SILENT}
        history.append({**about, "type": "chat.msg", "sender_type": sides[role], "msg": text})
        history.append({**about, "type": "chat.comment", "new_comment": SILENT})
    head = {"id": told.key, "type": "chat", "timestamp": told.begins.isoformat(), "visitor": {"id": told.user}}
    return [{**head, "history": history, "comment": SILENT}]


def livechat(told: Told) -> list[Record]:
    """A chat of LiveChat with one thread."""
    authors = {"user": told.user, "assistant": "agent@shop.example"}
    events: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"created_at": at.isoformat(), "author_id": authors[role]}
        events.append({**about, "id": f"{n}", "type": "message", "text": text, "visibility": "all"})
        events.append({**about, "id": f"{n}-s", "type": "system_message", "text": SILENT})
        events.append({**about, "id": f"{n}-w", "type": "message", "text": SILENT, "visibility": "agents"})
    users = [{"id": told.user, "type": "customer", "name": SILENT}, {"id": authors["assistant"], "type": "agent"}]
    thread = {"id": told.key, "created_at": told.begins.isoformat(), "events": events}
    return [{"id": SILENT, "users": users, "thread": thread}]


def salesforce(told: Told) -> list[Record]:
    sides = {"user": "EndUser", "assistant": "Bot"}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"ConversationId": told.key, "EntryTime": at.isoformat(), "EntryType": "Text"}
        found.append({**about, "Id": f"{told.key}-{n}", "ActorType": sides[role], "Message": text, "ActorId": "a"})
        found.append({**about, "Id": f"{told.key}-{n}-s", "ActorType": "Supervisor", "Message": SILENT, "ActorId": "b"})
    return found
