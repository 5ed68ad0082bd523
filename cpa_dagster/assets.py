"""The six assets: each runs one stage of `cpa_core.pipeline` over the days of the run, and reports its result."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from cpa_core.errors import Stopped
from cpa_core.pipeline import (
    Assistant,
    Stage,
    build_days,
    current_schema,
    deliver_days,
    ensure_schema,
    home_id,
    judge_days,
    land,
    schema_path,
    stale_days,
    tag_days,
    types_and_events,
    waiting_days,
)
from cpa_core.pipeline.handles import without_names
from cpa_dagster.days import HOME, Days, Step, each_day, errors_of, in_passes
from cpa_dagster.factory import Form, Results, asset_of
from cpa_dagster.parts import kinds, parts, pool
from cpa_dagster.pictures import listed, table
from cpa_dagster.quotes import quoted_days, say_what_it_costs
from cpa_dagster.reports import asked, of_conversations, of_judgments, of_receipts, of_tags, tagged_run
from cpa_dagster.resources import Pipeline
from cpa_dagster.tables import described

GROUP = "conversations"

EMPTY_DAYS = "Days without conversations stay empty: a day that shows as missing is a day on which nothing landed."

DESCRIPTIONS = {
    "landed_files": "What arrived in the source, which days it touched, and what was rejected and why.",
    "raw_conversations": "The conversations that began on the day, each assembled from every file that holds it. "
    + EMPTY_DAYS,
    "event_schema": "The event types, their properties and the judge's criteria: the YAML file that people edit.",
    "tagged_events": "The events of every message: type, properties, quote and reason. " + EMPTY_DAYS,
    "judge_scores": "One judgment per conversation: 0 to 100, a verdict per criterion, dealbreakers, reasons. "
    + EMPTY_DAYS,
    "upload_receipts": "What each destination answered for each event. A day that is not complete is not sent. "
    + EMPTY_DAYS,
}
UPSTREAM: dict[str, tuple[str, ...]] = {
    "landed_files": (),
    "raw_conversations": ("landed_files",),
    "event_schema": ("landed_files", "raw_conversations"),
    "tagged_events": ("raw_conversations", "event_schema"),
    "judge_scores": ("raw_conversations", "event_schema"),
    "upload_receipts": ("tagged_events", "judge_scores"),
}
TASKS = {"tagged_events": "tag", "judge_scores": "judge"}
UNPARTITIONED = ("landed_files", "event_schema")

LATE = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=3), warn_window=timedelta(hours=36))
"""The freshness of daily assets: if nothing landed or was delivered for this long, something is broken."""


def landed_files(step: Step) -> Results:
    """Land new files.

    The data version never changes, so a landing does not make every day stale; the metadata `days` lists the touched
    days.
    """
    pipeline, assistant = step.pipeline, step.assistant
    with errors_of(step):
        landed = land(assistant)
        home = home_id(assistant)
    outside = pipeline.outside(list(landed.days))
    metadata = landed.model_dump(include={"objects", "read", "skipped", "records", "rejected", "lost"}) | {
        "dagster/row_count": landed.objects,
        "days": listed(landed.days),
        "rejects": listed(problems_by_reason(assistant, landed.problems)),
        "removed": listed(nameless(assistant, landed.removed)),
        "warnings": listed(nameless(assistant, landed.warnings)),
        **({HOME: home} if home else {}),
        **({"outside the partitions": outside} if outside else {}),
        **({"demo": pipeline.note} if pipeline.note else {}),
    }
    yield dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion("landed"))


def problems_by_reason(assistant: Assistant, problems: Sequence[str]) -> list[str]:
    """Return the problems of records and files, each once with its count; `cpa land` shows their places.

    A place may be named by a conversation's id, and Dagster's event log forgets nothing.
    """
    found = Counter(one.rpartition(": ")[2] for one in problems)
    lines = [f"{count} times: {reason}" for reason, count in found.most_common()]
    return nameless(assistant, lines)


def nameless(assistant: Assistant, lines: Sequence[str]) -> list[str]:
    """The lines with handles for the ids of conversations and users."""
    return without_names(assistant, "\x1f".join(lines)).split("\x1f") if lines else []


def raw_conversations(step: Step) -> Days:
    """Build the days."""
    built = in_passes(step, lambda days: build_days(step.assistant, days))
    yield from each_day(step, lambda day: built(day).model_dump(), of_conversations, builds=True)


def event_schema(step: Step) -> Results:
    """Read and record the schema. The data version is the schema's own: the same words leave every day as it is."""
    assistant = step.assistant
    with errors_of(step):
        schema, advice = current_schema(assistant) if step.options.dry_run else ensure_schema(assistant)
        metadata: dict[str, Any] = {
            "file": str(schema_path(assistant)),
            "version": schema.version,
            "event types": len(schema.event_types),
            "stale days": len(stale_days(assistant)),
            "warnings": listed(advice),
            **table("types", types_and_events(assistant.store, schema)),
        }
    yield dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(schema.version))


def tagged_events(step: Step) -> Days:
    """Tag the days. Failures that will be retried are reported here, and the upload holds their day back."""
    if step.options.retag and not step.options.dry_run:
        say_what_it_costs(step)
    yield from _asked_days(step, "tag", tag_days, of_tags)


def judge_scores(step: Step) -> Days:
    """Judge the days. Failures that will be retried are reported here, and the upload holds their day back."""
    yield from _asked_days(step, "judge", judge_days, of_judgments)


def _asked_days(step: Step, task: str, ask: Callable[..., dict[date, Stage | Stopped]], report: Any) -> Days:
    """Ask about the days. A dry run only quotes them: it materializes nothing and skips the assets downstream."""
    if step.options.dry_run:
        yield from quoted_days(step, task)
        return
    stages: list[Stage] = []
    labelled = in_passes(step, lambda days: ask(step.assistant, days, retag=step.options.retag))

    def work(day: date) -> dict[str, Any]:
        stages.append(labelled(day))
        return asked(step.assistant, stages[-1])

    try:
        yield from each_day(step, work, report)
    finally:
        tagged_run(step, task, stages)


def upload_receipts(step: Step) -> Days:
    """Deliver the complete days, then fail if any day was incomplete."""
    assistant, options = step.assistant, step.options
    how = {name: getattr(options, name) for name in ("deliver_incomplete", "retry_rejected", "correct")}
    with errors_of(step):
        held = set(waiting_days(assistant))
    delivered = in_passes(step, lambda days: deliver_days(assistant, days, **how))

    def work(day: date) -> dict[str, Any]:
        names: Sequence[str] = ("outbox",) if day in held else assistant.settings.destinations
        waits = {"waits for": "the proposed schema to be accepted"} if day in held else {}
        return delivered(day).model_dump() | {"destinations": ", ".join(names)} | waits

    yield from each_day(step, work, of_receipts)


STAGES: tuple[Callable[[Step], Results], ...] = (
    landed_files,
    raw_conversations,
    event_schema,
    tagged_events,
    judge_scores,
    upload_receipts,
)


def assets(pipeline: Pipeline) -> list[dg.AssetsDefinition]:
    """The assets of one assistant."""
    return [asset_of(pipeline, _form(stage, stage.__name__, pipeline)) for stage in STAGES]


def _form(stage: Callable[[Step], Results], name: str, pipeline: Pipeline) -> Form:
    return Form(
        name=name,
        about=(DESCRIPTIONS[name], parts(pipeline.assistant).get(name, "")),
        compute=stage,
        deps=[_dependency(pipeline, upstream, name) for upstream in UPSTREAM[name]],
        group=GROUP,
        kinds=frozenset({"duckdb", *kinds(pipeline.assistant, name)}),
        metadata=described(pipeline, name),
        freshness=LATE if name in ("landed_files", "upload_receipts") and pipeline.goes_on else None,
        pool=pool(pipeline.assistant, TASKS[name]) if name in TASKS else None,
        is_daily=name not in UNPARTITIONED,
        is_skippable=name in TASKS,
    )


def _dependency(pipeline: Pipeline, upstream: str, downstream: str) -> dg.AssetDep:
    """Return the dependency of one asset on another.

    In a run the schema follows the conversations, because it can be proposed from them. It depends on no partition of
    theirs, so no day holds it up, and no day makes it and every other day stale.
    """
    to_schema = (upstream, downstream) == ("raw_conversations", "event_schema")
    mapping = dg.SpecificPartitionsPartitionMapping([]) if to_schema else None
    return dg.AssetDep(pipeline.key(upstream), partition_mapping=mapping)
