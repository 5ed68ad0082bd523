"""Opening, locking, migrating, reading and bulk-writing the one DuckDB file."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from cpa_core.errors import SettingsError, StoreNotWritten
from cpa_core.store import locks
from cpa_core.store.instance import DAMAGE, damaged, instance, is_made

Row = dict[str, Any]

ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "VARCHAR[]": pa.list_(pa.string()),
    "BIGINT[]": pa.list_(pa.int64()),
}
"""The column types that our tables use, as bulk writes need them."""


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

    def table(self, question: str, **names: Any) -> pa.Table:
        """The rows of `sql/<question>.sql` as an Arrow table, for many of them."""
        return self._connection.sql(question_sql(question), params=names or None).to_arrow_table()

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows in bulk. Columns that a row lacks are null; a key that is no column is a KeyError."""
        names = dict.fromkeys(key for row in rows for key in row)
        self.insert_columns(table, {name: [row.get(name) for row in rows] for name in names})

    def insert_columns(self, table: str, columns: Mapping[str, Iterable[Any]]) -> None:
        """Add rows in bulk, given as columns of equal length. A name that is no column is a KeyError."""
        if not columns:
            return
        types = {name: kind for name, kind, *_ in self._connection.execute(f"describe {table}").fetchall()}
        unknown = columns.keys() - types.keys()
        if unknown:
            raise KeyError(f"{table} has no column {sorted(unknown)}")
        arrays = {name: _array(values, ARROW_TYPES[types[name]]) for name, values in columns.items()}
        self._connection.register("incoming", pa.table(arrays))
        self._connection.execute(f"insert into {table} by name select * from incoming")
        self._connection.unregister("incoming")

    def insert_day(self, table: str, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace a day of a table by these rows."""
        self.execute(f"delete from {table} where day = $day", day=day)
        self.insert(table, rows)


def as_json(values: Iterable[str]) -> str:
    """Many texts bound as one, to be read with `$name::json::varchar[]`.

    For each text of a list that is bound, DuckDB looks for pandas twice: half a millisecond where it is not installed.
    """
    return json.dumps(list(values))


def _array(values: Iterable[Any], kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, kind)


class Store:
    """The only owner of `cpa.duckdb` in a home. Made for a time zone, which is fixed at first use.

    `foreign_wait` is how many seconds to wait for a process that holds the file without our lock, such as a notebook.
    `answers_in_step` says that the files of answers were looked at, and hold what the table holds.
    """

    def __init__(self, home: Path, timezone: str = "UTC", foreign_wait: float = 30.0) -> None:
        self.home = home
        self.path = home / "cpa.duckdb"
        self.timezone = timezone
        self.foreign_wait = foreign_wait
        self._lock = home / "locks" / "store.lock"
        self._instance = instance(self.path)
        self._ready = False
        self.answers_in_step = False

    def exists(self) -> bool:
        """Whether anything was ever stored here."""
        return is_made(self.path)

    @contextmanager
    def reading(self, wait: float | None = None) -> Iterator[Transaction]:
        """A consistent view of the database, beside other readers. Raises StoreBusy after `wait` seconds."""
        self._prepare(wait)
        with self._beside(wait) as transaction:
            yield transaction

    @contextmanager
    def writing(self, wait: float | None = None) -> Iterator[Transaction]:
        """One transaction, alone: all of it is kept, or none. Raises StoreBusy after `wait` seconds."""
        self._prepare(wait)
        with self._alone(wait) as transaction:
            yield transaction

    @contextmanager
    def alone(self, wait: float | None = None) -> Iterator[Transaction]:
        """The database outside a transaction, for nobody else meanwhile: for what no transaction can do.

        Raises StoreBusy after `wait` seconds, StoreNotWritten.
        """
        self._prepare(wait)
        turn = locks.turn(self._lock, shared=False, wait=wait)
        with turn, self._open(wait, read_only=False) as connection, _said_where(self.path):
            yield Transaction(connection)

    @contextmanager
    def _beside(self, wait: float | None) -> Iterator[Transaction]:
        with locks.turn(self._lock, shared=True, wait=wait), self._open(wait, read_only=True) as connection:
            connection.execute("begin")
            try:
                yield Transaction(connection)
            except DAMAGE as failed:
                raise damaged(self.path, failed) from failed

    @contextmanager
    def _alone(self, wait: float | None) -> Iterator[Transaction]:
        with locks.turn(self._lock, shared=False, wait=wait), self._open(wait, read_only=False) as connection:
            connection.execute("begin")
            with _said_where(self.path):
                try:
                    yield Transaction(connection)
                except BaseException:
                    connection.execute("rollback")
                    raise
                connection.execute("commit")

    @contextmanager
    def day_lock(self, day: date, wait: float | None = None) -> Iterator[None]:
        """A stage holds its day: a second run waits, then finds everything done. Raises StoreBusy after `wait` s."""
        with locks.held(self.home / "locks" / f"{day}.lock", wait=wait):
            yield

    @contextmanager
    def landing_lock(self) -> Iterator[None]:
        """Only one landing at a time."""
        with locks.held(self.home / "locks" / "landing.lock"):
            yield

    @contextmanager
    def topics_lock(self) -> Iterator[None]:
        """Only one process finds topics: clustering takes longer than the database may be locked."""
        with locks.held(self.home / "locks" / "topics.lock"):
            yield

    @contextmanager
    def proposal_lock(self) -> Iterator[None]:
        """Only one process proposes a schema; who comes second finds it there."""
        with locks.held(self.home / "locks" / "proposal.lock"):
            yield

    @contextmanager
    def batch_lock(self, wait: float | None = None) -> Iterator[None]:
        """Only one process hands batches over, or looks after them. Raises StoreBusy after `wait` seconds."""
        with locks.held(self.home / "locks" / "batches.lock", wait=wait):
            yield

    @contextmanager
    def merge_lock(self) -> Iterator[None]:
        """Only one process merges answers, so that a book that is locked meanwhile is a living run's."""
        with locks.held(self.home / "locks" / "merge.lock"):
            yield

    @contextmanager
    def _open(self, wait: float | None, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        patience = self.foreign_wait if wait is None else min(wait, self.foreign_wait)
        with self._instance.attached(read_only=read_only, wait=patience) as connection:
            yield connection

    def _prepare(self, wait: float | None) -> None:
        """Migrate at first use; who finds nothing to do has only read, so a sensor never waits to write."""
        if self._ready:
            return
        if self.exists():
            with self._beside(wait) as view:
                self._ready = is_current(view, self.timezone)
        if not self._ready:
            self.home.mkdir(parents=True, exist_ok=True)
            with self._alone(wait) as transaction:
                migrate(transaction, self.timezone)
            self._ready = True


@contextmanager
def _said_where(path: Path) -> Iterator[None]:
    """Turns what DuckDB says when it cannot write into StoreNotWritten, with the file."""
    try:
        yield
    except (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException) as failed:
        raise StoreNotWritten(f"{path}: nothing of this step is stored: {str(failed).splitlines()[0]}") from failed


def is_current(view: Transaction, timezone: str) -> bool:
    """Whether every migration is applied. Raises SettingsError for another time zone or a newer version's home."""
    tables = view.rows("select table_name from information_schema.tables where table_name = 'migrations'")
    applied = {row["number"] for row in view.rows("select number from migrations")} if tables else set()
    known = {number for number, _ in migrations()}
    if applied - known:
        raise SettingsError(f"this CPA_HOME was written by a newer version (migration {max(applied)}): install that")
    if applied != known:
        return False
    fixed = view.rows("select value from settings_fixed where name = 'timezone'")[0]["value"]
    if fixed != timezone:
        raise SettingsError(
            f"CPA_TIMEZONE is {timezone}, but this home was begun with {fixed}: days would move; "
            f"use CPA_TIMEZONE={fixed} or another CPA_HOME"
        )
    return True


def migrate(transaction: Transaction, timezone: str) -> None:
    """Apply the numbered migrations that are not recorded yet, and fix the time zone if none is."""
    transaction.execute("create table if not exists migrations (number bigint, applied_at timestamptz)")
    applied = {row["number"] for row in transaction.rows("select number from migrations")}
    missing = [(number, sql) for number, sql in migrations() if number not in applied]
    for _, sql in missing:
        for statement in filter(str.strip, sql.split(";")):
            transaction.execute(statement)
    transaction.insert("migrations", [{"number": number, "applied_at": datetime.now(UTC)} for number, _ in missing])
    if not transaction.rows("select value from settings_fixed where name = 'timezone'"):
        transaction.insert("settings_fixed", [{"name": "timezone", "value": timezone}])
    is_current(transaction, timezone)


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
