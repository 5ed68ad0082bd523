"""Records inside the lines of logs and the messages of queues, as the services write them.

The pages stand in the docstring of `cpa_core.sources.envelopes`.
"""

import base64
import csv
import gzip
import io
import json
from datetime import date
from typing import Any

import pytest

from cpa_core.errors import SourceError
from cpa_core.sources.files import File
from cpa_core.sources.formats import FORMATS, prepared, recognition
from cpa_core.sources.objects import readable
from tests.formats.reading import BOTH, FOUR, Said, lines, message, read_file, said, told

MILLISECONDS = 1772442000000
TIMES = [f"2026-03-02T09:00:0{n}Z" for n in range(2)]


def invocation(n: int, asked: Said, answer: str) -> dict[str, Any]:
    """A call in Bedrock's log."""
    request = {"messages": [message(role, [{"text": text}]) for role, text in asked]}
    response = {"output": {"message": message("assistant", [{"text": answer}])}}
    about = {"schemaType": "ModelInvocationLog", "requestId": f"q{n}", "timestamp": f"2026-03-02T09:0{n}:00Z"}
    return {**about, "input": {"inputBodyJson": request}, "output": {"outputBodyJson": response}}


CALLS = [json.dumps(invocation(n, FOUR[:k], answer)) for n, k, answer in ((0, 1, "ho"), (1, 3, "so"))]
EVENTS = [{"timestamp": MILLISECONDS + n, "message": call, "id": str(n)} for n, call in enumerate(CALLS)]
HEALTH = {"messageType": "CONTROL_MESSAGE", "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE"}]}
DELIVERED = [json.dumps({"messageType": "DATA_MESSAGE", "owner": "1", "logEvents": [event]}) for event in EVENTS]
INSIGHTS = [
    [{"field": "@timestamp", "value": "2026-03-02 09:00:00.000"}, {"field": "@message", "value": call}]
    for call in CALLS[::-1]
]
EXPORT = "".join(f"2026-03-02T09:00:00.000Z {call}\n" for call in CALLS)
CLOUDWATCH: dict[str, tuple[str, Any]] = {
    "export to S3": ("000000.gz", gzip.compress(EXPORT.encode())),
    "filter-log-events": ("a.json", {"events": EVENTS, "searchedLogStreams": []}),
    "get-query-results": ("a.json", {"results": INSIGHTS, "status": "Complete"}),
    "Firehose": ("logs-1-2026-03-02-09-00-00-0a", json.dumps(HEALTH) + "".join(DELIVERED)),
}


@pytest.mark.parametrize("way", CLOUDWATCH)
def test_bedrocks_log_is_read_as_it_comes_out_of_cloudwatch(way: str) -> None:
    name, content = CLOUDWATCH[way]
    assert told(content, name) == [FOUR]


ROWS = [json.dumps({"conversation_id": "c", "role": role, "content": text}) for role, text in BOTH]
PAIR: dict[str, Any] = {"request": {"messages": [message("user", "hi")]}}
PAIR |= {"response": {"choices": [{"message": message("assistant", "ho")}]}, "session_id": "c"}


def each(**keys: str) -> list[dict[str, Any]]:
    """A record of a log for each row: its text under one key, its time under the other."""
    return [{keys["at"]: at, keys["text"]: row} for row, at in zip(ROWS, TIMES, strict=True)]


def table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


SAID = [{**json.loads(row), "timestamp": at} for row, at in zip(ROWS, TIMES, strict=True)]


def typed(value: Any, kind: str) -> Any:
    """An object with the types of its values, as DynamoDB and Firestore write it."""
    text = "S" if kind == "M" else "stringValue"
    return {key: {text: one} for key, one in value.items()}


def encoded(row: Any) -> str:
    return base64.b64encode(json.dumps(row).encode()).decode()


LOGS: dict[str, tuple[str, Any]] = {
    "Docker": (
        "c-json.log",
        lines({"log": "up\n", "stream": "stderr", "time": TIMES[0]}, *each(at="time", text="log")),
    ),
    "containerd": ("0.log", "".join(f"{at} stdout F {row}\n" for row, at in zip(ROWS, TIMES, strict=True))),
    "a program": ("a.log", "".join(f"[INFO] {at}\tapp {row}\n" for row, at in zip(ROWS, TIMES, strict=True))),
    "Fluent Bit": ("a.json", lines(*({"kubernetes": {}, **one} for one in each(at="date", text="log")))),
    "Vector": ("a.json", each(at="timestamp", text="message")),
    "Google, text": ("a.json", lines(*each(at="timestamp", text="textPayload"), {"textPayload": "GET /"})),
    "Google, JSON": ("a.json", [{"insertId": "i", "timestamp": TIMES[0], "jsonPayload": PAIR}]),
    "Azure": ("PT1H.json", {"records": [{"time": TIMES[0], "category": "x", "properties": json.dumps(PAIR)}]}),
    "Datadog": ("a.json", {"data": [{"id": "A", "attributes": {"timestamp": TIMES[0], "attributes": PAIR}}]}),
    "Elasticsearch": ("a.json", {"hits": {"hits": [{"_source": {"@timestamp": TIMES[0], **PAIR}}]}}),
    "Loki": (
        "a.json",
        {"data": {"result": [{"stream": {}, "values": [[f"{MILLISECONDS + n}000000", ROWS[n]] for n in (1, 0)]}]}},
    ),
    "Splunk": ("a.json", lines(*({"preview": False, "result": one} for one in each(at="_time", text="_raw")))),
    "Splunk's table": ("a.csv", table(each(at="_time", text="_raw"))),
    "DynamoDB": ("a.json", lines(*({"Item": typed(row, "M")} for row in SAID))),
    "DynamoDB's scan": ("a.json", {"Items": [typed(row, "M") for row in SAID], "Count": 2}),
    "Firestore": ("a.json", {"documents": [{"name": "x", "fields": typed(row, "mapValue")} for row in SAID]}),
    "Airbyte": ("a.json", lines(*({"_airbyte_emitted_at": MILLISECONDS, "_airbyte_data": row} for row in SAID))),
    "Debezium": ("a.json", lines(*({"payload": {"op": "c", "after": row}} for row in SAID), {"payload": {"op": "d"}})),
    "Kinesis": ("a.json", {"Records": [{"kinesis": {"data": encoded(row)}} for row in SAID]}),
    "journald": ("a.json", lines(*each(at="__REALTIME_TIMESTAMP", text="MESSAGE"))),
}


@pytest.mark.parametrize("writer", LOGS)
def test_a_record_in_the_line_of_a_log_is_read_with_the_lines_time(writer: str) -> None:
    name, content = LOGS[writer]
    assert said(content, name) == {"c": BOTH}
    records, _ = read_file(content, name)
    assert min(f"{one.sent_at:%Y-%m-%dT%H:%M:%S}" for one in records) == "2026-03-02T09:00:00"
    assert not records[0].time_assumed


def test_lists_and_objects_that_bear_their_types_are_what_they_hold() -> None:
    content = [{"S": "hi"}, {"S": "ho"}]
    turns = [{"M": {"role": {"S": role}, "content": text}} for (role, _), text in zip(BOTH, content, strict=True)]
    item = {"id": {"S": "c"}, "timestamp": {"N": "1772442000"}, "messages": {"L": turns}, "deleted": {"NULL": True}}
    assert said(lines({"Item": item}, {"Item": item | {"id": {"S": "d"}}}), "a.json") == {"c": BOTH, "d": BOTH}


def test_a_line_that_a_container_cut_in_pieces_is_put_together() -> None:
    row = json.dumps({"conversation_id": "c", "role": "user", "content": "x" * 40_000})
    pieces = [row[n : n + 16_384] for n in range(0, len(row), 16_384)]
    docker = [{"log": one, "time": TIMES[0]} for one in pieces] + [{"log": ROWS[1], "time": TIMES[1]}]
    marks = ["P"] * (len(pieces) - 1) + ["F"]
    containerd = "".join(f"{TIMES[0]} stdout {mark} {one}\n" for mark, one in zip(marks, pieces, strict=True))
    for content in (lines(*docker), f"{containerd}{TIMES[1]} stdout F {ROWS[1]}\n"):
        assert said(content, "a.log") == {"c": [("user", "x" * 40_000), BOTH[1]]}


def test_of_a_log_only_damaged_json_is_a_loss_and_other_lines_are_passed_over() -> None:
    log = [f"{TIMES[0]} {one}" for one in (*ROWS, "started", '{"level": "info"}', ROWS[0][:30])]
    assert said("\n".join(log), "a.log", lost=1) == {"c": BOTH}


@pytest.mark.parametrize("content", [{"path": "/chat", "body": json.dumps(PAIR["request"])}, "2026-03-02T09:00:00Z hi"])
def test_a_request_without_its_answer_and_a_log_of_words_are_not_read(content: Any) -> None:
    with pytest.raises(SourceError):
        told(content)


def test_json_over_several_lines_is_no_log() -> None:
    nested = json.dumps({"a": {"b": 1}, "id": "c", "messages": [message(*one) for one in BOTH]}, indent=1)
    assert said(nested.replace("\n ", "\n").replace('{\n"b": 1\n}', '{"b": 1}')) == {"c": BOTH}


def test_the_conversation_and_user_that_only_an_envelope_names_are_the_records() -> None:
    bare = {"messages": [message(*one) for one in BOTH]}
    logged = [{"time": TIMES[0], "session_id": key, "user_id": "u", "log": json.dumps(bare)} for key in "cd"]
    assert said(lines(*logged), "a.jsonl") == {"c": BOTH, "d": BOTH}
    assert {one.user_id for one in read_file(lines(*logged), "a.jsonl")[0]} == {"u"}
    tracked = [
        {"type": "track", "userId": "u", "timestamp": at, "properties": json.loads(row)}
        for row, at in zip(ROWS, TIMES, strict=True)
    ]
    assert {one.user_id for one in read_file(tracked)[0]} == {"u"}
    own = [{**one, "log": json.dumps(bare | {"id": "own"})} for one in logged[:1]]
    assert said(own) == {"own": BOTH}


def test_explaining_names_the_envelope() -> None:
    file = prepared(File("a.json", json.dumps({"events": EVENTS}).encode()))[0]
    chosen = recognition.choice(file, FORMATS)
    assert (chosen.form.name, chosen.envelope) == ("bedrock_logs", "message")


def test_objects_that_services_name_without_an_ending_are_listed() -> None:
    own = "logs-1-2026-03-02-09-00-00-0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f"
    names = ["x/000000.gz", own, f"{own}.gz", "aws-logs-write-test", "notes"]
    assert readable("s3://b", names) == dict[str, date | None].fromkeys(names[:3])
