"""Where events go. Adding one is a class with `send`, a line in the table, and a test."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cpa_core.destinations.outbox import Outbox
from cpa_core.errors import SettingsError
from cpa_core.models import Event, Receipt


class Destination(Protocol):
    """Takes events and says truthfully what became of each."""

    project: str
    """What the events belong to there: with the destination's name and the event's id, the key of a receipt."""
    replaces: bool
    """Whether an event sent again under its id replaces the one before; else a corrected one needs a new id."""
    batch: int
    """Most events in one call of `send`."""

    def send(self, events: Sequence[Event]) -> list[Receipt]:
        """One receipt per event, in order. Raises DestinationStopped when nothing at all is accepted."""
        ...


DESTINATIONS: dict[str, Callable[[Path, Mapping[str, str]], Destination]] = {
    "outbox": lambda home, environ: Outbox(home / "outbox"),
}
"""How to make each destination from the home and the environment."""


def destination(name: str, home: Path, environ: Mapping[str, str]) -> Destination:
    """The destination of that name. Raises SettingsError for an unknown one, or when its key is missing."""
    if name not in DESTINATIONS:
        raise SettingsError(f"destination {name!r}: it must be one of {', '.join(DESTINATIONS)}")
    return DESTINATIONS[name](home, environ)
