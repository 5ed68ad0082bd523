"""The event schema in force: the file that people edit, recorded by version."""

from cpa_core import schema as schemas
from cpa_core.errors import SettingsError
from cpa_core.models import EventSchema
from cpa_core.pipeline.context import Assistant


def current_schema(assistant: Assistant) -> tuple[EventSchema, list[str]]:
    """The schema in the file and its warnings; a new version is recorded. Raises SchemaError, SettingsError."""
    path = assistant.settings.schema_path
    if path is None:
        raise SettingsError("no event schema is named: --schema FILE or CPA_SCHEMA")
    found, warnings = schemas.load(path)
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
