"""The asset `report`: one HTML file about every day, in the home."""

import warnings

import dagster as dg

from cpa_core.errors import CpaError
from cpa_core.pipeline import Reported, write_report
from cpa_dagster.assets import failure
from cpa_dagster.pictures import bars
from cpa_dagster.resources import Pipeline

GROUP = "insights"
ABOUT = "One HTML file that needs no network: what happens, what goes wrong, and the conversations behind each number."


def report(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
    """Write the report on all days."""
    try:
        made = write_report(pipeline.of_run(context))
    except CpaError as error:
        raise failure(str(error)) from error
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(made.path.resolve()),
            "preview": dg.MetadataValue.md(preview(made)),
            "scores": bars(made.scores),
            "conversations": made.conversations,
            "bytes": made.size,
            "examples": made.examples,
        }
    )


def preview(made: Reported) -> str:
    """The head of the report as Markdown: no word of a conversation is in it."""
    rows = [f"| {name} | **{value}** | {of} |" for name, value, of in made.headlines]
    return "\n".join([made.summary, "", "| figure | | of |", "|---|---|---|", *rows])


def report_asset(pipeline: Pipeline) -> dg.AssetsDefinition:
    """The asset of one assistant, in a group of its own: the days' jobs do not wait for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the parameter backfill_policy is marked so
        decorate = dg.asset(
            key=pipeline.key("report"),
            deps=[pipeline.key("tagged_events"), pipeline.key("judge_scores")],
            backfill_policy=dg.BackfillPolicy.single_run(),
            group_name=GROUP,
            kinds={"html"},
            owners=list(pipeline.owners),
            description="\n\n".join(filter(None, [ABOUT, pipeline.note])),
            metadata={"home": str(pipeline.assistant.settings.home)},
        )
    return decorate(report)
