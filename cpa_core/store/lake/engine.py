"""Reading and writing a lake: snapshots for readers, one writer at a time from begin to commit."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import duckdb

from cpa_core.errors import SettingsError, StoreBusy, StoreNotWritten
from cpa_core.store.engine import statements
from cpa_core.store.lake.address import LakeAddress
from cpa_core.store.lake.catalog import Catalog
from cpa_core.store.lake.ledger import LEDGER, PostgresLedger
from cpa_core.store.lake.locks import AdvisoryLocks
from cpa_core.store.lake.postgres import PostgresConnections
from cpa_core.store.lake.sides import Side
from cpa_core.store.transaction import Transaction, question_sql

LOST = re.compile(
    r"connection|terminat|server closed|could not (?:receive|send)|Unable to connect|shutting down|starting up",
    re.IGNORECASE,
)
"""DuckDB's words if the catalog's server is gone or restarts."""
BY_DAY = ("raw_conversations", "messages", "tagged_conversations", "tagged_events", "judge_scores")
"""The large tables of a day, whose files hold one day each: a day is replaced without reading the others."""
TABLE = re.compile(r"\b(?:table(?: if not exists)?|into|from|update)\s+(\w+)", re.IGNORECASE)


class LakeEngine:
    """DuckLake for the large tables, Postgres for the ledgers and the locks."""

    def __init__(self, address: LakeAddress, memory_limit: str | None = None) -> None:
        self.address = address
        self.connections = PostgresConnections(address)
        self.locks = AdvisoryLocks(self.connections)
        self.ledger = PostgresLedger(self.connections)
        self.catalog = Catalog(address, memory_limit)
        self._is_made = False

    def exists(self) -> bool:
        """Whether a store was begun at this address. Raises StoreBusy where Postgres does not answer."""
        self._is_made = self._is_made or self.ledger.exists()
        return self._is_made

    @contextmanager
    def beside(self, wait: float | None) -> Iterator[Transaction]:
        """A snapshot, under no lock. Raises StoreBusy where Postgres does not answer."""
        said = self._said(StoreBusy, "this cannot be read now")
        with said, self.catalog.cursor() as connection, self._begun(connection):
            yield Transaction(connection, Side(self.catalog, self.ledger))
            connection.execute("rollback")

    @contextmanager
    def alone(self, wait: float | None) -> Iterator[Transaction]:
        """From begin to commit under the writer's lock. The lake is committed first, then the ledgers.

        Raises StoreBusy, StoreNotWritten.
        """
        self.ledger.prepare()
        said = self._said(StoreNotWritten, "nothing of this step is stored")
        with self.locks.writing(wait) as writer, said, self.catalog.cursor() as connection:
            side = Side(self.catalog, self.ledger)
            with side:
                with self._begun(connection):
                    yield Transaction(connection, side)
                    self.locks.expect_held(writer)
                connection.execute("commit")
                side.commit()
        self._is_made = True

    @contextmanager
    def whole(self, wait: float | None) -> Iterator[Transaction]:
        """The lake outside a transaction, for no other writer meanwhile: for upkeep. Raises StoreBusy."""
        said = self._said(StoreNotWritten, "this step is not done")
        with self.locks.writing(wait), said, self.catalog.cursor() as connection:
            self.catalog.name(connection)
            yield Transaction(connection, Side(self.catalog, self.ledger))

    def held(self, name: str, wait: float | None) -> AbstractContextManager[None]:
        """An advisory lock with a fence. Raises StoreBusy after `wait` seconds."""
        self.ledger.prepare()
        return self.locks.held(name, wait)

    def migrate(self, transaction: Transaction, number: int, sql: str) -> None:
        """Apply a migration: statements about the ledgers in Postgres, once, and the others to the lake."""
        parts = statements(sql)
        self.ledger.migrate(number, [one for one in parts if table_of(one) in LEDGER])
        for statement in parts:
            if table_of(statement) not in LEDGER:
                transaction.execute(statement)
        if number == 1:
            for table in BY_DAY:
                transaction.execute(f"alter table {table} set partitioned by (day)")

    def vacuum(self, wait: float | None) -> None:
        """Remove from Postgres the bytes of deleted rows and of values that the catalog noted of them.

        A process keeps the catalog's values until a file is added: one is, so that nobody writes them back.
        """
        with self.locks.writing(wait):
            self.catalog.give_up()
            self.ledger.vacuum(self.address.lake_schema)
            with self.catalog.cursor() as connection:
                with self._begun(connection):
                    connection.execute(question_sql("lake/vacuumed_before"))
                    connection.execute(question_sql("lake/vacuumed"))
                connection.execute("commit")

    def close(self) -> None:
        """Let go of every connection; the next transaction connects anew."""
        self.catalog.give_up()
        self.connections.close()

    @contextmanager
    def _begun(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """A transaction that is rolled back at an error, before its connection is closed.

        Closing an open transaction whose server is gone ends the process with SIGABRT, which Python cannot catch.
        Source: https://github.com/PostHog/duckgres/pull/133.
        """
        try:
            self.catalog.begin(connection)
            yield
        except BaseException:
            _roll_back(connection)
            raise

    @contextmanager
    def _said(self, kind: type[StoreBusy] | type[StoreNotWritten], what: str) -> Iterator[None]:
        """Turn DuckDB's errors about a lost server or a refused write into ours, without the login."""
        try:
            yield
        except duckdb.Error as failed:
            words = self.address.without_secrets(str(failed))
            is_lost = LOST.search(words) is not None
            if is_lost:
                self.catalog.give_up()
            if is_lost or isinstance(failed, duckdb.IOException | duckdb.TransactionException | duckdb.HTTPException):
                raise kind(f"{self.address.shown}: {what}: {words}") from None
            raise


def table_of(statement: str) -> str:
    """The table that a statement of a migration is about."""
    plain = re.sub(r"--[^\n]*", "", statement)
    found = TABLE.search(plain)
    if found is None:
        raise SettingsError(f"a migration has a statement about no table: {plain.strip()[:60]}")
    return found[1].lower()


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("rollback")
    except duckdb.Error:
        connection.close()  # the transaction ends with it
