"""`--map`: our words by path, in every format, at any depth; a word that means nothing is an error that helps."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cpa_core.errors import SettingsError, SourceError
from cpa_core.settings import settings
from cpa_core.settings.reading import MAPPED
from cpa_core.sources import File, Record, as_records, read, time_field
from tests.formats.reading import read_file, said
from tests.support.commands import cpa
from tests.support.homes import Home

AT = ("2026-03-04T09:00:00Z", "2026-03-04T09:00:05Z")
SAID = [("user", "hi"), ("assistant", "ho")]


def landed(name: str, content: Any, names: str = "", **how: Any) -> list[Record]:
    text = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    named = dict(settings({"CPA_MAP": names}).names)
    return sorted(as_records(read(File(name, text, named, **how), None)), key=lambda r: r.ordinal)


def seen(found: list[Record]) -> list[tuple[str, str | None, str, str, str]]:
    return [(r.conversation_id, r.user_id, r.role, r.content, r.sent_at.strftime("%H:%M:%S")) for r in found]


WHOLE = [("c", "u", role, text, f"09:00:0{n * 5}") for n, (role, text) in enumerate(SAID)]
NESTED = [
    {
        "chat": {"id": "c", "owner": {"uid": "u"}},
        "who": {"kind": role},
        "message": {"text": text},
        "meta": {"createdAt": at},
    }
    for (role, text), at in zip(SAID, AT, strict=True)
]
BY_PATH = "conversation_id=chat.id,user_id=chat.owner.uid,role=who.kind,content=message.text,timestamp=meta.createdAt"
TURNS = [{"by": role, "text": text, "at": at} for (role, text), at in zip(SAID, AT, strict=True)]
CELLS = [
    {"chat": json.dumps(one["chat"]), "who": one["who"]["kind"], "payload": json.dumps(one["message"] | one["meta"])}
    for one in NESTED
]


def table(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def csv_of(rows: list[dict[str, str]]) -> str:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row.values()) for row in rows]
    return "\n".join([",".join(rows[0]), *quoted, ""])


IN_CELLS = "conversation_id=chat.id,user_id=chat.owner.uid,role=who,content=payload.text,timestamp=payload.createdAt"
FLAT = "role=by,content=text,timestamp=at"
CASES: dict[str, tuple[str, Any, str]] = {
    "JSON Lines": ("a.jsonl", "\n".join(map(json.dumps, NESTED)), BY_PATH),
    "a list": ("a.json", NESTED, BY_PATH),
    "a list in objects": ("a.json", {"meta": 1, "x": {"y": {"z": {"rows": NESTED}}}}, f"messages=x.y.z.rows,{BY_PATH}"),
    "Parquet": ("a.parquet", table(NESTED), BY_PATH),
    "CSV with JSON in cells": ("a.csv", csv_of(CELLS), IN_CELLS),
    "from the top, rows": (
        "a.json",
        {"deep": {"rows": NESTED}},
        ",".join(f"{w}=deep.rows[].{p}" for w, p in (one.split("=") for one in BY_PATH.split(","))),
    ),
    "conversations": (
        "a.json",
        [{"key": "c", "owner": "u", "turns": TURNS}],
        f"conversation_id=key,user_id=owner,messages=turns,{FLAT}",
    ),
    "conversations from the top": (
        "a.json",
        {"a": {"b": [{"key": "c", "who": {"id": "u"}, "x": {"turns": TURNS}}]}},
        "conversation_id=a.b[].key,user_id=a.b[].who.id,role=a.b[].x.turns[].by,content=a.b[].x.turns[].text,"
        "timestamp=a.b[].x.turns[].at",
    ),
    "conversations by id": ("a.json", {"c": {"owner": "u", "turns": TURNS}}, f"user_id=owner,messages=turns,{FLAT}"),
    "openai": (
        "a.json",
        [{"key": "c", "user": "u", "messages": TURNS}],
        f"id=key,{FLAT}",
    ),
    "sharegpt": (
        "a.json",
        [
            {
                "key": "c",
                "owner": "u",
                "conversations": [{"from": t["by"], "value": t["text"], "at": t["at"]} for t in TURNS],
            }
        ],
        "conversation_id=key,user_id=owner,timestamp=at",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_word_is_found_by_its_path(case: str) -> None:
    assert seen(landed(*CASES[case])) == WHOLE


@pytest.mark.parametrize("case", CASES)
def test_a_word_that_matches_nothing_is_an_error_that_names_the_keys_and_no_value(case: str) -> None:
    name, content, names = CASES[case]
    with pytest.raises(SourceError) as error:
        landed(name, content, f"{names},message_id=nowhere.to.be")
    assert "--map message_id=nowhere.to.be: no record has this field. Keys seen: " in str(error.value)
    assert "hi" not in str(error.value).split("Keys seen")[1].split()


def test_words_of_a_conversation_and_of_a_message_do_not_touch_each_others_keys() -> None:
    turns = [
        {"conversationId": "c", "id": f"m{n}", "role": r, "content": t, "timestamp": AT[n]}
        for n, (r, t) in enumerate(SAID)
    ]
    found = landed("a.json", [{"conversationId": "c", "text": "a title", "messages": turns}], "id=conversationId")
    assert [(r.conversation_id, r.message_id, r.content) for r in found] == [("c", "m0", "hi"), ("c", "m1", "ho")]
    inner = [{"text": t, "role": r, "timestamp": AT[n]} for n, (r, t) in enumerate(SAID)]
    (first, _) = landed("a.json", [{"id": "c", "text": "a title", "messages": inner}], "content=text")
    assert (first.content, first.conversation_metadata) == ("hi", '{"text": "a title"}')


def test_lists_on_the_way_are_joined_lines_of_text_or_the_element_that_is_named() -> None:
    row = {"conversation_id": "c", "role": "user", "timestamp": AT[0], "parts": [{"t": "one"}, {"t": "two"}]}
    assert landed("a.jsonl", json.dumps(row), "content=parts[].t")[0].content == "one\ntwo"
    assert landed("a.jsonl", json.dumps(row), "content=parts[1].t")[0].content == "two"


def test_attributes_of_a_span_are_found_by_their_names() -> None:
    said = {"gen_ai.input.messages": [("user", "hi")], "gen_ai.output.messages": [("assistant", "ho")]}
    attributes = {
        key: json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in turns])
        for key, turns in said.items()
    } | {"gen_ai.operation.name": "chat", "app.chat.id": "c", "app.user": "u"}
    listed = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    ids = {"traceId": "t", "spanId": "s", "startTimeUnixNano": "1772614800000000000"}
    span = {**ids, "endTimeUnixNano": "1772614805000000000", "attributes": listed}
    tree = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    for path in ("", "attributes."):
        assert seen(landed("a.json", tree, f"conversation_id={path}app.chat.id,user_id={path}app.user")) == WHOLE


def test_objects_of_the_applications_own_are_read_by_the_path_of_their_text() -> None:
    trace = {"id": "t", "timestamp": AT[0], "metadata": {"chat": "c"}, "input": {"q": "hi"}, "output": {"a": "ho"}}
    found = landed("a.json", [trace], "input=input.q,output=output.a,conversation_id=metadata.chat")
    assert [(r.conversation_id, r.role, r.content) for r in found] == [("c", *one) for one in SAID]


def test_messages_of_a_conversation_with_an_id_stay_its_messages_whoever_they_name() -> None:
    said = enumerate(SAID)
    turns = [{"role": role, "content": text, "user_id": f"u{n}", "timestamp": AT[n]} for n, (role, text) in said]
    for key in ("conversation_id", "id"):
        assert {r.conversation_id for r in landed("a.json", [{key: "c", "messages": turns}])} == {"c"}


def test_a_key_with_dots_of_its_own_comes_first() -> None:
    row = {"conversation_id": "c", "role": "user", "a.b": "flat", "a": {"b": "deep"}, "timestamp": AT[0]}
    assert landed("a.jsonl", json.dumps(row), "content=a.b")[0].content == "flat"
    text = f"conversation_id,role,a.b,timestamp\nc,user,flat,{AT[0]}\n"
    assert landed("a.csv", text, "content=a.b")[0].content == "flat"


def test_a_word_of_ours_that_is_named_elsewhere_keeps_its_own_value_as_metadata() -> None:
    row = {"conversation_id": "c", "role": "vip", "by": "user", "content": "hi", "timestamp": AT[0]}
    for name, content in (("a.jsonl", json.dumps(row)), ("a.csv", csv_of([row]))):
        (found,) = landed(name, content, "role=by")
        assert found.role == "user" and json.loads(found.metadata or "") == {"role (of the file)": "vip"}


def test_one_key_may_serve_two_words() -> None:
    row = {"key": "k", "role": "user", "content": "hi", "timestamp": AT[0]}
    (found,) = landed("a.jsonl", json.dumps(row), "conversation_id=key,message_id=key")
    assert (found.conversation_id, found.message_id, found.metadata) == ("k", "k", None)


def test_what_was_taken_as_speech_does_not_stay_behind_as_metadata() -> None:
    (first, *_) = landed("a.jsonl", "\n".join(map(json.dumps, NESTED)), BY_PATH)
    assert "hi" not in (first.metadata or "")


ROWS = [{"conversation_id": key, "role": r, "content": t, "timestamp": AT[0]} for key in "ab" for r, t in SAID]
WRAPPED = [ROWS, {"messages": ROWS}, {"data": ROWS}, {"data": {"items": ROWS}}, [{"messages": ROWS}]]


@pytest.mark.parametrize("tree", WRAPPED)
def test_rows_with_our_words_are_read_in_lists_and_objects_by_their_own_ids(tree: Any) -> None:
    found = landed("a.json", tree)
    assert [(r.conversation_id, r.role, r.content) for r in found] == [(k, r, t) for k in "ab" for r, t in SAID]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rol=sender", "'rol' is no word of ours; did you mean role?"),
        ("conversationid=x", "did you mean conversation_id?"),
        ("role=a,role=b", "named twice"),
        ("role", "pairs, as in role=sender"),
        ("role=", "pairs, as in role=sender"),
    ],
)
def test_a_misspelt_word_is_an_error(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings({"CPA_MAP": text})
    assert "CPA_MAP" in str(error.value) and says in str(error.value)


def test_a_path_that_is_none_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"'a\.\[x' is no path"):
        landed("a.jsonl", json.dumps(NESTED[0]), "content=a.[x")


TIMES = ["createdAt", "created_at", "start_time", "startTime", "created", "sent_at", "date"]


@pytest.mark.parametrize("field", TIMES)
@pytest.mark.parametrize("inner", [True, False])
def test_where_times_are_missing_the_field_that_looks_like_one_is_named_and_no_day(
    field: str, inner: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [{"role": r, "content": t, **({"meta": {field: AT[n]}} if inner else {})} for n, (r, t) in enumerate(SAID)]
    tree = [{"id": "c", "messages": turns, **({} if inner else {field: AT[0]})}]
    home = Home(tmp_path)
    path = home.write("a.json", json.dumps(tree))
    wanted = f"meta.{field}" if inner else field
    assert time_field(File("a.json", path.read_bytes())) == wanted
    assert cpa(home, f"land {path}") == 2
    said = capsys.readouterr().err
    assert f"--map timestamp={wanted}" in said and "--day" not in said
    assert cpa(home, f"land {path} --map timestamp={wanted}") == 0


def test_the_day_is_offered_only_where_nothing_looks_like_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    path = home.write(
        "a.json", json.dumps([{"id": "c", "created": "soon", "messages": [{"role": "user", "content": "x"}]}])
    )
    assert cpa(home, f"land {path}") == 2
    said = capsys.readouterr().err
    assert "--day" in said and "--map" not in said


def test_the_hint_is_added_to_what_was_named_already(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    path = home.write("a.csv", f"key,role,content,created_at\nc,user,x,{AT[0]}\n")
    assert cpa(home, f"land {path} --map conversation_id=key") == 2
    assert "--map conversation_id=key,timestamp=created_at" in capsys.readouterr().err


def test_every_word_that_can_be_named_is_known_once() -> None:
    assert len(set(MAPPED)) == len(MAPPED)


THREADS = {
    "threads": [
        {"key": key, "turns": [{"who": who, "say": text} for who, text in (("user", "hi"), ("assistant", key))]}
        for key in ("a", "b")
    ]
}
RELATIVE = {"messages": "threads[].turns", "role": "who", "content": "say"}


@pytest.mark.parametrize("last", ["", "[]"])
def test_lists_of_messages_are_one_conversation_each_where_an_id_stands_beside_them(last: str) -> None:
    names = {**RELATIVE, "messages": f"threads[].turns{last}", "conversation_id": "threads[].key"}
    assert said(THREADS, names=names) == {key: [("user", "hi"), ("assistant", key)] for key in ("a", "b")}


def test_lists_of_messages_of_nobody_knows_which_conversation_are_refused_with_the_flag() -> None:
    with pytest.raises(SourceError, match=r"conversation_id=threads\[\].ID.*role=threads\[\].turns\[\].ROLE"):
        read_file(THREADS, names=RELATIVE)
    assert len(said({"id": "c", **THREADS}, names=RELATIVE)["c"]) == 4  # parts of one that names itself
    assert len(said({"threads": THREADS["threads"][:1]}, names=RELATIVE)) == 1
