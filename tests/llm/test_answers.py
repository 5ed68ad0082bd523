"""The book of answers: nothing that was paid for is lost, and nothing is counted twice."""

import fcntl
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli.display import unread_lines
from cpa_core.llm import Answer, Reply, Usage
from cpa_core.store import AnswerBook, Store
from cpa_core.store.answers import live_costs, merge

ROOT = Path(__file__).parents[2]
WRITER = """
import sys, time
from pathlib import Path
from cpa_core.store import AnswerBook, Store
from tests.llm.test_answers import answer
book = AnswerBook(Store(Path(sys.argv[1])), sys.argv[2])
book.keep(answer("theirs"))
print("kept", flush=True)
time.sleep(60)
"""

MERGER = """
import sys
from pathlib import Path
from cpa_core.store import Store, answers
answers.AT_ONCE = 1
answers.merge(Store(Path(sys.argv[1])))
"""


def answer(request_hash: str, text: str = "{}", **changes: Any) -> Answer:
    """An answer to keep."""
    usage = Usage(prompt_tokens=10, cached_tokens=4, completion_tokens=2)
    fields = {"outcome": "ok", "text": text, "usage": usage, "cost": 0.25} | changes
    return Answer(
        request_hash=request_hash,
        attempt=1,
        task="tag",
        provider="compatible",
        model="test-model",
        reply=Reply.model_validate(fields),
        day="2026-03-04",
        conversation_id=f"about {request_hash}",
    )


def stored(store: Store) -> list[str]:
    """The question hashes of the answers in the database."""
    with store.reading() as view:
        return [row["request_hash"] for row in view.rows("select request_hash from answers order by all")]


def book_files(store: Store) -> list[str]:
    """The files of answers that are not merged yet."""
    return sorted(path.name for path in (store.home / "answers").iterdir() if path.suffix != ".parquet")


def recalled(store: Store, request_hash: str) -> Reply | None:
    """What a later run finds for a question."""
    with closing(AnswerBook(store, "later")) as book:
        book.preload([request_hash], [])
        return book.find(request_hash)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of its own."""
    return Store(tmp_path)


@pytest.fixture
def other_process(store: Store) -> Iterator[subprocess.Popen[str]]:
    """A run in another process that has kept one answer and lives on."""
    command = [sys.executable, "-c", WRITER, str(store.home), "theirs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "kept\n"
        yield process
        process.kill()


def test_an_answer_is_in_its_file_when_keep_returns(store: Store) -> None:
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1"))
        content = book.path.read_bytes()
        assert content.endswith(b"\n") and b'"q1"' in content
        assert book.path.stat().st_mode & 0o077 == 0


def test_an_answer_is_found_again_in_its_run_and_in_later_ones_as_it_was(store: Store) -> None:
    kept = answer("q1", 'line\u2028 "quoted"\n😀')
    with closing(AnswerBook(store, "run")) as book:
        assert book.find("q1") is None
        book.keep(kept)
        assert book.find("q1") == kept.reply
    assert recalled(store, "q1") == kept.reply


def test_an_answer_with_an_unknown_cost_stays_so(store: Store) -> None:
    kept = answer("q1", cost=None, usage=Usage())
    with closing(AnswerBook(store, "run")) as book:
        book.keep(kept)
    assert recalled(store, "q1") == kept.reply


@pytest.mark.parametrize(("outcome", "is_used"), [("refused", True), ("filtered", True), ("invalid", False)])
def test_only_final_answers_are_used_again_and_all_are_stored(store: Store, outcome: str, is_used: bool) -> None:
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1", outcome=outcome, detail="why"))
        assert (book.find("q1") is not None) is is_used
    assert (recalled(store, "q1") is not None) is is_used
    assert stored(store) == ["q1"]


def test_answers_about_a_conversation_are_found_without_knowing_the_question(store: Store) -> None:
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1"))
    with closing(AnswerBook(store, "later")) as book:
        book.preload([], ["about q1"])
        assert book.find("q1") is not None
        assert book.find("q2") is None


def test_a_closed_book_is_merged_exactly_once(store: Store) -> None:
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1"))
        book.keep(answer("q2"))
    for _ in range(3):
        merge(store)
    assert stored(store) == ["q1", "q2"]
    assert book_files(store) == []


def test_a_merge_that_was_killed_before_it_removed_the_file_merges_nothing_twice(store: Store) -> None:
    book = AnswerBook(store, "run")
    book.keep(answer("q1"))
    content = book.path.read_bytes()
    book.close()
    book.path.write_bytes(content)
    merge(store)
    assert stored(store) == ["q1"]
    assert book_files(store) == []


def test_a_second_book_of_the_same_run_loses_nothing(store: Store) -> None:
    for request_hash in ("q1", "q2"):
        with closing(AnswerBook(store, "run")) as book:
            book.keep(answer(request_hash))
    assert stored(store) == ["q1", "q2"]


def test_the_same_question_asked_twice_is_two_answers_in_the_accounts(store: Store) -> None:
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1", outcome="invalid"))
        book.keep(answer("q1"))
    assert stored(store) == ["q1", "q1"]


@pytest.mark.parametrize("torn", [b'{"request_hash": "q9", "att', b"{", b"\xf0\x9f"])
def test_a_torn_last_line_is_ignored(store: Store, torn: bytes) -> None:
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1"))
        with book.path.open("ab") as file:
            file.write(torn)
    assert stored(store) == ["q1"]
    assert book_files(store) == []


def test_a_torn_line_of_a_killed_run_is_not_joined_to_the_next(store: Store) -> None:
    path = store.home / "answers" / "run.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"request_hash": "q9", "att')
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1"))
    assert (stored(store), book_files(store)) == (["q1"], [])


@pytest.mark.parametrize(
    "line", [b'{"request_hash": "q9", "att{"request_hash": "q8"}\n', b"{}\n", b"3\n", b"\xf0\x9f\n"]
)
def test_a_line_that_cannot_be_read_is_set_aside_and_stops_nobody(store: Store, line: bytes) -> None:
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1"))
        with book.path.open("ab") as file:
            file.write(line)
        book.keep(answer("q2"))
        assert live_costs(store, datetime(2020, 1, 1, tzinfo=UTC)) == 0.5
    assert (stored(store), book_files(store)) == (["q1", "q2"], ["run.unread"])
    aside = store.home / "answers" / "run.unread"
    assert aside.read_bytes() == line and aside.stat().st_mode & 0o077 == 0
    assert unread_lines(store) == [f"answers that cannot be read: 1 in {aside}"]


def test_a_file_without_answers_leaves_nothing_behind(store: Store) -> None:
    AnswerBook(store, "run").close()
    assert (stored(store), book_files(store)) == ([], [])


def test_half_a_character_in_an_answer_does_not_stop_the_merge(store: Store) -> None:
    with closing(AnswerBook(store, "run")) as book:
        book.keep(answer("q1", "half \ud83d", outcome="invalid"))
        book.keep(answer("q2", "nul \x00"))
    assert stored(store) == ["q1", "q2"]


def test_the_file_of_a_living_run_in_this_process_is_not_merged(store: Store) -> None:
    with closing(AnswerBook(store, "living")) as living:
        living.keep(answer("q1"))
        with closing(AnswerBook(store, "other")) as book:
            book.preload(["q1"], [])
            assert book.find("q1") is None
        assert (stored(store), book_files(store)) == ([], ["living.jsonl"])
    assert stored(store) == ["q1"]


def test_the_file_of_a_living_run_in_another_process_is_not_merged_until_it_ends(
    store: Store, other_process: subprocess.Popen[str]
) -> None:
    merge(store)
    assert (stored(store), book_files(store)) == ([], ["theirs.jsonl"])
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    merge(store)
    assert (stored(store), book_files(store)) == (["theirs"], [])


def test_a_book_of_a_run_that_lives_elsewhere_waits_for_it(store: Store, other_process: subprocess.Popen[str]) -> None:
    opened = threading.Event()

    def take_turns() -> None:
        with closing(AnswerBook(store, "theirs")) as book:
            opened.set()
            book.keep(answer("ours"))

    thread = threading.Thread(target=take_turns)
    thread.start()
    assert not opened.wait(0.3)
    other_process.kill()
    thread.join(10)
    assert opened.is_set()
    assert stored(store) == ["ours", "theirs"]


def test_a_book_whose_empty_file_is_merged_away_while_it_opens_takes_a_new_one(store: Store) -> None:
    path = store.home / "answers" / "run.jsonl"
    path.parent.mkdir()

    def keep() -> None:
        with closing(AnswerBook(store, "run")) as book:
            book.keep(answer("q1"))

    opener = threading.Thread(target=keep)
    with path.open("ab") as merging:
        fcntl.flock(merging, fcntl.LOCK_EX)
        opener.start()
        time.sleep(0.2)
        path.unlink()
    opener.join(10)
    assert stored(store) == ["q1"]


def test_processes_that_merge_at_once_merge_every_answer_once(store: Store) -> None:
    for n in range(5):
        book = AnswerBook(store, f"run{n}")
        book.keep(answer(f"q{n}"))
        content = book.path.read_bytes()
        book.close()
        book.path.write_bytes(content)
    mergers = [threading.Thread(target=merge, args=(store,)) for _ in range(4)]
    for merger in mergers:
        merger.start()
    for merger in mergers:
        merger.join()
    assert (stored(store), book_files(store)) == ([f"q{n}" for n in range(5)], [])


def test_a_run_that_begins_while_another_process_merges_finds_every_answer(store: Store) -> None:
    hashes = [f"q{n:02}" for n in range(30)]
    book = AnswerBook(store, "killed")
    for request_hash in hashes:
        book.keep(answer(request_hash))
    content = book.path.read_bytes()
    book.close()
    with store.writing() as transaction:
        transaction.execute("delete from answers")
    book.path.write_bytes(content)
    with subprocess.Popen([sys.executable, "-c", MERGER, str(store.home)], cwd=ROOT) as merging:
        until = time.monotonic() + 30
        while not stored(store) and time.monotonic() < until:
            time.sleep(0.01)
        assert merging.poll() is None, "it is in the middle"
        with closing(AnswerBook(store, "run")) as beside:
            beside.preload(hashes, [])
            assert [one for one in hashes if beside.holds(one)] == hashes
    assert (merging.returncode, stored(store), book_files(store)) == (0, hashes, [])


def test_threads_that_keep_answers_at_once_tear_no_line(store: Store) -> None:
    def keep_some(thread: int) -> None:
        for n in range(20):
            book.keep(answer(f"{thread}-{n}", "x" * 10_000))

    with closing(AnswerBook(store, "run")) as book, ThreadPoolExecutor(8) as pool:
        list(pool.map(keep_some, range(8)))
    assert len(stored(store)) == 160
