"""The store: one file, one writer at a time, whole transactions, fair turns, and plain words when it is held."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from cpa_core.errors import SettingsError, StoreBusy
from cpa_core.settings import settings
from cpa_core.store import Store, locks
from cpa_core.store.database import migrations, question_sql
from cpa_core.store.instance import FORMAT, instance

DAY = date(2026, 3, 4)
FRESH = multiprocessing.get_context("spawn")


def failures(store: Store) -> list[str]:
    with store.reading() as view:
        return [row["reason"] for row in view.rows("select reason from failures order by reason")]


def test_no_two_migrations_have_one_number() -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_migrations_are_applied_once(tmp_path: Path) -> None:
    for _ in range(2):
        with Store(tmp_path).writing() as transaction:
            applied = transaction.rows("select number from migrations")
            zone = transaction.rows("select * from settings_fixed")
    assert [row["number"] for row in applied] == [number for number, _ in migrations()]
    assert zone == [{"name": "timezone", "value": "UTC"}]


def test_a_home_is_made_at_first_use(tmp_path: Path) -> None:
    store = Store(tmp_path / "a" / "b")
    assert not store.exists()
    assert failures(store) == [] and store.exists()


def test_batches_are_written_in_order_and_let_go(tmp_path: Path) -> None:
    store, before = Store(tmp_path), pa.total_allocated_bytes()
    batches: deque[Any] = deque(batch(f"file {n}", 3) for n in range(500))
    held = pa.total_allocated_bytes() - before
    with store.writing() as transaction:
        transaction.insert_batches("rejected_records", batches)
        assert not batches and pa.total_allocated_bytes() - before < held / 10
        transaction.insert_batches("rejected_records", batches)
        found = transaction.rows("select uri, place from rejected_records")
    assert found == [{"uri": f"file {n}", "place": f"line {line}"} for n in range(500) for line in range(3)]


def batch(uri: str, count: int) -> Any:
    """Rows of one object, whose address is a dictionary of its own."""
    same = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([uri]))
    return pa.RecordBatch.from_pydict(
        {"uri": same, "etag": same, "place": [f"line {n}" for n in range(count)], "reason": ["x" * 100] * count}
    )


def test_no_transaction_prints_a_progress_bar(tmp_path: Path) -> None:
    store = Store(tmp_path)
    shown = "select current_setting('enable_progress_bar') as shown"
    with store.writing() as tables:
        assert tables.rows(shown) == [{"shown": False}]
    with store.reading() as view:
        assert view.rows(shown) == [{"shown": False}]


def test_every_connection_of_the_product_is_made_without_a_progress_bar() -> None:
    root = Path(__file__).parents[2] / "cpa_core"
    makers = [path for path in root.rglob("*.py") if "duckdb.connect(" in path.read_text("utf-8")]
    assert len(makers) >= 5
    for path in makers:
        text = path.read_text("utf-8")
        assert "(SILENT)" in text or "enable_progress_bar = false" in text, path


def storage_version(store: Store) -> str:
    with store.reading() as view:
        (row,) = view.rows(
            "select tags['storage_version'] as version from duckdb_databases() where database_name = 'store'"
        )
    return str(row["version"])


def test_a_new_file_is_packed_and_one_of_before_keeps_its_form(tmp_path: Path) -> None:
    new = Store(tmp_path / "new")
    assert failures(new) == []
    old = Store(tmp_path / "old")
    old.home.mkdir()
    with duckdb.connect() as memory:
        memory.execute(f"attach '{old.path}' (storage_version 'v1.0.0')")
    for store, version in ((new, FORMAT), (old, "v1.0.0")):
        for reason in ("first", "second"):
            with store.writing() as transaction:
                transaction.insert("failures", [{"reason": reason}])
            assert storage_version(store).startswith(version)
        assert failures(store) == ["first", "second"]
    assert new.path.stat().st_size < old.path.stat().st_size / 2, "statistics of each column are read at every attach"


def test_the_time_zone_of_a_home_is_fixed(tmp_path: Path) -> None:
    failures(Store(tmp_path, "Europe/Paris"))
    with pytest.raises(SettingsError, match="begun with Europe/Paris: days would move; use CPA_TIMEZONE=Europe/Paris"):
        failures(Store(tmp_path, "UTC"))


def test_the_home_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    with Store(tmp_path).writing() as transaction:
        transaction.insert("migrations", [{"number": 9999}])
    with pytest.raises(SettingsError, match="newer version"):
        failures(Store(tmp_path))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "cpa.duckdb").write_bytes(b"x" * 5000)
    with pytest.raises(SettingsError, match=r"cpa\.duckdb: cannot be opened with duckdb"):
        failures(Store(tmp_path))


def test_values_come_back_as_they_went_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    at = datetime(2026, 3, 4, 9, 0, 0, 123456, tzinfo=UTC)
    file = {"uri": "a\0é😀", "size": 2**40, "modified_at": at, "days": ["x", "y"], "untimed_day": DAY}
    with store.writing() as transaction:
        transaction.insert("landed_files", [file, {"uri": "b"}])
        transaction.insert("judge_scores", [{"score": 0.1, "verdicts": '{"P1": "\\u0000"}'}])
        transaction.insert("failures", [{"retryable": True}, {"retryable": None}])
        transaction.insert("failures", [])
    with store.reading() as view:
        first, second = view.rows("select * from landed_files order by uri")
        assert {key: first[key] for key in file} == file and first["landed_at"] is None
        assert second["size"] is None
        assert view.rows("select score, verdicts from judge_scores") == [
            {"score": 0.1, "verdicts": '{"P1": "\\u0000"}'}
        ]
        assert [row["retryable"] for row in view.rows("select retryable from failures")] == [True, None]
        (zone,) = view.rows("select current_setting('TimeZone') as zone")
    assert zone == {"zone": "UTC"}


def test_a_column_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="failures has no column"), Store(tmp_path).writing() as transaction:
        transaction.insert("failures", [{"colour": "red"}])


def test_a_replaced_day_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing() as transaction:
        transaction.insert_day("failures", DAY, [{"day": DAY, "reason": "a"}, {"day": DAY, "reason": "b"}])
        transaction.insert_day("failures", date(2026, 3, 5), [{"day": date(2026, 3, 5), "reason": "other"}])
    with pytest.raises(ZeroDivisionError), store.writing() as transaction:
        transaction.insert_day("failures", DAY, [{"day": DAY, "reason": "c"}])
        raise ZeroDivisionError
    assert failures(store) == ["a", "b", "other"]
    with store.writing() as transaction:
        transaction.insert_day("failures", DAY, [{"day": DAY, "reason": "c"}])
    assert failures(store) == ["c", "other"]


def test_a_statement_that_fails_takes_back_what_went_before_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(duckdb.ConversionException), store.writing() as transaction:
        transaction.insert("failures", [{"reason": "a"}])
        transaction.execute("select 'x'::bigint")
    assert failures(store) == []


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(duckdb.InvalidInputException, match="read-only"), store.reading() as view:
        view.execute("delete from failures")


def _write(home: str, name: str, count: int) -> None:
    store = Store(Path(home))
    for n in range(count):
        with store.writing() as transaction:
            (row,) = transaction.rows("select count(*) as n from failures")
            transaction.insert("failures", [{"reason": f"{name}-{n}", "attempts": row["n"]}])


def _read(home: str, stop: str) -> None:
    store = Store(Path(home))
    while not Path(stop).exists():
        failures(store)


@contextmanager
def processes(*calls: tuple[object, ...]) -> Iterator[list[multiprocessing.process.BaseProcess]]:
    started = [FRESH.Process(target=call[0], args=call[1:]) for call in calls]  # type: ignore[arg-type]
    for process in started:
        process.start()
    try:
        yield list(started)
    finally:
        for process in started:
            process.terminate()
            process.join(20)


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    with processes((_write, str(tmp_path), "a", 40), (_write, str(tmp_path), "b", 40)) as writers:
        for writer in writers:
            writer.join(100)
        assert [writer.exitcode for writer in writers] == [0, 0]
    with Store(tmp_path).reading() as view:
        rows = view.rows("select reason, attempts from failures")
    assert {row["reason"] for row in rows} == {f"{name}-{n}" for name in "ab" for n in range(40)}
    assert sorted(row["attempts"] for row in rows) == list(range(80))


def test_no_writer_starves_while_readers_stream(tmp_path: Path) -> None:
    store, stop = Store(tmp_path), tmp_path / "stop"
    failures(store)
    readers = [(_read, str(tmp_path), str(stop))] * 3
    with processes(*readers, (_write, str(tmp_path), "a", 20)) as started:
        started[-1].join(60)
        assert started[-1].exitcode == 0
        assert all(reader.is_alive() for reader in started[:-1])
        stop.touch()
        for reader in started[:-1]:
            reader.join(20)
            assert reader.exitcode == 0
    assert len(failures(store)) == 20


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failures(store)
    threads = [threading.Thread(target=_write, args=(str(tmp_path), f"t{n}", 5)) for n in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        failures(store)
    assert len(failures(store)) == 15


def waits_to_write(store: Store, done: threading.Event) -> threading.Thread:
    """A thread that waits, behind the gate, for the readers of now to end."""

    def write() -> None:
        with store.writing():
            done.set()

    thread = threading.Thread(target=write)
    thread.start()
    gate = store.home / "locks" / "store.gate"
    while True:
        try:
            with locks.held(gate, wait=0):
                time.sleep(0.01)
        except StoreBusy:
            return thread


def test_a_reading_inside_a_reading_does_not_wait_for_a_writer_that_waits_for_it(tmp_path: Path) -> None:
    store, written = Store(tmp_path), threading.Event()
    assert failures(store) == []
    with store.reading() as outer:
        thread = waits_to_write(store, written)
        with Store(tmp_path).reading(wait=5) as inner:
            assert inner.rows("select 1 as n") == outer.rows("select 1 as n")
        assert not written.is_set()
    thread.join(10)
    assert written.is_set()


def test_the_last_of_nested_readings_lets_the_writer_in_whatever_ends_first(tmp_path: Path) -> None:
    store, written = Store(tmp_path), threading.Event()
    assert failures(store) == []
    outer, inner = store.reading(), store.reading()
    outer.__enter__()
    thread = waits_to_write(store, written)
    view = inner.__enter__()
    outer.__exit__(None, None, None)
    assert view.rows("select 1 as n") and not written.is_set()
    inner.__exit__(None, None, None)
    thread.join(10)
    assert written.is_set() and failures(store) == []


@pytest.mark.parametrize(("outer", "inner"), [("reading", "writing"), ("writing", "reading"), ("writing", "writing")])
def test_a_thread_that_would_wait_for_itself_gets_an_error(tmp_path: Path, outer: str, inner: str) -> None:
    store = Store(tmp_path)
    assert failures(store) == []
    with getattr(store, outer)(), pytest.raises(StoreBusy, match="would wait for itself"), getattr(store, inner)():
        pass
    assert failures(store) == []


def test_a_reader_gives_up_after_the_wait_it_was_given(tmp_path: Path) -> None:
    failures(Store(tmp_path))
    with locks.held(tmp_path / "locks" / "store.lock"):
        begun = time.monotonic()
        with pytest.raises(StoreBusy, match="another run holds this lock; waited"), Store(tmp_path).reading(wait=0.2):
            pass
        assert time.monotonic() - begun < 5
    with Store(tmp_path).reading(wait=0.2) as view:
        assert view.rows("select 1 as one") == [{"one": 1}]


def test_the_first_look_at_a_home_does_not_wait_for_its_readers(tmp_path: Path) -> None:
    failures(Store(tmp_path))
    with Store(tmp_path).reading(), Store(tmp_path).reading(wait=0.2) as view:
        assert view.rows("select 1 as one") == [{"one": 1}]


def test_a_foreign_process_that_holds_the_file_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path, foreign_wait=0.2)
    failures(store)
    code = f"import duckdb; held = duckdb.connect({str(store.path)!r}); print('held', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as foreign:  # type: ignore[call-overload]
        assert foreign.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy, match=rf"cpa\.duckdb: held by process {foreign.pid} \(.*close it there"):
            failures(store)
        foreign.communicate("done\n", timeout=30)
    assert failures(store) == []


def test_a_reader_that_ends_lets_no_foreign_writer_in_beside_another_reader(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failures(store)
    code = f"import duckdb; duckdb.connect({str(store.path)!r})"
    with store.reading() as view:
        failures(Store(tmp_path))
        foreign = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "Conflicting lock is held" in foreign.stderr
        assert view.rows("select reason from failures") == []


def test_a_database_that_ended_within_a_transaction_is_opened_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failures(store)
    with store.reading():
        instance(store.path).end()
    _write(str(tmp_path), "a", 1)
    assert failures(store) == ["a-0"]


def memory_limit(store: Store) -> str:
    with store.reading() as view:
        (row,) = view.rows("select current_setting('memory_limit') as memory_limit")
    return str(row["memory_limit"])


def test_every_store_of_a_home_has_the_memory_limit_that_the_settings_name(tmp_path: Path) -> None:
    unbound = Store(tmp_path)
    default = memory_limit(unbound)
    for size, shown in [("300MB", "286.1 MiB"), ("1.5 gb", "1.3 GiB"), ("512MiB", "512.0 MiB")]:
        given = settings({"CPA_HOME": str(tmp_path), "CPA_DUCKDB_MEMORY": size})
        assert memory_limit(Store.of(given)) == memory_limit(unbound) == shown != default
        instance(unbound.path).end()  # DuckDB begins anew
        assert memory_limit(unbound) == shown


def test_rows_beyond_the_memory_limit_go_to_a_folder_that_is_empty_afterwards(tmp_path: Path) -> None:
    with Store(tmp_path, memory_limit="200MB").writing() as tables:
        tables.execute(
            "create temp table wide as select md5(n::varchar) || md5((n + 1)::varchar) as text from range(4000000) o(n)"
        )
        (used,) = tables.rows(
            "select sum(memory_usage_bytes) as memory, sum(temporary_storage_bytes) as spilled from duckdb_memory()"
        )
        (found,) = tables.rows("select count(distinct left(text, 8)) > 3_990_000 as is_whole from wide")
    assert used["memory"] <= 200_000_000 < used["memory"] + used["spilled"] and found["is_whole"]
    assert not list(tmp_path.glob("*.tmp/*"))


def test_we_wait_for_a_foreign_process_that_lets_go(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failures(store)
    code = f"import duckdb, time; held = duckdb.connect({str(store.path)!r}); print('held', flush=True); time.sleep(1)"
    with subprocess.Popen([sys.executable, "-c", code], text=True, stdout=subprocess.PIPE) as foreign:
        assert foreign.stdout is not None and foreign.stdout.readline() == "held\n"
        assert failures(store) == []


def _die_writing(home: str) -> None:
    with Store(Path(home)).writing() as transaction:
        transaction.insert("failures", [{"reason": "lost"}])
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_writer_that_is_killed_leaves_nothing_and_holds_no_lock(tmp_path: Path) -> None:
    failures(Store(tmp_path))
    with processes((_die_writing, str(tmp_path))) as (writer,):
        writer.join(60)
        assert writer.exitcode == -signal.SIGKILL
    assert failures(Store(tmp_path)) == []
    _write(str(tmp_path), "a", 1)
    assert failures(Store(tmp_path)) == ["a-0"]


def test_a_day_is_held_by_one_run_at_a_time(tmp_path: Path) -> None:
    store, order = Store(tmp_path), []

    def second() -> None:
        with store.day_lock(DAY):
            order.append("second")

    with store.day_lock(DAY), store.day_lock(date(2026, 3, 5)):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]


def test_a_lock_that_is_not_granted_in_time_is_named(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "x.lock"
    with (
        locks.held(path),
        pytest.raises(StoreBusy, match=r"x\.lock: another run holds this lock"),
        locks.held(path, wait=0.1),
    ):
        pass
    with locks.held(path, shared=True), locks.held(path, shared=True, wait=0.1):
        pass


def test_every_question_opens_with_itself_as_a_comment() -> None:
    folder = Path(question_sql.__wrapped__.__code__.co_filename).parents[1] / "sql"
    names = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.sql"))
    assert names
    for name in names:
        assert question_sql(name).startswith("-- "), name
