"""The command that writes the insights as files for other tools."""

from pathlib import Path
from typing import Literal

from cpa_core.cli.display import existing
from cpa_core.cli.facts import Done, ExportFacts
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant, export_sums, scope_of
from cpa_core.settings import Settings, day


def export(given: Settings, out: Path, form: Literal["parquet", "csv"], first: str | None, last: str | None) -> Done:
    """Write the sums of each day, and say what was written."""
    existing(given)
    assistant = Assistant.of(given)
    begin = day(first, "--from") if first else None
    end = day(last, "--to") if last else None
    written = tuple(export_sums(assistant, out, form, scope_of(assistant, begin, end)))
    say(*(f"{one.path}: {one.rows} rows" for one in written))
    return Done(0, ExportFacts(files=written))
