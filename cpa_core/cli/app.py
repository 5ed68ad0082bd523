"""The commands and their flags.

Each command's work stands in a module of its own, imported when the command is called.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from cpa_core import __version__
from cpa_core.cli.flags import SOURCE, command, switch
from cpa_core.cli.gold_commands import gold_app
from cpa_core.cli.issue_commands import issues_app
from cpa_core.cli.schema_commands import schema_app
from cpa_core.cli.store_commands import store_app
from cpa_core.cli.topic_commands import topics_app
from cpa_core.settings import Settings
from cpa_core.settings import day as day_of

if TYPE_CHECKING:
    from cpa_core.cli.facts import Done

BEGIN, READ, LABEL, LOOK, KEEP = (
    "Begin here",
    "Your transcripts",
    "Label and deliver",
    "Look at the results",
    "Keep it running",
)
"""The groups of the help, in the order in which a person needs them."""
ASKING = ("CPA_SCHEMA", "CPA_MODEL", "CPA_JUDGE_MODEL", "CPA_CONCURRENCY", "CPA_DESTINATIONS", "CPA_PRIVACY")

app = typer.Typer(
    name="cpa",
    help="Transcripts of an AI assistant in, trustworthy product events out.",
    epilog="example: cpa demo",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
check_app = typer.Typer(help="Check a part of the setup.", epilog="example: cpa check model")

Day = Annotated[
    str | None, Option(help="the day of messages that carry no time, or the only day to run", metavar="DAY")
]
First = Annotated[str | None, Option("--from", help="the first of several days to run, due or not", metavar="DAY")]
Last = Annotated[str | None, Option("--to", help="the last of them", metavar="DAY")]
FirstDay = Annotated[
    str | None, Option("--from", help="the first day (default: the first that has conversations)", metavar="DAY")
]
LastDay = Annotated[
    str | None, Option("--to", help="the last day (default: the last that has conversations)", metavar="DAY")
]
Retag = Annotated[
    bool, switch("--retag", "ask again what another schema, prompt or model labelled; without days: every such day")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, Option("--version", help="show the version", callback=_version, is_eager=True)] = False,
) -> None:
    """Take the options that stand before a command."""


@command(app, BEGIN, "cpa demo")
def demo(
    given: Settings,
    at: Annotated[Path, Option(help="folder for the examples' homes", metavar="FOLDER")] = Path(".demo"),
) -> "Done":
    """Run the examples end to end, without key or account."""
    from cpa_core.cli import commands

    return commands.demo(at)


@command(
    app,
    BEGIN,
    "cpa init chats.csv --model openai:gpt-6-luna --destination posthog",
    *(*SOURCE, "CPA_SCHEMA", "CPA_MODEL", "CPA_DESTINATIONS"),
)
def init(
    given: Settings,
    about: Annotated[
        str | None, Option(help="what the assistant does and what you will count, in a sentence", metavar="TEXT")
    ] = None,
    yes: Annotated[bool, switch("--yes", "propose the schema at the price that is shown, without asking")] = False,
) -> "Done":
    """Ask five questions, or take flags; write .env and a first schema from your own file. Nothing is overwritten."""
    from cpa_core.cli import starting

    return starting.init(given, about, yes=yes)


@command(app, BEGIN, "cpa doctor chats.json --schema schema.yml", *SOURCE, *ASKING)
def doctor(
    given: Settings,
    texts: Mapping[str, str] | None = None,
    no_ask: Annotated[bool, switch("--no-ask", "do not ask the model; by default it gets one tiny question")] = False,
) -> "Done":
    """Check machine, home, schema, source, model and destinations; each line is well or has its remedy."""
    from cpa_core.cli import doctor as looks

    return looks.doctor(given, texts, ask=not no_ask)


@command(app, READ, "cpa land chats.json --home .cpa", *SOURCE)
def land(
    given: Settings,
    explain: Annotated[
        str | None,
        Option(
            help="show what is recognised in FILE and why, and its first conversation as it would land; "
            "nothing is stored",
            metavar="FILE",
        ),
    ] = None,
    day: Day = None,
) -> "Done":
    """Read what is new in the source."""
    from cpa_core.cli import commands, explaining

    return explaining.explain(given, explain, day) if explain else commands.land_command(given, day)


@command(app, LABEL, "cpa quote chats.json --schema schema.yml", *SOURCE, *ASKING)
def quote(given: Settings, day: Day = None, first: First = None, last: Last = None, retag: Retag = False) -> "Done":
    """Show what the days that are due would cost, before anything is spent."""
    from cpa_core.cli import commands

    return commands.quote_command(given, commands.NamedDays(day, first, last), retag=retag)


@command(app, LABEL, "cpa run chats.json --schema schema.yml --model openai:gpt-6-luna", *SOURCE, *ASKING)
def run(
    given: Settings,
    day: Day = None,
    first: First = None,
    last: Last = None,
    retag: Retag = False,
    deliver_incomplete: Annotated[bool, switch("--deliver-incomplete", "deliver days that have open failures")] = False,
    dry_run: Annotated[bool, switch("--dry-run", "show questions, price and events; ask and send nothing")] = False,
    retry_rejected: Annotated[bool, switch("--retry-rejected", "send again what a destination rejected")] = False,
    retry_final: Annotated[
        bool, switch("--retry-final", "ask at once what waits after a failure, and again what was given up after three")
    ] = False,
    correct: Annotated[bool, switch("--correct", "withdraw what was delivered and is no longer true")] = False,
    no_wait: Annotated[bool, switch("--no-wait", "in the lane of batches: hand over and end (CPA_LANE=batch)")] = False,
) -> "Done":
    """Land, build, tag, judge and deliver every day that is due."""
    from cpa_core.cli import commands

    named = commands.NamedDays(day, first, last)
    how = commands.How(deliver_incomplete, retry_rejected, correct, retag, retry_final, not no_wait)
    return commands.dry_run(given, named, how) if dry_run else commands.run_command(given, named, how)


@command(app, LOOK, "cpa status --home .cpa", "CPA_HOME", "CPA_SCHEMA", "CPA_DESTINATIONS")
def status(
    given: Settings, every_day: Annotated[bool, switch("--all", "every day, not only the last 14")] = False
) -> "Done":
    """Show what needs a hand, then days, counts, failures, spend, receipts."""
    from cpa_core.cli import looking

    return looking.status(given, every_day=every_day)


@command(app, LOOK, "cpa conversations --below 50 --from 2026-03-01 --to 2026-03-07", "CPA_HOME")
def conversations(
    given: Settings,
    first: FirstDay = None,
    last: LastDay = None,
    user: Annotated[str | None, Option(help="only those of this user", metavar="USER")] = None,
    event: Annotated[str | None, Option(help="only those with an event of this type", metavar="TYPE")] = None,
    below: Annotated[float | None, Option(help="only those with a score below this", metavar="SCORE")] = None,
    most: Annotated[int, Option(help="how many to list", metavar="NUMBER", min=1)] = 20,
) -> "Done":
    """List conversations with score, events, user and day, the lowest scores first."""
    from cpa_core.cli import looking
    from cpa_core.pipeline.overview import ConversationFilter

    days = {"first": first and day_of(first, "--from"), "last": last and day_of(last, "--to")}
    return looking.conversations(given, ConversationFilter(**days, user=user, event=event, below=below, most=most))


@command(app, LOOK, "cpa serve --open", "CPA_HOME", "CPA_SCHEMA", "CPA_MODEL")
def serve(
    given: Settings,
    port: Annotated[int, Option(help="the port on this machine; 0 takes a free one", metavar="PORT")] = 0,
    host: Annotated[
        str, Option(help="the address to bind; another than this machine's needs a password", metavar="HOST")
    ] = "127.0.0.1",
    open_browser: Annotated[bool, switch("--open", "open the page in the browser")] = False,
    read_only: Annotated[bool, switch("--read-only", "store nothing: to look and read only")] = False,
) -> int:
    """Review, read and edit in a page on this machine: the workbench."""
    from cpa_core.cli import workbench

    return workbench.serve_command(given, host, port, open_browser=open_browser, read_only=read_only)


@command(app, LOOK, "cpa show c-17", "CPA_HOME")
def show(
    given: Settings,
    conversation: Annotated[
        str, Argument(help="the conversation's id, or how the only one begins", metavar="CONVERSATION")
    ],
) -> "Done":
    """Show one conversation with its events and judgment."""
    from cpa_core.cli import looking

    return looking.show(given, conversation)


@command(app, LOOK, "cpa report --from 2026-03-01 --to 2026-03-31", "CPA_HOME", "CPA_MODEL", "CPA_PRIVACY")
def report(
    given: Settings,
    first: FirstDay = None,
    last: LastDay = None,
    compare: Annotated[
        str | None,
        Option(
            help="days to compare with, FIRST..LAST "
            "(default: as many directly before, else the later half with the earlier)",
            metavar="DAYS",
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        Option(
            help="something that changed, for before and after: --change 2026-03-04 'new refusal prompt'; "
            "may be repeated",
            metavar="DAY LABEL",
        ),
    ] = None,
    suggest: Annotated[
        bool,
        switch(
            "--suggest",
            "ask the model for a change to each of the most costly issues; it is shown what the report holds of them",
        ),
    ] = False,
    out: Annotated[
        Path | None, Option(help="where to write it (default: report.html in the home)", metavar="FILE")
    ] = None,
) -> "Done":
    """Write one HTML file of what happens, what goes wrong, and the conversations behind each number."""
    from cpa_core.cli import reports

    days = reports.span_of(first, last, compare, change or [], suggest=suggest)
    return reports.report(given, days, out)


@command(app, LOOK, "cpa export --out insights --format parquet", "CPA_HOME")
def export(
    given: Settings,
    out: Annotated[
        Path, Option(help="the folder to write into; earlier files are replaced", metavar="FOLDER", show_default=False)
    ],
    format: Annotated[Literal["parquet", "csv"], Option(help="the format of the tables")] = "parquet",
    first: FirstDay = None,
    last: LastDay = None,
) -> "Done":
    """Write the insights of each day as small tables for other tools, without any message's words."""
    from cpa_core.cli import exporting

    return exporting.export(given, out, format, first, last)


@command(app, KEEP, "cpa restore chats.json --schema schema.yml --home .cpa", *SOURCE, *ASKING)
def restore(given: Settings, day: Day = None) -> "Done":
    """Rebuild a home that lost its database from its answers and the source; nothing is asked or sent."""
    from cpa_core.cli import restoring

    return restoring.restore(given)


@command(app, KEEP, "cpa compact --home .cpa", "CPA_HOME")
def compact(given: Settings) -> "Done":
    """Give back what the home's files hold beyond its rows; no row, answer or receipt is removed."""
    from cpa_core.cli import keeping

    return keeping.compact(given)


@command(app, KEEP, "cpa upgrade --dry-run --home .cpa", "CPA_HOME", *ASKING)
def upgrade(
    given: Settings,
    dry_run: Annotated[bool, switch("--dry-run", "do it to a copy, and say what it means; change nothing")] = False,
) -> "Done":
    """Bring a home of an earlier version to this one: migrations, ids, and what the next run would ask and send."""
    from cpa_core.cli import keeping

    return keeping.upgrade_command(given, dry_run=dry_run)


@command(app, KEEP, "cpa forget --user u-17 --yes", "CPA_HOME")
def forget(
    given: Settings,
    user: Annotated[
        list[str] | None, Option(help="forget this user with all their conversations; may be repeated", metavar="USER")
    ] = None,
    conversation: Annotated[
        list[str] | None, Option(help="forget this conversation; may be repeated", metavar="CONVERSATION")
    ] = None,
    older_than: Annotated[
        int | None,
        Option(help="forget conversations that ended so many days ago; their sums stay", metavar="DAYS", min=1),
    ] = None,
    yes: Annotated[bool, switch("--yes", "remove it; without this, only list what would go")] = False,
    at_destinations: Annotated[
        bool, switch("--at-destinations", "first ask PostHog, Amplitude and Mixpanel to delete the person")
    ] = False,
) -> "Done":
    """Remove a person, a conversation or what is old from the home, and keep it from landing again."""
    from cpa_core.cli import forgetting

    if older_than is not None:
        others = [*(user or []), *(conversation or [])]
        return forgetting.forget_older_command(given, older_than, others, yes=yes, at_destinations=at_destinations)
    return forgetting.forget_command(given, user or [], conversation or [], yes=yes, at_destinations=at_destinations)


@command(
    check_app,
    "Commands",
    "cpa check model --model compatible:qwen3:8b",
    *(*SOURCE, "CPA_SCHEMA", "CPA_MODEL"),
)
def model(given: Settings) -> "Done":
    """Ask the model one small question: what its server can do, its speed, the estimated cost of a day."""
    from cpa_core.cli import models

    return models.check_model_command(given)


app.add_typer(schema_app, name="schema", rich_help_panel=READ)
app.add_typer(gold_app, name="gold", rich_help_panel=LOOK)
app.add_typer(topics_app, name="topics", rich_help_panel=LOOK)
app.add_typer(issues_app, name="issues", rich_help_panel=LOOK)
app.add_typer(store_app, name="store", rich_help_panel=KEEP)
app.add_typer(check_app, name="check", rich_help_panel=BEGIN)
