"""Generated logs of sessions and calls that are written event by event, and of workflows around calls of models."""

import json
from typing import Any

from tests.formats.generated_talks import timed
from tests.formats.marks import INSIDE, SILENT
from tests.support.writings import Sent, Told, full, messages

Record = dict[str, Any]


def realtime(told: Told) -> list[Record]:
    """A session: what was heard is transcribed after the answer began, and one item was deleted."""
    events: list[Record] = [{"type": "session.created", "session": {"id": told.key, "instructions": SILENT}}]
    before = None
    for n, at, role, text in timed(told):
        key, when = f"{told.key}-{n}", {"timestamp": at.isoformat()}
        item = {"id": key, "type": "message", "role": role}
        sound = {"type": "input_audio" if role == "user" else "output_audio", "transcript": None}
        added = {"type": "conversation.item.added", "previous_item_id": before, "item": {**item, "content": [sound]}}
        events.append({**added, **when})
        if role == "user":
            heard = {"type": "conversation.item.input_audio_transcription.completed", "item_id": key}
            events.append({**heard, "content_index": 0, "transcript": text, **when})
        else:
            done = {**item, "content": [{**sound, "transcript": text}]}
            aside = {**item, "id": f"{key}-x", "content": [{"type": "output_text", "text": INSIDE}]}
            call = {"id": f"{key}-c", "type": "function_call", "name": "f", "arguments": SILENT}
            for conversation, output in (("conv", [done, call]), (None, [aside])):
                response = {"id": "r", "conversation_id": conversation, "output": output}
                events.append({"type": "response.done", "response": response, **when})
        before = key
    gone = {"id": "gone", "type": "message", "role": "user", "content": [{"type": "input_text", "text": INSIDE}]}
    events += [{"type": "conversation.item.created", "previous_item_id": before, "item": gone}]
    events += [{"type": "conversation.item.deleted", "item_id": "gone"}]
    return [{"event_id": f"{told.key}-e{n}", **one} for n, one in enumerate(events)]


def genesys(told: Told) -> list[Record]:
    """A transcript in two parts, the later one first."""
    sides = {"user": "external", "assistant": "internal"}
    phrases = [
        {
            "text": text,
            "decoratedText": text,
            "participantPurpose": sides[role],
            "startTimeMs": int(at.timestamp() * 1000),
            "alternatives": [{"text": SILENT}],
        }
        for _, at, role, text in timed(told)
    ]
    half = len(phrases) // 2
    parts = [{"transcriptId": n, "phrases": one} for n, one in enumerate((phrases[half:], phrases[:half]))]
    return [{"conversationId": told.key, "communicationId": SILENT, "mediaType": "call", "transcripts": parts}]


def typebot(told: Told) -> list[Record]:
    sides = {"user": "user", "assistant": "bot"}
    said: list[Record] = [{"role": sides[role], "type": "text", "text": text} for role, text in told.turns]
    picture = {"role": "bot", "type": "image", "image": SILENT}
    return [{"resultId": told.key, "createdAt": told.begins.isoformat(), "transcript": [picture, *said]}]


def whatsapp(told: Told) -> list[Record]:
    """What `sources.whatsapp` makes of a chat."""
    listed: list[Record] = [{"kind": "notice", "at": told.begins.isoformat(), "line": 1}]
    for n, at, role, text in timed(told):
        about = {"sender": role, "at": at.isoformat(), "line": n + 2}
        listed += [{**about, "kind": "message", "text": text}, {**about, "kind": "attachment", "text": SILENT}]
        listed += [{**about, "kind": "deleted", "text": SILENT}]
    return [{"whatsapp": True, "messages": listed}]


def workflow(call: Sent) -> tuple[Record, Any]:
    """A function around calls of models, as Traceloop writes its arguments and its result."""
    asked = {"args": [], "kwargs": {"question": call.newest[-1][1], "customer": SILENT}} if call.newest else {}
    flat = {"traceloop.span.kind": "workflow", "traceloop.entity.input": json.dumps(asked)}
    return {**flat, "traceloop.entity.output": json.dumps(call.output[0][1]), "traceloop.entity.name": SILENT}, ()


def listed_events(call: Sent) -> tuple[Record, Any]:
    """A call whose messages stand as events in one attribute, as Logfire had them."""
    named = [{"event.name": f"gen_ai.{one['role']}.message", **one} for one in messages(full(call))]
    answer = {"event.name": "gen_ai.choice", "index": 0, "message": messages(call.output)[0]}
    prompt = {"event.name": "gen_ai.system.message", "content": SILENT, "role": "system"}
    return {"gen_ai.operation.name": "chat", "events": json.dumps([prompt, *named, answer])}, ()


def request_data(call: Sent) -> tuple[Record, Any]:
    """A call with its request and response, as Logfire writes them."""
    asked = {"model": SILENT, "messages": [{"role": "system", "content": SILENT}, *messages(full(call))]}
    answer = {"message": messages(call.output)[0], "usage": {"note": SILENT}}
    return {"request_data": json.dumps(asked), "response_data": json.dumps(answer)}, ()


def opencode(told: Told) -> list[Record]:
    """A session with what the program put in, a thought and a tool, and another of a subagent."""
    listed: list[Record] = []
    for n, at, role, text in timed(told):
        tool = {"type": "tool", "tool": "f", "state": {"input": {"q": SILENT}, "output": SILENT}}
        noise: list[Record] = [{"type": "reasoning", "text": SILENT}, tool, {"type": "step-finish"}]
        noise += [{"type": "text", "text": INSIDE, "synthetic": True}] if role == "user" else []
        about = {"id": f"{told.key}-{n}", "role": role, "time": {"created": int(at.timestamp() * 1000)}}
        listed.append({"info": about, "parts": [{"type": "text", "text": text}, *noise]})
    session = {"id": told.key, "title": SILENT, "time": {"created": int(told.begins.timestamp() * 1000)}}
    return [{"info": session, "messages": listed}]


def opencode_messages(told: Told) -> list[list[Record]]:
    """The messages of a session, as the server lists them."""
    (session,) = opencode(told)
    return [[{**one, "info": {**one["info"], "sessionID": told.key}} for one in session["messages"]]]


def pi(told: Told) -> list[Record]:
    """A session in which one branch was left."""
    lines: list[Record] = [{"type": "session", "version": 3, "id": told.key, "timestamp": told.begins.isoformat()}]
    lines[0]["cwd"] = SILENT
    before: str | None = None
    for n, at, role, text in timed(told):
        own, about = f"{told.key}-{n}", {"parentId": before, "timestamp": at.isoformat()}
        left = {"role": role, "content": [{"type": "text", "text": INSIDE}]}
        parts = [{"type": "thinking", "thinking": SILENT}, {"type": "text", "text": text}]
        lines.append({"type": "message", "id": f"{own}-x", **about, "message": left})
        lines.append({"type": "message", "id": own, **about, "message": {"role": role, "content": parts}})
        result = {"role": "toolResult", "toolCallId": "t", "content": [{"type": "text", "text": SILENT}]}
        about = {"parentId": own, "timestamp": at.isoformat()}
        lines.append({"type": "message", "id": f"{own}-t", **about, "message": result})
        before = f"{own}-t"
    return lines


def twilio_messages(told: Told) -> list[Record]:
    """The log of messages with one number, newest first, as the API has it."""
    found: list[Record] = []
    for n, at, role, text in timed(told):
        ends = {"from": told.key, "to": "+1"} if role == "user" else {"from": "+1", "to": told.key}
        about = {"direction": "inbound" if role == "user" else "outbound-api", "date_sent": at.isoformat(), **ends}
        found.append({"sid": f"SM{told.key}-{n}", "body": text, "status": "delivered", **about})
        found.append({**about, "sid": f"SM{told.key}-{n}-x", "body": INSIDE, "status": "failed"} | FAILED)
    return found[::-1]


FAILED = {"direction": "outbound-api"}
