"""Reading an answer: the entry of each message asked about, and its problems."""

from collections.abc import Sequence
from typing import Any

from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import answer_object, listed, locate
from cpa_core.llm.reading import brought, matched_name
from cpa_core.models import NOT_APPLICABLE, Conversation, EventSchema, EventType, Message, Property, Tag, Value
from cpa_core.tagging.lines import UNCLEAR, entries_of
from cpa_core.tagging.question import json_schema


class Entry(Value):
    """One message's entry in an answer: its tags, and its problems.

    A `hard` problem makes the entry unusable; a `soft` one is worth one repeated question, after which the entry is
    used as it is. `wrong` are its disallowed labels, unchanged. `folded` counts names of types and choices in another
    spelling.
    """

    tags: tuple[Tag, ...] = ()
    hard: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    folded: int = 0


def read(text: str, conversation: Conversation, positions: Sequence[int], schema: EventSchema) -> dict[int, Entry]:
    """The entries of an answer, one for every message asked about. Raises ReplyInvalid when it has no list."""
    messages = {m.position: m for m in conversation.messages}
    tree = answer_object(text)
    if not all(isinstance(entry, str) for entry in listed(tree, "messages")):
        tree = brought(tree, json_schema(schema))[0]
    given = entries_of(listed(tree, "messages"), messages, schema)
    return {p: _entry(given.get(p), messages[p], schema) for p in positions}


def _entry(given: Any, message: Message, schema: EventSchema) -> Entry:
    if given is None:
        return Entry(hard=("missing",))
    if not isinstance(given.get("events"), list):
        return Entry(hard=("events: not a list",))
    tags: dict[str, Tag] = {}
    hard: list[str] = []
    soft: list[str] = []
    wrong: list[str] = []
    for n, event in enumerate(given["events"]):
        try:
            tag, notes = _tag(event, message, schema)
            tags.setdefault(tag.event_type, tag)
            soft += [f"events.{n}.{note}" for note in notes]
        except ReplyInvalid as invalid:
            hard.append(f"events.{n}.{invalid}")
            wrong += [invalid.value] if invalid.value else []
    wanted = schema.events_per_message == "one" and schema.of_role(message.role)
    if wanted and len(tags) != 1 and not hard:
        hard.append("events: exactly one is needed")
    folded = sum(_folds(event, tags) for event in given["events"])
    ordered = [tag.model_copy(update={"nth": n}) for n, tag in enumerate(tags.values(), 1)]
    kept = () if hard else tuple(ordered)
    return Entry(tags=kept, hard=tuple(hard), soft=tuple(soft), wrong=tuple(wrong), folded=folded)


def _folds(event: Any, tags: dict[str, Tag]) -> int:
    """Return the number of an event's names, of type and choices, that matched in another spelling."""
    written = str(event.get("type")).strip() if isinstance(event, dict) else ""
    tag = tags.get(matched_name(written, tags) or "")
    if tag is None:
        return 0
    values = [pair for pair in event.get("properties") or () if isinstance(pair, dict)]
    named = {str(pair.get("name")).strip(): str(pair.get("value")).strip() for pair in values}
    return (written != tag.event_type) + sum(named.get(name, value) != value for name, value in tag.properties.items())


def _tag(event: Any, message: Message, schema: EventSchema) -> tuple[Tag, list[str]]:
    if isinstance(event, dict) and event.get(UNCLEAR) is True:
        raise ReplyInvalid("the line can be read in two ways")
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise ReplyInvalid("type: missing")
    name = matched_name(event["type"].strip(), schema.of_role(message.role))
    event_type = schema.find(name, message.role) if name else None
    if event_type is None:
        raise ReplyInvalid(f"type: not one of the event types of role {message.role}", event["type"].strip())
    quote, because = (_said(event.get(key), event_type) for key in ("quote", "because"))
    properties, notes = _properties(event.get("properties"), event_type)
    place = locate(quote, message.content)
    if place is None and message.content.strip() and not (event_type.plain and not quote.strip()):
        notes.append("quote: does not occur in the message")
    tag = Tag(
        position=message.position,
        role=message.role,
        event_type=event_type.name,
        properties=properties,
        quote=message.content[place[0] : place[1]] if place else None,
        quote_start=place[0] if place else None,
        quote_end=place[1] if place else None,
        because=because,
    )
    return tag, notes


def _said(given: Any, event_type: EventType) -> str:
    """A quote or a reason. A plain type needs neither."""
    if given is None and event_type.plain:
        return ""
    if not isinstance(given, str):
        raise ReplyInvalid("quote and because: text is needed")
    return given


def _properties(given: Any, event_type: EventType) -> tuple[dict[str, str], list[str]]:
    if given is None and not event_type.properties:
        return {}, []
    if not isinstance(given, list):
        raise ReplyInvalid("properties: not a list")
    values: dict[str, str] = {}
    for n, pair in enumerate(given):
        if (
            not isinstance(pair, dict)
            or not isinstance(pair.get("name"), str)
            or not isinstance(pair.get("value"), str)
        ):
            raise ReplyInvalid(f"properties.{n}: name and value are needed, both text")
        values[pair["name"].strip()] = pair["value"].strip()
    found: dict[str, str] = {}
    notes = [f"properties.{n}: not a property of this event type" for n in _foreign(values, event_type)]
    for wanted in event_type.properties:
        if wanted.name not in values:
            notes.append(f"properties.{wanted.name}: missing")
            continue
        found[wanted.name] = _choice(values[wanted.name], wanted)
        if wanted.required and found[wanted.name].casefold() in ("", NOT_APPLICABLE):
            notes.append(f"properties.{wanted.name}: a value is needed")
    return found, notes


def _foreign(values: dict[str, str], event_type: EventType) -> list[int]:
    own = {p.name for p in event_type.properties}
    return [n for n, name in enumerate(values) if name not in own]


def _choice(value: str, wanted: Property) -> str:
    if not wanted.choices:
        return value
    found = matched_name(value, (*wanted.choices, NOT_APPLICABLE))
    if found is None:
        raise ReplyInvalid(f"properties.{wanted.name}: not one of the choices", value)
    return found
