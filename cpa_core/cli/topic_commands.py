"""The commands `cpa topics …` and their flags. Their work stands in `topics`, imported when one is called."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from cpa_core.cli.flags import command, switch
from cpa_core.settings import Settings

if TYPE_CHECKING:
    from cpa_core.cli.facts import Done

PANEL = "Commands"

topics_app = typer.Typer(
    help="Topics: what users come for, which messages have no event, why criteria are missed.",
    epilog="example: cpa topics find",
)


@command(topics_app, PANEL, "cpa topics find --home .cpa", "CPA_HOME", "CPA_EMBEDDINGS")
def find(given: Settings) -> "Done":
    """Place new texts in their topics, look for new topics once a week, and show all of them.

    No model is asked unless CPA_EMBEDDINGS names one; cpa quote prints its price.
    """
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
    description: Annotated[
        str | None, Option(help="a sentence on its texts; without it the earlier one stays", metavar="SENTENCE")
    ] = None,
) -> "Done":
    """Give a topic or a group of topics another name. Its id and its texts stay, and no model names it again."""
    from cpa_core.cli import topics

    return topics.rename(given, topic, name, description)


@command(topics_app, PANEL, "cpa topics describe", "CPA_HOME", "CPA_MODEL")
def describe(
    given: Settings,
    yes: Annotated[bool, switch("--yes", "ask the model; without it the price is printed and nothing asked")] = False,
) -> "Done":
    """Let the model name topics and describe each in a sentence; without --yes, print the price and ask nothing."""
    from cpa_core.cli import topics

    return topics.describe(given, is_agreed=yes)


@command(topics_app, PANEL, "cpa topics promote 3f2a90bc11de", "CPA_HOME", "CPA_SCHEMA", "CPA_MODEL")
def promote(
    given: Settings,
    topic: Annotated[str, Argument(help="the topic's id", metavar="ID")],
    name: Annotated[str | None, Option(help="the event type's name; without it the model's", metavar="NAME")] = None,
    definition: Annotated[
        str | None, Option(help="its definition; without it the model's, from 8 central and 4 border texts")
    ] = None,
    role: Annotated[
        Literal["user", "assistant"] | None, Option(help="whose messages it labels; without it the corpus's")
    ] = None,
) -> "Done":
    """Propose an event type for a topic beside the schema, with the price of old days; nothing is tagged."""
    from cpa_core.cli import topics
    from cpa_core.pipeline.topics.promoting import WantedType

    return topics.promote(given, WantedType(topic_id=topic, name=name, definition=definition, role=role))
