"""Locks of a store between machines: Postgres's advisory locks, each on a connection of its own, with a fence.

A holder whose connection breaks has lost its lock without noticing. So every lock that is taken raises a number, its
fence, and a transaction is kept only while the fences of all locks of its thread are still those that it was given.
Source: https://www.postgresql.org/docs/15/explicit-locking.html (advisory locks of a session).
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from cpa_core.errors import StoreBusy, StoreNotWritten
from cpa_core.store.lake.postgres import PATIENCE, Connection, PostgresConnections
from cpa_core.store.transaction import question_sql


class Fence(NamedTuple):
    """A lock as it was given: nobody else was given it since, as long as the number stands."""

    name: str
    number: int


class AdvisoryLocks:
    """The locks of one store, for the threads of one process."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        self._place = f"{connections.address.database}/{connections.address.schema}"
        self._own = threading.local()

    @contextmanager
    def held(self, name: str, wait: float | None) -> Iterator[None]:
        """Hold a lock with a fence. Raises StoreBusy after `wait` seconds (none: as long as it takes)."""
        with self._taken(name, wait) as connection:
            row = connection.execute(question_sql("lake/raise_fence"), {"name": name}).fetchone()
            fence = Fence(name, int(row["number"]) if row else 0)
            self._fences.append(fence)
            try:
                yield
            finally:
                self._fences.remove(fence)

    @contextmanager
    def writing(self, wait: float | None) -> Iterator[Connection]:
        """Hold the lock of the only writer: the connection that holds it, which `expect_held` asks."""
        with self._taken("store", wait) as connection:
            yield connection

    def expect_held(self, writer: Connection) -> None:
        """Raises StoreNotWritten where the writer's lock, or another lock of this thread, may be another's by now."""
        fences = {fence.name: fence.number for fence in self._fences}
        try:
            found = writer.execute("select name, number from fences where name = any(%s)", [list(fences)]).fetchall()
        except psycopg.Error:
            raise StoreNotWritten("the connection that held the store's lock was lost; run again") from None
        if lost := sorted(fences.items() - {(row["name"], row["number"]) for row in found}):
            raise StoreNotWritten(f"the lock {lost[0][0]} was lost, and another worker has taken it; run again")

    @property
    def _fences(self) -> list[Fence]:
        """The locks that this thread holds."""
        if not hasattr(self._own, "fences"):
            self._own.fences = []
        found: list[Fence] = self._own.fences
        return found

    @contextmanager
    def _taken(self, name: str, wait: float | None) -> Iterator[Connection]:
        key = key_of(self._place, name)
        with self._connections.leased(PATIENCE if wait is None else min(wait, PATIENCE)) as connection:
            try:
                _take(connection, key, wait)
            except psycopg.errors.LockNotAvailable:
                holder = _holder(connection, key)
                raise StoreBusy(f"{name}: {holder} holds this lock; waited {wait:.0f} s") from None
            except psycopg.OperationalError:
                raise StoreBusy(f"{name}: the connection to Postgres was lost while waiting for this lock") from None
            try:
                yield connection
            finally:
                _let_go(connection, key)


def key_of(place: str, name: str) -> int:
    """The 64-bit key of a lock."""
    return int.from_bytes(hashlib.blake2b(f"{place}/{name}".encode(), digest_size=8).digest(), "big", signed=True)


def _take(connection: Connection, key: int, wait: float | None) -> None:
    """Postgres serves those who wait in the order in which they came; a try succeeds only where nobody waits."""
    row = connection.execute("select pg_try_advisory_lock(%s) as taken", [key]).fetchone()
    if row and row["taken"]:
        return
    milliseconds = 0 if wait is None else max(1, round(1000 * wait))
    connection.execute(f"set lock_timeout = {milliseconds}")
    try:
        connection.execute("select pg_advisory_lock(%s)", [key])
    finally:
        if not connection.broken:
            connection.execute("set lock_timeout = 0")


def _let_go(connection: Connection, key: int) -> None:
    """A connection that is lost has let go; one that cannot say so is closed, which lets go too."""
    try:
        connection.execute("select pg_advisory_unlock(%s)", [key])
    except psycopg.Error:
        connection.close()


def _holder(connection: Connection, key: int) -> str:
    """Who holds a lock, as the server sees it: program, machine, process, and since when it is connected."""
    row = connection.execute(question_sql("lake/holder"), {"key": key}).fetchone()
    return f"{row['holder']} (Postgres process {row['pid']}, since {row['since']})" if row else "another worker"
