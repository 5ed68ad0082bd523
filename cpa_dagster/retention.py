"""The asset `kept_days` with its job and schedule: what is older than CPA_KEEP_DAYS is removed, and its sums stay."""

from typing import Any

import dagster as dg

from cpa_core.pipeline.forgetting.forget import forget_older
from cpa_core.pipeline.forgetting.retention import outdated
from cpa_dagster.days import Step
from cpa_dagster.factory import Form, asset_of, of_metadata
from cpa_dagster.pictures import table
from cpa_dagster.resources import Pipeline

NAME = "kept_days"
AT = "30 5 * * *"
"""After the night's runs have ended, as a rule."""
ABOUT = (
    "Removes conversations that ended more than {days} days ago (`CPA_KEEP_DAYS`) from the home: text, labels, "
    "receipts, answers' words, labels by people. Sums of these days stay. It asks and sends nothing."
)


def removed(step: Step) -> dict[str, Any]:
    """Remove what is older, and say how much it was."""
    days = step.assistant.settings.keep_days
    if days is None or not step.assistant.store.exists():
        return {"conversations": 0}
    found = outdated(step.assistant, days)
    if not found.is_empty:
        found = forget_older(step.assistant, days)
    rows = [{"table": name, "rows": count} for name, count in found.tables.items()]
    files = {"files": len(found.files), "lines or rows of files": sum(found.files.values())}
    return {"before": str(found.before), "conversations": found.conversations, **files, **table("removed", rows)}


def retention_definitions(pipeline: Pipeline) -> dict[str, Any]:
    """The asset, its job and its schedule, which runs at once; nothing where CPA_KEEP_DAYS is not set."""
    days = pipeline.assistant.settings.keep_days
    if days is None:
        return {"assets": [], "jobs": [], "schedules": []}

    form = Form(
        name=NAME,
        about=(ABOUT.format(days=days),),
        compute=of_metadata(removed),
        deps=[pipeline.key("insights")],
        metadata={"days": days},
    )
    job = dg.define_asset_job(
        pipeline.named(f"{NAME}_job"),
        selection=dg.AssetSelection.assets(pipeline.key(NAME)),
        description=f"Removes what is older than {days} days.",
    )
    schedule = dg.ScheduleDefinition(
        name=pipeline.named(f"{NAME}_daily"),
        job=job,
        cron_schedule=AT,
        execution_timezone=pipeline.assistant.settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Each day: removes what is older than {days} days.",
    )
    return {"assets": [asset_of(pipeline, form)], "jobs": [job], "schedules": [schedule]}
