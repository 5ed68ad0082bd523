"""A file of traces is read once, and gives what two passes give; a large file is read from where it lies."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.errors import SourceUnreadable
from cpa_core.sources import File, documents, trees
from cpa_core.sources.columns import Gathered, gathered
from cpa_core.sources.contents import OnDisk
from cpa_core.sources.conversations import decoded
from cpa_core.sources.formats import FORMATS, opened, prepared, recognition
from cpa_core.sources.formats.trace_reading import FEW, WINDOW
from cpa_core.sources.formats.traces import Node, outermost, verdicts_of
from tests.formats.generated import WRITERS
from tests.support.writings import Told

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
TURNS = (
    ("user", "Hi"),
    ("assistant", "yes"),
    ("user", "yes"),
    ("assistant", "yes"),
    ("user", "Bye"),
    ("assistant", "Bye."),
)
TRACED = [
    name
    for name, (form, _) in WRITERS.items()
    if form in ("langsmith", "langfuse", "otlp", "opik", "braintrust", "weave")
]


def run(
    n: int, kind: str, parent: int | None = None, thread: Any = None, system: str = "s", user: Any = None
) -> dict[str, Any]:
    """A run of LangSmith in one trace."""
    said = [{"type": "system", "content": system}, {"type": "human", "content": f"question {n}"}]
    about = {key: value for key, value in (("thread_id", thread), ("user_id", user)) if value}
    return {
        "id": f"r{n}",
        "trace_id": "t",
        "parent_run_id": None if parent is None else f"r{parent}",
        "run_type": kind,
        "inputs": {"messages": [said]},
        "outputs": {"generations": [[{"text": f"answer {n}"}]]},
        "start_time": f"2026-03-02T09:00:{n:02}Z",
        "extra": {"metadata": about},
    }


TRACES = {
    "named by its last run": [run(1, "llm"), run(2, "llm"), run(3, "tool", thread="late", user="u")],
    "named late by numbers": [run(1, "llm"), run(3, "tool", thread=7, user=8)],
    "named late by a blank": [run(1, "llm"), run(3, "tool", thread=" ", user="u")],
    "named by what is no id": [run(1, "llm"), run(2, "tool", thread={"a": 1})],
    "prompts that differ": [run(1, "llm"), run(2, "llm", system="other")],
    "inner before outer": [run(2, "llm", 1), run(1, "llm")],
    "inside of a tool": [run(1, "tool"), run(2, "llm", 1)],
    "one id twice": [run(1, "tool"), run(1, "chain"), run(2, "llm", 1)],
    "a step around calls": [run(2, "llm", 1), run(3, "llm", 1), run(1, "chain")],
    "no object among runs": [run(1, "llm"), ["no run"], {**run(2, "llm"), "inputs": 3}],
}


def told(found: Gathered) -> tuple[list[Any], list[Any]]:
    """Records with their messages, and rejects, in an order of their own."""
    drafts = found.drafts.to_pylist()
    records = []
    for one in found.records.to_pylist():
        rows = one.pop("rows") or range(one["first"], one.pop("first") + one["size"])
        given = one.pop("places") or [None] * len(rows)
        repeated = range(1, one["own_from"] if one["kind"] == "call" else 0)  # where these stand says the draft
        places = [
            None if n in repeated else place or drafts[row]["place"]
            for n, (row, place) in enumerate(zip(rows, given, strict=True))
        ]
        one.pop("first", None)
        said = [{**drafts[n], "place": place} for n, place in zip(rows, places, strict=True)]
        for draft in said if one["conversation_id"] is None else ():
            draft.pop("conversation_id")
        records.append(json.dumps([one, said], default=str, sort_keys=True))
    return sorted(records), sorted(found.rejects)


def of(rows: list[Any]) -> File:
    return prepared(File("a.jsonl", "\n".join(map(json.dumps, rows)).encode()))[0]


def rows_of(name: str) -> list[Any]:
    if name in TRACES:
        return TRACES[name]
    return [row for n in range(2) for row in WRITERS[name][1](Told(f"c{n}", "u", BEGIN, TURNS))]


@pytest.mark.parametrize("name", [*TRACED, *TRACES])
def test_one_pass_finds_what_two_passes_find(name: str) -> None:
    file = of(rows_of(name))
    chosen = recognition.choice(file, FORMATS)
    once = gathered(chosen.form.read(file, chosen.records(file)))
    twice = gathered(chosen.form.read(file, list(chosen.records(file))))
    assert told(once) == told(twice) and once.records.num_rows + len(once.rejects) > 0


def apart(rows: list[dict[str, Any]], records: int) -> list[dict[str, Any]]:
    """The runs of one trace with so many of other traces, of threads of their own, between any two of them."""
    found: list[dict[str, Any]] = []
    for n, one in enumerate(rows):
        others = (f"{n} {k}" for k in range(records if n else 0))
        found += [{**run(9, "llm", thread=other), "id": other, "trace_id": other} for other in others]
        found.append(one)
    return found


@pytest.mark.parametrize("name", [name for name in TRACES if name != "no object among runs"])
@pytest.mark.parametrize("records", [3, WINDOW + WINDOW // 4])
def test_a_trace_that_comes_back_after_others_is_one(name: str, records: int) -> None:
    """Also where it was taken to be over: then its records are read again, together."""
    file = of(apart(TRACES[name], records))
    chosen = recognition.choice(file, FORMATS)
    once = gathered(chosen.form.read(file, chosen.records(file)))
    twice = gathered(chosen.form.read(file, list(chosen.records(file))))
    assert told(once) == told(twice)


def test_a_file_without_order_is_read_as_a_whole() -> None:
    rows = [{**run(n % 50, "tool"), "id": f"{n}", "trace_id": f"{n % (3 * FEW)}"} for n in range(5 * FEW)]
    rows += [{**run(1, "llm"), "id": f"l{n}", "trace_id": f"{n}"} for n in range(0, 3 * FEW, FEW)]
    file = of(rows)
    chosen = recognition.choice(file, FORMATS)
    once = gathered(chosen.form.read(file, chosen.records(file)))
    twice = gathered(chosen.form.read(file, list(chosen.records(file))))
    assert told(once) == told(twice) and once.records.num_rows == 3


def test_records_stand_in_the_order_of_the_file() -> None:
    rows = [
        {**run(n, "llm", thread=f"{n}"), "id": f"{n}", "trace_id": trace} for n, trace in enumerate("abcabdeadf" * 2)
    ]
    found = opened(of(rows), None)
    starts = found.records["started_at"].to_pylist()
    assert starts == sorted(starts) and len(starts) == len(rows)


NODES = st.lists(
    st.builds(
        Node,
        st.just(0),
        st.sampled_from("abcd"),
        st.sampled_from([None, *"abcdx"]),
        st.just("t"),
        st.sampled_from(["call", "step", "aside"]),
        st.booleans(),
        st.sampled_from(["", "p", "q"]),
    ),
    max_size=6,
)


@given(NODES)
def test_a_call_around_all_others_is_speech_without_a_search(nodes: list[Node]) -> None:
    numbered = [node._replace(key=n) for n, node in enumerate(nodes)]
    speech, undecided = outermost(numbered)
    verdicts = dict(verdicts_of(numbered))
    assert {n for n, one in verdicts.items() if one.kind == "speech"} == speech
    assert {n for n, one in verdicts.items() if one.kind == "undecided"} == undecided


def test_a_message_that_later_calls_repeat_is_held_once() -> None:
    rows = WRITERS["otel structured"][1](Told("c", "u", BEGIN, TURNS))
    found = opened(File("a.jsonl", "\n".join(map(json.dumps, rows)).encode()), None)
    contents = [row["content"] for row in found.drafts.to_pylist() if row["role"] == "user"]
    assert sorted(contents) == ["Bye", "Hi", "yes"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), VALUES), max_size=4),
    st.booleans(),
    st.sampled_from(["", " ", "]", "\x0b"]),
)
def test_the_quicker_parser_reads_what_the_careful_one_reads(pairs: list[Any], ascii_: bool, end: str) -> None:
    written = "{" + ",".join(f'"{key}":{json.dumps(value, ensure_ascii=ascii_)}' for key, value in pairs) + "}" + end
    line = written.encode("utf-8", "surrogatepass")
    try:
        found = documents.parser()(line)
    except ValueError:
        return
    careful = decoded(written)
    assert repr(found) == repr(careful) and type(careful) is dict


def test_a_large_file_is_read_from_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes("\ufeff".encode() + "\n".join(map(json.dumps, TRACES["inner before outer"])).encode())
    state = path.stat()
    content = OnDisk(path, state.st_size, state.st_mtime_ns)
    on_disk, in_memory = (opened(File("a.jsonl", one), None) for one in (content, path.read_bytes()))
    assert told(Gathered(on_disk.drafts, on_disk.records, on_disk.rejects)) == told(
        Gathered(in_memory.drafts, in_memory.records, in_memory.rejects)
    )
    path.write_text("{}")
    with pytest.raises(SourceUnreadable, match="was changed"):
        documents.binary("a.jsonl", content)


def test_records_read_again_are_the_same_records() -> None:
    file = of(TRACES["named by its last run"])
    records = trees.Records(file, "json", "lines", ())
    assert list(records) == list(records) and records.once
