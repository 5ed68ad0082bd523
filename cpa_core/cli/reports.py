"""The command that writes the report."""

import argparse
from datetime import date

from cpa_core.cli.display import bar
from cpa_core.pipeline import Assistant, DayRange, write_report
from cpa_core.settings import Settings, day


def report(options: argparse.Namespace, given: Settings) -> int:
    """Write the report, and say where it is and what is in it."""
    span = DayRange(
        first=day(options.first, "--from") if options.first else None,
        last=day(options.last, "--to") if options.last else None,
        compare=_days(options.compare) if options.compare else None,
        suggest=options.suggest,
        changes=tuple((day(text, "--change"), label) for text, label in options.changes or []),
    )
    made = write_report(Assistant.of(given, bar), span, options.out)
    print(f"{made.path}: {made.conversations} conversations, {made.first} to {made.last}, {made.size / 1e6:.1f} MB")
    print(
        f"{made.drill_downs} numbers open {made.examples} conversations ({given.report_privacy}). Open it in a browser."
    )
    if options.suggest:
        print(f"changes suggested for {made.suggestions} of the {made.issues} most costly issues")
    return 0


def _days(text: str) -> tuple[date, date]:
    """`2026-02-01..2026-02-28`, or one day. Raises SettingsError."""
    first, _, last = text.partition("..")
    return day(first, "--compare"), day(last or first, "--compare")
