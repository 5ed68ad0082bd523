"""The command that compacts a home."""

from cpa_core.cli.display import existing
from cpa_core.cli.facts import CompactFacts, Done
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.compact import compact_home
from cpa_core.pipeline.health import bytes_shown
from cpa_core.settings import Settings

STORE_WAIT = 60.0
"""Seconds that other runs may hold the database before the command ends."""


def compact(given: Settings) -> Done:
    """Compact the home, and print how much space was freed."""
    existing(given)
    found = compact_home(Assistant.of(given), STORE_WAIT)
    say(
        f"database: {bytes_shown(found.database)}, before {bytes_shown(found.database_before)}; "
        f"{found.tables} tables, {found.rows:,} rows copied and compared",
        f"answers: {bytes_shown(found.answers)} in {found.answer_files:,} files, "
        f"before {bytes_shown(found.answers_before)} in {found.answer_files_before:,}",
        f"given back: {bytes_shown(max(found.given_back, 0))}",
    )
    return Done(0, CompactFacts(compacted=found))
