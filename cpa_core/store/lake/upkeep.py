"""Looking after a lake: small files merged, deleted rows taken out, old snapshots and their files removed.

Each step holds the writer's lock for one table, since DuckLake's commits fail where files are compacted under them.
Source: https://ducklake.select/docs/stable/duckdb/maintenance/recommended_maintenance
"""

from typing import NamedTuple

from cpa_core.errors import SettingsError
from cpa_core.store.database import Store
from cpa_core.store.transaction import Row, Transaction

KEEP_DAYS = 7
"""Days for which the lake can still be read as it was."""
GRACE_DAYS = 1
"""Days for which a file stays that no snapshot names: a reader may be at it, or a writer may yet name it."""


class LakeRoom(NamedTuple):
    """The files of a lake and their bytes, and its snapshots."""

    files: int
    bytes: int
    deletes: int
    snapshots: int


class Upkeep(NamedTuple):
    """A lake before and after its upkeep; `removed` files are gone from the bucket, `twice` are rows under one key."""

    before: LakeRoom
    after: LakeRoom
    removed: int
    twice: dict[str, int]


def look_after(
    store: Store, keep_days: int = KEEP_DAYS, grace_days: int = GRACE_DAYS, wait: float | None = None
) -> Upkeep:
    """Rewrite, merge, expire and clean, table by table. Raises SettingsError for a store that is no lake, StoreBusy
    after `wait` seconds.
    """
    if store.is_file:
        raise SettingsError("a store in a file needs no upkeep: cpa compact frees its unused space")
    with store.reading() as view:
        names = [row["table_name"] for row in _tables(view) if row["file_count"] > 1 or row["delete_file_count"]]
        before = _room(view)
    for name in names:
        for step in ("rewrite_data_files", "merge_adjacent_files"):
            with store.alone(wait) as whole:
                whole.rows(f"call ducklake_{step}('store', '{name}')")
    with store.alone(wait) as whole:
        whole.rows(f"call ducklake_expire_snapshots('store', older_than => now() - interval {keep_days} days)")
    removed = _cleaned(store, grace_days, wait)
    with store.reading() as view:
        return Upkeep(before, _room(view), removed, keys_twice(view))


def purge(store: Store, wait: float | None = None) -> None:
    """Remove every byte of deleted rows: files without them replace the others, and no earlier snapshot stays.

    No writer is between a file and its commit meanwhile, so files that no snapshot names go too. A reader that began
    before may find its files gone, and has to begin again. Raises StoreBusy after `wait` seconds.
    """
    with store.reading() as view:
        names = [row["table_name"] for row in _tables(view) if row["delete_file_count"]]
    for name in names:
        with store.alone(wait) as whole:
            whole.rows(f"call ducklake_rewrite_data_files('store', '{name}', delete_threshold => 0)")
    with store.alone(wait) as whole:
        whole.rows("call ducklake_expire_snapshots('store', older_than => now())")
        for step in ("cleanup_old_files", "delete_orphaned_files"):
            whole.rows(f"call ducklake_{step}('store', cleanup_all => true)")
    store.vacuum(wait)


def _cleaned(store: Store, grace_days: int, wait: float | None) -> int:
    """How many files were removed that no snapshot names: those of expired ones, and of writers that were killed."""
    older = f"older_than => now() - interval {grace_days} days"
    count = 0
    for step in ("cleanup_old_files", "delete_orphaned_files"):
        with store.alone(wait) as whole:
            count += len(whole.rows(f"call ducklake_{step}('store', {older})"))
    return count


def keys_twice(view: Transaction) -> dict[str, int]:
    """Rows of each large table whose key another row has too: none, unless the lake is damaged."""
    (row,) = view.answer("store/keys_twice")
    return {name: count for name, count in row.items() if count}


def _tables(view: Transaction) -> list[Row]:
    return view.rows("select * from ducklake_table_info('store')")


def _room(view: Transaction) -> LakeRoom:
    rows = _tables(view)
    snapshots = view.rows("select count(*) as n from ducklake_snapshots('store')")[0]["n"]
    total = {name: sum(row[name] for row in rows) for name in ("file_count", "file_size_bytes", "delete_file_count")}
    return LakeRoom(total["file_count"], total["file_size_bytes"], total["delete_file_count"], snapshots)
