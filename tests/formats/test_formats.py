"""Cutting files into records: every optional field, every kind of disorder, every complaint."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import DayNeeded, SourceError
from cpa_core.sources import Record, Reject, parse

DATA = Path(__file__).parents[1] / "data"
MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC)
AT = "2026-03-04T09:00:00Z"


def message(content: Any = "hello", role: Any = "user", timestamp: Any = AT, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "timestamp": timestamp, **more}


def of_json(tree: Any, midnight: datetime | None = None) -> tuple[list[Record], list[Reject]]:
    return parse("a.json", json.dumps(tree).encode(), midnight)


def of_messages(*messages: dict[str, Any], midnight: datetime | None = None) -> list[Record]:
    records, rejects = of_json({"c1": {"messages": list(messages)}}, midnight)
    assert not rejects
    return records


def of_csv(text: str, midnight: datetime | None = None) -> tuple[list[Record], list[Reject]]:
    return parse("a.csv", text.encode(), midnight)


def refusal(name: str, content: bytes) -> str:
    with pytest.raises(SourceError) as refused:
        parse(name, content, MIDNIGHT)
    return str(refused.value)


def rejected(**fields: Any) -> str:
    """The reason why a message with these fields is rejected, beside a good one."""
    bad = {key: value for key, value in {**message(), **fields}.items() if value is not ...}
    records, rejects = of_json({"c1": {"messages": [message(), bad]}})
    assert len(records) == 1 and len(rejects) == 1 and rejects[0].loss
    assert rejects[0].place == "c1: messages.1"
    return rejects[0].reason


def test_json_of_the_seed_form_keeps_every_optional_field() -> None:
    tree = {"c1": {"user_id": "u1", "messages": [message("hi", message_id="m1"), message("ho", "assistant")]}}
    records, rejects = of_json(tree)
    assert not rejects
    first, second = records
    assert (first.conversation_id, first.message_id, first.id_given, first.user_id) == ("c1", "m1", True, "u1")
    assert (first.role, first.content, first.sent_at) == ("user", "hi", datetime(2026, 3, 4, 9, tzinfo=UTC))
    assert not first.time_assumed and first.ordinal == 0 and first.place == "c1: messages.0"
    assert second.message_id.startswith("h-") and not second.id_given


def test_csv_keeps_every_optional_field() -> None:
    records, rejects = of_csv(
        f"conversation_id,user_id,role,content,message_id,timestamp\nc1,u1,user,hi,m1,{AT}\nc1,u1,assistant,ho,,{AT}\n"
    )
    assert not rejects
    assert records[0][2:9] == ("c1", "m1", True, "u1", "user", "hi", datetime(2026, 3, 4, 9, tzinfo=UTC))
    assert records[1].message_id.startswith("h-") and records[1].place == "line 3"


def test_where_a_csv_has_users_only_a_user_is_a_conversation() -> None:
    records, _ = of_csv(f"user_id,role,content,timestamp\nu1,user,hi,{AT}\nu2,user,hi,{AT}\n")
    assert [(r.conversation_id, r.user_id) for r in records] == [("u1", "u1"), ("u2", "u2")]


def test_json_and_csv_twins_give_the_same_ids() -> None:
    by_json = of_messages(message("hi"), message("ho", "assistant"))
    by_csv, _ = of_csv(f"conversation_id,role,content,timestamp\nc1,user,hi,{AT}\nc1,assistant,ho,{AT}\n")
    assert [r.message_id for r in by_json] == [r.message_id for r in by_csv]


@pytest.mark.parametrize("word", ["", " ", "None", "nan", "NaN", "NULL", "N/A", "0314", "1e5", "true", "=1+1"])
def test_words_stay_the_words_they_are(word: str) -> None:
    rows = io.StringIO()
    csv.writer(rows).writerows([["conversation_id", "role", "content", "timestamp"], ["c1", "user", word, AT]])
    assert of_csv(rows.getvalue())[0][0].content == word
    assert of_messages(message(word))[0].content == word


@pytest.mark.parametrize("role", ["system", "tool", "User", "ASSISTANT", " Supervisor "])
def test_any_role_is_kept_in_lower_case(role: str) -> None:
    assert of_messages(message(role=role))[0].role == role.strip().lower()


def test_ids_that_are_numbers_are_kept_as_text() -> None:
    tree = {"7": {"user_id": 12, "messages": [message(message_id=1), message(message_id=2)]}}
    records, _ = of_json(tree)
    assert [(r.conversation_id, r.user_id, r.message_id) for r in records] == [("7", "12", "1"), ("7", "12", "2")]
    records, _ = of_csv(f"conversation_id,role,content,message_id,timestamp\n007,user,hi,0012,{AT}\n")
    assert (records[0].conversation_id, records[0].message_id) == ("007", "0012")


def test_identical_messages_without_ids_are_both_kept_and_have_the_same_ids_in_another_file() -> None:
    once, again = of_messages(message("ok"), message("ok")), of_messages(message("ok"), message("ok"))
    assert len({r.message_id for r in once}) == 2
    assert [r.message_id for r in once] == [r.message_id for r in again]


def test_a_repeated_message_id_with_the_same_content_is_one_message() -> None:
    assert len(of_messages(message(message_id="m1"), message(message_id="m1"))) == 1


def test_a_repeated_message_id_with_another_content_is_rejected() -> None:
    records, rejects = of_json({"c1": {"messages": [message("a", message_id="m1"), message("b", message_id="m1")]}})
    assert [r.content for r in records] == ["a"]
    assert rejects[0].place == "c1: messages.1" and rejects[0].reason.startswith("message_id: given before")
    assert json.loads(rejects[0].raw)["content"] == "b"


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-04T09:00:00Z",
        "2026-03-04T09:00:00+00:00",
        "2026-03-04T10:00:00+01:00",
        "2026-03-04 09:00:00",
        "2026-03-04 09:00:00 UTC",
        "2026-03-04T09:00:00.000",
        1772614800,
        1772614800.0,
        1772614800000,
        "1772614800",
        "1772614800000",
    ],
)
def test_a_time_may_be_iso_8601_or_seconds_or_milliseconds_and_is_utc_without_a_zone(written: Any) -> None:
    assert of_messages(message(timestamp=written))[0].sent_at == datetime(2026, 3, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", [True, [1], "yesterday", "NaT", 20260304, 2026, 12.5, 1e30, "2026-13-01", "0001-01-01T00:00:00+09:00"]
)
def test_what_is_no_time_is_rejected(written: Any) -> None:
    assert rejected(timestamp=written).startswith("timestamp: not a time in a form that is known")


def test_messages_without_times_are_a_second_apart_from_midnight_and_flagged() -> None:
    records = of_messages(message("a", timestamp=None), message("b", timestamp=""), midnight=MIDNIGHT)
    assert [(r.sent_at.second, r.time_assumed) for r in records] == [(0, True), (1, True)]
    assert records[0].sent_at == MIDNIGHT


def test_a_message_without_a_time_has_that_of_its_neighbour() -> None:
    later = "2026-03-04T09:05:00Z"
    records = of_messages(
        message("a", timestamp=None), message("b"), message("c", timestamp=None), message("d", timestamp=later)
    )
    assert [(r.content, r.sent_at.minute, r.time_assumed) for r in records] == [
        ("a", 0, True),
        ("b", 0, False),
        ("c", 0, True),
        ("d", 5, False),
    ]


def test_without_any_time_the_day_must_be_named() -> None:
    tree = {"c1": {"messages": [message()]}, "c2": {"messages": [message(timestamp=None)]}}
    with pytest.raises(DayNeeded, match=r"a\.json: c2: messages\.0: timestamp: missing, so the day must be named"):
        of_json(tree)


def test_unknown_keys_are_kept_as_metadata() -> None:
    tree = {"c1": {"messages": [message(model="gpt", n=[1])], "channel": "web"}}
    record = of_json(tree)[0][0]
    assert json.loads(record.metadata or "") == {"model": "gpt", "n": [1]}
    assert json.loads(record.conversation_metadata or "") == {"channel": "web"}
    record = of_csv(f"conversation_id,role,content,timestamp,channel\nc1,user,hi,{AT},web\n")[0][0]
    assert json.loads(record.metadata or "") == {"channel": "web"}


def test_nan_in_json_is_a_missing_value() -> None:
    one = f'{{"role": "user", "content": NaN, "timestamp": "{AT}", "x": NaN, "message_id": NaN}}'
    text = f'{{"c1": {{"messages": [{one}]}}}}'
    record = parse("a.json", text.encode(), None)[0][0]
    assert record.content == "" and not record.id_given
    assert json.loads(record.metadata or "") == {"x": None}


def test_nul_and_half_surrogates_do_no_harm() -> None:
    tree = {"c\ud800": {"messages": [message("a\0b\ud83d", x="\udc00")], "y": "\ud800"}}
    record = of_json(tree)[0][0]
    assert record.content == "a\0b\ufffd" and record.conversation_id == "c\ufffd"
    for text in (record.place, record.content, record.metadata, record.conversation_metadata):
        assert text is not None and text.encode()


def test_a_huge_field_and_quoted_line_breaks_are_read() -> None:
    long = "x" * 300_000
    text = f'conversation_id,role,content,timestamp\r\nc1,user,"{long}\r\nand ""more""",{AT}\r\nc1,user,next,{AT}\r\n'
    records, rejects = of_csv(text)
    assert not rejects
    assert records[0].content == f'{long}\r\nand "more"'
    assert [r.place for r in records] == ["line 2", "line 4"]


def test_a_byte_order_mark_crlf_and_an_upper_case_ending_do_no_harm() -> None:
    text = f"\ufeffconversation_id,role,content,timestamp\r\nc1,user,hi,{AT}\r\n\r\n"
    assert len(parse("A.CSV", text.encode(), None)[0]) == 1
    assert len(parse("A.JSON", ("\ufeff" + json.dumps({"c1": {"messages": [message()]}})).encode(), None)[0]) == 1


def test_rejects_name_the_key_and_the_reason() -> None:
    assert rejected(role=...) == "role: missing"
    assert rejected(role=" ") == "role: a word is needed"
    assert rejected(role=[5]) == "role: a word is needed"
    assert rejected(content=...) == "content: missing"
    assert rejected(content=["hi"]) == "content: text is needed, this is a list"
    assert rejected(content=5) == "content: text is needed, this is a number"
    assert rejected(message_id={}) == "message_id: text or a number is needed, this is a object"
    assert rejected(message_id=True) == "message_id: text or a number is needed, this is a truth value"


def test_a_number_that_no_float_holds_is_a_reject() -> None:
    text = f'{{"c1": {{"messages": [{json.dumps(message())}, {json.dumps(message())[:-1]}, "x": 1e999}}]}}}}'
    records, rejects = parse("a.json", text.encode(), None)
    assert len(records) == 1 and "not JSON compliant" in rejects[0].reason


def test_a_key_that_occurs_twice_is_a_reject_of_that_message_only() -> None:
    good = json.dumps(message())
    text = f'{{"c1": {{"messages": [{good}, {{"role": "user", "role": "tool", "content": "x"}}]}}}}'
    records, rejects = parse("a.json", text.encode(), None)
    assert len(records) == 1
    assert (rejects[0].place, rejects[0].reason) == ("c1: messages.1", "role: this key occurs twice in one object")


def test_a_conversation_that_occurs_twice_in_one_file_is_an_error() -> None:
    one = json.dumps({"messages": [message()]})
    assert (
        refusal("a.json", f'{{"c1": {one}, "c1": {one}}}'.encode()) == "a.json: c1: this key occurs twice in one object"
    )


def test_a_wrong_conversation_is_a_reject_beside_a_good_one() -> None:
    records, rejects = of_json({"c1": {"messages": [message()]}, "c2": [message()], "c3": {"messages": {}}, "c4": "x"})
    assert len(records) == 1
    assert [(r.place, r.loss) for r in rejects] == [("c2", True), ("c3", True), ("c4", True)]
    assert {r.reason for r in rejects} == {'an object with a list "messages" is needed'}


def test_a_conversation_without_messages_is_a_reject_that_loses_nothing() -> None:
    records, rejects = of_json({"c1": {"messages": []}})
    assert not records
    assert (rejects[0].place, rejects[0].reason, rejects[0].loss) == ("c1", "no messages", False)


def test_blank_conversation_ids_are_rejects() -> None:
    _, rejects = of_json({" ": {"messages": [message(), message()]}, "c1": {"messages": [message()]}})
    assert [(r.reason, r.loss) for r in rejects] == [("conversation_id: blank", True)]
    assert len(json.loads(rejects[0].raw)["messages"]) == 2
    _, rejects = of_csv(f"conversation_id,user_id,role,content,timestamp\n ,u1,user,hi,{AT}\nc1,u1,user,hi,{AT}\n")
    assert [(r.place, r.reason) for r in rejects] == [("line 2", "conversation_id: blank")]


def test_ragged_rows_are_rejects_with_their_line() -> None:
    text = (
        f'conversation_id,role,content,timestamp\nc1,user,"a\nb",{AT}\nc1,user,hi\nc1,user,hi,{AT},x\nc1,user,,{AT}\n'
    )
    records, rejects = of_csv(text)
    assert [r.content for r in records] == ["a\nb", ""]
    assert [(r.place, r.reason) for r in rejects] == [
        ("line 4", "3 fields where the header has 4"),
        ("line 5", "5 fields where the header has 4"),
    ]
    assert json.loads(rejects[0].raw) == ["c1", "user", "hi"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"x", "a.txt: none of the kinds that are read: json, csv"),
        ("a.json", b'{"c1":\n\n,}', "a.json: line 3: not JSON: Expecting value"),
        ("a.json", b"3", "a.json: the format is not recognised. Keys seen: none."),
        ("a.json", b'{"title": "secret", "n": 1}', "a.json: the format is not recognised. Keys seen: title, n."),
        ("a.json", b'{"messages": [{}]}', "a.json: top level: messages.0: role: missing"),
        ("a.json", b'{"c1": {"messages": [{"content": "secret"}]}}', "a.json: c1: messages.0: role: missing"),
        ("a.json", b'{"c1": {"messages": ["secret"]}}', "a.json: c1: messages.0: an object with role and content"),
        ("a.json", b'{"c1": "\xff"}', "a.json: line 1: not UTF-8 (byte 8)"),
        ("a.json", b"[" * 100_000, "a.json: top level: lists or objects nested too deeply"),
        ("a.json", b'{"c1": ' + b"1" * 5000 + b"}", "a.json: top level: a number with too many digits"),
        ("a.csv", b"", "a.csv: line 1: missing columns: role, content, conversation_id (or user_id)"),
        (
            "a.csv",
            b"role,text,user_id\n",
            "a.csv: line 1: missing columns: content (3 columns found: role, text, user_id",
        ),
        ("a.csv", b"role,content,role,user_id\n", "a.csv: line 1: columns that occur twice: 'role'"),
        ("a.csv", b'role,content,user_id\nuser,"secret" x,u\n', "a.csv: line 2: not CSV: ',' expected after '\"'"),
        ("a.csv", b'role,content,user_id\nuser,"secret,u\n', "a.csv: line 2: not CSV: unexpected end of data"),
        ("a.csv", b"role,content,user_id\nuser,secret,\n", "a.csv: line 2: user_id: blank"),
        ("a.csv", b"role,content,user_id\nuser,\x81,u\n", "a.csv: line 2: not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_place_and_reason_but_no_text(
    name: str, content: bytes, said: str
) -> None:
    message = refusal(name, content)
    assert message.startswith(said)
    assert "secret" not in message


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("content", [b"", b" \n", b"[]", b"{}", b'{"data": [], "meta": {}}', b'{"traces": []}'])
def test_an_export_of_a_quiet_hour_is_empty_and_no_error(name: str, content: bytes) -> None:
    assert parse(name, content, None) == ([], [])


@pytest.mark.parametrize("dataset", ["messy_mini", "messy_mini_pypi"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_real_messy_conversations_come_out_whole(dataset: str, form: str) -> None:
    expected = json.loads((DATA / dataset / "expected.json").read_text("utf-8"))
    records, rejects = parse(f"x.{form}", (DATA / dataset / f"conversations.{form}").read_bytes(), None)
    words = "\x1e".join(f"{r.message_id}\x1f{r.content}" for r in sorted(records, key=lambda r: r.message_id))
    assert hashlib.sha256(words.encode()).hexdigest() == expected["csv"]["content_sha256"]
    assert [r.place for r in rejects] == (expected["json"]["conversations_without_messages"] if form == "json" else [])
    assert not any(r.loss for r in rejects)
    assert len(records) == expected["csv"]["messages"]
    assert len({r.user_id for r in records}) == (expected["csv"]["users"] if form == "csv" else 1)
    roles = [r.role for r in records]
    assert {role: roles.count(role) for role in set(roles)} == expected["csv"]["by_role"]
    by_id = {r.message_id: r.content for r in records}
    assert {key: by_id[key] for key in expected["must_stay_text"]} == expected["must_stay_text"]
    sizes: dict[str, int] = {}
    for record in records:
        sizes[record.conversation_id] = sizes.get(record.conversation_id, 0) + 1
    assert sizes == expected["messages_per_conversation"]


def test_a_row_that_is_not_csv_is_a_reject_and_the_next_ones_go_on() -> None:
    header, good = "conversation_id,role,content,timestamp\n", 'c1,user,"a\nb",2026-03-04T09:00:00Z\n'
    records, rejects = parse("a.csv", (header + good + 'c1,user,"x"y\n' + good + good).encode(), None)
    assert [record.place for record in records] == ["line 2", "line 5", "line 7"]
    assert rejects == [Reject("line 4", "not CSV: ',' expected after '\"'", 'c1,user,"x"y\n')]
    records, rejects = parse("a.csv", (header + good + 'c1,user,"cut off\nc1,user,no row,2026-03-04\n').encode(), None)
    assert [record.place for record in records] == ["line 2"]
    assert rejects[0][:2] == ("line 4", "not CSV: unexpected end of data") and "no row" in rejects[0].raw


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.csv", b"c1,user,%s,2026-03-04T09:00:00Z\n"),
        (
            "a.jsonl",
            b'{"conversation_id": "c1", "role": "user", "content": "%s", "timestamp": "2026-03-04T09:00:00Z"}\n',
        ),
        ("b.jsonl", b'{"messages": [{"role": "user", "content": "%s", "timestamp": "2026-03-04T09:00:00Z"}]}\n'),
    ],
)
def test_a_line_that_is_not_utf8_is_a_reject_and_stops_no_other(name: str, line: bytes) -> None:
    header = b"conversation_id,role,content,timestamp\n" if name == "a.csv" else b""
    for order in (b"\xff\xe9", b"\xc3\xa9", b"x"), (b"\xc3\xa9", b"\xff\xe9", b"x"):
        records, rejects = parse(name, header + b"".join(line % text for text in order), None)
        assert [record.content for record in records] == ["é", "x"]
        (reject,) = rejects
        assert reject.reason == "not UTF-8" and "\\xff\\xe9" in reject.raw
