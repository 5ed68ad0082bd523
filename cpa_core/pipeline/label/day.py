"""Tagging and judging days: the stages ask only open questions, and replace each day in one transaction.

Both tasks share one pass where they can: a conversation is read once, and no slot is idle while one task is all but
done and the other has not begun. So do several small days: a pass opens the database about ten times, however many days
it has.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from cpa_core.errors import AnswersUnusable, BudgetReached, ProviderStopped, Stopped
from cpa_core.llm import About, Ask, Brake, Engine, ModelName, Request
from cpa_core.models import FINAL_OUTCOMES, Conversation, EventSchema, Message
from cpa_core.pipeline.assistant import Assistant, Stage
from cpa_core.pipeline.batches.earlier import earlier, handed_over
from cpa_core.pipeline.batches.poll import Settled, at_work, brought, is_by_batch, mark_used, settle
from cpa_core.pipeline.batches.states import open_batches
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
"""Conversations that are read, and looked up in the ledger, at a time. A pass takes no further day after as many."""
TOGETHER = 50
"""Days of a pass at most: it holds the lock of each."""
ASKED = ("message_id", "position", "role", "content", "sent_at")
"""The fields of a message as it is read."""


def tag_day(assistant: Assistant, day: date, *, retag: bool = True) -> Stage:
    """Tag the conversations of a day whose tags are missing or outdated. Raises Stopped.

    With `retag`, tags by another schema, prompt or model are renewed; without it, they stay.
    """
    return _of_one(_ask_days(assistant, [day], (TAG,), retag), day)[0]


def judge_day(assistant: Assistant, day: date, *, retag: bool = True) -> Stage:
    """Judge the conversations of a day that are not judged as they are now, as in `tag_day`. Raises Stopped."""
    return _of_one(_ask_days(assistant, [day], (JUDGE,), retag), day)[0]


def tag_and_judge_day(assistant: Assistant, day: date, *, retag: bool = True) -> tuple[Stage, Stage]:
    """Do what `tag_day` and `judge_day` do, in one pass. Raises Stopped; then both keep what was answered."""
    tagged, judged = _of_one(_ask_days(assistant, [day], (TAG, JUDGE), retag), day)
    return tagged, judged


def tag_days(assistant: Assistant, days: Sequence[date], *, retag: bool = True) -> dict[date, Stage | Stopped]:
    """Tag the first of these days and those after it that fit into one pass, as `tag_day` does.

    A day ends a pass that has `CHUNK` conversations to ask about, that another run holds the next day of, or that waits
    for batches. `days` are in order, without duplicates. A day that was not finished has the reason that stopped it; so
    has the last day of a pass that was stopped when all of its questions were answered.
    """
    return _of_one_task(_ask_days(assistant, days, (TAG,), retag))


def judge_days(assistant: Assistant, days: Sequence[date], *, retag: bool = True) -> dict[date, Stage | Stopped]:
    """Judge the first of these days and those after it that fit into one pass, as in `tag_days`."""
    return _of_one_task(_ask_days(assistant, days, (JUDGE,), retag))


Ended = dict[date, list[Stage] | Stopped]
"""The stages of each day of a pass, or the reason that stopped it before the day was finished."""


def _of_one(ended: Ended, day: date) -> list[Stage]:
    if isinstance(end := ended[day], Stopped):
        raise end
    return end


def _of_one_task(ended: Ended) -> dict[date, Stage | Stopped]:
    return {day: end if isinstance(end, Stopped) else end[0] for day, end in ended.items()}


def _ask_days(assistant: Assistant, days: Sequence[date], works: Sequence[Work], retag: bool) -> Ended:
    schema, _ = current_schema(assistant)
    with ExitStack() as held:
        held.enter_context(assistant.store.day_lock(days[0]))
        shares = _planned(assistant, days, works, schema, retag, held)
        stopped = _ask_all(assistant, days[0], [share for one in shares for share in one.asked if share.pending])
        _replace(assistant.store, [one for one in shares if one.asked])
    with assistant.store.reading():
        return _ended(assistant, shares, stopped)


def _ended(assistant: Assistant, shares: Sequence["DayShares"], stopped: Stopped | None) -> Ended:
    """Return how each day ended. A stop is the end of the days that it left open, else of the last one."""
    book = _book_name(assistant.run_id, shares[0].day)
    is_left = any(one.is_open for one in shares)
    ended: Ended = {}
    for one in shares:
        stop = stopped if one.is_open or (one is shares[-1] and not is_left) else None
        if stop or one.refused:
            ended[one.day] = _reason(assistant, one, stop or one.refused)
        else:
            ended[one.day] = [_stage(assistant, share, book) for share in one.shares]
    return ended


def _reason(assistant: Assistant, shares: "DayShares", stop: Stopped | None) -> Stopped:
    """Return the reason that stopped a day, with advice or with the questions that are left."""
    if isinstance(stop, BudgetReached):
        left = "; ".join(line for share in shares.asked for line in _left(assistant, share))
        return BudgetReached(f"{stop}: {shares.day}: {left}")
    if isinstance(stop, ProviderStopped):
        return advised(stop, assistant.settings)
    assert stop is not None
    return stop


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
        self.day = asking.origin.day
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

    @property
    def is_open(self) -> bool:
        """Whether a conversation that was to be asked about has no result."""
        return not self.batches.waiting and not self.pending <= self.ids

    def quote(self, dollars: float | None) -> None:
        """Add this price to the quote; null if it is unknown."""
        self.quoted = None if self.quoted is None or dollars is None else self.quoted + dollars


@dataclass(frozen=True)
class DayShares:
    """The shares of one day in a pass, and the reason that kept its other tasks from it, if one did."""

    day: date
    shares: Sequence[TaskShare]
    refused: Stopped | None = None

    @property
    def asked(self) -> list[TaskShare]:
        """The shares that wait for no batch."""
        return [share for share in self.shares if not share.batches.waiting]

    @property
    def is_open(self) -> bool:
        """Whether a conversation of the day has no result."""
        return any(share.is_open for share in self.shares)


def _planned(
    assistant: Assistant, days: Sequence[date], works: Sequence[Work], schema: EventSchema, retag: bool, held: ExitStack
) -> list[DayShares]:
    """Return the shares of the first day, whose lock is held, and of those after it that fit into the same pass.

    The days are planned in one reading, in which nobody writes. Where batches are at work they may have to be written:
    then a pass has one day.
    """
    with assistant.store.reading() as view:
        if not _is_by_batch(assistant, works) and not open_batches(view):
            return list(_planned_together(assistant, days, works, schema, retag, held))
    return [_shares(assistant, days[0], works, schema, retag, _tariffs(assistant, works))]


def _is_by_batch(assistant: Assistant, works: Sequence[Work]) -> bool:
    return any(is_by_batch(assistant, assistant.model(work.task)) for work in works)


def _planned_together(
    assistant: Assistant, days: Sequence[date], works: Sequence[Work], schema: EventSchema, retag: bool, held: ExitStack
) -> Iterator[DayShares]:
    tariffs = _tariffs(assistant, works)
    pending = 0
    for n, day in enumerate(days[:TOGETHER]):
        if pending >= CHUNK or (n and not assistant.store.takes_day(day, held)):
            return
        yield (one := _shares(assistant, day, works, schema, retag, tariffs))
        pending += len(frozenset[str]().union(*(share.pending for share in one.shares)))
        if one.refused:
            return


def _tariffs(assistant: Assistant, works: Sequence[Work]) -> dict[str, Tariff]:
    return {work.task: tariff(assistant, work.task, assistant.model(work.task)) for work in works}


def _asking(
    assistant: Assistant, day: date, work: Work, schema: EventSchema, *, retag: bool, own: Tariff | None = None
) -> Asking:
    model = assistant.model(work.task)
    form = form_of(assistant, model)
    origin = LabelOrigin(
        day=day, schema=schema, prompt_id=asked_by(assistant.settings, work.task), model=str(model), form=form
    )
    with assistant.store.reading() as view:
        found = plan(view, origin, work.task, retag=retag)
        before = failures_before(view, origin, work.task)
    found = replace(found, most=assistant.most_conversations, waiting=_still_open(waiting(assistant, before), found))
    return Asking(origin, model, work, own or tariff(assistant, work.task, model), found, before)


def _still_open(times: Mapping[str, datetime], found: Plan) -> dict[str, datetime]:
    return {key: at for key, at in times.items() if key not in found.kept}


def _shares(
    assistant: Assistant,
    day: date,
    works: Sequence[Work],
    schema: EventSchema,
    retag: bool,
    tariffs: Mapping[str, Tariff],
) -> DayShares:
    """Return the tasks' shares of a day as far as their batches could be polled, and the reason that stopped it."""
    shares: list[TaskShare] = []
    for work in works:
        wanted = retag or any(row.retag for row in at_work(assistant.store, work.task, day))
        asking = _asking(assistant, day, work, schema, retag=wanted, own=tariffs[work.task])
        try:
            shares.append(_share(assistant, asking, retag=wanted))
        except Stopped as stopped:
            if isinstance(stopped, ProviderStopped):
                stopped.provider = stopped.provider or assistant.model(work.task).provider
            return DayShares(day, shares, stopped)
    return DayShares(day, shares)


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
    yield from _conversations(assistant, schema, [(day, one) for one in ids])


def _conversations(
    assistant: Assistant, schema: EventSchema, wanted: Sequence[tuple[date, str]]
) -> Iterator[list[Conversation]]:
    """The same of several days, each with its conversations."""
    for n in range(0, len(wanted), CHUNK):
        by_day: dict[date, list[str]] = {}
        for day, key in wanted[n : n + CHUNK]:
            by_day.setdefault(day, []).append(key)
        with assistant.store.reading():
            found = [one for day, ids in by_day.items() for one in _of_day(assistant, day, schema, ids)]
        yield found


def _of_day(assistant: Assistant, day: date, schema: EventSchema, ids: Sequence[str]) -> list[Conversation]:
    with assistant.store.reading() as view:
        rows = view.answer("label/conversations_of_day", day=day, ids=as_json(ids))
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["conversation_id"], []).append(row)
    found = [conversation_of(day, key, of_one) for key, of_one in grouped.items()]
    return as_sent(assistant, with_context(assistant.store, schema, found))


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


def _ask_all(assistant: Assistant, first: date, shares: Sequence[TaskShare]) -> Stopped | None:
    """Ask every pending question that no batch has answered. Return the reason that stopped it, else null.

    Answers before a stop are kept. `first` is the first day of the pass.
    """
    if not shares:
        return None
    models = {share.asking.model for share in shares}
    brake = Brake(len(models), {str(model): assistant.watch(model) for model in models})
    with closing(AnswerBook(assistant.store, _book_name(assistant.run_id, first))) as book:
        engines = _engines(assistant, shares, book, brake)

        def work(one: tuple[TaskShare, Conversation]) -> Result:
            share, conversation = one
            engine = engines[share.asking.model]
            key = conversation.conversation_id
            before = share.asking.before.get(key)
            about = About(
                day=str(share.day), conversation_id=key, failed_before=before is not None and before.counted > 0
            )
            return share.asking.ask(conversation, lambda request, check: engine.ask(request, check, about))

        ends = in_order_of_end(
            work,
            _looked_up(assistant, shares, book),
            _threads(assistant.settings.concurrency),
            cut_short=lambda: brake.stop(Stopped("the run was ended")),
        )
        total = sum(len(share.pending) for share in shares)
        tasks = " and ".join(dict.fromkeys(share.task for share in shares))
        with assistant.progress(tasks, total) as advance, closing(ends):
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
    assistant: Assistant, shares: Sequence[TaskShare], book: AnswerBook
) -> Iterator[tuple[TaskShare, Conversation]]:
    """Yield each conversation once for every task that it is pending in, after searching the ledger for answers.

    The price of the others is then quoted.
    """
    by_day: dict[date, list[TaskShare]] = {}
    for share in shares:
        by_day.setdefault(share.day, []).append(share)
    wanted = [
        (day, one)
        for day, of_day in by_day.items()
        for one in of_day[0].asking.plan.ids
        if any(one in share.pending for share in of_day)
    ]
    for chunk in _conversations(assistant, shares[0].asking.origin.schema, wanted):
        work = [(share, one) for one in chunk for share in by_day[one.day] if one.conversation_id in share.pending]
        questions = {request.hash: (share, request) for share, one in work for request in share.asking.first(one)}
        book.preload(questions, [one.conversation_id for one in chunk])
        for share in shares:
            share.take_earlier(book, [one for one in chunk if one.day == share.day])
        new: dict[TaskShare, list[Request]] = {}
        for key, (asker, request) in questions.items():
            if not book.holds(key):
                new.setdefault(asker, []).append(request)
        for asker, own in new.items():
            asker.quote(asker.asking.tariff.cost(own))
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
    key = str(share.day), share.task
    asked, reused = engine.asked[key], engine.reused[key]
    first, estimate = brought(assistant, share.batches.keys)
    first = min(reused, first)
    share.asked, share.reused = asked + first, reused - first
    share.folded += engine.folded[key]
    share.quote(estimate)
    if share.reused:
        model = {"provider": share.asking.model.provider, "model": share.asking.model.model}
        row = {"run_id": assistant.run_id, "task": share.task, **model, "day": share.asking.origin.day}
        share.rows.add("answers_reused", [row | {"questions": share.reused, "reused_at": assistant.now()}])


def _replace(store: Store, days: Sequence[DayShares]) -> None:
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
    gone = "day = $day and conversation_id not in (select unnest($kept::json::varchar[]))"
    count = 0
    for table in work.tables:
        found = transaction.rows(f"select count(*) as n from {table} where {gone}", **names)[0]["n"]
        if found:
            transaction.execute(f"delete from {table} where {gone}", **names)
        count += found
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


def _spent(assistant: Assistant, share: TaskShare, book: str) -> Row:
    """Tokens and cost of the answers of a run and of batches. Unknown while another process still merges them."""
    batches = as_json(share.batches.keys)
    with assistant.store.reading() as view:
        found = view.answer("label/cost_of_run", run=book, day=share.day, task=share.task, batches=batches)[0]
    return {name: value if found["calls"] else None for name, value in found.items() if name != "calls"}


def _stage(assistant: Assistant, share: TaskShare, book: str) -> Stage:
    calls = share.asked + share.reused
    postponed = share.asking.plan.waiting
    spent = _spent(assistant, share, book) if share.asked else {}
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
