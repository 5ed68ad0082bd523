"""`cpa land --explain FILE` says what is recognised and why, shows a conversation, and stores nothing."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from cpa_core.sources.shapes import keys
from tests.support.commands import cpa
from tests.support.homes import Home, turn


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


CHAT = {"id": "c1", "user": "u1", "messages": [turn("hi"), turn("ho", role="bot"), turn("hm", role="clerk")]}


def explained(home: Home, name: str, content: str | bytes, more: str, capsys: pytest.CaptureFixture[str]) -> str:
    path = home.write(name, content)
    assert cpa(home, f"land --explain {path} {more}") == 0
    assert not (home.folder / "home").exists()
    return capsys.readouterr().out


def test_it_names_the_format_the_keys_that_decided_and_where_everything_comes_from(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    said = explained(home, "a.json", json.dumps({"data": [CHAT]}), "", capsys)
    assert "format openai (OpenAI chats): its records have messages[].role messages[].content" in said
    assert "a record is a conversation, at data[] (each item of the list)" in said
    assert "keys: id, user, messages, messages[].role" in said
    assert "conversation id: conversation_id or id, else session_id" in said
    assert "would land: 1 conversations, messages: user 1, assistant 1, clerk 1; rejected 0" in said
    assert "first conversation: c1, user u1, 2026-03-04 UTC" in said
    assert "  09:00:00 user: hi" in said and "  09:00:00 assistant: ho" in said
    assert "not tagged: clerk (1)" in said


def test_it_says_what_a_person_named_and_what_is_missing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    lines = json.dumps({"thread": "c1", "role": "user", "content": "hi", "created": "2026-03-04T09:00:00Z"})
    path = home.write("a.jsonl", lines)
    assert cpa(home, f"land --explain {path} --map conversation_id=thread") == 2
    said = capsys.readouterr()
    assert "named: conversation_id at thread" in said.out
    assert "times may stand in created" in said.err and "--map conversation_id=thread,timestamp=created" in said.err


LIST = "[" + ",".join(f'{{"role": "{role}", "content": "hi"}}' for role in ("user", "assistant")) + "]"


@pytest.mark.parametrize(
    ("name", "content", "more"),
    [
        ("a.json", f'[{{"id": "c1", "messages": {LIST}}}]', ""),
        (
            "a.jsonl",
            '{"thread": "c1", "role": "user", "content": "hi", "created": "2026-03-04T09:00:00Z"}',
            "--map conversation_id=thread",
        ),
        ("a.csv", "ticket,author,text\n1,user,hi\n", ""),
        ("a.csv", "conversation_id,role,content\n1,user,hi\n", ""),
    ],
)
def test_what_a_landing_refuses_is_refused_in_the_same_words_after_what_is_recognised(
    name: str, content: str, more: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write(name, content)
    assert cpa(home, f"land {path} {more}") == 2
    refused = capsys.readouterr().err
    assert cpa(home, f"land --explain {path} {more}") == 2
    said = capsys.readouterr()
    assert said.err.replace(" --explain", "") == refused
    assert "; format " in said.out and "  would land:" not in said.out
    assert "UTC" not in said.out and ":00:00 " not in said.out, "no time is invented"


def test_a_day_that_is_named_lands_messages_without_times(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    said = explained(home, "a.json", f'[{{"id": "c1", "messages": {LIST}}}]', "--day 2026-03-04", capsys)
    assert "would land: 1 conversations" in said and "first conversation: c1, user unknown, 2026-03-04 UTC" in said


CONVERSATION_COLUMNS = ("ticket", "ticket_id", "thread", "case", "case_id", "chat", "session", "call_id")


@pytest.mark.parametrize("column", CONVERSATION_COLUMNS)
def test_the_flag_for_a_table_names_every_usual_column_of_a_conversation(
    column: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write("a.csv", f"{column},author,text,created,customer\n1,user,hi,2026-03-02T10:00:00Z,ann\n")
    assert cpa(home, f"land --explain {path}") == 2
    said = capsys.readouterr()
    flag = f"role=author,content=text,conversation_id={column},timestamp=created,user_id=customer"
    assert f"--map {flag}" in said.err and "format csv (a table)" in said.out
    assert cpa(home, f"land --explain {path} --map {flag}") == 0


IDS = [
    "21631f5e-3b1c-4a2f-9d1e-0242ac120002",
    "aaa2f0c1-0000-4a2f-9d1e-0242ac120003",
    "bbb2f0c1-aaaa-4a2f-9d1e-0242ac120004",
]


@pytest.mark.parametrize("ids", [IDS, ["1", "2", "3"], ["msg_001", "msg_002"], ["0242ac120002aa", "0342ac120002bb"]])
def test_an_object_keyed_by_ids_is_one_path(ids: list[str]) -> None:
    tree = {"title": "t", "mapping": {one: {"message": {"role": "user"}} for one in ids}}
    assert keys([tree]) == ["title", "mapping", "mapping.*", "mapping.*.message"]


def test_an_object_with_names_for_keys_shows_each() -> None:
    tree = {"turn": {"user": {"text": "a"}, "assistant": {"text": "b"}, "tool_call_results_of_the_agent": {"text": ""}}}
    assert {"turn.user", "turn.assistant", "turn.tool_call_results_of_the_agent"} <= set(keys([tree]))


def test_it_tells_how_a_table_was_read(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    content = "conversation_id;role;content;timestamp\nc1;user;h\u00e9;2026-03-04T09:00:00Z\n".encode("cp1252")
    said = explained(home, "a.csv", content, "", capsys)
    assert "csv; format csv (a table)" in said and "read as Windows-1252" in said and "user: h\u00e9" in said


def test_of_an_archive_it_explains_the_first_member_that_is_known(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a.json", '{"plan": "x"}')
        packed.writestr("b.json", json.dumps([CHAT]))
    assert "a.zip!/b.json: json; format openai" in explained(home, "a.zip", file.getvalue(), "", capsys)


def test_a_file_that_is_not_recognised_is_an_error_with_the_way_out(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home.write("a.json", '{"plan": "x"}')
    assert cpa(home, f"land --explain {path}") == 2
    assert "Keys seen: plan" in capsys.readouterr().err


def test_every_kind_of_call_and_talk_is_explained(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    trace = {"id": "t", "sessionId": "s", "timestamp": "2026-03-04T09:00:00Z", "input": "hi", "output": "ho"}
    said = explained(home, "a.json", json.dumps([trace]), "", capsys)
    assert "a record is a call" in said and "first conversation: s" in said and "assistant: ho" in said


def test_a_flag_that_would_do_names_every_column_and_a_user_that_is_not_read_is_said(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "talk,shopper,who,words,when\n1,ann,user,Where is it?,2026-03-02T10:00:00Z\n"
    flag = "role=who,content=words,conversation_id=talk,timestamp=when,user_id=shopper"
    path = home.write("a.csv", table)
    assert cpa(home, f"land --explain {path}") == 2
    assert f"--map {flag}" in capsys.readouterr().err
    named, _, user = flag.rpartition(",")
    assert cpa(home, f"land {path} --map {named}") == 0
    assert f"shopper looks like one: --map {named},{user}" in capsys.readouterr().out
