"""The lane of batches: a stage's batches are polled, recovered after a kill, and their answers stored.

The states of a batch and their order: `states.py`.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from cpa_core.errors import CpaError, DeadlineReached, ProviderFailed, ProviderStopped, SettingsError
from cpa_core.llm import BatchVendor, Lost, ModelName
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.batches.earlier import Earlier, earlier, handed_over
from cpa_core.pipeline.batches.quota import hold, let_go
from cpa_core.pipeline.batches.results import fetch, questions_of
from cpa_core.pipeline.batches.states import AWAITED, BatchState, OpenBatch, move, open_batches
from cpa_core.pipeline.batches.submit import Asker, BatchQuestion, BatchSubmitter
from cpa_core.pipeline.budget import deadline
from cpa_core.providers import has_batches
from cpa_core.store import Store
from cpa_core.store.answers import merge
from cpa_core.store.database import Transaction, as_json

MOST_BATCHES = 3
"""The most batches that a question may be in.

A question still unanswered is then asked at once, in the standard lane.
"""
SETTLING = timedelta(minutes=1)
"""The time that a possibly created batch may take to appear in the vendor's list."""
KEPT = timedelta(days=2)
"""A batch unknown to the vendor is given up after this time: it would have ended after one day."""
LONGEST = 26 * 3600.0
"""Seconds that a run waits for batches at most: they end within a day."""
FIRST_PAUSE = 5.0
"""Seconds before the second poll; the pause doubles up to CPA_POLL."""
MAX_SILENT = 30
"""Looks at batches in a row that may all fail before waiting ends."""

Problems = list[tuple[OpenBatch, CpaError]]
"""Batches that could not be polled, with the error."""
Questions = Callable[[], Iterator[Sequence[BatchQuestion]]]
"""The questions that a stage begins with, a chunk at a time."""


class Settled(NamedTuple):
    """The state of a stage: its questions that wait in batches, and the batches whose answers it may use now.

    `earlier` maps the hashes of this version's questions to questions that an earlier version submitted.
    """

    waiting: int
    keys: tuple[str, ...]
    earlier: Mapping[str, Earlier] = {}


def at_work(
    store: Store, task: str | None = None, day: date | None = None, wait: float | None = None
) -> list[OpenBatch]:
    """The batches that are not finished, oldest first: of a stage, or all. Raises StoreBusy after `wait` seconds."""
    with store.reading(wait=wait) as view:
        return open_batches(view, task, day)


def awaited(store: Store) -> list[OpenBatch]:
    """The batches whose answers are still to come."""
    return [row for row in at_work(store) if row.state in AWAITED]


def is_by_batch(assistant: Assistant, model: ModelName) -> bool:
    """Whether questions to this model go out in batches."""
    return assistant.settings.lane == "batch" and has_batches(model.provider)


def settle(assistant: Assistant, asker: Asker, questions: Questions) -> Settled:
    """Poll the batches of a stage, and submit its open questions in the lane of batches.

    A question in a batch is asked in no other lane. Raises Stopped.
    """
    by_batch = is_by_batch(assistant, asker.model)
    if not by_batch and not at_work(assistant.store):
        return Settled(0, ())
    merge(assistant.store)  # answers that a killed run paid for are not asked for again
    with assistant.store.batch_lock():
        _stop(_looked_at(assistant, at_work(assistant.store, asker.task, asker.day), store=True))
        waiting, before = _asked_later(assistant, asker, questions, by_batch=by_batch)
    rows = at_work(assistant.store, asker.task, asker.day)
    return Settled(waiting, tuple(row.batch_key for row in rows if row.state == "stored"), before)


def _stop(problems: Problems) -> None:
    """Raise ProviderStopped if a vendor refuses for good."""
    for _, problem in problems:
        if isinstance(problem, ProviderStopped):
            raise problem


def _asked_later(
    assistant: Assistant, asker: Asker, questions: Questions, *, by_batch: bool
) -> tuple[int, dict[str, Earlier]]:
    """Submit the open questions. Return the number of questions in batches, and those in an earlier version's words."""
    with assistant.store.reading() as view:
        out = {row["request_hash"] for row in view.answer("batches/questions_in_batches", awaited=sorted(AWAITED))}
        tries = {
            row["request_hash"]: row["tries"] for row in view.answer("batches/questions_unanswered", task=asker.task)
        }
        known = handed_over(view, asker)
    sender = BatchSubmitter(assistant, asker) if by_batch else None
    waiting: set[str] = set()
    before: dict[str, Earlier] = {}
    for chunk in questions():
        before |= earlier(known, asker, chunk)
        asked = {one.request.hash: one for one in chunk}
        names = {before[key].request_hash if key in before else key: key for key in asked}
        with assistant.store.reading() as view:
            kept = view.answer("label/answers_to_reuse", hashes=as_json([*asked, *names]), conversations="[]")
        for name in {row["request_hash"] for row in kept}:
            asked.pop(names.get(name, name), None)
        out |= {key for name, key in names.items() if name in out}
        if sender:
            for request_hash, question in asked.items():
                open_ = request_hash not in out and tries.get(request_hash, 0) < MOST_BATCHES
                if open_ and sender.add(request_hash, question):
                    out.add(request_hash)
        waiting |= asked.keys() & out
    if sender:
        sender.end(len(waiting))
    else:
        with assistant.store.writing() as transaction:
            let_go(transaction, asker.task, asker.day)
    return len(waiting), before


def look(assistant: Assistant, *, store: bool, wait: float | None = None, seconds: float = LONGEST) -> Problems:
    """Poll the batches for at most this many seconds; with `store`, store the answers of those that ended.

    Raises StoreBusy if another process polls batches for longer than `wait` seconds.
    """
    with assistant.store.batch_lock(wait):
        return _looked_at(assistant, at_work(assistant.store), store=store, until=time.monotonic() + seconds)


def _looked_at(assistant: Assistant, rows: Sequence[OpenBatch], *, store: bool, until: float = math.inf) -> Problems:
    problems: Problems = []
    for row in rows:
        if time.monotonic() > until:
            break
        try:
            _look_at(assistant, row, store=store)
        except (ProviderFailed, ProviderStopped, SettingsError) as problem:
            problems.append((row, problem))
    return problems


def _look_at(assistant: Assistant, row: OpenBatch, *, store: bool) -> None:
    """Bring a batch as far as it can be brought now. Raises ProviderFailed, ProviderStopped, SettingsError."""
    if row.state in ("stored", "held"):
        return
    vendor = assistant.batches_of(row.provider)
    if row.state == "submitting":
        batch_id = _found(assistant, row, vendor)
        if batch_id is None:
            return
        row = row._replace(batch_id=batch_id, state="submitted")
    if row.state == "submitted":
        row = _state(assistant, row, vendor)
    if row.state == "ended" and store:
        fetch(assistant, row, vendor)
    if row.state == "refused" and store:
        _move(assistant.store, row, "failed")
        raise ProviderStopped(f"{row.provider} refused batch {row.batch_id}: {row.detail}")


def _found(assistant: Assistant, row: OpenBatch, vendor: BatchVendor) -> str | None:
    """Return the id of a batch that a killed process may have created.

    Its row is deleted if the vendor never created it.
    """
    with assistant.store.reading() as view:
        taken = view.answer("batches/ids_taken")
    hashes = frozenset(questions_of(assistant.store, row))
    lost = Lost(row.batch_key, hashes, row.submitted_at, {other["batch_id"] for other in taken})
    found = vendor.find(lost)
    if found.batch_id:
        _move(assistant.store, row, "submitted", batch_id=found.batch_id)
    elif not found.undecided and assistant.now() - row.submitted_at >= SETTLING:
        with assistant.store.writing() as transaction:
            transaction.answer("batches/delete_batch", key=row.batch_key)
    return found.batch_id


def _state(assistant: Assistant, row: OpenBatch, vendor: BatchVendor) -> OpenBatch:
    """Return the batch in its state at the vendor. Raises ProviderStopped if the vendor does not know it.

    A batch that stays unknown for longer than KEPT counts as ended with every question unanswered.
    """
    try:
        seen = vendor.look(row.vendor_id)
    except ProviderStopped as stopped:
        if str(stopped).startswith("status 404") and assistant.now() - row.submitted_at > KEPT:
            now, words = assistant.now(), str(stopped)
            return _move(assistant.store, row, "stored", ended_at=now, unanswered=row.questions, detail=words)
        raise
    state: BatchState = "submitted" if seen.phase == "waiting" else seen.phase
    if (state, seen.done) == (row.state, row.done):
        return row
    ended = {} if state == "submitted" else {"ended_at": assistant.now()}
    questions = questions_of(assistant.store, row) if state == "crowded" else {}
    return _move(assistant.store, row, state, questions, done=seen.done, detail=seen.detail, **ended)


def _move(
    store: Store, row: OpenBatch, state: BatchState, held: Mapping[str, str] | None = None, **fields: Any
) -> OpenBatch:
    """Write the batch in its next state, and its `held` questions in a row of their own. Return the batch."""
    with store.writing() as transaction:
        moved = move(transaction, row, state, **fields)
        if held:
            hold(transaction, row._asdict(), row.batch_key, held)
    return moved


def brought(store: Store, keys: Sequence[str]) -> tuple[int, float | None]:
    """Return the number of answers in these batches that are used for the first time, and their quoted price."""
    if not keys:
        return 0, 0.0
    with store.reading() as view:
        found = view.answer("batches/answers_from_batches", batches=as_json(keys))[0]
    return found["answers"], found["estimate"]


def mark_used(transaction: Transaction, task: str, day: date) -> None:
    """The day was written from the answers of its batches."""
    transaction.answer("batches/mark_used", task=task, day=day)


def wait_for_one(assistant: Assistant) -> Problems:
    """Wait until a batch has ended, and store its answers. Return the problems on the way.

    Raises DeadlineReached at the run's deadline; ProviderStopped if a vendor refuses, or does not answer for too long.
    """
    rows = awaited(assistant.store)
    timer = assistant.pacing.timer
    until = min(deadline(assistant), timer.clock() + LONGEST)
    shown, silent, pause = 0, 0, min(FIRST_PAUSE, assistant.settings.poll_seconds)
    with assistant.progress("batch", sum(row.questions for row in rows)) as advance:
        while True:
            problems = look(assistant, store=True)
            _stop(problems)
            now = awaited(assistant.store)
            for _ in range(shown, done := sum(row.done for row in now)):
                advance()
            shown = max(shown, done)
            if len(now) < len(rows):
                return problems
            silent = silent + 1 if len(problems) >= len(now) else 0
            if silent >= MAX_SILENT:
                raise ProviderStopped(f"batches could not be polled {silent} times in a row: {problems[0][1]}")
            if timer.clock() + pause > until:
                raise DeadlineReached(f"{len(now)} batches are not answered yet; the next run finds them again")
            timer.sleep(pause)
            pause = min(2 * pause, assistant.settings.poll_seconds)
