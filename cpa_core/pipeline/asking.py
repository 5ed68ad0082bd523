"""Tagging and judging a day: only what is open is asked, and the day is replaced in one transaction."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

from cpa_core.errors import ProviderStopped
from cpa_core.judging import Judged, judge_conversation
from cpa_core.judging import question as judge_question
from cpa_core.llm import About, Ask, Engine, Limiter, ModelName, Request
from cpa_core.models import FINAL_OUTCOMES, Conversation, EventSchema, Message, event_id
from cpa_core.pipeline.context import Assistant, Stage
from cpa_core.pipeline.schemas import current_schema, read_schema
from cpa_core.pricing import cost
from cpa_core.prompts import Task, prompt_id
from cpa_core.store import AnswerBook
from cpa_core.store.database import Row, Transaction
from cpa_core.tagging import Tagged, first_requests, tag_conversation

Result = Tagged | Judged


@dataclass(frozen=True)
class Work:
    """How a task is done: its words, its tables, and how one conversation is asked and written down."""

    task: Task
    tables: tuple[str, ...]
    ask: Callable[[Conversation, EventSchema, ModelName, Ask], Result]
    first: Callable[[Conversation, EventSchema, ModelName], list[Request]]
    rows: Callable[["Answered", Conversation, Any], dict[str, list[Row]]]


@dataclass(frozen=True)
class Answered:
    """By what a day was asked: written beside every result."""

    day: date
    schema: EventSchema
    prompt_id: str
    model: str

    def row(self, **fields: Any) -> Row:
        """A row with its origin."""
        origin = {"schema_version": self.schema.version, "prompt_id": self.prompt_id, "model": self.model}
        return {"day": self.day, **origin, **fields}


def tag_day(assistant: Assistant, day: date) -> Stage:
    """Tag the conversations of a day that are not tagged as they are now. Raises ProviderStopped."""
    return _ask_day(assistant, day, TAG)


def judge_day(assistant: Assistant, day: date) -> Stage:
    """Judge the conversations of a day that are not judged as they are now. Raises ProviderStopped."""
    return _ask_day(assistant, day, JUDGE)


def _ask_day(assistant: Assistant, day: date, work: Work) -> Stage:
    model = assistant.model(work.task)
    schema, _ = current_schema(assistant)
    origin = Answered(day=day, schema=schema, prompt_id=prompt_id(work.task), model=str(model))
    with assistant.store.day_lock(day):
        conversations, kept = _conversations(assistant, origin, work)
        pending = [c for c in conversations if c.conversation_id not in kept]
        results, asked, stopped = _ask_all(assistant, pending, origin, model, work) if pending else ({}, 0, None)
        _replace(assistant, origin, work, conversations, kept, results)
    if stopped:
        raise stopped
    spent = _spent(assistant, _book_name(assistant, work, day)) if asked else {}
    return _stage(work.task, len(conversations), len(kept), list(results.values()), {"asked": asked, **spent})


def open_questions(assistant: Assistant, day: date) -> list[Request]:
    """The questions that tagging and judging a built day would begin with, answered before or not."""
    questions: list[Request] = []
    schema = read_schema(assistant)[0]
    for work in (TAG, JUDGE):
        model = assistant.model(work.task)
        origin = Answered(day=day, schema=schema, prompt_id=prompt_id(work.task), model=str(model))
        conversations, kept = _conversations(assistant, origin, work)
        pending = [c for c in conversations if c.conversation_id not in kept]
        questions += [request for c in pending for request in work.first(c, schema, model)]
    return questions


def _conversations(assistant: Assistant, origin: Answered, work: Work) -> tuple[list[Conversation], set[str]]:
    """The conversations of the day, and the ids of those that are done for good."""
    with assistant.store.reading() as view:
        done = view.answer(
            f"{work.task}_done",
            day=origin.day,
            schema_version=origin.schema.version,
            prompt_id=origin.prompt_id,
            model=origin.model,
        )
    return conversations_of(assistant, origin.day), {row["conversation_id"] for row in done}


def _book_name(assistant: Assistant, work: Work, day: date) -> str:
    return f"{assistant.run_id}-{work.task}-{day}"


def _spent(assistant: Assistant, book: str) -> Row:
    """Tokens and cost of a run's answers. Unknown while another process still merges them."""
    with assistant.store.reading() as view:
        found = view.answer("spent", run=book)[0]
    return {name: value if found["calls"] else None for name, value in found.items() if name != "calls"}


def conversations_of(assistant: Assistant, day: date) -> list[Conversation]:
    """The conversations of a built day, in order of their start."""
    with assistant.store.reading() as view:
        rows = view.answer("conversations_of_day", day=day)
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["conversation_id"], []).append(row)
    return [_conversation(day, key, of_one) for key, of_one in grouped.items()]


def _conversation(day: date, conversation_id: str, rows: Sequence[Row]) -> Conversation:
    return Conversation(
        conversation_id=conversation_id,
        user_id=rows[0]["user_id"],
        day=day,
        content_hash=rows[0]["content_hash"],
        messages=tuple(Message(**{name: row[name] for name in Message.model_fields}) for row in rows),
    )


def _ask_all(
    assistant: Assistant, pending: Sequence[Conversation], origin: Answered, model: ModelName, work: Work
) -> tuple[dict[str, Result], int, ProviderStopped | None]:
    """Ask about every pending conversation; what came before a stop is kept."""
    schema, workers = origin.schema, assistant.settings.concurrency
    results: dict[str, Result] = {}
    stopped: ProviderStopped | None = None
    with closing(AnswerBook(assistant.store, _book_name(assistant, work, origin.day))) as book:
        book.preload(
            [request.hash for c in pending for request in work.first(c, schema, model)],
            [c.conversation_id for c in pending],
        )
        engine = Engine(assistant.provider_of(model), book, Limiter(workers), cost)

        def ask(conversation: Conversation) -> Result:
            about = About(day=str(origin.day), conversation_id=conversation.conversation_id)
            return work.ask(conversation, schema, model, lambda r, check: engine.ask(r, check, about))

        with (
            assistant.progress(work.task, len(pending)) as advance,
            ThreadPoolExecutor(max_workers=workers) as pool,
        ):
            futures = {pool.submit(ask, c): c.conversation_id for c in pending}
            for future in as_completed(futures):
                try:
                    results[futures[future]] = future.result()
                    advance()
                except ProviderStopped as error:
                    stopped = error
        asked = engine.asked
    return results, asked, stopped


def _replace(
    assistant: Assistant,
    origin: Answered,
    work: Work,
    conversations: Sequence[Conversation],
    kept: set[str],
    results: dict[str, Result],
) -> None:
    """Replace the day in one transaction; rows of conversations that were done before stay as they are."""
    tables: dict[str, list[Row]] = {table: [] for table in (*work.tables, "failures")}
    for conversation in conversations:
        result = results.get(conversation.conversation_id)
        if result is None:
            continue
        for table, rows in work.rows(origin, conversation, result).items():
            tables[table] += [_stamped(row, table, assistant) for row in rows]
        tables["failures"] += _failure(origin, work, conversation, result, assistant)
    with assistant.store.writing() as transaction:
        changed = _clear(transaction, origin.day, work, kept)
        for table, rows in tables.items():
            transaction.insert(table, rows)
        if changed or results:
            transaction.execute("update days set delivered_to = [] where day = $day", day=origin.day)


def _stamped(row: Row, table: str, assistant: Assistant) -> Row:
    stamp = {"tagged_conversations": "tagged_at", "judge_scores": "judged_at"}.get(table)
    return row | {stamp: assistant.now()} if stamp else row


def _clear(transaction: Transaction, day: date, work: Work, kept: set[str]) -> bool:
    names: dict[str, Any] = {"day": day, "kept": sorted(kept)}
    gone = "day = $day and not list_contains($kept::varchar[], conversation_id)"
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


def _stage(task: str, conversations: int, kept: int, results: Sequence[Result], spent: Row) -> Stage:
    failed = [r for r in results if r.outcome != "ok"]
    return Stage(
        stage=task,
        conversations=conversations,
        done=len(results) - len(failed),
        kept=kept,
        failures=len(failed),
        final_failures=sum(r.outcome in FINAL_OUTCOMES for r in failed),
        **spent,
    )


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
    ask=judge_conversation,
    first=lambda conversation, schema, model: [judge_question(conversation, schema, model)],
    rows=_judged_rows,
)
