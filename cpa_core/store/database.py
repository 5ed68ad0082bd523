"""The store of an assistant: reading, writing, locking and migrating it, whatever engine it runs on."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from cpa_core import __version__
from cpa_core.errors import SettingsError, StoreBusy
from cpa_core.settings import Settings
from cpa_core.store import locks
from cpa_core.store.engine import FileEngine, LedgerTables, StoreEngine
from cpa_core.store.transaction import ARROW_TYPES, Row, Transaction, as_json, each_of, question_sql

__all__ = ["ARROW_TYPES", "Row", "Store", "Transaction", "as_json", "each_of", "migrate", "migrations", "question_sql"]


class Store:
    """The only owner of an assistant's tables: `cpa.duckdb` in its home, unless another engine is given.

    Made for a time zone, which is fixed at first use. `foreign_wait` is how many seconds to wait for a process that
    holds the file without our lock, such as a notebook. `memory_limit` bounds DuckDB's memory, as in `2GB`.
    `answers_in_step` says that the files of answers were looked at, and hold what the table holds.
    """

    def __init__(
        self,
        home: Path,
        timezone: str = "UTC",
        foreign_wait: float = 30.0,
        *,
        memory_limit: str | None = None,
        engine: StoreEngine | None = None,
    ) -> None:
        self.home = home
        self.path = home / "cpa.duckdb"
        self.timezone = timezone
        self._engine = engine or FileEngine(home, self.path, foreign_wait, memory_limit)
        self._ready = False
        self.answers_in_step = False

    @classmethod
    def of(cls, settings: Settings) -> "Store":
        """The store that the settings name. Raises SettingsError where its packages are missing."""
        if not settings.store:
            return cls(settings.home, settings.timezone, memory_limit=settings.duckdb_memory)
        from cpa_core.store.lake import lake_engine  # needs the extra `scale`

        return cls(settings.home, settings.timezone, engine=lake_engine(settings))

    @property
    def is_file(self) -> bool:
        """Whether the tables are in the home's own file."""
        return isinstance(self._engine, FileEngine)

    @property
    def ledger(self) -> LedgerTables | None:
        """The ledgers that all workers write beside the transactions; None where every table is in the file."""
        return self._engine.ledger

    def exists(self) -> bool:
        """Whether anything was ever stored here."""
        return self._engine.exists()

    @contextmanager
    def reading(self, wait: float | None = None) -> Iterator[Transaction]:
        """A consistent view of the database, beside other readers. Raises StoreBusy after `wait` seconds."""
        self._prepare(wait)
        with self._engine.beside(wait) as transaction:
            yield transaction

    @contextmanager
    def writing(self, wait: float | None = None) -> Iterator[Transaction]:
        """One transaction, alone: all of it is kept, or none. Raises StoreBusy after `wait` seconds."""
        self._prepare(wait)
        with self._engine.alone(wait) as transaction:
            yield transaction

    @contextmanager
    def alone(self, wait: float | None = None) -> Iterator[Transaction]:
        """The database outside a transaction, for nobody else meanwhile: for what no transaction can do.

        Raises StoreBusy after `wait` seconds, StoreNotWritten.
        """
        self._prepare(wait)
        with self._engine.whole(wait) as transaction:
            yield transaction

    def vacuum(self, wait: float | None = None) -> None:
        """Remove the bytes of deleted rows from tables beyond the file or the lake's files. Raises StoreBusy."""
        self._engine.vacuum(wait)

    @contextmanager
    def as_written(self, wait: float | None = None) -> Iterator[Transaction]:
        """A view of the database as the version that wrote it left it: nothing is migrated, nobody writes meanwhile.

        Raises SettingsError where a newer version wrote it, StoreBusy after `wait` seconds.
        """
        with self._engine.beside(wait) as view:
            expect_no_newer(view, self.home)
            yield view

    def day_lock(self, day: date, wait: float | None = None) -> AbstractContextManager[None]:
        """A stage holds its day: a second run waits, then finds everything done. Raises StoreBusy after `wait` s."""
        return self._engine.held(str(day), wait)

    def takes_day(self, day: date, held: ExitStack) -> bool:
        """Take a day's lock until `held` ends, unless another run has it. Return whether it was taken."""
        try:
            held.enter_context(self.day_lock(day, wait=0))
        except StoreBusy:
            return False
        return True

    def landing_lock(self) -> AbstractContextManager[None]:
        """Only one landing at a time."""
        return self._engine.held("landing", None)

    def topics_lock(self) -> AbstractContextManager[None]:
        """Only one process finds topics: clustering takes longer than the database may be locked."""
        return self._engine.held("topics", None)

    def issues_lock(self) -> AbstractContextManager[None]:
        """Only one process follows the issues; who comes second finds the days followed."""
        return self._engine.held("issues", None)

    def proposal_lock(self) -> AbstractContextManager[None]:
        """Only one process proposes a schema; who comes second finds it there."""
        return self._engine.held("proposal", None)

    def batch_lock(self, wait: float | None = None) -> AbstractContextManager[None]:
        """Only one process hands batches over, or looks after them. Raises StoreBusy after `wait` seconds."""
        return self._engine.held("batches", wait)

    def merge_lock(self) -> AbstractContextManager[None]:
        """Only one process merges answers, so that a book that is locked meanwhile is a living run's.

        Those answers are in files of this home, whatever the engine.
        """
        return locks.held(self.home / "locks" / "merge.lock")

    def _prepare(self, wait: float | None) -> None:
        """Migrate at first use; who finds nothing to do has only read, so a sensor never waits to write."""
        if self._ready:
            return
        if self.exists():
            with self._engine.beside(wait) as view:
                self._ready = is_current(view, self.timezone, self.home)
        if not self._ready:
            self.home.mkdir(parents=True, exist_ok=True)
            with self._engine.alone(wait) as transaction:
                migrate(transaction, self.timezone, self._engine, self.home)
            self._ready = True


class Origin(NamedTuple):
    """Who wrote a database: the numbers of the migrations that were applied, and the version that wrote it last.

    `version` is null where none was written down: by a revision before versions were recorded.
    """

    migrations: frozenset[int]
    version: str | None


def origin_of(view: Transaction) -> Origin:
    """Who wrote this database."""
    tables = {row["name"] for row in view.answer("store/tables_of_origin")}
    if "migrations" not in tables:
        return Origin(frozenset(), None)
    applied = frozenset(row["number"] for row in view.rows("select number from migrations"))
    named = view.rows("select version from versions order by since desc limit 1") if "versions" in tables else []
    return Origin(applied, named[0]["version"] if named else None)


def expect_no_newer(view: Transaction, home: Path) -> Origin:
    """Who wrote this database. Raises SettingsError where a migration is applied that this version does not know."""
    origin = origin_of(view)
    if origin.migrations - {number for number, _ in migrations()}:
        by = f"cpa {origin.version}" if origin.version and origin.version != __version__ else "a newer version of cpa"
        raise SettingsError(
            f"{home}: written by {by} (migration {max(origin.migrations)}); this is {__version__} "
            f"(migration {migrations()[-1][0]}) and changes nothing here: install the newer version, or name another "
            "CPA_HOME"
        )
    return origin


def is_current(view: Transaction, timezone: str, home: Path) -> bool:
    """Whether all is migrated, by this version. Raises SettingsError for another time zone or a newer home."""
    origin = expect_no_newer(view, home)
    if len(origin.migrations) != len(migrations()) or origin.version != __version__:
        return False
    fixed = view.rows("select value from settings_fixed where name = 'timezone'")[0]["value"]
    if fixed != timezone:
        raise SettingsError(
            f"CPA_TIMEZONE is {timezone}, but this home was begun with {fixed}: days would move; "
            f"use CPA_TIMEZONE={fixed} or another CPA_HOME"
        )
    return True


def migrate(transaction: Transaction, timezone: str, engine: StoreEngine, home: Path) -> None:
    """Apply the numbered migrations that are not recorded yet, and fix the time zone if none is."""
    transaction.execute("create table if not exists migrations (number bigint, applied_at timestamptz)")
    origin, now = expect_no_newer(transaction, home), datetime.now(UTC)
    missing = [(number, sql) for number, sql in migrations() if number not in origin.migrations]
    for number, sql in missing:
        engine.migrate(transaction, number, sql)
    transaction.insert("migrations", [{"number": number, "applied_at": now} for number, _ in missing])
    if origin.version != __version__:
        transaction.insert("versions", [{"version": __version__, "since": now}])
    if not transaction.rows("select value from settings_fixed where name = 'timezone'"):
        transaction.insert("settings_fixed", [{"name": "timezone", "value": timezone}])
    is_current(transaction, timezone, home)


@cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Numbers and statements of every migration, in order."""
    folder = files("cpa_core.store").joinpath("migrations")
    found = sorted((p.name, p.read_text("utf-8")) for p in folder.iterdir() if p.name.endswith(".sql"))
    return tuple((int(name[:4]), sql) for name, sql in found)
