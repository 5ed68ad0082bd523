"""Rows without `conversation_id`: the conversation is the session that they name, and only else their user's."""

import csv
import io
import json
from collections import defaultdict
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cpa_core.sources import File, columns, conversations, regular, tables
from cpa_core.sources.formats import opened
from cpa_core.sources.formats.explaining import explained
from cpa_core.sources.records import Draft
from cpa_core.sources.sessions import SESSIONS
from tests.formats.reading import MIDNIGHT, lines, message, read_file, said
from tests.support.homes import Home

Row = dict[str, Any]


def row(n: int, role: str = "user", user: str | None = "u", **named: Any) -> Row:
    about = {"user_id": user, "role": role, "content": f"{role} {n}", "timestamp": f"2026-03-02T09:{n:02}:00Z"}
    return {**about, **named}


def as_csv(rows: list[Row], between: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=between, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


FORMS = {
    "a.csv": as_csv,
    "a.tsv": lambda rows: as_csv(rows, "\t"),
    "a.jsonl": lambda rows: lines(*rows).encode(),
    "a.json": lambda rows: json.dumps(rows).encode(),
    "a.parquet": as_parquet,
}
TURNS = [("user", "a"), ("assistant", "a"), ("user", "b"), ("assistant", "b")]
KEYS = ("session_id", "sessionId", "thread_id", "threadId", "chat_id", "chatID", "conversationId", "dialogue_uuid")


def talks(rows: list[Row], name: str = "a.jsonl", **how: Any) -> dict[str, list[str]]:
    """The contents by conversation."""
    return {key: [text for _, text in one] for key, one in said(FORMS[name](rows), name, **how).items()}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_a_session_is_the_conversation_of_rows_that_name_none(name: str, key: str) -> None:
    rows = [row(n, role, **{key: named}) for n, (role, named) in enumerate(TURNS)]
    assert talks(rows, name) == {"a": ["user 0", "assistant 1"], "b": ["user 2", "assistant 3"]}
    found, _ = read_file(FORMS[name](rows), name)
    assert {one.user_id for one in found} == {"u"} and not any(one.by_user or one.metadata for one in found)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_a_session_is_the_conversation_of_rows_without_a_user(name: str, key: str) -> None:
    rows = [row(n, role, **{key: named}) for n, (role, named) in enumerate(TURNS)]
    without = [{word: value for word, value in one.items() if word != "user_id"} for one in rows]
    assert talks(without, name) == {"a": ["user 0", "assistant 1"], "b": ["user 2", "assistant 3"]}
    found, _ = read_file(FORMS[name](without), name)
    assert {one.user_id for one in found} == {None} and not any(one.by_user or one.metadata for one in found)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("named", "conversation"),
    [
        ({"conversation_id": "c", "session_id": "s"}, "c"),
        ({"conversation_id": "", "session_id": "s"}, "s"),
        ({"thread_id": "t", "session_id": "s"}, "t"),
        ({"thread_id": "", "session_id": "s"}, "s"),
        ({"session_id": ""}, "u"),
        ({"session_id": " "}, "u"),
        ({"session_id": "null"}, "u"),
        ({"sessionId": "undefined"}, "u"),
        ({"account_id": "a"}, "u"),
        ({"session_id": "0"}, "0"),
    ],
)
def test_a_conversation_id_goes_first_and_the_user_last(name: str, named: Row, conversation: str) -> None:
    assert set(talks([row(0, **named), row(1, "assistant", **named)], name)) == {conversation}
    mixed = [row(0, **named), row(1, **{**dict.fromkeys(named, "x")})]
    assert set(talks(mixed, name)) == {conversation, "x" if named.keys() & {"conversation_id", *SESSIONS} else "u"}


@pytest.mark.parametrize("key", [*KEYS, "session_id (of the file)"])
def test_a_mapping_names_the_conversation_whatever_else_a_row_names(key: str) -> None:
    rows = [row(n, **{key: named, "ticket": "t"}) for n, named in enumerate("ab")]
    assert set(talks(rows, names={"conversation_id": "ticket"})) == {"t"}


@pytest.mark.parametrize("header", ["Session ID", "SESSION_ID", "Session-Id", "Thread ID"])
def test_a_header_may_spell_the_session_in_another_way(header: str) -> None:
    names = {"user_id": "User ID", "role": "Role", "content": "Content", "timestamp": "Timestamp"}
    rows = [{names.get(k, k): v for k, v in row(n, **{header: named}).items()} for n, named in enumerate("ab")]
    assert set(said(as_csv(rows), "a.csv")) == {"a", "b"}


@pytest.mark.parametrize("key", ["session_id", "threadId"])
def test_rows_and_lists_of_messages_have_the_same_conversations(key: str) -> None:
    rows = [row(n, role, **{key: "a"}) for n, role in enumerate(("user", "assistant"))]
    messages = [message(one["role"], one["content"], timestamp=one["timestamp"]) for one in rows]
    listed = said(lines({key: "a", "user_id": "u", "messages": messages}), "a.jsonl")
    assert listed == said(lines(*rows), "a.jsonl")


def groups(rows: list[Row], found: dict[str, list[str]]) -> bool:
    """Whether these conversations are those of each user in each session; an answer is of the user before."""
    expected: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    last: dict[str, str] = {}
    for one in rows:
        last[one["session_id"]] = one["user_id"] or last[one["session_id"]]
        expected[one["session_id"], last[one["session_id"]]].append(one["content"])
    return sorted(expected.values()) == sorted(found.values())


COUNTED = [
    row(n, role, user if role == "user" or is_named else None, session_id=session)
    for n, (session, user, role, is_named) in enumerate(
        (session, user, role, is_named)
        for session in "12"
        for user, is_named in (("ann", True), ("bob", False), ("cy", False))
        for role in ("user", "assistant")
    )
]
"""Three users whose sessions are counted from 1; the answers name the user, or nobody."""


@pytest.mark.parametrize("name", FORMS)
def test_users_never_share_a_session(name: str) -> None:
    assert groups(COUNTED, talks(COUNTED, name))
    assert any("sessions have several users" in one for one in opened(File(name, FORMS[name](COUNTED)), MIDNIGHT).notes)
    alone = [one for one in COUNTED if one["user_id"] == "ann"]
    assert set(talks(alone, name)) == {"1", "2"} and not opened(File(name, FORMS[name](alone)), MIDNIGHT).notes


def test_people_may_share_a_thread() -> None:
    rows = [row(0, thread_id="t"), row(1, user="v", thread_id="t"), row(2, "assistant", None, thread_id="t")]
    assert set(talks(rows)) == {"t"}
    assert set(talks([{**one, "conversation_id": "c"} for one in COUNTED])) == {"c"}


def test_a_session_without_a_person_is_one() -> None:
    rows = [row(0, user="anonymous", session_id="1"), row(1, user=None, session_id="1"), row(2, session_id="1")]
    assert set(talks(rows)) == {"1"}


@pytest.mark.parametrize("order", [*permutations(("ann", "bob", "cy"))][::2])
def test_users_are_apart_in_any_order_of_files_and_ids_stay(tmp_path: Path, order: tuple[str, ...]) -> None:
    home = Home(tmp_path)
    rows = {
        "ann": [one for one in COUNTED if one["user_id"] == "ann"],
        "bob": COUNTED[2:4] + COUNTED[8:10],
        "cy": COUNTED[4:6] + COUNTED[10:],
    }
    before: dict[str, str] = {}
    for user in order:
        home.write(f"{user}.jsonl", lines(*rows[user]))
        home.land()
        now = {one["message_id"]: one["conversation_id"] for one in home.rows("from landed_messages")}
        assert before.items() <= now.items()
        before = now
    landed: defaultdict[str, list[str]] = defaultdict(list)
    for one in home.rows("from landed_messages order by sent_at"):
        landed[one["conversation_id"]].append(one["content"])
    assert groups(COUNTED, landed)
    home.write("all.jsonl", lines(*COUNTED))
    home.land()
    found = home.rows("select distinct message_id, conversation_id from landed_messages where superseded_at is null")
    assert {one["message_id"]: one["conversation_id"] for one in found} == before


def test_a_home_whose_rows_were_of_their_user_goes_on_so(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = [row(n, role, session_id=named) for n, (role, named) in enumerate(TURNS)]
    home.write("before.jsonl", lines(row(50, user="w")))
    home.land()
    with home.assistant().store.writing() as transaction:
        transaction.insert("settings_fixed", [{"name": "rows_by_user", "value": "1"}])
    home.write("a.jsonl", lines(*rows[:3]))
    home.land()
    with home.assistant().store.writing() as transaction:
        transaction.execute("delete from settings_fixed where name = 'rows_by_user'")
        transaction.execute("delete from migrations where number = 36")
    home.write("a.jsonl", lines(*rows))
    home.write("b.csv", as_csv(rows))
    notes = home.land().warnings
    assert any("--map conversation_id=session_id" in one for one in notes)
    found = home.rows(
        "select conversation_id, content from landed_messages where superseded_at is null order by sent_at"
    )
    assert [one["content"] for one in found] == [*(one["content"] for one in rows), "user 50"]
    assert {one["conversation_id"] for one in found} == {"u", "w"}


def test_a_home_without_such_rows_reads_sessions_after_an_upgrade(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("before.jsonl", lines(row(50, user="w", page="p"), row(51, user="w", session_id="")))
    home.land()
    with home.assistant().store.writing() as transaction:
        transaction.execute("delete from migrations where number = 36")
    home.write("a.jsonl", lines(row(0, session_id="a")))
    home.land()
    found = home.rows("select distinct conversation_id from landed_messages")
    assert {one["conversation_id"] for one in found} == {"w", "a"}


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([row(0, session_id="a")], "session_id names its conversations"),
        ([row(0, session_id="a"), row(1, session_id="")], "1 of its messages name no conversation or session"),
        ([row(0)], "1 of its messages name no conversation or session"),
        ([row(0, conversation_id="a")], ""),
    ],
)
@pytest.mark.parametrize("name", FORMS)
def test_explaining_says_what_names_the_conversations(name: str, rows: list[Row], note: str) -> None:
    notes = explained(File(name, FORMS[name](rows)), MIDNIGHT).notes
    assert any(note in one for one in notes) if note else not notes


@pytest.mark.parametrize("key", ["ticketId", "case_id", "session"])
def test_what_looks_like_a_conversation_is_named_where_rows_are_of_their_user(key: str) -> None:
    notes = opened(File("a.jsonl", lines(row(0, **{key: "t"})).encode()), MIDNIGHT).notes
    assert any(f"--map conversation_id={key}" in one for one in notes)


def test_columns_and_rows_are_read_alike() -> None:
    for values in (("a", "b"), ("a", ""), ("", ""), ("null", "a"), (" ", "0")):
        for more in ({}, {"conversation_id": "c"}, {"conversation_id": ""}, {"thread_id": "t"}):
            rows = [row(n, session_id=one, **more) for n, one in enumerate(values)]
            file = File("a.jsonl", lines(*rows).encode())
            numbered = [(n, json.dumps(one)) for n, one in enumerate(rows, 1)]
            alike(conversations._plain(file, numbered), list(conversations._careful(file, numbered)))
            table = File("a.csv", as_csv(rows))
            header, part = list(rows[0]), [(n, [str(v) for v in one.values()]) for n, one in enumerate(rows, 2)]
            alike(tables._plain(table, header, part), list(tables._careful(table, header, part)))
            batch = pa.RecordBatch.from_pylist(rows)
            alike(regular.batch_drafts(file, batch, 0), list(tables._careful_batch(file, batch, 0)))


def alike(plain: Any, careful: list[Any]) -> None:
    if plain is not None:
        assert list(columns.rows(plain, Draft)) == careful
