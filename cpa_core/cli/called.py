"""Commands in messages as the person calls them: by the name they typed, with the home and schema that they named.

A message of the library says `cpa run`. The screen prints `.venv/bin/cpa run --home H`, which runs as it stands.
"""

import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from os.path import relpath
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

CARRIED = ("--home", "--schema")
"""The flags of a command line that the commands in its messages are printed with, where they take them."""


class _Call(NamedTuple):
    """The command line of now: the table of commands, the name that was typed, and the carried flags it has."""

    table: Any
    name: str
    flags: dict[str, str]


_CALL: ContextVar[_Call | None] = ContextVar("call", default=None)


@contextmanager
def called_as(words: Sequence[str], table: Any) -> Iterator[None]:
    """Within, `runnable` uses the name and flags of this command line. `table` has the commands as click knows them."""
    token = _CALL.set(_Call(table, _name(), _carried(words)))
    try:
        yield
    finally:
        _CALL.reset(token)


def runnable(line: str) -> str:
    """Return a line whose commands run as they stand: named as typed, with the home and schema that were named."""
    call = _CALL.get()
    if call is None or "cpa " not in line:
        return line
    known = _known(call.table)
    names = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    parts = re.split(rf"(?<![\w./-])cpa (?=(?:{names}|--help)(?![\w-]))", line)
    return parts[0] + "".join(f"{call.name} {_with_flags(part, known, call.flags)}" for part in parts[1:])


def _with_flags(part: str, known: Mapping[str, set[str]], flags: Mapping[str, str]) -> str:
    """A command and what follows it, with the flags after its name that it takes and does not name itself."""
    path = next((one for one in sorted(known, key=len, reverse=True) if re.match(rf"{one}(?![\w-])", part)), "")
    own, rest = re.split("[;,] ", part)[0], part[len(path) :]
    if rest.startswith(" --help"):
        return part
    left = [flag for flag in flags if flag in known.get(path, ()) and flag not in own]
    return path + "".join(f" {flag} {shlex.quote(flags[flag])}" for flag in left) + rest


def _known(table: Any) -> dict[str, set[str]]:
    """The names of the commands, also of their groups, each with the flags that it takes."""
    found: dict[str, set[str]] = {}
    for name, one in table.commands.items():
        inner = getattr(one, "commands", {})
        found |= {f"{name} {each}": _taken(command) for each, command in inner.items()}
        found[name] = set() if inner else _taken(one)
    return found


def _taken(command: Any) -> set[str]:
    return {flag for option in command.params for flag in option.opts}


def _name() -> str:
    """The command's name as it is typed in the working directory."""
    is_ours = Path(sys.argv[0]).name == "cpa" and not which("cpa")
    return shlex.quote(relpath(sys.argv[0])) if is_ours else "cpa"


def _carried(words: Sequence[str]) -> dict[str, str]:
    """The carried flags that a command line has, each with its last value."""
    pairs = zip(words, [*words[1:], ""], strict=False)
    split = [(one.partition("=")[0], one.partition("=")[2] if "=" in one else after) for one, after in pairs]
    return {flag: value for flag, value in split if flag in CARRIED}
