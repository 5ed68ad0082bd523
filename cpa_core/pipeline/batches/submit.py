"""Handing questions over in batches: a file within the vendor's limits, a row before it is sent, money set aside."""

import uuid
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from cpa_core.errors import BudgetReached, ProviderFailed, ProviderStopped, QueueFull
from cpa_core.llm import BatchForm, ModelName, Request
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.batches.quota import hold, let_go, room
from cpa_core.pipeline.batches.states import write
from cpa_core.pipeline.budget import Tariff, budgets
from cpa_core.store.database import Row

BUSY_TRIES = 4
"""Tries to submit a batch to a vendor that answers with too many requests."""
MAX_PAUSE = 60.0
"""Longest pause, seconds, between these."""


@dataclass(frozen=True)
class Asker:
    """The stage that asks: a task of a day, by a model, schema and prompt.

    `retag`: the day was named, to be brought to one schema.
    """

    task: str
    day: date
    model: ModelName
    tariff: Tariff
    retag: bool
    schema_version: str
    prompt_id: str


class BatchQuestion(NamedTuple):
    """A question and its conversation; `content` is a hash of all content that questions show of it."""

    conversation_id: str
    content: str
    request: Request


class Pile:
    """Questions collected in one file, which holds text and is removed once it is submitted."""

    def __init__(self, path: Path, form: BatchForm) -> None:
        self.path = path
        self.form = form
        self.conversations: dict[str, str] = {}
        self.contents: list[str] = []
        self.dollars: float | None = 0.0
        self.size = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600, exist_ok=False)
        self._file = path.open("wb")
        self._write(form.opening)

    def fits(self, line: bytes) -> bool:
        """Return whether one more question stays within the vendor's limits."""
        size = self.size + len(self.form.between) + len(line) + len(self.form.closing)
        return len(self.conversations) < self.form.most and size <= self.form.most_bytes

    def add(self, request_hash: str, question: BatchQuestion, line: bytes, dollars: float | None) -> None:
        """One more question."""
        if self.conversations:
            self._write(self.form.between)
        self._write(line)
        self.conversations[request_hash] = question.conversation_id
        self.contents.append(question.content)
        self.dollars = None if self.dollars is None or dollars is None else self.dollars + dollars

    def close(self) -> None:
        """The file is whole."""
        self._write(self.form.closing)
        self._file.close()

    def remove(self) -> None:
        """The file is no longer needed."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self.size += len(content)


class BatchSubmitter:
    """Collects a stage's questions and submits them, within the budget and the vendor's room.

    Its owner holds the batch lock.
    """

    def __init__(self, assistant: Assistant, asker: Asker) -> None:
        self.assistant = assistant
        self.asker = asker
        self.vendor = assistant.batches_of(asker.model.provider)
        self.left: list[Request] = []
        self.held: dict[str, str] = {}
        self._room = room(assistant, asker.model)
        self._is_closed = self._room.one_by_one and not self._room.is_free
        form = self.vendor.form
        self._form = form._replace(most_bytes=int(min(form.most_bytes, self._room.most_bytes)))
        self._budgets = budgets(assistant, asker.tariff)
        self._pile: Pile | None = None
        for left_behind in self._folder.glob("*.batch"):
            left_behind.unlink()

    def add(self, request_hash: str, question: BatchQuestion) -> bool:
        """Add a question. Return whether it now waits: it does not if it is too expensive or too long.

        A full file is submitted.
        """
        request = question.request
        line = self.vendor.line(request)
        if len(line) + len(self._form.opening) + len(self._form.closing) >= self._room.too_long:
            return False
        if self._pile and not self._pile.fits(line):
            self._hand_over(self._pile)
        if self._is_closed:
            self.held[request_hash] = question.conversation_id
            return True
        dollars = self.asker.tariff.cost([request])
        if self.left or any(budget.spent + (dollars or 0.0) > budget.left for budget in self._budgets):
            self.left.append(request)
            return False
        for budget in self._budgets:
            budget.spent += dollars or 0.0
        if self._pile is None:
            self._pile = Pile(self._folder / f"{uuid.uuid4().hex[:12]}.batch", self._form)
        self._pile.add(request_hash, question, line, dollars)
        return True

    def end(self, waiting: int) -> None:
        """Hand over the rest: `waiting` questions wait then. Raises BudgetReached when others were too dear."""
        if self._pile:
            self._hand_over(self._pile)
        with self.assistant.store.writing() as transaction:
            let_go(transaction, self.asker.task, self.asker.day)
            if self.held:
                key = f"{self.assistant.run_id}-{self.asker.task}-{self.asker.day}"
                hold(transaction, self._stage(), key, self.held)
        if self.left:
            name = next(budget.name for budget in self._budgets if budget.spent + self._next() > budget.left)
            price = self.asker.tariff.cost(self.left)
            words = "an unknown sum" if price is None else f"at most about ${price:.4f}"
            raise BudgetReached(
                f"{name} is reached: {self.asker.day}: {waiting} questions wait in batches, "
                f"{len(self.left)} are left to {self.asker.task}, for {words}"
            )

    def _next(self) -> float:
        return self.asker.tariff.cost(self.left[:1]) or 0.0

    @property
    def _folder(self) -> Path:
        return self.assistant.store.home / "batches"

    def _hand_over(self, pile: Pile) -> None:
        """A row, then the batch, then its id in the row: whoever is killed between leaves enough to find it by."""
        self._pile = None
        self._is_closed = self._room.one_by_one
        pile.close()
        key = f"{self.assistant.run_id}-{self.asker.task}-{self.asker.day}-{pile.path.stem}"
        with self.assistant.store.writing() as transaction:
            transaction.insert("batches", [self._row(key, pile)])
        try:
            batch_id = self._created(key, pile.path)
        except QueueFull as full:
            self._is_closed = True
            self.held |= pile.conversations
            batch_id = None
            self._update(key, state="crowded", detail=str(full), ended_at=self.assistant.now())
        except ProviderStopped:
            with self.assistant.store.writing() as transaction:
                transaction.answer("batches/delete_batch", key=key)
            raise
        finally:
            pile.remove()
        self._room = self._room._replace(is_free=False)
        if batch_id:
            self._update(key, batch_id=batch_id, state="submitted")

    def _update(self, key: str, **fields: object) -> None:
        with self.assistant.store.writing() as transaction:
            write(transaction, key, **fields)

    def _stage(self) -> Row:
        return {
            "task": self.asker.task,
            "day": self.asker.day,
            "provider": self.asker.model.provider,
            "model": self.asker.model.model,
            "retag": self.asker.retag,
            "submitted_at": self.assistant.now(),
        }

    def _row(self, key: str, pile: Pile) -> Row:
        return self._stage() | {
            "batch_key": key,
            "state": "submitting",
            "request_hashes": list(pile.conversations),
            "conversation_ids": list(pile.conversations.values()),
            "contents": pile.contents,
            "schema_version": self.asker.schema_version,
            "prompt_id": self.asker.prompt_id,
            "estimate": pile.dollars,
            "bytes": pile.size,
            "alone": self._room.is_free,
        }

    def _created(self, key: str, path: Path) -> str | None:
        """Return the batch's id; null if it may exist, which its row records until the vendor's list shows it.

        Raises ProviderStopped or QueueFull if it was not created.
        """
        for n in range(BUSY_TRIES):
            try:
                return self.vendor.submit(key, path)
            except QueueFull:
                raise
            except ProviderFailed as failed:
                if failed.retry_after is None:
                    return None
                busy = failed
            if n + 1 < BUSY_TRIES:
                self.assistant.pacing.timer.sleep(min(MAX_PAUSE, max(1.0, busy.retry_after or 0.0)))
        raise ProviderStopped(
            f"the vendor did not accept the batch in {BUSY_TRIES} tries; its last answer: {busy.reason}"
        )
