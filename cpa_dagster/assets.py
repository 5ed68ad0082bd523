"""The six assets: each is one stage of `cpa_core.pipeline` over the days of the run, and what it reports."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any

import dagster as dg
import duckdb

from cpa_core.errors import CpaError, DayIncomplete
from cpa_core.pipeline import (
    Assistant,
    Stage,
    build_day,
    deliver_day,
    ensure_schema,
    judge_day,
    land,
    schema_path,
    summaries,
    tag_day,
)
from cpa_core.store.database import Transaction, migrate
from cpa_dagster.resources import Pipeline

Metadata = Mapping[str, Any]
Days = Iterator[dg.AssetMaterialization | dg.MaterializeResult[None]]

GROUP = "conversations"
SHOWN = 50

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
TABLES = {"event_schema": "event_schemas"}
UNPARTITIONED = ("landed_files", "event_schema")


def landed_files(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
    """Land what is new. Its data version never changes: a landing does not make every day stale, `days` says which."""
    try:
        landed = land(pipeline.of_run(context))
    except CpaError as error:
        raise failure(str(error)) from error
    outside = pipeline.outside(list(landed.days))
    metadata = landed.model_dump(include={"objects", "read", "skipped", "records", "rejected", "lost"}) | {
        "days": listed(landed.days),
        "rejects": listed(landed.problems),
        "removed": listed(landed.removed),
        **({"outside the partitions": outside} if outside else {}),
        **({"demo": pipeline.note} if pipeline.note else {}),
    }
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion("landed"))


def raw_conversations(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Days:
    """Build the days."""
    assistant = pipeline.of_run(context)
    yield from each_day(context, assistant, lambda day: build_day(assistant, day).model_dump())


def event_schema(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
    """Read and record the schema. The data version is the schema's own: the same words leave every day as it is."""
    try:
        schema, advice = ensure_schema(pipeline.of_run(context))
    except CpaError as error:
        raise failure(str(error)) from error
    metadata: dict[str, Any] = {
        "file": str(schema_path(pipeline.assistant)),
        "version": schema.version,
        "event types": len(schema.event_types),
        "warnings": listed(advice),
    }
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(schema.version))


def tagged_events(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Days:
    """Tag the days. Failures that may pass are reported here and hold their day back at the upload."""
    assistant = pipeline.of_run(context)
    retag = pipeline.retags(context)
    yield from each_day(context, assistant, lambda day: asked(assistant, tag_day(assistant, day, retag=retag), day))


def judge_scores(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Days:
    """Judge the days. Failures that may pass are reported here and hold their day back at the upload."""
    assistant = pipeline.of_run(context)
    retag = pipeline.retags(context)
    yield from each_day(context, assistant, lambda day: asked(assistant, judge_day(assistant, day, retag=retag), day))


def upload_receipts(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Days:
    """Deliver the complete days; then fail if there were others."""
    assistant = pipeline.of_run(context)
    names = {"destinations": ", ".join(assistant.settings.destinations)}
    yield from each_day(context, assistant, lambda day: deliver_day(assistant, day).model_dump() | names)


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
    decorate = dg.asset(
        key=pipeline.key(name),
        deps=[_dependency(pipeline, upstream, name) for upstream in UPSTREAM[name]],
        partitions_def=None if name in UNPARTITIONED else pipeline.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUP,
        kinds={"duckdb", "yaml"} if name == "event_schema" else {"duckdb"},
        description="\n\n".join(filter(None, [DESCRIPTIONS[name], pipeline.note])),
        metadata={
            "dagster/column_schema": columns(TABLES.get(name, name)),
            "home": str(pipeline.assistant.settings.home),
        },
    )
    return decorate(stage)


def _dependency(pipeline: Pipeline, upstream: str, downstream: str) -> dg.AssetDep:
    """In a run the schema comes after the conversations, for it can be proposed from them; but it depends on no
    partition of theirs, so that no day holds it up, and no day makes it and every other day stale."""
    to_schema = (upstream, downstream) == ("raw_conversations", "event_schema")
    mapping = dg.SpecificPartitionsPartitionMapping([]) if to_schema else None
    return dg.AssetDep(pipeline.key(upstream), partition_mapping=mapping)


@cache
def columns(table: str) -> dg.TableSchema:
    """The columns of a table of the store, from its migrations."""
    with duckdb.connect() as memory:
        store = Transaction(memory)
        migrate(store, "UTC")
        rows = store.rows(f"describe {table}")
    return dg.TableSchema(columns=[dg.TableColumn(row["column_name"], row["column_type"].lower()) for row in rows])


def each_day(context: dg.AssetExecutionContext, assistant: Assistant, work: Callable[[date], Metadata]) -> Days:
    """Do the days of the run. A day that is held back does not stop the others; the days done are recorded,
    then the step fails and names the rest. Anything else that stops the work stops it there."""
    done: dict[str, Metadata] = {}
    problems: list[str] = []
    with assistant.progress("days", len(context.partition_keys)) as advance:
        for key in context.partition_keys:
            try:
                done[key] = work(date.fromisoformat(key))
            except DayIncomplete as incomplete:
                problems.append(str(incomplete))
            except CpaError as error:
                problems.append(f"{key}: {error}")
                break
            advance()
    for key, metadata in done.items():
        if problems:
            yield dg.AssetMaterialization(context.asset_key, partition=key, metadata=metadata)
        else:
            context.add_asset_metadata(metadata, partition_key=key)
    if problems:
        raise failure("\n".join(problems))
    yield dg.MaterializeResult()


FOUND = {"tag": ("events",), "judge": ("judged", "mean_score")}
"""What the day holds after a stage, by its task."""


def asked(assistant: Assistant, stage: Stage, day: date) -> Metadata:
    """What a stage that asks a model reports. A price or a number of tokens that is not known is not zero."""
    summary = next(iter(summaries(assistant, [day])), {})
    found = {name: summary[name] for name in FOUND[stage.stage] if summary.get(name) is not None}
    done = {name: "unknown" if value is None else value for name, value in stage.model_dump().items()}
    retryable = {"retryable_failures": stage.failures - stage.final_failures}
    return found | done | retryable | {"model": str(assistant.model(stage.stage))}


def failure(words: str) -> dg.Failure:
    """A step that fails with words for people; the same run would meet the same again."""
    return dg.Failure(description=words, allow_retries=False)


def listed(values: Any) -> dg.MetadataValue[Any]:
    """A list for the UI, cut where nobody reads on."""
    lines = [f"- {value}" for value in list(values)[:SHOWN]]
    rest = len(values) - SHOWN
    return dg.MetadataValue.md("\n".join(lines + ([f"- … and {rest} more"] if rest > 0 else [])) or "none")
