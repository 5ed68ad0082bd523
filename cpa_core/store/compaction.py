"""Freeing unused space in the database's file: its tables are copied, compared, and the copy replaces the file.

DuckDB uses the room of deleted rows again, but a file gets smaller only where it is copied
(https://duckdb.org/docs/operations_manual/footprint_of_duckdb/reclaiming_space). One rename puts the copy in place, so
that a kill loses nothing.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from cpa_core.errors import StoreNotWritten
from cpa_core.store.archive import sync_folder
from cpa_core.store.database import Store, Transaction, question_sql


class FileRoom(NamedTuple):
    """Bytes of a database's file, and how many of them are free within it: DuckDB uses these again, and keeps them."""

    size: int
    free: int


class CompactedDatabase(NamedTuple):
    """Bytes of the database's file before and after, and what was copied."""

    before: int
    after: int
    tables: int
    rows: int


def room_of(view: Transaction) -> FileRoom:
    """How much of the open database's file is free."""
    row = view.answer("store/room")[0]
    return FileRoom(row["bytes"], row["free"])


def compact_database(store: Store, wait: float | None = None) -> CompactedDatabase:
    """Copy every table into a new file, compare the rows, and put it in the database's place.

    Nobody reads or writes meanwhile. Raises StoreBusy after `wait` seconds, StoreNotWritten where there is no room for
    the copy or it differs: then the database is as it was.
    """
    copy = store.path.with_suffix(".compacting")
    with store.alone(wait) as whole:
        whole.execute("checkpoint store")
        before = store.path.stat().st_size
        _expect_room(store.path, whole.answer("store/room")[0]["used"])
        _remove(copy)
        try:
            with _attached(whole, copy):
                whole.execute("copy from database store to compacted")
                tables, rows = _compared(whole, store.path)
                whole.execute("checkpoint compacted")
            _sync(copy)
            after = copy.stat().st_size
            copy.replace(store.path)
        finally:
            _remove(copy)
        sync_folder(store.home)
    return CompactedDatabase(before, after, tables, rows)


def _expect_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        mb = f"{needed / 1e6:,.0f} MB are needed beside it, {free / 1e6:,.0f} MB are free"
        raise StoreNotWritten(f"{path}: not compacted: {mb}; make room, then run the same command again")


@contextmanager
def _attached(whole: Transaction, copy: Path) -> Iterator[None]:
    file = str(copy).replace("'", "''")
    version = whole.answer("store/storage_version")[0]["version"]
    whole.execute(f"attach '{file}' as compacted (storage_version '{version}')")
    try:
        yield
    finally:
        whole.execute("detach compacted")


def _compared(whole: Transaction, path: Path) -> tuple[int, int]:
    """How many tables and rows were copied. Raises StoreNotWritten where a copy is not what was copied."""
    names = [row["name"] for row in whole.answer("store/tables")]
    asked = question_sql("store/content_of_table")
    count = 0
    for name in names:
        ours, theirs = (
            whole.rows(asked.replace("$table", f'{place}.main."{name}"'))[0] for place in ("store", "compacted")
        )
        if ours != theirs:
            raise StoreNotWritten(f"{path}: not compacted: the copy of {name} differs; the database is as it was")
        count += ours["rows"]
    return len(names), count


def _sync(path: Path) -> None:
    """All of a file is on the disk then."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(copy: Path) -> None:
    """Remove the copy that a killed compaction left."""
    for path in (copy, copy.with_name(f"{copy.name}.wal")):
        with suppress(FileNotFoundError):
            path.unlink()
