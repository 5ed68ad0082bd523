"""The engines of a store: one DuckDB file under file locks, or a lake with its ledgers in Postgres (store/lake/)."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import duckdb

from cpa_core.errors import StoreNotWritten
from cpa_core.llm import Allowance, Turns
from cpa_core.store import locks
from cpa_core.store.instance import DAMAGE, damaged, instance, is_made
from cpa_core.store.transaction import Row, Transaction


class AnswerLog(Protocol):
    """The log to which the answers of a run are written as they arrive."""

    def append(self, row: Row) -> None:
        """Add an answer, whole or not at all. Raises AnswersNotKept."""

    def close(self) -> None:
        """Nothing more is added."""


class Reservation(Allowance, Protocol):
    """A worker's part of a budget that all workers spend."""

    def left(self) -> float:
        """US dollars that nobody has spent or reserved."""


class LedgerTables(Protocol):
    """The tables that all workers append to, where they are not in the store's DuckDB: answers, batches, receipts."""

    def turns(self, model: str) -> Turns:
        """The paces of a model, `provider:model`, which all workers keep together."""

    def allowance(
        self, most: float, since: datetime, awaited: Collection[str], beside: Callable[[], float]
    ) -> Reservation:
        """A worker's reservation in a budget of `most` US dollars since a moment; `awaited` are states of batches.

        `beside` returns the cost of answers that are on this machine only.
        """

    def log(self, fallback: Callable[[], AnswerLog]) -> AnswerLog:
        """A log of answers that uses another one while the ledgers are away."""

    def add_answers(self, rows: list[Row]) -> None:
        """Keep these answers, each once by its id. Raises AnswersNotKept."""

    def replace_receipts(self, of: tuple[str, str], keys: list[tuple[str, str]], columns: dict[str, list[Any]]) -> None:
        """Put rows in the place of those of a destination and project `of` these event ids and payload hashes.

        Raises StoreNotWritten.
        """


class StoreEngine(Protocol):
    """How a store is read, written and locked."""

    @property
    def ledger(self) -> LedgerTables | None:
        """The ledgers that are written beside the transactions; None where every table is in the database."""

    def exists(self) -> bool:
        """Whether anything was ever stored."""

    def beside(self, wait: float | None) -> AbstractContextManager[Transaction]:
        """A consistent view, beside other readers. Raises StoreBusy after `wait` seconds."""

    def alone(self, wait: float | None) -> AbstractContextManager[Transaction]:
        """One transaction of the only writer. Raises StoreBusy after `wait` seconds, StoreNotWritten."""

    def whole(self, wait: float | None) -> AbstractContextManager[Transaction]:
        """The database outside a transaction, for nobody else meanwhile."""

    def held(self, name: str, wait: float | None) -> AbstractContextManager[None]:
        """Hold a lock of the store. Raises StoreBusy after `wait` seconds."""

    def migrate(self, transaction: Transaction, number: int, sql: str) -> None:
        """Apply one migration."""

    def vacuum(self, wait: float | None) -> None:
        """Remove the bytes of deleted rows from tables that are in no file of the engine's own. Raises StoreBusy."""


class FileEngine:
    """One DuckDB file, which only its lock's holders open. `foreign_wait`: as Store says."""

    ledger = None

    def __init__(self, home: Path, path: Path, foreign_wait: float, memory_limit: str | None = None) -> None:
        self.home = home
        self.path = path
        self.foreign_wait = foreign_wait
        self._lock = home / "locks" / "store.lock"
        self._instance = instance(path, memory_limit)

    def exists(self) -> bool:
        """Whether the file is there."""
        return is_made(self.path)

    @contextmanager
    def beside(self, wait: float | None) -> Iterator[Transaction]:
        """Under the shared lock. Raises StoreBusy, StoreDamaged."""
        with locks.turn(self._lock, shared=True, wait=wait), self._open(wait, read_only=True) as connection:
            connection.execute("begin")
            try:
                yield Transaction(connection)
            except DAMAGE as failed:
                raise damaged(self.path, failed) from failed

    @contextmanager
    def alone(self, wait: float | None) -> Iterator[Transaction]:
        """Under the exclusive lock. Raises StoreBusy, StoreNotWritten."""
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
    def whole(self, wait: float | None) -> Iterator[Transaction]:
        """Under the exclusive lock, for what no transaction can do. Raises StoreBusy, StoreNotWritten."""
        turn = locks.turn(self._lock, shared=False, wait=wait)
        with turn, self._open(wait, read_only=False) as connection, _said_where(self.path):
            yield Transaction(connection)

    def held(self, name: str, wait: float | None) -> AbstractContextManager[None]:
        """A lock file in the home. Raises StoreBusy after `wait` seconds."""
        return locks.held(self.home / "locks" / f"{name}.lock", wait=wait)

    def migrate(self, transaction: Transaction, number: int, sql: str) -> None:
        """Run the statements of a migration."""
        for statement in statements(sql):
            transaction.execute(statement)

    def vacuum(self, wait: float | None) -> None:
        """Nothing: all tables are in the file, which is compacted by a copy."""

    @contextmanager
    def _open(self, wait: float | None, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        patience = self.foreign_wait if wait is None else min(wait, self.foreign_wait)
        with self._instance.attached(read_only=read_only, wait=patience) as connection:
            yield connection


def statements(sql: str) -> list[str]:
    """The statements of a migration, which holds no semicolon within one."""
    return [one for one in sql.split(";") if one.strip()]


@contextmanager
def _said_where(path: Path) -> Iterator[None]:
    """Turn a write error of DuckDB into StoreNotWritten, with the file."""
    try:
        yield
    except (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException) as failed:
        raise StoreNotWritten(f"{path}: nothing of this step is stored: {str(failed).splitlines()[0]}") from failed
