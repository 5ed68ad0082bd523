"""Files of every format whose truth is known: what was said, and beside it, marked, what nobody said.

A new format joins by a line in WRITERS. Generators (`test_generated`) and mutations (`test_mutated`,
`benchmarks/fuzz_formats`) both take it from there.
"""

import csv
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tests.formats import generated_agents as by_agent
from tests.formats import generated_calls as by_call
from tests.formats import generated_desks as by_desk
from tests.formats import generated_sessions as by_session
from tests.formats import generated_talks as by_talk
from tests.formats.generated_talks import RESULT, THOUGHT, USE
from tests.formats.marks import INSIDE, SILENT
from tests.formats.test_otel import attributes, otlp, parts, span
from tests.support.writings import Sent, Told, calls, full, messages, nanoseconds

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
WORDS = ("yes", "ok", "no", "thanks", "Where is my parcel?", "ä ö 𝄞 \u202e", 'a "quoted" word', "line one\nline two")
WORDS += (
    '{"a": 1}',
    "[urgent] {EU}",
    "[]",
    "null",
    "0",
    "role: user",
    "<b>bold</b>",
    "c:\\temp",
    "a;b\tc,d",
    "\\ud83d",
)
Record = dict[str, Any]
Writer = Callable[[Told], Sequence[Any]]


def talks(chance: random.Random, most: int = 4) -> list[Told]:
    """Some conversations, alternating, of short and awkward messages; each has a user and a start of its own."""
    found = []
    for n in range(chance.randint(1, most)):
        turns = []
        for k in range(chance.randint(1, 4)):
            asked = chance.choice(WORDS) + (f" {n}.{k}" if chance.random() < 0.7 else "")
            turns += [("user", asked), ("assistant", chance.choice(WORDS) + f" {chance.randint(0, 3)}")]
        found.append(Told(f"c{n}-{chance.randint(0, 99)}", f"u{n}", BEGIN + timedelta(minutes=90 * n), tuple(turns)))
    return found


def chat(told: Told, *noise: Record, content: Callable[[str], Any] = str, **more: Any) -> Record:
    """A chat with a system prompt, and noise before its last answer."""
    said = [{**one, "content": content(one["content"])} for one in messages(told.turns)]
    return {"id": told.key, "user": told.user, "timestamp": told.begins.isoformat(), **more} | {
        "messages": [*said[:-1], *noise, said[-1]]
    }


def openai(told: Told) -> list[Record]:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": SILENT}}
    noise = [{"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": SILENT}]
    noise += [{"role": "tool", "tool_call_id": "x", "content": SILENT}, {"role": "developer", "content": SILENT}]
    picture = {"type": "image_url", "image_url": {"url": SILENT}}
    return [chat(told, *noise, content=lambda text: [{"type": "text", "text": text}, picture])]


def anthropic(told: Told) -> list[Record]:
    noise = [{"role": "assistant", "content": [THOUGHT, USE]}, {"role": "user", "content": [RESULT]}]
    return [chat(told, *noise, system=[{"type": "text", "text": SILENT}], model="m", max_tokens=9)]


def sharegpt(told: Told) -> list[Record]:
    who = {"user": "human", "assistant": "gpt"}
    said = [{"from": who[role], "value": text} for role, text in told.turns]
    tools = [{"from": "function_call", "value": SILENT}, {"from": "observation", "value": SILENT}]
    start = {"timestamp": told.begins.isoformat()}
    return [{"id": told.key, "system": SILENT, "tools": "[]", "conversations": [*said[:1], *tools, *said[1:]], **start}]


def gemini(told: Told) -> list[Record]:
    who = {"user": "user", "assistant": "model"}
    said = [{"role": who[role], "parts": [{"text": text}]} for role, text in told.turns]
    said[-1]["parts"] += [{"text": SILENT, "thought": True}, {"functionCall": {"name": "f", "args": {"q": SILENT}}}]
    given = {"id": told.key, "timestamp": told.begins.isoformat()}
    return [{**given, "contents": said, "systemInstruction": {"parts": [{"text": SILENT}]}}]


def gemini_history(told: Told) -> list[list[Record]]:
    return [gemini(told)[0]["contents"]]


def ai_studio(told: Told) -> list[Record]:
    chunks: list[Record] = []
    for role, text in told.turns:
        thought = {"text": SILENT, "role": "model", "isThought": True}
        chunks += [thought] if role == "assistant" else [{"driveDocument": {"id": SILENT}, "role": "user"}]
        chunks.append({"text": text, "role": "model" if role == "assistant" else "user", "tokenCount": 1})
    prompt = {"chunks": chunks, "pendingInputs": [{"text": SILENT, "role": "user"}]}
    return [{"runSettings": {"model": SILENT}, "systemInstruction": {"text": SILENT}, "chunkedPrompt": prompt}]


def bedrock(told: Told) -> list[Record]:
    use = {"toolUse": {"toolUseId": "t", "name": "f", "input": {"q": SILENT}}}
    result = {"toolResult": {"toolUseId": "t", "content": [{"text": SILENT}], "status": "success"}}
    thought = {"reasoningContent": {"reasoningText": {"text": SILENT, "signature": "s"}}}
    noise = [{"role": "assistant", "content": [thought, use]}, {"role": "user", "content": [result]}]
    return [chat(told, *noise, content=lambda text: [{"text": text}], system=[{"text": SILENT}], modelId="m")]


def invocations(told: Told) -> list[Record]:
    return [_invocation(call) for call in calls(told)]


def _invocation(call: Sent) -> Record:
    said = [{"role": role, "content": [{"text": text}]} for role, text in full(call)]
    thought = {"reasoningContent": {"reasoningText": {"text": SILENT}}}
    answer = {"role": "assistant", "content": [thought, *({"text": text} for _, text in call.output)]}
    return {
        "schemaType": "ModelInvocationLog",
        "timestamp": call.began.isoformat(),
        "requestId": f"{call.told.key}-{call.number}",
        "operation": "Converse",
        "modelId": SILENT,
        "input": {
            "inputBodyJson": {
                "messages": said,
                "system": [{"text": SILENT}],
                "requestMetadata": {"sessionId": call.told.key},
            }
        },
        "output": {"outputBodyJson": {"output": {"message": answer}, "stopReason": "end_turn"}},
    }


def responses(told: Told) -> list[Record]:
    found: list[Record] = []
    for call in calls(told):
        text = [{"type": "output_text", "text": one, "annotations": []} for _, one in call.output]
        thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": SILENT}]}
        searched = {"type": "web_search_call", "status": "completed", "action": {"query": SILENT}}
        output = [thought, searched, {"type": "message", "role": "assistant", "content": text}]
        about = {"id": f"{told.key}-{call.number}", "object": "response", "created_at": call.began.timestamp()}
        before = {"previous_response_id": found[-1]["id"] if found else None, "user": told.user}
        asked = [{"role": role, "content": [{"type": "input_text", "text": one}]} for role, one in call.newest]
        found.append({**about, **before, "instructions": SILENT, "input": asked, "output": output})
    return found


def threads(told: Told) -> list[Record]:
    found = []
    for n, (role, text) in enumerate(told.turns):
        content: list[Any] = [{"type": "text", "text": {"value": text, "annotations": []}}]
        content.append({"type": "image_file", "image_file": {"file_id": SILENT}})
        about = {"id": f"{told.key}-{n}", "object": "thread.message", "thread_id": told.key, "metadata": {"x": SILENT}}
        found.append({**about, "created_at": told.begins.timestamp() + n, "role": role, "content": content})
    return found


def pairs(told: Told) -> list[Record]:
    found = []
    for call in calls(told):
        request = {"model": SILENT, "messages": [{"role": "system", "content": SILENT}, *messages(full(call))]}
        choice = {"index": 0, "message": {**messages(call.output)[0], "reasoning": SILENT}}
        other = {"index": 1, "message": {"role": "assistant", "content": INSIDE}}
        about = {"id": f"{told.key}-{call.number}", "timestamp": call.began.isoformat(), "session_id": told.key}
        found.append({**about, "request": request, "response": {"id": "x", "choices": [choice, other]}})
    return found


def litellm(told: Told) -> list[Record]:
    return [
        {
            "id": f"{told.key}-{call.number}",
            "trace_id": told.key,
            "call_type": "acompletion",
            "startTime": call.began.timestamp(),
            "endTime": call.ended.timestamp(),
            "end_user": told.user,
            "messages": messages(full(call)),
            "response": {"choices": [{"index": 0, "message": messages(call.output)[0]}]},
            "metadata": {"alias": SILENT},
        }
        for call in calls(told)
    ]


def observations(told: Told) -> list[Record]:
    """A root with the conversation, and inside it a router, a tool and the call itself."""
    found = []
    for call in calls(told):
        trace = f"{told.key}-{call.number}"
        about = {"traceId": trace, "sessionId": told.key, "userId": told.user, "environment": "default"}
        times = {"startTime": call.began.isoformat(), "endTime": call.ended.isoformat()}
        silent = {
            "input": [{"role": "system", "content": SILENT}, {"role": "user", "content": INSIDE}],
            "output": INSIDE,
        }
        said = {"input": {"messages": messages(full(call))}, "output": messages(call.output)[0]}
        for name, kind, parent, words in (
            ("root", "AGENT", None, said),
            ("router", "GENERATION", "root", silent),
            ("tool", "TOOL", "root", {"input": {"q": SILENT}, "output": SILENT}),
            ("answer", "GENERATION", "root", silent),
        ):
            within = {"id": f"{trace}-{name}", "type": kind, "parentObservationId": parent and f"{trace}-{parent}"}
            found.append({**about, **within, **times, **words})
    return found


def blob(told: Told) -> list[Record]:
    words = {"traceId": "trace_id", "sessionId": "session_id", "userId": "user_id", "startTime": "start_time"}
    words |= {"parentObservationId": "parent_observation_id", "endTime": "end_time"}
    rows = [{words.get(key, key): value for key, value in one.items()} for one in observations(told)]
    for row in rows:
        row |= {key: row[key][:19].replace("T", " ") + ".000000" for key in ("start_time", "end_time")}
        row |= {key: json.dumps(row[key]) for key in ("input", "output") if not isinstance(row[key], str)}
    return rows


def traces(told: Told) -> list[Record]:
    return [
        {
            "id": f"{told.key}-{call.number}",
            "timestamp": call.began.isoformat(),
            "tags": [SILENT],
            "sessionId": told.key,
            "userId": told.user,
            "input": messages(full(call)),
            "output": messages(call.output)[0],
            "metadata": {"x": SILENT},
        }
        for call in calls(told)
    ]


def _spans(told: Told, dialect: Callable[[Sent], tuple[Record, Any]]) -> list[Record]:
    found = []
    for call in calls(told):
        flat, events = dialect(call)
        trace = f"{told.key}-{call.number}"
        times = {"startTimeUnixNano": nanoseconds(call.began), "endTimeUnixNano": nanoseconds(call.ended)}
        outer = span({"session.id": told.key, "user.id": told.user, **flat}, f"{trace}-a", events=events, trace=trace)
        inside = {
            "gen_ai.input.messages": [parts("user", INSIDE)],
            "gen_ai.output.messages": [parts("assistant", INSIDE)],
        }
        inner = span({"gen_ai.operation.name": "chat", **inside}, f"{trace}-b", f"{trace}-a", trace=trace)
        tool = span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": SILENT}, f"{trace}-c", trace=trace)
        found.append(otlp(outer | times, inner | times, tool | times))
    return found


def _spoken(turns: Any) -> list[Record]:
    thought = {"user": [], "assistant": [{"type": "reasoning", "content": SILENT}]}
    return [{"role": role, "parts": [*thought[role], {"type": "text", "content": text}]} for role, text in turns]


def _structured(call: Sent) -> tuple[Record, Any]:
    instructions = [{"type": "text", "content": SILENT}]
    said = {"gen_ai.input.messages": _spoken(full(call)), "gen_ai.output.messages": _spoken(call.output)}
    return {"gen_ai.system_instructions": instructions, **said}, ()


def _as_text(call: Sent) -> tuple[Record, Any]:
    return {key: json.dumps(value) for key, value in _structured(call)[0].items()}, ()


def _events(call: Sent) -> tuple[Record, Any]:
    asked = [(f"gen_ai.{role}.message", {"content": text, "role": role}) for role, text in full(call)]
    answer = ("gen_ai.choice", {"index": 0, "message": json.dumps(messages(call.output)[0])})
    return {"gen_ai.system": SILENT}, [("gen_ai.system.message", {"content": SILENT}), *asked, answer]


def _openinference(call: Sent) -> tuple[Record, Any]:
    flat: Record = {"openinference.span.kind": "LLM", "llm.model_name": SILENT, "input.value": SILENT}
    for word, turns in (("input", full(call)), ("output", call.output)):
        for n, (role, text) in enumerate(turns):
            flat |= {f"llm.{word}_messages.{n}.message.role": role, f"llm.{word}_messages.{n}.message.content": text}
    return flat, ()


def _openllmetry(call: Sent) -> tuple[Record, Any]:
    flat: Record = {"llm.request.type": "chat", "gen_ai.request.model": SILENT}
    for word, turns in (("prompt", full(call)), ("completion", call.output)):
        for n, (role, text) in enumerate(turns):
            flat |= {f"gen_ai.{word}.{n}.role": role, f"gen_ai.{word}.{n}.content": text}
    return flat, ()


def _ai_sdk(call: Sent) -> tuple[Record, Any]:
    asked = [{"role": "system", "content": SILENT}, *messages(full(call))]
    return {"ai.operationId": "ai.generateText", "ai.prompt.messages": json.dumps(asked)} | {
        "ai.response.text": call.output[0][1]
    }, ()


def logs(told: Told) -> list[Record]:
    found = []
    for call in calls(told):
        flat = {"gen_ai.conversation.id": told.key, **_structured(call)[0]}
        record = {"timeUnixNano": nanoseconds(call.began), "traceId": f"{told.key}-{call.number}", "spanId": "s"}
        record |= {"eventName": "gen_ai.client.inference.operation.details", "attributes": attributes(flat)}
        found.append({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    return found


def chatgpt(told: Told) -> list[Record]:
    """A tree with a branch that was left, thoughts and a tool."""
    nodes: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": []}}
    before = "root"

    def add(key: str, role: str, text: str, parent: str, at: int, **more: Any) -> None:
        content = {"content_type": "text", "parts": [text]}
        message = {"id": key, "author": {"role": role}, "create_time": told.begins.timestamp() + at, "content": content}
        nodes[key] = {"id": key, "message": {**message, "recipient": "all", "metadata": {}, **more}, "parent": parent}

    for n, (role, text) in enumerate(told.turns):
        add(f"left{n}", role, INSIDE, before, n)
        if role == "assistant":
            add(f"tool{n}", "tool", SILENT, before, n)
            before = f"tool{n}"
        add(f"n{n}", role, text, before, n)
        before = f"n{n}"
    about = {"title": SILENT, "create_time": told.begins.timestamp(), "conversation_id": told.key}
    return [{**about, "mapping": nodes, "current_node": before}]


def claude_ai(told: Told) -> list[Record]:
    who = {"user": "human", "assistant": "assistant"}
    said = [
        {
            "uuid": f"{told.key}-{n}",
            "sender": who[role],
            "text": text,
            "content": [THOUGHT, USE, {"type": "text", "text": text}] if role == "assistant" else [],
            "created_at": (told.begins + timedelta(seconds=n)).isoformat(),
            "attachments": [{"file_name": SILENT, "extracted_content": SILENT}],
        }
        for n, (role, text) in enumerate(told.turns)
    ]
    account = {"account": {"uuid": told.user}, "created_at": told.begins.isoformat(), "name": SILENT}
    return [{"uuid": told.key, **account, "chat_messages": said}]


def ui_messages(told: Told) -> list[Record]:
    tool = {"type": "tool-f", "toolCallId": "x", "state": "output-available", "input": {"q": SILENT}, "output": SILENT}
    noise = [{"type": "step-start"}, {"type": "reasoning", "text": SILENT}, tool]
    said = [
        {
            "id": f"{told.key}-{n}",
            "role": role,
            "metadata": {"createdAt": (told.begins.timestamp() + n) * 1000},
            "parts": [*(noise if role == "assistant" else []), {"type": "text", "text": text}],
        }
        for n, (role, text) in enumerate(told.turns)
    ]
    return [{"id": told.key, "messages": said}]


def langchain(told: Told) -> list[Record]:
    who = {"user": "human", "assistant": "ai"}
    said = [{"type": who[role], "content": text, "additional_kwargs": {"x": SILENT}} for role, text in told.turns]
    noise = [{"type": "system", "content": SILENT, "additional_kwargs": {}}]
    noise += [{"type": "tool", "content": SILENT, "additional_kwargs": {}, "tool_call_id": "x"}]
    return [{"id": told.key, "timestamp": told.begins.isoformat(), "messages": [*noise, *said]}]


def langsmith(told: Told) -> list[Record]:
    who = {"user": "human", "assistant": "ai"}
    found = []
    for call in calls(told):
        asked = [{"type": "system", "content": SILENT}]
        asked += [{"type": who[role], "content": text} for role, text in full(call)]
        answer = {"text": call.output[0][1], "message": {"type": "ai", "content": call.output[0][1]}}
        key = f"{told.key}-{call.number}"
        root = {"id": key, "trace_id": key, "dotted_order": key, "run_type": "llm", "parent_run_id": None}
        root |= {"inputs": {"messages": [asked]}, "outputs": {"generations": [[answer]]}, "session_id": SILENT}
        tool = {**root, "id": f"{key}-t", "run_type": "tool", "parent_run_id": key}
        tool |= {"inputs": {"input": SILENT}, "outputs": {"output": SILENT}}
        times = {"start_time": call.began.isoformat(), "end_time": call.ended.isoformat()}
        extra = {"extra": {"metadata": {"thread_id": told.key}}}
        found += [{**one, **times, **extra, "name": SILENT} for one in (root, tool)]
    return found


def opik(told: Told) -> list[Record]:
    return [
        {
            "id": f"{told.key}-{call.number}",
            "thread_id": told.key,
            "name": SILENT,
            "start_time": call.began.isoformat(),
            "end_time": call.ended.isoformat(),
            "input": {"messages": [{"role": "system", "content": SILENT}, *messages(full(call))]},
            "output": {"choices": [{"message": messages(call.output)[0]}]},
            "metadata": {"x": SILENT},
            "tags": [SILENT],
        }
        for call in calls(told)
    ]


def posthog(told: Told) -> list[Record]:
    found = []
    for call in calls(told):
        said = {"$ai_input": [{"role": "system", "content": SILENT}, *messages(full(call))]}
        said |= {"$ai_output_choices": messages(call.output), "$ai_session_id": told.key, "$ai_model": SILENT}
        about = {"uuid": f"{told.key}-{call.number}", "event": "$ai_generation", "distinct_id": told.user}
        found.append(
            {**about, "timestamp": call.began.isoformat(), "properties": {**said, "$ai_trace_id": about["uuid"]}}
        )
    return found


def rasa(told: Told) -> list[Record]:
    who = {"user": "user", "assistant": "bot"}
    at = told.begins.timestamp()
    said = [
        one
        for n, (role, text) in enumerate(told.turns)
        for one in (
            {"event": "action", "timestamp": at + n, "name": SILENT},
            {"event": who[role], "timestamp": at + n, "text": text},
            {"event": "slot", "timestamp": at + n, "name": "x", "value": SILENT},
        )
    ]
    return [{"sender_id": told.key, "slots": {"x": SILENT}, "latest_message": {"text": SILENT}, "events": said}]


def rows(told: Told) -> list[Record]:
    about = {"conversation_id": told.key, "user_id": told.user, "note": SILENT}
    times = (told.begins + timedelta(seconds=n) for n in range(len(told.turns)))
    return [
        {**about, "role": role, "content": text, "timestamp": at.isoformat()}
        for at, (role, text) in zip(times, told.turns, strict=True)
    ]


WRITERS: dict[str, tuple[str, Writer]] = {
    "chatgpt": ("chatgpt", chatgpt),
    "claude.ai": ("claude_ai", claude_ai),
    "ai sdk": ("ai_sdk", ui_messages),
    "langchain": ("langchain", langchain),
    "langsmith": ("langsmith", langsmith),
    "opik": ("opik", opik),
    "posthog": ("posthog", posthog),
    "rasa": ("rasa", rasa),
    "rows": ("jsonl", rows),
    "openai": ("openai", openai),
    "anthropic": ("anthropic", anthropic),
    "sharegpt": ("sharegpt", sharegpt),
    "gemini": ("gemini", gemini),
    "gemini history": ("gemini_history", gemini_history),
    "ai studio": ("ai_studio", ai_studio),
    "bedrock": ("bedrock", bedrock),
    "bedrock log": ("bedrock_logs", invocations),
    "responses": ("openai_responses", responses),
    "threads": ("openai_threads", threads),
    "items": ("openai_items", by_talk.items),
    "proxy": ("openai_pairs", pairs),
    "litellm": ("openai_pairs", litellm),
    "langfuse traces": ("langfuse", traces),
    "langfuse observations": ("langfuse", observations),
    "langfuse blob": ("langfuse", blob),
    "otel text": ("otlp", lambda told: _spans(told, _as_text)),
    "otel structured": ("otlp", lambda told: _spans(told, _structured)),
    "otel events": ("otlp", lambda told: _spans(told, _events)),
    "openinference": ("otlp", lambda told: _spans(told, _openinference)),
    "openllmetry": ("otlp", lambda told: _spans(told, _openllmetry)),
    "ai sdk spans": ("otlp", lambda told: _spans(told, _ai_sdk)),
    "otel logs": ("otlp_logs", logs),
    "phoenix": ("otlp", by_call.phoenix),
    "console spans": ("otlp", by_call.console),
    "api management": ("azure_apim", by_call.apim),
    "vertex": ("gemini_logs", by_call.vertex),
    "gemini interactions": ("gemini_interactions", by_call.interactions),
    "langgraph states": ("langgraph", by_call.states),
    "langgraph checkpoints": ("langgraph", by_call.checkpoints),
    "braintrust": ("braintrust", by_call.braintrust),
    "helicone": ("helicone", by_call.helicone),
    "amplitude": ("amplitude", by_call.amplitude),
    "map": ("json", by_talk.by_id),
    "map of lists": ("json_lists", by_talk.lists_by_id),
    "message lists": ("messages", by_talk.bare),
    "langchain lists": ("langchain_messages", by_talk.langchain_lists),
    "twilio": ("twilio", by_talk.twilio),
    "chat data set": ("chat_dataset", by_talk.data_set),
    "open webui": ("open_webui", by_talk.open_webui),
    "librechat": ("librechat", by_talk.librechat),
    "librechat tree": ("librechat", by_talk.librechat_nested),
    "librechat rows": ("librechat_rows", by_talk.librechat_rows),
    "dialogflow log": ("dialogflow_log", by_talk.dialogflow_log),
    "langchain rows": ("langchain_rows", by_talk.langchain_rows),
    "ai sdk rows": ("ai_sdk_rows", by_talk.ui_rows),
    "lm studio": ("lm_studio", by_talk.lm_studio),
    "intercom": ("intercom", by_talk.intercom),
    "zendesk": ("zendesk", by_talk.zendesk),
    "chatwoot": ("chatwoot", by_talk.chatwoot),
    "dialogflow": ("dialogflow_cx", by_talk.dialogflow),
    "copilot": ("copilot_studio", by_talk.copilot),
    "copilot rows": ("copilot_studio", by_talk.dataverse),
    "vapi": ("vapi", by_talk.vapi),
    "vapi artifact": ("vapi", by_talk.vapi_artifact),
    "retell": ("retell", by_talk.retell),
    "slack": ("slack", by_talk.slack),
    "claude code": ("claude_code", by_talk.claude_code),
    "codex": ("codex", by_talk.codex),
    "weave": ("weave", by_call.weave),
    "datadog": ("datadog", by_call.datadog),
    "mlflow": ("mlflow", by_call.mlflow),
    "logfire": ("otlp", by_call.logfire),
    "elevenlabs": ("elevenlabs", by_talk.elevenlabs),
    "rasa events": ("rasa_events", by_talk.rasa_events),
    "rasa rows": ("rasa_events", by_talk.rasa_rows),
    "gemini cli": ("gemini_cli", by_agent.gemini_cli),
    "codex early": ("codex_early", by_agent.codex_early),
    "cline": ("cline", by_agent.cline),
    "copilot chat": ("copilot_chat", by_agent.copilot_chat),
    "zendesk messaging": ("zendesk_messaging", by_agent.messaging),
    "zendesk messaging webhooks": ("zendesk_messaging_events", by_agent.messaging_events),
    "jaeger": ("jaeger", lambda told: by_agent.jaeger(_spans(told, _as_text))),
    "jaeger events": ("jaeger", lambda told: by_agent.jaeger(_spans(told, _events))),
    "posthog query": ("posthog", lambda told: by_agent.queried(posthog(told))),
    "zendesk audits": ("zendesk_audits", by_desk.zendesk_audits),
    "cx agent studio": ("cx_agent_studio", by_desk.cx_studio),
    "cx insights": ("cx_insights", by_desk.cx_insights),
    "copilot sessions": ("copilot_sessions", by_desk.copilot_sessions),
    "rasa by sender": ("rasa", by_desk.rasa_by_sender),
    "vapi of openai": ("vapi", by_desk.vapi_of_openai),
    "google adk": ("google_adk", by_agent.adk),
    "pydantic ai": ("pydantic_ai", by_agent.pydantic_ai),
    "chainlit": ("chainlit", by_agent.chainlit),
    "ai sdk list": ("ai_sdk_list", by_agent.ui_list),
    "autogen": ("autogen", by_agent.autogen),
    "semantic kernel": ("semantic_kernel", by_agent.semantic_kernel),
    "semantic kernel of .net": ("semantic_kernel", by_agent.kernel_of_net),
    "llamaindex store": ("llamaindex_store", by_agent.chat_store),
    "help scout": ("help_scout", by_talk.help_scout),
    "mastra": ("ai_sdk_rows", by_agent.mastra),
    "langflow": ("langflow", by_agent.langflow),
    "zendesk chat": ("zendesk_chat", by_desk.zendesk_chat),
    "livechat": ("livechat", by_desk.livechat),
    "salesforce": ("salesforce", by_desk.salesforce),
    "goose": ("goose", by_agent.goose),
    "goose lines": ("goose_lines", by_agent.goose_lines),
    "aider": ("aider", by_agent.aider),
    "chatwoot webhooks": ("chatwoot", by_talk.chatwoot_webhooks),
    "crisp": ("crisp", by_desk.crisp),
    "freshchat": ("freshchat", by_desk.freshchat),
    "freshdesk": ("freshdesk", by_desk.freshdesk),
    "freshdesk tickets": ("freshdesk_tickets", by_desk.freshdesk_tickets),
    "hubspot": ("hubspot", by_desk.hubspot),
    "front": ("front", by_desk.front),
    "gorgias": ("gorgias", by_desk.gorgias),
    "drift": ("drift", by_desk.drift),
    "flowise": ("flowise", by_desk.flowise),
    "botpress": ("botpress", by_desk.botpress),
    "teams": ("teams", by_desk.teams),
    "telegram": ("telegram", by_desk.telegram),
    "discord": ("discord", by_desk.discord),
    "voiceflow": ("voiceflow", by_desk.voiceflow),
    "lex": ("lex", by_desk.lex),
    "dify": ("dify", by_desk.dify),
    "oasst": ("oasst", by_desk.oasst),
    "oasst trees": ("oasst_trees", by_desk.oasst_trees),
    "amazon connect": ("amazon_connect", by_desk.connect),
    "realtime": ("openai_realtime", by_session.realtime),
    "genesys": ("genesys", by_session.genesys),
    "typebot": ("typebot", by_session.typebot),
    "whatsapp": ("whatsapp", by_session.whatsapp),
    "opencode": ("opencode", by_session.opencode),
    "opencode messages": ("opencode_messages", by_session.opencode_messages),
    "pi": ("pi", by_session.pi),
    "twilio messages": ("twilio_messages", by_session.twilio_messages),
    "traceloop": ("otlp", lambda told: _spans(told, by_session.workflow)),
    "logfire events": ("otlp", lambda told: _spans(told, by_session.listed_events)),
    "logfire requests": ("otlp", lambda told: _spans(told, by_session.request_data)),
}
"""One line a way of writing: the format that reads it, and its records of one conversation."""

UNSPOKEN = {"openai_answers": "answers without their prompts are refused"}
UNSPOKEN |= {"stored_prompts": "prompts without their answers are refused"}
UNSPOKEN |= dict.fromkeys(("compared_answers", "prompts_and_completions"), "what models are trained on is refused")
UNSPOKEN |= dict.fromkeys(
    ("batch_inputs", "intercom_list", "zendesk_tickets", "typebot_results"), "one side of conversations is refused"
)
UNSPOKEN |= {"dialogflow_list": "a list without what was said is refused"}
UNSPOKEN |= {"message_lines": "in any other layout such messages are a list, or of several conversations"}
"""Formats of the registry that have no writer, with the reason."""

TABLES = {"table": "csv", "table with tabs": "tsv", "table of Parquet": "parquet"}
"""Layouts of rows in a table, and the format of those with the product's own words."""

UNNAMED = frozenset({"api management", "vertex"})
"""Logs that name no conversation: calls of two that begin alike cannot be told apart, so each begins with its name."""

FLAT = frozenset({"rows", "langfuse traces", "langfuse observations", "langfuse blob", "litellm", "proxy", "phoenix"})
FLAT |= {"api management", "vertex", "helicone", "braintrust", "chat data set", "copilot rows", "weave"}
FLAT |= {"freshdesk", "gorgias", "copilot sessions", "salesforce", "mastra", "langflow", "twilio"}
FLAT |= {"twilio messages", "dify", "flowise", "chatwoot"}
FLAT |= {"rasa rows", "logfire", "dialogflow log", "langchain rows", "ai sdk rows"}
"""Records that also stand in the rows of a table."""


def talks_of(writer: str, chance: random.Random, most: int = 4) -> list[Told]:
    """The same conversations as this way of writing can tell them."""
    told = talks(chance, most)
    if writer not in UNNAMED:
        return told
    return [replace(one, turns=(("user", f"{one.key}: {one.turns[0][1]}"), *one.turns[1:])) for one in told]


def layouts(written: Sequence[Any], *, flat: bool = False) -> Iterator[tuple[str, str, str | bytes]]:
    """The same records in every layout that holds them: its name, the file's name and its content."""
    turned = [dict(reversed(one.items())) if isinstance(one, dict) else one for one in written]
    yield "lines", "a.jsonl", "".join(json.dumps(one) + "\n" for one in written)
    yield "lines of other order", "a.json", "\n".join(json.dumps(one, ensure_ascii=False) for one in turned)
    yield "list", "a.json", json.dumps(written)
    yield "indented page", "a.json", json.dumps({"meta": {"total": 1, "note": SILENT}, "data": turned}, indent=2)
    if flat:
        cells = [{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in one.items()} for one in written]
        yield "table", "a.csv", _table(cells, ",")
        yield "table with tabs", "a.tsv", _table(cells, "\t")
        yield "table of Parquet", "a.parquet", _parquet(cells)


def _table(cells: list[Record], delimiter: str) -> str:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(cells[0]), delimiter=delimiter)
    table.writeheader()
    table.writerows(cells)
    return text.getvalue()


def _parquet(cells: list[Record]) -> bytes:
    made = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(cells), made)
    return made.getvalue()
