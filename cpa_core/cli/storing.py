"""The commands that copy a store and look after it."""

from cpa_core.cli.display import bar
from cpa_core.cli.facts import Done, StoreCopyFacts, StoreUpkeepFacts
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.health import bytes_shown
from cpa_core.pipeline.stores import copy_to, keep_store
from cpa_core.settings import Settings

STORE_WAIT = 300.0
"""Seconds that other writers may hold the lake before the command ends."""


def copy(given: Settings, *, is_lake: bool) -> Done:
    """Copy, and say what was compared."""
    found = copy_to(Assistant.of(given, bar), lake=is_lake)
    there = f", {found.were_there} of them copied before" if found.were_there else ""
    say(f"copied: {found.tables} tables{there}, {found.rows:,} rows, each table compared by the hash of its rows")
    return Done(0, StoreCopyFacts(copied=found))


def upkeep(given: Settings) -> Done:
    """Look after the lake; exit 1 where rows are there twice."""
    found = keep_store(Assistant.of(given), STORE_WAIT)
    say(
        f"files: {found.files:,} of {bytes_shown(found.bytes)}, before {found.files_before:,} of "
        f"{bytes_shown(found.bytes_before)}; {found.removed:,} removed from the bucket",
        f"snapshots: {found.snapshots:,}, before {found.snapshots_before:,}",
    )
    for table, count in found.twice.items():
        say(f"damaged: {table}: {count:,} rows are there twice or are missing; build and label these days again")
    return Done(1 if found.twice else 0, StoreUpkeepFacts(kept=found))
