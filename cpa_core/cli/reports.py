"""The command that writes the report."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from cpa_core.cli.display import bar
from cpa_core.cli.facts import Done, ReportFacts
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant, DayRange, write_report
from cpa_core.settings import Settings, day


def span_of(
    first: str | None, last: str | None, compare: str | None, changes: Sequence[str], *, suggest: bool
) -> DayRange:
    """The days of a report as a command line names them. Raises SettingsError."""
    return DayRange(
        first=day(first, "--from") if first else None,
        last=day(last, "--to") if last else None,
        compare=_days(compare) if compare else None,
        suggest=suggest,
        changes=tuple((day(text, "--change"), label) for text, _, label in (one.partition(" ") for one in changes)),
    )


def report(given: Settings, span: DayRange, out: Path | None) -> Done:
    """Write the report, and say where it is and what is in it."""
    made = write_report(Assistant.of(given, bar), span, out)
    say(f"{made.path}: {made.conversations} conversations, {made.first} to {made.last}, {made.size / 1e6:.1f} MB")
    say(
        f"{made.drill_downs} numbers open {made.examples} conversations ({given.report_privacy}). Open it in a browser."
    )
    if made.link:
        say(f"on another machine, for seven days: {made.link}")
    if span.suggest:
        say(f"changes suggested for {made.suggestions} of the {made.issues} most costly issues")
    return Done(0, ReportFacts(report=made))


def _days(text: str) -> tuple[date, date]:
    """`2026-02-01..2026-02-28`, or one day. Raises SettingsError."""
    first, _, last = text.partition("..")
    return day(first, "--compare"), day(last or first, "--compare")
