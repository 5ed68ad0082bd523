"""Lakes for tests: a database of its own in a real Postgres for each home, and a folder for its Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cpa_core.settings import settings
from cpa_core.store import Store
from cpa_core.store.lake import lake_engine

if TYPE_CHECKING:
    from cpa_core.store.lake.engine import LakeEngine
    from tests.servers.postgres import Postgres


def far_environ(home: Path) -> dict[str, str]:
    """What a process needs to see the store of a home: nothing where that is the home's file."""
    return CURRENT[-1].environ(home) if CURRENT else {}


class Lakes:
    """Makes the lake of each home at need."""

    def __init__(self, server: "Postgres") -> None:
        self.server = server
        self._engines: dict[Path, LakeEngine] = {}

    def environ(self, home: Path) -> dict[str, str]:
        """The settings of a home's lake; its database is made unless it is there."""
        import psycopg  # the extra `scale`

        name = f"lake_{blake2b(str(home.absolute()).encode(), digest_size=8).hexdigest()}"
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                connection.execute(f"create database {name} template template0")
        url = f"{self.server.url.removesuffix('app')}{name}"
        return {"CPA_STORE": f"ducklake:{url}", "CPA_STORE_DATA": str(home.with_name(f"{home.name}-lake"))}

    def engine(self, home: Path) -> "LakeEngine":
        """The engine of a home's lake."""
        if home not in self._engines:
            self._engines[home] = lake_engine(settings(self.environ(home)))
        return self._engines[home]

    def close(self) -> None:
        """Let go of the connections of every lake that was used."""
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()


CURRENT: list[Lakes] = []
"""Those whose lakes every store is now."""


@contextmanager
def every_store_a_lake(server: "Postgres", monkeypatch: pytest.MonkeyPatch) -> Iterator[Lakes]:
    """Every store that is made meanwhile without an engine is a lake."""
    lakes = Lakes(server)
    CURRENT.append(lakes)
    original = Store.__init__

    def made(self: Store, home: Path, *given: Any, engine: Any = None, **named: Any) -> None:
        original(self, home, *given, engine=engine or lakes.engine(home), **named)

    monkeypatch.setattr(Store, "__init__", made)
    try:
        yield lakes
    finally:
        CURRENT.remove(lakes)
        lakes.close()
