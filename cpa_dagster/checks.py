"""Asset checks: is a day complete, and was every event accepted? They report; the stages themselves decide."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from cpa_core.pipeline import open_work, summaries
from cpa_core.store.database import Row
from cpa_dagster.resources import Pipeline

STAGE_OF = {"raw_conversations": "build", "tagged_events": "tag", "judge_scores": "judge"}
"""The assets whose `complete` shows the open work of a stage."""

SHOWN = 200


def checks(pipeline: Pipeline) -> list[dg.AssetChecksDefinition]:
    """The checks of one assistant."""
    return [*(complete(pipeline.key(asset), stage) for asset, stage in STAGE_OF.items()), accepted(pipeline)]


def complete(key: dg.AssetKey, stage: str) -> dg.AssetChecksDefinition:
    """Whether a stage has left nothing open in the days of the run."""

    @dg.asset_check(
        asset=key,
        name="complete",
        description="Nothing is open in the days of this run: no failure that may pass, nothing not yet done.",
    )
    def check(context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
        assistant = pipeline.of_run(context)
        days = days_of(context, pipeline)
        rows = [{"day": day} | row for day in days for row in open_work(assistant, day) if row["stage"] == stage]
        return dg.AssetCheckResult(
            passed=not rows, metadata={"days": len(days), "open": len(rows), **_table("conversations", rows)}
        )

    return check


def accepted(of: Pipeline) -> dg.AssetChecksDefinition:
    """Whether every event of the days of the run has an accepting receipt."""

    @dg.asset_check(
        asset=of.key("upload_receipts"),
        name="accepted",
        description="Every event that was sent for the days of this run was accepted.",
    )
    def check(context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
        rows = summaries(pipeline.of_run(context), days_of(context, pipeline))
        short = [{name: row[name] for name in ("day", "receipts", "undelivered")} for row in rows if row["undelivered"]]
        receipts = sum(row["receipts"] for row in rows)
        return dg.AssetCheckResult(passed=not short, metadata={"receipts": receipts, **_table("days", short)})

    return check


def days_of(context: dg.AssetCheckExecutionContext, pipeline: Pipeline) -> list[date]:
    """The days of the run; all that have landed, when the check is run by itself without a day."""
    if context.has_partition_key or context.has_partition_key_range:
        return [date.fromisoformat(key) for key in context.partition_keys]
    with pipeline.assistant.store.reading() as view:
        return [row["day"] for row in view.rows("select day from days order by day")]


def _table(name: str, rows: Sequence[Row]) -> dict[str, dg.MetadataValue]:
    records = [dg.TableRecord({key: str(value) for key, value in row.items()}) for row in rows[:SHOWN]]
    return {name: dg.MetadataValue.table(records=records)} if records else {}
