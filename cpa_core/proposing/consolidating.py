"""One vocabulary from many candidates: a model merges equal ones, and code keeps the result within bounds."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from cpa_core import schema as schemas
from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import answer_object, closed, listed
from cpa_core.llm import Ask, ModelName, Reply, Request
from cpa_core.models import PAYLOAD_KEYS, EventSchema, EventType, Property
from cpa_core.prompts import render
from cpa_core.proposing.drafting import (
    ABOUT,
    REPAIRS,
    TEXT,
    TYPE,
    BatchDraft,
    CandidateType,
    purpose,
    type_line,
    valid,
)
from cpa_core.schema import are_near

MOST_CANDIDATES = 80
MOST_TYPES: dict[Literal["user", "assistant"], int] = {"user": 15, "assistant": 12}
MOST_PROPERTIES = 2
MOST_CHOICES = 12
MOST_GOALS = {"primary_goals": 4, "secondary_goals": 4, "tertiary_goals": 3, "dealbreakers": 4}
MOST_NAME = 60
"""Characters of a name that a chart can show."""
ELSE = "Other"
ANYTHING_ELSE = re.compile(r"(other|none of|something else|anything else)", re.IGNORECASE)
NOTHING = re.compile(
    r"\W*(n/?a|none|unknown|unspecified|not (applicable|specified|mentioned|stated))\W*", re.IGNORECASE
)


class Told(NamedTuple):
    """The team's statement of its purpose, and the number of conversations read."""

    about: str = ""
    conversations: int = 0


NOTHING_TOLD = Told()


class Made(NamedTuple):
    """A proposed schema, null if no answer is valid; the last reply; and in words, what was joined or left out."""

    schema: EventSchema | None
    reply: Reply
    joined: tuple[str, ...] = ()


def consolidate(
    drafts: Sequence[BatchDraft],
    candidates: Sequence[CandidateType],
    model: ModelName,
    ask: Ask,
    told: Told = NOTHING_TOLD,
) -> Made:
    """Return one schema from drafts and all their types; null if no answer is valid. Raises what `ask` raises."""

    def check(text: str) -> None:
        read(text, types)

    types = [one.event_type for one in candidates]
    problem = ""
    for _ in range(1 + REPAIRS):
        reply = ask(question(drafts, candidates, model, problem, told), check)
        if reply.outcome == "ok":
            found = tidy(read(reply.text, types))
            return Made(found, reply, tuple(left_out(listed(answer_object(reply.text), "types"), found)))
        if reply.outcome != "invalid":
            break
        problem = reply.detail
    return Made(None, reply)


def question(
    drafts: Sequence[BatchDraft],
    candidates: Sequence[CandidateType],
    model: ModelName,
    problem: str = "",
    told: Told = NOTHING_TOLD,
) -> Request:
    """The question that shows every candidate; no conversation is shown."""
    system, user = render(
        "consolidate",
        {
            "reserved": ", ".join(PAYLOAD_KEYS),
            "about": purpose(told.about),
            "conversations": str(told.conversations),
            "user": str(MOST_TYPES["user"]),
            "assistant": str(MOST_TYPES["assistant"]),
        },
        {
            "drafts": "\n".join(_about(one) for one in drafts),
            "candidates": "\n".join(type_line(n, one) for n, one in enumerate(candidates, 1)),
            "correction": f"\nYour last answer could not be used: {problem}" if problem else "",
        },
    )
    return Request(
        task="consolidate",
        provider=model.provider,
        model=model.model,
        system=system,
        user=user,
        json_schema=json_schema(),
        max_tokens=12_000,
    )


def _about(draft: BatchDraft) -> str:
    told = {"name": draft.name, "description": draft.description, "summary": draft.summary}
    return json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")


def json_schema() -> dict[str, Any]:
    """The shape of the answer, reasons before names."""
    numbers = {"type": "array", "items": {"type": "integer"}}
    return closed({**ABOUT, "types": {"type": "array", "items": closed({"from": numbers, "because": TEXT, **TYPE})}})


def read(text: str, candidates: Sequence[EventType]) -> EventSchema:
    """The schema in an answer; every type names the candidates that it is made of. Raises ReplyInvalid."""
    tree = answer_object(text)
    types = listed(tree, "types")
    for n, item in enumerate(types):
        if not isinstance(item, dict):
            raise ReplyInvalid("types: objects are needed")
        numbers = listed(item, "from")
        if not numbers or not all(type(one) is int and 1 <= one <= len(candidates) for one in numbers):
            raise ReplyInvalid(f"types.{n}.from: the numbers of its candidates are needed, 1 to {len(candidates)}")
        if any(candidates[one - 1].role != item.get("role") for one in numbers):
            raise ReplyInvalid(f"types.{n}.role: not the role of its candidates")
    return valid(tree, _told_apart(types))


def _told_apart(types: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of those that have one name in one role: they would be merged anyway."""
    kept: dict[tuple[Any, str], dict[str, Any]] = {}
    for item in types:
        kept.setdefault((item.get("role"), str(item.get("name")).strip().casefold()), item)
    return list(kept.values())


def tidy(schema: EventSchema) -> EventSchema:
    """The schema within bounds: near-duplicates merged, lists cut, a way to say "something else" in every choice."""
    kept: list[EventType] = []
    for role, most in MOST_TYPES.items():
        kept += merged([_tidied(one) for one in schema.event_types if one.role == role])[:most]
    goals = {goal: tuple(dict.fromkeys(getattr(schema.criteria, goal)))[:most] for goal, most in MOST_GOALS.items()}
    criteria = schema.criteria.model_copy(update=goals)
    found = schema.model_copy(update={"criteria": criteria, "event_types": tuple(map(_tidied, kept))})
    return schemas.parse(schemas.dump(found), "proposal")[0]


def left_out(given: Sequence[dict[str, Any]], kept: EventSchema) -> Iterator[str]:
    """Yield, for each type of an answer that the schema lacks, the type that it was joined with, or the limit."""
    names = {(one.role, one.name.casefold()) for one in kept.event_types}
    seen: set[tuple[str, str]] = set()
    for item in given:
        one = EventType(name=_named(str(item["name"])), definition=str(item["definition"]), role=item["role"])
        key = (one.role, one.name.casefold())
        near = next((held for held in kept.of_role(one.role).values() if are_near(held, one)), None)
        if key in seen:
            yield f"{one.name} ({one.role}) came twice: the second was joined with the first"
        elif key not in names and near:
            yield f"{one.name} ({one.role}) was joined with {near.name}: name or definition say nearly the same"
        elif key not in names:
            yield f"{one.name} ({one.role}) was left out: a proposal has at most {MOST_TYPES[one.role]} types of a role"
        seen.add(key)


def merged(types: Sequence[EventType]) -> list[EventType]:
    """Return the types without duplicates of an earlier one, which takes over their choices and properties."""
    kept: list[EventType] = []
    for one in types:
        near = next((n for n, other in enumerate(kept) if are_near(other, one)), None)
        if near is None:
            kept.append(one)
        else:
            kept[near] = _with_properties_of(kept[near], one)
    return kept


def _with_properties_of(one: EventType, other: EventType) -> EventType:
    own = {p.name.casefold(): p for p in one.properties}
    for found in other.properties:
        held = own.get(found.name.casefold())
        choices = (*held.choices, *found.choices) if held and held.choices and found.choices else ()
        own[found.name.casefold()] = held.model_copy(update={"choices": choices}) if held and choices else held or found
    return one.model_copy(update={"properties": tuple(own.values())})


def _tidied(one: EventType) -> EventType:
    properties = [_tidied_property(p) for p in one.properties]
    return one.model_copy(
        update={"name": _named(one.name), "properties": tuple(p for p in properties if p)[:MOST_PROPERTIES]}
    )


def _tidied_property(found: Property) -> Property | None:
    """Return the property tidied; null if it carries no information."""
    choices = {re.sub(r"[\W_]+", "", c.casefold()) or c: c for c in reversed(found.choices) if not NOTHING.fullmatch(c)}
    listed_ = list(reversed(choices.values()))
    if found.choices and not [c for c in listed_ if not ANYTHING_ELSE.match(c)][1:]:
        return None
    others = [c for c in listed_ if ANYTHING_ELSE.match(c)][:1] or [ELSE]
    kept = [c for c in listed_ if not ANYTHING_ELSE.match(c)][: MOST_CHOICES - 1]
    return found.model_copy(update={"name": _named(found.name), "choices": (*kept, *others) if listed_ else ()})


def _named(name: str) -> str:
    """A name that charts and destinations take."""
    plain = re.sub(r"[\x00-\x1f\x7f\s]+", " ", name).lstrip("$ ").removeprefix("[Amplitude]").strip()
    return plain[:MOST_NAME].rstrip() or "Unnamed"
