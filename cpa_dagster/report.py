"""The asset `report`: one HTML file about every day, in the home."""

import warnings

import dagster as dg

from cpa_core.pipeline import Reported, write_report
from cpa_dagster.conditions import ANY_DAY
from cpa_dagster.days import Step, errors_of
from cpa_dagster.options import ReportConfig, RunOptions, SecretKeys
from cpa_dagster.pictures import bars
from cpa_dagster.resources import Pipeline

GROUP = "insights"
NEW_ISSUES = "new issues"
"""The metadata of the report with its new issues, those that earlier days did not have: names by id."""
ABOUT = (
    "One HTML file that needs no network: what happens, what goes wrong, and the conversations behind each number. "
    "With CPA_REPORTS it is in a bucket too, and `open` is a link to it for seven days."
)


def report(step: Step, config: ReportConfig) -> dg.MaterializeResult[None]:
    """Write the report, on all days unless the run names a range."""
    with errors_of(step):
        made = write_report(step.assistant, config.span())
    return dg.MaterializeResult(
        metadata={
            **({"open": dg.MetadataValue.url(made.link)} if made.link else {}),
            "path": dg.MetadataValue.path(made.path.resolve()),
            "preview": dg.MetadataValue.md(preview(made)),
            "scores": bars(made.scores),
            "conversations": made.conversations,
            "bytes": made.size,
            "examples": made.examples,
            NEW_ISSUES: dg.MetadataValue.json(dict(made.new_issues)),
        }
    )


def preview(made: Reported) -> str:
    """Return the head of the report as Markdown, without any message's words."""
    rows = [f"| {name} | **{value}** | {of} |" for name, value, of in made.headlines]
    return "\n".join([made.summary, "", "| figure | | of |", "|---|---|---|", *rows])


def report_asset(pipeline: Pipeline) -> dg.AssetsDefinition:
    """The asset of one assistant, in a group of its own: the days' jobs do not wait for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the parameter backfill_policy is marked so

        @dg.asset(
            key=pipeline.key("report"),
            deps=[pipeline.key("tagged_events"), pipeline.key("judge_scores")],
            backfill_policy=dg.BackfillPolicy.single_run(),
            automation_condition=ANY_DAY,
            group_name=pipeline.named(GROUP),
            kinds={"html"},
            owners=list(pipeline.owners),
            description="\n\n".join(filter(None, [ABOUT, pipeline.note])),
            metadata={"home": str(pipeline.assistant.settings.home)},
        )
        def compute(
            context: dg.AssetExecutionContext, config: ReportConfig, options: RunOptions, keys: SecretKeys
        ) -> dg.MaterializeResult[None]:
            return report(Step(context, pipeline, options, keys), config)

    return compute
