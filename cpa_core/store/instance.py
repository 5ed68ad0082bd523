"""DuckDB itself, in memory for as long as a store lives; the store's file is attached to it for each transaction.

`duckdb.connect(file)` makes a whole database each time: 10 to 20 ms of processor. Attaching and detaching take 2.
"""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import duckdb

from cpa_core.errors import StoreBusy, StoreDamaged

Connection = duckdb.DuckDBPyConnection
DAMAGE = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException)
"""The errors of DuckDB for a file that is no database, or a damaged one."""
HEADERS = 3 * 4096
"""Bytes that a DuckDB file begins with."""
MAGIC = b"DUCK"
"""The bytes that follow a checksum of eight bytes at the beginning of the file."""
FORMAT = "v1.2.0"
"""The storage version of a new file: every DuckDB from 1.2 on reads it. DuckDB's default, that of 1.0, keeps 3 KB of
statistics for each column, all of which are read whenever the file is attached: 6 ms instead of 2 for our tables."""


class Instance:
    """DuckDB for one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._memory_limit: str | None = None
        self._guard = threading.Lock()
        self._users = 0
        self._memory: Connection | None = None

    @contextmanager
    def attached(self, *, read_only: bool, wait: float) -> Iterator[Connection]:
        """A connection to the file, which is let go of after its last user.

        Never for reading and for writing at once: the store's lock sees to it. Raises StoreBusy, StoreDamaged.
        """
        connection = self._enter(read_only=read_only, wait=wait)
        try:
            connection.execute("use store")
            yield connection
        finally:
            connection.close()
            self._leave()

    def _enter(self, *, read_only: bool, wait: float) -> Connection:
        with self._guard:
            memory = self._memory = self._memory or self._made()
            if not self._users:
                attach(memory, self.path, read_only=read_only, wait=wait)
            self._users += 1
            return silent_cursor(memory)

    def _leave(self) -> None:
        """Let go of the file; of DuckDB too when that does not work, as after an error that it calls fatal."""
        with self._guard:
            self._users -= 1
            if self._users or self._memory is None:
                return
            try:
                self._memory.execute("detach store")
            except duckdb.Error:
                self.end()

    def bound(self, memory_limit: str) -> None:
        """Let DuckDB take at most this memory from now on, as in `2GB`; the rest goes to the folder beside the file.

        Source: https://duckdb.org/docs/stable/guides/performance/how_to_tune_workloads (larger than memory).
        """
        with self._guard:
            is_new, self._memory_limit = memory_limit != self._memory_limit, memory_limit
            if is_new and self._memory is not None:
                limit_memory(self._memory, memory_limit)

    def end(self) -> None:
        """End DuckDB; the next transaction starts it again."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _made(self) -> Connection:
        spilled = f"{self.path}.tmp".replace("'", "''")
        memory = duckdb.connect(":memory:")
        memory.execute(SILENT)
        memory.execute(f"set global temp_directory = '{spilled}'")
        memory.execute("set global timezone = 'UTC'")
        limit_memory(memory, self._memory_limit)
        return memory


SILENT = "set enable_progress_bar = false"
"""A setting of each connection: DuckDB takes it for no other."""


def silent_cursor(memory: Connection) -> Connection:
    """A connection that prints no progress bar: DuckDB prints one to stdout after two seconds, into a `--json` too."""
    cursor = memory.cursor()
    cursor.execute(SILENT)
    return cursor


def limit_memory(memory: Connection, limit: str | None) -> None:
    """Bound the memory of DuckDB; None leaves its own bound."""
    if limit is not None:
        memory.execute(f"set global memory_limit = '{limit}'")


_INSTANCES: WeakValueDictionary[Path, Instance] = WeakValueDictionary()
_MAKING = threading.Lock()


def instance(path: Path, memory_limit: str | None = None) -> Instance:
    """The only one of a process for a file: DuckDB's lock on it is the process's, so two would undo each other's.

    A limit bounds the memory of all its users; None leaves it as it is.
    """
    with _MAKING:
        found = _INSTANCES.get(path.absolute()) or Instance(path)
        _INSTANCES[path.absolute()] = found
    if memory_limit is not None:
        found.bound(memory_limit)
    return found


def is_made(path: Path) -> bool:
    """Whether the file is there as a whole. It is not opened: closing it again would give up DuckDB's lock on it."""
    return path.exists() and path.stat().st_size >= HEADERS


def damaged(path: Path, error: duckdb.Error) -> StoreDamaged:
    """Return the error for a file that DuckDB cannot read, with the remedy: paid answers do not depend on it."""
    reason = str(error).splitlines()[0]
    return StoreDamaged(
        f"{path}: cannot be opened with duckdb {duckdb.__version__}: {reason}; the file was left as it is. To rebuild "
        f"it from the answers beside it, move the file away, then: cpa restore SOURCE --home {path.parent}"
    )


def _clear(path: Path) -> None:
    """Remove what somebody left who was killed, or had no room, creating the file."""
    if path.exists() and not is_made(path) and path.read_bytes()[8:12] in (b"", MAGIC):
        path.unlink()


def _how(path: Path, read_only: bool) -> str:
    """A file that is there keeps the storage version that it was made with."""
    if read_only:
        return " (read_only)"
    return "" if is_made(path) else f" (storage_version '{FORMAT}')"


def attach(memory: Connection, path: Path, *, read_only: bool, wait: float) -> None:
    """Attach the file, waiting for a process that does not know our lock. Raises StoreBusy naming it, StoreDamaged.

    Writing begins anew what somebody could not finish creating.
    """
    if not read_only:
        _clear(path)
    until = time.monotonic() + wait
    pause = 0.02
    file = str(path).replace("'", "''")
    while True:
        try:
            memory.execute(f"attach '{file}' as store{_how(path, read_only)}")
            return
        except DAMAGE as refused:
            holder = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", str(refused))
            if holder is None:
                raise damaged(path, refused) from None
            if time.monotonic() > until:
                raise StoreBusy(
                    f"{path}: held by process {holder[2]} ({holder[1]}); close it there and run again"
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
