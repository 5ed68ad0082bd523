"""The one place where the environment becomes settings."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cpa_core.errors import SettingsError
from cpa_core.models import Value

PRIVACIES = ("no_text", "redacted", "full")


class Settings(Value):
    """How one assistant is run. `environ` holds keys and hosts for providers, sources and destinations."""

    home: Path
    source: str | None
    schema_path: Path | None
    model: str | None
    judge_model: str | None
    schema_model: str | None
    concurrency: int
    destinations: tuple[str, ...]
    privacy: Literal["no_text", "redacted", "full"]
    timezone: str
    start_date: date | None
    quiet_minutes: int
    modified_day: bool
    environ: Mapping[str, str]

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of days."""
        return ZoneInfo(self.timezone)


def settings(environ: Mapping[str, str], **flags: str | None) -> Settings:
    """Settings from the environment; a flag that is given wins over `CPA_<FLAG>`. Raises SettingsError."""
    given = {f"CPA_{name.upper()}": value for name, value in flags.items() if value is not None}
    values = {name: value.strip() for name, value in {**environ, **given}.items()}
    privacy = values.get("CPA_PRIVACY") or "no_text"
    if privacy not in PRIVACIES:
        raise SettingsError(f"CPA_PRIVACY is {privacy!r}: it must be one of {', '.join(PRIVACIES)}")
    return Settings(
        home=Path(values.get("CPA_HOME") or ".cpa"),
        source=values.get("CPA_SOURCE") or None,
        schema_path=Path(values["CPA_SCHEMA"]) if values.get("CPA_SCHEMA") else None,
        model=values.get("CPA_MODEL") or None,
        judge_model=values.get("CPA_JUDGE_MODEL") or None,
        schema_model=values.get("CPA_SCHEMA_MODEL") or None,
        concurrency=_count(values, "CPA_CONCURRENCY", 8),
        destinations=tuple(_words(values.get("CPA_DESTINATIONS") or "outbox")),
        privacy=privacy,
        timezone=_timezone(values.get("CPA_TIMEZONE") or "UTC"),
        start_date=day(values["CPA_START_DATE"], "CPA_START_DATE") if values.get("CPA_START_DATE") else None,
        quiet_minutes=_count(values, "CPA_QUIET_MINUTES", 0, least=0),
        modified_day=values.get("CPA_UNTIMED") == "modified",
        environ=values,
    )


def day(text: str, name: str) -> date:
    """A day as people write it. Raises SettingsError naming the setting or flag."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(f"{name} is {text!r}: a day is needed, as in 2026-11-22") from None


def _count(values: Mapping[str, str], name: str, otherwise: int, least: int = 1) -> int:
    text = values.get(name) or str(otherwise)
    if not text.isdigit() or int(text) < least:
        raise SettingsError(f"{name} is {text!r}: a whole number of at least {least} is needed")
    return int(text)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingsError(f"CPA_TIMEZONE is {name!r}: not a time zone, as in Europe/Paris") from None
    return name
