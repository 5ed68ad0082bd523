"""Tagging and judging days: the stages ask only open questions, and replace each day in one transaction.

Both tasks share one pass where they can: a conversation is read once, and no slot is idle while one task is all but
done and the other has not begun. So do several small days: a pass opens the database about ten times, however many days
it has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import date

from cpa_core.errors import BudgetReached, ProviderStopped, Stopped
from cpa_core.llm import About, Brake, Engine, ModelName, Request, Reserve
from cpa_core.models import Conversation
from cpa_core.pipeline.assistant import Assistant, Stage
from cpa_core.pipeline.budget import limiter, reserve, spending
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.pipeline.gold.earlier import keep_replaced
from cpa_core.pipeline.label.questions import conversations_of_days
from cpa_core.pipeline.label.results import (
    ask_control,
    count,
    is_blameless,
    left_of,
    needs_control,
    note_failures,
    replace_days,
    stage_of,
    take,
)
from cpa_core.pipeline.label.shares import DayShares, TaskShare, planned
from cpa_core.pipeline.label.tasks import JUDGE, TAG, Result, Work
from cpa_core.pipeline.schema.current import current_schema
from cpa_core.providers.advice import advised
from cpa_core.store import AnswerBook


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


def tag_and_judge_days(
    assistant: Assistant, days: Sequence[date], *, retag: bool = True
) -> dict[date, tuple[Stage, Stage] | Stopped]:
    """Do what `tag_days` and `judge_days` do, in one pass over the days that fit into it."""
    ended = _ask_days(assistant, days, (TAG, JUDGE), retag)
    return {day: end if isinstance(end, Stopped) else (end[0], end[1]) for day, end in ended.items()}


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
        shares = planned(assistant, days, works, schema, retag, held)
        stopped = _ask_all(assistant, days[0], [share for one in shares for share in one.asked if share.pending])
        keep_replaced(assistant, shares)
        replace_days(assistant.store, [one for one in shares if one.asked])
    with assistant.store.reading():
        return _ended(assistant, shares, stopped)


def _ended(assistant: Assistant, shares: Sequence[DayShares], stopped: Stopped | None) -> Ended:
    """Return how each day ended. A stop is the end of the days that it left open, else of the last one."""
    book = _book_name(assistant.run_id, shares[0].day)
    is_left = any(one.is_open for one in shares)
    ended: Ended = {}
    for one in shares:
        stop = stopped if one.is_open or (one is shares[-1] and not is_left) else None
        if stop or one.refused:
            ended[one.day] = _reason(assistant, one, stop or one.refused)
        else:
            ended[one.day] = [stage_of(assistant, share, book) for share in one.shares]
    return ended


def _reason(assistant: Assistant, shares: DayShares, stop: Stopped | None) -> Stopped:
    """Return the reason that stopped a day, with advice or with the questions that are left."""
    if isinstance(stop, BudgetReached):
        left = "; ".join(line for share in shares.asked for line in left_of(assistant, share))
        return BudgetReached(f"{stop}: {shares.day}: {left}")
    if isinstance(stop, ProviderStopped):
        return advised(stop, assistant.settings)
    assert stop is not None
    return stop


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
    tariffs = {share.task: share.asking.tariff.at_once() for share in shares}
    with (
        closing(AnswerBook(assistant.store, _book_name(assistant.run_id, first))) as book,
        spending(assistant, *tariffs.values()) as limits,
    ):
        engines = _engines(assistant, shares, book, brake, reserve(limits, lambda request: tariffs[request.task]))
        ends = in_order_of_end(
            _asker(engines),
            _looked_up(assistant, shares, book),
            _threads(assistant.settings.concurrency),
            cut_short=lambda: brake.stop(Stopped("the run was ended")),
        )
        total = sum(len(share.pending) for share in shares)
        tasks = " and ".join(dict.fromkeys(share.task for share in shares))
        with assistant.progress(tasks, total) as advance, closing(ends):
            for (share, conversation), end in ends:
                if not isinstance(end, Stopped):
                    take(share, conversation, end, assistant)
                    advance()
        for share in shares:
            if needs_control(assistant, share) and not brake.why:
                ask_control(share, engines[share.asking.model])
    for share in shares:
        share.failed = [one for one in share.failed if not is_blameless(share.task, one[1], brake.why)]
        note_failures(share, assistant)
        count(assistant, share, engines[share.asking.model])
    return brake.why


def _asker(engines: Mapping[ModelName, Engine]) -> Callable[[tuple[TaskShare, Conversation]], Result]:
    """Return the function that asks a task's questions about a conversation."""

    def work(one: tuple[TaskShare, Conversation]) -> Result:
        share, conversation = one
        engine = engines[share.asking.model]
        key = conversation.conversation_id
        before = share.asking.before.get(key)
        failed = before is not None and before.counted > 0
        about = About(day=str(share.day), conversation_id=key, failed_before=failed)
        return share.asking.ask(conversation, lambda request, check: engine.ask(request, check, about))

    return work


def _engines(
    assistant: Assistant, shares: Sequence[TaskShare], book: AnswerBook, brake: Brake, money: Reserve
) -> Mapping[ModelName, Engine]:
    """An engine for each model. All spend the same money, set aside at the price of the task that asks."""
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
    for chunk in conversations_of_days(assistant, shares[0].asking.origin.schema, wanted):
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


def _book_name(run_id: str, day: date) -> str:
    return f"{run_id}-{day}"
