"""The store as a whole: copied between the home's file and the store that CPA_STORE names, and looked after."""

from cpa_core.errors import NotFound, SettingsError
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.tombstones import copy_tombstones
from cpa_core.store import Store
from cpa_core.store.copying import copy_store


class StoreCopied(Value):
    """The result of a copy: tables, rows, and the tables that an earlier copy had already copied."""

    tables: int
    rows: int
    were_there: int


class StoreKept(Value):
    """The files of a lake before and after its upkeep, `removed` from the bucket; `twice`: damaged rows by table."""

    files_before: int
    files: int
    bytes_before: int
    bytes: int
    snapshots_before: int
    snapshots: int
    removed: int
    twice: dict[str, int]


def copy_to(assistant: Assistant, *, lake: bool) -> StoreCopied:
    """Copy the file of the home to the store of CPA_STORE (`lake`), or back. Every table is compared after it.

    Raises SettingsError without CPA_STORE or for a target that is not empty, NotFound for an empty source,
    StoreNotWritten.
    """
    given = assistant.settings
    if not given.store:
        raise SettingsError("CPA_STORE names no store to copy to or from: see docs/guides/scale-out.md")
    file, far = Store(given.home, given.timezone, memory_limit=given.duckdb_memory), Store.of(given)
    source, target = (file, far) if lake else (far, file)
    if not source.exists():
        raise NotFound(f"{given.home if lake else given.store}: nothing was stored here yet")
    copy_tombstones(source, target)
    with assistant.progress("copied", 0) as advance:
        copied = copy_store(source, target, lambda _: advance())
    return StoreCopied(
        tables=len(copied), rows=sum(one.rows for one in copied), were_there=sum(one.was_there for one in copied)
    )


def keep_store(assistant: Assistant, wait: float | None = None) -> StoreKept:
    """Look after a lake. Raises SettingsError for a store that is none, StoreBusy after `wait` seconds."""
    if not assistant.settings.store:
        raise SettingsError("CPA_STORE names no lake; a home's file is looked after by cpa compact")
    from cpa_core.store.lake.upkeep import look_after  # needs the extra `scale`

    found = look_after(assistant.store, wait=wait)
    return StoreKept(
        files_before=found.before.files,
        files=found.after.files,
        bytes_before=found.before.bytes,
        bytes=found.after.bytes,
        snapshots_before=found.before.snapshots,
        snapshots=found.after.snapshots,
        removed=found.removed,
        twice=found.twice,
    )
