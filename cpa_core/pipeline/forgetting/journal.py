"""The journal of what is being forgotten, and the time in which nobody else is at work in the home."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cpa_core.errors import StoreBusy
from cpa_core.pipeline.forgetting.tombstones import forgotten_folder
from cpa_core.store import Store
from cpa_core.store.answers import merge
from cpa_core.store.archive import sync_folder

JOURNAL = "journal.json"
WAIT = 30.0
"""Seconds that another run may hold a lock before nothing is forgotten."""


def keep_journal(store: Store, begun: Mapping[str, Any]) -> None:
    """Write down what is about to be forgotten, so that whoever runs the command after a kill finishes it."""
    if not store.is_file:
        with store.writing(WAIT) as transaction:
            transaction.answer("forgetting/end_journal")
            transaction.insert("forgetting_journal", [{"journal": json.dumps(begun)}])
        return
    path = _path(store.home)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    with fresh.open("w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(begun, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def journal_of(store: Store) -> dict[str, Any] | None:
    """Return the removal that was begun and not finished; null if there is none."""
    if not store.is_file:
        with store.reading() as view:
            rows = view.answer("forgetting/journal")
        return dict(json.loads(rows[0]["journal"])) if rows else None
    path = _path(store.home)
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else None


def end_journal(store: Store) -> None:
    """All of it is done."""
    if not store.is_file:
        with store.writing(WAIT) as transaction:
            transaction.answer("forgetting/end_journal")
        store.vacuum(WAIT)
        return
    _path(store.home).unlink()
    sync_folder(_path(store.home).parent)


@contextmanager
def nobody_else(store: Store) -> Iterator[None]:
    """No landing, no batch and no run meanwhile. Raises StoreBusy."""
    with store.landing_lock(), store.batch_lock(WAIT):
        merge(store)
        if living := sorted((store.home / "answers").glob("*.jsonl")):
            raise StoreBusy(f"{living[0].name}: a run is at work in this home; run the same command when it has ended")
        yield


def _path(home: Path) -> Path:
    return forgotten_folder(home) / JOURNAL
