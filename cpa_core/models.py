"""The frozen values that every stage shares, and the ids that are hashes of their content."""

import hashlib
import json
import uuid
from datetime import date, datetime
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

Outcome = Literal["ok", "truncated", "refused", "filtered", "invalid", "error"]
"""How an answer of a model ended. The set is closed."""

FINAL_OUTCOMES: frozenset[str] = frozenset({"ok", "refused", "filtered"})
"""Outcomes that the same question would have again, so stored answers with them are reused."""

ReceiptStatus = Literal["pending", "accepted", "accepted_warning", "rejected", "retryable", "unknown"]

SETTLED_STATUSES: frozenset[str] = frozenset({"accepted", "accepted_warning", "rejected"})
"""Statuses that are final: the same payload is not sent again."""

PERHAPS_STORED: frozenset[str] = frozenset({"pending", "unknown", "accepted", "accepted_warning"})
"""Statuses of events that a destination has, or may have."""

Replaces = Literal["never", "same_name_and_day", "always"]
"""When a destination replaces an event by a later one of the same id."""

TAGGED_ROLES: tuple[str, ...] = ("user", "assistant")

NOT_APPLICABLE = "not applicable"
"""The value that every property may have, whatever its choices."""

PAYLOAD_KEYS: tuple[str, ...] = (
    "conversation_id",
    "message_id",
    "content",
    "role",
    "explanation",
    "llm_judge_score",
    "schema_version",
    "model",
)
"""Keys of an event's payload that are ours; a schema may not name a property so. The first six are the seed tool's."""

NOBODY = frozenset(
    {"", "anonymous", "anon", "guest", "distinctid", "distinct_id", "id", "email", "not_authenticated", "undefined"}
    | {"unknown", "true", "false", "null", "nil", "none", "(none)", "nan", "n/a", "na", "<na>", "0", "-1", "{}", "[]"}
    | {
        "anonymous-user",
        "backend",
        "system",
        "user",
        "[object object]",
        "lmy47d",
        "00000000-0000-0000-0000-000000000000",
    }
)
"""Placeholders that programs write for an unknown user, in any letter case, quoted or not: none is a person's id.

Sources: PostHog's isDistinctIdIllegal (nodejs/src/common/persons/person-utils.ts) and ILLEGAL_DISTINCT_IDS
(rust/capture/src/v1/analytics/constants.rs); the ids that Mixpanel rejects
(docs.mixpanel.com/troubleshooting/errors/server-side-events-without-a-user) and that Amplitude calls invalid
(amplitude.com/docs/apis/analytics/http-v2); pandas' words for a missing value.
"""

BLANKS = r"[\s\pZ\x0b\x1c-\x1f\x{85}]*"
AROUND_IDS = rf"""^{BLANKS}['"]*{BLANKS}|{BLANKS}['"]*{BLANKS}$"""
"""Blanks and quotes around a user's id, for SQL (RE2): without them and in small letters it may be in NOBODY."""

CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
"""The canonical JSON encoder: equal content gives equal text."""

EVENT_NAMESPACE = uuid.UUID("6f1d3a52-8f0e-5f63-9c0b-2b6c4a1f7d10")
JUDGED_KEY = "$judged"
JUDGED_EVENT = "Conversation Judged"
WITHDRAWN_EVENT = "Event Withdrawn"


class Value(BaseModel):
    """A frozen value that forbids unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Hidden(Value):
    """A placeholder in a message: characters `start` to `end` (exclusive) stand for what was `said`."""

    start: int
    end: int
    said: str


class Message(Value):
    """One message of a conversation. `position` counts from 0 over all roles; `sent_at` is aware, UTC.

    `hidden` are the placeholders in the content, in order, if it is redacted before a model sees it.
    """

    message_id: str
    position: int
    role: str
    content: str
    sent_at: datetime
    hidden: tuple[Hidden, ...] = ()


class Conversation(Value):
    """One conversation, assembled from every file that holds its messages, in order of time.

    `context` is the metadata that the schema wants shown, as pairs of name and value. `context_hash` is a hash of these
    before redaction, null where the schema wants nothing.
    """

    conversation_id: str
    user_id: str | None
    day: date
    content_hash: str
    messages: tuple[Message, ...]
    context: tuple[tuple[str, str], ...] = ()
    context_hash: str | None = None

    @property
    def asked_content(self) -> str:
        """Return a hash of all content that a question shows."""
        return self.content_hash if self.context_hash is None else f"{self.content_hash}+{self.context_hash}"

    @property
    def tagged_positions(self) -> tuple[int, ...]:
        """Positions of the messages that are asked about: roles `user` and `assistant`."""
        return tuple(m.position for m in self.messages if m.role in TAGGED_ROLES)


class Growing(Value):
    """A part of a schema whose newer fields are written only if they are set.

    A schema's version is a hash of the written fields, so schemas older than a field keep their version.
    """

    newer: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _dumped(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Every field but the newer ones that are empty or false."""
        return {name: value for name, value in dump(self).items() if value or name not in self.newer}


class Property(Growing):
    """A property of an event type. No choices means short free text; `required` that it always has a value."""

    newer = frozenset({"was", "required"})

    name: str
    definition: str
    choices: tuple[str, ...] = ()
    was: tuple[str, ...] = ()
    required: bool = False


class EventType(Growing):
    """A kind of event that a message of one role can be.

    `examples` are texts that are such an event; `counterexamples` (`not:` in the file) look like one and are none. A
    `plain` type is tagged without quote and reason.
    """

    newer = frozenset({"examples", "counterexamples", "plain"})

    name: str
    definition: str
    role: Literal["user", "assistant"]
    properties: tuple[Property, ...] = ()
    was: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    counterexamples: tuple[str, ...] = ()
    plain: bool = False

    @property
    def key(self) -> str:
        """The first name with its role: what keeps an event's id through renames."""
        return f"{self.was[0] if self.was else self.name}|{self.role}"


class Criteria(Value):
    """The judge's criteria: goals in three ranks, and dealbreakers that no conversation may contain."""

    primary_goals: tuple[str, ...] = ()
    secondary_goals: tuple[str, ...] = ()
    tertiary_goals: tuple[str, ...] = ()
    dealbreakers: tuple[str, ...] = ()

    def goals(self) -> dict[str, str]:
        """Goals by id, in order: P1.., S1.., T1.. ."""
        ranks = (("P", self.primary_goals), ("S", self.secondary_goals), ("T", self.tertiary_goals))
        return {f"{letter}{n}": goal for letter, goals in ranks for n, goal in enumerate(goals, 1)}

    def dealbreakers_by_id(self) -> dict[str, str]:
        """Dealbreakers by id, in order: D1.. ."""
        return {f"D{n}": text for n, text in enumerate(self.dealbreakers, 1)}


class EventSchema(Growing):
    """The event schema that people edit: the assistant, the judge's criteria and the event types of each role.

    `context` names metadata of a conversation that both prompts show beside its messages. With `intents`, the judge's
    answer also says what the user wanted, and whether they got it.
    """

    newer = frozenset({"context", "intents"})

    name: str
    description: str
    criteria: Criteria
    event_types: tuple[EventType, ...]
    events_per_message: Literal["many", "one"] = "many"
    context: tuple[str, ...] = ()
    intents: bool = False

    @property
    def version(self) -> str:
        """Twelve hex digits of a hash of the content, whatever its layout in the file."""
        return digest(self.model_dump(mode="json"))[:12]

    def of_role(self, role: str) -> dict[str, EventType]:
        """The event types of one role by name."""
        return {t.name: t for t in self.event_types if t.role == role}

    def find(self, name: str, role: str) -> EventType | None:
        """The event type of that name in that role."""
        return self.of_role(role).get(name)


class Tag(Value):
    """One event on one message. Quote positions are characters of the message's own content.

    `nth` counts from 1 in the order of the answer, the message's main event first; null for older tags.
    """

    position: int
    nth: int | None = None
    role: str
    event_type: str
    properties: dict[str, str]
    quote: str | None
    quote_start: int | None
    quote_end: int | None
    because: str


class Verdict(Value):
    """The judge's finding on one goal. `quote` is null when the message at `position` does not hold it.

    `position` is null where there is no quote, and for older judgments, whose quotes named no message.
    """

    position: int | None = None
    quote: str | None
    because: str
    verdict: Literal["met", "partly", "missed", "cannot tell"]


class DealbreakerFinding(Value):
    """The judge's finding on one dealbreaker. `position` and `quote` as for a goal."""

    position: int | None = None
    quote: str | None
    because: str
    hit: bool


class Intent(Value):
    """The user's purpose, in at most 12 words of the model, and whether it was delivered and confirmed.

    `quote` stands in the user's message at `position`; both are null where no message of the user holds it. Without a
    quote, nothing is confirmed: `delivered` is never "yes".
    """

    position: int | None = None
    quote: str | None
    wanted: str
    delivered: Literal["yes", "partly", "no", "cannot tell"]


class Judgment(Value):
    """One judgment of one conversation. `score` is 0 to 100, null when nothing could be told.

    `intent` is null where the schema does not ask for it, and where the user wanted nothing.
    """

    because: str
    verdicts: dict[str, Verdict]
    dealbreakers: dict[str, DealbreakerFinding]
    score: float | None
    intent: Intent | None = None


class Event(Value):
    """One event as a destination receives it. `message_id` is null for the event of a judgment.

    `identified` says whether `distinct_id` is a user's; it is the conversation's where the user is unknown.
    `trace_id` and `session_id` are the application's own, from metadata, so that the event joins what it has sent.
    `withdraws` is the payload hash of the version that this event says is no longer true.
    """

    event_id: str
    name: str
    distinct_id: str
    identified: bool = True
    conversation_id: str
    message_id: str | None
    day: date
    sent_at: datetime
    payload: dict[str, Any]
    trace_id: str | None = None
    session_id: str | None = None
    withdraws: str | None = None

    @cached_property
    def payload_hash(self) -> str:
        """A hash of everything that is delivered."""
        told = {
            "event_id": self.event_id,
            "name": self.name,
            "distinct_id": self.distinct_id,
            "identified": self.identified,
            "conversation_id": self.conversation_id,
            "message_id": self.message_id,
            "sent_at": self.sent_at.isoformat().replace("+00:00", "Z"),
            "payload": self.payload,
        }
        joins = {"trace_id": self.trace_id, "session_id": self.session_id}
        return digest(told | {name: value for name, value in joins.items() if value is not None})[:32]


class Receipt(Value):
    """A destination's answer for one event."""

    event_id: str
    payload_hash: str
    status: ReceiptStatus
    http_status: int | None = None
    detail: str = ""
    batch_id: str = ""


def is_person(user_id: str | None) -> bool:
    """Return whether a user's id can be a person's: vendors merge all users called `anonymous`, or drop them."""
    return user_id is not None and user_id.strip().strip("'\"").strip().lower() not in NOBODY


def digest(value: object) -> str:
    """SHA-256 in hex of a value's JSON with sorted keys."""
    return hashlib.sha256(CANONICAL.encode(value).encode("utf-8", "surrogatepass")).hexdigest()


def message_hash(conversation_id: str, role: str, content: str, sent_at: datetime | None, nth: int) -> str:
    """The id of a message that came without one; `nth` counts identical messages before it."""
    when = sent_at.isoformat() if sent_at else ""
    return "h-" + digest([conversation_id, role, content, when, nth])[:20]


def event_id(conversation_id: str, message_id: str | None, key: str) -> str:
    """The id under which an event is known everywhere: a uuid5 of conversation, message and key."""
    return str(uuid.uuid5(EVENT_NAMESPACE, json.dumps([conversation_id, message_id, key], ensure_ascii=True)))
