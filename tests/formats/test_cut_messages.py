"""Messages that stand as JSON in a text, which the sender cut at its limit: a reject, and never somebody's words."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cpa_core.errors import SourceError
from tests.formats.reading import read_file

PARTS = [
    {"role": "user", "parts": [{"type": "text", "content": "Where is my parcel?"}]},
    {"role": "assistant", "parts": [{"type": "text", "content": "On its way."}]},
]
PLAIN = [{"role": "user", "content": "Where is my parcel?"}, {"role": "assistant", "content": "On its way."}]


def span(text: str) -> dict[str, Any]:
    words = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "c1", "gen_ai.input.messages": text}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in words.items()]
    times = {"startTimeUnixNano": "1772442000000000000", "endTimeUnixNano": "1772442001000000000"}
    found = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "chat", **times, "attributes": attributes}
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "x"}, "spans": [found]}]}]}


def observation(text: str) -> dict[str, Any]:
    about = {"id": "o1", "traceId": "t1", "type": "GENERATION", "name": "n", "sessionId": "s", "model": "m"}
    return {**about, "startTime": "2026-03-02T10:00:00Z", "input": text, "output": "ok"}


AT = "2026-03-02T10:00:00Z"
NANOS = 1772442000000000000


def gateway(text: str) -> dict[str, Any]:
    return {"TimeGenerated": AT, "CorrelationId": "c", "SequenceNumber": 0, "RequestMessages": text}


def helicone(text: str) -> dict[str, Any]:
    return {"request_id": "r", "request_created_at": AT, "request_body": text, "response_body": "ok"}


def opik(text: str) -> dict[str, Any]:
    return {"id": "1", "thread_id": "t", "input": text, "output": "ok", "start_time": AT, "end_time": AT, "tags": []}


def braintrust(text: str) -> dict[str, Any]:
    about = {"span_id": "1", "root_span_id": "1", "is_root": True, "span_attributes": {"type": "llm"}}
    return {**about, "created": AT, "input": text, "output": "ok"}


def mlflow(text: str) -> dict[str, Any]:
    attributes = {"mlflow.spanType": "LLM", "mlflow.spanInputs": text, "mlflow.spanOutputs": "ok"}
    found = {"span_id": "1", "name": "x", "start_time_unix_nano": NANOS, "attributes": attributes}
    return {"info": {"trace_id": "t"}, "data": {"spans": [found]}}


def datadog(text: str) -> dict[str, Any]:
    about = {"span_id": "1", "trace_id": "t", "span_kind": "llm", "start_ms": NANOS // 1_000_000, "ml_app": "m"}
    return {"type": "span", "attributes": {**about, "input": {"value": text}, "output": {"value": "ok"}}}


def weave(text: str) -> dict[str, Any]:
    return {"id": "1", "op_name": "o", "trace_id": "t", "inputs": text, "output": "ok", "started_at": AT}


def langsmith(text: str) -> dict[str, Any]:
    about = {"id": "1", "trace_id": "1", "run_type": "llm", "name": "x", "start_time": AT, "end_time": AT}
    return {**about, "inputs": text, "outputs": "ok"}


def posthog(text: str) -> dict[str, Any]:
    about = {"$ai_trace_id": "t", "$ai_input": text, "$ai_output_choices": "ok"}
    return {"event": "$ai_generation", "timestamp": AT, "distinct_id": "u", "properties": about}


FORMS = {
    "otlp": (span, PARTS),
    **{
        made.__name__: (made, PLAIN)
        for made in (observation, gateway, helicone, opik, braintrust, mlflow, datadog, weave, langsmith, posthog)
    },
}
"""A record of each format that keeps messages as JSON in text, and the messages as it has them."""
REQUEST = {"model": "m", "temperature": 0, "messages": PLAIN[:1]}
CHOICES = [{"index": 0, "message": {"role": "assistant", "content": "On its way."}}]
ANSWER = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": CHOICES}
WRITERS: dict[str, Callable[[Any], str]] = {
    "JSON": json.dumps,
    "indented": lambda said: json.dumps(said, indent=2),
    "JSON in JSON": lambda said: json.dumps(json.dumps(said)),
    "Python": str,
}


def places(text: str) -> list[int]:
    """Where a text is cut: behind its first key's quote, then at some places, and before its last character."""
    begin = next(n for n, one in enumerate(text) if n > text.index("{") and one in "\"'") + 1
    return [*range(begin, len(text) - 1, max(1, len(text) // 9)), len(text) - 1]


@pytest.mark.parametrize("form", FORMS)
def test_messages_whose_json_is_cut_are_a_reject_and_nobodys_words(form: str) -> None:
    made, said = FORMS[form]
    whole = json.dumps(said)
    found, rejects = read_file(json.dumps(made(whole)), "a.json")
    assert ("user", "Where is my parcel?") in {(one.role, one.content) for one in found} and not rejects
    for length in places(whole):
        with pytest.raises(SourceError, match="cut off"):
            read_file(json.dumps(made(whole[:length])), "a.json")


@pytest.mark.parametrize("writer", WRITERS)
def test_requests_and_answers_that_are_cut_are_nobodys_words_however_they_are_written(writer: str) -> None:
    for said in (PLAIN, REQUEST, ANSWER):
        whole = WRITERS[writer](said)
        for length in places(whole):
            with pytest.raises(SourceError, match="cut off"):
                read_file(json.dumps(opik(whole[:length])), "a.json")


def test_a_cut_answer_is_a_reject_too() -> None:
    for length in places(text := json.dumps(ANSWER)):
        with pytest.raises(SourceError, match="cut off"):
            read_file(json.dumps(observation("Where is my parcel?") | {"output": text[:length]}), "a.json")


def test_messages_that_a_gateway_writes_in_rows_are_put_together() -> None:
    whole = json.dumps(PLAIN)
    for length in places(whole):
        rows = [gateway(whole[:length]), gateway(whole[length:]) | {"SequenceNumber": 1}]
        found, rejects = read_file("".join(json.dumps(one) + "\n" for one in rows[::-1]), "a.jsonl")
        assert ([one.content for one in found], rejects) == (["Where is my parcel?", "On its way."], [])


@pytest.mark.parametrize("text", ['{"colour": "red"', "[ok] {yes}", '"role": a word', "{name}, where is it?"])
def test_words_that_only_look_like_json_stay_words(text: str) -> None:
    found, rejects = read_file(json.dumps(observation(text)), "a.json")
    assert (found[0].role, found[0].content, rejects) == ("user", text, [])
