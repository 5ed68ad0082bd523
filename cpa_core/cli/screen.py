"""How output looks: colours and wrapped lines in a terminal, whole plain lines in a pipe."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    **dict.fromkeys(("error", "rejected", "failed", "final", "not restored"), "red"),
    **dict.fromkeys(("warning", "held back", "stale", "drift", "not known", "due", "waiting", "to do"), "yellow"),
    **dict.fromkeys(("next", "ok"), "green"),
}
"""The colour of the word that a line begins with, before its colon."""
NO_LIMIT = 10_000
"""Columns of a line that goes into a pipe: it is never wrapped, so that it can be searched."""


def console(stream: TextIO) -> "Console":
    """A console for a stream. NO_COLOR and FORCE_COLOR count; a pipe has no colours and no end of line."""
    from rich.console import Console

    width = None if stream.isatty() else NO_LIMIT
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def say(*lines: str) -> None:
    """Print lines, each coloured by its first word and wrapped below its own beginning in a terminal."""
    _print(lines, sys.stdout)


def complain(words: str) -> None:
    """Print an error."""
    _print([f"error: {words}"], sys.stderr)


def _print(lines: Iterable[str], stream: TextIO) -> None:
    if not stream.isatty():
        for line in lines:
            print(line, file=stream)
        return
    from rich.padding import Padding
    from rich.text import Text

    shown = console(stream)
    for line in lines:
        head, colon, _ = line.partition(":")
        text = Text(line.lstrip())
        text.stylize(STYLES.get(head.strip(), "") if colon else "", 0, len(head.lstrip()) + 1)
        shown.print(Padding(text, (0, 0, 0, len(line) - len(line.lstrip())), expand=False))
