"""Dagster's event log in SQLite, which takes the events of many days in one transaction.

Dagster (1.13.27) stores each event of a partition in two transactions of its own, with new connections. A range of days
on which nothing landed then takes a tenth of a second a day. With `DAGSTER_EVENT_BATCH_SIZE` set, Dagster hands the
materializations of a range to its storage in batches, but its SQLite storage stores them one by one all the same. This
class stores a batch as one, in the same files and rows. `dagster.yaml` names it; `make dev` sets the size.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqlEventLogStorageTable, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._serdes import ConfigurableClassData, serialize_value

BATCHED = ASSET_EVENTS - {dg.DagsterEventType.FRESHNESS_STATE_CHANGE}
"""The kinds of events that are stored in the file of their run and again in the file of all runs."""


class BatchedEventLog(SqliteEventLogStorage):
    """The event log of an instance in `home`, where Dagster's own storage keeps it too."""

    @classmethod
    def config_type(cls) -> Any:
        """Its configuration in `dagster.yaml`."""
        return {"home": dg.StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "BatchedEventLog":
        """The storage as `dagster.yaml` names it."""
        return cls(str(Path(config_value["home"]) / "history" / "runs"), inst_data)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store the events of a run's assets together, any others one by one, in their order."""
        for (run_id, together), some in groupby(events, lambda event: (event.run_id, _kind(event) in BATCHED)):
            if together:
                self._store_together(run_id, list(some))
            else:
                super().store_event_batch(list(some))

    def _store_together(self, run_id: str, events: Sequence[dg.EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        with self.index_transaction() as connection:
            one = SqlEventLogStorageTable.insert()
            ids = [connection.execute(one, row).lastrowid for row in rows]
            self._store_asset_event_tags(connection, events, ids)
            for event, event_id in _newest(events, ids):
                self._store_asset_event(connection, event, event_id)

    def _store_asset_check_evaluation_planned(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        """The rows of a check that a run plans, one for each of its days, as Dagster's own storage has them.

        Dagster compiles all values into one statement, which takes a millisecond for each day and check.
        """
        planned: Any = event.get_dagster_event().event_specific_data
        written_at = datetime.fromtimestamp(event.timestamp, UTC).replace(tzinfo=None)  # as Dagster's: no zone
        days = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": written_at,
            "evaluation_event_storage_id": event_id,
        }
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), [row | {"partition": day} for day in days])


def _kind(event: dg.EventLogEntry) -> dg.DagsterEventType | None:
    named = event.dagster_event
    return event.dagster_event_type if named and named.asset_key else None


def _newest(events: Sequence[dg.EventLogEntry], ids: Sequence[int]) -> list[tuple[dg.EventLogEntry, int]]:
    """The last event of each asset and kind, in order: only that one is kept beside an asset's key."""
    last = {(str(event.get_dagster_event().asset_key), _kind(event)): n for n, event in enumerate(events)}
    return [(events[n], ids[n]) for n in sorted(last.values())]
