"""The one place where the environment becomes settings."""

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cpa_core.errors import SettingsError
from cpa_core.models import Value

MOST_CALLS = 256
"""Calls at once: more threads than that wait for each other, not for the provider."""
POLL_SECONDS = 60.0
"""Seconds between two looks at batches that are waited for."""
ROLES = ("user", "assistant", "system", "tool", "tool_call", "reasoning", "attachment", "other")
"""What `--roles` can make of a word; `other` is kept as it is, and nobody tags it."""
Lane = Literal["standard", "flex", "batch"]
"""How questions are asked: at once, or at half the price later (flex) or within a day (batch)."""
PRIVACIES: tuple[Literal["no_text", "redacted", "full"], ...] = ("no_text", "redacted", "full")


class Settings(Value):
    """How one assistant is run. `environ` holds keys and hosts for providers, sources and destinations."""

    home: Path
    source: str | None
    schema_path: Path | None
    model: str | None
    judge_model: str | None
    schema_model: str | None
    concurrency: int
    rpm: int | None
    tpm: int | None
    deadline_minutes: float | None
    budget: float | None
    daily_budget: float | None
    prices_path: Path | None
    lane: Lane
    poll_seconds: float
    destinations: tuple[str, ...]
    delivery_path: Path | None
    accept_proposals: bool
    redact_before_model: bool
    privacy: Literal["no_text", "redacted", "full"]
    report_privacy: Literal["no_text", "redacted", "full"]
    timezone: str
    start_date: date | None
    quiet_minutes: int
    modified_day: bool
    session_gap: int | None
    assumed_zone: str
    most_rejected: float
    form: str | None
    names: Mapping[str, str]
    roles: Mapping[str, str]
    environ: Mapping[str, str]

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of days."""
        return ZoneInfo(self.timezone)


def settings(environ: Mapping[str, str], **flags: str | None) -> Settings:
    """Settings from the environment; a flag that is given wins over `CPA_<FLAG>`. Raises SettingsError."""
    given = {f"CPA_{name.upper()}": value for name, value in flags.items() if value is not None}
    values = {name: value.strip() for name, value in {**environ, **given}.items()}
    return Settings(
        home=Path(values.get("CPA_HOME") or ".cpa"),
        source=values.get("CPA_SOURCE") or None,
        schema_path=Path(values["CPA_SCHEMA"]) if values.get("CPA_SCHEMA") else None,
        model=values.get("CPA_MODEL") or None,
        judge_model=values.get("CPA_JUDGE_MODEL") or None,
        schema_model=values.get("CPA_SCHEMA_MODEL") or None,
        concurrency=_count(values, "CPA_CONCURRENCY", 8, most=MOST_CALLS),
        rpm=_count(values, "CPA_RPM", 0) if values.get("CPA_RPM") else None,
        tpm=_count(values, "CPA_TPM", 0) if values.get("CPA_TPM") else None,
        deadline_minutes=_amount(values, "CPA_DEADLINE_MINUTES", "minutes"),
        budget=_amount(values, "CPA_BUDGET", "US dollars"),
        daily_budget=_amount(values, "CPA_DAILY_BUDGET", "US dollars"),
        prices_path=Path(values["CPA_PRICES"]) if values.get("CPA_PRICES") else None,
        lane=_lane(values.get("CPA_LANE") or "standard"),
        poll_seconds=_amount(values, "CPA_POLL", "seconds") or POLL_SECONDS,
        destinations=tuple(_words(values.get("CPA_DESTINATIONS") or "outbox")),
        delivery_path=Path(values["CPA_DELIVERY"]) if values.get("CPA_DELIVERY") else None,
        accept_proposals=_switch(values, "CPA_ACCEPT_PROPOSALS"),
        redact_before_model=_switch(values, "CPA_REDACT_BEFORE_MODEL"),
        privacy=_privacy(values, otherwise="no_text"),
        report_privacy=_privacy(values, otherwise="redacted"),
        timezone=_timezone(values.get("CPA_TIMEZONE") or "UTC", "CPA_TIMEZONE"),
        start_date=day(values["CPA_START_DATE"], "CPA_START_DATE") if values.get("CPA_START_DATE") else None,
        quiet_minutes=_count(values, "CPA_QUIET_MINUTES", 0, least=0),
        modified_day=values.get("CPA_UNTIMED") == "modified",
        session_gap=_count(values, "CPA_SESSION_GAP", 0, least=0) if values.get("CPA_SESSION_GAP") else None,
        assumed_zone=_timezone(values.get("CPA_ASSUMED_ZONE") or "UTC", "CPA_ASSUMED_ZONE"),
        most_rejected=_share(values, "CPA_MOST_REJECTED", 0.01),
        form=values.get("CPA_FORMAT") or None,
        names=_names(values.get("CPA_MAP") or ""),
        roles=_roles(values.get("CPA_ROLES") or ""),
        environ=values,
    )


def day(text: str, name: str) -> date:
    """A day as people write it. Raises SettingsError naming the setting or flag."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(f"{name} is {text!r}: a day is needed, as in 2026-11-22") from None


def _count(values: Mapping[str, str], name: str, otherwise: int, least: int = 1, most: int | None = None) -> int:
    text = values.get(name) or str(otherwise)
    if not text.isdecimal() or int(text) < least:
        raise SettingsError(f"{name} is {text!r}: a whole number of at least {least} is needed")
    if most is not None and int(text) > most:
        raise SettingsError(f"{name} is {text!r}: at most {most}")
    return int(text)


def _switch(values: Mapping[str, str], name: str) -> bool:
    text = (values.get(name) or "no").lower()
    if text not in ("yes", "no", "true", "false", "1", "0"):
        raise SettingsError(f"{name} is {text!r}: it must be yes or no")
    return text in ("yes", "true", "1")


def _amount(values: Mapping[str, str], name: str, unit: str) -> float | None:
    text = values.get(name)
    if not text:
        return None
    try:
        amount = float(text.removeprefix("$"))
    except ValueError:
        amount = 0.0
    if not 0.0 < amount < float("inf"):
        raise SettingsError(f"{name} is {text!r}: {unit} are needed, more than 0")
    return amount


def _privacy(
    values: Mapping[str, str], otherwise: Literal["no_text", "redacted"]
) -> Literal["no_text", "redacted", "full"]:
    given = values.get("CPA_PRIVACY") or otherwise
    for privacy in PRIVACIES:
        if given == privacy:
            return privacy
    raise SettingsError(f"CPA_PRIVACY is {given!r}: it must be one of {', '.join(PRIVACIES)}")


def _share(values: Mapping[str, str], name: str, otherwise: float) -> float:
    """`0.01` or `1%`."""
    text = values.get(name) or str(otherwise)
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise SettingsError(f"{name} is {text!r}: a share is needed, as in 0.01 or 1%")
    return share


def _lane(text: str) -> Lane:
    if text not in get_args(Lane):
        raise SettingsError(f"CPA_LANE is {text!r}: it must be one of {', '.join(get_args(Lane))}")
    return cast(Lane, text)


def _names(text: str) -> dict[str, str]:
    """`role=sender,content=body`: our word for each of theirs."""
    pairs = [pair.partition("=") for pair in _words(text)]
    if any(not ours.strip() or not theirs.strip() for ours, _, theirs in pairs):
        raise SettingsError(f"CPA_MAP is {text!r}: pairs are needed, as in role=sender,content=body")
    return {theirs.strip(): ours.strip() for ours, _, theirs in pairs}


def _roles(text: str) -> dict[str, str]:
    """`user=customer|guest,assistant=agent`: our role for each word, letter case aside."""
    named: dict[str, str] = {}
    for pair in _words(text):
        role, _, words = (part.strip() for part in pair.partition("="))
        if role not in ROLES:
            near = get_close_matches(role, ROLES, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"CPA_ROLES (--roles): {role!r} is none of {', '.join(ROLES)}{meant}")
        for word in filter(None, (one.strip().lower().replace(" ", "_").replace("-", "_") for one in words.split("|"))):
            if named.setdefault(word, role) != role:
                raise SettingsError(f"CPA_ROLES (--roles): {word!r} is both {named[word]} and {role}")
    if text.strip() and not named:
        raise SettingsError(f"CPA_ROLES (--roles) is {text!r}: as in user=customer|guest,assistant=agent")
    return named


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _timezone(name: str, setting: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingsError(f"{setting} is {name!r}: not a time zone, as in Europe/Paris") from None
    return name
