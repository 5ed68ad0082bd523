"""Paid answers outlive the database: it is rebuilt from their files and the source, and nothing is paid twice."""

import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cpa_core.store import Store, answers, archive
from cpa_core.store.answers import add_answers, merge, rebuild_index
from tests.llm.test_answers import ROOT, answer, stored
from tests.llm.test_stopping import home_of
from tests.servers.chat_completions import ChatServer
from tests.support.commands import cpa
from tests.support.homes import Home

MERGER = """
import sys
from pathlib import Path
from cpa_core.store import Store, answers
answers.AT_ONCE = 1
answers.merge(Store(Path(sys.argv[1])))
"""


def kept(store: Store, *hashes: str, run: str = "run") -> None:
    """A run that kept these answers and was merged."""
    book = answers.AnswerBook(store, run)
    for request_hash in hashes:
        book.keep(answer(request_hash))
    book.close()


def in_files(store: Store) -> list[str]:
    """The questions in the files, each as often as it stands there."""
    paths = sorted((store.home / "answers").glob("*.parquet"))
    return sorted(value for path in paths for value in pq.read_table(path).column("request_hash").to_pylist())


def lose(store: Store) -> Store:
    """The home without its database."""
    store.path.unlink()
    return Store(store.home)


def test_a_merge_leaves_every_answer_in_a_private_file_as_it_is_in_the_table(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "q1", "q2")
    (path,) = (tmp_path / "answers").iterdir()
    assert path.name == "run.1.parquet" and path.stat().st_mode & 0o077 == 0
    with store.reading() as view:
        rows = view.rows("select * from answers order by all")
    assert sorted(pq.read_table(path).to_pylist(), key=lambda row: row["answer_id"]) == rows


def test_a_database_that_is_gone_is_rebuilt_from_the_files_without_a_word(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "q1", "q2")
    kept(store, "q3")
    kept(store, "q4", run="another")
    add_answers(store, "batch", [{"answer_id": "batch:q5", "request_hash": "q5", "run_id": "batch", "outcome": "ok"}])
    again = lose(store)
    merge(again)
    assert stored(again) == ["q1", "q2", "q3", "q4", "q5"] == in_files(again)
    assert rebuild_index(Store(tmp_path)).into_table == 0, "once"


def test_a_home_of_an_earlier_version_gets_its_files_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "q1", "q2")
    kept(store, "q3", run="another")
    for path in (tmp_path / "answers").iterdir():
        path.unlink()
    with store.writing() as transaction:
        transaction.execute("delete from settings_fixed where name = 'answers_archived'")
        transaction.insert("answers", [{"answer_id": "old", "request_hash": "q0"}])
    for _ in range(2):
        merge(Store(tmp_path))
    assert in_files(store) == stored(store) == ["q0", "q1", "q2", "q3"]
    again = lose(store)
    merge(again)
    assert stored(again) == ["q0", "q1", "q2", "q3"]


@pytest.mark.parametrize("left", ["archived", "half in the table", "all in the table"])
def test_a_merge_that_was_killed_at_any_moment_loses_nothing_and_writes_nothing_twice(
    tmp_path: Path, left: str
) -> None:
    store = Store(tmp_path)
    book = answers.AnswerBook(store, "run")
    for request_hash in ("q1", "q2", "q3"):
        book.keep(answer(request_hash))
    lines = book.path.read_bytes()
    book.close()
    book.path.write_bytes(lines)
    gone = {"archived": "true", "half in the table": "request_hash = 'q3'", "all in the table": "false"}[left]
    with store.writing() as transaction:
        transaction.execute(f"delete from answers where {gone}")
    (tmp_path / "answers" / "run.part").write_bytes(b"PAR1 and then it was killed")
    merge(Store(tmp_path))
    assert stored(store) == in_files(store) == ["q1", "q2", "q3"]
    assert [path.name for path in (tmp_path / "answers").iterdir()] == ["run.1.parquet"]


def test_a_merge_that_is_really_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path)
    hashes = [f"q{n:02}" for n in range(40)]
    books = {}
    for run in ("one", "two"):
        book = answers.AnswerBook(store, run)
        for request_hash in hashes:
            book.keep(answer(f"{run}-{request_hash}"))
        books[book.path] = book.path.read_bytes()
        book.close()
    for path in (tmp_path / "answers").glob("*.parquet"):
        path.unlink()
    with store.writing() as transaction:
        transaction.execute("delete from answers")
    for path, content in books.items():
        path.write_bytes(content)
    for pause in (0.4, 0.8, 1.2):
        killed = subprocess.Popen([sys.executable, "-c", MERGER, str(tmp_path)], cwd=ROOT)
        time.sleep(pause)
        killed.kill()
        killed.wait()
    merge(Store(tmp_path))
    assert stored(store) == in_files(store) == sorted(f"{run}-{key}" for run in ("one", "two") for key in hashes)


def test_a_file_that_cannot_be_read_is_named_and_stops_nobody(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "q1")
    broken = tmp_path / "answers" / "broken.1.parquet"
    broken.write_bytes(b"PAR1")
    found = rebuild_index(lose(store))
    assert found == archive.Indexed(1, 0, (broken,))


def lost(home: Home) -> None:
    """The home without its database, and what a person may have deleted with it."""
    folder = home.folder / "home"
    for name in ("cpa.duckdb", "cpa.duckdb.wal"):
        (folder / name).unlink(missing_ok=True)


def test_a_home_that_lost_its_database_is_restored_and_pays_for_nothing_again(
    tmp_path: Path, chat_server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_of(tmp_path, 14, CPA_COMPATIBLE_URL=chat_server.url)
    tables = "select event_id, quote from tagged_events union all select conversation_id, because from judge_scores"
    assert cpa(home, "run") == 0
    before, calls = home.rows(f"{tables} order by all"), len(chat_server.calls)
    lost(home)
    capsys.readouterr()
    assert cpa(home, "restore") == 0
    said = capsys.readouterr().out
    assert "database: built anew" in said and "answers: 28 put back" in said and "built: 1 days" in said
    assert "14 more are answered already" in said and "not restored: receipts" in said
    assert cpa(home, "run") == 0
    assert len(chat_server.calls) == calls == 28
    assert home.rows(f"{tables} order by all") == before


def test_a_run_after_the_loss_pays_for_nothing_again_without_a_restore(tmp_path: Path, chat_server: ChatServer) -> None:
    home = home_of(tmp_path, 3, CPA_COMPATIBLE_URL=chat_server.url)
    assert cpa(home, "run") == 0
    lost(home)
    assert cpa(home, "run") == 0
    assert len(chat_server.calls) == 6


def test_restoring_says_what_it_could_not(
    tmp_path: Path, chat_server: ChatServer, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_of(tmp_path, 3, CPA_COMPATIBLE_URL=chat_server.url)
    assert cpa(home, "run") == 0
    lost(home)
    (tmp_path / "home" / "answers" / "x.1.parquet").write_bytes(b"torn")
    (home.source / "a.json").write_text('{"c000": {"messages": []}}')
    del home.environ["CPA_SCHEMA"]
    assert cpa(home, "restore") == 1
    said = capsys.readouterr().out
    assert "x.1.parquet: the file cannot be read" in said
    assert "3 conversations that the source does not hold: 6 answers about them are kept" in said
    assert "what a run would ask is not known: no event schema" in said
