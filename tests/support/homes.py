"""A home with a folder of transcripts beside it, to write files, land them and look at the tables."""

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cpa_core.pipeline import Assistant, Landed, land
from cpa_core.settings import settings
from cpa_core.store import Store
from cpa_core.store.database import Row
from tests.support.clocks import unhurried

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def turn(content: str, at: str | None = "2026-03-04T09:00:00Z", role: str = "user", **more: Any) -> dict[str, Any]:
    """One message of a JSON transcript; `at` is its time."""
    return {"role": role, "content": content, **({"timestamp": at} if at else {}), **more}


@cache
def _empty(timezone: str) -> bytes:
    """The database of a new home, as the migrations make it."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder), timezone)
        with store.writing():
            pass
        return store.path.read_bytes()


def begun(assistant: Assistant) -> Assistant:
    """The assistant; where its home has no database yet, with a copy of one that was made for another test.

    The migrations take twenty times as long. `tests/store` holds them.
    """
    store = assistant.store
    if store.is_file and not store.path.exists():
        store.home.mkdir(parents=True, exist_ok=True)
        store.path.write_bytes(_empty(store.timezone))
    return assistant


@dataclass
class Home:
    """One home, its source folder and its settings. Every file that is written is newer than those before."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    written: int = 0
    kept: Store | None = field(default=None, repr=False, compare=False)
    """The store of the last assistant: while it lives, DuckDB is not started anew for every look at the tables."""

    @property
    def source(self) -> Path:
        """The folder that is landed."""
        return self.folder / "in"

    def write(self, name: str, content: str | bytes | dict[str, list[dict[str, Any]]]) -> Path:
        """A file in the source: bytes, text, or messages by conversation."""
        if isinstance(content, dict):
            content = json.dumps({key: {"messages": messages} for key, messages in content.items()})
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.written += 1
        moment = (NOW - timedelta(days=1) + timedelta(seconds=self.written)).timestamp()
        os.utime(path, (moment, moment))
        return path

    def assistant(self, **changes: Any) -> Assistant:
        """An assistant over this home, at a fixed time; where its model is no server, its calls hardly wait."""
        given = {"CPA_HOME": str(self.folder / "home"), "CPA_SOURCE": str(self.source), **self.environ}
        made = begun(Assistant.of(settings(given)))
        self.kept = made.store
        pacing = unhurried() if "provider" in changes else made.pacing
        return Assistant(settings=made.settings, store=made.store, **{"now": lambda: NOW, "pacing": pacing, **changes})

    def land(self, day: date | None = None) -> Landed:
        """Land what is new."""
        return land(self.assistant(), day)

    def rows(self, sql: str) -> list[Row]:
        """What the database says."""
        with self.assistant().store.reading() as view:
            return view.rows(sql)

    def contents(self, conversation_id: str = "c1") -> list[str]:
        """The texts of a conversation that count, in order."""
        rows = self.rows(
            "select conversation_id, content from landed_messages where superseded_at is null "
            "order by sent_at, uri, ordinal"
        )
        return [row["content"] for row in rows if row["conversation_id"] == conversation_id]

    def generations(self) -> dict[str, int]:
        """The generation of each day."""
        return {
            str(row["day"]): row["generation"] for row in self.rows("select day, generation from days order by day")
        }


def contents(store: Store) -> dict[str, Any]:
    """What every table says, and the ids in the files of answers, each once."""
    with store.reading() as view:
        names = [row["name"] for row in view.answer("store/tables")]
        tables = {
            name: view.rows(f"select count(*) as n, sum(hash(one)::hugeint)::varchar as said from {name} as one")[0]
            for name in names
        }
        files = str(store.home / "answers" / "*.parquet")
        rows = view.rows("select distinct answer_id, answer from read_parquet($files) order by answer_id", files=files)
    return {"tables": tables, "answers": [list(row.values()) for row in rows]}
