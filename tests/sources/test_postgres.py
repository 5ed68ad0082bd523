"""A table of Postgres as a source: what lands, what is read again, what is refused, and that no secret is anywhere."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from cpa_core.errors import SourceError, StoreBusy
from cpa_core.pipeline import unlanded
from cpa_core.pipeline.schema.proposals import source_conversations
from tests.servers.postgres import PASSWORD, Postgres, programs, server
from tests.support.commands import cpa, environ
from tests.support.homes import Home

pytestmark = pytest.mark.skipif(programs() is None, reason="Postgres is not installed: apt-get install postgresql")

TABLE = """
create table {name} (
  id bigint generated always as identity primary key, conversation_id text, message_id text, user_id text, role text,
  content text, sent_at timestamptz, updated_at timestamptz not null default clock_timestamp()
)
"""
BEGIN = datetime(2026, 3, 4, 9, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with server() as one:
        yield one


@dataclass
class Table:
    """A table of the test's own, and a home that reads it."""

    server: Postgres
    name: str
    home: Home

    def run(self, *statements: str) -> None:
        """Run statements in which `$t` is the table."""
        self.server.run(*(one.replace("$t", self.name) for one in statements))

    def say(self, *said: tuple[str, str, str, str], at: str = "clock_timestamp()") -> None:
        """Add messages: conversation, id, content, time of day with or without a date."""
        rows = ", ".join(
            f"('{conversation}', '{message}', 'u', 'user', '{content}', '{sent}', {at})"
            for conversation, message, content, sent in said
        )
        columns = "conversation_id, message_id, user_id, role, content, sent_at, updated_at"
        self.run(f"insert into $t ({columns}) values {rows}")

    def held(self) -> list[tuple[str, str, str, str]]:
        """The messages that count: conversation, id, content and UTC day."""
        rows = self.home.rows(
            "select conversation_id, message_id, content, (sent_at at time zone 'UTC')::date::varchar as day "
            "from landed_messages where superseded_at is null order by conversation_id, sent_at, message_id"
        )
        return [tuple(row.values()) for row in rows]  # type: ignore[misc]

    def days(self) -> list[str]:
        """The days that the home knows."""
        return list(self.home.generations())


@pytest.fixture
def table(postgres: Postgres, tmp_path: Path, request: pytest.FixtureRequest) -> Table:
    name = re.sub(r"\W", "_", request.node.name.removeprefix("test_"))[:50]
    home = Home(
        tmp_path,
        {
            "CPA_SOURCE": postgres.url,
            "CPA_TABLE": name,
            "CPA_WATERMARK": "updated_at",
            "CPA_MAP": "timestamp=sent_at",
            "CPA_LOOKBACK": "0",
        },
    )
    made = Table(postgres, name, home)
    made.run(f"drop table if exists {name}", TABLE.format(name=name))
    return made


def test_a_table_that_grows_lands_each_row_once_on_its_day(table: Table) -> None:
    table.say(("c1", "m1", "one", "2026-03-04T23:30:00-02:00"), ("c2", "m1", "two", "2026-03-04T10:00:00Z"))
    first = table.home.land()
    assert (first.read, first.records, first.lost) == (1, 2, 0)
    assert table.held() == [("c1", "m1", "one", "2026-03-05"), ("c2", "m1", "two", "2026-03-04")]
    again = table.home.land()
    assert (again.read, again.records, again.removed) == (0, 0, ())

    table.say(("c1", "m2", "more", "2026-03-05T02:00:00Z"), ("c3", "m1", "late", "2026-03-01T10:00:00Z"))
    grown = table.home.land()
    assert [str(day) for day in grown.days] == ["2026-03-01", "2026-03-05"]
    assert [one[:2] for one in table.held()] == [("c1", "m1"), ("c1", "m2"), ("c2", "m1"), ("c3", "m1")]
    assert table.home.land().read == 0


def test_a_row_that_changed_counts_as_it_is_now(table: Table) -> None:
    table.say(("c1", "m1", "wrong", "2026-03-04T10:00:00Z"), ("c1", "m2", "right", "2026-03-04T11:00:00Z"))
    table.home.land()
    table.run(
        "update $t set content = 'mended', sent_at = '2026-03-02T10:00:00Z', updated_at = clock_timestamp() "
        "where message_id = 'm1'"
    )
    landed = table.home.land()
    assert (landed.lost, landed.problems) == (0, ())
    assert table.held() == [("c1", "m1", "mended", "2026-03-02"), ("c1", "m2", "right", "2026-03-04")]
    assert [str(day) for day in landed.days] == ["2026-03-02", "2026-03-04"]
    assert table.home.rows("select count(*) as n from landed_messages") == [{"n": 2}]


def test_a_row_that_was_deleted_stays_as_it_landed(table: Table) -> None:
    table.say(("c1", "m1", "one", "2026-03-04T10:00:00Z"), ("c1", "m2", "two", "2026-03-04T11:00:00Z"))
    table.home.land()
    table.run("delete from $t where message_id = 'm2'")
    assert table.home.land().lost == 0
    assert [one[1] for one in table.held()] == ["m1", "m2"]


@pytest.mark.parametrize("form", ["timestamptz", "timestamp", "date", "bigint", "numeric", "double precision"])
def test_rows_at_the_edge_are_found_whatever_the_watermark_is(table: Table, form: str) -> None:
    """More rows with the newest watermark arrive after it landed; nothing is lost, nothing twice."""
    zoneless = {"timestamptz": "'2026-03-04 10:00Z'", "timestamp": "'2026-03-04 10:00'", "date": "'2026-03-04'"}
    now, later = zoneless.get(form, "7"), zoneless.get(form, "8").replace("04", "05")
    table.run("alter table $t drop updated_at", f"alter table $t add updated_at {form}")
    table.say(("c1", "m1", "a", "2026-03-04T10:00:00Z"), at=now)
    assert table.home.land().records == 1
    table.say(("c1", "m2", "b", "2026-03-04T11:00:00Z"), at=now)
    assert table.home.land().records == 2
    table.say(("c1", "m3", "c", "2026-03-04T12:00:00Z"), at=later)
    table.say(("c1", "m4", "d", "2026-03-04T13:00:00Z"), at=now)
    assert table.home.land().records == 4
    assert table.home.land().read == 0
    assert [one[1] for one in table.held()] == ["m1", "m2", "m3", "m4"]


def test_rows_that_were_committed_late_are_found_within_the_lookback(table: Table) -> None:
    table.say(("c1", "m1", "a", "2026-03-04T10:00:00Z"), at="'2026-03-04 10:00:00Z'")
    table.home.land()
    table.say(("c1", "m2", "b", "2026-03-04T10:01:00Z"), at="'2026-03-04 09:58:00Z'")  # begun before, committed now
    table.say(("c1", "m3", "c", "2026-03-04T10:02:00Z"), at="'2026-03-04 10:02:00Z'")
    table.home.environ["CPA_LOOKBACK"] = "300"
    landed = table.home.land()
    assert [one[1] for one in table.held()] == ["m1", "m2", "m3"] and landed.lost == 0
    assert table.home.rows("select count(*) as n from landed_messages") == [{"n": 3}]


def test_conversations_in_a_column_of_json_are_replaced_whole(table: Table) -> None:
    table.run(
        "drop table $t",
        "create table $t (conversation_id uuid default gen_random_uuid(), messages jsonb, "
        "updated_at timestamptz default clock_timestamp())",
    )

    def messages(*said: str) -> str:
        rows = (
            f'{{"role": "user", "content": "{text}", "timestamp": "2026-03-04T10:00:0{n}Z"}}'
            for n, text in enumerate(said)
        )
        return f"'[{', '.join(rows)}]'"

    del table.home.environ["CPA_MAP"]
    table.run(f"insert into $t (messages) values ({messages('one', 'wrong', 'three')})")
    assert table.home.land().records == 3
    table.run(f"update $t set messages = {messages('one', 'two')}, updated_at = clock_timestamp()")
    landed = table.home.land()
    assert (landed.records, landed.lost) == (2, 0)
    assert [one[2] for one in table.held()] == ["one", "two"]


def test_a_query_in_a_file_is_read_as_a_table(table: Table) -> None:
    table.run(
        "alter table $t add zone text default 'America/New_York'",
        "insert into $t (conversation_id, message_id, role, content, sent_at) values "
        "('c1', 'm1', 'user', 'late at night', '2026-03-04 23:30Z')",
    )
    query = table.home.folder / "messages.sql"
    query.write_text(
        "-- a local time and its zone make a time;\nwith q as (select *, sent_at::timestamp at time zone zone as at "
        f"from {table.name} where role <> 'system') select conversation_id, message_id, role, content, "
        "at as timestamp, updated_at from q; -- the end",
        "utf-8",
    )
    table.home.environ |= {"CPA_QUERY": str(query)}
    for name in ("CPA_TABLE", "CPA_MAP"):
        del table.home.environ[name]
    assert table.home.land().records == 1
    assert table.held() == [("c1", "m1", "late at night", "2026-03-05")]
    (row,) = table.home.rows("select uri from landed_files")
    assert row["uri"].startswith(f"{table.server.address}/messages.sql-") and table.home.land().read == 0


def test_the_types_of_postgres_are_read_as_their_text(table: Table) -> None:
    table.run(
        "drop table $t",
        """create table $t (conversation_id bigint, message_id uuid, user_id char(6), role varchar(9), content text,
          sent_at timestamp, updated_at timestamptz default clock_timestamp(), price numeric, tags text[], about jsonb,
          took interval, place inet, fine bool, raw bytea)""",
        """insert into $t values (7, '00000000-0000-0000-0000-000000000001', 'ann', 'user', E'ünï \\n "x"',
          '2026-03-04 10:00', default, 1.50, '{a,"b c"}', '{"k": [1]}', '90 min', '10.0.0.1', true, 'x')""",
    )
    table.home.environ["CPA_ASSUMED_ZONE"] = "Europe/Berlin"
    assert table.home.land().records == 1
    (row,) = table.home.rows("select *, sent_at::varchar as at, metadata::varchar as about from landed_messages")
    assert (row["conversation_id"], row["user_id"], row["content"]) == ("7", "ann", 'ünï \n "x"')
    assert row["message_id"].endswith("0001") and row["sent_at"] == datetime(2026, 3, 4, 9, tzinfo=UTC)
    for part in ('"price": "1.50"', '"took": "01:30:00"', '"place": "10.0.0.1/32"', '"fine": "true"'):
        assert part.replace('"true"', "true") in row["about"]


def test_rejected_rows_are_rejects_and_stop_no_landing(table: Table) -> None:
    table.say(("c1", "m1", "a", "2026-03-04T10:00:00Z"), ("", "m2", "b", "2026-03-04T10:00:00Z"))
    landed = table.home.land()
    assert (landed.records, landed.lost) == (1, 1) and "conversation_id: blank" in landed.problems[0]
    table.say(("", "m3", "c", "2026-03-04T10:00:00Z"))
    landed = table.home.land()
    assert landed.records == 0
    table.say(("c1", "m4", "d", "infinity"))
    assert any("timestamp" in one for one in table.home.land().problems)
    assert table.home.rows("select count(*) as n from rejected_records") == [{"n": 3}]


def test_what_the_settings_name_anew_is_read_anew(table: Table) -> None:
    table.run("alter table $t add thread text default 't'")
    table.say(("c1", "m1", "a", "2026-03-04T10:00:00Z"))
    table.home.land()
    table.say(("c1", "m2", "b", "2026-03-04T10:01:00Z"))
    table.home.land()
    table.home.environ["CPA_MAP"] = "timestamp=sent_at,conversation_id=thread"
    assert table.home.land().records == 2
    assert [one[:2] for one in table.held()] == [("t", "m1"), ("t", "m2")]
    assert table.home.land().read == 0


def test_an_empty_table_is_no_error(table: Table) -> None:
    assert (table.home.land().objects, unlanded(table.home.assistant()).fresh) == (0, ())


def test_a_table_is_looked_at_without_landing_it(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    assert cpa(table.home, f"land --explain {table.server.url}") == 2
    assert "the table or query has no rows" in capsys.readouterr().err
    table.say(("c1", "m1", "a", "2026-03-04T10:00:00Z"), ("c2", "m1", "b", "2026-03-04T10:00:00Z"))
    assert cpa(table.home, f"land --explain {table.server.url}") == 0
    shown = capsys.readouterr()
    assert "would land: 2 conversations, messages: user 2" in shown.out
    assert_no_secret(table.home, shown.out + shown.err)
    assert not list(table.home.folder.rglob("cpa.duckdb"))
    assert [one.conversation_id for one in source_conversations(table.home.assistant())] == ["c1", "c2"]


def test_many_rows_of_one_moment_are_all_read(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpa_core.sources.databases.spool.PART_ROWS", 100)
    table.say(*((f"c{n}", "m", "x", "2026-03-04T10:00:00Z") for n in range(450)), at="'2026-03-04 10:00Z'")
    table.say(*((f"d{n}", "m", "x", "2026-03-04T10:00:00Z") for n in range(50)), at="'2026-03-04 11:00Z'")
    assert table.home.land().records == 500
    assert len(table.held()) == 500 and table.home.land().read == 0
    table.say(("late", "m", "x", "2026-03-04T10:00:00Z"), at="'2026-03-04 11:00Z'")
    table.home.land()
    assert len(table.held()) == 501 and table.home.land().read == 0


IN_SMALL_PARTS = """
import sys
from cpa_core.cli import main
from cpa_core.pipeline.landing import fetch
from cpa_core.sources.databases import spool
spool.PART_ROWS, fetch.MOST_OBJECTS = 100, 1
sys.exit(main(["land"]))
"""


def test_a_landing_that_is_killed_goes_on_to_the_same_end(table: Table) -> None:
    columns = "conversation_id, message_id, user_id, role, content, sent_at, updated_at"
    table.run(
        f"insert into $t ({columns}) select 'c' || i / 4, 'm' || i, 'u', 'user', 'x', at, at "
        "from (select i, '2026-03-01T00:00Z'::timestamptz + i * interval '100 s' as at "
        "from generate_series(1, 3000) i) q"
    )
    process = subprocess.Popen([sys.executable, "-c", IN_SMALL_PARTS], env={**os.environ, **environ(table.home)})
    kept = 0
    while process.poll() is None and not kept:
        time.sleep(0.05)
        with suppress(StoreBusy, duckdb.Error):
            kept = table.home.rows("select count(*) as n from landed_messages")[0]["n"] if exists(table.home) else 0
    process.kill()
    process.wait()
    assert 0 < kept < 3_000
    landed = table.home.land()
    assert landed.lost == 0 and landed.records < 3_000
    (row,) = table.home.rows(
        "select count(*) as n, count(distinct (conversation_id, message_id)) as different from landed_messages"
    )
    assert row == {"n": 3_000, "different": 3_000} and table.home.land().read == 0
    assert table.days() == ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]


def exists(home: Home) -> bool:
    return home.assistant().store.exists()


# What is refused: one line that says what to do, nothing in the store, and no secret.

Changed = dict[str, str]


def elsewhere(table: Table) -> Changed:
    return {"CPA_SOURCE": table.server.url.replace("/app", "/nowhere")}


REFUSED: dict[str, tuple[Callable[[Table], Changed], str]] = {
    "a wrong password": (
        lambda table: {"CPA_SOURCE": table.server.url.replace(quote(PASSWORD, safe=""), "wr0ng-s3cret")},
        "the login is not accepted",
    ),
    "no password": (
        lambda table: {"CPA_SOURCE": table.server.url.replace(":" + quote(PASSWORD, safe=""), "")},
        "the login is not accepted",
    ),
    "an unknown database": (elsewhere, "no such database"),
    "no server": (lambda table: {"CPA_SOURCE": "postgresql://u:s3cret@127.0.0.1:9/app"}, "the connection is refused"),
    "an unknown host": (
        lambda table: {"CPA_SOURCE": "postgresql://u:p@s3cret@no-host.invalid/app"},
        "the name of the host is not known",
    ),
    "an unknown parameter": (lambda table: {"CPA_SOURCE": table.server.url + "?x=s3cret"}, "the address is not"),
    "an unknown table": (lambda table: {"CPA_TABLE": "nothing"}, 'relation "nothing" does not exist'),
    "an unknown watermark": (lambda table: {"CPA_WATERMARK": "nothing"}, "column r.nothing does not exist"),
    "no watermark": (lambda table: {"CPA_WATERMARK": ""}, "name the column that shows new and changed rows"),
    "neither table nor query": (lambda table: {"CPA_TABLE": ""}, "--table NAME (CPA_TABLE) or --query FILE"),
    "a query that is not there": (lambda table: {"CPA_TABLE": "", "CPA_QUERY": "no.sql"}, "no.sql: No such file"),
    "a watermark without an order": (lambda table: {"CPA_WATERMARK": "content"}, "a time, a date or a number is"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_one_line(table: Table, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, words = REFUSED[case]
    table.say(("c1", "m1", "private words", "2026-03-04T10:00:00Z"))
    table.home.environ |= changes(table)
    assert cpa(table.home, "land") == 2
    shown = capsys.readouterr()
    assert words in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert_no_secret(table.home, shown.err)
    assert not (table.home.folder / "home" / "cpa.duckdb").exists()


QUERIES = {
    "select content from $t": "column r.updated_at does not exist",
    "select content, updated_at from $t": "missing columns: role, conversation_id (or user_id)",
    "select conversation_id as thread, role as sender, content, updated_at from $t": "--map role=sender",
    "selec * from $t": "syntax error at or near",
    "delete from $t returning *": "syntax error|the query writes",
    "select 1 / 0 as x, updated_at from $t": "a value in a row cannot be converted|the server ended the query",
    "select content::int as x, updated_at from $t": "a value in a row cannot be converted|the server ended the query",
    "select role, content, conversation_id, null::timestamptz as updated_at from $t": "updated_at is null in 1 rows",
    "select *, nullif(message_id, 'm1') is null or null as x from $t where pg_terminate_backend(pg_backend_pid())": (
        "the connection was lost"
    ),
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_that_does_not_serve_is_one_line(table: Table, query: str, capsys: pytest.CaptureFixture[str]) -> None:
    table.say(("c1", "m1", "private words", "2026-03-04T10:00:00Z"))
    written = table.home.folder / "q.sql"
    written.write_text(query.replace("$t", table.name), "utf-8")
    table.home.environ |= {"CPA_TABLE": "", "CPA_QUERY": str(written), "CPA_MAP": ""}
    assert cpa(table.home, "land") == 2
    shown = capsys.readouterr()
    assert re.search(QUERIES[query].replace("(", r"\(").replace(")", r"\)"), shown.err), shown.err
    assert shown.err.count("\n") == 1 and "private words" not in shown.err
    assert_no_secret(table.home, shown.err)
    assert not (table.home.folder / "home" / "cpa.duckdb").exists()


def test_a_null_watermark_that_comes_later_is_an_error_that_keeps_what_landed(table: Table) -> None:
    table.run("alter table $t alter updated_at drop not null")
    table.say(("c1", "m1", "a", "2026-03-04T10:00:00Z"))
    table.home.land()
    table.say(("c1", "m2", "b", "2026-03-04T10:00:00Z"), at="null")
    table.say(("c1", "m3", "c", "2026-03-04T10:00:00Z"))
    with pytest.raises(SourceError, match=r"updated_at is null in 1 rows"):
        table.home.land()
    assert [one[1] for one in table.held()] == ["m1"]


class Cut:
    """A relay to the server that breaks every connection after so many bytes of answers."""

    def __init__(self, port: int, after: int) -> None:
        self.port, self.after = port, after
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def own(self) -> int:
        return int(self.socket.getsockname()[1])

    def _serve(self) -> None:
        while True:
            try:
                near = self.socket.accept()[0]
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self._pass, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, self.after), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data if left is None else data[:left])
                left = None if left is None else left - len(data)
                if left is not None and left <= 0:
                    break
        for one in (source, target):
            with_reset(one)


def with_reset(one: socket.socket) -> None:
    """Close a connection for both sides."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def test_a_connection_that_is_lost_in_the_middle_lands_nothing(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    table.say(("first", "m", "kept", "2026-03-04T10:00:00Z"), at="'2026-03-01'")
    table.home.land()
    columns = "conversation_id, message_id, role, content, sent_at"
    table.run(
        f"insert into $t ({columns}) select 'c' || i, 'm', 'user', repeat('private words ', 40), '2026-03-05' "
        "from generate_series(1, 20000) i"
    )
    cut = Cut(table.server.port, 8 << 20)
    direct = table.home.environ["CPA_SOURCE"]
    table.home.environ["CPA_SOURCE"] = direct.replace(str(table.server.port), str(cut.own))
    # The address is another one: what landed from the first is no concern of it.
    assert cpa(table.home, "land") == 2
    cut.socket.close()
    shown = capsys.readouterr()
    assert "the connection was lost" in shown.err and shown.err.count("\n") == 1
    assert_no_secret(table.home, shown.err + shown.out)
    assert [one[0] for one in table.held()] == ["first"]
    table.home.environ["CPA_SOURCE"] = direct
    assert cpa(table.home, "land") == 0
    assert len(table.held()) == 20_001
    assert_no_secret(table.home, "")


def assert_no_secret(home: Home, said: str) -> None:
    """Neither what was said nor any file of the home holds a password, as it is or as an address writes it."""
    texts = [said.encode(), *(path.read_bytes() for path in (home.folder / "home").rglob("*") if path.is_file())]
    for secret in ("s3cret", PASSWORD, quote(PASSWORD, safe="")):
        assert not any(secret.encode() in text for text in texts)
