"""The schema: each type's meaning and the quality of its labels; its file edited, checked, compared and saved."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from cpa_core import schema as schemas
from cpa_core.errors import InputError, NotFound, SchemaError, SettingsError
from cpa_core.models import EventSchema
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.schema.acceptance import accept_schema, waiting_days, waiting_versions
from cpa_core.pipeline.schema.current import schema_path
from cpa_core.pipeline.schema.stale import quote_of_history, schema_in_force, types_and_events, weights
from cpa_core.schema import Finding
from cpa_core.schema.additions import additions, with_addition
from cpa_core.schema.document import text_of
from cpa_core.store.database import Row
from cpa_core.workbench.figures import NEWER, LabelFigures
from cpa_core.workbench.visit import Visit, to


def show(visit: Visit) -> Response:
    """Show the types with the quality of their labels, and the file."""
    text, mark = _file(visit.assistant)
    return _shown(visit, text, mark)


def check_or_save(visit: Visit) -> Response:
    """Check the edited text and show its changes; or save it, if nobody changed the file meanwhile."""
    text, mark = visit.form.raw("yaml"), visit.form.get("mark")
    if visit.form.get("action") != "save":
        return _shown(visit, text, mark, is_checked=True)
    try:
        _, findings = schemas.check_text(text, "schema")
    except SchemaError:
        return _shown(visit, text, mark, is_checked=True)
    if visit.read_only or any(one.level == "error" for one in findings):
        return _shown(visit, text, mark, is_checked=True)
    _save(visit.assistant, text, mark)
    return to("/schema")


def problems(visit: Visit) -> Response:
    """Return problems by line and changes in words, for the page's script while somebody types."""
    text = visit.form.raw("yaml")
    edited, found, broken = _checked(text)
    current = schema_in_force(visit.assistant) if edited else None
    changes = schemas.compare(current, edited).changes if current and edited else ()
    return JSONResponse(
        {
            "broken": broken,
            "problems": [one.model_dump(include={"level", "line", "reason"}) for one in found],
            "changes": [{"place": one.place, "said": one.said, "means": one.means} for one in changes],
        }
    )


def accept(visit: Visit) -> Response:
    """Accept the runs' proposals: their days go to every destination at the next run."""
    accept_schema(visit.assistant)
    return to("/schema")


def proposals(visit: Visit) -> Response:
    """Show the additions of a proposal to the schema's file, to be accepted one by one."""
    return _additions(visit, _file(visit.assistant)[0], visit.request.query_params.get("file", ""), "")


def take_over(visit: Visit) -> Response:
    """Show the additions of a proposal; or add one of them to the edited text, which is saved later."""
    text, mark = _file(visit.assistant)
    text, mark = visit.form.raw("yaml") or text, visit.form.get("mark") or mark
    file, pasted = visit.form.get("file"), visit.form.raw("proposal")
    if not visit.form.get("take"):
        return _additions(visit, text, file, pasted, mark)
    proposal = _proposal(visit.assistant, file, pasted)
    made = with_addition(text, schema_path(visit.assistant).name, visit.form.get("take"), proposal)
    return _shown(visit, made, mark, is_checked=True, proposal=proposal)


def _additions(visit: Visit, text: str, file: str, pasted: str, mark: str = "") -> Response:
    found: list[object] = []
    proposal = _proposal(visit.assistant, file, pasted) if file or pasted.strip() else ""
    if proposal and text:
        found = list(additions(schemas.parse(text, schema_path(visit.assistant).name)[0], proposal))
    return visit.shown(
        "additions",
        "Additions to the schema",
        text=text,
        mark=mark or _file(visit.assistant)[1],
        files=[path.name for path in _proposed_files(visit.assistant)],
        proposal=proposal,
        found=found,
    )


def _proposed_files(assistant: Assistant) -> list[Path]:
    """The proposals that `cpa schema propose` wrote beside the schema."""
    path = schema_path(assistant)
    return sorted(path.parent.glob("*.proposed.yml"))


def _proposal(assistant: Assistant, file: str, pasted: str) -> str:
    """The text of a proposal: pasted, or of one of the files beside the schema. Raises NotFound."""
    if pasted.strip():
        return pasted
    found = next((path for path in _proposed_files(assistant) if path.name == file), None)
    if found is None:
        raise NotFound("there is no such proposal beside the schema")
    return text_of(found)


def _checked(text: str) -> tuple[EventSchema | None, Sequence[Finding], str]:
    """Return the schema in a text (null if refused), its problems by line, and the reason if it cannot be read."""
    try:
        edited, found = schemas.check_text(text, "schema")
    except SchemaError as wrong:
        if wrong.problems:
            return None, schemas.findings_of(wrong, "schema"), ""
        return None, (), str(wrong)
    return edited, found, ""


def _shown(visit: Visit, text: str, mark: str, *, is_checked: bool = False, proposal: str = "") -> Response:
    found: Sequence[Finding] = ()
    changes: list[object] = []
    price = broken = ""
    edited: EventSchema | None = None
    if is_checked:
        edited, found, broken = _checked(text)
        changes, price = _compared(visit.assistant, edited) if edited else ([], "")
    current = schema_in_force(visit.assistant)
    stands = visit.assistant.store.exists()
    return visit.shown(
        "schema",
        "Event schema",
        types=_types(visit, current) if current and stands else [],
        waiting=waiting_versions(visit.assistant) if stands else [],
        waiting_days=waiting_days(visit.assistant) if stands else [],
        text=text,
        mark=mark,
        file=schema_path(visit.assistant).name,
        version=current.version if current else "",
        problems=found,
        changes=changes,
        price=price,
        broken=broken,
        is_checked=is_checked,
        can_save=edited is not None and not any(one.level == "error" for one in found) and not visit.read_only,
        proposal=proposal,
    )


def _types(visit: Visit, current: EventSchema) -> list[Row]:
    """Return each type with its counts, its trust, its confusions, and examples for and against."""
    figures = visit.desk.figures.newest(NEWER) or LabelFigures(visit.assistant.now())
    quotes: dict[tuple[str, str], list[Row]] = {}
    for row in visit.rows("workbench/quotes"):
        quotes.setdefault((row["role"], row["event_type"]), []).append(row)
    counts = {(row["role"], row["type"]): row for row in types_and_events(visit.assistant.store, current)}
    shown: list[Row] = []
    for kind in current.event_types:
        about: dict[str, Any] = counts[kind.role, kind.name] | {"kind": kind, "trust": figures.of(kind.key)}
        confusions = figures.confusions.get(kind.name, ())
        shown.append(about | {"confusions": confusions, "quotes": quotes.get((kind.role, kind.name), [])})
    return shown


def _compared(assistant: Assistant, edited: EventSchema) -> tuple[list[object], str]:
    """Return each change with its effect on this home, and the price of asking again."""
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
    cost = "at a price that is not known" if quoted.cost is None else f"about {quoted.cost:.2f} dollars"
    questions = sum(line.questions for line in quoted.lines)
    return list(zip(diff.changes, touched, strict=True)), f"{questions} questions, {cost}"


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
