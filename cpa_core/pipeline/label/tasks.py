"""The two tasks of a day, tagging and judging: their questions about a conversation, and the rows of their results."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from cpa_core.judging import Judged, judge_conversation
from cpa_core.judging import question as judge_question
from cpa_core.llm import Ask, ModelName, Request
from cpa_core.models import Conversation, EventSchema, Intent, event_id
from cpa_core.pipeline.label.plan import LabelOrigin
from cpa_core.prompts import Task
from cpa_core.store.database import Row
from cpa_core.tagging import Tagged, first_requests, tag_conversation

Result = Tagged | Judged

Positions = Collection[int] | None
"""The messages to ask about, none for all."""


@dataclass(frozen=True)
class Work:
    """The parts of a task: its words, its tables, and the functions that ask about a conversation and make its rows."""

    task: Task
    tables: tuple[str, ...]
    ask: Callable[[Conversation, EventSchema, ModelName, Ask, Positions], Result]
    first: Callable[[Conversation, EventSchema, ModelName, Positions], list[Request]]
    rows: Callable[[LabelOrigin, Conversation, Any], dict[str, list[Row]]]


def _tagged_rows(origin: LabelOrigin, conversation: Conversation, result: Tagged) -> dict[str, list[Row]]:
    by_position = {m.position: m for m in conversation.messages}
    common = {"conversation_id": conversation.conversation_id}
    done = origin.row(
        **common,
        content_hash=conversation.content_hash,
        context_hash=conversation.context_hash,
        outcome=result.outcome,
        messages_asked=result.messages_asked,
        cost=result.cost,
    )
    events: list[Row] = []
    for tag in result.tags:
        event_type = origin.schema.find(tag.event_type, tag.role)
        message_id = by_position[tag.position].message_id
        key = event_type.key if event_type else tag.event_type
        fields = tag.model_dump() | {"properties": json.dumps(tag.properties, ensure_ascii=False)}
        found = event_id(conversation.conversation_id, message_id, key)
        events.append(origin.row(**common, **fields, event_id=found, message_id=message_id))
    return {"tagged_conversations": [done], "tagged_events": events}


def _judged_rows(origin: LabelOrigin, conversation: Conversation, result: Judged) -> dict[str, list[Row]]:
    found = result.judgment.model_dump(mode="json") if result.judgment else {}
    fields = {
        "score": found.get("score"),
        "because": found.get("because"),
        "verdicts": json.dumps(found.get("verdicts", {}), ensure_ascii=False),
        "dealbreakers": json.dumps(found.get("dealbreakers", {}), ensure_ascii=False),
        "outcome": result.outcome,
        "cost": result.cost,
        **_intent_fields(result.judgment.intent if result.judgment else None),
    }
    of = {"content_hash": conversation.content_hash, "context_hash": conversation.context_hash}
    row = origin.row(conversation_id=conversation.conversation_id, **of, **fields)
    return {"judge_scores": [row]}


def _intent_fields(intent: Intent | None) -> Row:
    """The columns of an intent; null where there is none."""
    return {
        "intent": intent.wanted if intent else None,
        "intent_delivered": intent.delivered if intent else None,
        "intent_position": intent.position if intent else None,
        "intent_quote": intent.quote if intent else None,
    }


TAG = Work(
    task="tag",
    tables=("tagged_conversations", "tagged_events"),
    ask=tag_conversation,
    first=first_requests,
    rows=_tagged_rows,
)
JUDGE = Work(
    task="judge",
    tables=("judge_scores",),
    ask=lambda conversation, schema, model, ask, positions: judge_conversation(conversation, schema, model, ask),
    first=lambda conversation, schema, model, positions: [judge_question(conversation, schema, model)],
    rows=_judged_rows,
)
