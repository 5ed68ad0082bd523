"""The results of a pass: the rows of answers and failures, the replaced days, and the counts of each stage."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from cpa_core.errors import AnswersUnusable, ProviderStopped, Stopped
from cpa_core.llm import About, Engine
from cpa_core.models import FINAL_OUTCOMES, Conversation
from cpa_core.pipeline.assistant import Assistant, Stage
from cpa_core.pipeline.batches.poll import brought, mark_used
from cpa_core.pipeline.label.given_up import (
    CONTROL_ID,
    Failures,
    control,
    form_of,
    pause_of,
    replace_failures,
    row_of,
)
from cpa_core.pipeline.label.questions import Asking, first_questions
from cpa_core.pipeline.label.redact import restored
from cpa_core.pipeline.label.shares import DayShares, TaskShare
from cpa_core.pipeline.label.tasks import Result, Work
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction, as_json, each_of
from cpa_core.tagging import Tagged


def take(share: TaskShare, conversation: Conversation, result: Result, assistant: Assistant) -> None:
    """Write a result, or set it aside if it is a failure that may be temporary."""
    if result.outcome in FINAL_OUTCOMES:
        _note(share, conversation, result, assistant.now)
    else:
        share.failed.append((conversation, result))


def is_blameless(task: str, result: Result, why: Stopped | None) -> bool:
    """Return whether a failure is not the conversation's fault: the model answered no question, or none well."""
    if isinstance(why, AnswersUnusable):
        return why.task in ("", task)
    return isinstance(why, ProviderStopped) and result.outcome == "error"


def needs_control(assistant: Assistant, share: TaskShare) -> bool:
    """Whether a question failed again that may count, in a run in which the model answered no other well."""
    return any(
        conversation.conversation_id in share.asking.before
        and _counts(assistant, share, conversation, result)
        and not _answers_others(assistant, share, conversation)
        for conversation, result in share.failed
    )


def ask_control(share: TaskShare, engine: Engine) -> None:
    """Ask the model about a greeting: its watch sees whether that is answered well."""
    about = About(day=str(share.day), conversation_id=CONTROL_ID, failed_before=True)
    greeting = control(share.asking.origin.day)
    with suppress(Stopped):
        share.asking.work.ask(
            greeting,
            share.asking.origin.schema,
            share.asking.model,
            lambda request, check: engine.ask(request, check, about),
            None,
        )


def _counts(assistant: Assistant, share: TaskShare, conversation: Conversation, result: Result) -> bool:
    """Whether a failure counts where the model answers others well."""
    before = share.asking.before.get(conversation.conversation_id, Failures())
    return before.may_count(result.outcome, assistant.now(), pause_of(assistant))


def _answers_others(assistant: Assistant, share: TaskShare, conversation: Conversation) -> bool:
    watch = assistant.watch(share.asking.model)
    return watch.has_answered_others(share.task, conversation.conversation_id)


def note_failures(share: TaskShare, assistant: Assistant) -> None:
    """Write the failures.

    If the run discovered another form of asking, earlier failures in the old form do not count.
    """
    began = share.asking.origin
    origin = replace(began, form=form_of(assistant, share.asking.model)) if share.failed else began
    before = share.asking.before if origin.way == began.way else {}
    for conversation, result in share.failed:
        failures = before.get(conversation.conversation_id, Failures())
        if _counts(assistant, share, conversation, result) and _answers_others(assistant, share, conversation):
            failures = failures.and_one(result.outcome, assistant.now())
        if failures.counted:
            share.counted.append(row_of(origin, share.asking.work.task, conversation, failures))
        _note(share, conversation, result, assistant.now, is_final=failures.is_final)


def _note(
    share: TaskShare, conversation: Conversation, result: Result, now: Callable[[], datetime], *, is_final: bool = True
) -> None:
    """Turn a result into rows."""
    share.ids.add(conversation.conversation_id)
    share.outcomes[result.outcome] += 1
    share.given_up += is_final and result.outcome not in FINAL_OUTCOMES
    share.folded += result.folded if isinstance(result, Tagged) else 0
    prompt_id = share.prompts.get(conversation.conversation_id)
    for table, rows in share.asking.rows(conversation, restored(conversation, result), prompt_id).items():
        share.rows.add(table, [_stamped(row, table, now) for row in rows])
    share.rows.add("failures", _failure(share.asking, conversation, result, now, is_final=is_final))


def _stamped(row: Row, table: str, now: Callable[[], datetime]) -> Row:
    stamp = {"tagged_conversations": "tagged_at", "judge_scores": "judged_at"}.get(table)
    return row | {stamp: now()} if stamp else row


def _failure(
    asking: Asking, conversation: Conversation, result: Result, now: Callable[[], datetime], *, is_final: bool
) -> list[Row]:
    if result.outcome == "ok":
        return []
    row = {
        "day": asking.origin.day,
        "stage": asking.work.task,
        "conversation_id": conversation.conversation_id,
        "reason": result.outcome,
        "detail": result.detail + "".join(f" '{value}'" for value in result.wrong),
        "retryable": not is_final,
        "attempts": result.questions,
        "failed_at": now(),
    }
    return [row]


def count(assistant: Assistant, share: TaskShare, engine: Engine) -> None:
    """Count the questions asked, and those answered before.

    Answers from this day's batches are found in the ledger, but count as asked and paid for now, as far as they are
    used.
    """
    key = str(share.day), share.task
    asked, reused = engine.asked[key], engine.reused[key]
    first, estimate = brought(assistant.store, share.batches.keys)
    first = min(reused, first)
    share.asked, share.reused = asked + first, reused - first
    share.folded += engine.folded[key]
    share.quote(estimate)
    if share.reused:
        model = {"provider": share.asking.model.provider, "model": share.asking.model.model}
        row = {"run_id": assistant.run_id, "task": share.task, **model, "day": share.asking.origin.day}
        share.rows.add("answers_reused", [row | {"questions": share.reused, "reused_at": assistant.now()}])


def replace_days(store: Store, days: Sequence[DayShares]) -> None:
    """Replace the days in one transaction; rows of conversations that were done before stay as they are.

    So do those of conversations that were to be brought to another schema and that a stop came before.
    """
    if not days:
        return
    with store.writing() as transaction:
        for one in days:
            changed = [_cleared(transaction, share) for share in one.asked]
            if any(changed) or any(share.ids for share in one.asked):
                transaction.answer("build/mark_undelivered", day=one.day)
        for share in (share for one in days for share in one.asked):
            share.rows.write(transaction)


def _cleared(transaction: Transaction, share: TaskShare) -> bool:
    """Delete what a share replaces, and write how often its questions failed. Return whether anything was deleted."""
    own, work = share.asking.plan, share.asking.work
    changed = _clear(transaction, share.day, work, own.kept | (own.done - share.ids) | own.waiting.keys())
    if share.ids:
        replace_failures(transaction, work.task, sorted(share.ids), share.counted)
    if share.batches.keys and not share.is_open:
        mark_used(transaction, work.task, share.day)
    return changed


def _clear(transaction: Transaction, day: date, work: Work, kept: Collection[str]) -> bool:
    names: dict[str, Any] = {"day": day, "kept": as_json(kept)}
    gone = f"day = $day and conversation_id not in {each_of('kept')}"
    count = 0
    for table in work.tables:
        found = transaction.count(table, gone, **names)
        if found:
            transaction.delete(table, gone, **names)
        count += found
    transaction.delete("failures", f"stage = $stage and {gone}", stage=work.task, **names)
    return count > 0


def left_of(assistant: Assistant, share: TaskShare) -> Iterator[str]:
    """Yield a line with the conversations that a task left when it reached its budget, and their cost."""
    asking = share.asking
    left = [one for one in asking.plan.pending if one not in share.ids]
    chunks = first_questions(assistant, asking, left)
    prices = [asking.tariff.cost([one.request for one in chunk]) for chunk in chunks]
    words = "an unknown sum" if None in prices else f"at most about ${sum(p for p in prices if p is not None):.4f}"
    if left:
        yield f"{len(left)} of {len(asking.plan.pending)} conversations are left to {share.task}, for {words}"


def _spent(store: Store, share: TaskShare, book: str) -> Row:
    """Tokens and cost of the answers of a run and of batches. Unknown while another process still merges them."""
    batches = as_json(share.batches.keys)
    with store.reading() as view:
        found = view.answer("label/cost_of_run", run=book, day=share.day, task=share.task, batches=batches)[0]
    return {name: value if found["calls"] else None for name, value in found.items() if name != "calls"}


def stage_of(assistant: Assistant, share: TaskShare, book: str) -> Stage:
    calls = share.asked + share.reused
    postponed = share.asking.plan.waiting
    spent = _spent(assistant.store, share, book) if share.asked else {}
    conversations = spent.pop("conversations", 0)
    return Stage(
        stage=share.task,
        conversations=len(share.asking.plan.ids),
        done=share.outcomes["ok"],
        kept=len(share.asking.plan.kept),
        failures=sum(share.outcomes.values()) - share.outcomes["ok"] + len(postponed),
        final_failures=share.given_up + sum(share.outcomes[outcome] for outcome in FINAL_OUTCOMES if outcome != "ok"),
        asked=share.asked,
        reused=share.reused,
        folded=share.folded,
        quoted=share.quoted,
        share_reused=share.reused / calls if calls else None,
        cost_per_conversation=_each(spent.get("cost", 0.0), conversations),
        waiting=share.batches.waiting,
        postponed=len(postponed),
        **spent,
    )


def _each(dollars: float | None, conversations: int | None) -> float | None:
    return None if dollars is None or not conversations else dollars / conversations
