"""The event schema in force: the file that people edit, recorded by version."""

from collections.abc import Sequence
from pathlib import Path

from cpa_core import schema as schemas
from cpa_core.errors import SettingsError
from cpa_core.models import EventSchema
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store import Store
from cpa_core.store.database import Row


def schema_path(assistant: Assistant) -> Path:
    """The file of the schema: the one named, else `schema.yml` in the home.

    In a store past one machine the newest version in force is every worker's, so the home's file is written from it.
    """
    if assistant.settings.schema_path:
        return assistant.settings.schema_path
    path = assistant.settings.home / "schema.yml"
    if not assistant.store.is_file:
        _follow_store(assistant, path)
    return path


def _follow_store(assistant: Assistant, path: Path) -> None:
    """Write the schema that is in force in the store into the home's file, where that is missing or an older version.

    A file that no version in the store equals was edited here: the next run puts it in force for all.
    """
    if not assistant.store.exists():
        return
    with assistant.store.reading() as view:
        versions = view.answer("schema/versions")
    if not versions:
        return
    *older, text = [row["yaml"] for row in versions]
    if not path.exists() or path.read_text("utf-8") in older:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{assistant.run_id}.tmp")
        fresh.write_text(text, "utf-8")
        fresh.replace(path)


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
    """The schema in the file and its warnings, which is in force from now on. Raises SchemaError, SettingsError.

    A version that a run proposed counts as accepted once its file is named, or the settings accept proposals.
    """
    path = schema_path(assistant)
    found, warnings = read_schema(assistant)
    known = _recorded(assistant.store, found.version)
    if not known:
        record_version(assistant, found.version, path.read_text("utf-8"), str(path), proposed=False)
    elif known[0]["proposed"] and not known[0]["accepted_at"] and accepts(assistant):
        accept_versions(assistant, [found.version])
    _put_in_force(assistant, found.version)
    return found, warnings


def accepts(assistant: Assistant) -> bool:
    """Whether the settings accept the schema in force: its file is named, or every proposal is accepted."""
    return assistant.settings.schema_path is not None or assistant.settings.accept_proposals


def record_version(assistant: Assistant, version: str, text: str, origin: str, *, proposed: bool) -> None:
    """Store a version of the schema, unless it is known. A proposal waits for a person to accept it."""
    if _recorded(assistant.store, version):
        return
    now = assistant.now()
    row = {"version": version, "yaml": text, "origin": origin, "proposed": proposed, "created_at": now}
    with assistant.store.writing() as transaction:
        transaction.insert("event_schemas", [row | {"in_force_at": now}])


def accept_versions(assistant: Assistant, versions: Sequence[str]) -> None:
    """Note that a person accepted these versions, now."""
    if not versions:
        return
    with assistant.store.writing() as transaction:
        transaction.answer(
            "schema/mark_accepted",
            now=assistant.now(),
            versions=list(versions),
        )


def _put_in_force(assistant: Assistant, version: str) -> None:
    """A recorded version that another one followed is the last one again."""
    with assistant.store.reading() as view:
        last = view.answer("schema/versions")[-1]["version"]
    if last != version:
        with assistant.store.writing() as transaction:
            transaction.answer(
                "schema/mark_in_force",
                now=assistant.now(),
                version=version,
            )


def _recorded(store: Store, version: str) -> list[Row]:
    with store.reading() as view:
        return view.answer("schema/is_accepted", version=version)
