"""Reading and writing `schema.yml`, in the seed tool's form, with errors that name line and key."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from cpa_core.errors import SchemaError
from cpa_core.models import JUDGED_EVENT, PAYLOAD_KEYS, Criteria, EventSchema, EventType, Property

GOALS = ("primary_goals", "secondary_goals", "tertiary_goals", "dealbreakers")
KNOWN_KEYS = {
    "schema": {"assistant", "llm_judge_criteria", "event_types", "events_per_message", "context", "intents"},
    "assistant": {"name", "description"},
    "llm_judge_criteria": set(GOALS),
    "event type": {"name", "definition", "role", "properties", "was", "examples", "not", "plain"},
    "property": {"definition", "choices", "type", "was", "required"},
}
SAID = {"true": True, "yes": True, "false": False, "no": False}
"""How a switch is written."""


def load(path: Path) -> tuple[EventSchema, list[str]]:
    """Return the schema in a file, and warnings. Raises SchemaError."""
    return parse(text_of(path), str(path))


def text_of(path: Path) -> str:
    """Return the text of a file. Raises SchemaError if it cannot be read."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise SchemaError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path}: cannot be read: {type(error).__name__}") from None


def parse(text: str, name: str) -> tuple[EventSchema, list[str]]:
    """The schema in a text, and warnings. Every scalar stays as it is written: `Yes` and `1040` are words."""
    schema, warnings, _ = located(text, name)
    return schema, warnings


def located(text: str, name: str) -> tuple[EventSchema, list[str], dict[str, int]]:
    """The same, and the line of each key, as in `event_types.0.name`."""
    try:
        root = _composed(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "line 1"
        raise SchemaError(f"{name}: {where}: not YAML: {getattr(error, 'problem', None) or 'unreadable'}") from None
    if root is None:
        raise SchemaError(f"{name}: line 1: empty")
    reader = _Reader(name)
    schema, warnings = reader.schema(root)
    if reader.errors:
        raise _refused(name, reader)
    return schema, warnings, reader.lines_of


def _composed(text: str) -> yaml.Node | None:
    """Return the nodes of a text.

    libyaml takes a tenth of the time; a text that it refuses is read again for PyYAML's message.
    """
    with suppress(yaml.YAMLError):
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _refused(name: str, reader: "_Reader") -> SchemaError:
    """Return the error with the first problem as its text, and all problems as values."""
    more = len(reader.errors) - 1
    said = SchemaError(reader.errors[0] + (f"; and {more} more: cpa schema check {name}" if more else ""))
    said.problems, said.advice = tuple(reader.errors), tuple(reader.warnings)
    return said


Fields = dict[str, yaml.Node]


class _Reader:
    """Walks the nodes of one file, so that every problem has its line.

    It continues after an error, to find all of them.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self.lines_of: dict[str, int] = {}

    def schema(self, root: yaml.Node) -> tuple[EventSchema, list[str]]:
        top = self.mapping(root, "schema", "schema")
        if top is None:
            raise SchemaError(self.errors[0])
        assistant = self.needed(top, "assistant", root)
        about = self.mapping(assistant, "assistant", "assistant") if assistant else None
        goals = top.get("llm_judge_criteria")
        criteria = (self.mapping(goals, "llm_judge_criteria", "llm_judge_criteria") if goals else None) or {}
        listed = self.needed(top, "event_types", root)
        types = self.event_types(listed) if listed else ()
        many = self.scalar(top["events_per_message"]) if "events_per_message" in top else "many"
        if many not in ("many", "one"):
            self.error(top["events_per_message"], "events_per_message", "must be many or one")
        found = EventSchema(
            name=self.text(about, "name", assistant, "assistant"),
            description=self.text(about, "description", assistant, "assistant"),
            criteria=Criteria(**{goal: self.lines(criteria.get(goal), f"llm_judge_criteria.{goal}") for goal in GOALS}),
            event_types=types,
            events_per_message="one" if many == "one" else "many",
            context=self.lines(top.get("context"), "context"),
            intents=self.switch(top.get("intents"), "intents"),
        )
        return found, self.warnings

    def event_types(self, node: yaml.Node) -> tuple[EventType, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.error(node, "event_types", "a list of event types is needed")
            return ()
        types: list[EventType] = []
        for n, item in enumerate(node.value):
            found = self.event_type(item, f"event_types.{n}")
            if found.name and any((t.name, t.role) == (found.name, found.role) for t in types):
                self.error(item, f"event_types.{n}.name", f"{found.name!r} occurs twice in role {found.role}")
            elif found.name and any(t.key == found.key for t in types):
                self.error(item, f"event_types.{n}.was", "another type of this role has the same first name")
            types.append(found)
        return tuple(types)

    def event_type(self, node: yaml.Node, key: str) -> EventType:
        fields = self.mapping(node, key, "event type")
        if fields is None:
            return EventType(name="", definition="", role="user")
        role = self.text(fields, "role", node, key).lower()
        if role and role not in ("user", "assistant"):
            self.error(fields["role"], f"{key}.role", f"{role!r} is neither user nor assistant")
        name = self.text(fields, "name", node, key)
        if name == JUDGED_EVENT:
            self.error(fields["name"], f"{key}.name", f"{JUDGED_EVENT!r} is the event of a judgment")
        return EventType(
            name=name,
            definition=self.text(fields, "definition", node, key),
            role="user" if role == "user" else "assistant",
            properties=self.properties(fields.get("properties"), f"{key}.properties"),
            was=self.lines(fields.get("was"), f"{key}.was"),
            examples=self.lines(fields.get("examples"), f"{key}.examples"),
            counterexamples=self.lines(fields.get("not"), f"{key}.not"),
            plain=self.switch(fields.get("plain"), f"{key}.plain"),
        )

    def properties(self, node: yaml.Node | None, key: str) -> tuple[Property, ...]:
        if node is None or _blank(node):
            return ()
        found: list[Property] = []
        for name, body in (self.mapping(node, key, None) or {}).items():
            place = f"{key}.{name}"
            if name in PAYLOAD_KEYS:
                self.error(body, place, "this name is a key of every event's payload; choose another")
            fields = self.mapping(body, place, "property")
            if fields is None:
                continue
            choices = self.choices(fields.get("choices"), f"{place}.choices")
            definition = self.text(fields, "definition", body, place)
            was = self.lines(fields.get("was"), f"{place}.was")
            required = self.switch(fields.get("required"), f"{place}.required")
            found.append(Property(name=name, definition=definition, choices=choices, was=was, required=required))
        return tuple(found)

    def choices(self, node: yaml.Node | None, key: str) -> tuple[str, ...]:
        lines = self.lines(node, key)
        if node is not None and not lines:
            self.warn(node, key, "no choices: short free text, as without the key")
        repeated = [choice for choice, count in Counter(lines).items() if count > 1]
        if repeated and node is not None:
            self.warn(node, key, f"{', '.join(map(repr, repeated))} listed more than once")
        return tuple(dict.fromkeys(lines))

    def switch(self, node: yaml.Node | None, key: str) -> bool:
        if node is None or _blank(node):
            return False
        said = self.filled(node, key).lower()
        if said not in SAID:
            self.error(node, key, f"{said!r} is neither true nor false")
        return SAID.get(said, False)

    def mapping(self, node: yaml.Node, key: str, kind: str | None) -> Fields | None:
        if not isinstance(node, yaml.MappingNode):
            self.error(node, key, "a mapping of keys to values is needed")
            return None
        found: Fields = {}
        for name_node, value in node.value:
            name = self.scalar(name_node)
            if name in found:
                self.error(name_node, f"{key}.{name}", "this key occurs twice")
            if kind is not None and name not in KNOWN_KEYS[kind]:
                near = get_close_matches(name, KNOWN_KEYS[kind], 1)
                meant = f"; did you mean {near[0]}?" if near else ""
                self.warn(name_node, f"{key}.{name}", f"unknown key, kept but not used{meant}")
            found[name] = value
            self.lines_of[name if key == "schema" else f"{key}.{name}"] = name_node.start_mark.line + 1
        return found

    def lines(self, node: yaml.Node | None, key: str) -> tuple[str, ...]:
        if node is None or _blank(node):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.error(node, key, "a list is needed")
            return ()
        return tuple(self.filled(item, f"{key}.{n}") for n, item in enumerate(node.value))

    def text(self, fields: Fields | None, key: str, parent: yaml.Node | None, above: str = "") -> str:
        """A text that must be there; empty after an error."""
        if fields is None or parent is None:
            return ""
        node = self.needed(fields, key, parent, above)
        return self.filled(node, f"{above}.{key}" if above else key) if node else ""

    def filled(self, node: yaml.Node, key: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self.error(node, key, "text is needed")
            return ""
        if not self.scalar(node):
            self.error(node, key, "empty")
        return self.scalar(node)

    def needed(self, fields: Fields, key: str, parent: yaml.Node, above: str = "") -> yaml.Node | None:
        if key not in fields:
            self.error(parent, f"{above}.{key}" if above else key, "missing")
        return fields.get(key)

    def scalar(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self.error(node, "key", "text is needed")
            return ""
        return str(node.value).strip()

    def error(self, node: yaml.Node, key: str, reason: str) -> None:
        self.errors.append(f"{self.name}: line {node.start_mark.line + 1}: {key}: {reason}")

    def warn(self, node: yaml.Node, key: str, reason: str) -> None:
        self.warnings.append(f"{self.name}: line {node.start_mark.line + 1}: {key}: {reason}")


def _blank(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value.strip() in ("", "null", "~")


def dump(schema: EventSchema) -> str:
    """The schema as `schema.yml`, in the seed tool's form: reading it back gives the same version."""
    tree: dict[str, Any] = {"assistant": {"name": schema.name, "description": schema.description}}
    tree["llm_judge_criteria"] = {goal: list(getattr(schema.criteria, goal)) for goal in GOALS}
    if schema.events_per_message == "one":
        tree["events_per_message"] = "one"
    if schema.context:
        tree["context"] = list(schema.context)
    if schema.intents:
        tree["intents"] = True
    tree["event_types"] = [dict(_fields(event_type)) for event_type in schema.event_types]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)


def _fields(event_type: EventType) -> Iterator[tuple[str, Any]]:
    yield "name", event_type.name
    yield "definition", event_type.definition
    yield "role", event_type.role
    if event_type.was:
        yield "was", list(event_type.was)
    if event_type.examples:
        yield "examples", list(event_type.examples)
    if event_type.counterexamples:
        yield "not", list(event_type.counterexamples)
    if event_type.plain:
        yield "plain", True
    if event_type.properties:
        yield "properties", {p.name: _property(p) for p in event_type.properties}


def _property(found: Property) -> dict[str, Any]:
    more = {"choices": list(found.choices), "was": list(found.was), "required": found.required}
    return {"definition": found.definition, **{key: value for key, value in more.items() if value}}
