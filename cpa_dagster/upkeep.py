"""The asset `store_upkeep`, for a store past one machine: once a night the lake is looked after and checked."""

import dagster as dg

from cpa_core.pipeline.stores import StoreKept, keep_store
from cpa_dagster.days import Step, errors_of
from cpa_dagster.factory import Form, Results, asset_of
from cpa_dagster.resources import Pipeline

NAME, CHECK = "store_upkeep", "each_row_once"
NIGHTLY = "30 4 * * *"
WAIT = 300.0
"""Seconds that a step waits for the lock of the writer."""
ABOUT = (
    "Merges the small files of the lake and removes those that no snapshot of the last seven days names. "
    "The check counts rows that are there twice, and messages beside the counts of their conversations."
)


def upkeep_assets(pipeline: Pipeline) -> list[dg.AssetsDefinition]:
    """The asset with its check where CPA_STORE names a lake; none for a file, which needs no upkeep."""
    if not pipeline.assistant.settings.store:
        return []
    checks = [dg.AssetCheckSpec(CHECK, asset=pipeline.key(NAME))]
    return [asset_of(pipeline, Form(name=NAME, about=(ABOUT,), compute=kept, checks=checks))]


def kept(step: Step) -> Results:
    """Look after the lake, and check it."""
    with errors_of(step):
        found = keep_store(step.assistant, WAIT)
    check = dg.AssetCheckResult(passed=not found.twice, check_name=CHECK, metadata={**found.twice})
    yield dg.MaterializeResult(metadata=metadata_of(found), check_results=[check])


def metadata_of(found: StoreKept) -> dict[str, int]:
    """Return the savings of an upkeep as metadata for Dagster: files, bytes and snapshots, before and after."""
    return {
        "files before": found.files_before,
        "files": found.files,
        "bytes before": found.bytes_before,
        "bytes": found.bytes,
        "snapshots before": found.snapshots_before,
        "snapshots": found.snapshots,
        "files removed": found.removed,
    }


def upkeep_schedules(pipeline: Pipeline) -> list[dg.ScheduleDefinition]:
    """The nightly schedule of the upkeep where there is one. It spends no money, so it runs from the start."""
    if not pipeline.assistant.settings.store:
        return []
    job = dg.define_asset_job(pipeline.named(f"{NAME}_job"), selection=dg.AssetSelection.assets(pipeline.key(NAME)))
    schedule = dg.ScheduleDefinition(
        name=pipeline.named(f"{NAME}_nightly"),
        job=job,
        cron_schedule=NIGHTLY,
        execution_timezone=pipeline.assistant.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Looks after the lake at half past four.",
    )
    return [schedule]
