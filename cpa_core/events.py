"""Building events, once for all destinations: pure, named by the event type, keyed as the seed tool has them."""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

from cpa_core.models import (
    EVENT_NAMESPACE,
    JUDGED_EVENT,
    JUDGED_KEY,
    NOT_APPLICABLE,
    WITHDRAWN_EVENT,
    Event,
    EventSchema,
    Replaces,
    digest,
    event_id,
    is_person,
)

SHARED = 12
"""Length of a run of characters that an id may not share with a message if text must not leave."""

ASCII_MARKS = bytes(code for code in range(128) if not chr(code).isalnum())
LONGEST_ID = 200
"""Characters of an id of the application's: a longer value is something else."""
TRACE_KEYS = ("$ai_trace_id", "ai_trace_id", "trace_id", "traceId")
SESSION_KEYS = ("$ai_session_id", "ai_session_id", "session_id", "sessionId")
"""Keys of metadata that hold the application's own ids of a trace and of a session."""

Choices = Mapping[tuple[str, str, str], Mapping[str, frozenset[str]]]
"""By version of the schema, role and event type: the choices of each property."""


class TaggedRow(NamedTuple):
    """One tagged event with what its payload needs of message and conversation."""

    day: date
    event_id: str
    conversation_id: str
    message_id: str
    user_id: str | None
    role: str
    event_type: str
    properties: dict[str, str]
    because: str
    content: str
    sent_at: datetime
    schema_version: str
    model: str
    metadata: str | None = None
    conversation_metadata: str | None = None


class JudgedRow(NamedTuple):
    """One judgment with what its payload needs of the conversation. `ended_at` is the last message's time."""

    day: date
    conversation_id: str
    user_id: str | None
    score: float | None
    because: str
    verdicts: dict[str, Any]
    dealbreakers: dict[str, Any]
    ended_at: datetime
    schema_version: str
    model: str
    conversation_metadata: str | None = None
    intent: str | None = None
    intent_delivered: str | None = None


def hashed_identity(written: str) -> str:
    """The id under which an event leaves where its own id contains words of a message."""
    return f"h-{digest(written)[:20]}"


@dataclass(frozen=True)
class View:
    """The privacy view of one conversation: `text` returns the words that may leave, null for none.

    `said` holds its messages if an id that contains their words must become a hash; empty if ids stay as they are.
    """

    text: Callable[[str], str | None]
    said: Sequence[str] = ()

    def identity(self, written: str) -> str:
        """Return an id of the conversation or of a message, or its hash if it contains words of a message."""
        if not self.said:
            return written
        if written not in self._identities:
            self._identities[written] = hashed_identity(written) if self._is_worded(written) else written
        return self._identities[written]

    def person(self, written: str) -> str:
        """Return a user's id as it is, even if a message mentions it.

        An id with spaces is treated as `identity` does.
        """
        return self.identity(written) if re.search(r"\s", written) else written

    def _is_worded(self, written: str) -> bool:
        if len(written) < SHARED:
            return written in self._whole and not written.isdigit()
        return _shares(written, self._words) or _shares(_folded(written), self._folded_words)

    @cached_property
    def _identities(self) -> dict[str, str]:
        return {}

    @cached_property
    def _whole(self) -> frozenset[str]:
        return frozenset(text.strip() for text in self.said)

    @cached_property
    def _words(self) -> str:
        return "\0".join(self.said)

    @cached_property
    def _folded_words(self) -> str:
        return "\0".join(_folded(text) for text in self.said)


def full_view() -> View:
    """Everything as it was said."""
    return View(text=lambda said: said)


def textless_view(messages: Sequence[str]) -> View:
    """No text at all."""
    return View(text=lambda said: None, said=messages)


def redacted_view(messages: Sequence[str], redact: Callable[[str], str]) -> View:
    """Text with placeholders. An id that holds words of a message is a hash: it might hold what was redacted."""
    return View(text=redact, said=messages)


def choices_of(schemas: Iterable[EventSchema]) -> Choices:
    """Return the allowed choices of each property, by schema version, role and event type."""
    return {
        (schema.version, kind.role, kind.name): {p.name: frozenset(p.choices) for p in kind.properties}
        for schema in schemas
        for kind in schema.event_types
    }


def of_tag(row: TaggedRow, score: float | None, view: View, choices: Choices) -> Event:
    """The event of a tag. The score of its conversation is on it, absent when unknown.

    A property's value that is not one of its choices is free text.
    """
    conversation_id, message_id = view.identity(row.conversation_id), view.identity(row.message_id)
    known = choices.get((row.schema_version, row.role, row.event_type), {})
    payload = {
        "conversation_id": conversation_id,
        "message_id": message_id,
        "role": row.role,
        **_present({"content": view.text(row.content), "explanation": view.text(row.because)}),
        **shown_properties(row.properties, known, view.text),
        **_present({"llm_judge_score": score}),
        "schema_version": row.schema_version,
        "model": row.model,
    }
    return Event(
        event_id=row.event_id,
        name=row.event_type,
        **_whose(view, row.user_id, conversation_id),
        conversation_id=conversation_id,
        message_id=message_id,
        day=row.day,
        sent_at=row.sent_at,
        payload=payload,
        **_joins(view, row.metadata, row.conversation_metadata),
    )


def _whose(view: View, user_id: str | None, conversation_id: str) -> dict[str, Any]:
    """Return the person of an event: the user, or the conversation if the user is unknown or no person's id."""
    if user_id is not None and is_person(user_id):
        return {"distinct_id": view.person(user_id), "identified": True}
    own = conversation_id if is_person(conversation_id) else f"conversation-{conversation_id}"
    return {"distinct_id": own, "identified": False}


def shown_properties(
    properties: Mapping[str, str], known: Mapping[str, frozenset[str]], text: Callable[[str], str | None]
) -> dict[str, str]:
    """Return the properties that may leave: choices as they are, free text as the view's `text` returns it."""
    shown = {
        name: value if value == NOT_APPLICABLE or value in known.get(name, ()) else text(value)
        for name, value in properties.items()
    }
    return _present(shown)


def of_judgment(row: JudgedRow, view: View) -> Event:
    """The `Conversation Judged` event: score, verdict per goal by its id, dealbreakers that were hit.

    Where the judge was asked, it says whether the user got what they wanted, and their intent where text may leave.
    """
    conversation_id = view.identity(row.conversation_id)
    payload: dict[str, Any] = {
        "conversation_id": conversation_id,
        **_present({"llm_judge_score": row.score}),
        **{f"verdict_{key}": found["verdict"] for key, found in row.verdicts.items()},
        "dealbreakers_hit": [key for key, found in row.dealbreakers.items() if found["hit"]],
        **_present({"explanation": view.text(row.because)}),
        **_present({"intent": view.text(row.intent) if row.intent else None, "intent_delivered": row.intent_delivered}),
        "schema_version": row.schema_version,
        "model": row.model,
    }
    return Event(
        event_id=event_id(row.conversation_id, None, JUDGED_KEY),
        name=JUDGED_EVENT,
        **_whose(view, row.user_id, conversation_id),
        conversation_id=conversation_id,
        message_id=None,
        day=row.day,
        sent_at=row.ended_at,
        payload=payload,
        **_joins(view, row.conversation_metadata),
    )


def of_withdrawal(row: Mapping[str, Any], replaces: Replaces) -> Event:
    """Return the event that withdraws a delivered event that is no longer true, built from its receipt.

    If the destination replaces events, it takes the id, name and time of the old one; otherwise it is a new event.
    """
    payload = {
        "conversation_id": row["conversation_id"],
        **_present({"message_id": row["message_id"]}),
        "withdrawn": True,
        "withdrawn_event": row["event_name"],
        "withdrawn_id": row["sent_id"],
    }
    is_new = replaces == "never"
    return Event(
        event_id=str(uuid.uuid5(EVENT_NAMESPACE, f"withdrawn {row['sent_id']}")) if is_new else row["event_id"],
        name=WITHDRAWN_EVENT if is_new else row["event_name"],
        distinct_id=row["distinct_id"],
        identified=row["identified"],
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
        day=row["day"],
        sent_at=row["sent_timestamp"],
        payload=payload,
        withdraws=row["payload_hash"],
    )


def _joins(view: View, *metadata: str | None) -> dict[str, str]:
    """The application's ids of trace and session, where the metadata of message or conversation has them."""
    if not any(metadata):
        return {}
    trees = [tree for tree in (json.loads(text) for text in metadata if text) if isinstance(tree, dict)]
    found = {"trace_id": _first(trees, TRACE_KEYS), "session_id": _first(trees, SESSION_KEYS)}
    return {name: view.identity(value) for name, value in found.items() if value}


def _first(trees: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    values = (tree[key] for tree in trees for key in keys if key in tree)
    return next((str(v) for v in values if isinstance(v, str | int) and 0 < len(str(v)) <= LONGEST_ID), "")


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _folded(text: str) -> str:
    folded = text.casefold()
    if folded.isascii():  # nearly all, and twenty times as fast
        return folded.encode().translate(None, ASCII_MARKS).decode()
    return re.sub(r"[\W_]+", "", folded)


def _shares(written: str, text: str) -> bool:
    """Return whether the two share a run of SHARED characters: any such run holds a whole half from a half's start."""
    half = SHARED // 2
    perhaps = any(written[at : at + half] in text for at in range(0, len(written) - half + 1, half))
    return perhaps and any(written[at : at + SHARED] in text for at in range(len(written) - SHARED + 1))
