"""Building events, once for all destinations: pure, named by the event type, keyed as the seed tool has them."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal

from cpa_core.models import JUDGED_EVENT, JUDGED_KEY, Event, Value, event_id

Privacy = Literal["no_text", "redacted", "full"]


class TaggedRow(Value):
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


class JudgedRow(Value):
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


def of_tags(rows: Iterable[TaggedRow], scores: Mapping[str, float | None], privacy: Privacy) -> list[Event]:
    """One event per tagged event. The score of its conversation is on it, absent when unknown."""
    return [_of_tag(row, scores.get(row.conversation_id), privacy) for row in rows]


def _of_tag(row: TaggedRow, score: float | None, privacy: Privacy) -> Event:
    text = {"content": row.content, "explanation": row.because}
    payload = {
        "conversation_id": row.conversation_id,
        "message_id": row.message_id,
        "role": row.role,
        **(text if privacy != "no_text" else {}),
        **row.properties,
        **({} if score is None else {"llm_judge_score": score}),
        "schema_version": row.schema_version,
        "model": row.model,
    }
    return Event(
        event_id=row.event_id,
        name=row.event_type,
        distinct_id=row.user_id or row.conversation_id,
        identified=bool(row.user_id),
        conversation_id=row.conversation_id,
        message_id=row.message_id,
        day=row.day,
        sent_at=row.sent_at,
        payload=payload,
    )


def of_judgment(row: JudgedRow, privacy: Privacy) -> Event:
    """The `Conversation Judged` event: score, verdict per goal by its id, dealbreakers that were hit."""
    payload: dict[str, Any] = {
        "conversation_id": row.conversation_id,
        **({} if row.score is None else {"llm_judge_score": row.score}),
        **{f"verdict_{key}": found["verdict"] for key, found in row.verdicts.items()},
        "dealbreakers_hit": [key for key, found in row.dealbreakers.items() if found["hit"]],
        **({"explanation": row.because} if privacy != "no_text" else {}),
        "schema_version": row.schema_version,
        "model": row.model,
    }
    return Event(
        event_id=event_id(row.conversation_id, None, JUDGED_KEY),
        name=JUDGED_EVENT,
        distinct_id=row.user_id or row.conversation_id,
        identified=bool(row.user_id),
        conversation_id=row.conversation_id,
        message_id=None,
        day=row.day,
        sent_at=row.ended_at,
        payload=payload,
    )
