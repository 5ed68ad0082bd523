"""The outbox as Parquet: one file a day, for whoever reads columns; replaced as a whole."""

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cpa_core.models import Event, Receipt, Replaces

COLUMNS = pa.schema(
    {
        "event_id": pa.string(),
        "event": pa.string(),
        "distinct_id": pa.string(),
        "conversation_id": pa.string(),
        "message_id": pa.string(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "properties": pa.string(),
    }
)
"""The columns of a file; `properties` is JSON."""


class ParquetOutbox:
    """A folder of `<day>.parquet` files. An event that is sent again replaces its row."""

    project = "files"
    replaces: Replaces = "always"
    batch = 10_000
    at_once = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, events: Sequence[Event]) -> list[Receipt]:
        """Write the events; a file is replaced completely or not at all."""
        days: defaultdict[date, dict[str, Event]] = defaultdict(dict)
        for event in events:
            days[event.day][event.event_id] = event
        self.folder.mkdir(parents=True, exist_ok=True)
        for day, of_day in days.items():
            _write(self.folder / f"{day}.parquet", list(of_day.values()))
        return [Receipt(event_id=e.event_id, payload_hash=e.payload_hash, status="accepted") for e in events]


def _write(path: Path, events: Sequence[Event]) -> None:
    table = pa.Table.from_pylist([_row(event) for event in events], COLUMNS)
    if path.exists():
        before = pq.read_table(path, schema=COLUMNS)
        stays = pc.invert(pc.is_in(before["event_id"], value_set=table["event_id"].combine_chunks()))
        table = pa.concat_tables([before.filter(stays), table])
    fresh = path.with_suffix(".tmp")
    with fresh.open("wb") as file:
        pq.write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _row(event: Event) -> dict[str, object]:
    return {
        "event_id": event.event_id,
        "event": event.name,
        "distinct_id": event.distinct_id,
        "conversation_id": event.conversation_id,
        "message_id": event.message_id,
        "timestamp": event.sent_at,
        "properties": json.dumps(event.payload, ensure_ascii=False),
    }
