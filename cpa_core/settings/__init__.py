"""The settings, and the only reader of the environment and of `.env`.

A setting is one field in table.py (or of a vendor, in vendors.py). `.env.example`, docs/reference/settings.md, the
flags' help and Dagster's run configuration are made from it.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TypeVar

from dotenv import dotenv_values

from cpa_core.errors import SettingsError
from cpa_core.models import Value
from cpa_core.settings.reading import BY_TYPE, ROLES, Setting, meant, reader_of, shown, text_of, value_of
from cpa_core.settings.table import (
    ELSEWHERE,
    MOST_CALLS,
    TABLE,
    TIMEOUT,
    Lane,
    Needs,
    Privacy,
    SettingLine,
    Settings,
    is_value,
    lacking,
)
from cpa_core.settings.vendors import AwsSettings, Persons, Structured

__all__ = [
    "MOST_CALLS",
    "ROLES",
    "TABLE",
    "TIMEOUT",
    "AwsSettings",
    "Lane",
    "Needs",
    "Persons",
    "Privacy",
    "SettingLine",
    "Settings",
    "Structured",
    "changed",
    "day",
    "environment",
    "lacking",
    "origins",
    "replaced",
    "settings",
    "shown",
]
OURS = "CPA_"
V = TypeVar("V", bound=Value)


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment, or `given` in its place; it takes precedence over `.env` in the working directory."""
    inherited = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return inherited | dict(os.environ if given is None else given)


def origins(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where each setting that is set stands: `environment` (or `given` instead) or `.env`. Flags are not known."""
    stands = environment({})
    names = [name for line in TABLE.values() for name in (line.name, *line.setting.also)]
    from_environment = dict(os.environ if given is None else given)
    found = {name: "environment" if from_environment.get(name) else ".env" for name in names}
    return {name: where for name, where in found.items() if from_environment.get(name) or stands.get(name)}


def settings(environ: Mapping[str, str], **flags: str | None) -> Settings:
    """Settings from texts by name; a flag takes precedence over `CPA_<FLAG>`.

    An empty text counts as unset. Raises SettingsError for a text that cannot be read, and for an unknown name that
    begins with CPA_.
    """
    texts = {**environ, **_named(flags)}
    _check(texts)
    return Settings(**_values(Settings, texts))


def changed(given: Settings, **flags: str | None) -> Settings:
    """The settings with these texts instead, by the names of flags: `changed(given, lane="flex", budget="5")`.

    A null text changes nothing. Raises SettingsError, as `settings` does.
    """
    return replaced(given, _named(flags))


def replaced(given: Settings, texts: Mapping[str, str]) -> Settings:
    """The settings with these texts instead, by their names in the environment. Raises SettingsError."""
    return _over(given, settings(texts))


def day(text: str, name: str) -> date:
    """A day as people write it. Raises SettingsError naming the setting or flag."""
    found: date = value_of(name, text.strip(), BY_TYPE[date])
    return found


def _named(flags: Mapping[str, str | None]) -> dict[str, str]:
    return {f"{OURS}{flag.upper()}": text for flag, text in flags.items() if text is not None}


def _check(texts: Mapping[str, str]) -> None:
    """Refuse misspelled names, which would otherwise be ignored silently."""
    known = [*(name for line in TABLE.values() for name in (line.name, *line.setting.also)), *ELSEWHERE]
    unknown = sorted(name for name in texts if name.startswith(OURS) and name not in known)
    if unknown:
        said = "; ".join(f"{name} is not a setting: {meant(name, known)}".rstrip(": ") for name in unknown)
        raise SettingsError(f"{said} (all are in docs/reference/settings.md)")


def _values(kind: type[Value], texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields that the texts set."""
    return dict(_found(kind, texts))


def _found(kind: type[Value], texts: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for field, info in kind.model_fields.items():
        annotation = info.annotation
        if is_value(annotation):
            yield field, annotation(**_values(annotation, texts))
            continue
        (setting,) = (one for one in info.metadata if isinstance(one, Setting))
        name, text = text_of(setting, texts)
        if text:
            yield field, value_of(name, text, reader_of(annotation, setting))


def _over(given: V, newer: V) -> V:
    update = {field: getattr(newer, field) for field in newer.model_fields_set}
    nested = {
        field: _over(getattr(given, field), value) if isinstance(value, Value) else value
        for field, value in update.items()
    }
    return given.model_copy(update=nested)
