"""The plan of a day: which conversations are open (new, changed, or of another schema, prompt or model), which stay."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

from cpa_core import schema as schemas
from cpa_core.models import EventSchema, digest, event_id
from cpa_core.prompts import Task
from cpa_core.schema import Diff, ReaskScope
from cpa_core.store.database import Row, Transaction


@dataclass(frozen=True)
class LabelOrigin:
    """The schema, prompt and model of a day's labels, written with every result.

    `form` is the model's endpoint and the form of its answers. `richer` are prompts whose labels hold more than these.
    """

    day: date
    schema: EventSchema
    prompt_id: str
    model: str
    form: str = ""
    richer: frozenset[str] = frozenset()

    @cached_property
    def way(self) -> str:
        """The way of asking: when anything of it changes, a question that was given up is asked again."""
        return digest([self.schema.version, self.prompt_id, self.model, self.form])

    @cached_property
    def _origin(self) -> Row:
        return {
            "day": self.day,
            "schema_version": self.schema.version,
            "prompt_id": self.prompt_id,
            "model": self.model,
        }

    def row(self, **fields: Any) -> Row:
        """A row with its origin."""
        return {**self._origin, **fields}


@dataclass(frozen=True)
class Plan:
    """A stage's plan for a day's conversations; `ids` are in order of their start.

    `kept` are not asked again. The rest is `pending` and asked about as a whole, except that `partly` limits some to
    certain messages, perhaps none. `carried` are the tags of their other messages, in the schema's words. Labels `done`
    by another schema, prompt or model stay until the new answers arrive. `waiting` had a counted failure recently: they
    are asked when their wait ends, and their stored labels stay.
    """

    ids: Sequence[str]
    kept: frozenset[str]
    done: frozenset[str]
    partly: Mapping[str, frozenset[int]]
    carried: Mapping[str, Sequence[Row]]
    most: int | None = None
    waiting: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def pending(self) -> list[str]:
        """Return the conversations to ask now, neither kept nor waiting, among the first `most` of the day if set."""
        return [one for one in self.ids[: self.most] if one not in self.kept and one not in self.waiting]


DONE_ALREADY = {"tag": "label/tagged_already", "judge": "label/judged_already"}
"""The SQL question that finds a task's labels of a day."""


def plan(view: Transaction, origin: LabelOrigin, task: Task, *, retag: bool = True) -> Plan:
    """Return the plan of a built day. Without `retag`, labels of any schema, prompt and model are kept."""
    found = view.answer(
        "label/conversations_in_order",
        day=origin.day,
    )
    rows = view.answer(DONE_ALREADY[task], day=origin.day, way=origin.way)
    done = frozenset(row["conversation_id"] for row in rows)
    kept = set() if retag else set(done)
    partly: dict[str, frozenset[int]] = {}
    carried: dict[str, list[Row]] = {}
    for version, ids in _by_version(rows, origin).items() if retag else ():
        diff = difference(view, version, origin.schema)
        if diff is None or (task == "judge" and diff.judges):
            continue
        touched = ids & _messages(view, origin.day, version, diff, diff.touched).keys() if task == "tag" else set()
        kept |= ids - touched
        asked = _messages(view, origin.day, version, diff, diff.scope) if touched else {}
        partly |= {one: asked.get(one, frozenset()) for one in touched}
        carried |= _carried(view, origin, version, diff, partly) if touched else {}
    ids_in_order = [row["conversation_id"] for row in found]
    return Plan(ids=ids_in_order, kept=frozenset(kept), done=done, partly=partly, carried=carried)


def _by_version(rows: Sequence[Row], origin: LabelOrigin) -> dict[str, set[str]]:
    """The conversations done by this prompt, or a richer one, and this model, by version of the schema."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["prompt_id"] in {origin.prompt_id, *origin.richer} and row["model"] == origin.model:
            found[row["schema_version"]].add(row["conversation_id"])
    return found


def difference(view: Transaction, version: str, newer: EventSchema) -> Diff | None:
    """From a recorded version to this schema, none when it was never recorded."""
    found = view.answer("schema/words_of_version", version=version)
    return schemas.compare(schemas.parse(found[0]["yaml"], found[0]["origin"])[0], newer) if found else None


def messages_in(
    view: Transaction, days: Sequence[date], version: str, scope: ReaskScope, *, refused: bool
) -> list[Row]:
    """Return day, conversation and position of the messages tagged by this version within a scope.

    With `refused`, include conversations that were refused or filtered: their answer may change.
    """
    if not scope:
        return []
    types = [{"role": role, "type": name} for role, name in sorted(scope.types)]
    choices = [dict(zip(("role", "type", "name", "choice"), value, strict=True)) for value in sorted(scope.values)]
    return view.answer(
        "label/messages_to_ask_again",
        days=list(days),
        version=version,
        whole=scope.whole,
        refused=refused,
        roles=sorted(scope.roles),
        types=json.dumps(types),
        choices=json.dumps(choices),
    )


def _messages(view: Transaction, day: date, version: str, diff: Diff, scope: ReaskScope) -> dict[str, frozenset[int]]:
    found: defaultdict[str, set[int]] = defaultdict(set)
    for row in messages_in(view, [day], version, scope, refused=bool(diff.scope)):
        found[row["conversation_id"]].add(row["position"])
    return {one: frozenset(positions) for one, positions in found.items()}


def _carried(
    view: Transaction, origin: LabelOrigin, version: str, diff: Diff, asked: Mapping[str, frozenset[int]]
) -> dict[str, list[Row]]:
    """Return the tags of these conversations that are carried over."""
    found: dict[str, list[Row]] = {one: [] for one in asked}
    for row in view.answer("label/tags_of_version", day=origin.day, version=version):
        if row["conversation_id"] in asked and row["position"] not in asked[row["conversation_id"]]:
            carried = _in_words_of(origin, diff, row)
            found[row["conversation_id"]] += [carried] if carried else []
    return found


def _in_words_of(origin: LabelOrigin, diff: Diff, row: Row) -> Row | None:
    """A stored tag as the schema has it; it names the version that made it until its own words change."""
    properties = json.loads(row["properties"])
    carried = diff.carry(row["role"], row["event_type"], properties)
    if carried is None:
        return None
    found = event_id(row["conversation_id"], row["message_id"], carried.key)
    if (carried.event_type, carried.properties, found) == (row["event_type"], properties, row["event_id"]):
        return row
    words = {"event_type": carried.event_type, "properties": json.dumps(carried.properties, ensure_ascii=False)}
    return row | words | {"event_id": found, "schema_version": origin.schema.version}
