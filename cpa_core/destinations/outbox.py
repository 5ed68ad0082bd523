"""The outbox: events as JSON Lines in a folder, one file a day, replaced as a whole."""

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from cpa_core.models import Event, Receipt, Replaces


class Outbox:
    """A folder of `<day>.jsonl` files. An event that is sent again replaces its line."""

    project = "files"
    replaces: Replaces = "always"
    batch = 1_000_000

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, events: Sequence[Event]) -> list[Receipt]:
        """Write the events; a file is complete or as it was before."""
        days: defaultdict[date, list[Event]] = defaultdict(list)
        for event in events:
            days[event.day].append(event)
        for day, of_day in days.items():
            self._write(self.folder / f"{day}.jsonl", of_day)
        return [Receipt(event_id=e.event_id, payload_hash=e.payload_hash, status="accepted") for e in events]

    def _write(self, path: Path, events: list[Event]) -> None:
        lines = dict(_lines(path)) | {event.event_id: line(event) for event in events}
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".tmp")
        with fresh.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines.values())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def _lines(path: Path) -> list[tuple[str, str]]:
    if not path.exists():
        return []
    lines = [line for line in path.read_text("utf-8").split("\n") if line]
    return [(json.loads(line)["event_id"], line) for line in lines]


def line(event: Event) -> str:
    """The event as one line of JSON."""
    shown = {
        "event_id": event.event_id,
        "event": event.name,
        "distinct_id": event.distinct_id,
        "timestamp": event.sent_at.isoformat(),
        "properties": event.payload,
    }
    return json.dumps(shown, ensure_ascii=False)
