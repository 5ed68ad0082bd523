"""The commands `cpa gold …` and their flags.

Their work stands in `gold`, which is imported when a command is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from cpa_core.cli.flags import command, switch
from cpa_core.settings import Settings

if TYPE_CHECKING:
    from cpa_core.cli.facts import Done

DRAWING, EXCHANGING, LOOKING = "Draw what to read", "Labels in and out", "How good the labels are"

gold_app = typer.Typer(
    help="Labels by people: draw what to read, import and export them, see how good the model's labels are.",
    epilog="example: cpa gold draw random --size 50",
)

Form = Annotated[
    Literal["csv", "jsonl", "label-studio", "argilla"] | None,
    Option("--format", help="the form of the file (default: by its name)", show_default=False),
]
Label = Annotated[str, Option(help="the event type", metavar="NAME", show_default=False)]
Reviewer = Annotated[str | None, Option(help="who says so", metavar="NAME")]


@command(gold_app, DRAWING, "cpa gold draw random --size 50", "CPA_HOME", "CPA_SCHEMA")
def draw(
    given: Settings,
    way: Annotated[
        Literal["random", "doubt", "disagreement", "second"],
        Argument(help="at random, by doubt, by disagreement, or for a second reviewer"),
    ],
    size: Annotated[int, Option(help="how many", metavar="NUMBER")] = 50,
    label: Annotated[str | None, Option(help="the event type that a draw by doubt is for", metavar="NAME")] = None,
    seed: Annotated[int, Option(help="another seed draws others", metavar="NUMBER")] = 0,
    first: Annotated[str | None, Option("--from", help="the first day (default: all)", metavar="DAY")] = None,
    last: Annotated[str | None, Option("--to", help="the last day (default: all)", metavar="DAY")] = None,
) -> "Done":
    """Draw conversations (random, second) or messages (doubt, disagreement) for people to read."""
    from cpa_core.cli import gold

    return gold.draw(given, gold.wanted_draw(way, (first, last), size=size, label=label, seed=seed))


@command(gold_app, DRAWING, "cpa gold plan --label Frustration --within 1", "CPA_HOME", "CPA_SCHEMA")
def plan(
    given: Settings,
    label: Label,
    within: Annotated[float, Option(help="the half width of the interval, in points", metavar="NUMBER")] = 1.0,
) -> "Done":
    """Show how many labels bring a rate within a width, and what is worth the next half hour."""
    from cpa_core.cli import gold

    return gold.plan(given, label, within / 100)


@command(gold_app, EXCHANGING, "cpa gold import labels.csv --reviewer ana", "CPA_HOME", "CPA_SCHEMA")
def import_command(
    given: Settings,
    file: Annotated[Path, Argument(help="the file", metavar="FILE")],
    form: Form = None,
    reviewer: Annotated[str | None, Option(help="who labelled, where the file does not say", metavar="NAME")] = None,
    at_random: Annotated[
        bool,
        switch(
            "--at-random",
            "the file's conversations are a random sample of those of their days: rates may be corrected by them",
        ),
    ] = False,
) -> "Done":
    """Keep the labels of a file: CSV, JSON Lines, or an export of Label Studio or Argilla."""
    from cpa_core.cli import gold

    return gold.take_in(given, file, form, reviewer, at_random=at_random)


@command(gold_app, EXCHANGING, "cpa gold export --out labels.csv", "CPA_HOME", "CPA_SCHEMA")
def export_command(
    given: Settings,
    out: Annotated[Path, Option(help="the file", metavar="FILE", show_default=False)],
    form: Form = None,
    queue: Annotated[str | None, Option(help="only what was drawn or labelled for this queue", metavar="NAME")] = None,
) -> "Done":
    """Write the labels, and for Label Studio and Argilla what is drawn, to a file."""
    from cpa_core.cli import gold

    return gold.give_out(given, out, form, queue)


@command(gold_app, LOOKING, "cpa gold status --home .cpa", "CPA_HOME")
def status(given: Settings) -> "Done":
    """Show what is drawn and read, how good each label of the schema in force is, and its rates, also corrected."""
    from cpa_core.cli import gold

    return gold.status(given)


@command(gold_app, LOOKING, "cpa gold same --label Frustration", "CPA_HOME", "CPA_SCHEMA")
def same(given: Settings, label: Label, reviewer: Reviewer = None) -> "Done":
    """Say that a type means the same although its definition changed: its earlier labels stay valid."""
    from cpa_core.cli import gold

    return gold.same(given, label, reviewer or "")


@command(gold_app, LOOKING, "cpa gold errors --home .cpa", "CPA_HOME")
def errors(given: Settings) -> "Done":
    """Show what the model confuses most, with quotes and people's notes, from the conversations that teach."""
    from cpa_core.cli import gold

    return gold.errors(given)


@command(gold_app, LOOKING, "cpa gold probe --dry-run", "CPA_HOME", "CPA_SCHEMA", "CPA_MODEL", "CPA_BUDGET")
def probe(
    given: Settings,
    size: Annotated[int, Option(help="anchor conversations, drawn at the first probe", metavar="NUMBER")] = 50,
    again: Annotated[float, Option(help="the percentage asked again in two other ways", metavar="NUMBER")] = 5.0,
    dry_run: Annotated[bool, switch("--dry-run", "show what it would cost, and ask nothing")] = False,
) -> "Done":
    """Ask the same conversations again: what another model, prompt or schema does to rates, and what chance does."""
    from cpa_core.cli import gold

    return gold.probe(given, size, again / 100, dry_run=dry_run)
