"""A home whose days have an issue or have it not: conversations, labels and judgments as rows, of users who return."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Literal

from cpa_core.models import Criteria, EventSchema, EventType
from cpa_core.pipeline import Assistant
from cpa_core.schema import dump
from tests.support.homes import Home

FIRST = date(2026, 3, 1)
REFUSAL = "Refusal"
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
    ),
)
ROLES = {one.name: one.role for one in SCHEMA.event_types}
PlantedCause = Literal["event", "dealbreaker", "path"]
WHOLE = {"schema_version": SCHEMA.version, "prompt_id": "p", "model": "m:1", "outcome": "ok"}


@dataclass(frozen=True)
class PlantedDays:
    """How the days are: conversations of each by users who return, the share that has the issue while it is there."""

    cause: PlantedCause = "dealbreaker"
    conversations: int = 300
    users: int = 2_000
    share: float = 0.2
    bad: float = 0.1
    bad_with_it: float = 0.75


def begin(home: Home) -> Assistant:
    """The assistant of an empty home that knows the schema."""
    made = home.assistant()
    row = {"version": SCHEMA.version, "yaml": dump(SCHEMA), "origin": "test", "created_at": _at(FIRST)}
    with made.store.writing() as tables:
        tables.insert("event_schemas", [row])
    return made


def add_day(made: Assistant, day: date, planted: PlantedDays, random: Random, share: float) -> None:
    """Add a day whose conversations have the issue by this share."""
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("raw_conversations", "tagged_conversations", "tagged_events", "judge_scores")
    }
    for nth in range(planted.conversations):
        for name, found in _conversation(f"{day}-{nth}", day, planted, random, random.random() < share).items():
            rows[name] += found
    with made.store.writing() as tables:
        for name, found in rows.items():
            tables.insert(name, found)


def _conversation(
    name: str, day: date, planted: PlantedDays, random: Random, has_it: bool
) -> dict[str, list[dict[str, Any]]]:
    user = f"u{int(planted.users * random.random() ** 1.5)}"
    kinds = _kinds(planted, random, has_it)
    hit = has_it and planted.cause == "dealbreaker"
    is_bad = hit or random.random() < (planted.bad_with_it if has_it and planted.cause == "event" else planted.bad)
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


def _kinds(planted: PlantedDays, random: Random, has_it: bool) -> list[str]:
    """The kinds of a conversation. With a path, the refusal is always there, and more end after it while it has it."""
    kinds: list[str] = []
    ended = False
    while not ended:
        is_refusal = planted.cause == "path" and random.random() < 0.15
        kinds.append(REFUSAL if is_refusal else random.choice(NEUTRAL))
        ended = random.random() < (0.9 if is_refusal and has_it else 0.35)
    if has_it and planted.cause == "event":
        kinds.insert(random.randrange(len(kinds) + 1), REFUSAL)
    return kinds


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=UTC)


def days_from(first: date, count: int) -> list[date]:
    """So many days from this one on."""
    return [first + timedelta(days=nth) for nth in range(count)]
