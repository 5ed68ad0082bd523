"""Forgetting in a store of several workers: no byte stays in its files or in Postgres, and no worker brings it back."""

import json
import uuid
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from cpa_core.pipeline import build_day
from cpa_core.pipeline.forgetting import forget as steps
from cpa_core.pipeline.forgetting.forget import forget, forget_older, forgetting, resume_forgetting
from cpa_core.pipeline.forgetting.retention import outdated
from cpa_core.pipeline.forgetting.tombstones import copy_tombstones, tombstones
from cpa_core.store import Store
from cpa_core.store.database import Row
from tests.servers.postgres import Postgres, programs
from tests.support.homes import NOW, Home, turn
from tests.support.lakes import Lakes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(programs() is None, reason="Postgres is not installed: apt-get install postgresql"),
]
DAY, AFTER = date(2026, 3, 4), date(2026, 3, 9)
STEPS = ("_delete", "vacuum")
PEOPLE = ("", *STEPS)


def needles(person: str) -> tuple[str, str, str]:
    """A person's id, conversation and words. The person sorts last: every largest value of a column is theirs."""
    nth = PEOPLE.index(person)
    return f"zara-{9 - nth}-person", f"zconv-{9 - nth}", f"Zara{9 - nth} Lindqvist"


def talk(user: str, said: str) -> dict[str, Any]:
    answer = turn("Here it is.", "2026-03-04T09:00:05Z", "assistant", message_id="2")
    return {"user_id": user, "messages": [turn(f"{said} asks for a form?", message_id="1"), answer]}


def talks() -> dict[str, Any]:
    people = {name: talk(user, said) for user, name, said in map(needles, PEOPLE)}
    return {**people, "conv-of-anna": talk("anna", "Anna"), "conv-of-otto": talk("otto", "Otto")}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, lakes: Lakes) -> Home:
    """A worker of a store with messages, answers, receipts, a batch and an outbox, of several people."""
    folder = tmp_path_factory.mktemp("shared")
    made = Home(folder / "one", lakes.environ(folder / "store"))
    lakes.engine(folder / "store")  # closed with the others at the end
    made.write("a.json", json.dumps(talks()))
    made.land()
    assistant = made.assistant()
    build_day(assistant, DAY)
    with assistant.store.writing() as tables:
        for table, rows in rows_of_talks().items():
            tables.insert(table, rows)
    outbox = Path(made.environ["CPA_STORE_DATA"]) / "outbox" / f"{DAY}.jsonl"
    outbox.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"distinct_id": one["user_id"], "properties": one["messages"][0]} for one in talks().values()]
    outbox.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return made


def rows_of_talks() -> dict[str, list[Row]]:
    """What labelling and delivery leave of each talk."""
    rows: dict[str, list[Row]] = {"tagged_events": [], "answers": [], "upload_receipts": []}
    for name, one in talks().items():
        said, user = one["messages"][0]["content"], one["user_id"]
        event = {"conversation_id": name, "day": DAY, "event_id": f"e-{name}"}
        answer = {"answer_id": uuid.uuid4().hex, "request_hash": f"q-{name}", "answer": said, "cost": 0.5}
        receipt = {"destination": "outbox", "project": "files", "payload_hash": "p", "status": "accepted"}
        rows["tagged_events"].append({**event, "message_id": "1", "quote": said})
        rows["answers"].append({"conversation_id": name, "day": DAY, **answer})
        rows["upload_receipts"].append({**event, **receipt, "distinct_id": user, "identified": True})
    names = list(talks())
    rows["batches"] = [
        {"batch_key": "k", "conversation_ids": names, "request_hashes": names, "contents": names, "submitted_at": NOW}
    ]
    return rows


def held(home: Home, postgres: Postgres, person: str) -> set[str]:
    """Where a byte of a person is: the store's files, the worker's home, and Postgres's own files but for its log."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("checkpoint")
    places = [Path(home.environ["CPA_STORE_DATA"]), home.folder / "home", postgres.folder / "data" / "base"]
    found = set()
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += str(pq.read_table(path).to_pylist()).encode()
        if any(one.encode() in content or one in path.name for one in needles(person)):
            found.add(relation(postgres, path))
    return found


def relation(postgres: Postgres, path: Path) -> str:
    """The name of a file; for one of Postgres's, with that of the table that it holds."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        found = connection.execute(
            "select datname from pg_database where oid::text = %s", [path.parent.name]
        ).fetchone()
    if not found:
        return str(path)
    with psycopg.connect(f"{postgres.url.removesuffix('app')}{found[0]}") as connection:
        node = path.name.partition(".")[0]
        rows = connection.execute(
            "select relname, (select relname from pg_class m where m.reltoastrelid = c.oid) from pg_class c "
            "where pg_relation_filenode(oid)::text = %s",
            [node],
        ).fetchall()
    return f"{found[0]}: {rows} {path.name}"


def of_others(home: Home, person: str) -> dict[str, list[Row]]:
    """Every row of every table that names somebody else's conversation."""
    with home.assistant().store.reading() as view:
        names = {row["name"] for row in view.answer("forgetting/columns_with_ids") if row["place"] == "conversation_id"}
        sql = "select * from {} where conversation_id <> $theirs order by all"
        return {name: view.rows(sql.format(name), theirs=needles(person)[1]) for name in sorted(names)}


def test_no_byte_stays_and_no_worker_brings_it_back(home: Home, postgres: Postgres, tmp_path: Path) -> None:
    user = needles("")[0]
    before, batches = of_others(home, ""), "select len(conversation_ids) as n, len(contents) as m from batches"
    spent = home.rows("select count(*) as n, sum(cost) as cost from answers")
    everywhere = {"answers", "upload_receipts", "messages", "tagged_events", "landed_messages"}
    assert len(held(home, postgres, "")) > 5 and everywhere <= {name for name, rows in before.items() if rows}
    found = forgetting(home.assistant(), users=[user])
    assert found.files == {f"outbox/{DAY}.jsonl": 1} and everywhere <= found.tables.keys()
    forget(home.assistant(), users=[user])
    assert held(home, postgres, "") == set() and of_others(home, "") == before
    assert home.rows(batches) == [{"n": len(PEOPLE) + 1, "m": len(PEOPLE) + 1}]
    assert home.rows("select count(*) as n, sum(cost) as cost from answers") == spent
    other = Home(tmp_path / "two", dict(home.environ))
    other.write("again/b.json", json.dumps(talks()))
    other.land()
    assert held(other, postgres, "") == set() and of_others(other, "")["messages"] == before["messages"]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_another_worker_ends_it(
    home: Home, postgres: Postgres, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = of_others(home, step)
    place: Any = Store if step == "vacuum" else steps
    real: Callable[..., Any] = getattr(place, step)

    def killed(*given: Any, **named: Any) -> Any:
        if step != "vacuum":
            real(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, step, killed)
        with pytest.raises(KeyboardInterrupt):
            forget(home.assistant(), users=[needles(step)[0]])
    other = Home(tmp_path / "two", dict(home.environ))
    assert resume_forgetting(other.assistant())
    assert held(home, postgres, step) == set() and of_others(home, step) == before
    assert not resume_forgetting(home.assistant())


def test_what_is_old_goes_from_every_table_and_its_sums_stay(tmp_path: Path, lakes: Lakes, postgres: Postgres) -> None:
    """Another worker's landing does not bring it back, and what is younger is as it was."""
    home = Home(tmp_path / "one", lakes.environ(tmp_path / "aged"))
    lakes.engine(tmp_path / "aged")
    young = talk("ivo", "Ivo")
    for one in young["messages"]:
        one["timestamp"] = one["timestamp"].replace("03-04", "03-09")
    text = json.dumps({**talks(), "conv-of-ivo": young})
    home.write("a.json", text)
    home.land()
    for day in (DAY, AFTER):
        build_day(home.assistant(), day)
    with home.assistant().store.writing() as tables:
        for table, rows in rows_of_talks().items():
            tables.insert(table, rows)
    outbox = Path(home.environ["CPA_STORE_DATA"]) / "outbox" / f"{DAY}.jsonl"
    outbox.parent.mkdir(parents=True)
    outbox.write_text(json.dumps({"distinct_id": "anna", "properties": {"conversation_id": "conv-of-anna"}}) + "\n")
    before, cost = young_rows(home), home.rows("select sum(cost) as cost, count(*) as n from answers")
    assert len(held(home, postgres, "")) > 3
    found = outdated(home.assistant(), 3)
    everywhere = {"answers", "upload_receipts", "messages", "tagged_events", "landed_messages"}
    assert everywhere <= found.tables.keys() and found.conversations == len(talks()) and len(found.files) == 1
    assert forget_older(home.assistant(), 3) == found
    assert held(home, postgres, "") == set() and young_rows(home) == before and "anna" not in outbox.read_text("utf-8")
    assert home.rows("select sum(cost) as cost, count(*) as n from answers") == cost
    assert home.rows("select conversations from retention") == [{"conversations": len(talks())}]
    assert home.rows("select len(conversation_ids) as n from batches") == [{"n": 0}]
    assert home.rows("select distinct day from insight_days order by day")[0] == {"day": DAY}
    other = Home(tmp_path / "two", dict(home.environ))
    other.write("b.json", text)
    other.land()
    assert outdated(other.assistant(), 3).is_empty and young_rows(other) == before


def young_rows(home: Home) -> list[Row]:
    return home.rows("select * from messages where day = '2026-03-09' order by all")


def test_what_a_home_forgot_stays_away_from_the_store_that_it_is_copied_to_and_back(home: Home, tmp_path: Path) -> None:
    """Also where that store has a salt of its own."""
    body = json.dumps({"conv-of-uma": talk("uma-person", "Uma")})
    file, back = Home(tmp_path / "file"), Home(tmp_path / "back")
    for own, user, name in ((file, "uma-person", "Uma"), (home, "ada-person", "Ada")):
        own.write("first/a.json", json.dumps({f"conv-of-{name.lower()}": talk(user, name)}))
        own.land()
        forget(own.assistant(), users=[user])
    for source, target in ((file, home), (home, back)):
        for _ in range(2):
            copy_tombstones(source.assistant().store, target.assistant().store)
        target.write("again/uma.json", body)
        target.land()
        assert target.rows("select 1 from landed_messages where user_id = 'uma-person'") == []
    copied, counts = tombstones(back.assistant().store), tombstones(home.assistant().store)
    assert copied.hashes == counts.hashes and len(copied.salts) == 2
