"""Generated exports of chats, desks, bots, voice and coding agents (see `generated.WRITERS`)."""

import html
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tests.formats.marks import INSIDE, SILENT
from tests.support.writings import Told, calls, messages

Record = dict[str, Any]
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {"q": SILENT}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": SILENT}]}
THOUGHT = {"type": "thinking", "thinking": SILENT, "signature": "s"}


def timed(told: Told) -> Iterator[tuple[int, datetime, str, str]]:
    """Number, time, role and text of each message, a second apart."""
    for n, (role, text) in enumerate(told.turns):
        yield n, told.begins + timedelta(seconds=n), role, text


def by_id(told: Told) -> list[Record]:
    """A map of one conversation."""
    said = [{"role": role, "content": text, "timestamp": at.isoformat()} for _, at, role, text in timed(told)]
    return [{told.key: {"user_id": told.user, "messages": [{"role": "system", "content": SILENT}, *said]}}]


def lists_by_id(told: Told) -> list[Record]:
    """The messages of a conversation under its id."""
    said = [{"role": role, "content": text, "timestamp": at.isoformat()} for _, at, role, text in timed(told)]
    return [{told.key: [{"role": "system", "content": SILENT}, *said]}]


def bare(told: Told) -> list[list[Record]]:
    """The messages alone."""
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": SILENT}}
    noise = [{"role": "system", "content": SILENT}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    noise += [{"role": "tool", "tool_call_id": "x", "content": SILENT}]
    said = [{**one, "timestamp": told.begins.isoformat()} for one in messages(told.turns)]
    return [[*said[:1], *noise, *said[1:]]]


def items(told: Told) -> list[Record]:
    """A page of items of a conversation, newest first, with tools and reasoning between them."""
    noise = [{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": SILENT}]}]
    noise += [{"type": "function_call", "name": "f", "arguments": SILENT, "call_id": "c"}]
    kinds = {"user": "input_text", "assistant": "output_text"}
    said = [
        {"type": "message", "id": f"{told.key}-{n}", "role": role, "content": [{"type": kinds[role], "text": text}]}
        for n, (role, text) in enumerate(told.turns)
    ]
    listed = [*said[:1], *noise, *said[1:]]
    return [{"object": "list", "data": listed[::-1], "first_id": SILENT, "last_id": SILENT, "has_more": False}]


def data_set(told: Told) -> list[Record]:
    said: list[Record] = [{**one, "toxic": False, "language": SILENT} for one in messages(told.turns)]
    about = {"conversation_hash": told.key, "timestamp": told.begins.isoformat(), "hashed_ip": told.user}
    noise = {"model": SILENT, "turn": 1, "openai_moderation": [{"flagged": False, "note": SILENT}]}
    return [{**about, **noise, "conversation": [{"role": "system", "content": SILENT}, *said]}]


def open_webui(told: Told) -> list[Record]:
    """A tree with a branch that was left at each message; reasoning and tools stand in the answers' text."""
    nodes: dict[str, Record] = {}
    before = None

    def add(own: str, role: str, text: str, parent: str | None, at: datetime) -> None:
        about = {"id": own, "parentId": parent, "childrenIds": [], "role": role, "timestamp": at.timestamp()}
        nodes[own] = {**about, "content": text, "model": SILENT}

    hidden = "".join(
        f'<details type="{kind}" done="true">\n<summary>{SILENT}</summary>\n> {SILENT}\n</details>\n'
        for kind in ("reasoning", "tool_calls", "code_interpreter")
    )
    for n, at, role, text in timed(told):
        add(f"left{n}", role, INSIDE, before, at)
        add(f"n{n}", role, (hidden if role == "assistant" else "") + text, before, at)
        before = f"n{n}"
    nodes["n0"]["files"] = [{"type": "file", "name": SILENT}]
    said = [one for own, one in nodes.items() if own[0] == "n"]
    chat = {"title": SILENT, "history": {"messages": nodes, "currentId": before}, "messages": said, "tags": [SILENT]}
    return [
        {"id": told.key, "user_id": told.user, "title": SILENT, "created_at": told.begins.timestamp()} | {"chat": chat}
    ]


def librechat(told: Told) -> list[Record]:
    """An export, with a branch that was left at each message; the answers are thoughts, tools and text."""
    return [{**_librechat_about(told), "recursive": False, "messages": _librechat_messages(told)}]


def librechat_nested(told: Told) -> list[Record]:
    """The same as a tree."""
    listed = _librechat_messages(told)
    for one in listed:
        one["children"] = [other for other in listed if other["parentMessageId"] == one["messageId"]]
    roots = [one for one in listed if one["parentMessageId"][:5] == "00000"]
    return [{**_librechat_about(told), "recursive": True, "messagesTree": roots}]


def librechat_rows(told: Told) -> list[Record]:
    """The messages of the export, one a record, as mongoexport writes them."""
    listed = _librechat_messages(told)
    return [{**one, "_id": {"$oid": SILENT}, "createdAt": {"$date": one["createdAt"]}} for one in listed]


def _librechat_about(told: Told) -> Record:
    return {"conversationId": told.key, "user": told.user, "title": SILENT, "options": {"promptPrefix": SILENT}}


def _librechat_messages(told: Told) -> list[Record]:
    found: list[Record] = []
    before = "00000000-0000-0000-0000-000000000000"
    tool = {"type": "tool_call", "tool_call": {"name": "f", "args": SILENT, "output": SILENT}}
    for n, at, role, text in timed(told):
        about = {"conversationId": told.key, "parentMessageId": before, "createdAt": at.isoformat(), "model": SILENT}
        about |= {"sender": SILENT, "isCreatedByUser": role == "user"}
        parts = [{"type": "think", "think": SILENT}, tool, {"type": "text", "text": text}]
        said: Record = {"text": text} if role == "user" else {"text": "", "content": parts}
        found += [{**about, "messageId": f"left{n}", "text": INSIDE}, {**about, "messageId": f"n{n}", **said}]
        before = f"n{n}"
    return found


def lm_studio(told: Told) -> list[Record]:
    """Each message has a version that was left; an answer is a step of thinking, a tool's, and its text."""
    said: list[Record] = []
    for role, text in told.turns:
        left, words = ([{"type": "text", "text": one}] for one in (INSIDE, text))
        thought = {"type": "contentBlock", "style": {"type": "thinking"}, "content": [{"type": "text", "text": SILENT}]}
        steps = [thought, {"type": "toolStatus", "callId": SILENT}, {"type": "contentBlock", "content": words}]
        version = {"type": "singleStep", "role": role, "content": words}
        if role == "assistant":
            version = {"type": "multiStep", "role": role, "steps": [*steps, {"type": "debugInfoBlock", "x": SILENT}]}
        versions = [{"type": "singleStep", "role": role, "content": left}, version]
        said.append({"versions": versions, "currentlySelected": 1})
    about = {"id": told.key, "name": SILENT, "createdAt": int(told.begins.timestamp() * 1000), "systemPrompt": SILENT}
    return [{**about, "messages": said, "notes": [SILENT]}]


def as_html(text: str) -> str:
    """A text as HTML shows it; a tab has no HTML."""
    return text if "\t" in text else f"<p>{html.escape(text)}</p>".replace("\n", "<br>")


def intercom(told: Told) -> list[Record]:
    """A conversation with a bot, between notes, tags and assignments."""
    kinds = {"user": "user", "assistant": "bot"}

    def part(own: str, kind: str, author: str, body: str | None, at: datetime) -> Record:
        about = {"type": "conversation_part", "id": f"{told.key}-{own}", "part_type": kind, "body": body}
        return {**about, "author": {"type": author, "id": author, "name": SILENT}, "created_at": int(at.timestamp())}

    parts: list[Record] = []
    for n, at, role, text in timed(told):
        if n:
            parts.append(part(f"{n}", "comment", kinds[role], as_html(text), at))
        parts.append(part(f"{n}n", "note", "admin", f"<p>{SILENT}</p>", at))
        parts.append(part(f"{n}a", "assignment", "bot", None, at))
    first = {"id": f"{told.key}-0", "body": as_html(told.turns[0][1]), "subject": SILENT}
    source = {**first, "author": {"type": "user", "id": told.user, "name": SILENT}}
    about = {"type": "conversation", "id": told.key, "created_at": int(told.begins.timestamp()), "title": SILENT}
    held = {"type": "conversation_part.list", "conversation_parts": parts}
    return [{**about, "source": source, "conversation_parts": held, "tags": {"tags": [{"name": SILENT}]}}]


def help_scout(told: Told) -> list[Record]:
    """A conversation of Help Scout's with its threads, the newest first, between notes and line items."""
    who = {"user": {"type": "customer", "id": 5, "email": SILENT}, "assistant": {"type": "system_user", "id": 9}}
    threads: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"createdAt": f"{at:%Y-%m-%dT%H:%M:%SZ}", "createdBy": who[role], "status": "active"}
        kind = "customer" if role == "user" else "message"
        threads.append({"id": 3 * n, "type": kind, "state": "published", "body": as_html(text), **about})
        threads.append({"id": 3 * n + 1, "type": "note", "state": "published", "body": SILENT, **about})
        threads.append({"id": 3 * n + 2, "type": "message", "state": "draft", "body": SILENT, **about})
    about = {"id": told.key, "subject": SILENT, "createdAt": f"{told.begins:%Y-%m-%dT%H:%M:%SZ}"}
    return [{**about, "primaryCustomer": {"id": told.user}, "_embedded": {"threads": threads[::-1]}}]


def zendesk(told: Told) -> list[Record]:
    """A ticket with its comments, between notes of the agent."""
    users = [{"id": 7, "role": "end-user", "name": SILENT}, {"id": 9, "role": "agent", "name": SILENT}]
    who = {"user": 7, "assistant": 9}
    comments: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"author_id": who[role], "created_at": at.isoformat(), "type": "Comment"}
        words = {"body": text, "plain_body": text, "html_body": as_html(text)}
        comments.append({"id": 2 * n, **about, "public": True, **words})
        note = dict.fromkeys(words, SILENT)
        comments.append({"id": 2 * n + 1, **about, "author_id": 9, "public": False, **note})
    ticket = {"id": told.key, "requester_id": 7, "subject": SILENT, "description": SILENT}
    return [{"ticket": ticket, "comments": comments, "users": users}]


def chatwoot(told: Told) -> list[Record]:
    """Messages, between activities and private notes."""
    sides = {"user": (0, {"id": 3, "type": "contact"}), "assistant": (1, {"id": 4, "type": "agent_bot"})}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        kind, sender = sides[role]
        for own, what in enumerate(
            (
                {"content": text, "message_type": kind, "sender": sender, "private": False},
                {"content": SILENT, "message_type": 2, "private": False},
                {"content": SILENT, "message_type": 1, "sender": {"id": 5, "type": "user"}, "private": True},
            )
        ):
            about = {"id": f"{told.key}-{n}-{own}", "conversation_id": told.key, "created_at": int(at.timestamp())}
            found.append({**about, **what, "attachments": [{"file_type": "image", "data_url": SILENT}]})
    return found


def dialogflow(told: Told) -> list[Record]:
    """Interactions, each with what was asked and answered, parameters, payloads and intents."""
    name = f"projects/p/locations/l/agents/a/conversations/{told.key}"
    found = []
    for call in calls(told):
        texts = [{"text": {"text": [text]}} for _, text in call.output]
        payload = {"payload": {"x": SILENT}}
        result = {"responseMessages": [*texts, payload], "parameters": {"x": SILENT}, "match": {"intent": SILENT}}
        query = {"text": {"text": call.newest[0][1]}, "languageCode": "en"}
        sides = {"request": {"queryInput": query, "queryParams": {"x": SILENT}}, "response": {"queryResult": result}}
        found.append({**sides, "createTime": call.began.isoformat(), "answerFeedback": {"x": SILENT}})
    about = {"name": name, "startTime": told.begins.isoformat(), "languageCode": "en", "type": SILENT}
    return [{**about, "interactions": found[::-1]}]


def dialogflow_log(told: Told) -> list[Record]:
    """The same, a turn a record, as the interaction log in BigQuery has them."""
    (one,) = dialogflow(told)
    return [
        {
            "conversation_name": one["name"],
            "turn_position": n,
            "request_time": both["createTime"],
            "request": both["request"],
            "response": both["response"],
            "derived_data": {"x": SILENT},
        }
        for n, both in enumerate(one["interactions"][::-1])
    ]


def copilot(told: Told) -> list[Record]:
    """A transcript's activities, alone."""
    return [{"activities": _activities(told)}]


def dataverse(told: Told) -> list[Record]:
    """The same in the row of the table of transcripts, as text."""
    about = {"conversationtranscriptid": told.key, "name": SILENT, "metadata": json.dumps({"BotName": SILENT})}
    return [{**about, "content": json.dumps({"activities": _activities(told)})}]


def _activities(told: Told) -> list[Record]:
    sides = {"user": {"id": told.user, "role": 1}, "assistant": {"id": "b", "role": 0, "name": SILENT}}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"timestamp": int(at.timestamp()), "conversation": {"id": told.key}, "channelData": {"x": SILENT}}
        trace = {
            "type": "trace",
            "valueType": SILENT,
            "value": {"x": SILENT},
            "text": SILENT,
            "from": sides["assistant"],
        }
        event = {"type": "event", "name": SILENT, "value": SILENT, "from": sides[role]}
        cards = [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {"body": SILENT}}]
        said = {"type": "message", "text": text, "from": sides[role], "attachments": cards if role != "user" else []}
        found += [{"id": f"{told.key}-{n}-{k}", **about, **one} for k, one in enumerate((trace, said, event))]
    return found


def vapi(told: Told) -> list[Record]:
    """A call with its messages at the top and inside its artifact, its system prompt and tools."""
    found = _vapi_messages(told)
    return [{**_vapi_about(told), "messages": found, "artifact": {"messages": found, "transcript": SILENT}}]


def vapi_artifact(told: Told) -> list[Record]:
    """The same with the artifact alone."""
    return [{**_vapi_about(told), "artifact": {"messages": _vapi_messages(told), "transcript": SILENT}}]


def _vapi_about(told: Told) -> Record:
    about = {"id": told.key, "customerId": told.user, "startedAt": told.begins.isoformat(), "type": SILENT}
    return {**about, "summary": SILENT, "transcript": SILENT, "analysis": {"summary": SILENT}}


def _vapi_messages(told: Told) -> list[Record]:
    sides = {"user": "user", "assistant": "bot"}
    found: list[Record] = [{"role": "system", "message": SILENT, "time": told.begins.timestamp() * 1000}]
    for n, at, role, text in timed(told):
        times = {"time": int(at.timestamp() * 1000), "secondsFromStart": n}
        called = {"role": "tool_calls", "toolCalls": [{"id": "x", "arguments": SILENT}], "message": ""}
        result = {"role": "tool_call_result", "name": "f", "result": SILENT}
        found += [{**one, **times} for one in (called, result, {"role": sides[role], "message": text})]
    return found


def retell(told: Told) -> list[Record]:
    """A call with its turns, alone and with the tools between them."""
    sides = {"user": "user", "assistant": "agent"}
    plain: list[Record] = []
    both: list[Record] = []
    for n, _, role, text in timed(told):
        words = [{"word": SILENT, "start": n + 0.5, "end": n + 0.9}]
        plain.append({"role": sides[role], "content": text, "words": words})
        called = {"role": "tool_call_invocation", "tool_call_id": "x", "name": "f", "arguments": SILENT}
        result = {"role": "tool_call_result", "tool_call_id": "x", "content": SILENT}
        both += [called, result, plain[-1]]
    about = {"call_id": told.key, "start_timestamp": int(told.begins.timestamp() * 1000), "agent_name": SILENT}
    noise = {"transcript": SILENT, "call_analysis": {"call_summary": SILENT}, "metadata": {"user_id": told.user}}
    return [{**about, **noise, "transcript_object": plain, "transcript_with_tool_calls": both}]


def elevenlabs(told: Told) -> list[Record]:
    """A conversation with the tools that its turns call."""
    sides = {"user": "user", "assistant": "agent"}
    turns: list[Record] = []
    for n, _, role, text in timed(told):
        turns.append({"role": "agent", "message": None, "tool_calls": [{"q": SILENT}], "time_in_call_secs": n})
        turns.append({"role": "agent", "message": None, "tool_results": [{"q": SILENT}], "time_in_call_secs": n})
        turns.append({"role": sides[role], "message": text, "tool_calls": [], "time_in_call_secs": n})
    about = {"conversation_id": told.key, "agent_id": SILENT, "user_id": told.user, "status": "done"}
    noise = {"metadata": {"start_time_unix_secs": int(told.begins.timestamp())}, "analysis": {"summary": SILENT}}
    return [{**about, **noise, "transcript": turns}]


def rasa_events(told: Told) -> list[Record]:
    """Events as a broker sends them, between actions and slots."""
    events = {"user": "user", "assistant": "bot"}
    found: list[Record] = []
    for _, at, role, text in timed(told):
        about = {"sender_id": told.key, "timestamp": at.timestamp()}
        found.append({**about, "event": "action", "name": SILENT})
        found.append({**about, "event": events[role], "text": text, "metadata": {"x": SILENT}})
        found.append({**about, "event": "slot", "name": SILENT, "value": SILENT})
    return found


def rasa_rows(told: Told) -> list[Record]:
    """The same events as rows of a tracker store."""
    rows = enumerate(rasa_events(told))
    return [
        {
            "id": n,
            "sender_id": told.key,
            "type_name": one["event"],
            "timestamp": one["timestamp"],
            "data": json.dumps(one),
        }
        for n, one in rows
    ]


def chatwoot_webhooks(told: Told) -> list[Record]:
    """Webhooks of messages, between those of other events."""
    sides = {"user": ("incoming", {"id": 3, "name": SILENT}), "assistant": ("outgoing", {"id": 4, "type": "agent_bot"})}
    found: list[Record] = []
    for n, at, role, text in timed(told):
        kind, sender = sides[role]
        about = {"id": f"{told.key}-{n}", "created_at": at.isoformat(), "message_type": kind, "sender": sender}
        about |= {"conversation": {"id": told.key, "status": "open"}, "account": {"name": SILENT}, "private": False}
        found.append({"event": "message_created", "content": text, **about})
        found.append({"event": "message_updated", "content": SILENT, **about})
        found.append({"event": "conversation_updated", "id": told.key, "messages": [{"content": SILENT}]})
    return found


def slack(told: Told) -> list[Record]:
    """A thread, between notices."""
    begun = f"{told.begins.timestamp():.6f}"
    found: list[Record] = []
    for _, at, role, text in timed(told):
        about = {"type": "message", "ts": f"{at.timestamp():.6f}"}
        notice = {**about, "subtype": "channel_topic", "user": "U9", "text": SILENT, "topic": SILENT}
        whose = (
            {"user": told.user} if role == "user" else {"subtype": "bot_message", "bot_id": "B1", "username": SILENT}
        )
        files = {"files": [{"id": "F", "title": SILENT}]}
        escaped = html.escape(text, quote=False)
        found += [notice, {**about, **whose, "text": escaped, "thread_ts": begun, **(files if role == "user" else {})}]
    return found


def claude_code(told: Told) -> list[Record]:
    """Lines of a session: tools and thoughts, a subagent, words of the program, a summary."""
    found: list[Record] = [{"type": "summary", "summary": SILENT, "leafUuid": "x"}]
    for n, at, role, text in timed(told):
        about = {"sessionId": told.key, "timestamp": at.isoformat(), "cwd": SILENT, "parentUuid": None}
        answer = [THOUGHT, {"type": "text", "text": text}, USE]
        for own, who, content, more in (
            ("a", "user", SILENT, {"isSidechain": True}),
            ("b", "assistant", [{"type": "text", "text": SILENT}], {"isSidechain": True}),
            ("c", "user", f"<command-name>{SILENT}</command-name>", {"isMeta": n % 2 == 0}),
            ("f", "user", [{"type": "text", "text": f"<system-reminder>{SILENT}</system-reminder>"}], {}),
            ("g", "user", SILENT, {"isCompactSummary": True}),
            ("h", "assistant", [{"type": "text", "text": SILENT}], {"isApiErrorMessage": True}),
            ("d", role, text if role == "user" else answer, {"isSidechain": False}),
            ("e", "user", [RESULT], {"toolUseResult": SILENT}),
        ):
            message = {"role": who, "content": content}
            found.append({**about, "type": who, "uuid": f"{told.key}-{n}{own}", "message": message, **more})
    return found


def codex(told: Told) -> list[Record]:
    """A rollout: the session's line, what the program puts before the user's words, reasoning, tools and events."""

    def line(kind: str, payload: Record, at: datetime = told.begins) -> Record:
        return {"timestamp": at.isoformat(), "type": kind, "payload": payload}

    def item(role: str, text: str, at: datetime = told.begins) -> Record:
        content = [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]
        return line("response_item", {"type": "message", "role": role, "content": content}, at)

    found = [line("session_meta", {"id": told.key, "cwd": SILENT, "instructions": SILENT})]
    found += [item("developer", SILENT), line("turn_context", {"cwd": SILENT, "model": SILENT})]
    found += [item("user", f"<{tag}>\n{SILENT}\n</{tag}>") for tag in ("environment_context", "user_instructions")]
    for _, at, role, text in timed(told):
        thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": SILENT}]}
        used = {"type": "function_call", "name": "f", "arguments": SILENT, "call_id": "x"}
        result = {"type": "function_call_output", "call_id": "x", "output": SILENT}
        found += [line("response_item", one, at) for one in (thought, used, result)]
        found += [line("event_msg", {"type": "agent_message", "message": SILENT}, at), item(role, text, at)]
    return found


def twilio(told: Told) -> list[Record]:
    """Messages, each with a picture and attributes of the application's own."""
    authors = {"user": "+46700000000", "assistant": "system"}
    noise = {"attributes": json.dumps({"x": SILENT}), "delivery": None, "media": [{"filename": SILENT}]}
    return [
        {"sid": f"{told.key}-{n}", "conversation_sid": told.key, "author": authors[role], "body": text, "index": n}
        | {"date_created": at.isoformat(), **noise}
        for n, at, role, text in timed(told)
    ]


def langchain_lists(told: Told) -> list[list[Record]]:
    """LangChain's messages alone, as `messages_to_dict` writes them."""
    who = {"user": "human", "assistant": "ai"}
    given = [("system", SILENT), ("tool", SILENT), *((who[role], text) for role, text in told.turns)]
    return [[{"type": kind, "data": {"content": text, "additional_kwargs": {"x": SILENT}}} for kind, text in given]]


def langchain_rows(told: Told) -> list[Record]:
    """LangChain's messages as a table of chat histories keeps them."""
    (listed,) = langchain_lists(told)
    at = told.begins.isoformat()
    return [{"id": n, "session_id": told.key, "message": one, "created_at": at} for n, one in enumerate(listed)]


def ui_rows(told: Told) -> list[Record]:
    """Messages of the AI SDK in rows of their own, with reasoning and tools."""
    tool = {"type": "tool-f", "toolCallId": "x", "state": "output-available", "input": {"q": SILENT}, "output": SILENT}
    noise = [{"type": "step-start"}, {"type": "reasoning", "text": SILENT}, tool]
    return [
        {
            "id": f"{told.key}-{n}",
            "chatId": told.key,
            "role": role,
            "parts": [*(noise if role == "assistant" else []), {"type": "text", "text": text}],
            "attachments": [{"name": SILENT}],
            "createdAt": at.isoformat(),
        }
        for n, at, role, text in timed(told)
    ]
