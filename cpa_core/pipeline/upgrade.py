"""Upgrading a home to this version: its migrations, changed ids, questions to the model, and events to send.

The dry run does it to a copy. The copy is in the home, because it contains messages. A kill leaves it there, and the
next upgrade, or `cpa forget`, removes it.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core import __version__
from cpa_core.errors import CpaError, NotFound
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.delivery.preview import preview_day
from cpa_core.pipeline.label.quote import Quote, quote
from cpa_core.pipeline.run import due_days, known_days
from cpa_core.store import Store
from cpa_core.store.answers import merge
from cpa_core.store.database import Origin, Transaction, migrations, origin_of

COPY = "upgrade"
"""The folder of a home in which a dry run works."""
BEFORE_SHARED = (
    "a store of several workers is not copied for a dry run; to know it before, copy the store to a home with the "
    "version that wrote it (cpa store copy --to file), and try this version there"
)
READ_BY_A_RUN = ("batches", "gold", "forgotten")
"""The folders, beside the answers, that a run of the home reads."""


class Migration(Value):
    """A change of the tables that this version makes, in its own words."""

    number: int
    about: str


class KeptIds(Value):
    """How many ids of a kind the home knows, how many of them the new version does not, and how many it adds."""

    kind: str
    before: int
    gone: int
    added: int


class NextRun(Value):
    """The effect of `cpa run` on the due days: its questions, and the events that it sends or withdraws.

    `unknown` is the reason if it cannot be computed, such as a missing setting; then the rest is null.
    """

    days: tuple[date, ...] | None
    asks: Quote | None
    sends: int | None
    withdraws: int | None
    unknown: str


class Upgrade(Value):
    """A home and this version. `written_by` is null where no version was written down.

    `retag` is what `cpa run --retag` would ask: labels by another prompt, model or schema stay until then.
    """

    written_by: str | None
    migration: int
    version: str
    migrations: tuple[Migration, ...]
    ids: tuple[KeptIds, ...]
    next_run: NextRun
    retag: Quote | None
    done: bool

    @property
    def is_current(self) -> bool:
        """Whether this version has nothing to do."""
        return not self.migrations and self.written_by == self.version


def preview_upgrade(assistant: Assistant) -> Upgrade:
    """Return the effect of an upgrade, by upgrading a copy; the home stays unchanged.

    A store of several workers is not copied: its migrations are named, and their effects are not known before.
    Raises NotFound, SettingsError where a newer version wrote the home, StoreBusy.
    """
    store = assistant.store
    if not store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    if not store.is_file:
        return _preview_shared(assistant)
    with store.landing_lock(), _copied(store) as (folder, origin, before):
        copy = replace(
            assistant,
            settings=assistant.settings.model_copy(update={"home": folder}),
            store=Store(folder, store.timezone, memory_limit=assistant.settings.duckdb_memory),
        )
        merge(copy.store)
        next_run, retag = _next_run(copy), _retag(copy)
        return _upgrade(origin, before, _ids_of(copy.store), next_run, retag)


def upgrade_home(assistant: Assistant) -> Upgrade:
    """Upgrade the home or store after a preview, and return the changes. Raises as `preview_upgrade` does."""
    expected = preview_upgrade(assistant)
    with assistant.store.landing_lock():
        with assistant.store.as_written() as view:
            before = _ids(view)
        merge(assistant.store)
        ids = _kept(before, _ids_of(assistant.store))
    done = {"ids": ids, "done": True}
    if not assistant.store.is_file:
        done |= {"next_run": _next_run(assistant), "retag": _retag(assistant)}
    return expected.model_copy(update=done)


def _preview_shared(assistant: Assistant) -> Upgrade:
    """The effect on a store of several workers, which reading by this version would change already."""
    with assistant.store.as_written() as view:
        origin, ids = origin_of(view), _ids(view)
    if origin.version == __version__ and origin.migrations == {number for number, _ in migrations()}:
        return _upgrade(origin, ids, ids, _next_run(assistant), _retag(assistant))
    next_run = NextRun(days=None, asks=None, sends=None, withdraws=None, unknown=BEFORE_SHARED)
    return _upgrade(origin, ids, ids, next_run, None).model_copy(update={"ids": ()})


def _upgrade(origin: Origin, before: pa.Table, after: pa.Table, next_run: NextRun, retag: Quote | None) -> Upgrade:
    missing = [(number, sql) for number, sql in migrations() if number not in origin.migrations]
    return Upgrade(
        written_by=origin.version,
        migration=max(origin.migrations, default=0),
        version=__version__,
        migrations=tuple(Migration(number=number, about=_about(sql)) for number, sql in missing),
        ids=_kept(before, after),
        next_run=next_run,
        retag=retag,
        done=False,
    )


def _about(sql: str) -> str:
    """The comment that a migration opens with, as one line."""
    lines = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines) or "the first tables"


@contextmanager
def _copied(store: Store) -> Iterator[tuple[Path, Origin, pa.Table]]:
    """Yield a copy of a run's input, its origin and its ids. The copy is removed afterwards."""
    folder = store.home / COPY
    remove_copy(store.home)
    try:
        with store.as_written() as view:
            origin, before = origin_of(view), _ids(view)
            folder.mkdir(mode=0o700)
            for path in (store.path, store.path.with_name(f"{store.path.name}.wal")):
                if path.exists():
                    shutil.copyfile(path, folder / path.name)
            _copy_files(store.home, folder)
        yield folder, origin, before
    finally:
        remove_copy(store.home)


def remove_copy(home: Path) -> bool:
    """Remove the copy that a killed dry run left. Return whether there was one."""
    folder = home / COPY
    is_ours = (folder / "cpa.duckdb").exists() or (folder.is_dir() and not any(folder.iterdir()))
    if is_ours:
        shutil.rmtree(folder)
    return is_ours


def _copy_files(home: Path, folder: Path) -> None:
    """Files of answers are never changed, only replaced, so a link to them is enough."""
    for name in READ_BY_A_RUN:
        if (home / name).is_dir():
            shutil.copytree(home / name, folder / name)
    for path in (*home.glob("*.yml"), *home.glob("*.yaml")):
        shutil.copyfile(path, folder / path.name)
    (folder / "answers").mkdir()
    for path in (home / "answers").glob("*"):
        if path.suffix == ".parquet":
            os.link(path, folder / "answers" / path.name)
        elif path.is_file():
            shutil.copyfile(path, folder / "answers" / path.name)


def _next_run(copy: Assistant) -> NextRun:
    try:
        days = [row["day"] for row in due_days(copy)]
        asks = quote(copy, days, retag=False)
        previews = [one for day in days for one in preview_day(copy, day)]
    except CpaError as error:
        return NextRun(days=None, asks=None, sends=None, withdraws=None, unknown=str(error))
    return NextRun(
        days=tuple(days),
        asks=asks,
        sends=sum(sum(one.types.values()) for one in previews),
        withdraws=sum(one.stale for one in previews),
        unknown="",
    )


def _retag(copy: Assistant) -> Quote | None:
    try:
        return quote(copy, known_days(copy), retag=True)
    except CpaError:
        return None


def _ids_of(store: Store) -> pa.Table:
    with store.reading() as view:
        return _ids(view)


def _ids(view: Transaction) -> pa.Table:
    return view.table("upgrade/ids")


def _kept(before: pa.Table, after: pa.Table) -> tuple[KeptIds, ...]:
    kinds: Sequence[str] = ("conversations", "messages", "events", "receipts")
    return tuple(_kept_of(kind, _of(before, kind), _of(after, kind)) for kind in kinds)


def _kept_of(kind: str, before: pa.Array, after: pa.Array) -> KeptIds:
    stay = int(pc.sum(pc.is_in(before, value_set=after)).as_py() or 0)
    return KeptIds(kind=kind, before=len(before), gone=len(before) - stay, added=len(after) - stay)


def _of(table: pa.Table, kind: str) -> pa.Array:
    return table.filter(pc.equal(table["kind"], kind))["id"].combine_chunks()
