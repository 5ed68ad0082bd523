"""A store past one machine: its address, its locks and fences, its ledgers, and the same rows as in the file."""

import json
import os
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any

import psycopg
import pytest

from cpa_core.buckets import client
from cpa_core.destinations import destination
from cpa_core.errors import AnswersNotKept, SettingsError, StoreBusy, StoreNotWritten
from cpa_core.llm import Answer, Reply, Usage
from cpa_core.pipeline import build_day
from cpa_core.pipeline.budget import Tariff, budgets
from cpa_core.pipeline.forgetting.outbox import clean_shared_outbox
from cpa_core.pipeline.forgetting.subject import Forgotten
from cpa_core.pipeline.schema.current import current_schema, schema_path
from cpa_core.pipeline.upgrade import preview_upgrade, upgrade_home
from cpa_core.schema import dump
from cpa_core.settings import settings, shown
from cpa_core.store import AnswerBook, Store
from cpa_core.store.copying import contents_of, copy_store
from cpa_core.store.database import migrations
from cpa_core.store.lake import lake_engine
from cpa_core.store.lake.address import address_of
from cpa_core.store.lake.answers import LedgerLog
from cpa_core.store.lake.engine import LakeEngine, table_of
from cpa_core.store.lake.ledger import in_postgres
from cpa_core.store.lake.postgres import is_pooled
from cpa_core.store.lake.sides import WRITES
from cpa_core.store.lake.upkeep import keys_twice, look_after
from cpa_core.store.transaction import Row
from tests.servers.postgres import PASSWORD, Postgres, programs, server
from tests.servers.s3 import relayed
from tests.support.fakes import SCHEMA
from tests.support.homes import NOW, Home, turn
from tests.support.lakes import Lakes
from tests.support.vendor_events import event

needs_postgres = pytest.mark.skipif(programs() is None, reason="Postgres is not installed: apt-get install postgresql")
DAY = date(2026, 3, 4)
DATA = {"CPA_STORE_DATA": "s3://bucket/cpa"}


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://u:hidden@h/d",
        "ducklake:",
        "ducklake:u:hidden@h/d",
        "ducklake:sqlite://u:hidden@h/d",
        "ducklake:postgresql://u:hidden@h",
        "ducklake:postgresql://u:hidden@/d",
        "ducklake:postgresql://u:hidden@h:port/d",
        "ducklake:postgresql://u:hid/den@h/d",
        "ducklake:postgresql://u:hidden@h/d?schema=A-b",
        "ducklake:postgresql://u:hidden@h/d?options=hidden",
    ],
)
def test_an_address_that_is_not_understood_is_refused_without_its_words(written: str) -> None:
    given = settings({"CPA_STORE": written, **DATA})
    with pytest.raises(SettingsError) as refused:
        address_of(given)
    for words in (str(refused.value), repr(given), repr(shown(given))):
        assert "hid" not in words.replace("PGPASSWORD", "")


def test_an_address_shows_its_place_and_no_login() -> None:
    given = settings({"CPA_STORE": "ducklake:postgresql://me:p%40ss@db.example:6000/app?schema=one", **DATA})
    address = address_of(given)
    assert (address.user, address.password, address.lake_schema) == ("me", "p@ss", "one_lake")
    assert address.data == "s3://bucket/cpa/"
    for words in (address.shown, repr(address), repr(given), str(given.store)):
        assert "p@ss" not in words and "p%40ss" not in words and "me:" not in words
    assert address.without_secrets("role me: p@ss is wrong\nmore") == "role ...: ... is wrong"


def test_a_store_without_a_place_for_its_files_is_refused() -> None:
    with pytest.raises(SettingsError, match="CPA_STORE_DATA"):
        address_of(settings({"CPA_STORE": "ducklake:postgresql://u:p@h/d"}))


@pytest.mark.parametrize(
    ("backends", "pooled"),
    [([1, 2, 1, 2], False), ([1, 1, 1, 1], True), ([1, 2, 2, 1], True), ([1, 2, 3, 2], True), ([1, 2, 1, 3], True)],
)
def test_a_pooler_that_changes_sessions_is_known_by_their_processes(backends: list[int], pooled: bool) -> None:
    assert is_pooled(backends) is pooled


def test_statements_of_migrations_and_writes_find_their_table() -> None:
    assert table_of("-- what\n create table if not exists answers (a double)") == "answers"
    assert table_of("alter table batches add column x double") == "batches"
    assert table_of("update landed_conversations set a = 1 from x") == "landed_conversations"
    assert in_postgres("a double, b double precision") == "a double precision, b double precision"
    for sql in ("-- why\nupdate batches set a = 1", "delete from answers", "INSERT INTO upload_receipts by name x"):
        assert WRITES.match(sql)
    for sql in ("select * from answers", "insert into answers_reused select 1", "create temp table answers (a int)"):
        assert not WRITES.match(sql)


class Fallback:
    """A log of this machine."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def append(self, row: Row) -> None:
        """Keep it."""
        self.rows.append(row)

    def close(self) -> None:
        """Nothing."""


def test_answers_go_to_this_machine_while_postgres_is_away_and_asking_stops_after_a_while() -> None:
    kept: list[Row] = []
    fallback = Fallback()
    is_away = threading.Event()

    def add(rows: list[Row]) -> None:
        if is_away.is_set():
            raise psycopg.OperationalError("gone")
        kept.extend(rows)

    log = LedgerLog(add, lambda: fallback, lambda what, failed: f"{what}: {failed}", away=0.2)
    log.append({"n": 1})
    is_away.set()
    log.append({"n": 2})
    stop = threading.Event()
    stop.wait(0.25)
    with pytest.raises(AnswersNotKept, match="this machine only"):
        log.append({"n": 3})
    is_away.clear()
    log.append({"n": 4})
    log.close()
    assert ([row["n"] for row in kept], [row["n"] for row in fallback.rows]) == ([1, 4], [2, 3])


@pytest.fixture(scope="module")
def engine(lakes: Lakes, tmp_path_factory: pytest.TempPathFactory) -> LakeEngine:
    """One lake for all tests that write rows of their own."""
    return lakes.engine(tmp_path_factory.mktemp("shared") / "home")


@pytest.fixture
def store(engine: LakeEngine, tmp_path: Path) -> Store:
    return Store(tmp_path / "home", engine=engine)


def fresh() -> str:
    return uuid.uuid4().hex


@needs_postgres
def test_the_memory_limit_holds_for_a_lake_also_after_a_lost_connection(lakes: Lakes, tmp_path: Path) -> None:
    given = settings(lakes.environ(tmp_path / "bound") | {"CPA_DUCKDB_MEMORY": "300MB"})
    store, engine = Store.of(given), lake_engine(given)
    try:
        for _ in range(2):
            with store.reading() as view:
                assert view.rows("select current_setting('memory_limit') as bound") == [{"bound": "286.1 MiB"}]
            engine.catalog.give_up()
    finally:
        engine.close()


@needs_postgres
def test_days_replaced_at_once_are_all_kept_each_row_once(store: Store) -> None:
    begin = date(2020, 1, 1)

    def replaced(n: int) -> None:
        day = begin + timedelta(days=n % 3)
        for _ in range(2):
            with store.day_lock(day), store.writing() as tables:
                tables.insert_day("messages", day, [{"day": day, "message_id": str(one)} for one in range(50)])

    workers = [threading.Thread(target=replaced, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with store.reading() as view:
        rows = view.rows(
            "select day, count(*) as n, count(distinct message_id) as ids from messages where day < $day group by day "
            "order by day",
            day=date(2020, 2, 1),
        )
    assert [(row["n"], row["ids"]) for row in rows] == [(50, 50)] * 3


@needs_postgres
def test_a_lock_names_its_holder_and_ends_with_its_connection(store: Store, engine: LakeEngine) -> None:
    said: list[str] = []

    def wait() -> None:
        try:
            with store.day_lock(DAY, wait=0.1):
                said.append("taken")
        except StoreBusy as busy:
            said.append(str(busy))

    with store.day_lock(DAY):
        other = threading.Thread(target=wait)
        other.start()
        other.join()
    assert len(said) == 1 and "holds this lock" in said[0] and "Postgres process" in said[0]
    with store.day_lock(DAY, wait=0.1):
        pass


@needs_postgres
@pytest.mark.parametrize("is_taken", [True, False])
def test_a_day_is_not_replaced_by_a_run_that_lost_its_lock_to_another(
    store: Store, engine: LakeEngine, is_taken: bool
) -> None:
    """The connection that held the day is ended, as a restart of Postgres does; another run may have come since."""
    day, other = date(2021, 1, 1 + is_taken), threading.Event()
    store.exists()

    def take() -> None:
        with store.day_lock(day, wait=5):
            other.set()

    def write() -> None:
        with store.day_lock(day):
            _end_idle_sessions(engine)
            if is_taken:
                thread = threading.Thread(target=take)
                thread.start()
                thread.join()
            with store.writing() as tables:
                tables.insert_day("messages", day, [{"day": day, "message_id": "m"}])

    if is_taken:
        with pytest.raises(StoreNotWritten, match="another worker has taken it"):
            write()
    else:
        write()
    with store.reading() as view:
        rows = view.rows("select message_id from messages where day = $day", day=day)
    assert len(rows) == (not is_taken) and other.is_set() == is_taken


def _end_idle_sessions(engine: LakeEngine) -> None:
    """End every session of this process but the one that asks."""
    at = engine.address
    with psycopg.connect(
        host=at.host, port=at.port, dbname=at.database, user=at.user, password=at.password, autocommit=True
    ) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and application_name like 'cpa %'"
        )


@needs_postgres
def test_what_a_failed_transaction_wrote_is_nowhere(store: Store) -> None:
    key = fresh()
    with suppress(RuntimeError), store.writing() as tables:
        tables.insert("batches", [{"batch_key": key, "request_hashes": ["a"]}])
        tables.insert("messages", [{"message_id": key}])
        raise RuntimeError
    with store.reading() as view:
        assert view.rows("select 1 from batches where batch_key = $key", key=key) == []
        assert view.rows("select 1 from messages where message_id = $key", key=key) == []


@needs_postgres
def test_one_transaction_writes_to_the_lake_and_to_the_ledgers(store: Store) -> None:
    key = fresh()
    with store.writing() as tables:
        tables.insert("batches", [{"batch_key": key, "request_hashes": ["a", "b"], "state": "held"}])
        tables.insert("messages", [{"message_id": key, "content": "a\0b"}])
        tables.execute("update batches set state = 'used' where batch_key = $key", key=key)
    with store.reading() as view:
        (batch,) = view.rows("select state, request_hashes from batches where batch_key = $key", key=key)
        (message,) = view.rows("select content from messages where message_id = $key", key=key)
    assert batch == {"state": "used", "request_hashes": ["a", "b"]}
    assert message["content"] == "a\0b"


def _answer(n: int, **more: Any) -> Row:
    at = datetime(2026, 3, 4, 9, n, tzinfo=UTC)
    row = {
        "answer_id": f"{n}-{fresh()}",
        "request_hash": f"q{n % 3}",
        "outcome": "ok",
        "answer": f"a{n}",
        "lane": "flex",
    }
    row |= {"task": "tag", "cost": 0.25, "prompt_tokens": n, "cached_tokens": 0, "completion_tokens": 1, "detail": ""}
    return row | {"run_id": "r-1", "day": DAY, "conversation_id": f"c{n}", "created_at": at, **more}


def _receipt(n: int, **more: Any) -> Row:
    at = datetime(2026, 3, 4, 9, n, tzinfo=UTC)
    row = {"destination": "d", "project": "p", "event_id": f"e{n}", "payload_hash": f"h{n}", "status": "accepted"}
    return row | {"day": DAY, "attempts": 1, "receipted_at": at, "sent_timestamp": at, "withdraws": None, **more}


QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "label/answers_to_reuse": [
        {"hashes": '["q0"]', "conversations": '["c4"]'},
        {"hashes": "[]", "conversations": "[]"},
    ],
    "label/answer_recalled": [{"hash": "q1"}, {"hash": "q9"}],
    "label/money_spent": [{"run": "r-", "since": datetime(2026, 3, 4, 9, 3, tzinfo=UTC)}],
    "label/cost_of_run": [
        {"task": "tag", "run": "r-1", "day": DAY, "batches": "[]"},
        {"task": "tag", "run": "", "day": DAY, "batches": '["b"]'},
    ],
    "status/spend_since": [{"since": datetime(2026, 3, 4, 9, 2, tzinfo=UTC)}],
    "delivery/receipts_known": [{"destination": "d", "project": "p", "events": '["e1", "e2", "none"]'}],
}
"""Every question that has words of its own for Postgres, and what it is asked with."""


@needs_postgres
def test_a_question_has_the_same_answer_in_postgres_as_in_the_file(
    lakes: Lakes, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = Path(str(files("cpa_core").joinpath("sql", "lake")))
    assert {str(path.relative_to(folder).with_suffix("")) for path in folder.glob("*/*.sql")} == set(QUESTIONS)
    answers = [_answer(n) for n in range(6)]
    answers += [_answer(6, outcome="invalid", lane="batch"), _answer(7, outcome="invalid", cost=None, estimate=0.5)]
    answers += [_answer(8, run_id="b", cost=None, prompt_tokens=None), _answer(9, task="judge", outcome="error")]
    receipts = [_receipt(n) for n in range(4)] + [_receipt(5, withdraws="h1", status="unknown")]
    stores = [Store(tmp_path / "file"), Store(tmp_path / "lake", engine=lakes.engine(tmp_path / "lake"))]
    for one in stores:
        with one.writing() as tables:
            tables.insert("answers", answers)
            tables.insert("upload_receipts", receipts)
    for question, asked in QUESTIONS.items():
        for names in asked:
            found = []
            for one in stores:
                with one.reading() as view:
                    found.append(view.answer(question, **names))
            assert found[0] == found[1], question


@needs_postgres
def test_receipts_are_replaced_by_their_key_and_put_back(store: Store) -> None:
    project = fresh()
    ledger = store.ledger
    assert ledger is not None
    rows = [_receipt(n, project=project) for n in range(3)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    with store.reading():
        pass
    ledger.replace_receipts(("d", project), [], columns)
    ledger.replace_receipts(("d", project), [("e0", "h0")], columns | {"status": ["rejected"] * 3})
    ledger.replace_receipts(("d", project), [("e0", "h0"), ("e1", "other")], {})
    with store.reading() as view:
        found = view.rows("select event_id, status from upload_receipts where project = $p order by all", p=project)
    assert found == [{"event_id": name, "status": "rejected"} for name in ("e1", "e2")]


@needs_postgres
def test_a_wrong_password_and_a_server_in_another_language_are_refused_without_the_password(
    postgres: Postgres, tmp_path: Path
) -> None:
    wrong = postgres.url.replace("s3cret", "wrong-word")
    given = settings({"CPA_STORE": f"ducklake:{wrong}", "CPA_STORE_DATA": str(tmp_path / "lake")})
    with pytest.raises(SettingsError) as refused:
        Store.of(given).exists()
    assert "authentication" in str(refused.value)
    assert "wrong-word" not in str(refused.value) and PASSWORD not in str(refused.value)


@needs_postgres
def test_landing_and_building_give_the_same_rows_in_the_file_and_in_the_lake(lakes: Lakes, tmp_path: Path) -> None:
    found: list[dict[str, list[Row]]] = []
    for more in ({}, lakes.environ(tmp_path / "far")):
        home = Home(tmp_path / ("far" if more else "near"), dict(more))
        home.environ["CPA_SOURCE"] = str(tmp_path / "in")
        shared = Home(tmp_path)
        if not more:
            shared.write(
                "a.json", {"c1": [turn("Hi"), turn("Yes", "2026-03-04T09:01:00Z", "assistant")], "c2": [turn("x")]}
            )
        home.land()
        build_day(home.assistant(), DAY)
        with home.assistant().store.reading() as view:
            names = ("raw_conversations", "messages", "landed_conversations", "days")
            found.append({name: view.rows(f"select * from {name} order by all") for name in names})
    assert found[0] == found[1] and found[0]["messages"]


@needs_postgres
def test_a_store_copied_to_a_lake_and_back_holds_the_same_rows_and_goes_on_after_a_kill(
    lakes: Lakes, tmp_path: Path
) -> None:
    file, lake = Store(tmp_path / "file"), Store(tmp_path / "far", engine=lakes.engine(tmp_path / "far"))
    with file.writing() as tables:
        tables.insert("messages", [{"day": DAY, "message_id": str(n), "content": "x" * n} for n in range(9)])
        tables.insert("landed_files", [{"uri": "a", "days": [str(DAY)]}, {"uri": "b", "days": []}])
        tables.insert("answers", [_answer(n) for n in range(3)])
        tables.insert("upload_receipts", [_receipt(n) for n in range(3)])
        tables.insert("batches", [{"batch_key": "k", "request_hashes": ["a", "b"]}])

    class Killed(Exception):
        pass

    def kill(table: str) -> None:
        if table == "messages":
            raise Killed

    with suppress(Killed):
        copy_store(file, lake, kill)
    copied = copy_store(file, lake)
    assert {one.table for one in copied if one.was_there} >= {"answers", "landed_files"}
    back = Store(tmp_path / "back")
    copy_store(lake, back)
    first, far, last = (contents_of(one) for one in (file, lake, back))
    assert first == far and first["messages"].rows == 9
    assert {name for name in first if first[name] != last[name]} <= {"settings_fixed"}
    with pytest.raises(SettingsError, match="rows of this home already"):
        copy_store(file, lake)
    other = Store(tmp_path / "other")
    with other.writing() as tables:
        tables.insert("landed_files", [{"uri": "c"}])
    with pytest.raises(SettingsError, match="another home"):
        copy_store(other, lake)


@needs_postgres
def test_upkeep_merges_files_and_keeps_every_row(store: Store) -> None:
    day = date(2022, 1, 1)
    for n in range(1, 5):
        with store.writing() as tables:
            tables.insert(
                "messages", [{"day": day, "conversation_id": "c", "message_id": f"{n}-{m}"} for m in range(n)]
            )
    with store.writing() as tables:
        tables.execute("delete from messages where message_id like '1-%' and day = $day", day=day)
    question = "select message_id from messages where day = $day order by message_id"
    with store.reading() as view:
        before = view.rows(question, day=day)
    kept = look_after(store, keep_days=0, grace_days=0)
    with store.reading() as view:
        assert view.rows(question, day=day) == before and len(before) == 9
    assert kept.after.files < kept.before.files and kept.removed and kept.after.snapshots < kept.before.snapshots
    with store.writing() as tables:
        tables.insert("messages", [{"day": day, "conversation_id": "c", "message_id": "2-0"}])
    with store.reading() as view:
        assert keys_twice(view)["messages"] == 1


@needs_postgres
def test_a_worker_without_a_schema_file_takes_the_one_in_force_and_an_edit_here_is_kept(
    lakes: Lakes, tmp_path: Path
) -> None:
    environ = lakes.environ(tmp_path / "schemas")
    first = Home(tmp_path / "one", dict(environ)).assistant()
    second = Home(tmp_path / "two", dict(environ)).assistant(now=lambda: NOW + timedelta(hours=1))
    texts = [dump(SCHEMA), dump(SCHEMA.model_copy(update={"description": "Another one."}))]
    first.settings.home.mkdir(parents=True)
    (first.settings.home / "schema.yml").write_text(texts[0], "utf-8")
    current_schema(first)
    assert schema_path(second).read_text("utf-8") == texts[0]
    (second.settings.home / "schema.yml").write_text(texts[1], "utf-8")
    assert current_schema(second)[0].description == "Another one."
    assert schema_path(first).read_text("utf-8") == texts[1]


def test_workers_of_different_machines_add_to_the_outbox_of_a_bucket(tmp_path: Path) -> None:
    with relayed() as s3:
        given = settings(
            {
                "CPA_STORE": "ducklake:postgresql://u:p@h/d",
                "CPA_STORE_DATA": "s3://bucket/store",
                "CPA_HOME": str(tmp_path / "home"),
                "AWS_ENDPOINT_URL_S3": s3.url,
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "word",
                "AWS_REGION": "eu-west-1",
            }
        )
        events = [event(n) for n in range(3)]
        assert {one.status for one in destination("outbox", given).send(events)} == {"retryable"}, "there is no bucket"
        bucket = client(given.aws)
        bucket.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for part in (events[:2], events[1:]):
            assert {one.status for one in destination("outbox", given).send(part)} == {"accepted"}
        (key,) = [one["Key"] for one in bucket.list_objects_v2(Bucket="bucket")["Contents"]]
        lines = bucket.get_object(Bucket="bucket", Key=key)["Body"].read().decode().splitlines()
    assert key == f"store/outbox/{events[0].day}.jsonl"
    assert [json.loads(line)["event_id"] for line in lines] == [one.event_id for one in events]
    assert not (tmp_path / "home").exists()


def test_a_conversation_is_removed_from_the_outbox_of_a_bucket_and_others_stay_to_the_byte(tmp_path: Path) -> None:
    """More objects than one page lists, one of which holds it; a count changes nothing."""
    with relayed() as s3:
        home = Home(
            tmp_path,
            {
                "CPA_STORE": "ducklake:postgresql://u:p@h/d",
                "CPA_STORE_DATA": "s3://emptied/store",
                "AWS_ENDPOINT_URL_S3": s3.url,
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "word",
                "AWS_REGION": "eu-west-1",
            },
        )
        given = home.assistant().settings
        bucket = client(given.aws)
        bucket.create_bucket(Bucket="emptied", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        theirs = event(0)
        others = event(1, conversation_id="c2", payload={"conversation_id": "c2", "message_id": "m1"})
        destination("outbox", given).send([theirs, others])
        name = f"outbox/{theirs.day}.jsonl"
        bucket.put_object(Bucket="emptied", Key="store/outbox/2020-01-01.jsonl", Body=b'{"properties": {}}\n')
        bucket.put_object(Bucket="emptied", Key="other/outbox/2020-01-01.jsonl", Body=b'{"theirs": 1}\n')

        def objects() -> dict[str, bytes]:
            keys = [one["Key"] for one in bucket.list_objects_v2(Bucket="emptied")["Contents"]]
            return {key: bucket.get_object(Bucket="emptied", Key=key)["Body"].read() for key in keys}

        before = objects()
        subject = Forgotten((), (theirs.conversation_id,), frozenset((theirs.conversation_id, theirs.event_id)))
        assert clean_shared_outbox(home.assistant(), subject, write=False) == {name: 1} and objects() == before
        assert clean_shared_outbox(home.assistant(), subject, write=True) == {name: 1}
        after = objects()
        assert clean_shared_outbox(home.assistant(), subject, write=True) == {}
    changed = {key for key in before if before[key] != after[key]}
    assert before.keys() == after.keys() and changed == {f"store/{name}"}
    kept = after[f"store/{name}"].splitlines()
    assert kept == [one for one in before[f"store/{name}"].splitlines() if theirs.event_id.encode() not in one]
    assert len(kept) == 1


@needs_postgres
def test_the_budget_of_a_day_counts_the_answers_of_a_worker_that_is_still_at_work(lakes: Lakes, tmp_path: Path) -> None:
    environ = lakes.environ(tmp_path / "spent") | {"CPA_DAILY_BUDGET": "2", "CPA_MODEL": "openai:gpt-4o-mini"}
    here, there = (Home(tmp_path / name, dict(environ)).assistant() for name in ("here", "there"))
    model = here.model("tag")
    tariff = Tariff(model, "standard", {}, None, lambda: 0)
    before = budgets(there, tariff)[0].left
    book = AnswerBook(here.store, "run-1")
    reply = Reply(outcome="ok", text="{}", usage=Usage(prompt_tokens=1, completion_tokens=1), cost=0.5, lane="standard")
    about = {"task": "tag", "provider": "openai", "model": "m", "day": str(DAY), "conversation_id": "c"}
    book.keep(Answer(request_hash="q", attempt=1, reply=reply, **about))
    assert budgets(there, tariff)[0].left == before - 0.5, "the answer is in no file of the other worker's home"
    book.close()
    assert budgets(there, tariff)[0].left == before - 0.5


@needs_postgres
def test_an_upgrade_names_its_migrations_first_and_an_older_version_touches_nothing(
    lakes: Lakes, tmp_path: Path
) -> None:
    environ = lakes.environ(tmp_path / "upgraded")
    lakes.engine(tmp_path / "upgraded")  # closed with the others at the end
    home = Home(tmp_path / "one", dict(environ))
    with home.assistant().store.writing():
        pass
    number, about = next(one for one in migrations() if "forgetting_journal" in one[1])
    with psycopg.connect(environ["CPA_STORE"].removeprefix("ducklake:")) as connection:
        for table in ("tombstones", "forgetting_journal"):
            connection.execute(f"drop table cpa.{table}")
        connection.execute("delete from cpa.applied where number = %s", [number])
    with home.assistant().store.writing() as tables:
        tables.execute("delete from migrations where number = $number", number=number)
        tables.insert("tagged_events", [{"day": DAY, "event_id": "e"}])
    for done in (False, False, True):
        found = (upgrade_home if done else preview_upgrade)(home.assistant())
        assert [one.number for one in found.migrations] == [number]
        assert " ".join(about.replace("--", " ").split()).startswith(found.migrations[0].about)
        assert (found.done, found.ids == ()) == (done, not done)
    assert [(one.kind, one.gone) for one in found.ids if one.before] == [("events", 0)]
    assert preview_upgrade(home.assistant()).is_current
    with home.assistant().store.writing() as tables:
        tables.execute("insert into migrations values (9999, now())")
    with pytest.raises(SettingsError, match=r"migration 9999.*changes nothing here"):
        upgrade_home(Home(tmp_path / "older", dict(environ)).assistant())


LOSING = """
import os, sys, time
from cpa_core.errors import StoreBusy, StoreNotWritten
from cpa_core.settings import settings
from cpa_core.store import Store

store = Store.of(settings(dict(os.environ)))
for opened, is_asking in [(store.reading, True), (store.reading, False), (store.writing, True), (store.writing, False)]:
    for _ in range(60):  # the server may still be starting, and each of the lost connections is met once
        is_open = False
        try:
            with opened() as tables:
                tables.rows("select count(*) from messages"), tables.rows("select count(*) from answers")
            with opened() as tables:
                tables.rows("select count(*) from messages"), tables.rows("select count(*) from answers")
                is_open = True
                print("open", flush=True)
                sys.stdin.readline()
                if is_asking:
                    tables.rows("select count(*) from answers")
                raise KeyError
        except (StoreBusy, StoreNotWritten, KeyError) as failed:
            if is_open:
                print(type(failed).__name__, flush=True)
                break
            time.sleep(0.5)
"""


def _told(lines: IO[str]) -> str:
    return lines.readline().strip()


@needs_postgres
@pytest.mark.slow
def test_a_process_outlives_a_server_that_restarts_within_its_transaction(tmp_path: Path) -> None:
    with server() as own:
        given = Lakes(own).environ(tmp_path / "home")
        with subprocess.Popen(
            [sys.executable, "-c", LOSING], env={**os.environ, **given}, text=True, stdin=PIPE, stdout=PIPE, stderr=PIPE
        ) as process:
            assert process.stdin and process.stdout and process.stderr
            for _ in range(4):
                assert _told(process.stdout) == "open"
                own.restart()
                process.stdin.write("go on\n")
                process.stdin.flush()
                assert _told(process.stdout) in ("StoreBusy", "StoreNotWritten", "KeyError")
            assert process.wait(30) == 0, process.stderr.read()
