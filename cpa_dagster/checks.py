"""Asset checks: findings for a person after a run.

They only report; the stages themselves decide which events are sent.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    known_days,
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
from cpa_core.pipeline.handles import handles, with_handles
from cpa_dagster import gold, topics
from cpa_dagster.days import Step, errors_of
from cpa_dagster.options import RunOptions, SecretKeys
from cpa_dagster.pictures import in_workbench, listed, table
from cpa_dagster.resources import Pipeline

Result = dg.AssetCheckResult
Shown = dict[str, Any]
Look = Callable[[Assistant, Sequence[date]], Result]

FAILED_SHARE = 0.05
"""The share of conversations that may fail at a stage, finally or not, before the check warns."""

COVERED_SHARE = 0.25
"""The share of messages that should have an event; with fewer, the schema misses what people talk about."""

WARN = dg.AssetCheckSeverity.WARN
ERROR = dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True)
class Check:
    """A check of an asset: its description, and the function that checks the days of its run."""

    asset: str
    name: str
    about: str
    look: Look


def checks(pipeline: Pipeline) -> list[dg.AssetChecksDefinition]:
    """Return the checks of one assistant: the checks of one asset are one step."""
    found: defaultdict[str, list[Check]] = defaultdict(list)
    for one in all_checks(pipeline):
        found[one.asset].append(one)
    return [_step(pipeline, asset, those) for asset, those in found.items()]


def all_checks(pipeline: Pipeline) -> list[Check]:
    """Every check, by asset."""
    stages = (("raw_conversations", "build"), ("tagged_events", "tag"), ("judge_scores", "judge"))
    asking = stages[1:]
    return [
        *(Check(asset, "complete", COMPLETE, complete(stage)) for asset, stage in stages),
        *(Check(asset, "few_failures", FEW_FAILURES, few_failures(stage)) for asset, stage in asking),
        *(Check(asset, "within_budget", WITHIN_BUDGET, within_budget) for asset, _ in asking),
        Check("landed_files", "few_rejects", FEW_REJECTS, few_rejects),
        Check("landed_files", "roles_tagged", ROLES_TAGGED, roles_tagged),
        Check("landed_files", "in_partitions", IN_PARTITIONS, in_partitions(pipeline)),
        Check("event_schema", "accepted", SCHEMA_ACCEPTED, schema_accepted),
        Check("tagged_events", "schema_covers", SCHEMA_COVERS, schema_covers),
        Check("tagged_events", "coverage_drift", COVERAGE_DRIFT, coverage_drift),
        Check("upload_receipts", "history_current", HISTORY_CURRENT, history_current),
        Check("upload_receipts", "accepted", ACCEPTED, accepted),
        Check("upload_receipts", "reconciled", RECONCILED, reconciles),
        *(Check("label_quality", name, about, look) for name, about, look in gold.CHECKS),
        Check("topics", "no_new_topic", topics.NO_NEW_TOPIC, topics.no_new_topic),
    ]


COMPLETE = "Nothing is open in the days of this run: no failure that may pass, nothing not yet done."
FEW_FAILURES = f"At most {FAILED_SHARE:.0%} of the conversations failed, refused and filtered answers included."
FEW_REJECTS = "Of what landed last, no more was rejected than CPA_MOST_REJECTED allows, in records or in objects."
IN_PARTITIONS = "Every day on which something landed has a partition; CPA_START_DATE is where they begin."
ROLES_TAGGED = "Every message has a role that is tagged or known not to be speech; others need CPA_ROLES."
WITHIN_BUDGET = "This run and this UTC day cost no more than CPA_BUDGET and CPA_DAILY_BUDGET; a warning from 80 %."
SCHEMA_ACCEPTED = "A person named or accepted the schema. What a run proposed reaches no vendor before that."
SCHEMA_COVERS = f"At least {COVERED_SHARE:.0%} of the messages have an event, so the schema fits what people say."
COVERAGE_DRIFT = "Messages without event, values not applicable and each type are as frequent as on the days before."
HISTORY_CURRENT = "Every day was tagged and judged by the schema in force. Only a run with `retag` brings it there."
ACCEPTED = "Every event that was sent for the days of this run was accepted."
RECONCILED = "Every event has a receipt at each destination, and nothing that is no longer true stays at a vendor."


def _step(pipeline: Pipeline, asset: str, those: Sequence[Check]) -> dg.AssetChecksDefinition:
    """Return the checks of one asset over the days of the run; each can also be run alone."""
    key = pipeline.key(asset)
    by_name = {one.name: one for one in those}

    @dg.multi_asset_check(
        name="_".join([*key.path, "checks"]),
        specs=[dg.AssetCheckSpec(one.name, asset=key, description=one.about) for one in those],
        can_subset=True,
    )
    def look(context: dg.AssetCheckExecutionContext, options: RunOptions, keys: SecretKeys) -> Iterator[Result]:
        step = Step(context, pipeline, options, keys)
        with errors_of(step):
            days = days_of(step)
            for chosen in sorted(context.selected_asset_check_keys):
                found = by_name[chosen.name].look(step.assistant, days)
                yield replace_key(found, chosen)

    return look


def replace_key(found: Result, key: dg.AssetCheckKey) -> Result:
    """Return the result under the key of a check."""
    return Result(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=found.passed,
        severity=found.severity,
        description=found.description,
        metadata=found.metadata,
    )


def in_partitions(pipeline: Pipeline) -> Look:
    """Whether every day on which something landed has a partition."""

    def look(assistant: Assistant, days: Sequence[date]) -> Result:
        known = known_days(assistant)
        beyond = pipeline.without_partition(known)
        shown: Shown = {"days": len(known), "outside": len(beyond), "days outside": listed(beyond)}
        return Result(passed=not beyond, severity=ERROR, description=pipeline.outside(known) or None, metadata=shown)

    return look


def complete(stage: str) -> Look:
    """Whether a stage has left nothing open."""

    def look(assistant: Assistant, days: Sequence[date]) -> Result:
        rows = [row for row in open_work(assistant, days) if row["stage"] == stage]
        shown: Shown = {"days": len(days), "open": len(rows), **table("conversations", with_handles(assistant, rows))}
        shown |= in_workbench(assistant, (row["conversation_id"] for row in rows))
        return Result(passed=not rows, severity=ERROR, metadata=shown)

    return look


def few_failures(stage: str) -> Look:
    """Whether the share of failed conversations is within its limit."""

    def look(assistant: Assistant, days: Sequence[date]) -> Result:
        failed = [row for row in failures(assistant, days) if row["stage"] == stage]
        conversations = sum(row["conversations"] for row in summaries(assistant, days))
        share = len(failed) / conversations if conversations else 0.0
        reasons = [{name: row[name] for name in ("day", "conversation_id", "reason", "retryable")} for row in failed]
        shown: Shown = {
            "conversations": conversations,
            "failed": len(failed),
            "share": share,
            **table("failures", with_handles(assistant, reasons)),
            **in_workbench(assistant, (row["conversation_id"] for row in failed)),
        }
        return Result(passed=share <= FAILED_SHARE, severity=ERROR, metadata=shown)

    return look


def few_rejects(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether the newest landing rejected no more than CPA_MOST_REJECTED allows."""
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
    """Whether the schema's event types occur in enough of the messages."""
    covered = messages_covered(assistant.store, days)
    asked, found = (sum(row[name] for row in covered) for name in ("asked", "with_events"))
    share = found / asked if asked else 1.0
    try:
        absent = types_without_events(current_schema(assistant)[0], events_by_type(assistant.store, days))
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
    """Whether the rates of the days are within the range of earlier days."""
    found = drift(assistant, days)
    rows = [one.measured.model_dump() | {"conversations": ", ".join(handles(assistant, one.examples))} for one in found]
    shown: Shown = {"days": len(days), "out of the ordinary": len(found), **table("measures", rows)}
    shown |= in_workbench(assistant, (example for one in found for example in one.examples))
    return Result(passed=not found, severity=WARN, metadata=shown)


def history_current(assistant: Assistant, days: Sequence[date]) -> Result:
    """Whether days are of another schema than the one in force; it reports them and changes nothing."""
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


def days_of(step: Step) -> list[date]:
    """Return the days of the run with landed records; all such days if the check runs alone, without a partition."""
    known = known_days(step.assistant)
    return sorted(set(known).intersection(step.days)) if step.days else known
