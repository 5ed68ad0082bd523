"""The command that restores a home."""

from cpa_core.cli.display import bar, landed_lines, quote_lines
from cpa_core.cli.facts import Done, RestoreFacts
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant, restore_home
from cpa_core.settings import Settings


def restore(given: Settings) -> Done:
    """Rebuild the database from the answers' files and the source, and print what could not be restored."""
    assistant = Assistant.of(given, bar)
    found = restore_home(assistant)
    say(f"database: {'built anew' if found.was_lost else 'there already; nothing of it was replaced'}")
    say(f"answers: {found.answers} put back from {given.home / 'answers'}")
    say(*landed_lines(found.landed) if found.landed else ["source: none is named (cpa restore SOURCE)"])
    say(f"built: {found.days} days")
    if found.quote:
        say("next: cpa run, which will ask:", *quote_lines(found.quote))
    else:
        say(f"what a run would ask is not known: {found.unknown}")
    for line in found.not_restored:
        say(f"not restored: {line}")
    is_short = any("cannot be read" in line for line in found.not_restored)
    return Done(1 if is_short or (found.landed and found.landed.lost) else 0, RestoreFacts(restored=found))
