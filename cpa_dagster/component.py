"""The component `cpa_dagster.ConversationAnalytics`: one assistant as a `defs.yaml` in anybody's Dagster project."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from cpa_core.settings import environment, settings
from cpa_dagster.assistant import assistant_definitions

PATHS = ("source", "schema", "home")
"""The fields that may be paths beside the `defs.yaml`."""


class ConversationAnalytics(dg.Component, dg.Model, dg.Resolvable):
    """Transcripts of one assistant in, events at the destinations out, day by day.

    Every other setting is given under `settings`, by its name in docs/reference/settings.md. Keys are read from the
    environment: they do not belong in a file.
    """

    name: str = Field(description="Goes before the asset keys and the names of jobs and sensors.")
    source: str = Field(
        description="A file, a folder (relative to this file), s3://bucket/prefix, postgresql://host/db."
    )
    schema_file: str | None = Field(None, alias="schema", description="The event schema; relative to this file.")
    home: str | None = Field(None, description="The folder of the store. Default: .cpa/NAME in the working directory.")
    label_model: str | None = Field(None, alias="model", description="provider:model for tagging and judging.")
    judge_model: str | None = Field(None, description="Another model for judging.")
    destinations: list[str] | None = Field(None, description="Where events go. Default: the outbox.")
    timezone: str | None = Field(None, description="The time zone of days. It is fixed once the home exists.")
    start_date: str | None = Field(None, description="The first day that has a partition.")
    privacy: str | None = Field(None, description="no_text, redacted or full.")
    budget: float | None = Field(None, description="US dollars that one run may spend.")
    daily_budget: float | None = Field(None, description="US dollars that all runs of a UTC day may spend.")
    lane: str | None = Field(None, description="standard, flex or batch.")
    more: dict[str, str] = Field({}, alias="settings", description='Other settings by name: {CPA_QUIET_MINUTES: "30"}.')

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the assistant. Raises SettingsError for a value that a setting does not allow."""
        return assistant_definitions(settings(environment() | self.texts(context.path)), name=self.name)

    def texts(self, folder: Path) -> dict[str, str]:
        """Return the settings as texts, by name; relative paths that exist beside the file are resolved to it."""
        own: dict[str, Any] = {
            "schema": self.schema_file,
            "model": self.label_model,
            "home": self.home or f".cpa/{self.name}",
            **self.model_dump(exclude={"name", "more", "schema_file", "label_model", "home"}),
        }
        given = {f"CPA_{name.upper()}": _text(value) for name, value in own.items() if value is not None}
        for name in (f"CPA_{path.upper()}" for path in PATHS):
            if name in given and (folder / given[name]).exists():
                given[name] = str(folder / given[name])
        return given | self.more


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
