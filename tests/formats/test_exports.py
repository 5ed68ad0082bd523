"""Every format that others export: recognised by what is in it, and read whole."""

import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cpa_core.errors import SettingsError, SourceError
from cpa_core.settings import settings
from cpa_core.sources import File, Record, as_records, parse, read
from cpa_core.sources.formats import form_of
from tests.support.homes import Home

AT = "2026-03-04T09:00:00Z"
MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC)
CSV = f"conversation_id,role,content,timestamp\nc1,user,hi,{AT}\nc1,assistant,ho,{AT}\n"


def said(name: str, content: Any, lost: int = 0, **how: Any) -> list[tuple[str, str]]:
    """Role and text of every message, in order."""
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    records, rejects = read(File(name, text.encode() if isinstance(text, str) else text, **how), MIDNIGHT)
    assert len([reject for reject in rejects if reject.loss]) == lost
    return [(r.role, r.content) for r in sorted(columns_of(records), key=lambda r: r.ordinal)]


def columns_of(table: pa.Table) -> list[Record]:
    return [Record(**row) for row in table.to_pylist()]


BOTH = [("user", "hi"), ("assistant", "ho")]


def test_tabs_and_gzip_hold_the_same_messages() -> None:
    assert said("a.tsv", CSV.replace(",", "\t")) == BOTH
    assert said("a.csv.gz", gzip.compress(CSV.encode())) == BOTH
    assert said("a.csv", gzip.compress(CSV.encode())) == BOTH


def test_json_lines_are_a_message_a_line_or_a_conversation_a_line() -> None:
    lines = [{"conversation_id": "c1", "role": role, "content": text, "timestamp": AT} for role, text in BOTH]
    assert said("a.jsonl", "\n".join(map(json.dumps, lines))) == BOTH
    assert said("a.ndjson", "\n\n".join(map(json.dumps, [*lines, 5])), lost=1) == BOTH
    whole = {"conversation_id": "c1", "messages": lines}
    assert said("a.jsonl", json.dumps(whole) + "\n" + json.dumps({**whole, "conversation_id": "c2"})) == BOTH * 2


def test_parquet_has_the_columns_of_csv() -> None:
    rows = [
        {"conversation_id": 7, "role": r, "content": c, "timestamp": MIDNIGHT, "message_id": n}
        for n, (r, c) in enumerate(BOTH)
    ]
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), file)
    assert said("a.parquet", file.getvalue()) == BOTH
    with pytest.raises(SourceError, match=r"a\.parquet: not Parquet"):
        said("a.parquet", b"PAR1")


def test_openai_chats_have_parts_and_tool_calls_of_roles_of_their_own() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "42", "tool_call_id": "x"},
        {"role": "assistant", "content": "ho"},
    ]
    lines = json.dumps({"messages": messages}) + "\n" + json.dumps({"messages": messages})
    for name in ("a.jsonl", "a.json"):
        found = said(name, lines)
        assert [role for role, _ in found] == ["user", "attachment", "tool_call", "tool", "assistant"] * 2
        assert [text for _, text in found[:5] if text[0] != "{"] == ["hi", "42", "ho"]
    records, _ = parse("a.jsonl", lines.encode(), MIDNIGHT)
    assert len({record.conversation_id for record in records}) == 2


def test_the_messages_of_anthropic_have_a_system_prompt_and_blocks() -> None:
    blocks = [{"type": "text", "text": "ho"}, {"type": "tool_use", "id": "t", "name": "f", "input": {}}]
    tree = {
        "system": "be kind",
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": blocks}],
    }
    found = said("a.json", tree)
    assert [role for role, _ in found] == ["system", "user", "assistant", "tool_call"]
    assert said("a.json", json.dumps(tree, indent=1)) == found


def test_sharegpt_names_its_speakers_otherwise() -> None:
    tree = [{"id": "s1", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}]
    assert said("a.json", tree) == BOTH
    assert said("a.jsonl", json.dumps(tree[0])) == BOTH


def test_langfuse_traces_of_one_session_tell_what_is_new_only() -> None:
    history = [{"role": "user", "content": "hi"}]
    first = {
        "id": "t1",
        "sessionId": "s",
        "userId": "u",
        "timestamp": AT,
        "input": {"messages": history},
        "output": "ho",
    }
    more = [*history, {"role": "assistant", "content": "ho"}, {"role": "user", "content": "and?"}]
    second = {
        **first,
        "id": "t2",
        "timestamp": "2026-03-04T09:01:00Z",
        "input": more,
        "output": {"role": "assistant", "content": "so"},
    }
    expected = [*BOTH, ("user", "and?"), ("assistant", "so")]
    assert said("a.json", [second, first]) == expected  # newest first, as Langfuse lists them
    assert said("a.json", {"data": [first, second]}) == expected


def test_spans_of_opentelemetry_are_conversations() -> None:
    def text(value: Any) -> dict[str, Any]:
        return {"stringValue": json.dumps(value)}

    def spoken(role: str, content: str) -> list[dict[str, Any]]:
        return [{"role": role, "parts": [{"type": "text", "content": content}]}]

    attributes = [
        {"key": "gen_ai.conversation.id", "value": {"stringValue": "c1"}},
        {"key": "gen_ai.input.messages", "value": text(spoken("user", "hi"))},
        {"key": "gen_ai.output.messages", "value": text(spoken("assistant", "ho"))},
    ]
    span = {"traceId": "t", "startTimeUnixNano": "1772614800000000000", "endTimeUnixNano": "1772614801000000000"}
    spans = [{**span, "attributes": attributes}, {**span, "name": "GET /", "attributes": []}]
    tree = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    assert said("a.json", tree) == said("a.jsonl", json.dumps(tree)) == BOTH
    records, _ = parse("a.json", json.dumps(tree).encode(), None)
    assert [r.sent_at.second for r in records] == [0, 1] and records[0].conversation_id == "c1"


@pytest.mark.parametrize("form", ["langfuse", "otlp", "openai"])
def test_a_line_of_another_form_is_a_reject(form: str) -> None:
    with pytest.raises(SourceError):
        said("a.jsonl", "5\n{}\n{", form=form)


def test_a_named_format_wins_over_the_ending() -> None:
    assert said("a.export", CSV, form="csv") == BOTH
    with pytest.raises(SourceError, match="format: xml is none of json, csv"):
        said("a.csv", CSV, form="xml")


def test_words_of_ones_own_are_mapped(tmp_path: Path) -> None:
    home = Home(tmp_path, {"CPA_MAP": "role=sender, content=body,conversation_id=thread"})
    text = f"thread,sender,body,timestamp\nc1,user,hi,{AT}\n"
    home.write("a.csv", text)
    home.write("b.jsonl", json.dumps({"thread": "c2", "sender": "user", "body": "ho", "timestamp": AT}))
    assert home.land().records == 2
    assert (home.contents("c1"), home.contents("c2")) == (["hi"], ["ho"])
    with pytest.raises(SettingsError, match="CPA_MAP is 'role': it must be pairs"):
        settings({"CPA_MAP": "role"})


def test_what_the_seed_tool_wrote_is_never_taken_for_another_form() -> None:
    message = {
        "role": "user",
        "content": "hi",
        "timestamp": AT,
        "input": 1,
        "traceId": 2,
        "tool_calls": [],
        "messages": [],
    }
    assert form_of(File("a.json", json.dumps({"c1": {"messages": [message]}}).encode())) == "json"
    assert as_records(read(File("a.json", json.dumps({"c1": {"messages": [message]}}).encode()), None))[0].metadata
