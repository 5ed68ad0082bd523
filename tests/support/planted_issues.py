"""A home whose days have an issue or have it not: conversations, labels and judgments as rows, of users who return."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Literal

from cpa_core.models import Criteria, EventSchema, EventType
from cpa_core.pipeline import Assistant
from cpa_core.schema import dump
from tests.support.homes import Home

FIRST = date(2026, 3, 1)
REFUSAL, CLOSING = "Refusal", "Closing"
NEUTRAL = tuple(f"Asking {nth}" for nth in range(6))
"""Kinds of event that go with nothing: how a conversation ends depends on none of them."""
INSULT = "Insults the user."
SCHEMA = EventSchema(
    name="Helper",
    description="Answers questions.",
    criteria=Criteria(primary_goals=("Answers the question.",), dealbreakers=(INSULT,)),
    event_types=(
        *(EventType(name=name, definition="The user asks.", role="user") for name in NEUTRAL),
        EventType(name=REFUSAL, definition="The assistant refuses.", role="assistant"),
        EventType(name=CLOSING, definition="The assistant closes.", role="assistant"),
    ),
)
ROLES = {one.name: one.role for one in SCHEMA.event_types}
PlantedCause = Literal["event", "dealbreaker", "path"]
WHOLE = {"schema_version": SCHEMA.version, "prompt_id": "p", "model": "m:1", "outcome": "ok"}


TITLES: dict[PlantedCause, str] = {"event": REFUSAL, "dealbreaker": INSULT, "path": CLOSING}
"""What the planted issue of each cause is called."""


@dataclass(frozen=True)
class PlantedDays:
    """How the days are, beside what is planted: conversations of each, by users who return, of whom few are heavy."""

    conversations: int = 300
    users: int = 2_000
    bad: float = 0.1
    bad_with_event: float = 0.75
    refusals: float = 0.25
    closings: float = 0.25
    end: float = 0.35
    end_after_path: float = 0.9


Planted = Mapping[PlantedCause, float]
"""What is planted on a day: the share of conversations that it harms, of those with the event or the path."""


def begin(home: Home) -> Assistant:
    """The assistant of an empty home that knows the schema."""
    made = home.assistant()
    row = {"version": SCHEMA.version, "yaml": dump(SCHEMA), "origin": "test", "created_at": _at(FIRST)}
    with made.store.writing() as tables:
        tables.insert("event_schemas", [row])
    return made


def add_day(made: Assistant, day: date, days: PlantedDays, random: Random, planted: Planted) -> None:
    """Add a day on which these issues are there."""
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("raw_conversations", "tagged_conversations", "tagged_events", "judge_scores")
    }
    for nth in range(days.conversations):
        has = {cause for cause, share in planted.items() if random.random() < share}
        for name, found in _conversation(f"{day}-{nth}", day, days, random, has).items():
            rows[name] += found
    with made.store.writing() as tables:
        for name, found in rows.items():
            tables.insert(name, found)


def _conversation(
    name: str, day: date, days: PlantedDays, random: Random, has: set[PlantedCause]
) -> dict[str, list[dict[str, Any]]]:
    user = f"u{int(days.users * random.random() ** 1.5)}"
    kinds = _kinds(days, random, has)
    hit = "dealbreaker" in has
    is_harmed = "event" in has and REFUSAL in kinds
    is_bad = hit or random.random() < (days.bad_with_event if is_harmed else days.bad)
    key = {"day": day, "conversation_id": name}
    whole = key | {"content_hash": name}
    raw = whole | {"user_id": user, "started_at": _at(day), "ended_at": _at(day), "message_count": 6}
    found = {"D1": {"quote": None, "because": "So.", "hit": hit}}
    return {
        "raw_conversations": [raw | {"time_assumed": False, "metadata": "{}"}],
        "tagged_conversations": [whole | WHOLE | {"messages_asked": 6}],
        "tagged_events": [
            key
            | {"event_id": f"{name}-{n}", "message_id": f"m{n}", "position": n, "role": ROLES[kind], "event_type": kind}
            | {"properties": "{}", "schema_version": SCHEMA.version, "prompt_id": "p", "model": "m:1"}
            for n, kind in enumerate(kinds)
        ],
        "judge_scores": [
            whole
            | WHOLE
            | {"score": 15.0 if is_bad else 90.0, "because": "So.", "verdicts": "{}", "dealbreakers": json.dumps(found)}
        ],
    }


def _kinds(days: PlantedDays, random: Random, has: set[PlantedCause]) -> list[str]:
    """The kinds of a conversation. Refusals and closings are always there: what is planted is the harm they do."""
    kinds: list[str] = []
    ended = False
    while not ended:
        is_closing = random.random() < days.closings
        kinds.append(CLOSING if is_closing else random.choice(NEUTRAL))
        ended = random.random() < (days.end_after_path if is_closing and "path" in has else days.end)
    if random.random() < days.refusals:
        kinds.insert(0, REFUSAL)
    return kinds


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=UTC)


def days_from(first: date, count: int) -> list[date]:
    """So many days from this one on."""
    return [first + timedelta(days=nth) for nth in range(count)]
