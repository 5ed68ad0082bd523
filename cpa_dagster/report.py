"""The asset `report`: one HTML file about every day, in the home."""

from typing import Any

import dagster as dg

from cpa_core.pipeline import Reported, write_report
from cpa_dagster.conditions import ANY_DAY
from cpa_dagster.days import Step
from cpa_dagster.factory import Form, asset_of, of_metadata
from cpa_dagster.options import ReportConfig
from cpa_dagster.pictures import bars
from cpa_dagster.resources import Pipeline

NEW_ISSUES = "new issues"
"""The metadata of the report with its new issues, those that earlier days did not have: names by id."""
ABOUT = (
    "One HTML file that needs no network: what happens, what goes wrong, and the conversations behind each number. "
    "With CPA_REPORTS it is in a bucket too, and `open` is a link to it for seven days."
)


def report(step: Step, config: ReportConfig) -> dict[str, Any]:
    """Write the report, on all days unless the run names a range."""
    made = write_report(step.assistant, config.span())
    return {
        **({"open": dg.MetadataValue.url(made.link)} if made.link else {}),
        "path": dg.MetadataValue.path(made.path.resolve()),
        "preview": dg.MetadataValue.md(preview(made)),
        "scores": bars(made.scores),
        "conversations": made.conversations,
        "bytes": made.size,
        "examples": made.examples,
        NEW_ISSUES: dg.MetadataValue.json(dict(made.new_issues)),
    }


def preview(made: Reported) -> str:
    """Return the head of the report as Markdown, without any message's words."""
    rows = [f"| {name} | **{value}** | {of} |" for name, value, of in made.headlines]
    return "\n".join([made.summary, "", "| figure | | of |", "|---|---|---|", *rows])


def report_asset(pipeline: Pipeline) -> dg.AssetsDefinition:
    """The asset of one assistant, in a group of its own: the days' jobs do not wait for it."""
    form = Form(
        name="report",
        about=(ABOUT,),
        compute=of_metadata(report),
        deps=[pipeline.key("tagged_events"), pipeline.key("judge_scores")],
        kinds=frozenset({"html"}),
        config=ReportConfig,
        condition=ANY_DAY,
    )
    return asset_of(pipeline, form)
