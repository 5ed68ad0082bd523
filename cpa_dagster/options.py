"""The options of one run that override the settings: the fields of the Launchpad, and the source of the keys."""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Any, cast, get_args

import dagster as dg
from pydantic import Field, create_model

from cpa_core.errors import SettingsError
from cpa_core.pipeline import DayRange
from cpa_core.settings import TABLE, SettingLine, Settings, day, replaced
from cpa_core.settings.reference import fields

OVERRIDDEN: Mapping[str, SettingLine] = {
    line.path: line
    for line in fields(
        [
            "CPA_MODEL",
            "CPA_JUDGE_MODEL",
            "CPA_BUDGET",
            "CPA_DAILY_BUDGET",
            "CPA_LANE",
            "CPA_CONCURRENCY",
            "CPA_DESTINATIONS",
            "CPA_PRIVACY",
            "CPA_ACCEPT_PROPOSALS",
        ]
    )
}
"""The settings that a run may override, by their field. An unset field leaves the setting as it is."""

OWN: Mapping[str, tuple[Any, Any, str]] = {
    "retag": (bool, False, "Ask again what another schema, prompt or model labelled. Default: only what is open."),
    "correct": (bool, False, "Withdraw at the destinations what was delivered and is no longer true."),
    "retry_rejected": (bool, False, "Send again what a destination rejected."),
    "deliver_incomplete": (bool, False, "Deliver days although questions of theirs failed."),
    "dry_run": (bool, False, "Ask and send nothing: show the questions of each day and their price."),
    "most_conversations": (int | None, None, "Ask about the first so many conversations of a day only: a trial."),
}
"""The options that exist for a run only: type, default and help."""

SECRETS = tuple(line.name for line in TABLE.values() if line.secret)
"""The keys. No run's configuration holds them, because everybody can read it in the UI."""


class RunOptions(dg.ConfigurableResource[Any]):
    """The options of one run. An omitted field keeps the value of the settings."""

    retag: bool = False
    correct: bool = False
    retry_rejected: bool = False
    deliver_incomplete: bool = False
    dry_run: bool = False
    most_conversations: int | None = None

    def applied(self, given: Settings) -> Settings:
        """The settings of the run. Raises SettingsError with the text of the setting that is wrong."""
        if self.most_conversations is not None and self.most_conversations < 1:
            raise SettingsError(f"most_conversations is {self.most_conversations}: at least 1 is needed")
        chosen = {name: getattr(self, name, None) for name in OVERRIDDEN}
        texts = {OVERRIDDEN[name].name: _text(value) for name, value in chosen.items() if value is not None}
        return replaced(given, texts) if texts else given


def _text(value: Any) -> str:
    """A value as it is written in `.env`."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, list) else str(value)


def _fields() -> dict[str, Any]:
    own = {name: (kind, Field(default, description=about)) for name, (kind, default, about) in OWN.items()}
    return own | {
        name: (_kind(line) | None, Field(None, description=_about(line))) for name, line in OVERRIDDEN.items()
    }


def _kind(line: SettingLine) -> Any:
    """The type that Dagster's form knows for a setting."""
    if len(line.reader.choices) > 1 and line.type is not bool:
        return Enum(line.path.title().replace("_", ""), {choice: choice for choice in line.reader.choices})
    kind = next((one for one in (bool, int, float) if one in (line.type, *get_args(line.type))), None)
    return kind or (list[str] if isinstance(line.default, tuple) else str)


def _about(line: SettingLine) -> str:
    return f"{line.setting.help} Default: {line.name}."


Options = cast(type[RunOptions], create_model("Options", __base__=RunOptions, __doc__=RunOptions.__doc__, **_fields()))
"""The resource `options`: the fields of the two tables above, typed and described."""


class SecretKeys(dg.ConfigurableResource[Any]):
    """Keys that take precedence over those of the settings.

    Give them as `dg.EnvVar`, so that no page of Dagster shows them.
    """

    def texts(self) -> dict[str, str]:
        """The keys that are given, by the names of their settings."""
        found = {name: getattr(self, name.lower(), None) for name in SECRETS}
        return {name: str(value) for name, value in found.items() if value}


Keys = cast(
    type[SecretKeys],
    create_model(
        "Keys",
        __base__=SecretKeys,
        __doc__=SecretKeys.__doc__,
        **{name.lower(): (str | None, Field(None, description=f"Instead of {name}.")) for name in SECRETS},  # type: ignore[call-overload]
    ),
)
"""The resource `keys`: a field for each secret."""


def keys_that_are_set() -> SecretKeys:
    """The keys as references to the variables of this process that are set; their values are read by each run."""
    return Keys(**{name.lower(): dg.EnvVar(name) for name in SECRETS if dg.EnvVar(name).get_value()})


class QuoteConfig(dg.Config):
    """The days to quote."""

    first: str | None = Field(None, description="The first day, as 2026-03-01. Default: the first that has landed.")
    last: str | None = Field(None, description="The last day. Default: the last that has landed.")

    def of(self, known: Sequence[date]) -> list[date]:
        """Return the known days within the range. Raises SettingsError."""
        first = day(self.first, "first") if self.first else date.min
        last = day(self.last, "last") if self.last else date.max
        return [one for one in known if first <= one <= last]


class ReportConfig(dg.Config):
    """The days of the report, the changes to mark in it, and whether it holds suggestions."""

    first: str | None = Field(None, description="The first day, as 2026-03-01. Default: the first with conversations.")
    last: str | None = Field(None, description="The last day. Default: the last with conversations.")
    changes: dict[str, str] = Field({}, description="The changes to mark, by day: {2026-03-04: new refusal prompt}.")
    suggest: bool = Field(False, description="Ask the model for a change to each of the most costly issues.")

    def span(self) -> DayRange:
        """The days and changes. Raises SettingsError."""
        return DayRange(
            first=day(self.first, "first") if self.first else None,
            last=day(self.last, "last") if self.last else None,
            changes=tuple((day(text, "changes"), label) for text, label in self.changes.items()),
            suggest=self.suggest,
        )
