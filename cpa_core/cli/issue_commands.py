"""The commands `cpa issues …` and their flags. Their work stands in `inbox`, imported when one is called."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from cpa_core.cli.flags import command, switch
from cpa_core.settings import Settings
from cpa_core.settings import day as day_of

if TYPE_CHECKING:
    from cpa_core.cli.facts import Done

PANEL = "Commands"
IssueId = Annotated[str, Argument(help="the issue's id, or how the only one begins", metavar="ID")]

issues_app = typer.Typer(
    help="The inbox of issues: what goes wrong, since when, who looks after it, and whether a fix helped.",
    epilog="example: cpa issues list",
)


@command(issues_app, PANEL, "cpa issues list --home .cpa", "CPA_HOME")
def list_command(
    given: Settings,
    every: Annotated[bool, switch("--all", "also those that are accepted or are not an issue")] = False,
) -> "Done":
    """Follow the issues on the days that are new, and list them."""
    from cpa_core.cli import inbox

    return inbox.listed(given, every=every)


@command(issues_app, PANEL, "cpa issues show 3f2a90", "CPA_HOME")
def show(given: Settings, issue: IssueId) -> "Done":
    """Show one issue: its days, and what became of it before and after its fix."""
    from cpa_core.cli import inbox

    return inbox.show(given, issue)


@command(issues_app, PANEL, "cpa issues set 3f2a90 --status fixed --on 2026-03-10 --owner ana", "CPA_HOME")
def set_command(
    given: Settings,
    issue: IssueId,
    status: Annotated[
        Literal["open", "accepted", "fixed", "not an issue"] | None, Option(help="what it is from now on")
    ] = None,
    on: Annotated[str | None, Option(help="the first day with the fix, for --status fixed", metavar="DAY")] = None,
    owner: Annotated[str | None, Option(help="who looks after it", metavar="NAME")] = None,
    note: Annotated[str | None, Option(help="what is to be known of it", metavar="TEXT")] = None,
) -> "Done":
    """Say what is done about an issue. A fixed one is compared before and after, and opens again if it is back."""
    from cpa_core.cli import inbox
    from cpa_core.pipeline.reporting.inbox import IssueChange

    day = day_of(on, "--on") if on else None
    return inbox.change(given, issue, IssueChange(status=status, fixed_on=day, owner=owner, note=note))
