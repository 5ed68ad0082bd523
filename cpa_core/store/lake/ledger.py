"""The tables that all workers append to, as Postgres's own: answers, batches and receipts, each row under its key.

Sources: https://www.postgresql.org/docs/15/sql-insert.html (on conflict) and
https://www.psycopg.org/psycopg3/docs/basic/adapt.html (lists as arrays).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString

import psycopg
from psycopg import sql as words

from cpa_core.errors import AnswersNotKept, StoreBusy, StoreNotWritten
from cpa_core.llm import Turns
from cpa_core.store.engine import AnswerLog
from cpa_core.store.lake.answers import LedgerLog
from cpa_core.store.lake.postgres import Connection, PostgresConnections
from cpa_core.store.lake.sharing import SharedAllowance, SharedTurns
from cpa_core.store.transaction import Row, question_sql

LEDGER = ("answers", "batches", "upload_receipts", "deletion_receipts", "tombstones", "forgetting_journal")
"""The tables that stand in Postgres; all others are the lake's."""
VALUES = ("ducklake_file_column_stats", "ducklake_table_column_stats")
"""The tables of a catalog that hold values of columns."""
OWN = re.compile(r"\$(\w+)")
PREPARING = 0x637061
"""The advisory lock under which the schema is made."""


class PostgresLedger:
    """The ledgers of one store. `answer` and the writes below are transactions of their own."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        self._is_prepared = False

    def exists(self) -> bool:
        """Whether a first migration was applied here."""
        with self._connections.leased() as connection:
            schema = self._connections.address.schema
            found = connection.execute("select to_regclass(%s) as name", [f"{schema}.applied"]).fetchone()
            if not found or found["name"] is None:
                return False
            row = connection.execute("select exists (select 1 from applied) as made").fetchone()
            return bool(row and row["made"])

    def prepare(self) -> None:
        """Make the schema and the tables of fences and applied migrations, unless they are there."""
        if self._is_prepared:
            return
        schema = words.Identifier(self._connections.address.schema)
        with self._connections.leased() as connection, connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [PREPARING])
            connection.execute(words.SQL("create schema if not exists {}").format(schema))
            connection.execute("create table if not exists fences (name text primary key, number bigint)")
            connection.execute("create table if not exists applied (number bigint primary key)")
            for table in filter(str.strip, question_sql("lake/shared_limits").split(";")):
                connection.execute(table.encode())
        self._is_prepared = True

    def migrate(self, number: int, statements: list[str]) -> None:
        """Apply the statements of a migration, unless they are: a lake's transaction that failed left them applied."""
        with self._connections.leased() as connection, connection.transaction():
            done = connection.execute(
                "insert into applied values (%s) on conflict do nothing returning number", [number]
            ).fetchone()
            if done is None:
                return
            for statement in statements:
                connection.execute(in_postgres(statement))
            if statements:
                for index in filter(str.strip, question_sql("lake/keys").split(";")):
                    _where_possible(connection, index)

    def answer(self, question: str, names: Mapping[str, Any]) -> list[Row] | None:
        """The answer to a question that has words for Postgres; null where it has none."""
        asked = postgres_sql(question)
        if asked is None:
            return None
        try:
            with self._connections.leased() as connection:
                found: list[Row] = connection.execute(asked.encode(), names).fetchall()
                return found
        except psycopg.OperationalError as failed:
            raise StoreBusy(self._words("cannot be read", failed)) from None

    def turns(self, model: str) -> Turns:
        """The paces of a model, `provider:model`, for all workers."""
        self.prepare()
        return SharedTurns(self._connections, model)

    def allowance(
        self, most: float, since: datetime, awaited: Collection[str], beside: Callable[[], float]
    ) -> SharedAllowance:
        """A worker's reservation in a budget of `most` US dollars since a moment."""
        self.prepare()
        return SharedAllowance(self._connections, most, since, awaited, beside)

    def add_answers(self, rows: list[Row]) -> None:
        """Keep these answers, each once by its id. Raises AnswersNotKept."""
        try:
            self._add(rows)
        except (psycopg.Error, StoreBusy) as failed:
            raise AnswersNotKept(self._words("answers are not kept", failed)) from None

    def log(self, fallback: Callable[[], AnswerLog]) -> AnswerLog:
        """The answers of a run, written by a thread of its own; while Postgres is away, to the other log."""
        return LedgerLog(self._add, fallback, self._words)

    def _add(self, rows: list[Row]) -> None:
        """Raises psycopg.Error, StoreBusy."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {name: [row.get(name) for row in rows] for name in names}
        columns["day"] = [day or None for day in columns["day"]]
        with self._connections.leased(0) as connection, connection.transaction():
            _insert(connection, "answers", columns, "on conflict (answer_id) do nothing")

    def replace_receipts(self, of: tuple[str, str], keys: list[tuple[str, str]], columns: dict[str, list[Any]]) -> None:
        """Put rows in the place of those of these keys: event id and payload hash. Raises StoreNotWritten."""
        kept = set(zip(columns.get("event_id", ()), columns.get("payload_hash", ()), strict=True))
        gone = [key for key in keys if key not in kept]
        try:
            with self._connections.leased() as connection, connection.transaction():
                if gone:
                    names = {"destination": of[0], "project": of[1], "ids": [k[0] for k in gone]}
                    hashes = [key[1] for key in gone]
                    connection.execute(question_sql("lake/receipts_removed"), {**names, "hashes": hashes})
                if kept:
                    others = [name for name in columns if name not in RECEIPT_KEY]
                    update = ", ".join(f"{name} = excluded.{name}" for name in others)
                    clause = f"on conflict ({', '.join(RECEIPT_KEY)}) do update set {update}"
                    _insert(connection, "upload_receipts", columns, clause)
        except psycopg.Error as failed:
            raise StoreNotWritten(self._words("receipts are not stored", failed)) from None

    def vacuum(self, lake_schema: str) -> None:
        """Rewrite the tables that hold values of rows, so that no page of them holds a deleted one.

        The catalog's smallest and largest values of a column are those of its files; DuckLake keeps them when a file
        goes. Postgres's statistics, which hold frequent values, are made anew. Raises StoreBusy where another worker
        reads a table for too long.
        """
        names = {"lake": words.Identifier(lake_schema)}
        try:
            with self._connections.leased() as connection:
                connection.execute(words.SQL(question_sql("lake/stale_values")).format(**names))
                connection.execute("set lock_timeout = '30s'")
                for table, how in _rewritten(lake_schema):
                    connection.execute(words.SQL("vacuum ({}) {}").format(words.SQL(how), words.Identifier(*table)))
                connection.execute("set lock_timeout = 0")
        except psycopg.Error as failed:
            raise StoreBusy(self._words("its tables cannot be rewritten now", failed)) from None

    def _words(self, what: str, failed: Exception) -> str:
        at = self._connections.address
        return f"{at.shown}: {what}: {at.without_secrets(str(failed))}"


def _rewritten(lake_schema: str) -> Iterator[tuple[tuple[str, ...], LiteralString]]:
    """The tables to rewrite, each with how; last the statistics, whose rows these replaced."""
    yield ("forgetting_journal",), "full"  # never analyzed, so that no statistics hold its words
    for table in LEDGER:
        if table != "forgetting_journal":
            yield (table,), "full, analyze"
    for table in VALUES:
        yield (lake_schema, table), "full, analyze"
    yield ("pg_catalog", "pg_statistic"), "full"


RECEIPT_KEY = ("destination", "project", "event_id", "payload_hash")


def in_postgres(statement: str) -> str:
    """A statement of a migration in the words of Postgres."""
    return re.sub(r"\bdouble\b(?! precision)", "double precision", statement)


@cache
def postgres_sql(question: str) -> str | None:
    """The words of `sql/lake/<question>.sql` with psycopg's names; null where a question has none."""
    found = files("cpa_core").joinpath("sql", "lake", f"{question}.sql")
    if not found.is_file():
        return None
    return OWN.sub(r"%(\1)s", found.read_text("utf-8").replace("%", "%%"))


def _insert(connection: Connection, table: str, columns: Mapping[str, list[Any]], clause: str) -> None:
    """Add rows, given as columns, in one statement of one round trip."""
    kinds = _kinds(connection, table)
    if unknown := columns.keys() - kinds.keys():
        raise KeyError(f"{table} has no column {sorted(unknown)}")
    names = ", ".join(columns)
    arrays = ", ".join(f"%({name})s::{kinds[name]}[]" for name in columns)
    given = {name: [_storable(value) for value in values] for name, values in columns.items()}
    connection.execute(f"insert into {table} ({names}) select * from unnest({arrays}) {clause}".encode(), given)


def _kinds(connection: Connection, table: str) -> dict[str, str]:
    rows = connection.execute(question_sql("lake/column_types"), {"table": table}).fetchall()
    return {row["name"]: row["kind"] for row in rows}


def _storable(value: Any) -> Any:
    """Postgres stores no zero byte within a text, and no half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return value


def _where_possible(connection: Connection, index: str) -> None:
    """Make an index, unless its columns come with a later migration."""
    try:
        with connection.transaction():
            connection.execute(index.encode())
    except psycopg.errors.UndefinedColumn:
        return
