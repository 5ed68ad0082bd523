"""The effect of a schema change on existing days: which are stale, and the cost to re-tag them."""

from collections import defaultdict
from datetime import date
from pathlib import Path

from cpa_core import schema as schemas
from cpa_core.errors import SchemaError
from cpa_core.models import EventSchema, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.label.plan import difference, messages_in
from cpa_core.pipeline.label.quote import Quote, quote
from cpa_core.pipeline.schema.current import read_schema, schema_path
from cpa_core.schema import Change, Diff
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction
from cpa_core.tagging import WINDOW


class Stale(Value):
    """A day with the numbers of its conversations whose tags, or judgments, are not by the schema in force."""

    day: date
    tagged: int
    judged: int
    versions: tuple[str, ...]


class Weight(Value):
    """The conversations that one change touches, among those that the older schema tagged or judged.

    `questions` counts the questions of this change alone.
    """

    change: Change
    messages: int
    questions: int


def stale_days(assistant: Assistant) -> list[Stale]:
    """Return the days labelled by another schema than the one in force, in order.

    They are not re-tagged automatically.
    """
    schema = schema_in_force(assistant)
    tagged: defaultdict[date, set[str]] = defaultdict(set)
    judged: defaultdict[date, set[str]] = defaultdict(set)
    versions: defaultdict[date, set[str]] = defaultdict(set)
    with assistant.store.reading() as view:
        for row in _made_otherwise(view, schema):
            of_task = tagged if row["task"] == "tag" else judged
            of_task[row["day"]].add(row["conversation_id"])
            versions[row["day"]].add(row["version"])
    return [
        Stale(day=day, tagged=len(tagged[day]), judged=len(judged[day]), versions=tuple(sorted(found)))
        for day, found in sorted(versions.items())
    ]


def schema_in_force(assistant: Assistant) -> EventSchema | None:
    """The schema of the file; where none is named or there, the version that was in force last, else none.

    Raises SchemaError, for a named file that is absent too.
    """
    if assistant.settings.schema_path or schema_path(assistant).exists():
        return read_schema(assistant)[0]
    with assistant.store.reading() as view:
        found = view.answer("schema/versions")
    return schemas.parse(found[-1]["yaml"], found[-1]["origin"])[0] if found else None


def _made_otherwise(view: Transaction, schema: EventSchema | None) -> list[Row]:
    """Return task, day, conversation and version of every label that a run with `retag` would change."""
    found: list[Row] = []
    for row in view.answer("schema/versions_in_use") if schema else ():
        diff = difference(view, row["version"], schema) if schema else None
        of_version = view.answer("schema/labels_by_version", version=row["version"])
        touched: set[tuple[date, str]] | None = None
        if diff is not None:
            days = sorted({one["day"] for one in of_version})
            messages = messages_in(view, days, row["version"], diff.touched, refused=bool(diff.scope))
            touched = {(one["day"], one["conversation_id"]) for one in messages}
        for one in of_version:
            is_judgment = one["task"] == "judge"
            is_touched = touched is None or (one["day"], one["conversation_id"]) in touched
            if diff is None or (diff.judges if is_judgment else is_touched):
                found.append(one | {"version": row["version"]})
    return found


def named_schema(assistant: Assistant, name: str) -> EventSchema:
    """A schema by its file, or by the version under which it was recorded. Raises SchemaError."""
    if Path(name).exists():
        return schemas.load(Path(name))[0]
    if assistant.store.exists():
        with assistant.store.reading() as view:
            found = view.answer("schema/versions_named", name=name)
        if len(found) == 1:
            return schemas.parse(found[0]["yaml"], found[0]["origin"])[0]
    raise SchemaError(f"{name}: no such file, and no version that {assistant.settings.home} knows")


def weights(assistant: Assistant, diff: Diff) -> list[Weight]:
    """Return the weight of each change in this home, in their order."""
    with assistant.store.reading() as view:
        days = [row["day"] for row in view.answer("schema/days_built")]
        made = view.answer("schema/labels_by_version", version=diff.older.version)
        return [_weight(view, days, diff, change, made) for change in diff.changes]


def quote_of_history(assistant: Assistant, schema: EventSchema) -> Quote:
    """Return the quote of running every built day again by this schema. Nothing is built.

    Raises SettingsError without a model.
    """
    with assistant.store.reading() as view:
        days = [row["day"] for row in view.answer("schema/days_built")]
    return quote(assistant, days, schema, builds=False)


def _weight(view: Transaction, days: list[date], diff: Diff, change: Change, made: list[Row]) -> Weight:
    version = diff.older.version
    messages = messages_in(view, days, version, change.scope | change.rewrites, refused=bool(change.scope))
    asked = messages_in(view, days, version, change.scope, refused=True)
    windows = {(row["day"], row["conversation_id"], row["position"] // WINDOW) for row in asked}
    judged = sum(row["task"] == "judge" for row in made) if change.judges else 0
    return Weight(change=change, messages=len(messages), questions=len(windows) + judged)


def types_and_events(store: Store, schema: EventSchema) -> list[Row]:
    """Each event type with how many events of it are stored, in how many conversations."""
    with store.reading() as view:
        rows = view.answer("schema/events_by_type")
    counts = {(row["role"], row["event_type"]): row for row in rows}
    none = {"events": 0, "conversations": 0}
    return [
        {"role": one.role, "type": one.name, "properties": ", ".join(p.name for p in one.properties)}
        | {name: counts.get((one.role, one.name), none)[name] for name in none}
        for one in schema.event_types
    ]
