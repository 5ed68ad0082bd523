"""Connections to the Postgres of a store, which are kept for reuse and retried while the server restarts.

Sources: https://www.psycopg.org/psycopg3/docs/api/connections.html (autocommit, errors),
https://www.postgresql.org/docs/15/runtime-config-client.html (lc_messages, lock_timeout) and
https://www.postgresql.org/docs/15/libpq-connect.html (keepalives).
"""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from cpa_core.errors import SettingsError, StoreBusy
from cpa_core.store.lake.address import LakeAddress

Connection: TypeAlias = "psycopg.Connection[dict[str, Any]]"
PATIENCE = 30.0
"""Seconds for which a server that does not answer is tried again: a restart takes less."""
PAUSE = 0.25
KEEPALIVE = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
"""The server notices within a minute that a machine is gone, and frees what it locked; so does the client."""
ENGLISH = re.compile(r"(C|POSIX|en)\b|en_|$", re.IGNORECASE)
"""Languages of errors that DuckLake can read: it knows a conflict by its English words."""
LASTING = re.compile(
    r"password|authentication|does not exist|no pg_hba.conf entry|not permitted to log in|unsupported startup"
)
"""Errors that a retry does not resolve."""


class PostgresConnections:
    """Idle connections of a process, each in autocommit. A connection that failed is not used again."""

    def __init__(self, address: LakeAddress) -> None:
        self.address = address
        self._idle: list[Connection] = []
        self._guard = threading.Lock()
        self._checked = False

    @contextmanager
    def leased(self, patience: float = PATIENCE) -> Iterator[Connection]:
        """A connection for one user at a time. Raises StoreBusy, SettingsError; psycopg's errors pass through."""
        connection = self._taken(patience)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if not connection.closed:
            with self._guard:
                self._idle.append(connection)

    def _taken(self, patience: float) -> Connection:
        """An idle connection that still answers, else a new one."""
        while True:
            with self._guard:
                found = self._idle.pop() if self._idle else None
            if found is None:
                return self._made(patience)
            with suppress(psycopg.OperationalError):
                found.execute("select 1")
                return found
            found.close()

    def _made(self, patience: float) -> Connection:
        until = time.monotonic() + patience
        while True:
            try:
                made = self._connect()
                break
            except psycopg.OperationalError as refused:
                words = self.address.without_secrets(str(refused))
                if LASTING.search(str(refused)):
                    raise SettingsError(f"{self.address.shown}: {words}") from None
                if time.monotonic() > until:
                    raise StoreBusy(f"{self.address.shown}: Postgres does not answer: {words}") from None
                time.sleep(PAUSE)
        self._check(made)
        return made

    def _connect(self) -> Connection:
        at = self.address
        place = make_conninfo(
            host=at.host,
            port=at.port,
            dbname=at.database,
            user=at.user,
            password=at.password,
            connect_timeout=10,
            application_name=f"cpa {socket.gethostname()}:{os.getpid()}",
            **dict(at.ssl),
            **KEEPALIVE,
        )
        made = psycopg.connect(place, autocommit=True, row_factory=dict_row, prepare_threshold=None)
        made.execute(f"set timezone = 'UTC'; set search_path = {at.schema}")
        return made

    def _check(self, made: Connection) -> None:
        """Check, once a process, the settings of a server that would silently break locks or conflicts.

        Raises SettingsError.
        """
        if self._checked:
            return
        said = _language(made)
        if not ENGLISH.match(said):
            raise SettingsError(
                f"{self.address.shown}: lc_messages is {said}: DuckLake reads conflicts in English only; "
                "alter database ... set lc_messages = 'C', then start again"
            )
        with self._connect() as other:
            seen = [_backend(one) for one in (made, other, made, other)]
        if is_pooled(seen):
            raise SettingsError(
                f"{self.address.shown}: a pooler shares one session between connections, as PgBouncer does in "
                "transaction mode: locks would hold nothing; name Postgres itself, or use pool_mode = session"
            )
        self._checked = True

    def close(self) -> None:
        """End the idle connections."""
        with self._guard:
            for connection in self._idle:
                connection.close()
            self._idle.clear()


def is_pooled(backends: list[int]) -> bool:
    """Whether two connections, asked by turns for their server process, are not each served by one of their own."""
    first, second = set(backends[::2]), set(backends[1::2])
    return len(first) > 1 or len(second) > 1 or bool(first & second)


def _language(connection: Connection) -> str:
    row = connection.execute("show lc_messages").fetchone()
    return str(row["lc_messages"]) if row else ""


def _backend(connection: Connection) -> int:
    row = connection.execute("select pg_backend_pid() as pid").fetchone()
    return int(row["pid"]) if row else 0
