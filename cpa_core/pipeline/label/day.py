"""Tagging and judging a day: the stages ask only open questions, and replace the day in one transaction.

Both tasks share one pass where they can: a conversation is read once, and no slot is idle while one task is all but
done and the other has not begun.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from cpa_core.errors import AnswersUnusable, BudgetReached, ProviderStopped, Stopped
from cpa_core.llm import About, Ask, Brake, Engine, ModelName, Request
from cpa_core.models import FINAL_OUTCOMES, Conversation, EventSchema, Message
from cpa_core.pipeline.assistant import Assistant, Stage
from cpa_core.pipeline.batches.earlier import earlier, handed_over
from cpa_core.pipeline.batches.poll import Settled, at_work, brought, mark_used, settle
from cpa_core.pipeline.batches.submit import Asker, BatchQuestion
from cpa_core.pipeline.budget import Tariff, budgets, limiter, reserve, tariff
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.pipeline.label.context import with_context
from cpa_core.pipeline.label.given_up import (
    CONTROL_ID,
    Failures,
    control,
    failures_before,
    form_of,
    pause_of,
    replace_failures,
    row_of,
    waiting,
)
from cpa_core.pipeline.label.plan import LabelOrigin, Plan, plan
from cpa_core.pipeline.label.redact import as_sent, asked_by, restored
from cpa_core.pipeline.label.tasks import JUDGE, TAG, Positions, Result, Work
from cpa_core.pipeline.schema.current import current_schema
from cpa_core.providers.advice import advised
from cpa_core.store import AnswerBook, Store
from cpa_core.store.buffers import Buffers
from cpa_core.store.database import Row, Transaction, as_json
from cpa_core.tagging import Tagged

CHUNK = 250
"""Conversations that are read, and looked up in the ledger, at a time."""
ASKED = ("message_id", "position", "role", "content", "sent_at")
"""The fields of a message as it is read."""


def tag_day(assistant: Assistant, day: date, *, retag: bool = True) -> Stage:
    """Tag the conversations of a day whose tags are missing or outdated. Raises Stopped.

    With `retag`, tags by another schema, prompt or model are renewed; without it, they stay.
    """
    return _ask_day(assistant, day, (TAG,), retag)[0]


def judge_day(assistant: Assistant, day: date, *, retag: bool = True) -> Stage:
    """Judge the conversations of a day that are not judged as they are now, as in `tag_day`. Raises Stopped."""
    return _ask_day(assistant, day, (JUDGE,), retag)[0]


def tag_and_judge_day(assistant: Assistant, day: date, *, retag: bool = True) -> tuple[Stage, Stage]:
    """Do what `tag_day` and `judge_day` do, in one pass. Raises Stopped; then both keep what was answered."""
    tagged, judged = _ask_day(assistant, day, (TAG, JUDGE), retag)
    return tagged, judged


def _ask_day(assistant: Assistant, day: date, works: Sequence[Work], retag: bool) -> list[Stage]:
    schema, _ = current_schema(assistant)
    with assistant.store.day_lock(day):
        shares, refused = _shares(assistant, day, works, schema, retag)
        asked = [share for share in shares if not share.batches.waiting]
        stopped = _ask_all(assistant, day, [share for share in asked if share.pending])
        if asked:
            _replace(assistant.store, day, asked, whole=not stopped)
    if isinstance(stopped, BudgetReached):
        left = "; ".join(line for share in asked for line in _left(assistant, share))
        raise BudgetReached(f"{stopped}: {day}: {left}")
    for stop in (stopped, refused):
        if isinstance(stop, ProviderStopped):
            raise advised(stop, assistant.settings)
        if stop:
            raise stop
    return [_stage(assistant, share) for share in shares]


@dataclass(frozen=True)
class Asking:
    """The parameters of asking about a day's conversations."""

    origin: LabelOrigin
    model: ModelName
    work: Work
    tariff: Tariff
    plan: Plan
    before: Mapping[str, Failures]

    def first(self, conversation: Conversation) -> list[Request]:
        """The questions that a conversation begins with."""
        return self.work.first(conversation, self.origin.schema, self.model, self._positions(conversation))

    def ask(self, conversation: Conversation, ask: Ask) -> Result:
        """Ask the open questions about a conversation."""
        return self.work.ask(conversation, self.origin.schema, self.model, ask, self._positions(conversation))

    def rows(self, conversation: Conversation, result: Result, prompt_id: str | None = None) -> dict[str, list[Row]]:
        """Return the rows to write of a result, with the tags carried over; `prompt_id` replaces the origin's."""
        origin = replace(self.origin, prompt_id=prompt_id) if prompt_id else self.origin
        rows = self.work.rows(origin, conversation, result)
        carried = self.plan.carried.get(conversation.conversation_id, ())
        return rows | {"tagged_events": [*carried, *rows["tagged_events"]]} if carried else rows

    def _positions(self, conversation: Conversation) -> Positions:
        return self.plan.partly.get(conversation.conversation_id)


class TaskShare:
    """One task's share of a pass: its questions, the batches that answer them, and its results so far.

    `failed` are failures that may be temporary. They are written when the pass ends, if the model then works. `counted`
    is the stored number of such failures of each.
    """

    def __init__(self, asking: Asking, batches: Settled) -> None:
        self.asking = asking
        self.batches = batches
        self.pending = frozenset(asking.plan.pending)
        self.rows = Buffers()
        self.failed: list[tuple[Conversation, Result]] = []
        self.counted: list[Row] = []
        self.given_up = 0
        self.ids: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.asked = 0
        self.reused = 0
        self.folded = 0
        self.quoted: float | None = 0.0
        self.prompts: dict[str, str] = {}

    def take_earlier(self, book: AnswerBook, conversations: Sequence[Conversation]) -> None:
        """Use batch answers to an earlier version's questions as answers to the present ones."""
        for one in conversations if self.batches.earlier else ():
            for request in self.asking.first(one):
                before = self.batches.earlier.get(request.hash)
                if before and book.stands_for(before.request_hash, request.hash):
                    self.prompts[one.conversation_id] = before.prompt_id

    @property
    def task(self) -> str:
        """The task's name."""
        return self.asking.work.task

    def quote(self, dollars: float | None) -> None:
        """Add this price to the quote; null if it is unknown."""
        self.quoted = None if self.quoted is None or dollars is None else self.quoted + dollars


def _asking(assistant: Assistant, day: date, work: Work, schema: EventSchema, *, retag: bool) -> Asking:
    model = assistant.model(work.task)
    form = form_of(assistant, model)
    origin = LabelOrigin(
        day=day, schema=schema, prompt_id=asked_by(assistant.settings, work.task), model=str(model), form=form
    )
    with assistant.store.reading() as view:
        found = plan(view, origin, work.task, retag=retag)
        before = failures_before(view, origin, work.task)
    found = replace(found, most=assistant.most_conversations, waiting=_still_open(waiting(assistant, before), found))
    return Asking(origin, model, work, tariff(assistant, work.task, model), found, before)


def _still_open(times: Mapping[str, datetime], found: Plan) -> dict[str, datetime]:
    return {key: at for key, at in times.items() if key not in found.kept}


def _shares(
    assistant: Assistant, day: date, works: Sequence[Work], schema: EventSchema, retag: bool
) -> tuple[list[TaskShare], Stopped | None]:
    """Return the tasks' shares as far as their batches could be polled, and the reason that stopped it."""
    shares: list[TaskShare] = []
    for work in works:
        wanted = retag or any(row.retag for row in at_work(assistant.store, work.task, day))
        try:
            shares.append(_share(assistant, _asking(assistant, day, work, schema, retag=wanted), retag=wanted))
        except Stopped as stopped:
            if isinstance(stopped, ProviderStopped):
                stopped.provider = stopped.provider or assistant.model(work.task).provider
            return shares, stopped
    return shares, None


def _share(assistant: Assistant, asking: Asking, *, retag: bool) -> TaskShare:
    asker = _asker(asking, retag=retag)
    return TaskShare(asking, settle(assistant, asker, lambda: _questions(assistant, asking, asking.plan.pending)))


def _asker(asking: Asking, *, retag: bool) -> Asker:
    origin = asking.origin
    by = origin.schema.version, origin.prompt_id
    return Asker(asking.work.task, origin.day, asking.model, asking.tariff, retag, *by)


def open_questions(assistant: Assistant, day: date, schema: EventSchema, *, retag: bool) -> Iterator[Request]:
    """The questions that tagging and judging a built day would begin with, answered before or not."""
    for request, _ in questions_and_names(assistant, day, schema, retag=retag):
        yield request


def questions_and_names(
    assistant: Assistant, day: date, schema: EventSchema, *, retag: bool
) -> Iterator[tuple[Request, str]]:
    """Yield the same questions, each with the hash of its answer, which differs if a batch asks it in earlier words."""
    for work in (TAG, JUDGE):
        asking = _asking(assistant, day, work, schema, retag=retag)
        asker = _asker(asking, retag=retag)
        with assistant.store.reading() as view:
            known = handed_over(view, asker)
        for chunk in _questions(assistant, asking, asking.plan.pending):
            before = earlier(known, asker, chunk)
            for one in chunk:
                key = one.request.hash
                yield one.request, before[key].request_hash if key in before else key


def _questions(assistant: Assistant, asking: Asking, ids: Sequence[str]) -> Iterator[list[BatchQuestion]]:
    """Yield the first questions about these conversations, a chunk at a time."""
    for chunk in conversations_asked(assistant, asking.origin.day, asking.origin.schema, ids):
        yield [
            BatchQuestion(one.conversation_id, one.asked_content, request)
            for one in chunk
            for request in asking.first(one)
        ]


def conversations_asked(
    assistant: Assistant, day: date, schema: EventSchema, ids: Sequence[str]
) -> Iterator[list[Conversation]]:
    """These conversations of a built day as a model may see them, in order of their start, a chunk at a time."""
    for n in range(0, len(ids), CHUNK):
        with assistant.store.reading() as view:
            rows = view.answer("label/conversations_of_day", day=day, ids=as_json(ids[n : n + CHUNK]))
        grouped: dict[str, list[Row]] = {}
        for row in rows:
            grouped.setdefault(row["conversation_id"], []).append(row)
        found = [conversation_of(day, key, of_one) for key, of_one in grouped.items()]
        yield as_sent(assistant, with_context(assistant.store, schema, found))


def conversation_of(day: date, conversation_id: str, rows: Sequence[Row]) -> Conversation:
    """A conversation of its rows in `label/conversations_of_day`."""
    return Conversation(
        conversation_id=conversation_id,
        user_id=rows[0]["user_id"],
        day=day,
        content_hash=rows[0]["content_hash"],
        messages=tuple(Message(**{name: row[name] for name in ASKED}) for row in rows),
    )


def _threads(slots: int) -> int:
    """Some more than slots: while one writes its next question, or reads its last answer, its slot is another's."""
    return slots + slots // 4


def _ask_all(assistant: Assistant, day: date, shares: Sequence[TaskShare]) -> Stopped | None:
    """Ask every pending question that no batch has answered. Return the reason that stopped it, else null.

    Answers before a stop are kept.
    """
    if not shares:
        return None
    models = {share.asking.model for share in shares}
    brake = Brake(len(models), {str(model): assistant.watch(model) for model in models})
    with closing(AnswerBook(assistant.store, _book_name(assistant.run_id, day))) as book:
        engines = _engines(assistant, shares, book, brake)

        def work(one: tuple[TaskShare, Conversation]) -> Result:
            share, conversation = one
            engine = engines[share.asking.model]
            key = conversation.conversation_id
            before = share.asking.before.get(key)
            about = About(day=str(day), conversation_id=key, failed_before=before is not None and before.counted > 0)
            return share.asking.ask(conversation, lambda request, check: engine.ask(request, check, about))

        ends = in_order_of_end(
            work,
            _looked_up(assistant, day, shares, book),
            _threads(assistant.settings.concurrency),
            cut_short=lambda: brake.stop(Stopped("the run was ended")),
        )
        total = sum(len(share.pending) for share in shares)
        with assistant.progress(" and ".join(share.task for share in shares), total) as advance, closing(ends):
            for (share, conversation), end in ends:
                if not isinstance(end, Stopped):
                    _take(share, conversation, end, assistant)
                    advance()
        for share in shares:
            if _needs_control(assistant, share) and not brake.why:
                _ask_control(share, engines[share.asking.model])
    for share in shares:
        share.failed = [one for one in share.failed if not _is_blameless(share.task, one[1], brake.why)]
        _note_failures(share, assistant)
        _count(assistant, share, engines[share.asking.model])
    return brake.why


def _engines(
    assistant: Assistant, shares: Sequence[TaskShare], book: AnswerBook, brake: Brake
) -> Mapping[ModelName, Engine]:
    """An engine for each model. All spend the same money, set aside at the price of the task that asks."""
    tariffs = {share.task: share.asking.tariff.at_once() for share in shares}
    money = reserve(budgets(assistant, *tariffs.values()), lambda request: tariffs[request.task])
    return {
        model: Engine(assistant.provider_of(model), book, limiter(assistant, model), own.price, money, brake)
        for model, own in {share.asking.model: share.asking.tariff for share in shares}.items()
    }


def _looked_up(
    assistant: Assistant, day: date, shares: Sequence[TaskShare], book: AnswerBook
) -> Iterator[tuple[TaskShare, Conversation]]:
    """Yield each conversation once for every task that it is pending in, after searching the ledger for answers.

    The price of the others is then quoted.
    """
    pending = frozenset[str]().union(*(share.pending for share in shares))
    asking = shares[0].asking
    ids = [one for one in asking.plan.ids if one in pending]
    for chunk in conversations_asked(assistant, day, asking.origin.schema, ids):
        work = [(share, one) for one in chunk for share in shares if one.conversation_id in share.pending]
        questions = {request.hash: (share, request) for share, one in work for request in share.asking.first(one)}
        book.preload(questions, [one.conversation_id for one in chunk])
        for share in shares:
            share.take_earlier(book, chunk)
        for share in shares:
            own = [request for key, (asker, request) in questions.items() if asker is share and not book.holds(key)]
            share.quote(share.asking.tariff.cost(own))
        yield from work


def _take(share: TaskShare, conversation: Conversation, result: Result, assistant: Assistant) -> None:
    """Write a result, or set it aside if it is a failure that may be temporary."""
    if result.outcome in FINAL_OUTCOMES:
        _note(share, conversation, result, assistant.now)
    else:
        share.failed.append((conversation, result))


def _is_blameless(task: str, result: Result, why: Stopped | None) -> bool:
    """Return whether a failure is not the conversation's fault: the model answered no question, or none well."""
    if isinstance(why, AnswersUnusable):
        return why.task in ("", task)
    return isinstance(why, ProviderStopped) and result.outcome == "error"


def _needs_control(assistant: Assistant, share: TaskShare) -> bool:
    """Whether a question failed again that may count, in a run in which the model answered no other well."""
    return any(
        conversation.conversation_id in share.asking.before
        and _counts(assistant, share, conversation, result)
        and not _answers_others(assistant, share, conversation)
        for conversation, result in share.failed
    )


def _ask_control(share: TaskShare, engine: Engine) -> None:
    """Ask the model about a greeting: its watch sees whether that is answered well."""
    about = About(day="", conversation_id=CONTROL_ID, failed_before=True)
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


def _note_failures(share: TaskShare, assistant: Assistant) -> None:
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


def _count(assistant: Assistant, share: TaskShare, engine: Engine) -> None:
    """Count the questions asked, and those answered before.

    Answers from this day's batches are found in the ledger, but count as asked and paid for now, as far as they are
    used.
    """
    asked, reused = engine.asked[share.task], engine.reused[share.task]
    first, estimate = brought(assistant, share.batches.keys)
    first = min(reused, first)
    share.asked, share.reused = asked + first, reused - first
    share.folded += engine.folded[share.task]
    share.quote(estimate)
    if share.reused:
        model = {"provider": share.asking.model.provider, "model": share.asking.model.model}
        row = {"run_id": assistant.run_id, "task": share.task, **model, "day": share.asking.origin.day}
        share.rows.add("answers_reused", [row | {"questions": share.reused, "reused_at": assistant.now()}])


def _replace(store: Store, day: date, shares: Sequence[TaskShare], *, whole: bool) -> None:
    """Replace the day in one transaction; rows of conversations that were done before stay as they are.

    So do those of conversations that were to be brought to another schema and that a stop came before.
    """
    with store.writing() as transaction:
        changed = False
        for share in shares:
            own = share.asking.plan
            untouched = own.kept | (own.done - share.ids) | own.waiting.keys()
            changed |= _clear(transaction, day, share.asking.work, untouched)
            share.rows.write(transaction)
            replace_failures(transaction, share.asking.work.task, sorted(share.ids), share.counted)
            if whole:
                mark_used(transaction, share.task, day)
        if changed or any(share.ids for share in shares):
            transaction.answer("build/mark_undelivered", day=day)


def _clear(transaction: Transaction, day: date, work: Work, kept: Collection[str]) -> bool:
    names: dict[str, Any] = {"day": day, "kept": as_json(kept)}
    gone = "day = $day and conversation_id not in (select unnest($kept::json::varchar[]))"
    count = 0
    for table in work.tables:
        count += transaction.rows(f"select count(*) as n from {table} where {gone}", **names)[0]["n"]
        transaction.execute(f"delete from {table} where {gone}", **names)
    transaction.execute(f"delete from failures where stage = $stage and {gone}", stage=work.task, **names)
    return count > 0


def _left(assistant: Assistant, share: TaskShare) -> Iterator[str]:
    """Yield a line with the conversations that a task left when it reached its budget, and their cost."""
    asking = share.asking
    left = [one for one in asking.plan.pending if one not in share.ids]
    chunks = _questions(assistant, asking, left)
    prices = [asking.tariff.cost([one.request for one in chunk]) for chunk in chunks]
    words = "an unknown sum" if None in prices else f"at most about ${sum(p for p in prices if p is not None):.4f}"
    if left:
        yield f"{len(left)} of {len(asking.plan.pending)} conversations are left to {share.task}, for {words}"


def _book_name(run_id: str, day: date) -> str:
    return f"{run_id}-{day}"


def _spent(assistant: Assistant, share: TaskShare) -> Row:
    """Tokens and cost of the answers of a run and of batches. Unknown while another process still merges them."""
    book = _book_name(assistant.run_id, share.asking.origin.day)
    with assistant.store.reading() as view:
        found = view.answer("label/cost_of_run", run=book, task=share.task, batches=as_json(share.batches.keys))[0]
    return {name: value if found["calls"] else None for name, value in found.items() if name != "calls"}


def _stage(assistant: Assistant, share: TaskShare) -> Stage:
    calls = share.asked + share.reused
    postponed = share.asking.plan.waiting
    spent = _spent(assistant, share) if share.asked else {}
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
