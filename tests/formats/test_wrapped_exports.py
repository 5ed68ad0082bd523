"""Exports as they lie around: in an envelope, among foreign records, as a bare list, or of a quiet hour."""

from typing import Any

import pytest

from cpa_core.errors import SourceError
from tests.formats.reading import AT, BOTH, FOUR, lines, message, read_file, roles, said, told

MILLISECONDS = 1772442000000
RETELL = {
    "call_id": "c",
    "start_timestamp": MILLISECONDS,
    "transcript_object": [
        {"role": "user", "content": "hi", "words": [{"word": "hi", "start": 0.7}]},
        {"role": "agent", "content": "ho", "words": []},
        {"role": "user", "content": "and?", "words": [{"word": "and?", "start": 4}]},
        {"role": "agent", "content": "so"},
    ],
}
VAPI = {
    "type": "end-of-call-report",
    "call": {"id": "c"},
    "artifact": {
        "messages": [
            {"role": "bot" if role == "assistant" else role, "message": text, "time": MILLISECONDS + n}
            for n, (role, text) in enumerate(FOUR)
        ]
    },
}


@pytest.mark.parametrize("envelope", [{"event": "call_analyzed", "call": RETELL}, {"message": VAPI}, RETELL, VAPI])
def test_a_call_is_read_in_the_envelope_of_its_webhook(envelope: Any) -> None:
    assert said(envelope) == {"c": FOUR}
    assert said(lines(envelope), "a.jsonl") == {"c": FOUR}


def test_messages_of_twilio_belong_to_the_conversation_that_they_name() -> None:
    authors = {"user": "+46700000000", "assistant": "system"}
    page = [
        {
            "sid": f"{key}{n}",
            "conversation_sid": key,
            "author": authors[role],
            "body": text,
            "date_created": AT,
            "index": n,
        }
        for n, (role, text) in enumerate(FOUR)
        for key in ("CH1", "CH2")
    ]
    assert said({"messages": page, "meta": {"page": 0, "key": "messages"}}) == {"CH1": FOUR, "CH2": FOUR}
    assert roles([{**page[0], "author": "anna"}]) == ["anna"]


def _posthog(event: str, **properties: Any) -> dict[str, Any]:
    return {"uuid": event, "event": event, "distinct_id": "u", "timestamp": AT, "properties": properties}


def _amplitude(event: str, **properties: Any) -> dict[str, Any]:
    return {"event_type": event, "event_time": "2026-03-02 09:00:00", "user_id": "u", "event_properties": properties}


AMONG = {
    "posthog": (
        _posthog("$pageview"),
        [
            _posthog(
                "$ai_generation", **{"$ai_trace_id": "t", "$ai_input": [message(*BOTH[0])], "$ai_output_choices": "ho"}
            )
        ],
    ),
    "amplitude": (
        _amplitude("page"),
        [
            _amplitude(event, **{"[Agent] Session ID": "t", "$llm_message.text": text})
            for event, (_, text) in zip(("[Agent] User Message", "[Agent] AI Response"), BOTH, strict=True)
        ],
    ),
}


@pytest.mark.parametrize("name", AMONG)
def test_events_of_the_whole_product_hide_no_conversation(name: str) -> None:
    foreign, own = AMONG[name]
    assert said(lines(*[foreign] * 50, *own, foreign), "a.jsonl") == {"t": BOTH}
    records, rejects = read_file(lines(*[foreign] * 50), "a.jsonl")
    assert not records
    assert not [one for one in rejects if one.loss]


def _dumped(role: str, text: str) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", NAMES[role]], "kwargs": {"content": text}}


NAMES = {"user": "HumanMessage", "assistant": "AIMessage"}
TYPES = {"user": "human", "assistant": "ai"}
LANGCHAIN = {
    "messages_to_dict": [{"type": TYPES[role], "data": {"content": text}} for role, text in FOUR],
    "model_dump": [{"content": text, "type": TYPES[role], "id": None, "example": False} for role, text in FOUR],
    "dumpd": [_dumped(role, text) for role, text in FOUR],
}


@pytest.mark.parametrize("form", LANGCHAIN)
def test_a_bare_list_of_langchain_messages_is_a_conversation(form: str) -> None:
    listed = LANGCHAIN[form]
    assert told(listed) == [FOUR]
    assert sorted(told([listed, listed[:2]])) == sorted([FOUR, BOTH])
    assert sorted(told(lines(listed, listed[:2]), "a.jsonl")) == sorted([FOUR, BOTH])
    assert roles([*listed, {"type": "tool", "content": "42", "tool_call_id": "t"}])[-1] == "tool"


@pytest.mark.parametrize("page", [{"resourceSpans": []}, {"resourceLogs": []}, {"events": [], "cursor": None}])
def test_an_empty_page_is_a_quiet_hour(page: Any) -> None:
    assert read_file(page) == ([], [])


STATED = [message(*one, timestamp=AT) for one in FOUR]


def test_lists_of_messages_stand_under_the_ids_of_their_conversations_and_under_no_word() -> None:
    sessions = {"c1": STATED, "c2": STATED[:2]}
    assert said(sessions) == said({"sessions": sessions}) == {"c1": FOUR, "c2": BOTH}
    assert said({"conversations": {"c1": {"messages": STATED}}}) == {"c1": FOUR}
    for found in ({"dialog": STATED}, {"id": "c1", "dialog": STATED}):
        with pytest.raises(SourceError, match="--map messages=dialog"):
            read_file(found)
    with pytest.raises(SourceError, match="two answers"):
        read_file({"chosen": STATED, "rejected": STATED})
