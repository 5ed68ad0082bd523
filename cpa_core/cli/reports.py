"""The command that writes the report."""

import argparse

from cpa_core.cli.display import bar
from cpa_core.pipeline import Assistant, write_report
from cpa_core.settings import Settings, day


def report(options: argparse.Namespace, given: Settings) -> int:
    """Write the report, and say where it is and what is in it."""
    first = day(options.first, "--from") if options.first else None
    last = day(options.last, "--to") if options.last else None
    made = write_report(Assistant.of(given, bar), first, last, options.out)
    print(f"{made.path}: {made.conversations} conversations, {made.first} to {made.last}, {made.size / 1e6:.1f} MB")
    print(
        f"{made.drill_downs} numbers open {made.examples} conversations ({given.report_privacy}). Open it in a browser."
    )
    return 0
