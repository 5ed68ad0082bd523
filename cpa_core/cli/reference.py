"""docs/reference/cli.md, made from the commands themselves: each command, its flags and an example."""

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from cpa_core.cli.app import app

PAGE = """\
# Command line

`cpa COMMAND --help` shows the same in a terminal. A flag that names a setting overrides the environment, and the
environment overrides `.env`. [Settings](settings.md) lists all of them. `--json` prints the result as JSON
([its schema](output.schema.json)).

| exit status | meaning |
|---|---|
| 0 | everything was done |
| 1 | something is not whole: a failure, a rejected event, an open question |
| 2 | a person must change something: a setting, a file, a key |

This page is made from the commands in `cpa_core/cli/`.
"""


def page() -> str:
    """The reference page in Markdown: a section for each command, in the order of the help."""
    return PAGE + "".join(_section(name, one) for name, one in commands(get_command(app), "cpa"))


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Each command below a group, with its whole name."""
    for word, one in getattr(group, "commands", {}).items():
        if getattr(one, "commands", None):
            yield from commands(one, f"{name} {word}")
        elif not one.hidden:
            yield f"{name} {word}", one


def _section(name: str, command: Any) -> str:
    about = " ".join((command.help or "").replace("\\[", "[").split())
    usage = " ".join([name, *(_place(one) for one in command.params if _placed(one))])
    example = (command.epilog or "").removeprefix("example: ").replace("\\[", "[")
    options = "".join(_row(one) for one in command.params if not _placed(one) and one.name != "help")
    table = f"\n| flag | meaning |\n|---|---|\n{options}" if options else ""
    return f"\n## {name}\n\n{about}\n\n```\n{usage}\nexample: {example}\n```\n{table}"


def _placed(one: Any) -> bool:
    return bool(one.param_type_name == "argument")


def _place(one: Any) -> str:
    word = (one.metavar or one.name).upper()
    return word if one.required else f"[{word}]"


def _row(one: Any) -> str:
    value = "" if getattr(one, "is_flag", False) else f" {(one.metavar or 'VALUE').strip()}"
    names = ", ".join(one.opts)
    about = re.sub(r"\s+", " ", getattr(one, "help", None) or "").replace("\\[", "[").replace("|", "\\|")
    flag = f"{names}{value.rstrip()}".replace("|", "\\|")
    return f"| `{flag}` | {about} |\n"
