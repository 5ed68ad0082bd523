"""A disk that takes no more: what is kept stays whole, the run says so and ends, and the next pays for the rest only.

A limit on the size of files stands for the disk: the system answers a write in the same way, in part and then not.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cpa_core.schema import dump
from cpa_core.store import Store
from tests.servers.chat_completions import Behaviour, Changed, ChatServer
from tests.support.commands import ONE_EACH, chats, cpa, ended, environ
from tests.support.homes import Home

ROOT = Path(__file__).parents[2]
LIMIT = """
import resource, sys
def limit(most):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
"""
KEEPER = (
    LIMIT
    + """
from contextlib import closing
from pathlib import Path
from cpa_core.errors import AnswersNotKept
from cpa_core.store import AnswerBook, Store
from tests.llm.test_answers import answer
with closing(AnswerBook(Store(Path(sys.argv[1])), "run")) as book:
    book.keep(answer("q1"))
    before = book.path.read_bytes()
    limit(len(before) + 200)
    try:
        book.keep(answer("q2"))
    except AnswersNotKept as error:
        said = str(error)
    after = book.path.read_bytes()
    limit(resource.RLIM_INFINITY)
    book.keep(answer("q3"))
print(said, after == before)
"""
)
WRITER = (
    LIMIT
    + """
from pathlib import Path
from cpa_core.errors import StoreNotWritten
from cpa_core.store import Store
store = Store(Path(sys.argv[1]))
with store.writing() as transaction:
    transaction.insert("answers", [{"answer_id": "before"}])
limit(store.path.stat().st_size + 4096)
try:
    with store.writing() as transaction:
        transaction.insert("answers", [{"answer_id": str(n), "answer": str(n) * 999} for n in range(3000)])
except StoreNotWritten as error:
    print(error)
"""
)
RUN = (
    LIMIT
    + """
from cpa_core.cli import main
limit(int(sys.argv[1]))
sys.exit(main(sys.argv[2:]))
"""
)


def said(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def answers(store: Store) -> list[str]:
    with store.reading() as view:
        return [row["name"] for row in view.rows("select coalesce(request_hash, answer_id) as name from answers")]


def test_an_answer_is_kept_whole_or_not_at_all_and_the_next_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    words = said(KEEPER, str(tmp_path))
    assert words.startswith(f"{tmp_path}/answers: File too large: ") and words.endswith(" True\n")
    assert sorted(answers(Store(tmp_path))) == ["q1", "q3"]


def test_a_transaction_that_the_disk_does_not_take_says_so_and_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    words = said(WRITER, str(tmp_path))
    assert words.startswith(f"{tmp_path}/cpa.duckdb: nothing of this step is stored: ") and "too large" in words
    assert answers(Store(tmp_path)) == ["before"]


@pytest.fixture
def wordy() -> Behaviour:
    """A model whose judgments are long enough for the answers to be larger than the database was."""
    return Behaviour(lambda body, nth: Changed(lambda tree: tree.update(because="x" * 100_000)))


def full(home: Home, most: int, line: str) -> tuple[int, str]:
    """What a command that may write files of so many bytes ends with, and what it says."""
    command = [sys.executable, "-c", RUN, str(most), line]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return ended(subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ(home)}, text=True, **pipes))


def test_a_run_on_a_full_disk_ends_with_an_error_and_the_next_pays_for_the_rest_only(
    tmp_path: Path, wordy: Behaviour
) -> None:
    home = Home(tmp_path)
    home.write("a.json", chats(60))
    with ChatServer(wordy) as server:
        home.environ |= {"CPA_MODEL": "compatible:test-model", "CPA_COMPATIBLE_URL": server.url}
        (tmp_path / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
        home.environ["CPA_SCHEMA"] = str(tmp_path / "schema.yml")
        assert cpa(home, "quote") == 0
        largest = max(path.stat().st_size for path in (tmp_path / "home").rglob("*") if path.is_file())
        status, words = full(home, largest + 100_000, "run")
        assert status == 1 and "error: " in words and "File too large" in words and "Traceback" not in words
        lines = [line for path in (tmp_path / "home" / "answers").glob("*.jsonl") for line in path.open("rb")]
        assert all(line.endswith(b"}\n") for line in lines)
        kept = len(lines) + home.rows("select count(*) as n from answers")[0]["n"]
        before = len(server.calls)
        assert 0 < kept <= before < 120 and home.rows("select * from failures") == []
        assert cpa(home, "run") == 0
        assert len(server.calls) - before == 120 - kept
    assert cpa(home, "report") == 0
    # The inbox is written now, so the next report only reads the database. A limit below the file's size would tear
    # blocks that are overwritten in place, which no full disk does.
    status, words = full(home, 100_000, "report")
    assert status == 1 and "error: " in words and "File too large" in words and "Traceback" not in words


@pytest.mark.parametrize("most", [0, 4096])
def test_a_store_that_could_not_be_created_is_created_by_the_next_run(tmp_path: Path, most: int) -> None:
    home = Home(tmp_path)
    home.write("a.json", chats(1))
    status, words = full(home, most, "land")
    assert status != 0 and "error: " in words and "Traceback" not in words
    assert (home.folder / "home" / "cpa.duckdb").stat().st_size == most
    assert cpa(home, "land") == 0
