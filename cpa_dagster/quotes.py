"""Quotes of a run's questions and cost before it spends: the asset `quote`, a dry run, and a run that re-tags.

A dry run of one day succeeds and materializes nothing. A backfill of dry runs would end as failed for that reason, so a
range is quoted by the asset.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from cpa_core.pipeline import Quote, QuoteLine, build_day, known_days, quote, stale_days
from cpa_dagster.days import Step, errors_of, failure, landed_of, price
from cpa_dagster.factory import Form, asset_of, of_metadata
from cpa_dagster.options import QuoteConfig
from cpa_dagster.pictures import table
from cpa_dagster.resources import Pipeline

ABOUT = (
    "What the days from `first` to `last` would ask and cost at most, with the options of the run: nothing is asked. "
    "Choose the days in the Launchpad; without a choice it is every day that has landed."
)


def quoted_days(step: Step, task: str) -> Iterator[dg.AssetObservation]:
    """The questions of a task on each landed day of the run and their price, as observations; then their sum."""
    context = step.context
    assert isinstance(context, dg.AssetExecutionContext)
    with errors_of(step):
        days = landed_of(step)
        stale = {one.day for one in stale_days(step.assistant)}
        found = {day: _of_day(step, task, day, retagged=day in stale) for day in days}
        whole = _line(quote(step.assistant, days, retag=step.options.retag), task) if days else None
    for day, shown in found.items():
        yield dg.AssetObservation(context.asset_key, partition=str(day), metadata=shown)
    questions = whole.questions if whole else 0
    words = f"{price(whole) if whole else 'nothing to pay'} for {questions} questions"
    context.log.info(f"dry run: {len(days)} days: {task}: {words}; nothing was asked")
    context.instance.add_run_tags(context.run.run_id, {f"cpa/quote.{task}": words})


def _of_day(step: Step, task: str, day: date, *, retagged: bool) -> dict[str, Any]:
    """Return a day's questions and cost, and those with `retag` if another schema labelled the day."""
    build_day(step.assistant, day)
    chosen = _shown(_line(quote(step.assistant, [day], retag=step.options.retag), task))
    if not retagged or step.options.retag:
        return chosen
    again = _shown(_line(quote(step.assistant, [day], retag=True), task))
    return chosen | {f"{name} with retag": value for name, value in again.items() if name in ("questions", "cost")}


def _line(found: Quote, task: str) -> QuoteLine | None:
    return next((line for line in found.lines if line.task == task), None)


def _shown(line: QuoteLine | None) -> dict[str, Any]:
    """Return numbers only; an unknown price is left out."""
    if line is None:
        return {"questions": 0, "cost": 0.0}
    shown = line.model_dump(include={"model", "questions", "answered", "prompt_tokens", "completion_tokens", "cost"})
    return {name: value for name, value in shown.items() if value is not None}


def say_what_it_costs(step: Step) -> None:
    """Log the number and the price of the questions before a run re-tags days of another schema."""
    with errors_of(step):
        days = [one.day for one in stale_days(step.assistant) if one.day in set(step.days)]
        lines = quote(step.assistant, days).lines if days else ()
    for line in lines:
        told = f"{line.questions} questions, {price(line)}"
        step.context.log.info(f"{len(days)} days are of another schema: {line.task}: {told}")


def quoted_range(step: Step, config: QuoteConfig) -> dict[str, Any]:
    """The questions and the price of a range, whole and by day. A price that is not known is left out."""
    days = config.of(known_days(step.assistant))
    if not days:
        raise failure(f"nothing has landed from {config.first or 'the first'} to {config.last or 'the last day'}")
    found = {day: quote(step.assistant, [day], retag=step.options.retag) for day in days}
    whole = quote(step.assistant, days, retag=step.options.retag)
    rows = [_row(one) | {"day": day} for day, one in found.items()]
    lines = [line.model_dump(exclude={"answered"}) for line in whole.lines]
    return {
        **_row(whole),
        "days": len(days),
        "first": str(days[0]),
        "last": str(days[-1]),
        **table("by task", lines),
        **table("by day", rows),
    }


def _row(found: Quote) -> dict[str, Any]:
    price_of = {} if found.cost is None else {"cost": found.cost}
    return {"questions": sum(line.questions for line in found.lines), **price_of}


def quote_asset(pipeline: Pipeline) -> dg.AssetsDefinition:
    """Return the asset of one assistant, which only a person materializes."""
    form = Form(
        name="quote",
        about=(ABOUT,),
        compute=of_metadata(quoted_range),
        deps=[pipeline.key("landed_files")],
        config=QuoteConfig,
    )
    return asset_of(pipeline, form)
