"""Proposing an event schema from a sample of conversations, for people to edit."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from cpa_core import schema as schemas
from cpa_core.errors import ReplyInvalid, SchemaError
from cpa_core.evidence import answer_object, closed, listed
from cpa_core.llm import Ask, ModelName, Reply, Request
from cpa_core.models import PAYLOAD_KEYS, Conversation, Criteria, EventSchema, EventType, Message, Property, digest
from cpa_core.prompts import render, transcript

REPAIRS = 2
"""Times that an invalid proposal is asked for again."""
SAMPLE_CONVERSATIONS = 60
SAMPLE_CHARACTERS = 120_000
"""About 30,000 tokens: enough to see the breadth, and below every vendor's step in price."""
LINE_CHARACTERS = 40
"""What a message's number and role add to its words."""
GOALS = schemas.GOALS


def sample(conversations: Sequence[Conversation], seed: int) -> list[Conversation]:
    """A seeded choice from all conversations, the same whatever their order, within the size of one question."""
    shuffled = sorted(conversations, key=lambda c: digest([seed, c.conversation_id]))[:SAMPLE_CONVERSATIONS]
    chosen: list[Conversation] = []
    room = SAMPLE_CHARACTERS
    for conversation in shuffled:
        size = sum(len(m.content) + LINE_CHARACTERS for m in conversation.messages)
        if size <= room:
            chosen.append(conversation)
            room -= size
    return chosen or [_beginning(conversation) for conversation in shuffled[:1]]


def _beginning(conversation: Conversation) -> Conversation:
    """As much of a conversation as one question holds."""
    room = SAMPLE_CHARACTERS
    messages: list[Message] = []
    for message in conversation.messages:
        if room <= LINE_CHARACTERS:
            break
        cut = message.content[: room - LINE_CHARACTERS]
        messages.append(message.model_copy(update={"content": cut}))
        room -= len(cut) + LINE_CHARACTERS
    return conversation.model_copy(update={"messages": tuple(messages)})


def propose(conversations: Sequence[Conversation], model: ModelName, ask: Ask) -> tuple[EventSchema | None, Reply]:
    """A valid schema from a sample, or none and the reply that ended it. Raises what `ask` raises."""
    problem = ""
    for _ in range(1 + REPAIRS):
        reply = ask(question(conversations, model, problem), _check)
        if reply.outcome == "ok":
            return read(reply.text), reply
        if reply.outcome != "invalid":
            break
        problem = reply.detail
    return None, reply


def _check(text: str) -> None:
    read(text)


def question(conversations: Sequence[Conversation], model: ModelName, problem: str = "") -> Request:
    """The question that shows the sample; `problem` says what was wrong with the last answer."""
    fenced = [f"<conversation>\n{transcript(c.messages)}\n</conversation>" for c in conversations]
    system, user = render(
        "propose",
        {"reserved": ", ".join(PAYLOAD_KEYS)},
        {
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


def json_schema() -> dict[str, Any]:
    """The shape of a proposal, reasons before names."""
    text = {"type": "string"}
    lines = {"type": "array", "items": text}
    found = closed({"name": text, "definition": text, "choices": lines})
    event_type = closed(
        {
            "because": text,
            "name": text,
            "definition": text,
            "role": {"type": "string", "enum": ["user", "assistant"]},
            "properties": {"type": "array", "items": found},
        }
    )
    return closed(
        {
            "name": text,
            "description": text,
            **dict.fromkeys(GOALS, lines),
            "event_types": {"type": "array", "items": event_type},
        }
    )


def read(text: str) -> EventSchema:
    """The schema in an answer, valid by the rules of `schema.yml`. Raises ReplyInvalid with place and rule."""
    tree = answer_object(text)
    try:
        found = EventSchema(
            name=tree.get("name") or "",
            description=tree.get("description") or "",
            criteria=Criteria(**{goal: tuple(listed(tree, goal)) for goal in GOALS}),
            event_types=tuple(_event_type(item) for item in listed(tree, "event_types")),
        )
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
