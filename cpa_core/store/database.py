"""Opening, locking, migrating, reading and bulk-writing the one DuckDB file."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from cpa_core.errors import SettingsError, StoreBusy
from cpa_core.store import locks

Row = dict[str, Any]

FOREIGN_WAIT = 30.0
"""Seconds to wait for a process that holds the file without our lock, such as a notebook."""


class Transaction:
    """One open connection inside a transaction. Not kept past its `with`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, **names: Any) -> None:
        """Run a statement with its inputs bound."""
        self._connection.execute(sql, names or None)

    def rows(self, sql: str, **names: Any) -> list[Row]:
        """The rows of a query as dictionaries. Times are aware, UTC."""
        result = self._connection.execute(sql, names or None)
        columns = [column[0] for column in result.description or []]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def answer(self, question: str, **names: Any) -> list[Row]:
        """The rows of `sql/<question>.sql`, which opens with the question as a comment."""
        return self.rows(question_sql(question), **names)

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows in bulk. Columns that a row lacks are null; a key that is no column is a KeyError."""
        if not rows:
            return
        schema = self._connection.execute(f"select * from {table} limit 0").to_arrow_table().schema
        unknown = {key for row in rows for key in row} - set(schema.names)
        if unknown:
            raise KeyError(f"{table} has no column {sorted(unknown)}")
        self._connection.register("incoming", pa.Table.from_pylist(list(rows), schema=schema))
        self._connection.execute(f"insert into {table} by name select * from incoming")
        self._connection.unregister("incoming")

    def insert_day(self, table: str, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace a day of a table by these rows."""
        self.execute(f"delete from {table} where day = $day", day=day)
        self.insert(table, rows)


class Store:
    """The only owner of `cpa.duckdb` in a home. Made for a time zone, which is fixed at first use."""

    def __init__(self, home: Path, timezone: str = "UTC") -> None:
        self.home = home
        self.path = home / "cpa.duckdb"
        self.timezone = timezone
        self._lock = home / "locks" / "store.lock"
        self._ready = False

    def exists(self) -> bool:
        """Whether anything was ever stored here."""
        return self.path.exists()

    @contextmanager
    def reading(self, wait: float | None = None) -> Iterator[Transaction]:
        """A consistent view of the database, beside other readers. Raises StoreBusy after `wait` seconds."""
        self._prepare()
        with locks.turn(self._lock, shared=True, wait=wait), self._open(read_only=True) as connection:
            connection.execute("begin")
            yield Transaction(connection)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction, alone: all of it is kept, or none."""
        self._prepare()
        with self._alone() as transaction:
            yield transaction

    @contextmanager
    def _alone(self) -> Iterator[Transaction]:
        with locks.turn(self._lock, shared=False), self._open(read_only=False) as connection:
            connection.execute("begin")
            try:
                yield Transaction(connection)
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    @contextmanager
    def day_lock(self, day: date) -> Iterator[None]:
        """A stage holds its day: a second run waits and then finds everything done."""
        with locks.held(self.home / "locks" / f"{day}.lock"):
            yield

    @contextmanager
    def landing_lock(self) -> Iterator[None]:
        """Only one landing at a time."""
        with locks.held(self.home / "locks" / "landing.lock"):
            yield

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = connect(self.path, read_only=read_only)
        try:
            connection.execute("set timezone = 'UTC'")
            yield connection
        finally:
            connection.close()

    def _prepare(self) -> None:
        if self._ready:
            return
        self.home.mkdir(parents=True, exist_ok=True)
        with self._alone() as transaction:
            migrate(transaction, self.timezone)
        self._ready = True


def migrate(transaction: Transaction, timezone: str) -> None:
    """Apply the numbered migrations that are not recorded yet. Raises SettingsError for another time zone."""
    transaction.execute("create table if not exists migrations (number bigint, applied_at timestamptz)")
    applied = {row["number"] for row in transaction.rows("select number from migrations")}
    for number, sql in migrations():
        if number not in applied:
            for statement in filter(str.strip, sql.split(";")):
                transaction.execute(statement)
            transaction.insert("migrations", [{"number": number, "applied_at": datetime.now(UTC)}])
    fixed = transaction.rows("select value from settings_fixed where name = 'timezone'")
    if not fixed:
        transaction.insert("settings_fixed", [{"name": "timezone", "value": timezone}])
    elif fixed[0]["value"] != timezone:
        raise SettingsError(
            f"CPA_TIMEZONE is {timezone}, but this home was begun with {fixed[0]['value']}: days would move; "
            f"use CPA_TIMEZONE={fixed[0]['value']} or another CPA_HOME"
        )


@cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Numbers and statements of every migration, in order."""
    folder = files("cpa_core.store").joinpath("migrations")
    found = sorted((p.name, p.read_text("utf-8")) for p in folder.iterdir() if p.name.endswith(".sql"))
    return tuple((int(name[:4]), sql) for name, sql in found)


@cache
def question_sql(question: str) -> str:
    """The words of `sql/<question>.sql`."""
    return files("cpa_core").joinpath("sql", f"{question}.sql").read_text("utf-8")


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open the file, waiting for a process that does not know our lock. Raises StoreBusy naming it."""
    until = time.monotonic() + FOREIGN_WAIT
    pause = 0.02
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as refused:
            holder = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", str(refused))
            if holder is None:
                raise
            if time.monotonic() > until:
                raise StoreBusy(
                    f"{path}: held by process {holder[2]} ({holder[1]}); close it there and run again"
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
