"""The asset `insights`: the sums of each day, which add up over any range, as small tables for other tools."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache

import dagster as dg

from cpa_core.pipeline import Assistant, Summed, sum_days, transitions_of_days, turns_of_days
from cpa_core.store.database import Row
from cpa_dagster.assets import EMPTY_DAYS
from cpa_dagster.conditions import EVERY_DAY
from cpa_dagster.days import Days, Step, each_day
from cpa_dagster.factory import Form, asset_of
from cpa_dagster.pictures import bars, table
from cpa_dagster.reports import Metadata, by_day
from cpa_dagster.resources import Pipeline
from cpa_dagster.tables import columns_of

ABOUT = (
    "Counts of the day that add up over days: conversations and scores, events, values of properties, verdicts, "
    "transitions, turns (the tables `insight_*`). No message's words are in them."
)
SHOWN = 15
"""Transitions that are shown of a day."""


def insights(step: Step) -> Days:
    """Sum the days."""

    @cache
    def sums() -> Iterator[tuple[date, Summed]]:
        return sum_days(step.assistant.store, step.landed)

    yield from each_day(step, lambda day: figures(*next(sums())), of_sums)


def figures(day: date, summed: Summed) -> Metadata:
    """Return the figures of a day, without those that have no score."""
    return {name: value for name, value in summed.model_dump().items() if value is not None}


def of_sums(assistant: Assistant, days: Sequence[date]) -> dict[date, Metadata]:
    """Return for each day a plot of the turns after which conversations ended, and the most frequent transitions."""
    turns: defaultdict[date, list[Row]] = by_day(turns_of_days(assistant.store, days))
    transitions = by_day(transitions_of_days(assistant.store, days, SHOWN))
    return {
        day: {
            "ended after turns": bars({str(row["turns"]): row["conversations"] for row in turns[day]}),
            **table("most frequent transitions", [_named(row) for row in transitions[day]]),
        }
        for day in days
    }


def _named(row: Row) -> Row:
    ends = {"earlier": row["earlier"] or "(beginning)", "later": row["later"] or "(end)"}
    return ends | {"times": row["times"]}


def insights_asset(pipeline: Pipeline) -> dg.AssetsDefinition:
    """The asset of one assistant, beside the report: the days' jobs do not wait for it."""
    form = Form(
        name="insights",
        about=(ABOUT, EMPTY_DAYS),
        compute=insights,
        deps=[pipeline.key("tagged_events"), pipeline.key("judge_scores")],
        metadata={"dagster/column_schema": columns_of("insight_days"), "dagster/table_name": "insight_days"},
        condition=EVERY_DAY,
        is_daily=True,
    )
    return asset_of(pipeline, form)
