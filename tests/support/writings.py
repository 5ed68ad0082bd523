"""Conversations as vendors write them: one record each, or a call a turn with full history, a window of it, or none."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

WINDOW = 4
"""So many messages a call of the sliding window is sent."""

Turns = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Told:
    """One conversation: its id, its user, and role and text of each message, all of them user's or assistant's."""

    key: str
    user: str | None
    begins: datetime
    turns: Turns


@dataclass(frozen=True)
class Sent:
    """One call of a model: what it was sent of the history, its newest input, and its output."""

    told: Told
    number: int
    history: Turns
    newest: Turns
    output: Turns

    @property
    def began(self) -> datetime:
        return self.told.begins + timedelta(minutes=self.number)

    @property
    def ended(self) -> datetime:
        return self.began + timedelta(seconds=20)


def calls(told: Told) -> Iterator[Sent]:
    """The calls of a conversation, each with its full history; a greeting stands in the history of the first."""
    newest: list[tuple[str, str]] = []
    number = 0
    for n, turn in enumerate(told.turns):
        if turn[0] == "user" or not any(role == "user" for role, _ in told.turns[:n]):
            newest.append(turn)
            continue
        yield Sent(told, number, told.turns[: n - len(newest)], tuple(newest), (turn,))
        number, newest = number + 1, []
    if newest:
        yield Sent(told, number, told.turns[: len(told.turns) - len(newest)], tuple(newest), ())


def failing(told: Told, retried: bool) -> Iterator[Sent]:
    """The same with calls that got no answer: each message of a user that waits was sent by itself, and some again."""
    number = 0
    for call in calls(told):
        waiting = [n for n in range(1, len(call.newest)) if call.newest[n - 1][0] == "user"]
        again = [len(call.newest)] if retried and call.output and call.history and call.newest else []
        for n in (*waiting, *again):
            yield Sent(told, number, call.history, call.newest[:n], ())
            number += 1
        yield Sent(told, number, call.history, call.newest, call.output)
        number += 1


def full(call: Sent) -> Turns:
    """All that was said before, and the newest."""
    return (*call.history, *call.newest)


def window(call: Sent, size: int = WINDOW) -> Turns:
    """The last messages before, and the newest whole."""
    return (*call.history, *call.newest)[-max(size, len(call.newest)) :]


def newest(call: Sent) -> Turns:
    """The newest only."""
    return call.newest


WAYS: dict[str, Callable[[Sent], Turns]] = {"full history": full, "sliding window": window, "newest only": newest}


def messages(turns: Turns) -> list[dict[str, str]]:
    """Messages of role and content."""
    return [{"role": role, "content": text} for role, text in turns]


def chat(told: Told) -> dict[str, Any]:
    """OpenAI's chat, one a line."""
    who = {"user": told.user} if told.user else {}
    return {"messages": messages(told.turns), "timestamp": told.begins.isoformat(), **who}


def langfuse(call: Sent, way: Callable[[Sent], Turns]) -> dict[str, Any]:
    """A trace of Langfuse, one a turn, in a session."""
    return {
        "id": f"{call.told.key}-{call.number}",
        "timestamp": call.began.isoformat(),
        "endTime": call.ended.isoformat(),
        "sessionId": call.told.key,
        "userId": call.told.user,
        "input": {"messages": messages(way(call))},
        "output": call.output[0][1] if call.output else None,
    }


def otlp(call: Sent, way: Callable[[Sent], Turns]) -> dict[str, Any]:
    """A span of OpenTelemetry's GenAI conventions, in a conversation."""

    def text(turns: Turns) -> dict[str, str]:
        parts = [{"role": role, "parts": [{"type": "text", "content": content}]} for role, content in turns]
        return {"stringValue": json.dumps(parts)}

    given = {"gen_ai.input.messages": text(way(call)), "gen_ai.output.messages": text(call.output)}
    names = {"gen_ai.conversation.id": {"stringValue": call.told.key}}
    span = {
        "traceId": f"{call.told.key}-{call.number}",
        "spanId": f"{call.number}",
        "name": "chat",
        "startTimeUnixNano": nanoseconds(call.began),
        "endTimeUnixNano": nanoseconds(call.ended),
        "attributes": [
            {"key": key, "value": value}
            for key, value in {"gen_ai.operation.name": {"stringValue": "chat"}, **names, **given}.items()
        ],
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def langsmith(call: Sent, way: Callable[[Sent], Turns]) -> dict[str, Any]:
    """A run of LangSmith, one a turn, in a thread that its metadata names."""
    key = f"{call.told.key}-{call.number}"
    who = {"user": "human", "assistant": "ai"}
    said = [[{"type": who[role], "content": text} for role, text in way(call)]]
    answers = [[{"text": text, "message": {"type": "ai", "content": text}}] for _, text in call.output]
    return {
        "id": key,
        "trace_id": key,
        "dotted_order": key,
        "parent_run_id": None,
        "name": "ChatOpenAI",
        "run_type": "llm",
        "session_id": "project",
        "start_time": call.began.isoformat(),
        "end_time": call.ended.isoformat(),
        "extra": {"metadata": {"thread_id": call.told.key}},
        "inputs": {"messages": said},
        "outputs": {"generations": answers} if answers else None,
    }


def posthog(call: Sent, way: Callable[[Sent], Turns]) -> dict[str, Any]:
    """An event `$ai_generation` of PostHog, one a turn, in a session."""
    said = {"$ai_input": messages(way(call)), "$ai_output_choices": messages(call.output)}
    about = {"$ai_session_id": call.told.key, "$ai_trace_id": f"{call.told.key}-{call.number}", "$ai_model": "m"}
    return {
        "uuid": f"{call.told.key}-{call.number}",
        "event": "$ai_generation",
        "distinct_id": call.told.user,
        "timestamp": call.began.isoformat(),
        "properties": said | about,
    }


def bedrock(call: Sent, way: Callable[[Sent], Turns]) -> dict[str, Any]:
    """A line of Bedrock's invocation log, which has no id of a conversation."""
    said = [{"role": role, "content": [{"text": text}]} for role, text in way(call)]
    answer = {"message": {"role": "assistant", "content": [{"text": text} for _, text in call.output]}}
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": call.began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "requestId": f"{call.told.key}-{call.number}",
        "operation": "Converse",
        "modelId": "m",
        "input": {"inputBodyJson": {"messages": said}},
        "output": {"outputBodyJson": {"output": answer, "stopReason": "end_turn"}},
    }


def proxy(call: Sent, way: Callable[[Sent], Turns]) -> dict[str, Any]:
    """A line of a proxy's log of OpenAI's requests, which has no id of a conversation."""
    choices = [{"index": 0, "message": message} for message in messages(call.output)]
    request = {"model": "m", "messages": messages(way(call)), **({"user": call.told.user} if call.told.user else {})}
    return {
        "id": f"{call.told.key}-{call.number}",
        "timestamp": call.began.isoformat(),
        "request": request,
        "response": {"object": "chat.completion", "choices": choices},
    }


def nanoseconds(at: datetime) -> str:
    """Since 1970."""
    return str(int(at.timestamp()) * 10**9)


Writer = Callable[[Sent, Callable[[Sent], Turns]], dict[str, Any]]
WITH_ID: dict[str, Writer] = {"langfuse": langfuse, "otlp": otlp, "langsmith": langsmith, "posthog": posthog}
WITHOUT_ID: dict[str, Writer] = {"bedrock": bedrock, "proxy": proxy}


def lines(records: Sequence[dict[str, Any]]) -> str:
    """JSON Lines."""
    return "\n".join(map(json.dumps, records))
