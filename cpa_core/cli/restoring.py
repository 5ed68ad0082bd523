"""The command that restores a home."""

from cpa_core.cli.display import bar, landed_lines, quote_lines
from cpa_core.pipeline import Assistant, restore_home
from cpa_core.settings import Settings


def restore(given: Settings) -> int:
    """Rebuild the database from the answers' files and the source, and say what could not be."""
    assistant = Assistant.of(given, bar)
    found = restore_home(assistant)
    print(f"database: {'built anew' if found.was_lost else 'there already; nothing of it was replaced'}")
    print(f"answers: {found.answers} put back from {given.home / 'answers'}")
    print("\n".join(landed_lines(found.landed)) if found.landed else "source: none is named (cpa restore SOURCE)")
    print(f"built: {found.days} days")
    if found.quote:
        print("\n".join(["cpa run goes on; it asks:", *quote_lines(found.quote)]))
    else:
        print(f"what cpa run would ask is not known: {found.unknown}")
    for line in found.not_restored:
        print(f"not restored: {line}")
    is_short = any("cannot be read" in line for line in found.not_restored)
    return 1 if is_short or (found.landed and found.landed.lost) else 0
