"""The asset `insights`, materialized as Dagster does it."""

from pathlib import Path

import dagster as dg

from cpa_core.demo import demo_settings
from cpa_core.pipeline import Assistant
from cpa_dagster.assistant import NO_KEYS, OPTIONS
from cpa_dagster.insights import insights_asset
from cpa_dagster.resources import Pipeline
from tests.support.awkward import fill

DAYS = dg.PartitionKeyRange("2026-03-02", "2026-03-03")


def test_the_days_of_a_run_are_summed_and_drawn(tmp_path: Path) -> None:
    assistant = Assistant.of(demo_settings("therapist", tmp_path))
    fill(assistant.store, 100)
    days = dg.DailyPartitionsDefinition("2026-03-02", end_date="2026-03-07")
    of = Pipeline(assistant=assistant, days=days)
    made = dg.Definitions(assets=[insights_asset(of)], resources={"options": OPTIONS, "keys": NO_KEYS})
    job = made.resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": DAYS.start, "dagster/asset_partition_range_end": DAYS.end}
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, tags=tags)
    events = {event.partition: event.metadata for event in result.asset_materializations_for_node("insights")}
    assert sorted(events) == [DAYS.start, DAYS.end]
    with assistant.store.reading() as view:
        kept = {str(row["day"]): row["conversations"] for row in view.rows("select * from insight_days")}
    assert {day: found["conversations"].value for day, found in events.items()} == kept
    for found in events.values():
        assert "data:image/svg+xml" in str(found["ended after turns"].value)
        assert 0 < len(found["most frequent transitions"].records) <= 15  # type: ignore[attr-defined]
