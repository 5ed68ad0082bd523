"""The destinations of events. To add one: a module with `send`, a line in the table here, and its settings."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from cpa_core.destinations.outbox import Outbox
from cpa_core.destinations.shared import outbox_of
from cpa_core.errors import SettingsError
from cpa_core.extras import not_installed
from cpa_core.models import Event, Receipt, Replaces
from cpa_core.settings import Needs, Settings, lacking


class Destination(Protocol):
    """Receives events and returns a truthful receipt for each."""

    @property
    def project(self) -> str:
        """Return the events' project; with the destination's name and the event's id, it is the key of a receipt."""
        ...

    @property
    def replaces(self) -> Replaces:
        """Return when an event replaces an earlier one with its id. If never, a corrected event needs a new id."""
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

        Raises DestinationStopped if nothing more is accepted: earlier receipts remain valid.
        """
        ...


class DestinationSpec(NamedTuple):
    """One destination. `make` imports a vendor's package only when it is called; `needs` are the settings that it
    cannot do without, one set of names for each way to configure it."""

    name: str
    title: str
    make: Callable[[Settings], Destination]
    needs: Needs = ()


def _posthog(given: Settings) -> Destination:
    from cpa_core.destinations.posthog import posthog  # half a second: only for those who use it

    return posthog(given)


def _amplitude(given: Settings) -> Destination:
    from cpa_core.destinations.amplitude import amplitude

    return amplitude(given)


def _mixpanel(given: Settings) -> Destination:
    from cpa_core.destinations.mixpanel import mixpanel

    return mixpanel(given)


def _parquet(given: Settings) -> Destination:
    from cpa_core.destinations.parquet import ParquetOutbox

    made: Destination = outbox_of(given, ParquetOutbox, "parquet")
    return made


def _webhook(given: Settings) -> Destination:
    from cpa_core.destinations.webhook import webhook

    return webhook(given)


def _outbox(given: Settings) -> Destination:
    made: Destination = outbox_of(given, Outbox, "jsonl")
    return made


MIXPANEL = (("MIXPANEL_TOKEN",), ("MIXPANEL_SERVICE_ACCOUNT", "MIXPANEL_PROJECT_ID"))
SPECS = (
    DestinationSpec("outbox", "JSON Lines in the home", _outbox),
    DestinationSpec("posthog", "PostHog", _posthog, (("POSTHOG_API_KEY",),)),
    DestinationSpec("amplitude", "Amplitude", _amplitude, (("AMPLITUDE_API_KEY",),)),
    DestinationSpec("mixpanel", "Mixpanel", _mixpanel, MIXPANEL),
    DestinationSpec("parquet", "Parquet in the home", _parquet),
    DestinationSpec("webhook", "A webhook", _webhook, (("WEBHOOK_URL", "WEBHOOK_SECRET"),)),
)
DESTINATIONS: dict[str, DestinationSpec] = {spec.name: spec for spec in SPECS}
"""Every destination, by its name."""


def destination(name: str, given: Settings) -> Destination:
    """The destination of that name. Raises SettingsError for an unknown one, or when its key or package is missing."""
    if name not in DESTINATIONS:
        raise SettingsError(f"destination {name!r}: it must be one of {', '.join(DESTINATIONS)}")
    try:
        return DESTINATIONS[name].make(given)
    except ModuleNotFoundError as missing:
        raise not_installed(missing, f"destination {name}") from None


def unused(given: Settings) -> list[str]:
    """Destinations that are configured and not among those that events go to."""
    return [
        spec.name
        for spec in DESTINATIONS.values()
        if spec.needs and spec.name not in given.destinations and not lacking(given, spec.needs)
    ]
