"""Langfuse: whichever export holds a trace, its outermost call is what was said."""

import csv
import io
import json
from typing import Any

import pytest

from tests.formats.reading import AT, BOTH, FOUR, HISTORY, lines, message, read_file, said

LATER = "2026-03-02T09:01:00Z"


def observation(key: str, parent: str | None = None, kind: str = "GENERATION", **more: Any) -> dict[str, Any]:
    times = {"startTime": AT, "endTime": AT}
    return (
        {"id": key, "traceId": "t", "type": kind, "parentObservationId": parent, "environment": "default"}
        | times
        | more
    )


def generation(key: str, parent: str | None, prompt: str, asked: str, answered: str, **more: Any) -> dict[str, Any]:
    asking = [message("system", prompt), message("user", asked)]
    return observation(key, parent, input=asking, output=message("assistant", answered), **more)


ROUTER = generation("g1", "root", "You sort.", "Classify: hi", "greeting")
ANSWER = generation("g2", "root", "You help.", "hi", "ho")


def rows_of_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()})
    return text.getvalue()


CALLS = [
    {"id": "1", "timestamp": AT, "sessionId": "s", "userId": "u", "input": HISTORY[:1], "output": HISTORY[1]},
    {"id": "2", "timestamp": LATER, "sessionId": "s", "userId": "u", "input": HISTORY[:3], "output": "so"},
]
SNAKE = [
    {
        "id": one["id"],
        "trace_id": f"t{one['id']}",
        "type": "GENERATION",
        "parent_observation_id": None,
        "start_time": one["timestamp"].replace("T", " ").replace("Z", ".000000"),
        "session_id": "s",
        "user_id": "u",
        "input": json.dumps(one["input"]),
        "output": json.dumps(one["output"]) if isinstance(one["output"], dict) else one["output"],
    }
    for one in CALLS
]
SPANS_OF_EVENTS = {"parent_span_id": "", "span_id": "x", "trace_name": "x", "environment": "default"}
EXPORTS: dict[str, tuple[str, Any]] = {
    "page of the API": ("a.json", {"data": CALLS[::-1], "meta": {"page": 1}}),
    "list": ("a.json", CALLS),
    "lines": ("a.jsonl", lines(*CALLS)),
    "pretty": ("a.json", json.dumps({"meta": {}, "data": CALLS}, indent=2)),
    "session": ("a.json", {"id": "s", "createdAt": AT, "environment": "default", "traces": CALLS, "comments": []}),
    "other order of keys": ("a.json", [dict(reversed(one.items())) for one in CALLS]),
    "blob": ("a.jsonl", lines(*SNAKE)),
    "table": ("a.csv", rows_of_csv(CALLS)),
    "table with JSON in every cell": (
        "a.csv",
        rows_of_csv([{k: json.dumps(v) for k, v in one.items()} for one in SNAKE]),
    ),
    "events of version 4": ("a.jsonl", lines(*({**SPANS_OF_EVENTS, **one} for one in SNAKE))),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_every_export_tells_the_same_conversation(export: str) -> None:
    name, content = EXPORTS[export]
    assert said(content, name) == {"s": FOUR}
    records, _ = read_file(content, name)
    assert {one.user_id for one in records} == {"u"} and not any(one.zone_assumed for one in records)


@pytest.mark.parametrize(
    "trace",
    [
        [observation("root", kind="AGENT", input={"messages": HISTORY[:1]}, output=HISTORY[1]), ROUTER, ANSWER],
        [ROUTER, ANSWER, observation("root", kind="SPAN", input="hi", output="ho")],
        [
            observation("root", kind="SPAN"),
            observation("a", "root", "AGENT", input="hi", output="ho"),
            ROUTER | {"parentObservationId": "a"},
        ],
        [
            observation("root", kind="SPAN"),
            ANSWER,
            ROUTER | {"type": "GUARDRAIL"},
            ROUTER | {"id": "e", "type": "EVALUATOR"},
        ],
        [ANSWER, ROUTER | {"parentObservationId": "tool"}, observation("tool", "root", "TOOL", input="x", output="y")],
    ],
)
def test_the_outermost_call_of_a_trace_is_speech(trace: list[Any]) -> None:
    assert list(said(trace).values()) == [BOTH]
    assert list(said(trace[::-1]).values()) == [BOTH]


def test_calls_side_by_side_with_different_prompts_cannot_be_decided() -> None:
    good = generation("g", None, "p", "hi", "ho", traceId="other")
    assert said([observation("root", kind="SPAN"), ROUTER, ANSWER, good], lost=2) == {"other": BOTH}


def test_an_evaluators_trace_is_nobodys_conversation() -> None:
    judge = CALLS[0] | {"id": "j", "environment": "langfuse-llm-as-a-judge", "input": "Rate this: hi"}
    assert said([judge, *CALLS]) == {"s": FOUR}


@pytest.mark.parametrize("asked", [{"question": "secret", "locale": "sv"}, {"args": ["secret"]}])
def test_an_object_of_the_applications_own_is_a_reject_that_names_the_flag(asked: Any) -> None:
    _, rejects = read_file([*CALLS, CALLS[0] | {"id": "3", "input": asked}])
    assert len(rejects) == 1 and f"--map input=input.{next(iter(asked))}" in rejects[0].reason
    assert "secret" not in rejects[0].reason


def test_a_trace_that_says_nothing_itself_says_what_its_observations_do() -> None:
    trace = {"id": "t", "timestamp": AT, "sessionId": "s", "input": None, "output": None}
    inside = [observation("root", kind="SPAN"), ANSWER | {"sessionId": None}]
    assert said([{**trace, "observations": inside}]) == {"s": BOTH}


def test_the_state_of_a_graph_is_told_once() -> None:
    first = CALLS[0] | {"input": {"messages": HISTORY[:1]}, "output": {"messages": HISTORY[:2]}}
    second = CALLS[1] | {"input": {"messages": HISTORY[2:3]}, "output": {"messages": HISTORY}}
    assert said([first, second]) == {"s": FOUR}


@pytest.mark.parametrize("place", range(3))
def test_a_key_that_occurs_twice_is_a_reject_though_the_file_is_gone_through_again(place: int) -> None:
    written = [
        json.dumps(generation(f"g{n}", None, "You help.", f"hi {n}", f"ho {n}", traceId=f"t{n}")) for n in range(3)
    ]
    written[place] = written[place][:-1] + f', "id": "g{place}"}}'
    records, rejects = read_file("\n".join(written), "a.jsonl")
    assert [one.content for one in records if one.role == "user"] == [f"hi {n}" for n in range(3) if n != place]
    assert [(one.place, one.reason) for one in rejects] == [
        (f"line {place + 1}", "id: this key occurs twice in one object")
    ]
