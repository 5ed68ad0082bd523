"""The six assets: each is one stage of `cpa_core.pipeline` over the days of the run, and what it reports."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from cpa_core.errors import BudgetReached, CpaError, DayIncomplete, DayWaits, DeadlineReached, SettingsError
from cpa_core.pipeline import (
    Assistant,
    QuoteLine,
    build_day,
    deliver_day,
    ensure_schema,
    judge_day,
    land,
    open_work,
    quote,
    schema_path,
    stale_days,
    tag_day,
    types_and_events,
)
from cpa_core.store.database import Row
from cpa_dagster.parts import parts
from cpa_dagster.pictures import listed, table
from cpa_dagster.reports import Metadata, Report, asked, of_conversations, of_judgments, of_receipts, of_tags
from cpa_dagster.resources import Pipeline
from cpa_dagster.tables import described

Days = Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]

GROUP = "conversations"

DESCRIPTIONS = {
    "landed_files": "What arrived in the source, which days it touched, and what was rejected and why.",
    "raw_conversations": "The conversations that began on the day, each assembled from every file that holds it.",
    "event_schema": "The event types, their properties and the judge's criteria: the YAML file that people edit.",
    "tagged_events": "The events of every message: type, properties, quote and reason.",
    "judge_scores": "One judgment per conversation: 0 to 100, a verdict per criterion, dealbreakers, reasons.",
    "upload_receipts": "What each destination answered for each event. A day that is not complete is not sent.",
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
"""For what goes on every day: where nothing landed or was delivered for so long, something is broken."""


def landed_files(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
    """Land what is new. Its data version never changes: a landing does not make every day stale, `days` says which."""
    try:
        landed = land(pipeline.of_run(context))
    except CpaError as error:
        raise failure(str(error)) from error
    outside = pipeline.outside(list(landed.days))
    metadata = landed.model_dump(include={"objects", "read", "skipped", "records", "rejected", "lost"}) | {
        "dagster/row_count": landed.objects,
        "days": listed(landed.days),
        "rejects": listed(landed.problems),
        "removed": listed(landed.removed),
        "warnings": listed(landed.warnings),
        **({"outside the partitions": outside} if outside else {}),
        **({"demo": pipeline.note} if pipeline.note else {}),
    }
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion("landed"))


def raw_conversations(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Days:
    """Build the days."""
    assistant = pipeline.of_run(context)
    yield from each_day(context, assistant, lambda day: build_day(assistant, day).model_dump(), of_conversations)


def event_schema(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
    """Read and record the schema. The data version is the schema's own: the same words leave every day as it is."""
    assistant = pipeline.of_run(context)
    try:
        schema, advice = ensure_schema(assistant)
    except CpaError as error:
        raise failure(str(error)) from error
    metadata: dict[str, Any] = {
        "file": str(schema_path(pipeline.assistant)),
        "version": schema.version,
        "event types": len(schema.event_types),
        "stale days": len(stale_days(assistant)),
        "warnings": listed(advice),
        **table("types", types_and_events(assistant, schema)),
    }
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(schema.version))


def tagged_events(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Days:
    """Tag the days. Failures that may pass are reported here and hold their day back at the upload."""
    assistant = pipeline.of_run(context)
    retag = pipeline.retags(context)
    if retag:
        say_what_it_costs(context, assistant)
    yield from each_day(context, assistant, lambda day: asked(assistant, tag_day(assistant, day, retag=retag)), of_tags)


def judge_scores(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Days:
    """Judge the days. Failures that may pass are reported here and hold their day back at the upload."""
    assistant = pipeline.of_run(context)
    retag = pipeline.retags(context)
    yield from each_day(
        context, assistant, lambda day: asked(assistant, judge_day(assistant, day, retag=retag)), of_judgments
    )


def say_what_it_costs(context: dg.AssetExecutionContext, assistant: Assistant) -> None:
    """Before days of another schema are brought to the one in force: how many questions, at what price."""
    named = set(context.partition_keys)
    days = [one.day for one in stale_days(assistant) if one.day.isoformat() in named]
    for line in quote(assistant, days).lines if days else ():
        told = f"{line.questions} questions, {_price(line)}"
        context.log.info(f"{len(days)} days are of another schema: {line.task}: {told}")


def upload_receipts(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Days:
    """Deliver the complete days; then fail if there were others."""
    assistant = pipeline.of_run(context)
    names = {"destinations": ", ".join(assistant.settings.destinations)}
    yield from each_day(context, assistant, lambda day: deliver_day(assistant, day).model_dump() | names, of_receipts)


STAGES: tuple[Callable[..., Any], ...] = (
    landed_files,
    raw_conversations,
    event_schema,
    tagged_events,
    judge_scores,
    upload_receipts,
)


def assets(pipeline: Pipeline) -> list[dg.AssetsDefinition]:
    """The assets of one assistant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the parameter backfill_policy is marked so
        return [_asset(stage, stage.__name__, pipeline) for stage in STAGES]


def _asset(stage: Callable[..., Any], name: str, pipeline: Pipeline) -> dg.AssetsDefinition:
    said = (DESCRIPTIONS[name], parts(pipeline.assistant).get(name, ""), pipeline.note)
    decorate = dg.asset(
        key=pipeline.key(name),
        deps=[_dependency(pipeline, upstream, name) for upstream in UPSTREAM[name]],
        partitions_def=None if name in UNPARTITIONED else pipeline.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUP,
        output_required=name not in TASKS,
        pool=pool(pipeline.assistant, TASKS[name]) if name in TASKS else None,
        kinds={"duckdb", *kinds(pipeline, name)},
        owners=list(pipeline.owners),
        freshness_policy=LATE if name in ("landed_files", "upload_receipts") and pipeline.goes_on else None,
        description="\n\n".join(filter(None, said)),
        metadata=described(pipeline, name),
    )
    return decorate(stage)


def pool(assistant: Assistant, task: str) -> str | None:
    """Whose turn it must be to ask the model: Dagster lets as many stages ask a provider at once as the pool allows."""
    try:
        provider = assistant.model(task).provider
    except SettingsError:
        return None
    return f"model_{provider}" if provider != "reference" else None


def kinds(pipeline: Pipeline, name: str) -> set[str]:
    """What an asset works with beside DuckDB."""
    given = pipeline.assistant.settings
    if name == "landed_files":
        return {"s3" if (given.source or "").startswith("s3://") else "file"}
    if name == "upload_receipts":
        return set(given.destinations[:2])
    return {"event_schema": {"yaml"}, "tagged_events": {"ai"}, "judge_scores": {"ai"}}.get(name, set())


def _dependency(pipeline: Pipeline, upstream: str, downstream: str) -> dg.AssetDep:
    """In a run the schema comes after the conversations, for it can be proposed from them; but it depends on no
    partition of theirs, so that no day holds it up, and no day makes it and every other day stale."""
    to_schema = (upstream, downstream) == ("raw_conversations", "event_schema")
    mapping = dg.SpecificPartitionsPartitionMapping([]) if to_schema else None
    return dg.AssetDep(pipeline.key(upstream), partition_mapping=mapping)


def each_day(
    context: dg.AssetExecutionContext, assistant: Assistant, work: Callable[[date], Metadata], report: Report
) -> Days:
    """Do the days of the run. A day that is held back does not stop the others; the days done are recorded,
    then the step fails and names the rest. Anything else that stops the work stops it there. A day that waits for
    batches is no failure: the days done are recorded, and the stages after this one are left out."""
    done: dict[date, Metadata] = {}
    problems: list[str] = []
    held: list[date] = []
    waiting: list[str] = []
    with assistant.progress("days", len(context.partition_keys)) as advance:
        for day in map(date.fromisoformat, context.partition_keys):
            try:
                done[day] = work(day)
            except DayWaits as waits:
                waiting.append(f"{day}: {waits}")
            except DayIncomplete as incomplete:
                held.append(day)
                problems.append(str(incomplete))
            except CpaError as error:
                problems.append(f"{day}: {error}")
                if isinstance(error, BudgetReached | DeadlineReached):
                    problems += _left(context, assistant, day)
                break
            advance()
    reports = report(assistant, list(done)) if done else {}
    for day, metadata in done.items():
        found = {**reports.get(day, {}), **metadata}
        if problems or waiting:
            yield dg.AssetMaterialization(context.asset_key, partition=str(day), metadata=found)
        else:
            context.add_asset_metadata(found, partition_key=str(day))
    if problems:
        raise failure("\n".join(problems), open_work(assistant, held) if held else ())
    for words in waiting:
        context.log.info(words)
    if not waiting:
        yield dg.MaterializeResult()


def _left(context: dg.AssetExecutionContext, assistant: Assistant, since: date) -> list[str]:
    """What of the run's days is left to ask, and what that would cost."""
    days = [day for day in map(date.fromisoformat, context.partition_keys) if day >= since]
    lines = quote(assistant, days, retag=Pipeline.retags(context)).lines
    return [f"left of {len(days)} days: {line.task}: {line.questions} questions, {_price(line)}" for line in lines]


def _price(line: QuoteLine) -> str:
    return "an unknown sum" if line.cost is None else f"at most about ${line.cost:.4f}"


def failure(words: str, rows: Sequence[Row] = ()) -> dg.Failure:
    """A step that fails with words for people, and which conversations are open; the same run would meet the same."""
    return dg.Failure(description=words, metadata=table("open", rows), allow_retries=False)
