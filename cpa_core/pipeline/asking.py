"""Tagging and judging a day: only what is open is asked, and the day is replaced in one transaction."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

from cpa_core.errors import BudgetReached, Stopped
from cpa_core.judging import Judged, judge_conversation
from cpa_core.judging import question as judge_question
from cpa_core.llm import About, Ask, Engine, ModelName, Request
from cpa_core.models import FINAL_OUTCOMES, Conversation, EventSchema, Message, event_id
from cpa_core.pipeline.batching import at_work, brought, mark_used, settle
from cpa_core.pipeline.carrying import Answered, Plan, plan
from cpa_core.pipeline.context import Assistant, Stage
from cpa_core.pipeline.flow import in_order_of_end
from cpa_core.pipeline.handing_over import Asker
from cpa_core.pipeline.redacting import as_sent, asked_by, restored
from cpa_core.pipeline.schemas import current_schema
from cpa_core.pipeline.spending import Tariff, limiter, reserve, tariff
from cpa_core.prompts import Task
from cpa_core.store import AnswerBook
from cpa_core.store.buffers import Buffers
from cpa_core.store.database import Row, Transaction, as_json
from cpa_core.tagging import Tagged, first_requests, tag_conversation

Result = Tagged | Judged

Positions = Collection[int] | None
"""The messages to ask about, none for all."""

CHUNK = 250
"""Conversations that are read, and looked up in the ledger, at a time."""
ASKED = ("message_id", "position", "role", "content", "sent_at")
"""The fields of a message as it is read."""


@dataclass(frozen=True)
class Work:
    """How a task is done: its words, its tables, and how one conversation is asked and written down."""

    task: Task
    tables: tuple[str, ...]
    ask: Callable[[Conversation, EventSchema, ModelName, Ask, Positions], Result]
    first: Callable[[Conversation, EventSchema, ModelName, Positions], list[Request]]
    rows: Callable[[Answered, Conversation, Any], dict[str, list[Row]]]


def tag_day(assistant: Assistant, day: date, *, retag: bool = True) -> Stage:
    """Tag the conversations of a day that are not tagged as they are now. Raises Stopped.

    What another schema, prompt or model has tagged is brought to the present ones where `retag`, else left as it is.
    """
    return _ask_day(assistant, day, TAG, retag)


def judge_day(assistant: Assistant, day: date, *, retag: bool = True) -> Stage:
    """Judge the conversations of a day that are not judged as they are now, as in `tag_day`. Raises Stopped."""
    return _ask_day(assistant, day, JUDGE, retag)


def _ask_day(assistant: Assistant, day: date, work: Work, retag: bool) -> Stage:
    model = assistant.model(work.task)
    schema, _ = current_schema(assistant)
    origin = Answered(day=day, schema=schema, prompt_id=asked_by(assistant, work.task), model=str(model))
    own = tariff(assistant, work.task, model)
    with assistant.store.day_lock(day):
        retag = retag or bool(at_work(assistant, work.task, day))  # whoever handed them over wanted it
        with assistant.store.reading() as view:
            asking = Asking(origin, model, work, own, plan(view, origin, work.task, retag=retag))
        done = Done(day)
        batches = settle(assistant, Asker(work.task, day, model, own), lambda: _questions(assistant, asking))
        if batches.waiting:
            stage = _stage(work.task, len(asking.plan.ids), len(asking.plan.kept), done, {})
            return stage.model_copy(update={"waiting": batches.waiting})
        if asking.plan.pending:
            _ask_all(assistant, asking, done, batches.keys)
        _replace(assistant, day, asking, done)
    if isinstance(done.stopped, BudgetReached):
        raise BudgetReached(f"{done.stopped}: {_left(assistant, asking, done)}")
    if done.stopped:
        raise done.stopped
    spent = _spent(assistant, _book_name(assistant, work, day), batches.keys) if done.asked else {}
    return _stage(work.task, len(asking.plan.ids), len(asking.plan.kept), done, spent)


def _left(assistant: Assistant, asking: "Asking", done: "Done") -> str:
    """What a stage that reached its budget has left to do, and what that would cost."""
    pending = asking.plan.pending
    left = [one for one in pending if one not in done.ids]
    price: float | None = 0.0
    for n in range(0, len(left), CHUNK):
        chunk = conversations_of(assistant, asking.origin.day, left[n : n + CHUNK])
        more = asking.tariff.cost([request for c in chunk for request in asking.first(c)])
        price = None if price is None or more is None else price + more
    words = "an unknown sum" if price is None else f"at most about ${price:.4f}"
    return (
        f"{asking.origin.day}: {len(left)} of {len(pending)} conversations are left to {asking.work.task}, for {words}"
    )


@dataclass(frozen=True)
class Asking:
    """How the conversations of a day are asked about."""

    origin: Answered
    model: ModelName
    work: Work
    tariff: Tariff
    plan: Plan

    def first(self, conversation: Conversation) -> list[Request]:
        """The questions that a conversation begins with."""
        return self.work.first(conversation, self.origin.schema, self.model, self._positions(conversation))

    def ask(self, conversation: Conversation, ask: Ask) -> Result:
        """Ask what is open about a conversation."""
        return self.work.ask(conversation, self.origin.schema, self.model, ask, self._positions(conversation))

    def rows(self, conversation: Conversation, result: Result) -> dict[str, list[Row]]:
        """What is written of a result, with the tags that go on beside it."""
        rows = self.work.rows(self.origin, conversation, result)
        carried = self.plan.carried.get(conversation.conversation_id, ())
        return rows | {"tagged_events": [*carried, *rows["tagged_events"]]} if carried else rows

    def _positions(self, conversation: Conversation) -> Positions:
        return self.plan.partly.get(conversation.conversation_id)


class Done:
    """What came of a stage: rows to be written, whose they are, and how it ended."""

    def __init__(self, day: date) -> None:
        self.day = day
        self.rows = Buffers()
        self.ids: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.asked = 0
        self.reused = 0
        self.quoted: float | None = 0.0
        self.stopped: Stopped | None = None


def open_questions(assistant: Assistant, day: date, schema: EventSchema, *, retag: bool) -> Iterator[Request]:
    """The questions that tagging and judging a built day would begin with, answered before or not."""
    for work in (TAG, JUDGE):
        model = assistant.model(work.task)
        origin = Answered(day=day, schema=schema, prompt_id=asked_by(assistant, work.task), model=str(model))
        with assistant.store.reading() as view:
            found = plan(view, origin, work.task, retag=retag)
        asking = Asking(origin, model, work, tariff(assistant, work.task, model), found)
        for n in range(0, len(found.pending), CHUNK):
            for conversation in conversations_of(assistant, day, found.pending[n : n + CHUNK]):
                yield from asking.first(conversation)


def _book_name(assistant: Assistant, work: Work, day: date) -> str:
    return f"{assistant.run_id}-{work.task}-{day}"


def _spent(assistant: Assistant, book: str, batches: Sequence[str]) -> Row:
    """Tokens and cost of the answers of a run and of batches. Unknown while another process still merges them."""
    with assistant.store.reading() as view:
        found = view.answer("spent", run=book, batches=as_json(batches))[0]
    return {name: value if found["calls"] else None for name, value in found.items() if name != "calls"}


def conversations_of(assistant: Assistant, day: date, ids: Sequence[str]) -> list[Conversation]:
    """These conversations of a built day as a model may see them, in order of their start."""
    with assistant.store.reading() as view:
        rows = view.answer("conversations_of_day", day=day, ids=as_json(ids))
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["conversation_id"], []).append(row)
    return as_sent(assistant, [_conversation(day, key, of_one) for key, of_one in grouped.items()])


def _conversation(day: date, conversation_id: str, rows: Sequence[Row]) -> Conversation:
    return Conversation(
        conversation_id=conversation_id,
        user_id=rows[0]["user_id"],
        day=day,
        content_hash=rows[0]["content_hash"],
        messages=tuple(Message(**{name: row[name] for name in ASKED}) for row in rows),
    )


def _questions(assistant: Assistant, asking: Asking) -> Iterator[list[tuple[str, Request]]]:
    """What a stage begins with: each question after its conversation's id, a chunk at a time."""
    pending = asking.plan.pending
    for n in range(0, len(pending), CHUNK):
        chunk = conversations_of(assistant, asking.origin.day, pending[n : n + CHUNK])
        yield [(one.conversation_id, request) for one in chunk for request in asking.first(one)]


def _threads(slots: int) -> int:
    """Some more than slots: while one writes its next question, or reads its last answer, its slot is another's."""
    return slots + slots // 4


def _ask_all(assistant: Assistant, asking: Asking, done: Done, batches: Sequence[str]) -> None:
    """Ask about every pending conversation what batches have not answered; what came before a stop is kept."""
    work, day, pending = asking.work, asking.origin.day, asking.plan.pending
    with closing(AnswerBook(assistant.store, _book_name(assistant, work, day))) as book:
        engine = Engine(
            assistant.provider_of(asking.model),
            book,
            limiter(assistant, asking.model),
            asking.tariff.price,
            reserve(assistant, asking.tariff.at_once()),
        )

        def ask(conversation: Conversation) -> Result:
            about = About(day=str(day), conversation_id=conversation.conversation_id)
            return asking.ask(conversation, lambda request, check: engine.ask(request, check, about))

        with assistant.progress(work.task, len(pending)) as advance:
            conversations = _looked_up(assistant, asking, book, done)
            for conversation, end in in_order_of_end(ask, conversations, _threads(assistant.settings.concurrency)):
                if isinstance(end, Stopped):
                    done.stopped = done.stopped or end
                    continue
                _note(done, asking, conversation, end, assistant)
                advance()
        first, estimate = brought(assistant, batches)
        first = min(engine.reused, first)
        done.asked, done.reused = engine.asked + first, engine.reused - first
        done.quoted = None if done.quoted is None or estimate is None else done.quoted + estimate
    if done.reused:
        model = {"provider": asking.model.provider, "model": asking.model.model}
        row = {"run_id": assistant.run_id, "task": work.task, **model, "day": day}
        done.rows.add("answers_reused", [row | {"questions": done.reused, "reused_at": assistant.now()}])


def _looked_up(assistant: Assistant, asking: Asking, book: AnswerBook, done: Done) -> Iterator[Conversation]:
    """The conversations, a chunk at a time, each when the ledger has been searched for answers about it.

    What the others would cost is quoted then.
    """
    pending = asking.plan.pending
    for n in range(0, len(pending), CHUNK):
        ids = pending[n : n + CHUNK]
        chunk = conversations_of(assistant, asking.origin.day, ids)
        questions = {request.hash: request for c in chunk for request in asking.first(c)}
        book.preload(questions, ids)
        more = asking.tariff.cost([request for key, request in questions.items() if not book.holds(key)])
        done.quoted = None if done.quoted is None or more is None else done.quoted + more
        yield from chunk


def _note(done: Done, asking: Asking, conversation: Conversation, result: Result, assistant: Assistant) -> None:
    """Turn a result into rows."""
    done.ids.add(conversation.conversation_id)
    done.outcomes[result.outcome] += 1
    for table, rows in asking.rows(conversation, restored(conversation, result)).items():
        done.rows.add(table, [_stamped(row, table, assistant) for row in rows])
    done.rows.add("failures", _failure(asking.origin, asking.work, conversation, result, assistant))


def _replace(assistant: Assistant, day: date, asking: Asking, done: Done) -> None:
    """Replace the day in one transaction; rows of conversations that were done before stay as they are.

    So do those of conversations that were to be brought to another schema and that a stop came before.
    """
    kept = asking.plan.kept | (asking.plan.done - done.ids)
    with assistant.store.writing() as transaction:
        changed = _clear(transaction, day, asking.work, kept)
        done.rows.write(transaction)
        if not done.stopped:
            mark_used(transaction, asking.work.task, day)
        if changed or done.ids:
            transaction.execute("update days set delivered_to = [] where day = $day", day=day)


def _stamped(row: Row, table: str, assistant: Assistant) -> Row:
    stamp = {"tagged_conversations": "tagged_at", "judge_scores": "judged_at"}.get(table)
    return row | {stamp: assistant.now()} if stamp else row


def _clear(transaction: Transaction, day: date, work: Work, kept: Collection[str]) -> bool:
    names: dict[str, Any] = {"day": day, "kept": as_json(kept)}
    gone = "day = $day and conversation_id not in (select unnest($kept::json::varchar[]))"
    count = 0
    for table in work.tables:
        count += transaction.rows(f"select count(*) as n from {table} where {gone}", **names)[0]["n"]
        transaction.execute(f"delete from {table} where {gone}", **names)
    transaction.execute(f"delete from failures where stage = $stage and {gone}", stage=work.task, **names)
    return count > 0


def _failure(
    origin: Answered, work: Work, conversation: Conversation, result: Result, assistant: Assistant
) -> list[Row]:
    if result.outcome == "ok":
        return []
    row = {
        "day": origin.day,
        "stage": work.task,
        "conversation_id": conversation.conversation_id,
        "reason": result.outcome,
        "detail": result.detail,
        "retryable": result.outcome not in FINAL_OUTCOMES,
        "attempts": result.questions,
        "failed_at": assistant.now(),
    }
    return [row]


def _tagged_rows(origin: Answered, conversation: Conversation, result: Tagged) -> dict[str, list[Row]]:
    by_position = {m.position: m for m in conversation.messages}
    common = {"conversation_id": conversation.conversation_id}
    done = origin.row(
        **common,
        content_hash=conversation.content_hash,
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


def _judged_rows(origin: Answered, conversation: Conversation, result: Judged) -> dict[str, list[Row]]:
    found = result.judgment.model_dump(mode="json") if result.judgment else {}
    fields = {
        "score": found.get("score"),
        "because": found.get("because"),
        "verdicts": json.dumps(found.get("verdicts", {}), ensure_ascii=False),
        "dealbreakers": json.dumps(found.get("dealbreakers", {}), ensure_ascii=False),
        "outcome": result.outcome,
        "cost": result.cost,
    }
    row = origin.row(conversation_id=conversation.conversation_id, content_hash=conversation.content_hash, **fields)
    return {"judge_scores": [row]}


def _stage(task: str, conversations: int, kept: int, done: Done, spent: Row) -> Stage:
    calls = done.asked + done.reused
    return Stage(
        stage=task,
        conversations=conversations,
        done=done.outcomes["ok"],
        kept=kept,
        failures=sum(done.outcomes.values()) - done.outcomes["ok"],
        final_failures=sum(done.outcomes[outcome] for outcome in FINAL_OUTCOMES if outcome != "ok"),
        asked=done.asked,
        reused=done.reused,
        quoted=done.quoted,
        share_reused=done.reused / calls if calls else None,
        cost_per_conversation=_each(spent.get("cost", 0.0), len(done.ids)),
        **spent,
    )


def _each(dollars: float | None, conversations: int) -> float | None:
    return None if dollars is None or not conversations else dollars / conversations


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
