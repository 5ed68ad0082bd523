"""SIGKILL while tagging and judging: nothing that was answered is asked again, and the result is the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cpa_core.schema import dump
from cpa_core.store import Store
from tests.servers.chat_completions import Behaviour, ChatServer
from tests.support.examples import scaled
from tests.support.fakes import SCHEMA

CONVERSATIONS = scaled(100, 200)


def transcripts(path: Path) -> None:
    turns = ("user", "assistant", "user", "assistant")
    path.write_text(
        json.dumps(
            {
                f"c{n:03}": {
                    "user_id": f"u{n % 20}",
                    "messages": [
                        {"role": role, "content": f"{role} says {m} in {n}", "timestamp": f"2026-03-04T09:{m:02}:00Z"}
                        for m, role in enumerate(turns)
                    ],
                }
                for n in range(CONVERSATIONS)
            }
        ),
        "utf-8",
    )


def command(folder: Path, home: str, url: str) -> subprocess.Popen[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CPA_")}
    environ = {**ours, "CPA_COMPATIBLE_URL": url, "CPA_HOME": str(folder / home)}
    arguments = ["run", "chats.json", "--schema", "schema.yml", "--model", "compatible:test-model"]
    return subprocess.Popen(
        [sys.executable, "-m", "cpa_core.cli", *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(home: Path) -> dict[str, list[dict[str, object]]]:
    with Store(home).reading() as view:
        return {
            "tags": view.rows(
                "select conversation_id, event_id, position, event_type, properties, quote "
                "from tagged_events order by all"
            ),
            "scores": view.rows("select conversation_id, score, verdicts from judge_scores order by all"),
            "receipts": view.rows("select event_id, payload_hash, status from upload_receipts order by all"),
        }


def begun(folder: Path) -> Path:
    """A folder with transcripts and a schema."""
    transcripts(folder / "chats.json")
    (folder / "schema.yml").write_text(dump(SCHEMA), "utf-8")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    """What a run comes to that nobody kills."""
    folder = begun(tmp_path_factory.mktemp("whole"))
    with ChatServer() as server:
        run = command(folder, "whole", server.url)
        out, err = run.communicate(timeout=120)
    assert run.returncode == 0, out + err
    return results(folder / "whole")


def _settled(server: ChatServer) -> int:
    """The calls of a server whose client is dead, once those that it had sent are counted too."""
    before = -1
    while before != len(server.calls):
        before = len(server.calls)
        time.sleep(0.3)
    return before


@pytest.mark.parametrize("after", [30, CONVERSATIONS, 2 * CONVERSATIONS - 15])
def test_a_killed_run_pays_nothing_twice_and_ends_as_if_it_had_not_been_killed(
    tmp_path: Path, whole: dict[str, list[dict[str, object]]], after: int
) -> None:
    begun(tmp_path)
    with ChatServer(Behaviour(latency=0.02)) as server:
        killed = command(tmp_path, "killed", server.url)
        until = time.monotonic() + 60
        while len(server.calls) < after and time.monotonic() < until:
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=30)
        stored = _stored(tmp_path / "killed")
        before = _settled(server)
        assert 0 < len(stored) <= before < 2 * CONVERSATIONS

        again = command(tmp_path, "killed", server.url)
        out, err = again.communicate(timeout=120)
        assert again.returncode == 0, out + err
        asked = [(call.task, call.transcript) for call in server.calls]
        twice = len(asked) - len(set(asked))
        assert len(set(asked)) == 2 * CONVERSATIONS
        assert twice <= before - len(stored), "an answer that was stored was asked again"
    assert results(tmp_path / "killed") == whole


def _stored(home: Path) -> list[str]:
    lines = [
        line for path in (home / "answers").glob("*.jsonl") for line in path.read_bytes().splitlines(keepends=True)
    ]
    return [json.loads(line)["request_hash"] for line in lines if line.endswith(b"\n")]
