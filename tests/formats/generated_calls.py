"""Generated logs of gateways, traces and events: a call or a message a record (see `generated.WRITERS`)."""

import json
from datetime import datetime, timedelta
from typing import Any

from tests.formats.marks import INSIDE, SILENT
from tests.support.writings import Sent, Told, Turns, calls, full, messages

Record = dict[str, Any]
PROMPT: Record = {"role": "system", "content": SILENT}
ASKED_INSIDE: list[Record] = [PROMPT, {"role": "user", "content": INSIDE}]
LANGCHAIN = {"user": "human", "assistant": "ai"}


def key(call: Sent) -> str:
    """The id of a call."""
    return f"{call.told.key}-{call.number}"


def choices(call: Sent) -> list[Record]:
    """The answer of a call, behind it another that nobody saw."""
    other = {"index": 1, "message": {"role": "assistant", "content": INSIDE}}
    thought = {"reasoning_content": SILENT}
    return [*({"index": 0, "message": one | thought} for one in messages(call.output)), other]


def apim(told: Told) -> list[Record]:
    """Rows of a call: its prompt, and behind it the answer; both as the text of JSON."""
    found = []
    for call in calls(told):
        about = {"TimeGenerated": call.began.isoformat(), "CorrelationId": key(call), "ModelName": SILENT}
        asked, answered = json.dumps([PROMPT, *messages(full(call))]), json.dumps(messages(call.output))
        found.append({**about, "SequenceNumber": 0, "RequestMessages": asked, "ResponseMessages": ""})
        found.append({**about, "SequenceNumber": 1, "RequestMessages": "", "ResponseMessages": answered})
    return found


def vertex(told: Told) -> list[Record]:
    """Rows of the table of requests and responses, with a thought and a second candidate."""
    return [_vertex(call) for call in calls(told)]


def _vertex(call: Sent) -> Record:
    who = {"user": "user", "assistant": "model"}
    contents = [{"role": who[role], "parts": [{"text": text}]} for role, text in full(call)]
    used = {"functionCall": {"name": "f", "args": {"q": SILENT}}}
    said = [{"text": SILENT, "thought": True}, *({"text": text} for _, text in call.output), used]
    first, other = ({"content": {"role": "model", "parts": one}} for one in (said, [{"text": INSIDE}]))
    request = {"contents": contents, "systemInstruction": {"parts": [{"text": SILENT}]}}
    about = {"logging_time": call.began.isoformat(), "request_id": key(call), "model": SILENT}
    return {**about, "full_request": request, "full_response": {"candidates": [first, other], "modelVersion": SILENT}}


def states(told: Told) -> list[Record]:
    """States of a thread, each with all that was said before; a system message and a tool's result beside it."""
    return [
        {
            "values": {"messages": _state(call), "context": {"x": SILENT}},
            "next": [],
            "created_at": call.ended.isoformat(),
            "checkpoint": {"thread_id": told.key, "checkpoint_id": key(call)},
            "metadata": {"source": "loop"},
        }
        for call in calls(told)
    ]


def checkpoints(told: Told) -> list[Record]:
    """The same states as a checkpointer keeps them."""
    return [
        {
            "config": {"configurable": {"thread_id": told.key, "checkpoint_id": key(call)}},
            "checkpoint": {"ts": call.ended.isoformat(), "channel_values": {"messages": _state(call), "x": SILENT}},
            "metadata": {"source": "loop", "writes": {"x": SILENT}},
        }
        for call in calls(told)
    ]


def _state(call: Sent) -> list[Record]:
    told = call.told.key
    said = [
        {"type": LANGCHAIN[role], "content": text, "id": f"{told}-m{n}", "additional_kwargs": {"x": SILENT}}
        for n, (role, text) in enumerate((*full(call), *call.output))
    ]
    result = {"type": "tool", "content": SILENT, "tool_call_id": "x", "id": f"{told}-t"}
    return [{"type": "system", "content": SILENT, "id": f"{told}-s"}, *said[:1], result, *said[1:]]


def braintrust(told: Told) -> list[Record]:
    """A root with the conversation, and inside it a router, the call itself, a tool and a score."""
    found = []
    for call in calls(told):
        root = key(call)
        about = {"root_span_id": root, "created": call.began.isoformat(), "metadata": {"session_id": told.key}}
        times = {"metrics": {"start": call.began.timestamp(), "end": call.ended.timestamp()}}
        for name, kind, asked, answered in (
            ("root", "task", messages(full(call)), call.output[0][1]),
            ("router", "llm", ASKED_INSIDE, [{"message": {"role": "assistant", "content": INSIDE}}]),
            ("answer", "llm", ASKED_INSIDE, [{"message": {"role": "assistant", "content": INSIDE}}]),
            ("tool", "tool", {"q": SILENT}, SILENT),
            ("score", "score", SILENT, {"score": 1}),
        ):
            inner = name != "root"
            own = f"{root}-{name}" if inner else root
            where = {"id": own, "span_id": own, "is_root": not inner, "span_parents": [root] if inner else None}
            what = {"span_attributes": {"type": kind, "name": SILENT}, "input": asked, "output": answered}
            found.append({**about, **times, **where, **what})
    return found


def helicone(told: Told) -> list[Record]:
    """Requests of a session, each behind one of an inner path."""
    found = []
    for call in calls(told):
        times = {"request_created_at": call.began.isoformat(), "response_created_at": call.ended.isoformat()}
        for name, path, asked, answered in (
            ("-router", "/chat/router", ASKED_INSIDE, [{"message": {"role": "assistant", "content": INSIDE}}]),
            ("", "/chat", [PROMPT, *messages(full(call))], choices(call)),
        ):
            session = {"Helicone-Session-Id": told.key, "Helicone-Session-Path": path, "Helicone-Session-Name": SILENT}
            about = {"request_id": f"{key(call)}{name}", **times, "request_user_id": told.user}
            bodies = {"request_body": {"model": SILENT, "messages": asked}, "response_body": {"choices": answered}}
            found.append({**about, **bodies, "request_properties": session})
    return found


def amplitude(told: Told) -> list[Record]:
    """Events of a session: a message each, and tools, spans, scores and its end, which nobody says."""
    kinds = {"user": "User Message", "assistant": "AI Response"}
    found: list[Record] = []
    for n, (role, text) in enumerate(told.turns):
        at = told.begins + timedelta(seconds=n)
        found.append(_agent_event(told, f"{n}a", "Tool Call", at, {"[Agent] Tool Name": SILENT}))
        found.append(_agent_event(told, f"{n}b", kinds[role], at, {"$llm_message": {"text": text}}))
        found.append(_agent_event(told, f"{n}c", "Score", at, {"$llm_message": {"text": SILENT}}))
    return [*found, _agent_event(told, "end", "Session End", told.begins, {"[Agent] Model Name": SILENT})]


def _agent_event(told: Told, own: str, kind: str, at: datetime, about: Record) -> Record:
    time = at.strftime("%Y-%m-%d %H:%M:%S.%f")
    named = {"event_type": f"[Agent] {kind}", "event_time": time, "user_id": told.user, "uuid": f"{told.key}-{own}"}
    return {**named, "event_properties": {"[Agent] Session ID": told.key, **about}}


def phoenix(told: Told) -> list[Record]:
    """Rows of a data frame of spans: a chain with the conversation, and inside it a call and a tool."""
    found: list[Record] = []
    for call in calls(told):
        names = {"attributes.session.id": told.key, "attributes.user.id": told.user}
        said = {
            f"attributes.llm.{word}_messages": [{"message.role": role, "message.content": text} for role, text in turns]
            for word, turns in (("input", (("system", SILENT), *full(call))), ("output", call.output))
        }
        found.append(_phoenix(call, "a", "LLM", {**names, **said, "attributes.llm.model_name": SILENT}))
        found.append(_phoenix(call, "b", "LLM", _frame_inside()))
        tool = {"attributes.input.value": SILENT, "attributes.output.value": SILENT, "attributes.tool.name": SILENT}
        found.append(_phoenix(call, "c", "TOOL", tool))
    return found


def _frame_inside() -> Record:
    sides = (("input", "user"), ("output", "assistant"))
    return {
        f"attributes.llm.{word}_messages": [{"message.role": role, "message.content": INSIDE}] for word, role in sides
    }


def _phoenix(call: Sent, name: str, kind: str, said: Record) -> Record:
    ids = {"context.trace_id": key(call), "context.span_id": f"{key(call)}-{name}"}
    times = {"start_time": call.began.isoformat(), "end_time": call.ended.isoformat()}
    columns = ("session.id", "user.id", "llm.input_messages", "llm.output_messages", "llm.model_name", "tool.name")
    columns += ("input.value", "output.value")
    empty = {f"attributes.{word}": None for word in columns}
    parent = None if name == "a" else f"{key(call)}-a"
    return {**ids, "parent_id": parent, "name": name, "span_kind": kind, **times, **empty, **said}


def console(told: Told) -> list[Record]:
    """Spans as Python's console exporter prints them: an agent's call, and inside it another and a tool."""
    found: list[Record] = []
    for call in calls(told):
        names = {"gen_ai.conversation.id": told.key, "gen_ai.system_instructions": _text(SILENT)}
        found.append(_console(call, "a", {"gen_ai.operation.name": "invoke_agent", **names, **_said(call)}))
        inside = {"gen_ai.input.messages": _parts([("user", INSIDE)]), "gen_ai.operation.name": "chat"}
        found.append(_console(call, "b", inside | {"gen_ai.output.messages": _parts([("assistant", INSIDE)])}))
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": SILENT}
        found.append(_console(call, "c", tool))
    return found


def _said(call: Sent) -> Record:
    return {"gen_ai.input.messages": _parts(full(call)), "gen_ai.output.messages": _parts(call.output)}


def _text(text: str) -> str:
    return json.dumps([{"type": "text", "content": text}])


def _parts(turns: Turns) -> str:
    said = [{"type": "reasoning", "content": SILENT}]
    return json.dumps([{"role": role, "parts": [*said, {"type": "text", "content": text}]} for role, text in turns])


def _console(call: Sent, name: str, attributes: Record) -> Record:
    context = {"trace_id": key(call), "span_id": f"{key(call)}-{name}", "trace_state": "[]"}
    times = {"start_time": call.began.isoformat(), "end_time": call.ended.isoformat()}
    parent = None if name == "a" else f"{key(call)}-a"
    about = {"name": SILENT, "context": context, "kind": "SpanKind.CLIENT", "parent_id": parent}
    return {**about, **times, "attributes": attributes, "events": [], "resource": {"attributes": {"x": SILENT}}}


def weave(told: Told) -> list[Record]:
    """A function of the application's own, and inside it the call, with a router inside that, and a tool."""
    found: list[Record] = []
    for call in calls(told):
        said = {"messages": messages(full(call)), "model": SILENT}
        answer = {"choices": [{"index": 0, "message": messages(call.output)[0]}]}
        silent = {"choices": [{"index": 0, "message": {"role": "assistant", "content": INSIDE}}]}
        for name, parent, asked, answered in (
            ("chat", None, {"self": SILENT, "question": SILENT}, {"answer": SILENT}),
            ("openai", "chat", said, answer),
            ("router", "openai", {"messages": ASKED_INSIDE}, silent),
            ("tool", "chat", {"q": SILENT}, SILENT),
        ):
            ids = {"id": f"{key(call)}-{name}", "parent_id": parent and f"{key(call)}-{parent}", "trace_id": key(call)}
            times = {"started_at": call.began.isoformat(), "ended_at": call.ended.isoformat()}
            about = {"op_name": f"weave:///e/p/op/{name}:x", "thread_id": told.key, "wb_user_id": SILENT}
            found.append({**ids, **about, **times, "inputs": asked, "output": answered, "attributes": {"x": SILENT}})
    return found


def datadog(told: Told) -> list[Record]:
    """A workflow without words, and inside it the agent's span, with a router inside that, and a tool."""
    found: list[Record] = []
    for call in calls(told):
        said = ({"messages": messages(full(call))}, {"messages": messages(call.output)})
        inside = ({"messages": ASKED_INSIDE}, {"messages": [{"role": "assistant", "content": INSIDE}]})
        for name, kind, parent, (asked, answered) in (
            ("flow", "workflow", "undefined", ({}, {})),
            ("answer", "agent", "flow", said),
            ("router", "llm", "answer", inside),
            ("tool", "tool", "flow", ({"value": SILENT}, {"value": SILENT})),
        ):
            ids = {"span_id": f"{key(call)}-{name}", "trace_id": key(call), "session_id": told.key}
            ids["parent_id"] = parent if parent == "undefined" else f"{key(call)}-{parent}"
            span = {**ids, "span_kind": kind, "name": SILENT, "ml_app": SILENT, "tags": [f"user_id:{told.user}"]}
            span |= {"start_ms": int(call.began.timestamp() * 1000), "duration": 1_000_000_000}
            found.append(
                {"id": ids["span_id"], "type": "span", "attributes": span | {"input": asked, "output": answered}}
            )
    return found


def mlflow(told: Told) -> list[Record]:
    """Traces: a function of the application's own, and inside it the model's span, with a router in it, and a tool."""
    found: list[Record] = []
    for call in calls(told):
        said = ({"messages": messages(full(call))}, {"choices": [{"message": messages(call.output)[0]}]})
        spans: list[Record] = []
        for name, kind, parent, (asked, answered) in (
            ("chat", "CHAIN", None, ({"question": SILENT}, {"answer": SILENT})),
            ("model", "CHAT_MODEL", "chat", said),
            ("router", "LLM", "model", (INSIDE, INSIDE)),
            ("tool", "TOOL", "chat", ({"q": SILENT}, SILENT)),
        ):
            written = {"mlflow.spanType": kind, "mlflow.spanInputs": asked, "mlflow.spanOutputs": answered}
            times = {
                "start_time_unix_nano": call.began.timestamp() * 1e9,
                "end_time_unix_nano": call.ended.timestamp() * 1e9,
            }
            about = {"trace_id": "x", "span_id": name, "parent_span_id": parent, "name": SILENT}
            attributes = {word: json.dumps(value) for word, value in written.items()}
            spans.append({**about, **{word: int(at) for word, at in times.items()}, "attributes": attributes})
        metadata = {"mlflow.trace.session": told.key, "mlflow.trace.user": told.user}
        info = {"trace_id": key(call), "trace_metadata": metadata, "request_preview": SILENT, "state": "OK"}
        found.append({"info": info, "data": {"spans": spans}})
    return found


def logfire(told: Told) -> list[Record]:
    """Rows of Logfire's table: an agent's run with its whole state, and inside it a call."""
    found: list[Record] = []
    for call in calls(told):
        said = [
            {"role": role, "parts": [{"type": "text", "content": text}]} for role, text in [*full(call), *call.output]
        ]
        inside = {"gen_ai.input.messages": _parts([("user", INSIDE)]), "gen_ai.operation.name": "chat"}
        for name, parent, attributes in (
            ("run", None, {"pydantic_ai.all_messages": said, "session.id": told.key, "user.id": told.user}),
            ("chat", "run", inside),
        ):
            ids = {"trace_id": key(call), "span_id": name, "parent_span_id": parent, "span_name": SILENT}
            times = {"start_timestamp": call.began.isoformat(), "end_timestamp": call.ended.isoformat()}
            found.append({**ids, **times, "message": SILENT, "attributes": attributes})
    return found


def interactions(told: Told) -> list[Record]:
    """Interactions of the Gemini API, each with its steps: the question, a thought, a search and the answer."""
    found: list[Record] = []
    for call in calls(told):
        steps: list[Record] = [_step("user_input", text) for _, text in call.newest]
        steps += [{"type": "thought", "signature": SILENT, "summary": [{"type": "text", "text": SILENT}]}]
        search = f"{told.key}-s{call.number}"
        steps += [{"type": "google_search_call", "id": search, "arguments": {"queries": [SILENT]}}]
        steps += [{"type": "google_search_result", "call_id": search, "result": [{"title": SILENT}]}]
        steps += [_step("model_output", text) for _, text in call.output]
        before = found[-1]["id"] if found else None
        about = {"id": f"{told.key}-{call.number}", "object": "interaction", "status": "completed", "model": SILENT}
        found.append({**about, "created": call.began.isoformat(), "previous_interaction_id": before, "steps": steps})
    return found


def _step(kind: str, text: str) -> Record:
    return {"type": kind, "content": [{"type": "text", "text": text, "annotations": []}]}
