"""The filter of events for each destination: `delivery.yml`, which people edit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, RootModel, ValidationError

from cpa_core.errors import SettingsError
from cpa_core.models import JUDGED_EVENT, Event, EventSchema, Value

Names = tuple[Annotated[str, Field(min_length=1)], ...]


class LeftOut(Value):
    """Event types, roles and keys of the payload that are not sent."""

    event_types: Names = ()
    roles: tuple[Literal["user", "assistant"], ...] = ()
    properties: Names = ()


class DeliveryFilter(Value):
    """The events that one destination receives, and at most how many a second.

    `untrusted` are event types with their roles that people's labels contradict; it is computed, never read from the
    file.
    """

    leave_out: LeftOut = LeftOut()
    events_per_second: float | None = Field(default=None, gt=0)
    untrusted: frozenset[tuple[str, str]] = frozenset()

    def takes(self, event_type: str, role: str | None) -> bool:
        """Return whether events of this type and role are sent. A judgment's event has no role."""
        if (event_type, role) in self.untrusted:
            return False
        return event_type not in self.leave_out.event_types and role not in self.leave_out.roles

    def trimmed(self, event: Event) -> Event:
        """Return the event without the properties that are left out."""
        if not self.leave_out.properties:
            return event
        payload = {name: value for name, value in event.payload.items() if name not in self.leave_out.properties}
        return event.model_copy(update={"payload": payload})


EVERYTHING = DeliveryFilter()


class _File(RootModel[dict[str, DeliveryFilter]]):
    """By destination."""


def load(path: Path | None) -> Mapping[str, DeliveryFilter]:
    """The selections of a file by destination; none without a file. Raises SettingsError with file, key and reason."""
    if path is None:
        return {}
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file (CPA_DELIVERY)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {type(error).__name__}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingsError(f"{path}: line {mark.line + 1 if mark else 1}: not YAML") from None
    try:
        selections = _File.model_validate(found or {}).root
        if named := [name for name, one in selections.items() if "untrusted" in one.model_fields_set]:
            raise SettingsError(f"{path}: {named[0]}.untrusted: no such key; CPA_LEAST_KAPPA withholds labels")
        return selections
    except ValidationError as invalid:
        first = invalid.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {place or 'the file'}: {first['msg']}") from None


def unknown_names(selections: Mapping[str, DeliveryFilter], schema: EventSchema) -> list[str]:
    """Return a line for each left-out name that the schema does not have: misspelt, or of an older schema."""
    types = {kind.name for kind in schema.event_types} | {JUDGED_EVENT}
    return [
        f"{name} leaves out {kind!r}, which is no event type of the schema"
        for name, selection in selections.items()
        for kind in selection.leave_out.event_types
        if kind not in types
    ]
