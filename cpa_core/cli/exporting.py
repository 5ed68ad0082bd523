"""The command that writes the insights as files for other tools."""

import argparse
import sys

from cpa_core.errors import NotFound
from cpa_core.pipeline import Assistant, export_sums, scope_of
from cpa_core.settings import Settings, day


def export(options: argparse.Namespace, given: Settings) -> int:
    """Write the sums of each day, and say what was written."""
    assistant = Assistant.of(given)
    if not assistant.store.exists():
        print(f"nothing was stored in {given.home} yet", file=sys.stderr)
        raise NotFound(f"{given.home}: no store; cpa run or CPA_HOME")
    first = day(options.first, "--from") if options.first else None
    last = day(options.last, "--to") if options.last else None
    for written in export_sums(assistant, options.out, options.form, scope_of(assistant, first, last)):
        print(f"{written.path}: {written.rows} rows")
    return 0
