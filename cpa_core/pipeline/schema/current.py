"""The event schema in force: the file that people edit, recorded by version."""

from pathlib import Path

from cpa_core import schema as schemas
from cpa_core.errors import SettingsError
from cpa_core.models import EventSchema
from cpa_core.pipeline.assistant import Assistant


def schema_path(assistant: Assistant) -> Path:
    """The file of the schema: the one named, else `schema.yml` in the home."""
    return assistant.settings.schema_path or assistant.settings.home / "schema.yml"


def read_schema(assistant: Assistant) -> tuple[EventSchema, list[str]]:
    """The schema in the file and its warnings. Raises SchemaError, SettingsError when none is named."""
    path = schema_path(assistant)
    if assistant.settings.schema_path is None and not path.exists():
        raise SettingsError(
            "no event schema is named: --schema FILE or CPA_SCHEMA; "
            "to have one proposed: cpa schema propose SOURCE --out schema.yml"
        )
    return schemas.load(path)


def current_schema(assistant: Assistant) -> tuple[EventSchema, list[str]]:
    """The schema in the file and its warnings; a new version is recorded. Raises SchemaError, SettingsError."""
    path = schema_path(assistant)
    found, warnings = read_schema(assistant)
    with assistant.store.reading() as view:
        known = view.rows("select version from event_schemas where version = $version", version=found.version)
    if not known:
        row = {
            "version": found.version,
            "yaml": path.read_text("utf-8"),
            "created_at": assistant.now(),
            "origin": str(path),
        }
        with assistant.store.writing() as transaction:
            transaction.insert("event_schemas", [row])
    return found, warnings
