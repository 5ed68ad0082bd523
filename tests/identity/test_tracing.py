"""A trace whose pieces lie in several files is told once, in one conversation, whatever lands first."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.homes import Home

HI, HO, AND, SO = "Where is my parcel?", "In Uppsala.", "yes", "yes, sent"
Record = dict[str, Any]


def user(text: str) -> Record:
    return {"role": "user", "content": text}


def trace(n: int, asked: Any, answered: Any, **more: Any) -> Record:
    """A row of Langfuse's traces, as its legacy export writes it."""
    about = {"id": f"t{n}", "timestamp": f"2026-03-02 09:0{n}:00.000000", "user_id": "u", "session_id": "s"}
    return {**about, "name": "chat", "environment": "default", "input": asked, "output": answered, **more}


def seen(n: int, asked: Any, answered: Any, **more: Any) -> Record:
    """A row of its observations, which name no session there."""
    about = {"id": f"o{n}", "trace_id": f"t{n}", "type": "GENERATION", "parent_observation_id": None}
    times = {"start_time": f"2026-03-02 09:0{n}:01.000000", "end_time": f"2026-03-02 09:0{n}:02.000000"}
    return {**about, **times, "name": "answer", "input": asked, "output": answered, **more}


def lines(*records: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)


def landed(home: Home) -> dict[tuple[str, str | None], list[str]]:
    found: dict[tuple[str, str | None], list[str]] = {}
    for row in home.rows(
        "select conversation_id, user_id, content from landed_messages "
        "where superseded_at is null and role in ('user', 'assistant') order by sent_at, role = 'assistant'"
    ):
        found.setdefault((row["conversation_id"], row["user_id"]), []).append(row["content"])
    return found


WHOLE = {("s", "u"): [HI, HO, AND, SO]}
FILES = {
    "p/observations/1.jsonl": lines(seen(1, [user(HI)], HO)),
    "p/observations/2.jsonl": lines(seen(2, [user(AND)], SO)),
    "p/observations_v2/1.jsonl": lines(seen(1, [user(HI)], HO, session_id="s", user_id="u")),
    "p/observations_v2/2.jsonl": lines(seen(2, [user(AND)], SO, session_id="s", user_id="u")),
    "p/scores/1.jsonl": lines(
        {"id": "x", "timestamp": "2026-03-02 09:00:00.000000", "project_id": "p", "trace_id": "t1", "name": "good"}
        | {"observation_id": None, "value": 1, "source": "API", "data_type": "NUMERIC", "string_value": None}
    ),
    "p/manifests/1.json": json.dumps(
        {"version": 1, "projectId": "p", "exportSource": "ALL", "window": {}, "tables": ["scores"], "files": []}
    ),
}
SPEAKING = {"p/traces/1.jsonl": lines(trace(1, HI, HO)), "p/traces/2.jsonl": lines(trace(2, AND, SO))}
SILENT = {"p/traces/1.jsonl": lines(trace(1, None, None), trace(2, None, None))}


@pytest.mark.parametrize(
    ("traces", "left"), [(SPEAKING, ""), (SPEAKING, "observations_v2/"), (SILENT, "observations_v2/"), (SILENT, "")]
)
def test_a_blob_export_with_traces_and_observations_is_told_once(tmp_path: Path, traces: Any, left: str) -> None:
    home = Home(tmp_path)
    for name, text in {**FILES, **traces}.items():
        if not left or left not in name:
            home.write(name, text)
    found = home.land()
    assert landed(home) == WHOLE
    assert not found.problems
    notes = [one for one in found.warnings if "no conversation" in one]
    assert len(notes) == 2 and any("scores" in one for one in notes)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_in_any_order_of_landings_each_message_stands_once(tmp_path: Path, order: tuple[int, ...]) -> None:
    home = Home(tmp_path)
    named = {"session_id": "s", "user_id": "u"}
    parts = [lines(trace(1, HI, HO)), lines(seen(1, [user(HI)], HO, **named)), lines(trace(2, AND, SO))]
    for n in order:
        home.write(f"{n}.jsonl", parts[n])
        home.land()
    assert landed(home) == WHOLE


def test_a_session_that_lands_first_is_that_of_later_observations(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("traces.jsonl", SILENT["p/traces/1.jsonl"])
    home.land()
    for n in (2, 1):
        home.write(f"o{n}.jsonl", FILES[f"p/observations/{n}.jsonl"])
        home.land()
    assert landed(home) == WHOLE


def test_an_object_that_is_written_anew_in_another_form_loses_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("export.jsonl", lines(trace(1, HI, HO)))
    home.land()
    home.write("export.jsonl", lines(seen(1, [user(HI)], HO), seen(2, [user(AND)], SO)))
    home.land()
    assert sorted(text for said in landed(home).values() for text in said) == sorted([HI, HO, AND, SO])


def test_a_call_inside_another_file_s_root_is_no_speech(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.jsonl", lines(seen(1, [user(HI)], HO, session_id="s", user_id="u")))
    home.write("b.jsonl", lines(seen(1, [user(f"Classify: {HI}")], "parcels", id="o9", parent_observation_id="o1")))
    home.land()
    assert landed(home) == {("s", "u"): [HI, HO]}


def test_a_root_that_comes_after_a_call_inside_it_is_heard(tmp_path: Path) -> None:
    home = Home(tmp_path)
    inner = seen(1, [user(f"Classify: {HI}")], "parcels", id="o9", parent_observation_id="o1")
    for n, one in enumerate((inner, seen(1, [user(HI)], HO))):
        home.write(f"{n}.jsonl", lines(one))
        home.land()
    assert set(landed(home)["t1", None]) >= {HI, HO}
