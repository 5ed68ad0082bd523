"""Dagster's event log, which nobody can take anything out of, holds no id and no text of a conversation or user."""

import json
from pathlib import Path

import dagster as dg
import pytest

from cpa_core.pipeline.handles import MARK, handle_of, handles, without_names
from cpa_core.pipeline.run import home_id
from cpa_core.schema import dump
from tests.servers.chat_completions import ChatServer
from tests.servers.scripted import Behaviour, Broken
from tests.support.commands import ONE_EACH, cpa
from tests.support.homes import Home, turn
from tests.support.runs import definitions

DAY = "2026-03-04"
NAMES = ("maja-conversation", "otto's talk/2", "b3:ü-c0nv", "person-of-maja", "rejected-conversation")
SAID = "Something that only Maja would say here"


def home_of(tmp_path: Path, server: ChatServer) -> Home:
    """Talks of which one cannot be labelled, one scores low and one cannot be read."""
    (tmp_path / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    environ = {
        "CPA_SCHEMA": str(tmp_path / "schema.yml"),
        "CPA_MODEL": "compatible:test-model",
        "CPA_COMPATIBLE_URL": f"{server.origin}/v1",
        "CPA_COMPATIBLE_STRUCTURED": "strict",
        "CPA_WORKBENCH_URL": "http://workbench.example",
    }
    home = Home(tmp_path, environ)
    talks = {
        name: {"user_id": NAMES[3], "messages": [turn(f"{SAID} {n}?"), turn("Yes.", f"{DAY}T09:00:05Z", "assistant")]}
        for n, name in enumerate(NAMES[:3])
    }
    broken = {NAMES[4]: {"messages": [{"role": "user", "content": {"no": SAID}}]}}
    home.write("chats.json", json.dumps(talks | broken))
    home.write(f"{NAMES[0]}.json", "{}")
    return home


@pytest.mark.slow
def test_no_byte_of_the_event_log_names_a_conversation_or_user(
    tmp_path: Path, chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_of(tmp_path, chat_server)
    failing = Behaviour(lambda body, nth: Broken() if f"{SAID} 1" in str(body) else None)
    folder = tmp_path / "dagster"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    definition = definitions(home.assistant())
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        job = definition.resolve_job_def("conversations")
        for chat_server.behaviour in (failing, Behaviour()):
            job.execute_in_process(partition_key=DAY, instance=instance, raise_on_error=False)
    log = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shown = b"".join(log.values())
    home_name = home_id(home.assistant()) or ""
    assert handle_of(home_name, NAMES[0]).encode() in shown, "handles are there"
    found = {(path.name, one) for path, content in log.items() for one in (*NAMES, SAID) if one.encode() in content}
    escaped = {one for one in NAMES if json.dumps(one)[1:-1].encode() in shown}
    assert found == set() and escaped == set()


def test_a_handle_is_found_until_its_conversation_is_forgotten(
    tmp_path: Path, chat_server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_of(tmp_path, chat_server)
    cpa(home, "run")
    (handle,) = handles(home.assistant(), [NAMES[1]])
    assert handle.startswith(MARK) and NAMES[1] not in handle
    capsys.readouterr()
    assert cpa(home, f"show {handle}") == 0 and NAMES[1] in capsys.readouterr().out
    assert cpa(home, f'forget --conversation "{NAMES[1]}" --yes') == 0
    assert cpa(home, f"show {handle}") == 2


def test_ids_in_a_text_become_handles_as_whole_words(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write("a.json", {"c-100": [turn("a?")], "c-1": [turn("b?")], "c-1000": [turn("c?")]})
    home.land()
    text = without_names(home.assistant(), "c-100: and c-1000, but xc-100 and c-1")
    names = handles(home.assistant(), ["c-100", "c-1000"])
    assert text == f"{names[0]}: and {names[1]}, but xc-100 and c-1"
