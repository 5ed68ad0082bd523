"""Checks of a schema that can be read: errors that lose events, and warnings about definitions that blur them.

Sources: PostHog drops an event whose name has more than 200 bytes (rust/capture/src/v1/analytics) and keeps names with
`$` for itself; Amplitude keeps `[Amplitude]`, `$identify` and `$groupidentify`, and cuts text at 1,024 characters.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Literal

from cpa_core.errors import SchemaError
from cpa_core.models import NOT_APPLICABLE, TAGGED_ROLES, EventSchema, EventType, Property, Value
from cpa_core.schema.document import located, text_of
from cpa_core.schema.likeness import CONFUSABLE, THE_SAME, likeness, same_words

MOST_NAME_BYTES = 200
MOST_TEXT = 1_024
MOST_TYPES = 25
"""Event types of one role beyond which a catalogue is longer than most conversations, and types begin to overlap."""
MOST_CHOICES = 25
NOTHING = frozenset({"none", "na", "unknown", "notapplicable", "notspecified", "unspecified"})
MOST_EXAMPLES = 5
MOST_EXAMPLE = 200
"""Examples of a type, and characters of one, beyond which a catalogue is read with less care."""
MAIN = re.compile(
    r"\b(?:main|primary|chief|principal|dominant|most important)\W+"
    r"(?:thing|act|action|activity|aim|goal|purpose|point|function|focus|intent|intention|move|topic|content)s?\b|"
    r"\b(?:mainly|primarily|chiefly|predominantly|first and foremost|above all|for the most part)\b",
    re.IGNORECASE,
)
"""Words by which a definition refers to the message as a whole, so that a message has one such type."""
ELSE = frozenset({"other", "noneofthese", "none", "noevent", "somethingelse", "nothing"})


class Finding(Value):
    """One thing about a schema, with the line of its file (0 where it has none) and the key."""

    level: Literal["error", "warning"]
    line: int
    key: str
    reason: str


def check(path: Path) -> tuple[EventSchema, list[Finding]]:
    """Return the schema in a file, and its problems by line. Raises SchemaError where it cannot be read at all."""
    return check_text(text_of(path), str(path))


def check_text(text: str, name: str) -> tuple[EventSchema, list[Finding]]:
    """The same of a text."""
    schema, warnings, lines = located(text, name)
    found = [_of_reading(warning, name) for warning in warnings]
    for level, key, reason in findings(schema):
        line = next((lines[part] for part in _ancestors(key) if part in lines), 0)
        found.append(Finding(level=level, line=line, key=key, reason=reason))
    return schema, sorted(found, key=lambda one: (one.line, one.level, one.reason))


def findings_of(refused: SchemaError, name: str) -> list[Finding]:
    """All problems of a schema that was refused, and the warnings beside, by line."""
    found = [_of_reading(one, name, "error") for one in refused.problems]
    found += [_of_reading(one, name) for one in refused.advice]
    return sorted(found, key=lambda one: (one.line, one.level, one.reason))


def _of_reading(said: str, name: str, level: Literal["error", "warning"] = "warning") -> Finding:
    line, key, reason = said.removeprefix(f"{name}: line ").split(": ", 2)
    return Finding(level=level, line=int(line), key=key, reason=reason)


def _ancestors(key: str) -> Iterator[str]:
    """Yield the key and its parents: a parent has a line if the key has none."""
    while key:
        yield key
        yield f"{key}.name"
        key = key.rpartition(".")[0]


Found = tuple[Literal["error", "warning"], str, str]


def findings(schema: EventSchema) -> Iterator[Found]:
    """Yield level, key and reason of each problem of a schema."""
    yield from _roles(schema)
    for n, event_type in enumerate(schema.event_types):
        yield from _name(f"event_types.{n}.name", event_type.name)
        yield from _examples(f"event_types.{n}", event_type)
        if schema.events_per_message == "many" and (said := MAIN.search(event_type.definition)):
            reason = f"{said[0]!r} is of the whole message, but a message may have any number of types"
            yield "warning", f"event_types.{n}.definition", f"{reason}: set events_per_message: one?"
        for found in event_type.properties:
            yield from _property(f"event_types.{n}.properties.{found.name}", found)
    yield from _pairs(schema)
    if not schema.criteria.primary_goals:
        yield "warning", "llm_judge_criteria", "no primary goals: the score has nothing that it must rest on"


def _roles(schema: EventSchema) -> Iterator[Found]:
    for role in TAGGED_ROLES:
        count = len(schema.of_role(role))
        if count == 0:
            yield "warning", "event_types", f"no event type of role {role}: its messages are asked about for nothing"
        if count > MOST_TYPES:
            yield "warning", "event_types", f"{count} event types of role {role}: models handle up to {MOST_TYPES} well"
        if schema.events_per_message == "one" and count and not any(_plain(t.name) in ELSE for t in schema.event_types):
            yield "warning", "events_per_message", f"role {role} has no type for messages that are none of the others"


def _name(key: str, name: str) -> Iterator[Found]:
    if len(name.encode("utf-8", "replace")) > MOST_NAME_BYTES:
        yield "error", key, f"longer than {MOST_NAME_BYTES} bytes: PostHog drops such events"
    if re.search(r"[\x00-\x1f\x7f]", name):
        yield "error", key, "a line break or another control character in a name"
    if name.startswith("$"):
        yield "error", key, "names with $ belong to PostHog and Amplitude"
    if name.casefold().startswith("[amplitude]"):
        yield "error", key, "names with [Amplitude] belong to Amplitude"


def _examples(key: str, event_type: EventType) -> Iterator[Found]:
    for name, quotes in (("examples", event_type.examples), ("not", event_type.counterexamples)):
        if len(quotes) > MOST_EXAMPLES:
            yield "warning", f"{key}.{name}", f"{len(quotes)} quotes: two or three say what a definition leaves open"
        if any(len(quote) > MOST_EXAMPLE for quote in quotes):
            yield (
                "warning",
                f"{key}.{name}",
                f"a quote longer than {MOST_EXAMPLE} characters: give the words that decide",
            )
    for quote in set(map(_plain, event_type.examples)) & set(map(_plain, event_type.counterexamples)):
        yield "error", f"{key}.not", f"{quote!r} is an example as well: whether it is the type cannot be told"


def _property(key: str, found: Property) -> Iterator[Found]:
    yield from _name(key, found.name)
    choices = f"{key}.choices"
    if len(found.choices) == 1:
        yield "warning", choices, "a single choice tells nothing"
    if len(found.choices) > MOST_CHOICES:
        yield "warning", choices, f"{len(found.choices)} choices: models, and charts, handle up to {MOST_CHOICES} well"
    folded = Counter(_plain(choice) for choice in found.choices)
    for choice in found.choices:
        if len(choice) > MOST_TEXT:
            yield "error", choices, f"a choice longer than {MOST_TEXT:,} characters: Amplitude cuts it"
        if _plain(choice) in NOTHING:
            yield "warning", choices, f"{choice!r} competes with {NOT_APPLICABLE!r}, which every property may be"
    for same in sorted(word for word, count in folded.items() if word and count > 1):
        alike = ", ".join(repr(choice) for choice in found.choices if _plain(choice) == same)
        yield "warning", choices, f"{alike} look the same"


def _pairs(schema: EventSchema) -> Iterator[Found]:
    for (_, a), (n, b) in combinations(enumerate(schema.event_types), 2):
        key = f"event_types.{n}"
        if a.role == b.role:
            yield from _confused(key, a, b)
        elif a.name == b.name:
            reason = f"{a.name!r} is of both roles: one event name at a destination, told apart by the key role"
            yield "warning", f"{key}.name", reason


def _confused(key: str, a: EventType, b: EventType) -> Iterator[Found]:
    """Yield the reasons why two types of one role are easily confused."""
    share = likeness(a.definition, b.definition)
    if _plain(a.name) == _plain(b.name):
        yield "error", f"{key}.name", f"{b.name!r} and {a.name!r} are one name to a reader"
    elif same_words(a.name, b.name):
        yield "warning", f"{key}.name", f"the same words as {a.name!r}"
    if _plain(a.definition) == _plain(b.definition):
        yield "error", f"{key}.definition", f"that of {a.name!r} again: which of the two happens cannot be told"
    elif share >= CONFUSABLE:
        reason = f"shares {share:.0%} of its words with that of {a.name!r}: say what tells them apart"
        yield "warning", f"{key}.definition", reason


def are_near(a: EventType, b: EventType) -> bool:
    """Return whether two types of one role describe the same type."""
    same_name = _plain(a.name) == _plain(b.name) or same_words(a.name, b.name)
    return same_name or likeness(a.definition, b.definition) >= THE_SAME


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
