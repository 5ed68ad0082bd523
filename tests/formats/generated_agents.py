"""Sessions of coding agents, messages of Zendesk's messaging, traces of Jaeger and answers to PostHog's queries."""

import json
from collections.abc import Sequence
from typing import Any

from tests.formats.generated_talks import THOUGHT, timed
from tests.formats.marks import INSIDE, SILENT
from tests.support.writings import Told

Record = dict[str, Any]
EDITOR = {"type": "text", "text": f"<environment_details>\n{SILENT}\n</environment_details>"}
READ = [{"type": "text", "text": "[read_file for 'a.py'] Result:"}, {"type": "text", "text": SILENT}, EDITOR]


def gemini_cli(told: Told) -> list[Record]:
    """Lines of a session: thoughts and tools, notes of the program, a message that was taken back."""
    start = told.begins.isoformat()
    found: list[Record] = [{"sessionId": told.key, "projectHash": SILENT, "startTime": start, "lastUpdated": start}]
    for n, at, role, text in timed(told):
        about = {"timestamp": at.isoformat()}
        call = {"id": "x", "name": "f", "args": {"q": SILENT}, "result": [{"text": SILENT}]}
        thought = {"subject": SILENT, "description": SILENT, "timestamp": start}
        found.append({"id": f"{n}i", "type": "info", "content": SILENT, **about})
        found.append({"id": f"{n}x", "type": "user", "content": [{"text": INSIDE}], **about})
        found.append({"$rewindTo": f"{n}x"})
        if role == "user":
            typed = {"content": [{"text": text}, {"text": INSIDE}], "displayContent": text}
            found.append({"id": f"{n}", "type": "user", **typed, **about})
        else:
            found.append({"id": f"{n}", "type": "gemini", "content": "", "toolCalls": [call], **about})
            found.append({"id": f"{n}", "type": "gemini", "content": [{"text": text}], "thoughts": [thought], **about})
        found.append({"$set": {"lastUpdated": start, "summary": SILENT}})
    return found


def codex_early(told: Told) -> list[Record]:
    """A session saved in one object: what the program puts before the user's words, reasoning, tools."""

    def item(role: str, text: str) -> Record:
        content = [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]
        return {"type": "message", "id": None, "role": role, "content": content}

    session = {"id": told.key, "timestamp": told.begins.isoformat(), "instructions": SILENT}
    found: list[Record] = [item("user", f"<environment_context>{SILENT}</environment_context>")]
    for _, _, role, text in timed(told):
        found += [
            {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": SILENT}]},
            {"type": "function_call", "id": "f", "name": "shell", "arguments": SILENT, "call_id": "x"},
            {"type": "function_call_output", "call_id": "x", "output": SILENT},
            item(role, text),
        ]
    return [{"session": session, "items": found, "state": {"previous_response_id": SILENT}}]


def cline(told: Told) -> list[list[Record]]:
    """A task: the user's words in elements, beside the state of the editor and results of tools."""
    said: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"role": role, "ts": int(at.timestamp() * 1000)}
        if role == "user":
            tag = "feedback" if n else "task"
            words = {"type": "text", "text": f"<{tag}>\n{text}\n</{tag}>"}
            said.append({**about, "content": [words, EDITOR]})
            use = f"<read_file>\n<path>{SILENT}</path>\n</read_file>"
            said.append({**about, "role": "assistant", "content": [THOUGHT, {"type": "text", "text": use}]})
            said.append({**about, "content": READ})
        else:
            end = f"<thinking>{SILENT}</thinking>\n<attempt_completion>\n<result>\n{text}\n</result>"
            said.append({**about, "content": [{"type": "text", "text": f"{end}\n</attempt_completion>"}]})
    return [said]


def copilot_chat(told: Told) -> list[Record]:
    """A session: thoughts and tools beside the answer, and what the program added to the request."""
    asked: list[Record] = []
    for _, at, role, text in timed(told):
        if role == "user":
            noise = {"variableData": {"variables": [{"value": SILENT}]}, "result": {"metadata": {"x": SILENT}}}
            message = {"text": text, "parts": [{"kind": "text", "text": text}]}
            asked.append({"message": message, "timestamp": int(at.timestamp() * 1000), "response": [], **noise})
        else:
            shown = [{"value": text, "supportThemeIcons": False}]
            tools = [{"kind": "thinking", "value": SILENT}, {"kind": "toolInvocationSerialized", "toolId": SILENT}]
            asked[-1]["response"] += [*tools, *shown, {"kind": "textEditGroup", "edits": [{"text": SILENT}]}]
    about = {"creationDate": int(told.begins.timestamp() * 1000), "responderUsername": SILENT, "version": 3}
    return [{"sessionId": told.key, **about, "requests": asked}]


def messaging(told: Told) -> list[Record]:
    """A page of messages, between pictures and a message that was deleted."""
    user = {"type": "user", "userId": told.user, "displayName": SILENT}
    authors = {"user": user, "assistant": {"type": "business", "displayName": SILENT, "subtypes": ["AI"]}}
    said: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"author": authors[role], "received": at.isoformat(), "source": {"type": "web"}}
        picture = {"type": "image", "mediaUrl": SILENT, "altText": SILENT}
        gone = {"id": f"{n}c", "content": {"type": "text", "text": INSIDE}, "deleted": True, **about}
        said += [{"id": f"{n}a", "content": {"type": "text", "text": text}, **about}, gone]
        said += [{"id": f"{n}b", "content": picture, **about}]
    return [{"conversation": {"id": told.key}, "messages": said, "meta": {"hasMore": False}}]


def messaging_events(told: Told) -> list[Record]:
    """The same in webhooks, with an event that holds no message."""
    (page,) = messaging(told)
    about = {"id": "e", "createdAt": told.begins.isoformat()}
    named = {"conversation": page["conversation"]}
    found = [
        {**about, "type": "conversation:message", "payload": {**named, "message": one}} for one in page["messages"]
    ]
    return [*found, {**about, "type": "conversation:read", "payload": {**named, "activity": {"data": SILENT}}}]


def jaeger(spans: Sequence[Record]) -> list[Record]:
    """Spans of OTLP, with attributes as text, as Jaeger has them."""
    return [_jaeger(one) for page in spans for scope in page["resourceSpans"] for one in _spans(scope)]


def _spans(resource: Record) -> list[Record]:
    return [one for scope in resource["scopeSpans"] for one in scope["spans"]]


def _tag(one: Record) -> Record:
    return {"key": one["key"], "type": "string", "value": next(iter(one["value"].values()))}


def _jaeger(span: Record) -> Record:
    start, end = (int(span[f"{word}TimeUnixNano"]) // 1000 for word in ("start", "end"))
    parent = span.get("parentSpanId")
    logs = [
        {
            "timestamp": start,
            "fields": [_tag({"key": "event", "value": {"stringValue": one["name"]}})]
            + [_tag(each) for each in one["attributes"]],
        }
        for one in span.get("events", [])
    ]
    return {
        "traceID": span["traceId"],
        "spanID": span["spanId"],
        "operationName": span.get("name", "chat"),
        "references": [{"refType": "CHILD_OF", "traceID": span["traceId"], "spanID": parent}] if parent else [],
        "startTime": start,
        "duration": end - start,
        "tags": [_tag(one) for one in span.get("attributes", [])],
        "logs": logs,
        "processID": "p1",
    }


def queried(events: Sequence[Record]) -> list[Record]:
    """The answer to a query of PostHog's for these events."""
    names = list(events[0])
    cells = [[json.dumps(v) if isinstance(v, dict) else v for v in one.values()] for one in events]
    return [{"columns": names, "results": cells, "types": [[name, SILENT] for name in names], "hasMore": False}]


def goose(told: Told) -> list[Record]:
    """A session as `goose session export` writes it."""
    about = {"id": told.key, "working_dir": SILENT, "name": SILENT, "created_at": told.begins.isoformat()}
    return [{**about, "session_type": "user", "conversation": _goose_messages(told)}]


def goose_lines(told: Told) -> list[Record]:
    """A session as Goose wrote it before: a line about it, and its messages."""
    said = [{key: value for key, value in one.items() if key != "id"} for one in _goose_messages(told)]
    return [{"working_dir": SILENT, "description": SILENT, "message_count": len(said)}, *said]


def _goose_messages(told: Told) -> list[Record]:
    found: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"id": f"{told.key}-{n}", "created": int(at.timestamp()), "metadata": {"userVisible": True}}
        call = {"type": "toolRequest", "id": "t", "toolCall": {"status": "success", "value": {"arguments": SILENT}}}
        result = {"type": "toolResponse", "id": "t", "toolResult": {"value": [{"type": "text", "text": SILENT}]}}
        noise = [{"type": "thinking", "thinking": SILENT}, call] if role == "assistant" else []
        found.append({**about, "role": role, "content": [*noise, {"type": "text", "text": text}]})
        found.append({**about, "id": f"{told.key}-{n}-t", "role": "user", "content": [result]})
        summary = {"metadata": {"userVisible": False}, "content": [{"type": "text", "text": INSIDE}]}
        found.append({**about, "id": f"{told.key}-{n}-s", "role": "user", **summary})
    return found


def aider(told: Told) -> list[Record]:
    """What `sources.aider` makes of a chat history."""
    said = [{"role": "system", "content": SILENT}, *({"role": role, "content": text} for role, text in told.turns)]
    return [{"aider": True, "started": told.begins.isoformat(), "messages": said}]


def adk(told: Told) -> list[Record]:
    """A session of Google's ADK: pieces of a stream, thoughts and tools between what is said."""
    events: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"invocationId": f"i{n}", "timestamp": at.timestamp(), "author": "user" if role == "user" else "helper"}
        side = "user" if role == "user" else "model"
        parts: list[Record] = [{"text": text}]
        if role == "assistant":
            call = {"functionCall": {"name": "f", "args": {"q": SILENT}}}
            result = {"functionResponse": {"name": "f", "response": {"r": SILENT}}}
            piece = {"content": {"role": "model", "parts": [{"text": INSIDE}]}, "partial": True}
            events.append({**about, "id": f"{n}-p", **piece})
            events.append({**about, "id": f"{n}-c", "content": {"role": "model", "parts": [call]}})
            events.append({**about, "id": f"{n}-r", "content": {"role": "user", "parts": [result]}})
            parts.insert(0, {"text": SILENT, "thought": True})
        events.append({**about, "id": f"{n}", "content": {"role": side, "parts": parts}})
    session = {"id": told.key, "appName": SILENT, "userId": told.user, "state": {"x": SILENT}}
    return [{**session, "events": events, "lastUpdateTime": told.begins.timestamp()}]


def pydantic_ai(told: Told) -> list[Record]:
    """The messages of an agent of Pydantic AI, beside the id of their conversation."""
    found: list[Record] = []
    for n, at, role, text in timed(told):
        when = {"timestamp": at.isoformat()}
        if role == "user":
            system = [{"part_kind": "system-prompt", "content": SILENT, **when}] if n == 0 else []
            words = {"part_kind": "user-prompt", "content": [text, {"kind": "image-url", "url": SILENT}], **when}
            found.append({"kind": "request", "parts": [*system, words], "instructions": SILENT})
            continue
        call = {"part_kind": "tool-call", "tool_name": "f", "args": {"q": SILENT}, "tool_call_id": "c"}
        result = {"part_kind": "tool-return", "tool_name": "f", "content": SILENT, "tool_call_id": "c", **when}
        found.append({"kind": "response", "parts": [call], **when})
        found.append({"kind": "request", "parts": [result]})
        answer = [{"part_kind": "thinking", "content": SILENT}, {"part_kind": "text", "content": text}]
        found.append({"kind": "response", "parts": answer, **when})
    return [{"conversation_id": told.key, "user_id": told.user, "messages": found}]


def chainlit(told: Told) -> list[Record]:
    """A thread of Chainlit: runs and calls of models among its messages."""
    steps: list[Record] = []
    for n, at, role, text in timed(told):
        about = {"threadId": told.key, "createdAt": at.isoformat(), "input": ""}
        if role == "assistant":
            steps.append({**about, "id": f"{n}-r", "type": "run", "input": SILENT, "output": SILENT})
            steps.append({**about, "id": f"{n}-l", "type": "llm", "input": SILENT, "output": SILENT})
        steps.append({**about, "id": f"{n}", "type": f"{role}_message", "output": text, "name": SILENT})
    thread = {"id": told.key, "createdAt": told.begins.isoformat(), "userIdentifier": told.user, "name": SILENT}
    return [{**thread, "steps": steps, "elements": []}]


def ui_list(told: Told) -> list[list[Record]]:
    """The messages of one chat of the AI SDK, with a thought and a tool."""
    tool = {"type": "tool-f", "toolCallId": "x", "state": "output-available", "input": {"q": SILENT}, "output": SILENT}
    noise = [{"type": "step-start"}, {"type": "reasoning", "text": SILENT}, tool]
    return [
        [
            {
                "id": f"{told.key}-{n}",
                "role": role,
                "metadata": {"createdAt": at.isoformat()},
                "parts": [*(noise if role == "assistant" else []), {"type": "text", "text": text}],
            }
            for n, at, role, text in timed(told)
        ]
    ]


def autogen(told: Told) -> list[Record]:
    """The result of a task of AutoGen's: events of tools and thoughts among its messages."""
    found: list[Record] = []
    for _, at, role, text in timed(told):
        about = {"source": "user" if role == "user" else "helper", "models_usage": None, "metadata": {}}
        about["created_at"] = at.isoformat()
        if role == "assistant":
            call = {"id": "c", "name": "f", "arguments": SILENT}
            found.append({**about, "type": "ThoughtEvent", "content": SILENT})
            found.append({**about, "type": "ToolCallRequestEvent", "content": [call]})
            found.append({**about, "type": "ToolCallExecutionEvent", "content": [{"call_id": "c", "content": SILENT}]})
        found.append({**about, "type": "TextMessage", "content": text})
    return [{"messages": found, "stop_reason": SILENT}]


def semantic_kernel(told: Told) -> list[Record]:
    """A chat history as Semantic Kernel for Python writes it."""
    found: list[Record] = [_item("system", "text", SILENT)]
    for _, _, role, text in timed(told):
        if role == "assistant":
            call = {"content_type": "function_call", "id": "c", "name": "f", "arguments": SILENT}
            result = {"content_type": "function_result", "id": "c", "result": SILENT}
            found.append({"content_type": "message", "role": "assistant", "items": [call]})
            found.append({"content_type": "message", "role": "tool", "items": [result]})
        found.append(_item(role, "text", text))
    return [{"messages": found}]


def _item(role: str, kind: str, text: str) -> Record:
    item = {"content_type": kind, "text": text, "metadata": {}}
    return {"content_type": "message", "metadata": {}, "role": role, "items": [item]}


def kernel_of_net(told: Told) -> list[list[Record]]:
    """The same as Semantic Kernel for .NET writes it: a list, with other keys."""
    found: list[Record] = [{"Role": {"Label": "system"}, "Items": [{"$type": "TextContent", "Text": SILENT}]}]
    for _, _, role, text in timed(told):
        if role == "assistant":
            call = {"$type": "FunctionCallContent", "FunctionName": "f", "Arguments": {"q": SILENT}}
            result = {"$type": "FunctionResultContent", "FunctionName": "f", "Result": SILENT}
            found.append({"Role": {"Label": "assistant"}, "Items": [call]})
            found.append({"Role": {"Label": "tool"}, "Items": [result]})
        found.append({"Role": {"Label": role}, "Items": [{"$type": "TextContent", "Text": text}]})
    return [found]


def chat_store(told: Told) -> list[Record]:
    """A store of LlamaIndex with one conversation."""
    found: list[Record] = [{"role": "system", "additional_kwargs": {}, "blocks": [_block(SILENT)]}]
    found += [{"role": role, "additional_kwargs": {}, "blocks": [_block(text)]} for _, _, role, text in timed(told)]
    return [{"store": {told.key: found}, "class_name": "SimpleChatStore"}]


def _block(text: str) -> Record:
    return {"block_type": "text", "text": text}


def mastra(told: Told) -> list[Record]:
    """Messages of Mastra, a row each, with a tool in the answers."""
    tool = {"type": "tool-invocation", "toolInvocation": {"toolName": "f", "args": {"q": SILENT}, "result": SILENT}}
    return [
        {
            "id": f"{told.key}-{n}",
            "threadId": told.key,
            "resourceId": told.user,
            "role": role,
            "createdAt": at.isoformat(),
            "content": {
                "format": 2,
                "parts": [*([tool] if role == "assistant" else []), {"type": "text", "text": text}],
                "metadata": {"x": SILENT},
            },
        }
        for n, at, role, text in timed(told)
    ]


def langflow(told: Told) -> list[Record]:
    senders = {"user": "User", "assistant": "Machine"}
    return [
        {
            "id": f"{told.key}-{n}",
            "timestamp": at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            "sender": senders[role],
            "sender_name": SILENT,
            "session_id": told.key,
            "text": text,
            "files": "[]",
            "content_blocks": json.dumps([{"contents": [{"text": SILENT}]}]),
        }
        for n, at, role, text in timed(told)
    ]
