"""Reviews: one person's answers about a message or a conversation, one for every type that was asked about."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime

from cpa_core.errors import InputError
from cpa_core.models import NOT_APPLICABLE, EventSchema, EventType, Property, Value, digest

LabelKind = Literal["event", "criterion", "dealbreaker"]
Part = Literal["teach", "measure"]
TEACHING = 5
"""One conversation in this many is for teaching: definitions and examples. The others measure."""

VERDICTS = ("met", "partly", "missed", "cannot tell")
HITS = ("hit", "not hit", "cannot tell")
ADJUDICATED = "adjudicated"
"""The queue of reviews that settle a dispute between reviewers: their answers take precedence over all others."""


Moment = Annotated[AwareDatetime, AfterValidator(lambda at: datetime.astimezone(at, UTC))]
"""A time, in UTC however it is written."""


class Labelled(Value):
    """An event that a reviewer sees in a message, by its type's name in the schema."""

    event_type: str
    quote: str | None = None
    properties: Mapping[str, str] = {}


class GoldAnswer(Value):
    """A reviewer's answer about one type in one message, or about one criterion in one conversation.

    `key` never changes: the type's first name with its role, or the words of a criterion. `definition` is a digest
    of the definition that the reviewer read. `present` is null where the reviewer cannot tell.
    """

    kind: LabelKind
    key: str
    name: str
    definition: str
    present: bool | None
    verdict: str = ""
    quote: str | None = None
    properties: Mapping[str, str] = {}
    property_definitions: Mapping[str, str] = {}


class Review(Value):
    """One review by one person. `message_id` and `role` are null for verdicts on a conversation as a whole.

    `said` is a digest of the text that was read, empty if unknown. `seconds` is the time it took. `chance` is the
    conversation's chance of selection, null if it was not drawn at random. `blind` is true if the reviewer answered
    before seeing the model's labels.
    """

    conversation_id: str
    message_id: str | None
    role: str | None
    said: str = ""
    schema_version: str
    reviewer: str
    reviewed_at: Moment
    seconds: float | None = None
    queue: str
    draw_id: str | None = None
    chance: float | None = None
    blind: bool = True
    note: str = ""
    answers: tuple[GoldAnswer, ...]

    @property
    def review_id(self) -> str:
        """An id made of the content: the same review is one, however often it is imported."""
        return digest(self.model_dump(mode="json"))[:20]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `gold_labels`, one for each answer."""
        of = self.model_dump(exclude={"answers"}) | {"review_id": self.review_id, "part": part_of(self.conversation_id)}
        return [of | answer.model_dump() for answer in self.answers]


def part_of(conversation_id: str) -> Part:
    """Whether gold of a conversation teaches or measures: by a hash of its id, so that it never changes."""
    number = int(hashlib.sha256(f"gold {conversation_id}".encode()).hexdigest()[:12], 16)
    return "teach" if number % TEACHING == 0 else "measure"


def said_hash(content: str) -> str:
    """The digest of a message's text, as `sha256()` of DuckDB has it."""
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def definition_of(kind: EventType | Property) -> str:
    """Return a digest of a type's or a property's definition and choices, whatever the spacing.

    Examples are left out: they change the model's prompt, not the meaning for people.
    """
    choices = kind.choices if isinstance(kind, Property) else ()
    return digest([kind.definition.split(), sorted(choices)])[:12]


def answers_on_message(schema: EventSchema, role: str, labelled: Sequence[Labelled]) -> tuple[GoldAnswer, ...]:
    """An answer for every type of the role: those not named are absent, not unknown. Raises InputError."""
    named = {one.event_type: one for one in labelled}
    types = schema.of_role(role)
    if unknown := sorted(named.keys() - types.keys()):
        raise InputError(f"{unknown[0]!r} is no event type of role {role} in schema {schema.version}")
    return tuple(_answer(kind, named.get(name)) for name, kind in types.items())


def _answer(kind: EventType, one: Labelled | None) -> GoldAnswer:
    known = {found.name: found for found in kind.properties}
    for name, value in (one.properties if one else {}).items():
        if name not in known:
            raise InputError(f"{name!r} is no property of {kind.name}")
        if known[name].choices and value not in (*known[name].choices, NOT_APPLICABLE):
            raise InputError(f"{name} of {kind.name}: {value!r} is none of its choices")
    properties = dict(one.properties) if one else {}
    return GoldAnswer(
        kind="event",
        key=kind.key,
        name=kind.name,
        definition=definition_of(kind),
        present=one is not None,
        quote=one.quote if one else None,
        properties=properties,
        property_definitions={name: definition_of(known[name]) for name in properties},
    )


def answers_on_conversation(schema: EventSchema, verdicts: Mapping[str, str]) -> tuple[GoldAnswer, ...]:
    """The answers on criteria and dealbreakers, by their ids in the schema (`P1`, `D1`). Raises InputError.

    Verdicts on goals are met, partly, missed or cannot tell; on dealbreakers hit, not hit or cannot tell. An id that is
    missing was not asked about.
    """
    goals, dealbreakers = schema.criteria.goals(), schema.criteria.dealbreakers_by_id()
    found: list[GoldAnswer] = []
    for name, verdict in verdicts.items():
        kind: LabelKind = "criterion" if name in goals else "dealbreaker"
        words = goals.get(name) or dealbreakers.get(name)
        if words is None:
            raise InputError(f"{name!r} is no criterion of schema {schema.version}")
        allowed = VERDICTS if kind == "criterion" else HITS
        if verdict not in allowed:
            raise InputError(f"{name}: {verdict!r} is none of {', '.join(allowed)}")
        present = None if verdict == "cannot tell" else verdict in ("met", "hit")
        found.append(
            GoldAnswer(kind=kind, key=words, name=name, definition=digest(words)[:12], present=present, verdict=verdict)
        )
    return tuple(found)
