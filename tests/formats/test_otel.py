"""OpenTelemetry: every convention in which a span or a log record says what was said."""

import json
from typing import Any

import pytest

from tests.formats.reading import BOTH, FOUR, message, read_file, roles, said

START, END = "1772442000000000000", "1772442001000000000"
Flat = dict[str, Any]


def structured(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [structured(one) for one in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes(value)}}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def attributes(flat: Flat) -> list[Any]:
    return [{"key": key, "value": structured(value)} for key, value in flat.items()]


def span(flat: Flat, key: str = "s1", parent: str = "", events: Any = (), trace: str = "tr") -> dict[str, Any]:
    heard = [{"name": name, "timeUnixNano": START, "attributes": attributes(one)} for name, one in events]
    times = {"startTimeUnixNano": START, "endTimeUnixNano": END}
    return {
        "traceId": trace,
        "spanId": key,
        "parentSpanId": parent,
        **times,
        "attributes": attributes(flat),
        "events": heard,
    }


def otlp(*spans: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


def parts(role: str, text: str) -> dict[str, Any]:
    thought = [{"type": "reasoning", "content": "hmm"}] if role == "assistant" else []
    return {"role": role, "parts": [*thought, {"type": "text", "content": text}]}


ASKED, ANSWERED = [parts("user", "hi")], [{**parts("assistant", "ho"), "finish_reason": "stop"}]
DIALECTS: dict[str, dict[str, Any]] = {
    "text": span({"gen_ai.input.messages": json.dumps(ASKED), "gen_ai.output.messages": json.dumps(ANSWERED)}),
    "structured": span({"gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED}),
    "events": span(
        {"gen_ai.operation.name": "chat"},
        events=[
            ("gen_ai.user.message", {"content": "hi"}),
            ("gen_ai.choice", {"index": 0, "message": json.dumps(message("assistant", "ho"))}),
        ],
    ),
    "azure": span(
        {"gen_ai.operation.name": "chat"},
        events=[
            ("gen_ai.user.message", {"gen_ai.event.content": json.dumps(message("user", "hi"))}),
            ("gen_ai.choice", {"gen_ai.event.content": json.dumps({"message": {"content": "ho"}})}),
        ],
    ),
    "details": span(
        {},
        events=[
            (
                "gen_ai.client.inference.operation.details",
                {"gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED},
            )
        ],
    ),
    "openinference": span(
        {
            "openinference.span.kind": "LLM",
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "hi",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "ho",
        }
    ),
    "openllmetry": span(
        {
            "llm.request.type": "chat",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "hi",
            "gen_ai.completion.0.content": "ho",
        }
    ),
    "ai sdk": span(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.prompt.messages": json.dumps([message("user", [{"type": "text", "text": "hi"}])]),
            "ai.response.text": "ho",
        }
    ),
    "ai sdk outside": span(
        {"ai.operationId": "ai.streamText", "ai.prompt": '{"prompt": "hi"}', "ai.response.text": "ho"}
    ),
}
"""One line a dialect."""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_span_of_every_dialect_says_the_same(dialect: str) -> None:
    one = DIALECTS[dialect]
    assert said(otlp(one)) == {"tr": BOTH}
    assert said(json.dumps(otlp(one), indent=1)) == {"tr": BOTH}
    assert set(roles(otlp(one))) <= {"user", "assistant", "reasoning"}
    named = one | {"attributes": [*one["attributes"], *attributes({"session.id": "s"})]}
    assert said(json.dumps(otlp(named)) + "\n" + json.dumps(otlp(named | {"traceId": "u", "spanId": "x"})), "a.jsonl")


@pytest.mark.parametrize("operation", ["ai.generateObject", "ai.streamObject.doStream"])
@pytest.mark.parametrize("word", ["ai.response.object", "ai.result.object"])
@pytest.mark.parametrize("made", ['{"city": "Oslo", "days": [1, 2]}', '["Oslo"]', '[{"type": "text", "text": "ho"}]'])
def test_the_object_that_the_ai_sdk_made_is_the_answer_as_it_stands(operation: str, word: str, made: str) -> None:
    one = span({"ai.operationId": operation, "ai.prompt": '{"prompt": "hi"}', word: made})
    assert said(otlp(one)) == {"tr": [("user", "hi"), ("assistant", made)]}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_agents_span_is_told_and_the_calls_inside_it_are_not(dialect: str) -> None:
    agent = DIALECTS[dialect]
    inner = span(
        {"gen_ai.input.messages": [parts("user", "Classify: hi")], "gen_ai.output.messages": ANSWERED}, "i", parent="s1"
    )
    tool = span({"gen_ai.operation.name": "execute_tool", "gen_ai.input.messages": ASKED}, "x", parent="s1")
    http = span({"http.method": "POST"}, "root")
    assert said(otlp(inner, tool, agent | {"parentSpanId": "root"}, http)) == {"tr": BOTH}


def test_a_session_named_by_one_span_is_that_of_its_trace() -> None:
    root = span({"session.id": "s", "user.id": "u"}, "root")
    assert said(otlp(DIALECTS["text"] | {"parentSpanId": "root"}, root)) == {"s": BOTH}


def test_system_instructions_stand_before_the_input() -> None:
    flat = {"gen_ai.system_instructions": [{"type": "text", "content": "be brief"}]}
    one = DIALECTS["structured"]
    assert roles(otlp(one | {"attributes": [*attributes(flat), *one["attributes"]]}))[0] == "system"


ASKS, ANSWERS, TELLS = "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"


@pytest.mark.parametrize("one", [[], [ASKED[0]], [{"role": "system", "content": "a"}, *ASKED]])
@pytest.mark.parametrize(
    "other", [[], [{"role": "system", "content": "b"}, *ASKED], [{"type": "text", "content": "a"}]]
)
@pytest.mark.parametrize("told", [[], [{"type": "text", "content": "be brief"}]])
def test_spans_side_by_side_are_the_same_as_structures_and_as_text(one: Any, other: Any, told: Any) -> None:
    sides = ({ASKS: one, TELLS: told, ANSWERS: ANSWERED}, {ASKS: other, ANSWERS: ANSWERED}, {ASKS: other, TELLS: told})
    texts = [{word: json.dumps(value) for word, value in flat.items()} for flat in sides]
    found = []
    for written in (sides, texts):
        three = [span(flat, key) for flat, key in zip(written, "abd", strict=True)]
        others = span(written[1], "c", parent="a"), DIALECTS["structured"] | {"traceId": "other"}
        records, rejects = read_file(otlp(*three, *others))
        found.append((records, [(reject.place, reject.reason, reject.loss) for reject in rejects]))
    assert found[0] == found[1]


def test_log_records_are_a_call_or_a_message_each() -> None:
    record = {"timeUnixNano": START, "traceId": "tr", "spanId": "s1"}
    details = {"gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED, "gen_ai.conversation.id": "c"}
    whole = record | {"eventName": "gen_ai.client.inference.operation.details", "attributes": attributes(details)}
    assert said({"resourceLogs": [{"scopeLogs": [{"logRecords": [whole]}]}]}) == {"c": BOTH}
    single = [
        record | {"eventName": "gen_ai.user.message", "body": structured({"content": "hi"}), "attributes": []},
        record | {"eventName": "gen_ai.choice", "body": structured({"message": {"content": "ho"}}), "attributes": []},
    ]
    assert said({"resourceLogs": [{"scopeLogs": [{"logRecords": single}]}]}) == {"tr": BOTH}


def test_spans_of_phoenix_have_their_attributes_as_columns() -> None:
    rows = [
        {
            "context.span_id": f"{n}",
            "context.trace_id": f"t{n}",
            "parent_id": None,
            "span_kind": "LLM",
            "start_time": f"2026-03-02T09:0{n}:00+00:00",
            "attributes.session.id": "s",
            "attributes.llm.input_messages": [{"message.role": "user", "message.content": asked}],
            "attributes.llm.output_messages": [{"message.role": "assistant", "message.content": answered}],
        }
        for n, (asked, answered) in enumerate([("hi", "ho"), ("and?", "so")])
    ]
    assert said(rows) == {"s": FOUR}
