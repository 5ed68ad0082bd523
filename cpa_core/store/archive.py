"""Paid answers in Parquet files beside the database: its table is an index of these, and is rebuilt from them."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from cpa_core.store.database import ARROW_TYPES, Row, Store

AT_ONCE = 1_000
"""Answers in one row group, and in one transaction: well below a second under the write lock."""
UNNAMED = "unnamed"
"""The file of answers without a run, from homes of early versions."""
MOST_MERGED = 64 << 20
"""Bytes of a file that is merged with others at most; larger ones stay as they are."""
MERGED = "merged"
"""The name, in place of a run's, of a file with the answers of many runs."""
IN_STEP = "answers_archived"
"""The fixed setting of a home whose files and table have been brought in step once."""


class Indexed(NamedTuple):
    """The result of bringing files and table in step: answers added to each, and unreadable files."""

    into_table: int = 0
    into_files: int = 0
    unreadable: tuple[Path, ...] = ()


class MergedFiles(NamedTuple):
    """Files of answers and their bytes, before and after they were merged."""

    files_before: int
    files: int
    before: int
    after: int


def folder_of(store: Store) -> Path:
    """The folder of the answers of a home."""
    return store.home / "answers"


def write_archive(store: Store, run_id: str, rows: Iterable[Row]) -> int:
    """Write the answers of a run to a file of their own, whole or not at all: how many. Raises OSError.

    Those that another file of the run holds are left out, so that a merge that was killed writes none twice. The
    caller holds the merge lock.
    """
    known = archived_ids(store, run_id)
    fresh = (row for row in rows if row["answer_id"] not in known)
    first = list(islice(fresh, AT_ONCE))
    if not first:
        return 0
    folder = folder_of(store)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{run_id}.part"
    try:
        count = _write(part, _schema(store), first, fresh)
        part.replace(free_name(store, run_id))
    finally:
        part.unlink(missing_ok=True)
    sync_folder(folder)
    return count


def _write(part: Path, schema: pa.Schema, first: list[Row], rest: Iterator[Row]) -> int:
    """The file, with all of it on the disk."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    count = 0
    with os.fdopen(descriptor, "wb") as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            rows = first
            while rows:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                count += len(rows)
                rows = list(islice(rest, AT_ONCE))
        file.flush()
        os.fsync(file.fileno())
    return count


def _schema(store: Store) -> pa.Schema:
    """The columns of the table, whatever migrations have added to it."""
    with store.reading() as view:
        columns = view.rows("describe answers")
    return pa.schema([(column["column_name"], ARROW_TYPES[column["column_type"]]) for column in columns])


def sync_folder(folder: Path) -> None:
    """The name of a new file, too, is on the disk then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(store: Store, run_id: str) -> list[Path]:
    return sorted(folder_of(store).glob(f"{glob.escape(run_id)}.*.parquet"))


def free_name(store: Store, run_id: str) -> Path:
    """A name that no file of the run has."""
    taken = {path.name for path in _files(store, run_id)}
    n = len(taken) + 1
    while f"{run_id}.{n}.parquet" in taken:
        n += 1
    return folder_of(store) / f"{run_id}.{n}.parquet"


def archived_ids(store: Store, run_id: str) -> set[str]:
    """The answers that the files of a run hold."""
    tables = [pq.read_table(path, columns=["answer_id"]) for path in _files(store, run_id) if is_readable(path)]
    return {answer_id for table in tables for answer_id in table.column("answer_id").to_pylist()}


def is_readable(path: Path) -> bool:
    """Whether the file is Parquet with answers."""
    try:
        return "answer_id" in pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return False


def bring_in_step(store: Store) -> Indexed:
    """Copy answers that only the files hold into the table, and the reverse, once in a home's life.

    A home of an earlier version gets its files so, and one that lost its database its table. The caller holds the merge
    lock. Raises OSError, StoreNotWritten.
    """
    if store.answers_in_step:
        return Indexed()
    for left_behind in folder_of(store).glob("*.part"):
        left_behind.unlink()
    with store.reading() as view:
        marked = view.rows("select value from settings_fixed where name = $name", name=IN_STEP)
    found = Indexed() if marked else _brought(store)
    store.answers_in_step = True
    return found


def _brought(store: Store) -> Indexed:
    paths = sorted(folder_of(store).glob("*.parquet"))
    unreadable = tuple(path for path in paths if not is_readable(path))
    read = sum(_index(store, path) for path in paths if path not in unreadable)
    written = sum(_archive_run(store, run_id) for run_id in _runs(store))
    with store.writing() as transaction:
        transaction.insert("settings_fixed", [{"name": IN_STEP, "value": "yes"}])
    return Indexed(read, written, unreadable)


def _index(store: Store, path: Path) -> int:
    """Put the answers of a file into the table, each once: how many it did not hold."""
    with store.writing() as transaction:
        before = transaction.rows("select count(*) as n from answers")[0]["n"]
        transaction.answer("label/answers_indexed", file=str(path))
        after = transaction.rows("select count(*) as n from answers")[0]["n"]
    return int(after - before)


def _runs(store: Store) -> list[str | None]:
    with store.reading() as view:
        return [row["run_id"] for row in view.rows("select distinct run_id from answers order by run_id")]


def _archive_run(store: Store, run_id: str | None) -> int:
    with store.reading() as view:
        rows = view.rows("select * from answers where run_id is not distinct from $run", run=run_id)
    return write_archive(store, run_id or UNNAMED, rows)


def merge_files(store: Store) -> MergedFiles:
    """Put the answers of small files into one, each answer once; files of runs whose answers still come in stay.

    A kill between the new file and the removal of the old ones leaves answers twice, which whoever reads them allows
    for. The caller holds the merge lock. Raises OSError, StoreNotWritten.
    """
    folder = folder_of(store)
    there = sorted(folder.glob("*.parquet"))
    before = sum(path.stat().st_size for path in there)
    small = [path for path in there if _may_be_merged(path)]
    if len(small) > 1:
        _merge(store, small)
    left = list(folder.glob("*.parquet"))
    return MergedFiles(len(there), len(left), before, sum(path.stat().st_size for path in left))


def _may_be_merged(path: Path) -> bool:
    run_id = path.stem.rpartition(".")[0]
    is_open = (path.parent / f"{run_id}.jsonl").exists()
    return not is_open and path.stat().st_size <= MOST_MERGED and is_readable(path)


def _merge(store: Store, paths: Sequence[Path]) -> None:
    """One file of these, whole on the disk before they go."""
    part = folder_of(store) / f"{MERGED}.part"
    try:
        with part.open("wb") as file:
            part.chmod(0o600)
            with pq.ParquetWriter(file, _schema(store), compression="zstd") as writer:
                for group in _groups(paths, writer.schema):
                    writer.write_table(group)
            file.flush()
            os.fsync(file.fileno())
        part.replace(free_name(store, MERGED))
    finally:
        part.unlink(missing_ok=True)
    sync_folder(part.parent)
    for path in paths:
        path.unlink()


def _groups(paths: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """The answers of the files, each once, in groups of at least AT_ONCE."""
    seen: set[str] = set()
    waiting: list[pa.Table] = []
    for path in paths:
        waiting.append(_unseen(path, schema, seen))
        if sum(map(len, waiting)) >= AT_ONCE:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _unseen(path: Path, schema: pa.Schema, seen: set[str]) -> pa.Table:
    """The answers of a file that no file before it held, in the columns of the table; those it lacks are null."""
    held = pq.read_table(path)
    ids = held.column("answer_id").to_pylist()
    fresh = [n for n, answer_id in enumerate(ids) if answer_id is None or answer_id not in seen]
    seen.update(answer_id for answer_id in ids if answer_id is not None)
    taken = held.take(fresh)
    columns = [
        taken.column(one.name).cast(one.type) if one.name in held.column_names else pa.nulls(len(fresh), one.type)
        for one in schema
    ]
    return pa.table(columns, schema=schema)
