"""The commands `cpa store …` and their flags. Their work stands in `storing`, imported when one is called."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Option

from cpa_core.cli.flags import command
from cpa_core.settings import Settings

if TYPE_CHECKING:
    from cpa_core.cli.facts import Done

PANEL = "Commands"

store_app = typer.Typer(
    help="The store past one machine: copy the home's file there and back, and look after it.",
    epilog="example: cpa store copy --to lake",
)


@command(store_app, PANEL, "cpa store copy --to lake --home .cpa", "CPA_HOME")
def copy(
    given: Settings,
    to: Annotated[Literal["lake", "file"], Option(help="the store of CPA_STORE, or the home's own file")],
) -> "Done":
    """Copy all tables, answers and receipts among them, and compare each; run a killed copy again."""
    from cpa_core.cli import storing

    return storing.copy(given, is_lake=to == "lake")


@command(store_app, PANEL, "cpa store upkeep")
def upkeep(given: Settings) -> "Done":
    """Merge small files of the lake, and remove those that nothing has read for a week; rows are checked."""
    from cpa_core.cli import storing

    return storing.upkeep(given)
