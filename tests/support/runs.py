"""What the tests of the Dagster code location share: runs in process, and what they materialized."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
from dagster._core.instance import DagsterInstance, InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage

from cpa_core.pipeline import Assistant
from cpa_dagster.assistant import assistant_definitions, pipeline_of
from cpa_dagster.resources import Pipeline

ROOT = Path(__file__).parents[2]
KEYS = ["landed_files", "raw_conversations", "event_schema", "tagged_events", "judge_scores", "upload_receipts"]
DAY = "2026-03-02"
TABLES = (
    "landed_messages",
    "raw_conversations",
    "messages",
    "tagged_events",
    "judge_scores",
    "upload_receipts",
    "answers",
)


_LOADED: dict[int, tuple[Assistant, dg.Definitions]] = {}


def definitions(assistant: Assistant) -> dg.Definitions:
    """Those of this assistant, loaded once, as a code location loads them."""
    if id(assistant) not in _LOADED:
        if len(_LOADED) == 8:
            _LOADED.clear()
        _LOADED[id(assistant)] = assistant, assistant_definitions(assistant.settings, assistant=assistant)
    return _LOADED[id(assistant)][1]


def pipeline(assistant: Assistant) -> Pipeline:
    return pipeline_of(assistant.settings, assistant=assistant)


def job(assistant: Assistant) -> dg.JobDefinition:
    return definitions(assistant).resolve_job_def("conversations")


def run(
    assistant: Assistant,
    day: str | None = DAY,
    *,
    only: str | None = None,
    until: str | None = None,
    instance: dg.DagsterInstance | None = None,
    **options: Any,
) -> dg.ExecuteInProcessResult:
    """One run in process, of all assets or of one: of a day, of a range of days, or of no day, with options."""
    if instance is None:
        with dg.DagsterInstance.ephemeral() as own:
            return run(assistant, day, only=only, until=until, instance=own, **options)
    tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": until} if until else {}
    return job(assistant).execute_in_process(
        partition_key=None if until else day,
        tags=tags,
        asset_selection=[dg.AssetKey(only)] if only else None,
        instance=instance,
        raise_on_error=False,
        run_config={"resources": {"options": {"config": options}}} if options else None,
    )


@contextmanager
def scheduled() -> Iterator[dg.DagsterInstance]:
    """An instance in memory that keeps schedules too. Dagster's for tests migrates three files, which takes seconds."""
    with TemporaryDirectory() as folder:
        storage = SqliteScheduleStorage.from_local(folder)
        with DagsterInstance(
            instance_type=InstanceType.EPHEMERAL,
            local_artifact_storage=LocalArtifactStorage(folder),
            run_storage=InMemoryRunStorage(),
            event_storage=InMemoryEventLogStorage(),
            schedule_storage=storage,
            compute_log_manager=NoOpComputeLogManager(),
            run_coordinator=DefaultRunCoordinator(),
            run_launcher=SyncInMemoryRunLauncher(),
        ) as instance:
            yield instance


def materialized(result: dg.ExecuteInProcessResult) -> list[tuple[str, str | None]]:
    events = result.filter_events(lambda event: event.is_step_materialization)
    return [(event.asset_key.to_user_string(), event.partition) for event in events if event.asset_key]


def metadata(result: dg.ExecuteInProcessResult, asset: str, day: str | None = DAY) -> dict[str, Any]:
    for event in result.filter_events(lambda event: event.is_step_materialization):
        found = event.step_materialization_data.materialization
        if (found.asset_key.to_user_string(), found.partition) == (asset, day):
            return {name: value.value for name, value in found.metadata.items()}
    raise AssertionError(f"{asset} {day} was not materialized")


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {f"{e.asset_key.to_user_string()}:{e.check_name}": e for e in result.get_asset_check_evaluations()}


def counts(assistant: Assistant) -> dict[str, int]:
    with assistant.store.reading() as view:
        return {table: view.rows(f"select count(*) as n from {table}")[0]["n"] for table in TABLES}
