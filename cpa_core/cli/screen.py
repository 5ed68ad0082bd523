"""How output looks: colours and wrapped lines in a terminal, whole plain lines in a pipe."""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Literal, TextIO

from cpa_core.cli.called import runnable

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
    """Print lines, each coloured by its first word and wrapped below its own beginning in a terminal.

    The commands in them are printed as the person calls them.
    """
    _print(map(runnable, lines), sys.stdout)


def quote_texts(*lines: str) -> None:
    """Print lines that hold people's texts: as `say`, but no word of them is changed."""
    _print(lines, sys.stdout)


def complain(words: str) -> None:
    """Print an error."""
    _print([runnable(f"error: {words}")], sys.stderr)


def show_table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = ()) -> None:
    """Print a table, numbers to the right and the columns `left` to the left; titles and long cells are folded."""
    from rich.table import Table

    shown = console(sys.stdout)
    table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 2), header_style="bold")
    for nth, title in enumerate(titles):
        justify: Literal["left", "right"] = "left" if nth in left else "right"
        is_word = nth not in left and " " not in title
        least = None if is_word else max(map(len, title.split()))
        table.add_column(title, justify=justify, overflow="fold", vertical="bottom", no_wrap=is_word, min_width=least)
    for row in rows:
        table.add_row(*row)
    with shown.capture() as captured:
        shown.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


@contextmanager
def paged() -> Iterator[None]:
    """Show what is printed within by the pager where it is longer than the terminal."""
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        yield
        return
    shown = console(sys.stdout)
    kept = _Kept(sys.stdout)
    with redirect_stdout(kept):
        yield
    text = kept.getvalue()
    if text.count("\n") < shown.height:
        sys.stdout.write(text)
        return
    from rich.text import Text

    with shown.pager(styles=True):
        shown.print(Text.from_ansi(text), end="")


class _Kept(StringIO):
    """A stream that keeps printed text in memory and presents itself as a terminal."""

    def __init__(self, terminal: TextIO) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._terminal.fileno()


def _print(lines: Iterable[str], stream: TextIO) -> None:
    shown = console(stream)
    if not shown.is_terminal:
        for line in lines:
            print(line, file=stream)
        return
    from rich.padding import Padding
    from rich.text import Text

    for line in lines:
        head, colon, _ = line.partition(":")
        text = Text(line.lstrip())
        text.stylize(STYLES.get(head.strip(), "") if colon else "", 0, len(head.lstrip()) + 1)
        shown.print(Padding(text, (0, 0, 0, len(line) - len(line.lstrip())), expand=False))
