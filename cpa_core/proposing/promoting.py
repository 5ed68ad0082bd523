"""Drafting one event type for a topic, from texts at its centre and at its border."""

from typing import Any, Literal

from pydantic import ValidationError

from cpa_core import schema as schemas
from cpa_core.errors import ReplyInvalid, SchemaError
from cpa_core.evidence import answer_object, closed
from cpa_core.llm import Ask, ModelName, Reply, Request
from cpa_core.models import EventSchema, EventType, Value
from cpa_core.prompts import json_line, render

REPAIRS = 2
"""Times that an invalid answer is asked for again."""


class TopicEvidence(Value):
    """The evidence of a topic for a model: its central texts, its border texts, and the schema that it extends."""

    role: Literal["user", "assistant"]
    central: tuple[str, ...]
    border: tuple[str, ...]
    base: EventSchema


class DraftedType(Value):
    """An event type that a model drafted, why, and the numbers of the border texts that belong to it, from 1."""

    event_type: EventType
    because: str
    border: tuple[int, ...]


def draft_type(evidence: TopicEvidence, model: ModelName, ask: Ask) -> tuple[DraftedType | None, Reply]:
    """A draft, or none and the reply that ended it. Raises what `ask` raises."""
    problem = ""
    for _ in range(1 + REPAIRS):
        reply = ask(promotion_question(evidence, model, problem), lambda text: _check(text, evidence))
        if reply.outcome == "ok":
            return drafted(reply.text, evidence), reply
        if reply.outcome != "invalid":
            break
        problem = reply.detail
    return None, reply


def promotion_question(evidence: TopicEvidence, model: ModelName, problem: str = "") -> Request:
    """The question about one topic; `problem` says what was wrong with the last answer."""
    base, central = evidence.base, len(evidence.central)
    texts = [*evidence.central, *evidence.border]
    rows = [{"n": n, "place": "central" if n <= central else "border", "text": one} for n, one in enumerate(texts, 1)]
    known = [{"role": one.role, "name": one.name, "definition": one.definition} for one in base.event_types]
    system, user = render(
        "promote",
        {"role": evidence.role},
        {
            "name": base.name,
            "description": base.description,
            "known": "\n".join(map(json_line, known)),
            "texts": "\n".join(map(json_line, rows)),
            "asked": evidence.role,
            "correction": f"\nYour last answer could not be used: {problem}" if problem else "",
        },
    )
    return Request(
        task="promote",
        provider=model.provider,
        model=model.model,
        system=system,
        user=user,
        json_schema=promotion_schema(),
        max_tokens=1_500,
    )


def promotion_schema() -> dict[str, Any]:
    """The shape of the answer, evidence and reason before the definition and the name."""
    text = {"type": "string"}
    numbers = {"type": "array", "items": {"type": "integer"}}
    return closed({"border_texts": numbers, "because": text, "definition": text, "name": text})


def drafted(text: str, evidence: TopicEvidence) -> DraftedType:
    """The draft in an answer. Raises ReplyInvalid: words are missing, a number no border text has, a name that is."""
    tree = answer_object(text)
    numbers = tree.get("border_texts")
    first, last = len(evidence.central) + 1, len(evidence.central) + len(evidence.border)
    if not isinstance(numbers, list) or not all(type(n) is int and first <= n <= last for n in numbers):
        raise ReplyInvalid("border_texts: numbers of border texts are needed")
    if not isinstance(tree.get("because"), str) or not tree["because"].strip():
        raise ReplyInvalid("because: text is needed")
    try:
        made = with_type(evidence.base, tree.get("name"), tree.get("definition"), evidence.role)
    except SchemaError as error:
        raise ReplyInvalid(str(error)) from None
    kept = tuple(dict.fromkeys(n - first + 1 for n in numbers))
    return DraftedType(event_type=made.event_types[-1], because=tree["because"].strip(), border=kept)


def with_type(base: EventSchema, name: Any, definition: Any, role: Literal["user", "assistant"]) -> EventSchema:
    """The schema with one more event type, at its end. Raises SchemaError for one that it cannot have."""
    try:
        made = EventType(name=name, definition=definition, role=role)
        whole = base.model_copy(update={"event_types": (*base.event_types, made)})
        return schemas.parse(schemas.dump(whole), "event type")[0]
    except ValidationError as error:
        first = error.errors()[0]
        raise SchemaError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _check(text: str, evidence: TopicEvidence) -> None:
    drafted(text, evidence)
