"""By the column or with care: both ways give the same messages, the same ids, the same rejects."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.errors import DayNeeded
from cpa_core.sources import Record, columns, conversations, documents, filling, regular, tables
from cpa_core.sources.files import File
from cpa_core.sources.records import Draft, Reject, filled
from tests.support.examples import examples

MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC)
HEADER = ["conversation_id", "user_id", "role", "content", "message_id", "timestamp"]
WORDS = st.text(st.sampled_from('ab ,"\n\r\té納\0\x0b\x1f\x1c\u2028\u00a0'), max_size=6)
TIMES = st.sampled_from(
    [
        "2026-03-04T09:00:00Z",
        "2026-03-04T09:00:00.123Z",
        "2026-02-30T09:00:00Z",
        "2026-03-04 09:00",
        "2026-03-04 09:00:00",
        "2026-03-29T02:30:00",
        "1772614800",
        "",
        "x",
    ]
)
USUAL = st.tuples(
    st.sampled_from(["c1", "c2"]), st.sampled_from(["", "u1"]), st.sampled_from(["user", "Assistant "]), WORDS,
    st.sampled_from(["m1", "m2", "", "7"]), st.sampled_from(["2026-03-04T09:00:00Z", "2026-03-04T09:00:00.5Z", ""]),
)  # fmt: skip
LOCAL = USUAL.map(lambda row: (*row[:5], row[5].replace("T", " ").removesuffix("Z")))
ODD = st.tuples(WORDS, WORDS, st.sampled_from(["user", "", " "]), WORDS, WORDS, TIMES)
ROWS = (
    st.lists(USUAL, min_size=1, max_size=6)
    | st.lists(LOCAL, min_size=1, max_size=6)
    | st.lists(USUAL | ODD, min_size=1, max_size=6)
)
ZONES = st.sampled_from([UTC, ZoneInfo("Europe/Paris")])
NOISE = st.lists(st.text(st.sampled_from('a,"\n\r '), max_size=4), max_size=4).map("".join)

bounded = examples(60)


def careful_csv(file: File) -> Iterator[Draft | Reject]:
    numbered = tables.numbered_rows(tables.Lines(documents.text(file.name, file.content)), ",")
    _, header = next(numbered)  # type: ignore[misc]
    for one in numbered:
        yield from [one] if isinstance(one, Reject) else tables._careful(file, header, [one])


def careful_lines(file: File) -> Iterator[Draft | Reject]:
    lines = enumerate(documents.text(file.name, file.content, newline="\n"), 1)
    yield from conversations._careful(file, [(n, line) for n, line in lines if not line.isspace()])


def drafts(table: pa.Table) -> list[Draft]:
    return list(columns.rows(table, Draft))


def written(rows: list[tuple[str, ...]], end: str, quoting: int) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([HEADER, *rows])  # type: ignore[arg-type]
    return text.getvalue()


@bounded
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), NOISE, ZONES)
def test_a_csv_read_at_once_has_the_rows_of_the_careful_reader(
    rows: list[tuple[str, ...]], end: str, quoting: int, noise: str, zone: tzinfo
) -> None:
    file = File("a.csv", (written(rows, end, quoting) + noise).encode(), zone=zone)
    at_once = regular.csv_drafts(file)
    if at_once is not None:
        assert drafts(at_once) == list(careful_csv(file))


def test_a_usual_csv_is_read_at_once() -> None:
    rows = [("c1", "u1", "user", 'é "b",\n納', "m1", "2026-03-04T09:00:00Z"), ("c1", "", "user", "", "", "")]
    for end in ("\n", "\r\n"):
        assert regular.csv_drafts(File("a.csv", written(rows, end, csv.QUOTE_MINIMAL).encode())) is not None


@bounded
@given(ROWS, ZONES)
def test_rows_by_the_column_are_the_rows_of_the_careful_reader(rows: list[tuple[str, ...]], zone: tzinfo) -> None:
    file = File("a.csv", b"", zone=zone)
    part = [(n, list(row)) for n, row in enumerate(rows, 2)]
    plain = tables._plain(file, HEADER, part)
    if plain is not None:
        assert drafts(plain) == list(tables._careful(file, HEADER, part))


VALUES = st.one_of(
    st.none(), WORDS, st.sampled_from(["c1", "user", "2026-03-04T09:00:00Z", "\ud800"]), st.integers(0, 9)
)
OBJECTS = st.fixed_dictionaries(
    {"conversation_id": st.sampled_from(["c1", "c2"]), "role": st.just("user"), "content": WORDS | VALUES},
    optional={"timestamp": TIMES | VALUES, "message_id": VALUES, "user_id": VALUES, "more": VALUES},
)
LINES = st.lists(OBJECTS.map(json.dumps), min_size=1, max_size=5)
BROKEN = st.sampled_from(["", " ", "{", "}", "{}", "[1]", "{}{}", '{"role": "user", "role": "x"}', "NaN", "\ufeff"])


@bounded
@given(
    LINES | st.lists(OBJECTS.map(json.dumps) | BROKEN, min_size=1, max_size=6), st.sampled_from(["\n", "\r\n", "\n\n"])
)
def test_json_lines_read_at_once_have_the_rows_of_the_careful_reader(lines: list[str], end: str) -> None:
    file = File("a.jsonl", end.join(lines).encode())
    expected = list(careful_lines(file))
    for at_once in (regular.lines_drafts(file), conversations._plain(file, list(enumerate(lines, 1)))):
        if at_once is not None and end == "\n":
            assert drafts(at_once) == expected
    table, _, rejects = columns.gathered(conversations.from_lines(file))
    assert [*drafts(table)] == [one for one in expected if isinstance(one, Draft)]
    assert rejects == [one for one in expected if isinstance(one, Reject)]


def test_usual_json_lines_are_read_at_once() -> None:
    line = json.dumps({"conversation_id": "c1", "role": "user", "content": 'é "\n\\ 😀', "timestamp": None})
    assert regular.lines_drafts(File("a.jsonl", f"{line}\n{line}\n".encode())) is not None


MOMENTS = st.none() | st.sampled_from([MIDNIGHT, MIDNIGHT + timedelta(microseconds=7), MIDNIGHT - timedelta(days=1)])
DRAFTS = st.builds(
    Draft, place=st.just("p"), conversation_id=st.sampled_from(["a", 'b"é']),
    message_id=st.none() | st.sampled_from("123"), user_id=st.none(), role=st.sampled_from(["user", "x"]),
    content=st.sampled_from(["ok", 'é"\\/\n\t\x7f', "\x0b", "\0"]),
    sent_at=MOMENTS, metadata=st.none(), conversation_metadata=st.none(),
)  # fmt: skip


def sorted_by_name(found: list[Draft]) -> list[Draft]:
    """Drafts of which each conversation stands in one run, so that they may be taken in parts."""
    return sorted(found, key=lambda one: one.conversation_id)


@examples(100)
@given(
    st.lists(DRAFTS, max_size=8) | st.lists(DRAFTS, max_size=8).map(sorted_by_name),
    st.sampled_from([None, MIDNIGHT]),
    st.sampled_from([1, 2, filling.AT_ONCE]),
)
def test_ids_and_times_filled_in_by_sql_are_those_filled_in_by_python(
    given_drafts: list[Draft], midnight: datetime | None, at_once: int
) -> None:
    by_sql = filling.plain_records(columns.table(columns.DRAFT, given_drafts), midnight, at_once)
    if by_sql is None:
        return
    try:
        made, rejects = filled("a", given_drafts, midnight)
    except DayNeeded:
        raise AssertionError("the day is needed") from None
    assert rejects == []
    expected: list[Any] = sorted(made, key=lambda record: record.ordinal)
    assert list(columns.rows(by_sql, Record)) == expected
