"""Compacting: every row and answer stays, the room comes back, and a kill at any step leaves a whole home."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli import main
from cpa_core.errors import StoreBusy
from cpa_core.store import AnswerBook, Store
from cpa_core.store.answers import add_answers, merge, merge_answer_files
from cpa_core.store.compaction import compact_database, room_of
from cpa_core.store.locks import turn
from tests.support.homes import contents

KILLS = 2
KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
from cpa_core.store import Store
from cpa_core.store.answers import merge_answer_files
from cpa_core.store.compaction import compact_database
from tests.support.homes import contents

original, folder, kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
STEPS = {"execute", "fsync", "replace", "rename", "unlink"}

def in_a_child(work):
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def compact(home):
    merge_answer_files(Store(home))
    compact_database(Store(home))

def steps(home, last, told):
    count = 0
    def profile(frame, event, called):
        nonlocal count
        if event == "c_call" and called.__name__ in STEPS:
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(profile)
    compact(home)
    sys.setprofile(None)
    told.write_text(str(count))

told = folder / "told"
shutil.copytree(original, folder / "whole")
assert in_a_child(lambda: steps(folder / "whole", 0, told)) == 0
count = int(told.read_text())
places = sorted({1, count, count - 1, count - 2, *(count * n // kills for n in range(1, kills))})
for place in places:
    home = folder / str(place)
    shutil.copytree(original, home)
    assert in_a_child(lambda: steps(home, place, told)) == -signal.SIGKILL, place
    shown = folder / f"{place}.json"
    def look():
        found = [contents(Store(home))]
        compact(home)
        found.append(contents(Store(home)))
        left = sorted(path.name for path in home.rglob("*") if path.is_file() and "locks" not in path.parts)
        shown.write_text(json.dumps(found + [left]))
    assert in_a_child(look) == 0, place
    print(json.dumps([place, *json.loads(shown.read_text())]))
"""


def answer(number: int, run_id: str) -> dict[str, Any]:
    return {
        "answer_id": f"{run_id}:{number}",
        "request_hash": f"h{number}",
        "answer": f"It says {number}.",
        "run_id": run_id,
        "outcome": "ok",
        "created_at": datetime(2026, 3, 1, tzinfo=UTC),
    }


def used(home: Path) -> Store:
    """A store of some runs, in which most rows of a table were replaced."""
    store = Store(home)
    for run in range(5):
        add_answers(store, f"run{run}", [answer(n, f"run{run}") for n in range(3)])
    with store.writing() as transaction:
        said = [{"content": os.urandom(60).hex(), "message_id": f"m{n}"} for n in range(60_000)]
        transaction.insert("messages", said)
    with store.writing() as transaction:
        transaction.execute("delete from messages where message_id not like '%7'")
    with store.alone() as whole:
        whole.execute("checkpoint store")
    return store


def test_every_row_stays_and_the_room_comes_back(tmp_path: Path) -> None:
    store = used(tmp_path)
    before, size = contents(store), store.path.stat().st_size
    made, merged = compact_database(store), merge_answer_files(store)
    assert contents(store) == contents(Store(tmp_path)) == before
    assert made.before == size and made.after == store.path.stat().st_size < size / 2
    assert (merged.files_before, merged.files) == (5, 1) and merged.after < merged.before
    with store.reading() as view:
        assert room_of(view).free == 0
    merge(store)
    assert contents(store) == before, "the store goes on as before"


def test_the_answers_of_a_run_that_goes_on_stay_in_their_file(tmp_path: Path) -> None:
    store = used(tmp_path)
    living = AnswerBook(store, "run3")
    before = contents(store)
    assert merge_answer_files(store).files == 2
    assert (tmp_path / "answers" / "run3.1.parquet").exists() and contents(store) == before
    living.close()
    assert merge_answer_files(store).files == 1 and contents(store) == before


def test_a_store_that_others_hold_is_left_alone(tmp_path: Path) -> None:
    store = used(tmp_path)
    with turn(tmp_path / "locks" / "store.lock", shared=True), pytest.raises(StoreBusy):
        compact_database(store, wait=0.1)


@pytest.mark.slow
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path) -> None:
    before = contents(used(tmp_path / "home"))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "home"), str(tmp_path), str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= KILLS
    whole = json.loads(json.dumps(before))
    for place, killed, again, left in lines:
        assert killed == again == whole, f"killed at step {place}"
        assert left in (["cpa.duckdb", f"merged.{n}.parquet"] for n in (1, 2)), place


def test_a_home_without_a_store_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compact", "--home", str(tmp_path / "none")], {}) == 2
    assert "no store is here yet" in capsys.readouterr().err
