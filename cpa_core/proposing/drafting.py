"""A draft of the event schema from one batch of conversations, beside the types that are known by then."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from cpa_core import schema as schemas
from cpa_core.errors import ReplyInvalid, SchemaError
from cpa_core.evidence import answer_object, closed, listed
from cpa_core.llm import Ask, ModelName, Reply, Request
from cpa_core.models import PAYLOAD_KEYS, Conversation, Criteria, EventSchema, EventType, Property
from cpa_core.prompts import render, transcript

REPAIRS = 2
"""Times that an invalid answer is asked for again."""
GOALS = schemas.GOALS


def draft(
    conversations: Sequence[Conversation], known: Sequence[EventType], model: ModelName, ask: Ask
) -> tuple[EventSchema | None, Reply]:
    """What these conversations add to the types that are known: a valid schema, without types where there is nothing.

    None where no answer is valid, with the reply that ended it. Raises what `ask` raises.
    """

    def check(text: str) -> None:
        read(text, known)

    problem = ""
    for _ in range(1 + REPAIRS):
        reply = ask(question(conversations, model, known, problem), check)
        if reply.outcome == "ok":
            return read(reply.text, known), reply
        if reply.outcome != "invalid":
            break
        problem = reply.detail
    return None, reply


def question(
    conversations: Sequence[Conversation], model: ModelName, known: Sequence[EventType] = (), problem: str = ""
) -> Request:
    """The question that shows a batch; `problem` says what was wrong with the last answer."""
    fenced = [f"<conversation>\n{transcript(c.messages)}\n</conversation>" for c in conversations]
    types = "\n".join(type_line(n, one) for n, one in enumerate(known, 1))
    system, user = render(
        "propose",
        {"reserved": ", ".join(PAYLOAD_KEYS)},
        {
            "known": f"<known>\n{types}\n</known>\n" if known else "",
            "conversations": "\n".join(fenced),
            "correction": f"\nYour last answer could not be used: {problem}" if problem else "",
        },
    )
    return Request(
        task="propose",
        provider=model.provider,
        model=model.model,
        system=system,
        user=user,
        json_schema=json_schema(),
        max_tokens=8_000,
    )


def type_line(number: int, event_type: EventType) -> str:
    """An event type as a model reads it among others, on one line. `<` is escaped, so that it ends no fence."""
    properties = [{"name": p.name, "definition": p.definition, "choices": p.choices} for p in event_type.properties]
    fields = {"role": event_type.role, "name": event_type.name, "definition": event_type.definition}
    written = json.dumps({"n": number, **fields, "properties": properties}, ensure_ascii=False)
    return written.replace("<", "\\u003c")


def json_schema() -> dict[str, Any]:
    """The shape of a draft, reasons before names."""
    return closed({**ABOUT, "event_types": {"type": "array", "items": closed({"because": TEXT, **TYPE})}})


TEXT = {"type": "string"}
LINES = {"type": "array", "items": TEXT}
ABOUT: dict[str, Any] = {"name": TEXT, "description": TEXT, **dict.fromkeys(GOALS, LINES)}
"""What an answer says of the assistant."""
TYPE: dict[str, Any] = {
    "name": TEXT,
    "definition": TEXT,
    "role": {"type": "string", "enum": ["user", "assistant"]},
    "properties": {"type": "array", "items": closed({"name": TEXT, "definition": TEXT, "choices": LINES})},
}
"""What an answer says of an event type."""


def read(text: str, known: Sequence[EventType] = ()) -> EventSchema:
    """The schema in an answer, valid by the rules of `schema.yml`. Raises ReplyInvalid with place and rule.

    Only where types are known already it may have none.
    """
    tree = answer_object(text)
    return valid(tree, listed(tree, "event_types"), may_be_empty=bool(known))


def valid(tree: dict[str, Any], types: Sequence[Any], *, may_be_empty: bool = False) -> EventSchema:
    """The schema of an answer's words and types. Raises ReplyInvalid."""
    try:
        found = EventSchema(
            name=tree.get("name") or "",
            description=tree.get("description") or "",
            criteria=Criteria(**{goal: tuple(listed(tree, goal)) for goal in GOALS}),
            event_types=tuple(_event_type(item) for item in types),
        )
        if may_be_empty and not found.event_types:
            return found
        return schemas.parse(schemas.dump(found), "proposal")[0]
    except ValidationError as error:
        first = error.errors()[0]
        raise ReplyInvalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except SchemaError as error:
        raise ReplyInvalid(str(error)) from None


def _event_type(item: Any) -> EventType:
    if not isinstance(item, dict):
        raise ReplyInvalid("event_types: objects are needed")
    properties = tuple(_property(found) for found in listed(item, "properties"))
    fields = {key: item.get(key) for key in ("name", "definition", "role")}
    return EventType(**fields, properties=properties)


def _property(item: Any) -> Property:
    if not isinstance(item, dict):
        raise ReplyInvalid("properties: objects are needed")
    name, definition = item.get("name"), item.get("definition")
    return Property(name=name, definition=definition, choices=tuple(listed(item, "choices")))
