"""Trying a schema on one conversation: priced, asked within the budget, kept in the ledger, written to no day."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from cpa_core.errors import InputError, NotFound, SourceError
from cpa_core.models import Conversation, EventSchema, Message, Value
from cpa_core.pipeline.assistant import Assistant, Pacing
from cpa_core.pipeline.budget import budgets, tariff
from cpa_core.pipeline.label.context import with_context
from cpa_core.pipeline.label.one_off import inquiry
from cpa_core.pipeline.label.questions import conversation_of
from cpa_core.pipeline.label.redact import as_sent, restored
from cpa_core.sources import as_records, opened, read_together
from cpa_core.sources.roles import DEFAULTS, word
from cpa_core.store import Store
from cpa_core.store.database import as_json
from cpa_core.tagging import Tagged, first_requests, tag_conversation

PASTED = "pasted"
"""The id of a conversation that somebody pasted, with a part of its own after it."""


class TrialQuote(Value):
    """The quote of trying a schema on a conversation.

    `questions` counts those without an answer in the ledger, `answered` the others. `cost` is in US dollars at list
    price, null if unknown; `left` is the rest of the budgets, null without one. Repairs of an answer are not included.
    """

    model: str
    questions: int
    answered: int
    cost: float | None
    left: float | None


def stored_conversation(store: Store, schema: EventSchema, conversation_id: str) -> Conversation:
    """Return a conversation of a built day, with the metadata that the schema names. Raises NotFound."""
    with store.reading() as view:
        days = view.answer("label/day_of_conversation", id=conversation_id)
        if not days:
            raise NotFound("there is no conversation with this id in any built day")
        day = days[0]["day"]
        rows = view.answer("label/conversations_of_day", day=day, ids=as_json([conversation_id]))
    if not rows:
        raise NotFound("this conversation has no message")
    return with_context(store, schema, [conversation_of(day, conversation_id, rows)])[0]


def pasted_conversation(assistant: Assistant, text: str) -> Conversation:
    """A conversation that somebody pasted: lines such as `user: …`, or JSON in any form that landing reads.

    A line without a role continues the message before it. Raises InputError where there is no message in it, or more
    than one conversation.
    """
    said = text.strip()
    found = _of_json(assistant, said) if said[:1] in ("{", "[") else _of_lines(said)
    began = datetime.combine(assistant.now().date(), datetime.min.time(), UTC)
    messages = tuple(
        Message(message_id=f"m{n}", position=n, role=role, content=content, sent_at=began + timedelta(seconds=n))
        for n, (role, content) in enumerate(found)
        if content.strip()
    )
    if not any(one.role in ("user", "assistant") for one in messages):
        raise InputError(
            "the text has no message of a user or an assistant: begin each line with `user:` or `assistant:`"
        )
    name = f"{PASTED}-{uuid.uuid5(uuid.NAMESPACE_OID, repr(found)).hex[:12]}"
    return Conversation(conversation_id=name, user_id=None, day=began.date(), content_hash="", messages=messages)


def _of_lines(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        role, colon, rest = line.partition(":")
        ours = DEFAULTS.get(word(role)) if colon else None
        if ours:
            found.append((ours, rest.strip()))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}".strip())
        elif line.strip():
            found.append(("user", line.strip()))
    return found


def _of_json(assistant: Assistant, text: str) -> list[tuple[str, str]]:
    day = assistant.now().date()
    kind = "json" if text[0] == "[" or "\n{" not in text else "jsonl"
    file = opened(assistant.file(f"pasted.{kind}", text.encode("utf-8", "replace")), assistant.now(), day)
    records = [record for batch in read_together([file]) for record in as_records(batch)]
    ids = dict.fromkeys(record.conversation_id for record in records)
    if len(ids) > 1:
        raise InputError(f"the text has {len(ids)} conversations: paste one")
    if not records:
        raise SourceError("no message can be read from this JSON")
    return [(one.role, one.content) for one in sorted(records, key=lambda one: (one.sent_at, one.ordinal))]


def quote_trial(assistant: Assistant, conversation: Conversation, schema: EventSchema) -> TrialQuote:
    """Return the questions and cost of a trial; nothing is asked. Raises SettingsError without a model."""
    model = assistant.model("tag")
    own = tariff(assistant, "tag", model).at_once()
    requests = [one for sent in as_sent(assistant, [conversation]) for one in first_requests(sent, schema, model)]
    with assistant.store.reading() as view:
        hashes = as_json(request.hash for request in requests)
        kept = {row["request_hash"] for row in view.answer("label/answers_to_reuse", hashes=hashes, conversations="[]")}
    asked = [request for request in requests if request.hash not in kept]
    left = min((budget.left for budget in budgets(assistant, own)), default=None)
    return TrialQuote(
        model=str(model),
        questions=len(asked),
        answered=len(requests) - len(asked),
        cost=own.cost(asked),
        left=left,
    )


def try_schema(assistant: Assistant, conversation: Conversation, schema: EventSchema) -> Tagged:
    """The tags that the model gives by this schema; no day is changed. Raises Stopped, SettingsError.

    Answers in the ledger are reused; new ones are stored there and count for the budgets of run and day. A run is the
    life of the assistant's process; the time that a run may take begins with each trial.
    """
    model = assistant.model("tag")
    (sent,) = as_sent(assistant, [conversation])
    with inquiry(replace(assistant, pacing=Pacing()), "tag") as made:
        work = partial(tag_conversation, sent, schema, model)
        found = made.settled(work, lambda ended: ended.outcome == "ok", conversation.conversation_id)
    return restored(sent, found)


def differing(new: Sequence[str], stored: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The types that only the new labels of a message have, and those that only the stored ones have."""
    return tuple(sorted(set(new) - set(stored))), tuple(sorted(set(stored) - set(new)))
