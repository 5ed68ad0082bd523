"""Rows of the raw tables as awkward as real ones: two schemas, a renamed type, several events a message, what was
refused, not judged, judged in an earlier form, without user, without time, and text where choices were wanted."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from cpa_core.models import Criteria, EventSchema, EventType, Property
from cpa_core.schema import dump
from cpa_core.store import Store

Rows = list[dict[str, Any]]
TOPIC = Property(name="Topic", definition="About what.", choices=("Tax", "Form"))
SUBJECT = TOPIC.model_copy(update={"name": "Subject", "was": ("Topic",)})
WISH = Property(name="Wish", definition="In a word.")
CRITERIA = Criteria(
    primary_goals=("Be right", "Be kind"), secondary_goals=("Be short",), dealbreakers=("Lies", "Shouts")
)


def _type(name: str, role: str, *properties: Property, was: tuple[str, ...] = ()) -> EventType:
    fields: dict[str, Any] = {"name": name, "definition": f"{name}.", "role": role}
    return EventType(**fields, properties=properties, was=was)


OLD = EventSchema(
    name="A",
    description="B",
    criteria=CRITERIA,
    event_types=(
        _type("Question", "user", TOPIC, WISH),
        _type("Thanks", "user"),
        _type("Complaint", "user"),
        _type("Answer", "assistant", TOPIC),
        _type("Excuse", "assistant"),
    ),
)
NEW = OLD.model_copy(
    update={
        "criteria": CRITERIA.model_copy(update={"primary_goals": ("Be right", "Be brave")}),
        "event_types": (_type("Request", "user", SUBJECT, WISH, was=("Question",)), *OLD.event_types[1:]),
    }
)
NOBODIES = (None, "anonymous", " 'NULL' ", "[object Object]")
"""What programs write where there is no user."""

NEWEST = {("user", "Question"): "Request"}


def fill(store: Store, conversations: int = 600, seed: int = 1) -> None:
    """Write them."""
    chance = np.random.default_rng(seed)
    tables: dict[str, Rows] = {name: [] for name in ("raw_conversations", "messages", "tagged_conversations")}
    tables |= {name: [] for name in ("tagged_events", "judge_scores", "answers", "failures")}
    for n in range(conversations):
        _conversation(chance, n, tables)
    moments = [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC)]
    tables["event_schemas"] = [
        {"version": schema.version, "yaml": dump(schema), "created_at": moment, "origin": "file"}
        for schema, moment in zip((OLD, NEW), moments, strict=True)
    ]
    with store.writing() as transaction:
        for table, rows in tables.items():
            transaction.insert(table, rows)


def _conversation(chance: Any, n: int, tables: dict[str, Rows]) -> None:
    day = date(2026, 3, 1) + timedelta(days=int(chance.integers(0, 40)))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=int(chance.integers(0, 1440)))
    count = int(chance.integers(1, 60 if n % 50 == 0 else 14))
    key = {"day": day, "conversation_id": f"c{n}"}
    schema = OLD if day < date(2026, 3, 20) else NEW
    origin = {"schema_version": schema.version, "prompt_id": "p", "model": ("m1", "m2")[n % 2]}
    tables["raw_conversations"].append(
        key
        | {
            "user_id": NOBODIES[n // 7 % 4] if n % 7 == 0 else f"u{int(chance.integers(0, 150))}",
            "started_at": start,
            "ended_at": start + timedelta(seconds=47 * (count - 1)),
            "message_count": count,
            "content_hash": f"h{n}",
            "time_assumed": n % 23 == 0,
            "metadata": json.dumps({"plan": ("free", "pro")[n % 2], "age": n % 3}) if n % 11 else None,
        }
    )
    roles = [("user", "assistant", "user", "assistant", "system")[p % 5] for p in range(count)]
    tables["messages"] += [
        key | {"message_id": str(p), "position": p, "role": role, "content": "…", "sent_at": start}
        for p, role in enumerate(roles)
    ]
    _tagged(chance, n, key | origin, roles, schema, tables)
    _judged(chance, n, key | origin, tables)
    for task in ("tag", "judge"):
        fields = {"task": task, "provider": "x", "model": origin["model"], "outcome": "ok", "prompt_tokens": 10 * count}
        cost = None if origin["model"] == "m2" and n == 1 else 0.001 * count
        tables["answers"].append(key | fields | {"completion_tokens": count, "cost": cost})


def _tagged(
    chance: Any, n: int, fields: dict[str, Any], roles: list[str], schema: Any, tables: dict[str, Rows]
) -> None:
    outcome = "refused" if n % 29 == 0 else "ok"
    if n % 31 == 0:
        return
    stale = {"content_hash": "older" if n % 37 == 0 else f"h{n}"}
    tables["tagged_conversations"].append(fields | stale | {"outcome": outcome, "messages_asked": len(roles)})
    if outcome == "refused":
        row = {"stage": "tag", "reason": "refused", "retryable": False, "attempts": 1}
        tables["failures"].append({"day": fields["day"], "conversation_id": fields["conversation_id"], **row})
        return
    for position, role in enumerate(roles):
        types = [kind for kind in schema.event_types if kind.role == role]
        picked = chance.random(len(types)) < 0.45
        for m, kind in enumerate(kind for kind, is_picked in zip(types, picked, strict=True) if is_picked):
            values = {p.name: _value(chance, p) for p in kind.properties if chance.random() < 0.8}
            quote = None if chance.random() < 0.2 else int(chance.integers(0, 9))
            tables["tagged_events"].append(
                fields
                | {"event_id": f"{n}-{position}-{m}", "message_id": str(position), "position": position, "role": role}
                | {"event_type": kind.name, "properties": json.dumps(values), "quote": "…"}
                | {"quote_start": quote, "quote_end": None if quote is None else quote + 1}
            )


def _value(chance: Any, found: Property) -> str:
    return str(chance.choice([*found.choices, "not applicable", f"words {int(chance.integers(0, 99))}"]))


def _judged(chance: Any, n: int, fields: dict[str, Any], tables: dict[str, Rows]) -> None:
    if n % 13 == 0:
        return
    hit = {"D1": bool(chance.random() < 0.1), "D2": bool(chance.random() < 0.02)}
    words = ("met", "partly", "missed", "cannot tell")
    verdicts = {key: str(chance.choice(words)) for key in ("P1", "P2", "S1")}
    score = None if n % 17 == 0 else round(float(chance.choice([0, 20, 50, 80, 100, chance.uniform(0, 100)])), 3)
    tables["judge_scores"].append(
        fields
        | {
            "outcome": "filtered" if n % 41 == 0 else "ok",
            "score": None if n % 41 == 0 else score,
            "intent_delivered": (None, "yes", "no", "partly", "cannot tell", "yes")[n % 6],
            "content_hash": "older" if n % 43 == 0 else f"h{n}",
            "verdicts": json.dumps({key: {"quote": None, "because": "", "verdict": v} for key, v in verdicts.items()}),
            "dealbreakers": json.dumps({key: {"quote": None, "because": "", "hit": v} for key, v in hit.items()}),
        }
    )
