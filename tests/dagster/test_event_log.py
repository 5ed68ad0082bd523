"""Events stored in batches are the events that Dagster's own storage keeps: the same rows, in the same files."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cpa_dagster.event_log import BatchedEventLog
from tests.support.runs import ROOT

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
FIRST, LAST, COUNT = "2026-01-03", "2026-01-25", 23
OWN = "telemetry: {enabled: false}\n"
BATCHED = f"""{OWN}event_log_storage:
  module: cpa_dagster.event_log
  class: BatchedEventLog
  config: {{home: {{env: DAGSTER_HOME}}}}
"""


@dg.asset(partitions_def=DAYS)
def first(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    context.add_asset_metadata({"rows": 7}, partition_key="2026-01-05")
    return dg.MaterializeResult(tags={"kind": "counted"})


@dg.asset(partitions_def=DAYS, deps=[first])
def second() -> None: ...


@dg.asset_check(asset=first)
def checked() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def kept(home: Path, settings: str, size: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What an instance with these settings shows, opened anew by Dagster's own storage, of a run over a range."""
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
    (home / "dagster.yaml").write_text(settings, "utf-8")
    tags = {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST}
    defs = dg.Definitions(assets=[first, second], asset_checks=[checked], executor=dg.in_process_executor)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance.event_log_storage, BatchedEventLog) is (settings == BATCHED)
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(tags=tags, instance=instance)
    (home / "dagster.yaml").write_text(OWN, "utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return shown(instance, result.run_id)


def shown(instance: dg.DagsterInstance, run_id: str) -> dict[str, Any]:
    """Rows of both files, without what is another in each run: ids and times."""
    storage = instance.event_log_storage
    of_run = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event]
    last = instance.get_latest_materialization_event(first.key)
    assert last and last.asset_materialization
    checks = storage.get_asset_check_execution_history(checked.check_key, limit=100)
    keys = dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION, asset_key=first.key)
    rows = [(r.partition_key, r.asset_materialization) for r in storage.get_event_records(keys, ascending=True)]
    return {
        "log of the run": [(event.event_type_value, event.step_key, event.partition) for event in of_run],
        "events of the asset": [(day, one and (one.metadata, one.tags["kind"])) for day, one in rows],
        "days": {asset.key: sorted(instance.get_materialized_partitions(asset.key)) for asset in (first, second)},
        "newest": (last.asset_materialization.partition, last.asset_materialization.tags["kind"]),
        "tags": len(storage.get_event_tags_for_asset(first.key, filter_tags={"kind": "counted"})),
        "checks": sorted((one.partition or "", one.status.value, one.event is not None) for one in checks),
    }


def test_batches_keep_what_dagsters_own_storage_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = kept(tmp_path / "own", OWN, "0", monkeypatch)
    assert len(own["days"][first.key]) == COUNT and own["checks"]
    for size in ("5", "1000"):
        assert kept(tmp_path / size, BATCHED, size, monkeypatch) == own, f"batches of {size}"


def test_the_instances_of_this_project_store_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((ROOT / "cpa_dagster" / "dagster.yaml").read_text("utf-8"), "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.event_log_storage, BatchedEventLog)
    started = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"DAGSTER_EVENT_BATCH_SIZE=[1-9]\d+\b[^#]*?/dg dev", started), "without a size nothing is batched"
