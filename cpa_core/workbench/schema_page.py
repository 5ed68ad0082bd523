"""The schema: what each type means and how often it occurs; its file edited, checked, compared and saved."""

import hashlib
import os
from pathlib import Path

from starlette.responses import Response

from cpa_core import schema as schemas
from cpa_core.errors import InputError, SchemaError, SettingsError
from cpa_core.models import EventSchema
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.schema.current import schema_path
from cpa_core.pipeline.schema.stale import quote_of_history, schema_in_force, types_and_events, weights
from cpa_core.schema.document import text_of
from cpa_core.workbench.visit import Visit, to


def show(visit: Visit) -> Response:
    """The types with their counts, and the file as it stands."""
    text, mark = _file(visit.assistant)
    return _shown(visit, text, mark)


def check_or_save(visit: Visit) -> Response:
    """Check what was edited and show what it changes; or save it, if nobody changed the file meanwhile."""
    text, mark = visit.form.raw("yaml"), visit.form.get("mark")
    if visit.form.get("action") != "save":
        return _shown(visit, text, mark, is_checked=True)
    _, findings = schemas.check_text(text, "schema")
    if visit.read_only or any(one.level == "error" for one in findings):
        return _shown(visit, text, mark, is_checked=True)
    _save(visit.assistant, text, mark)
    return to("/schema")


def _shown(visit: Visit, text: str, mark: str, *, is_checked: bool = False) -> Response:
    problems: list[object] = []
    changes: list[object] = []
    price = broken = ""
    if is_checked:
        try:
            edited, found = schemas.check_text(text, "line")
            problems = list(found)
            changes, price = _compared(visit.assistant, edited)
        except SchemaError as wrong:
            broken = str(wrong)
    current = schema_in_force(visit.assistant)
    counts = types_and_events(visit.assistant, current) if current and visit.assistant.store.exists() else []
    definitions = {(kind.role, kind.name): kind for kind in current.event_types} if current else {}
    return visit.shown(
        "schema",
        "Event schema",
        counts=[row | {"kind": definitions[row["role"], row["type"]]} for row in counts],
        text=text,
        mark=mark,
        file=schema_path(visit.assistant).name,
        version=current.version if current else "",
        problems=problems,
        changes=changes,
        price=price,
        broken=broken,
        is_checked=is_checked,
    )


def _compared(assistant: Assistant, edited: EventSchema) -> tuple[list[object], str]:
    """Each change with what it touches here, and the price of asking again."""
    current = schema_in_force(assistant)
    if current is None:
        return [], ""
    diff = schemas.compare(current, edited)
    if not assistant.store.exists():
        return [(change, None) for change in diff.changes], ""
    touched = weights(assistant, diff)
    try:
        quoted = quote_of_history(assistant, edited)
    except SettingsError as missing:
        return list(zip(diff.changes, touched, strict=True)), f"the price is not known: {missing}"
    cost = "unknown" if quoted.cost is None else f"{quoted.cost:.2f} dollars"
    return list(
        zip(diff.changes, touched, strict=True)
    ), f"{sum(line.questions for line in quoted.lines)} questions, {cost}"


def _file(assistant: Assistant) -> tuple[str, str]:
    """The text of the schema's file, and a mark that changes when it does."""
    path = schema_path(assistant)
    if not path.exists():
        return "", ""
    text = text_of(path)
    return text, _mark(text)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _save(assistant: Assistant, text: str, mark: str) -> None:
    """Write the file whole, in one step. Raises InputError where it changed since it was shown."""
    path = schema_path(assistant)
    if _file(assistant)[1] != mark:
        raise InputError(
            f"{path.name} was changed meanwhile, by hand or by another page: nothing is saved; look at it first"
        )
    beside = path.with_name(f".{path.name}.new")
    try:
        _write(beside, text, path)
        beside.replace(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}: nothing is saved") from error


def _write(beside: Path, text: str, path: Path) -> None:
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        beside.chmod(path.stat().st_mode & 0o777)
