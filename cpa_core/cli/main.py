"""One command: its exit status is 0 if its work is complete, 1 if it is not, 2 if a person must change something."""

import errno
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import cache
from typing import Any

import typer
from typer.main import get_command

from cpa_core.cli.app import app
from cpa_core.cli.called import called_as
from cpa_core.cli.screen import complain
from cpa_core.errors import CpaError, DayNeeded
from cpa_core.settings import environment
from cpa_core.settings.addresses import without_login

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's errors for a disk, a quota or a file that can take no more."""
REMEDIES = {
    errno.EACCES: "allow this user to write there, or name another folder (CPA_HOME, --home)",
    errno.EPERM: "allow this user to write there, or name another folder (CPA_HOME, --home)",
    errno.EROFS: "the file system is read-only; name another folder (CPA_HOME, --home)",
    errno.ENOTDIR: "a file is where a folder must be; name another folder (CPA_HOME, --home)",
    errno.EEXIST: "a file is where a folder must be; name another folder (CPA_HOME, --home)",
    errno.EISDIR: "a folder is where a file must be",
    errno.ENOENT: "make the folder, or correct the path",
    errno.ELOOP: "a link points at itself",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "too many files are open; raise `ulimit -n`",
    **dict.fromkeys(FULL, "make room, then run the same command again"),
}
"""The remedy for each error of the system."""
PIPE_CLOSED = 0
"""The status when the reader of a pipe has seen enough, as in `cpa status | head -1`."""


def main(arguments: Sequence[str] | None = None, texts: Mapping[str, str] | None = None) -> int:
    """Run one command. `texts` stand for the environment; `.env` in the working directory counts where it is silent."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with called_as(given, commands()):
        return _ended(given, texts)


def _ended(given: Sequence[str], texts: Mapping[str, str] | None) -> int:
    """Run the command; return its exit status, and print an error in words."""
    try:
        status = _called(given, texts)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _quiet()
    except DayNeeded as needed:
        complain(f"{needed}; {_way_out(needed, given, environment(texts).get('CPA_MAP'))}")
        return needed.exit_code
    except CpaError as error:
        complain(str(error))
        return error.exit_code
    except OSError as error:
        complain(_of_system(error))
        return 1 if error.errno in FULL else 2
    except KeyboardInterrupt:
        print("interrupted: every answer so far is kept; run the same command again to go on", file=sys.stderr)
        return 130


@cache
def commands() -> Any:
    """The commands as typer has made them from `app`."""
    return get_command(app)


def _called(given: Sequence[str], texts: Mapping[str, str] | None) -> int:
    """Return the command's exit status.

    For a command line that is not understood, print the likely one and return 2.
    """
    if not given:
        commands()(["--help"], prog_name="cpa", standalone_mode=False, obj=texts)
        return 2
    try:
        return int(commands()(_paired(given), prog_name="cpa", standalone_mode=False, obj=texts) or 0)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer ends with 1 there
            raise ended.__context__ from None
        raise
    except typer.TyperException as wrong:
        said = _of_usage(wrong)
        for word in given:
            said = said.replace(word, without_login(word))
        complain(said)
        return 2


def _paired(given: Sequence[str]) -> list[str]:
    """The words, `--change DAY LABEL` as `--change 'DAY LABEL'`: typer takes no pair that may be repeated."""
    words = iter(given)
    found: list[str] = []
    for word in words:
        found.append(word)
        if word == "--change":
            pair = [next(words, ""), next(words, "")]
            found.append(" ".join(pair).strip())
    return found


def _of_usage(wrong: typer.TyperException) -> str:
    """Return the usage error in words, the likely intended command, and where to find help."""
    said, _, _ = wrong.format_message().rstrip(".").partition(" (Possible options")
    said = (said[:1].lower() + said[1:]).replace("'. Did you mean ", "'; did you mean ").rstrip("?")
    near = getattr(wrong, "possibilities", None)
    meant = f"; did you mean {near[0]}?" if near else "?" if "did you mean" in said else ""
    context = getattr(wrong, "ctx", None)
    place = context.command_path if context else "cpa"
    inner = ", ".join(getattr(context.command, "commands", ())) if context and "missing command" in said else ""
    return f"{said}{meant}{f': one of {inner}' if inner else ''}\n  {place} --help shows what there is"


def _of_system(error: OSError) -> str:
    """Return the system's error in words: the file, the reason, and the remedy."""
    where = error.filename or "a file"
    remedy = REMEDIES.get(error.errno or 0, "")
    return f"{where}: {error.strerror or error}" + (f"; {remedy}" if remedy else "")


def _quiet() -> int:
    """End without a word more: nobody reads the output. Python would complain when it closes stdout."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


def _way_out(needed: DayNeeded, given: Sequence[str], mapped: str | None) -> str:
    """The command that names where the times stand; the day of all messages only where nothing looks like a time.

    A login that was given on the command line is not shown again.
    """
    given = [without_login(word) for word in given]
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
