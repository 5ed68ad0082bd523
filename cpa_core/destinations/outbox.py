"""The outbox: events as JSON Lines in a folder, one file a day."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from cpa_core.models import Event, Receipt, Replaces


class Outbox:
    """A folder of `<day>.jsonl` files. New events are added; a repeated event replaces its line."""

    project = "files"
    replaces: Replaces = "always"
    batch = 10_000
    at_once = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, set[str]] = {}

    def send(self, events: Sequence[Event]) -> list[Receipt]:
        """Write the events; a line that a kill cut short is dropped when its file is next written."""
        days: defaultdict[date, dict[str, Event]] = defaultdict(dict)
        for event in events:
            days[event.day][event.event_id] = event
        for day, of_day in days.items():
            self._write(self.folder / f"{day}.jsonl", of_day)
        return [Receipt(event_id=e.event_id, payload_hash=e.payload_hash, status="accepted") for e in events]

    def _write(self, path: Path, events: dict[str, Event]) -> None:
        fresh = {event_id: line(event) for event_id, event in events.items()}
        if path not in self._known:
            self.folder.mkdir(parents=True, exist_ok=True)
            _mend(path)
            self._known[path] = set(_lines(path))
        if self._known[path].isdisjoint(fresh):
            _put(path, fresh.values(), "a")
        else:
            whole = path.with_suffix(".tmp")
            _put(whole, (_lines(path) | fresh).values(), "w")
            whole.replace(path)
        self._known[path] |= fresh.keys()


def _mend(path: Path) -> None:
    """Cut off a last line that was not written to its end."""
    if path.exists():
        content = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _put(path: Path, lines: Iterable[str], mode: Literal["a", "w"]) -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())


def _lines(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return {json.loads(line)["event_id"]: line for line in path.read_text("utf-8").split("\n") if line}


def shown(event: Event) -> dict[str, Any]:
    """The event as people and webhooks read it."""
    return {
        "event_id": event.event_id,
        "event": event.name,
        "distinct_id": event.distinct_id,
        "timestamp": event.sent_at.isoformat(),
        "properties": event.payload,
    }


def line(event: Event) -> str:
    """The event as one line of JSON."""
    return json.dumps(shown(event), ensure_ascii=False)
