"""Asset checks: what a person should look at after a run. They report; the stages themselves decide what goes out."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import dagster as dg

from cpa_core.errors import CpaError
from cpa_core.pipeline import (
    Assistant,
    current_schema,
    drift,
    events_by_type,
    failures,
    messages_covered,
    money_spent,
    open_work,
    reconciled,
    rejects,
    roles_not_tagged,
    roles_warning,
    schema_path,
    stale_days,
    summaries,
    types_without_events,
    waiting_days,
    waiting_versions,
)
from cpa_dagster.pictures import listed, table
from cpa_dagster.resources import Pipeline

Result = dg.AssetCheckResult
Shown = dict[str, Any]
Look = Callable[[Assistant, Sequence[date]], Result]

FAILED_SHARE = 0.05
"""The share of conversations that may fail at a stage, for good or not, before somebody should look."""

COVERED_SHARE = 0.25
"""The share of messages that should have an event; with fewer, the schema misses what people talk about."""

WARN = dg.AssetCheckSeverity.WARN
ERROR = dg.AssetCheckSeverity.ERROR


def checks(pipeline: Pipeline) -> list[dg.AssetChecksDefinition]:
    """The checks of one assistant."""
    made = [
        _check(pipeline, asset, "complete", COMPLETE, complete(stage))
        for asset, stage in (("raw_conversations", "build"), ("tagged_events", "tag"), ("judge_scores", "judge"))
    ]
    for asset, stage in (("tagged_events", "tag"), ("judge_scores", "judge")):
        made.append(_check(pipeline, asset, "few_failures", FEW_FAILURES, few_failures(stage)))
        made.append(_check(pipeline, asset, "within_budget", WITHIN_BUDGET, within_budget))
    made.append(_check(pipeline, "landed_files", "few_rejects", FEW_REJECTS, few_rejects))
    made.append(_check(pipeline, "landed_files", "roles_tagged", ROLES_TAGGED, roles_tagged))
    made.append(_check(pipeline, "event_schema", "accepted", SCHEMA_ACCEPTED, schema_accepted))
    made.append(_check(pipeline, "tagged_events", "schema_covers", SCHEMA_COVERS, schema_covers))
    made.append(_check(pipeline, "tagged_events", "coverage_drift", COVERAGE_DRIFT, coverage_drift))
    made.append(_check(pipeline, "upload_receipts", "history_current", HISTORY_CURRENT, history_current))
    made.append(_check(pipeline, "upload_receipts", "accepted", ACCEPTED, accepted))
    made.append(_check(pipeline, "upload_receipts", "reconciled", RECONCILED, reconciles))
    return made


COMPLETE = "Nothing is open in the days of this run: no failure that may pass, nothing not yet done."
FEW_FAILURES = f"At most {FAILED_SHARE:.0%} of the conversations failed, refused and filtered answers included."
FEW_REJECTS = "Of what landed last, no more was rejected than CPA_MOST_REJECTED allows, in records or in objects."
ROLES_TAGGED = "Every message has a role that is tagged or known not to be speech; others need CPA_ROLES."
WITHIN_BUDGET = "This run and this UTC day cost no more than CPA_BUDGET and CPA_DAILY_BUDGET; a warning from 80 %."
SCHEMA_ACCEPTED = "A person named or accepted the schema. What a run proposed reaches no vendor before that."
SCHEMA_COVERS = f"At least {COVERED_SHARE:.0%} of the messages have an event, so the schema fits what people say."
COVERAGE_DRIFT = "Messages without event, values not applicable and each type are as frequent as on the days before."
HISTORY_CURRENT = "Every day was tagged and judged by the schema in force. Nothing else re-tags: a backfill does."
ACCEPTED = "Every event that was sent for the days of this run was accepted."
RECONCILED = "Every event has a receipt at each destination, and nothing that is no longer true stays at a vendor."


def _check(pipeline: Pipeline, asset: str, name: str, description: str, look: Look) -> dg.AssetChecksDefinition:
    """A check over the days of its run."""

    @dg.asset_check(asset=pipeline.key(asset), name=name, description=description)
    def check(context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
        return look(pipeline.of_run(context), days_of(context, pipeline))

    return check


def complete(stage: str) -> Look:
    """Whether a stage has left nothing open."""

    def look(assistant: Assistant, days: Sequence[date]) -> Result:
        rows = [row for row in open_work(assistant, days) if row["stage"] == stage]
        shown: Shown = {"days": len(days), "open": len(rows), **table("conversations", rows)}
        return Result(passed=not rows, severity=ERROR, metadata=shown)

    return look


def few_failures(stage: str) -> Look:
    """Whether no more conversations failed than may."""

    def look(assistant: Assistant, days: Sequence[date]) -> Result:
        failed = [row for row in failures(assistant, days) if row["stage"] == stage]
        conversations = sum(row["conversations"] for row in summaries(assistant, days))
        share = len(failed) / conversations if conversations else 0.0
        reasons = [{name: row[name] for name in ("day", "conversation_id", "reason", "retryable")} for row in failed]
        shown: Shown = {
            "conversations": conversations,
            "failed": len(failed),
            "share": share,
            **table("failures", reasons),
        }
        return Result(passed=share <= FAILED_SHARE, severity=ERROR, metadata=shown)

    return look


def few_rejects(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether the newest landing rejected no more than it may."""
    found = rejects(assistant)
    if found is None:
        return Result(passed=True, metadata={"records": 0})
    shown: Shown = found.model_dump(include={"objects", "refused", "records", "lost", "share", "most"})
    return Result(passed=found.is_fine, severity=ERROR, metadata=shown)


def roles_tagged(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether no message has a role that nobody tags."""
    found = roles_not_tagged(assistant)
    rows = [{"role": role if len(role) <= 40 else "(long)", "messages": count} for role, count in found.items()]
    shown: Shown = {"messages": sum(found.values()), **table("roles", rows[:20])}
    return Result(passed=not found, severity=WARN, description=roles_warning(found) or None, metadata=shown)


def within_budget(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether the money spent is within what the settings allow."""
    given = assistant.settings
    run, day = money_spent(assistant)
    limits = [(most, spent) for most, spent in ((given.budget, run), (given.daily_budget, day)) if most is not None]
    over = any(spent > most for most, spent in limits)
    near = any(spent > 0.8 * most for most, spent in limits)
    shown: Shown = {"dollars of this run": run, "dollars of this UTC day": day, "limits": len(limits)}
    return Result(passed=not near, severity=ERROR if over else WARN, metadata=shown)


def schema_accepted(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether no day is kept from vendors because its schema is a proposal that nobody has accepted."""
    try:
        versions, held = waiting_versions(assistant), waiting_days(assistant)
    except CpaError as error:
        return Result(passed=False, severity=ERROR, description=str(error))
    words = (
        f"{len(held)} days are in the outbox only: read {schema_path(assistant)}, edit it or accept it: "
        "cpa schema accept, CPA_ACCEPT_PROPOSALS=yes, or name the file as CPA_SCHEMA"
    )
    shown: Shown = {"versions that wait": listed(versions), "days in the outbox only": len(held)}
    return Result(passed=not versions, severity=WARN, description=words if versions else None, metadata=shown)


def schema_covers(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether the schema's event types occur in what people say."""
    covered = messages_covered(assistant, days)
    asked, found = (sum(row[name] for row in covered) for name in ("asked", "with_events"))
    share = found / asked if asked else 1.0
    try:
        absent = types_without_events(current_schema(assistant)[0], events_by_type(assistant, days))
    except CpaError as error:
        return Result(passed=False, severity=WARN, description=str(error))
    shown: Shown = {
        "messages": asked,
        "with events": found,
        "share": share,
        "event types without events": listed(absent),
    }
    return Result(passed=share >= COVERED_SHARE, severity=WARN, metadata=shown)


def coverage_drift(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether what happens on the days is what happens on usual ones."""
    found = drift(assistant, days)
    rows = [one.measured.model_dump() | {"conversations": ", ".join(one.examples)} for one in found]
    shown: Shown = {"days": len(days), "out of the ordinary": len(found), **table("measures", rows)}
    return Result(passed=not found, severity=WARN, metadata=shown)


def history_current(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether days are of another schema than the one in force; it says so and changes nothing."""
    try:
        rows = [one.model_dump() for one in stale_days(assistant)]
    except CpaError as error:
        return Result(passed=False, severity=WARN, description=str(error))
    return Result(passed=not rows, severity=WARN, metadata={"stale days": len(rows), **table("days", rows)})


def accepted(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether every event has an accepting receipt."""
    rows = summaries(assistant, days)
    short = [{name: row[name] for name in ("day", "receipts", "undelivered")} for row in rows if row["undelivered"]]
    receipts = sum(row["receipts"] for row in rows)
    return Result(passed=not short, severity=ERROR, metadata={"receipts": receipts, **table("days", short)})


def reconciles(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether events and receipts agree."""
    lines = reconciled(assistant, days)
    wrong = [line.model_dump() for line in lines if line.difference or line.stale]
    differs = any(line.difference for line in lines)
    shown: Shown = {"events": sum(line.events for line in lines), **table("differences", wrong)}
    return Result(passed=not wrong, severity=ERROR if differs else WARN, metadata=shown)


def days_of(context: dg.AssetCheckExecutionContext, pipeline: Pipeline) -> list[date]:
    """The days of the run; all that have landed, when the check is run by itself without a day."""
    if context.has_partition_key or context.has_partition_key_range:
        return [date.fromisoformat(key) for key in context.partition_keys]
    with pipeline.assistant.store.reading() as view:
        return [row["day"] for row in view.rows("select day from days order by day")]
