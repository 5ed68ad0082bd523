"""Reading the command line, and one exit code: 0 whole, 1 not whole, 2 something to be changed by a person."""

import argparse
import errno
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from cpa_core import __version__
from cpa_core.cli.commands import demo, land_command, quote_command, run_command, show, status
from cpa_core.cli.exporting import export
from cpa_core.cli.models import check_model_command
from cpa_core.cli.reports import report
from cpa_core.cli.restoring import restore
from cpa_core.cli.schemas import accept, check, diff, propose
from cpa_core.destinations import DESTINATIONS
from cpa_core.errors import CpaError, DayNeeded
from cpa_core.proposing import SAMPLE_CONVERSATIONS
from cpa_core.settings import TABLE, Settings, environment, settings, shown

Command = Callable[[argparse.Namespace, Settings], int]
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where a disk, a quota or a file takes no more."""


def main(arguments: Sequence[str] | None = None, texts: Mapping[str, str] | None = None) -> int:
    """Run one command. `texts` stand for the environment; `.env` in the working directory counts where it is silent."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(given)
    try:
        command: Command = options.command
        return command(options, settings(environment(texts), **flags(options)))
    except DayNeeded as needed:
        print(f"error: {needed}; {_way_out(needed, given, environment(texts).get('CPA_MAP'))}", file=sys.stderr)
        return needed.exit_code
    except CpaError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.errno not in FULL:
            raise
        print(f"error: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: every answer so far is kept; run the same command again to go on", file=sys.stderr)
        return 130


def _way_out(needed: DayNeeded, given: Sequence[str], mapped: str | None) -> str:
    """The command that names where the times stand; the day of all messages only where nothing looks like a time."""
    if needed.field is None:
        example = needed.example or date(2026, 1, 31)
        return f"for one day, say\n  {shlex.join(['cpa', *given, '--day', example.isoformat()])}"
    words = list(given)
    if "--map" in words:
        at = words.index("--map")
        mapped = words[at + 1]
        del words[at : at + 2]
    words += ["--map", ",".join(filter(None, (mapped, f"timestamp={needed.field}")))]
    return f"say\n  {shlex.join(['cpa', *words])}"


def flags(options: argparse.Namespace) -> dict[str, str | None]:
    """The settings that the command line gives, by the names of flags; `--from` and the like are no settings."""
    named = {line.name.removeprefix("CPA_").lower() for line in TABLE.values() if line.name.startswith("CPA_")}
    return {name: value for name, value in vars(options).items() if name in named}


def parser() -> argparse.ArgumentParser:
    """The commands and their flags, each with an example."""
    top = argparse.ArgumentParser(
        prog="cpa",
        description="Transcripts of an AI assistant in, trustworthy product events out.",
        epilog="example: cpa demo",
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="name", required=True, metavar="COMMAND")
    one = _command(commands, "demo", demo, "run the examples end to end, without key or account", "cpa demo")
    one.add_argument("--at", default=".demo", help="folder for the examples' homes (default: .demo)")
    one = _command(commands, "land", land_command, "read what is new in the source", "cpa land chats.json --home .cpa")
    _source(one)
    about = "show what is recognised in FILE and why, and its first conversation as it would land; nothing is stored"
    one.add_argument("--explain", metavar="FILE", help=about)
    one = _command(
        commands,
        "run",
        run_command,
        "land, build, tag, judge and deliver every day that is due",
        "cpa run chats.json --schema schema.yml --model openai:gpt-6-luna",
    )
    _source(one)
    _asking(one)
    _days(one)
    one.add_argument("--dry-run", action="store_true", help="show what would be sent of what is tagged; send nothing")
    one.add_argument("--retry-rejected", action="store_true", help="send again what a destination rejected")
    one.add_argument("--retry-final", action="store_true", help="ask again what was given up after three failures")
    one.add_argument("--correct", action="store_true", help="withdraw what was delivered and is no longer true")
    one.add_argument(
        "--no-wait", action="store_true", help="in the lane of batches: hand over and end (CPA_LANE=batch)"
    )
    about = "what the days that are due would cost, before anything is spent"
    one = _command(commands, "quote", quote_command, about, "cpa quote chats.json --schema schema.yml")
    _source(one)
    _asking(one)
    _days(one)
    one = _command(commands, "status", status, "days, counts, failures, spend, receipts", "cpa status --home .cpa")
    _flags(one, "CPA_HOME")
    about = "rebuild a home that lost its database from its answers and the source; nothing is asked or sent"
    one = _command(commands, "restore", restore, about, "cpa restore chats.json --schema schema.yml --home .cpa")
    _source(one)
    _asking(one)
    one = _command(commands, "show", show, "one conversation with its events and judgment", "cpa show c-17")
    one.add_argument("conversation", help="the conversation's id")
    _flags(one, "CPA_HOME")
    _check_commands(commands)
    _report_command(commands)
    _export_command(commands)
    _schema_commands(commands)
    return top


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Command,
    about: str,
    example: str,
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=about, description=about, epilog=f"example: {example}")
    made.set_defaults(command=run)
    return made


def _check_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "check a part of the setup"
    made = commands.add_parser("check", help=about, description=about, epilog="example: cpa check model")
    inner = made.add_subparsers(dest="check_name", required=True, metavar="COMMAND")
    about = "ask the model one small question: what its server can do, its speed, the estimated cost of a day"
    one = _command(inner, "model", check_model_command, about, "cpa check model --model compatible:qwen3:8b")
    one.add_argument("source", nargs="?", help=help_of("CPA_SOURCE"))
    _flags(one, "CPA_HOME", "CPA_SCHEMA", "CPA_MODEL", "CPA_FORMAT", "CPA_MAP")


def _report_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "one HTML file of what happens, what goes wrong, and the conversations behind each number"
    one = _command(commands, "report", report, about, "cpa report --from 2026-03-01 --to 2026-03-31")
    _flags(one, "CPA_HOME")
    one.add_argument("--from", dest="first", help="the first day (default: the first that has conversations)")
    one.add_argument("--to", dest="last", help="the last day (default: the last that has conversations)")
    about = "days to compare with, FIRST..LAST (default: as many directly before, else the later half with the earlier)"
    one.add_argument("--compare", metavar="DAYS", help=about)
    about = "something that changed, for before and after: --change 2026-03-04 'new refusal prompt'; may be repeated"
    one.add_argument("--change", dest="changes", nargs=2, action="append", metavar=("DAY", "LABEL"), help=about)
    about = "ask the model for a change to each of the most costly issues; it is shown what the report holds of them"
    one.add_argument("--suggest", action="store_true", help=about)
    _flags(one, "CPA_MODEL")
    one.add_argument("--out", type=Path, help="where to write it (default: report.html in the home)")
    _flags(one, "CPA_PRIVACY")


def _export_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "the insights of each day as small tables for other tools, without any message's words"
    one = _command(commands, "export", export, about, "cpa export --out insights --format parquet")
    _flags(one, "CPA_HOME")
    one.add_argument("--out", type=Path, required=True, help="the folder to write into; earlier files are replaced")
    one.add_argument("--format", dest="form", choices=("parquet", "csv"), default="parquet", help="default parquet")
    one.add_argument("--from", dest="first", help="the first day (default: the first that has conversations)")
    one.add_argument("--to", dest="last", help="the last day (default: the last that has conversations)")


def _schema_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "work on the event schema"
    made = commands.add_parser("schema", help=about, description=about, epilog="example: cpa schema check schema.yml")
    inner = made.add_subparsers(dest="schema_name", required=True, metavar="COMMAND")
    one = _command(inner, "check", check, "read a schema and say what is in it", "cpa schema check schema.yml")
    one.add_argument("file", type=Path, help="the schema")
    about = "what changed between two schemas, what it means for what is stored, and what re-tagging would cost"
    one = _command(inner, "diff", diff, about, "cpa schema diff 3f0c2a schema.yml")
    one.add_argument("older", help="a schema's file, or a version that the store knows")
    one.add_argument("newer", help="the same of the other")
    _flags(one, "CPA_HOME")
    _flags(one, "CPA_MODEL")
    one = _command(
        inner,
        "propose",
        propose,
        "propose a schema from a sample of the conversations, for people to edit",
        "cpa schema propose chats.json --out schema.yml --model openai:gpt-6-luna",
    )
    one.add_argument("source", nargs="?", help=help_of("CPA_SOURCE"))
    one.add_argument("--out", type=Path, required=True, help="where to write it; a file there is never overwritten")
    one.add_argument("--model", help=help_of("CPA_SCHEMA_MODEL"))
    one.add_argument("--seed", type=int, default=0, help="another seed samples other conversations (default 0)")
    one.add_argument("--sample", type=int, default=SAMPLE_CONVERSATIONS, help="conversations to read (default 60)")
    one.add_argument("--about", default="", help="what you sell and will do with the counts, in a sentence or two")
    about = "add to the schema there, from the stored messages in which nothing of it happens"
    one.add_argument("--from-uncovered", action="store_true", help=about)
    _flags(one, "CPA_HOME")
    about = "accept the schema that a run proposed in the home; or show what FILE changes and, with --yes, take it over"
    one = _command(inner, "accept", accept, about, "cpa schema accept --home .cpa")
    one.add_argument("file", nargs="?", type=Path, help="a proposal in a file (default: what waits in the home)")
    one.add_argument("--as", dest="place", type=Path, help="the schema that FILE becomes")
    _flags(one, "CPA_HOME")
    one.add_argument("--yes", action="store_true", help="take it over; what was there is kept beside it")


def _flags(made: argparse.ArgumentParser, *names: str) -> None:
    """A flag for each of these settings, with the help that the table has for it."""
    for name in names:
        made.add_argument(TABLE[name].flag, dest=name.removeprefix("CPA_").lower(), help=help_of(name))


KNOWN = {"CPA_DESTINATIONS": tuple(DESTINATIONS)}
"""The names that a setting takes, where a table other than the settings' has them."""


def help_of(name: str) -> str:
    """The help of a setting as a flag: `the folder of the store (CPA_HOME, default .cpa)`."""
    line = TABLE[name]
    names = f": {', '.join(KNOWN[name])}" if name in KNOWN else ""
    default = f", default {shown(line.default)}" if shown(line.default) else ""
    words = line.setting.help[0].lower() + line.setting.help[1:].rstrip(".")
    return f"{words}{names} ({name}{default})".replace("%", "%%")


def _source(made: argparse.ArgumentParser) -> None:
    made.add_argument("source", nargs="?", help=help_of("CPA_SOURCE"))
    _flags(
        made,
        "CPA_HOME",
        "CPA_FORMAT",
        "CPA_MAP",
        "CPA_ROLES",
        "CPA_TIMES",
        "CPA_INCLUDE",
        "CPA_EXCLUDE",
        "CPA_SESSION_GAP",
    )
    made.add_argument("--day", help="the day of messages that carry no time, or the only day to run")


def _asking(made: argparse.ArgumentParser) -> None:
    _flags(made, "CPA_SCHEMA", "CPA_MODEL", "CPA_JUDGE_MODEL", "CPA_CONCURRENCY", "CPA_DESTINATIONS", "CPA_PRIVACY")


def _days(made: argparse.ArgumentParser) -> None:
    made.add_argument("--from", dest="first", help="the first of several days to run, due or not")
    made.add_argument("--to", dest="last", help="the last of them")
    about = "ask again what another schema, prompt or model labelled; without days: every such day"
    made.add_argument("--retag", action="store_true", help=about)
    made.add_argument("--deliver-incomplete", action="store_true", help="deliver days that have open failures")
