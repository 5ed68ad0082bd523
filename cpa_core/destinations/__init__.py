"""Where events go. Adding one is a class with `send`, a line in the table, and a test."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from cpa_core.destinations.outbox import Outbox
from cpa_core.errors import SettingsError
from cpa_core.models import Event, Receipt, Replaces
from cpa_core.settings import Settings


class Destination(Protocol):
    """Takes events and says truthfully what became of each."""

    @property
    def project(self) -> str:
        """What the events belong to there: with the destination's name and the event's id, the key of a receipt."""
        ...

    @property
    def replaces(self) -> Replaces:
        """When an event replaces the one sent before under its id. Where never, a corrected one needs a new id."""
        ...

    @property
    def batch(self) -> int:
        """Most events in one call of `send`."""
        ...

    @property
    def at_once(self) -> int:
        """Most calls of `send` at the same time."""
        ...

    def send(self, events: Sequence[Event]) -> Iterable[Receipt]:
        """One receipt per event, in any order, each as soon as it is known.

        Raises DestinationStopped when nothing more is accepted: the receipts given before that stand.
        """
        ...


def _posthog(home: Path, given: Settings) -> Destination:
    from cpa_core.destinations.posthog import posthog  # half a second: only for those who use it

    return posthog(given)


def _amplitude(home: Path, given: Settings) -> Destination:
    from cpa_core.destinations.amplitude import amplitude

    return amplitude(given)


def _mixpanel(home: Path, given: Settings) -> Destination:
    from cpa_core.destinations.mixpanel import mixpanel

    return mixpanel(given)


def _parquet(home: Path, given: Settings) -> Destination:
    from cpa_core.destinations.parquet import ParquetOutbox

    return ParquetOutbox(home / "outbox")


def _webhook(home: Path, given: Settings) -> Destination:
    from cpa_core.destinations.webhook import webhook

    return webhook(given)


DESTINATIONS: dict[str, Callable[[Path, Settings], Destination]] = {
    "outbox": lambda home, given: Outbox(home / "outbox"),
    "posthog": _posthog,
    "amplitude": _amplitude,
    "mixpanel": _mixpanel,
    "parquet": _parquet,
    "webhook": _webhook,
}
"""How to make each destination from the home and the settings."""

KEYS: dict[str, str] = {
    "posthog": "POSTHOG_API_KEY",
    "amplitude": "AMPLITUDE_API_KEY",
    "mixpanel": "MIXPANEL_TOKEN",
    "webhook": "WEBHOOK_URL",
}
"""The setting that shows that a destination may be wanted."""


def destination(name: str, home: Path, given: Settings) -> Destination:
    """The destination of that name. Raises SettingsError for an unknown one, or when its key is missing."""
    if name not in DESTINATIONS:
        raise SettingsError(f"destination {name!r}: it must be one of {', '.join(DESTINATIONS)}")
    return DESTINATIONS[name](home, given)
