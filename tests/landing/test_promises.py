"""What landing promises, over generated files: nothing is lost, twice is once, neither order nor cutting matters."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.homes import Home

pytestmark = pytest.mark.slow

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TIME = st.sampled_from(["2026-03-04T09:00:00Z", "2026-03-04T23:59:59Z", "2026-03-05T00:00:00+02:00", 1772614800])
MESSAGE = st.fixed_dictionaries(
    {
        "conversation_id": st.sampled_from(["c1", "c2", "c\u202e3", "../c4"]),
        "role": st.sampled_from(["user", "assistant", "Tool"]),
        "content": TEXT,
        "timestamp": TIME,
    }
)
MESSAGES = st.lists(MESSAGE, min_size=1, max_size=12)
BAD = st.sampled_from(['{"role": "user"}', "{", "[]", '{"conversation_id": "c1", "role": "user", "content": 5}'])

few = examples(3)
"""Each example lands several times; `make properties` asks for more of them."""


@contextmanager
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        yield Home(Path(folder))


def lines(messages: list[dict[str, Any]]) -> str:
    return "\n".join(map(json.dumps, messages))


def with_ids(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**message, "message_id": n} for n, message in enumerate(messages)]


def landed(home: Home) -> list[dict[str, Any]]:
    """All that counts, and the days of it."""
    return home.rows(
        "select m.conversation_id, m.message_id, m.role, m.content, m.sent_at, c.day, c.started_at, c.ended_at "
        "from landed_messages m join landed_conversations c using (conversation_id) "
        "where m.superseded_at is null order by all"
    )


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@few
@given(st.lists(MESSAGE.map(json.dumps) | BAD, min_size=1, max_size=15))
def test_what_landed_and_what_was_rejected_are_all_there_was(written: list[str]) -> None:
    with home() as one:
        one.write("a.jsonl", "\n".join(written))
        one.write("b.csv", "conversation_id,role,content,timestamp\nc9,user,hi,2026-03-04\n")
        found = one.land()
        (counts,) = one.rows("select (select count(*) from landed_messages) as n, count(*) as r from rejected_records")
        if found.records > 1:
            assert counts["n"] + counts["r"] == len(written) + 1 == found.records + found.rejected
        elif all(json.loads(line) == [] for line in written if _is_json(line)) and all(map(_is_json, written)):
            assert not found.problems and counts["r"] == 0  # an export of a quiet hour
        else:
            assert found.problems and counts["r"] == 1  # the file as a whole


@few
@given(MESSAGES)
def test_landing_twice_is_landing_once(messages: list[dict[str, Any]]) -> None:
    with home() as one:
        one.write("a.jsonl", lines(messages))
        one.land()
        once, generations = landed(one), one.generations()
        assert one.land().read == 0
        one.write("a.jsonl", lines(messages))
        assert one.land().days == ()
        one.write("b.jsonl", lines(messages))
        assert one.land().days == ()
        assert landed(one) == once and one.generations() == generations


@few
@given(MESSAGES, MESSAGES)
def test_the_order_in_which_files_land_does_not_matter(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    results = []
    for order in (("a", "b"), ("b", "a"), ("ab",)):
        with home() as one:
            paths = {"a": one.write("a.jsonl", lines(with_ids(a))), "b": one.write("b.jsonl", lines(with_ids(b)))}
            for name, path in paths.items():
                path.rename(one.folder / name)
            for names in order:
                for name in names:
                    (one.folder / name).rename(paths[name])
                one.land()
            results.append((landed(one), one.rows("select uri is null, place from rejected_records order by all")))
    assert results[0] == results[1] == results[2]


@few
@given(MESSAGES, st.integers(0, 12))
def test_cutting_a_file_in_two_does_not_matter(messages: list[dict[str, Any]], at: int) -> None:
    results = []
    identified = with_ids(messages)
    for parts in ([identified], [identified[:at], identified[at:]]):
        with home() as one:
            for n, part in enumerate(parts):
                if part:
                    one.write(f"{n}.jsonl", lines(part))
            one.land()
            results.append(landed(one))
    assert results[0] == results[1]
