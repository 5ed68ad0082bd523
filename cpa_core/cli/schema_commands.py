"""The commands `cpa schema …` and their flags. Their work stands in `schemas`, imported when one is called."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from cpa_core.cli.flags import SOURCE, command, flag_of, switch
from cpa_core.settings import Settings, origins

if TYPE_CHECKING:
    from cpa_core.cli.facts import Done

PANEL = "Commands"

schema_app = typer.Typer(help="Work on the event schema.", epilog="example: cpa schema check schema.yml")


@command(schema_app, PANEL, "cpa schema check schema.yml", "CPA_HOME")
def check(given: Settings, file: Annotated[Path, Argument(help="the schema", metavar="FILE")]) -> "Done":
    """Read a schema and say what is in it, and everything that is wrong."""
    from cpa_core.cli import schemas

    return schemas.check(given, file)


@command(schema_app, PANEL, "cpa schema diff 3f0c2a schema.yml", "CPA_HOME", "CPA_MODEL")
def diff(
    given: Settings,
    older: Annotated[str, Argument(help="a schema's file, or a version that the store knows", metavar="OLDER")],
    newer: Annotated[str, Argument(help="the same of the other", metavar="NEWER")],
) -> "Done":
    """Show what changed between two schemas, what it means for what is stored, and what re-tagging would cost."""
    from cpa_core.cli import schemas

    return schemas.diff(given, older, newer)


@command(
    schema_app,
    PANEL,
    "cpa schema propose chats.json --out schema.yml --model openai:gpt-6-luna",
    *SOURCE,
)
def propose(
    given: Settings,
    out: Annotated[
        Path, Option(help="where to write it; a file there is never overwritten", metavar="FILE", show_default=False)
    ],
    model: Annotated[str | None, flag_of("CPA_SCHEMA_MODEL", flag="--model")] = None,
    seed: Annotated[int, Option(help="another seed samples other conversations", metavar="NUMBER")] = 0,
    sample: Annotated[int, Option(help="conversations to read", metavar="NUMBER")] = 60,
    about: Annotated[
        str, Option(help="what you sell and will do with the counts, in a sentence or two", metavar="TEXT")
    ] = "",
    from_uncovered: Annotated[
        bool,
        switch("--from-uncovered", "add to the schema there, from the stored messages in which nothing of it happens"),
    ] = False,
    texts: Mapping[str, str] | None = None,
) -> "Done":
    """Propose a schema from a sample of the conversations, for people to edit.

    If the model fails to count a part of the sample, the file is written all the same, and the exit status is 1.
    """
    from cpa_core.cli import schemas

    wanted = schemas.ProposalWanted(out, seed, sample, about, from_uncovered)
    return schemas.propose(given, model, wanted, said_elsewhere=origins(texts))


@command(schema_app, PANEL, "cpa schema accept --home .cpa", "CPA_HOME")
def accept(
    given: Settings,
    file: Annotated[
        Path | None, Argument(help="a proposal in a file (default: what waits in the home)", metavar="FILE")
    ] = None,
    place: Annotated[Path | None, Option("--as", help="the schema that FILE becomes", metavar="FILE")] = None,
    yes: Annotated[bool, switch("--yes", "take it over; what was there is kept beside it")] = False,
) -> "Done":
    """Accept the schema that a run proposed in the home; or show what FILE changes and, with --yes, take it over."""
    from cpa_core.cli import schemas

    return schemas.accept(given, file, place, yes=yes)
