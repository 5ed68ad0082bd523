"""A draft of the event schema from one batch of conversations, with the types known so far."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from cpa_core import schema as schemas
from cpa_core.errors import ReplyInvalid, SchemaError
from cpa_core.evidence import answer_object, closed, listed, locate
from cpa_core.llm import Ask, ModelName, Reply, Request
from cpa_core.models import PAYLOAD_KEYS, Conversation, Criteria, EventSchema, EventType, Property, Value
from cpa_core.prompts import render, transcript

REPAIRS = 2
"""Times that an invalid answer is asked for again."""
GOALS = schemas.GOALS
QUOTES = 3
"""Quotes of a candidate at most."""


class CandidateType(Value):
    """A proposed type, in about how many conversations it was seen, and words of messages that are one."""

    event_type: EventType
    seen: int = 0
    quotes: tuple[str, ...] = ()


class BatchDraft(Value):
    """A model's draft from one batch: the assistant, its conversations, and new types.

    For known types, by number, it has the count seen and a wider definition, empty if none is needed.
    """

    name: str
    description: str
    summary: str
    candidates: tuple[CandidateType, ...]
    known: tuple[tuple[int, int, str], ...] = ()


def draft(
    conversations: Sequence[Conversation], known: Sequence[CandidateType], model: ModelName, ask: Ask, about: str = ""
) -> tuple[BatchDraft | None, Reply]:
    """Return the types that these conversations add to the known ones: a valid draft, without types if there are none.

    Null if no answer is valid, with the last reply. Raises what `ask` raises.
    """

    def check(text: str) -> None:
        read(text, conversations, known)

    problem = ""
    for _ in range(1 + REPAIRS):
        reply = ask(question(conversations, model, known, problem, about), check)
        if reply.outcome == "ok":
            return read(reply.text, conversations, known), reply
        if reply.outcome != "invalid":
            break
        problem = reply.detail
    return None, reply


def purpose(about: str) -> str:
    """Return the team's statement about itself and its use of the counts, as a paragraph of a prompt."""
    return f"\nThe team says of it: {' '.join(about.split())}\n" if about.strip() else ""


def question(
    conversations: Sequence[Conversation],
    model: ModelName,
    known: Sequence[CandidateType] = (),
    problem: str = "",
    about: str = "",
) -> Request:
    """Return the question about a batch; `problem` is the previous answer's fault, `about` the team's statement."""
    fenced = [f"<conversation>\n{transcript(c.messages)}\n</conversation>" for c in conversations]
    types = "\n".join(type_line(n, one) for n, one in enumerate(known, 1))
    told = {
        "conversations": "\n".join(fenced),
        "correction": f"\nYour last answer could not be used: {problem}" if problem else "",
    }
    static = {"reserved": ", ".join(PAYLOAD_KEYS), "about": purpose(about)}
    if known:
        system, user = render("propose_more", static, {"known": f"<known>\n{types}\n</known>\n", **told})
    else:
        system, user = render("propose", static, told)
    return Request(
        task="propose",
        provider=model.provider,
        model=model.model,
        system=system,
        user=user,
        json_schema=json_schema(is_first=not known),
        max_tokens=8_000,
    )


def type_line(number: int, one: CandidateType) -> str:
    """A type as a model reads it among others, on one line. `<` is escaped, so that it ends no fence."""
    event_type = one.event_type
    properties = [{"name": p.name, "definition": p.definition, "choices": p.choices} for p in event_type.properties]
    fields = {"role": event_type.role, "name": event_type.name, "definition": event_type.definition}
    told = {"n": number, **fields, "properties": properties, "seen": one.seen, "quotes": one.quotes}
    return json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")


def json_schema(*, is_first: bool) -> dict[str, Any]:
    """The shape of a draft, evidence and reasons before names."""
    item = closed({"quotes": LINES, "seen": NUMBER, "because": TEXT, **TYPE})
    known = {"known": {"type": "array", "items": closed({"n": NUMBER, "seen": NUMBER, "definition": TEXT})}}
    return closed({**DRAFT, **({} if is_first else known), "event_types": {"type": "array", "items": item}})


TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
LINES = {"type": "array", "items": TEXT}
DRAFT: dict[str, Any] = {"name": TEXT, "description": TEXT, "summary": TEXT}
"""The fields of a draft about the assistant."""
ABOUT: dict[str, Any] = {"name": TEXT, "description": TEXT, **dict.fromkeys(GOALS, LINES)}
"""The fields of the consolidation about the assistant."""
TYPE: dict[str, Any] = {
    "name": TEXT,
    "definition": TEXT,
    "role": {"type": "string", "enum": ["user", "assistant"]},
    "properties": {"type": "array", "items": closed({"name": TEXT, "definition": TEXT, "choices": LINES})},
}
"""The fields of an answer about an event type."""


def read(text: str, conversations: Sequence[Conversation], known: Sequence[CandidateType] = ()) -> BatchDraft:
    """The draft in an answer, valid by the rules of `schema.yml`. Raises ReplyInvalid with place and rule.

    It may have no types only if some are known already. Quotes that occur in no message of the role are left out.
    """
    tree = answer_object(text)
    items = listed(tree, "event_types")
    found = valid({**tree, **{goal: [] for goal in GOALS}}, items, may_be_empty=bool(known))
    summary = tree.get("summary")
    return BatchDraft(
        name=found.name,
        description=found.description,
        summary=summary if isinstance(summary, str) else "",
        candidates=tuple(
            _candidate(one, item, conversations) for one, item in zip(found.event_types, items, strict=True)
        ),
        known=tuple(_known(tree.get("known"), len(known))),
    )


def _candidate(event_type: EventType, item: dict[str, Any], conversations: Sequence[Conversation]) -> CandidateType:
    said = [m.content for c in conversations for m in c.messages if m.role == event_type.role]
    given = item.get("quotes")
    quotes = [quote for quote in given if isinstance(quote, str)] if isinstance(given, list) else []
    held = [quote.strip() for quote in quotes if any(locate(quote, text) for text in said)]
    seen = item.get("seen")
    counted = min(max(seen, 0), len(conversations)) if type(seen) is int else 0
    return CandidateType(event_type=event_type, seen=counted, quotes=tuple(dict.fromkeys(held))[:QUOTES])


def _known(given: Any, count: int) -> Iterator[tuple[int, int, str]]:
    for one in given if isinstance(given, list) else []:
        if isinstance(one, dict) and type(one.get("n")) is int and 1 <= one["n"] <= count:
            seen, definition = one.get("seen"), one.get("definition")
            yield one["n"], seen if type(seen) is int else 0, definition.strip() if isinstance(definition, str) else ""


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
