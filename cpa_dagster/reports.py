"""The metadata that a materialization reports of its day: figures, a small table, a plot.

Read for all days of a run at once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from cpa_core.errors import DayWaits
from cpa_core.pipeline import (
    Assistant,
    Stage,
    events_by_type,
    failures,
    intents_of_days,
    lowest_scores,
    reconciled,
    scores_by_band,
    summaries,
)
from cpa_core.pipeline.handles import with_handles
from cpa_core.store.database import Row
from cpa_dagster.pictures import bars, in_workbench, table

if TYPE_CHECKING:
    from cpa_dagster.days import Step

Metadata = dict[str, Any]
Report = Callable[[Assistant, Sequence[date]], Mapping[date, Metadata]]

ROWS = "dagster/partition_row_count"


def asked(assistant: Assistant, stage: Stage) -> Metadata:
    """Return the counts of a stage that asks a model.

    An unknown price or number of tokens is left out, not zero.

    Raises DayWaits when questions wait in batches.
    """
    if stage.waiting:
        raise DayWaits(f"{stage.waiting} questions to {stage.stage} wait in batches")
    done = {name: value for name, value in stage.model_dump().items() if value is not None}
    retryable = {"retryable_failures": stage.failures - stage.final_failures}
    return done | retryable | {"model": str(assistant.model(stage.stage))}


def tagged_run(step: "Step", task: str, stages: Sequence[Stage]) -> None:
    """Tag the run with its model, questions, cost and failures; an unknown price is left out."""
    cost = sum(one.cost for one in stages if one.cost is not None)
    tags = {
        f"cpa/{task}.model": str(step.assistant.model(task)) if stages else "",
        f"cpa/{task}.questions": str(sum(one.asked for one in stages)),
        f"cpa/{task}.failures": str(sum(one.failures for one in stages)),
        f"cpa/{task}.cost": f"{cost:.4f}" if all(one.cost is not None for one in stages) else "",
    }
    step.context.instance.add_run_tags(step.context.run.run_id, {name: text for name, text in tags.items() if text})


def of_conversations(assistant: Assistant, days: Sequence[date]) -> dict[date, Metadata]:
    """Return the number of rows of each day."""
    return {row["day"]: {ROWS: row["conversations"]} for row in summaries(assistant, days)}


def of_tags(assistant: Assistant, days: Sequence[date]) -> dict[date, Metadata]:
    """Return for each day the events by type, as a table and a plot, and the failures."""
    types = by_day(events_by_type(assistant.store, days))
    failed = _failed(assistant, days, "tag")
    return {
        day: {
            "events": sum(row["events"] for row in types[day]),
            ROWS: sum(row["events"] for row in types[day]),
            "events by type": bars({row["event_type"]: row["events"] for row in types[day]}),
            **table("conversations by type", types[day]),
            **table("failed", with_handles(assistant, failed[day])),
            **in_workbench(assistant, (one["conversation_id"] for one in failed[day])),
        }
        for day in days
    }


def of_judgments(assistant: Assistant, days: Sequence[date]) -> dict[date, Metadata]:
    """Return for each day a plot of scores in bands of ten, the conversations with the lowest, and the failures.

    Where the judge told intents, it says how many were delivered and confirmed.
    """
    bands, lowest = by_day(scores_by_band(assistant.store, days)), by_day(lowest_scores(assistant.store, days))
    failed, intents = _failed(assistant, days, "judge"), by_day(intents_of_days(assistant.store, days))
    return {
        row["day"]: {
            "judged": row["judged"],
            **_delivered(intents[row["day"]]),
            ROWS: row["judged"],
            **({"mean_score": row["mean_score"]} if row["mean_score"] is not None else {}),
            "scores": bars(_by_tens(bands[row["day"]])),
            **table("lowest scores", with_handles(assistant, lowest[row["day"]])),
            **table("failed", with_handles(assistant, failed[row["day"]])),
            **in_workbench(assistant, (one["conversation_id"] for one in [*lowest[row["day"]], *failed[row["day"]]])),
        }
        for row in summaries(assistant, days)
    }


def _delivered(rows: Sequence[Row]) -> Metadata:
    """Return the intents of a day by whether they were delivered; empty where none was asked for."""
    counts = {row["delivered"]: row["conversations"] for row in rows}
    told = sum(counts.values())
    shown = {"intents": told, "intents delivered and confirmed": counts.get("yes", 0)} if told else {}
    return shown | ({"intents by delivery": bars(counts)} if told else {})


def of_receipts(assistant: Assistant, days: Sequence[date]) -> dict[date, Metadata]:
    """Return for each day the events and receipts by destination, and its cost so far."""
    places = by_day(line.model_dump() for line in reconciled(assistant, days))
    return {
        row["day"]: {
            ROWS: row["receipts"],
            **({} if row["spend"] is None else {"cost of the day": row["spend"]}),
            **table("by destination", places[row["day"]]),
        }
        for row in summaries(assistant, days)
    }


def by_day(rows: Iterable[Row]) -> defaultdict[date, list[Row]]:
    """Return the rows grouped by their day, without that field."""
    found: defaultdict[date, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["day"]].append({name: value for name, value in row.items() if name != "day"})
    return found


def _failed(assistant: Assistant, days: Sequence[date], stage: str) -> defaultdict[date, list[Row]]:
    shown = ("day", "conversation_id", "reason", "retryable", "attempts")
    rows = [row for row in failures(assistant, days) if row["stage"] == stage]
    return by_day({name: row[name] for name in shown} for row in rows)


def _by_tens(rows: Sequence[Row]) -> dict[str, int]:
    """Return the count of every band of ten, including empty bands."""
    found = {row["band"]: row["conversations"] for row in rows}
    shown = {f"{band}-{band + 9 if band < 90 else 100}": found.get(band, 0) for band in range(0, 100, 10)}
    return shown | ({"unknown": found[None]} if None in found else {})
