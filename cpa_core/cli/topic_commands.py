"""The commands `cpa topics …` and their flags. Their work stands in `topics`, imported when one is called."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument

from cpa_core.cli.flags import command
from cpa_core.settings import Settings

if TYPE_CHECKING:
    from cpa_core.cli.facts import Done

PANEL = "Commands"

topics_app = typer.Typer(
    help="Topics: what users come for, which messages have no event, why criteria are missed.",
    epilog="example: cpa topics find",
)


@command(topics_app, PANEL, "cpa topics find --home .cpa", "CPA_HOME")
def find(given: Settings) -> "Done":
    """Place new texts in their topics, look for new topics once a week, and show all of them. No model is asked."""
    from cpa_core.cli import topics

    return topics.find(given)


@command(topics_app, PANEL, "cpa topics list --home .cpa", "CPA_HOME")
def list_command(given: Settings) -> "Done":
    """Show the topics as they were found last."""
    from cpa_core.cli import topics

    return topics.listed(given)


@command(topics_app, PANEL, 'cpa topics rename 3f2a90bc11de "Lost parcels"', "CPA_HOME")
def rename(
    given: Settings,
    topic: Annotated[str, Argument(help="the topic's id", metavar="ID")],
    name: Annotated[str, Argument(help="its name from now on", metavar="NAME")],
) -> "Done":
    """Give a topic another name. Its id and its texts stay."""
    from cpa_core.cli import topics

    return topics.rename(given, topic, name)
