"""The commands that keep a home: compacting it, and upgrading it to this version."""

from collections.abc import Iterator

from cpa_core.cli.display import bar, existing, quote_lines
from cpa_core.cli.facts import CompactFacts, Done, UpgradeFacts
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.compact import compact_home
from cpa_core.pipeline.health import bytes_shown
from cpa_core.pipeline.upgrade import KeptIds, Upgrade, preview_upgrade, upgrade_home
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


def upgrade_command(given: Settings, *, dry_run: bool) -> Done:
    """Upgrade the home, or only say what that means."""
    existing(given)
    assistant = Assistant.of(given, bar)
    found = preview_upgrade(assistant) if dry_run else upgrade_home(assistant)
    say(*_upgrade_lines(found))
    if found.is_current:
        say("nothing to do: this version wrote the home")
    elif found.done:
        say("upgraded; nothing was asked, paid or sent")
    else:
        say("nothing was changed; cpa upgrade does it, and so does any other command of this version")
    return Done(0, UpgradeFacts(upgrade=found))


def _upgrade_lines(found: Upgrade) -> Iterator[str]:
    by = f"cpa {found.written_by}" if found.written_by else "an earlier version"
    yield f"written by {by} (migration {found.migration}); this is cpa {found.version}"
    verb = "applied" if found.done else "to apply"
    yield f"migrations {verb}: {len(found.migrations)}"
    yield from (f"  {one.number}: {one.about}" for one in found.migrations)
    yield "ids: " + ("; ".join(_kept(one) for one in found.ids) or "not known before it is done")
    plan = found.next_run
    if plan.unknown or plan.days is None or plan.asks is None:
        yield f"what the next run would ask and send is not known: {plan.unknown}"
    else:
        yield f"the next run has {len(plan.days)} days to do, sends {plan.sends} events, withdraws {plan.withdraws}"
        yield from (f"  {line}" for line in quote_lines(plan.asks))
    if found.retag is not None:
        questions = sum(line.questions for line in found.retag.lines)
        yield (
            "by itself nothing is labelled again; cpa run --retag, by the prompts, model and schema of now, asks "
            + (f"{questions} questions:" if questions else "nothing")
        )
        yield from (f"  {line}" for line in quote_lines(found.retag) if questions)


def _kept(one: KeptIds) -> str:
    changed = f"{one.gone} change" if one.gone else "none changes"
    return f"{one.before:,} {one.kind}, {changed}" + (f", {one.added} are added" if one.added else "")
