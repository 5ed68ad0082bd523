"""Every answer of a model, written to a file of its run at once and merged into the database in bulk."""

import fcntl
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from typing import Any

from cpa_core.llm import Answer, Reply, Usage
from cpa_core.models import FINAL_OUTCOMES
from cpa_core.store.database import Row, Store, as_json

AT_ONCE = 1_000
"""Answers that are merged in one transaction: well below a second under the write lock."""


class AnswerBook:
    """The answers of one run. Its file is locked while the run lives; a torn last line is ignored.

    A kill loses at most the answers that were in flight: each line is written whole before `keep` returns.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.path = store.home / "answers" / f"{run_id}.jsonl"
        self._known: dict[str, Reply] = {}
        self._book = f"{run_id}:{uuid.uuid4().hex[:8]}"
        self._numbers = count(1)
        self._once: dict[str, Reply] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _locked(self.path)

    def preload(self, request_hashes: Iterable[str], conversation_ids: Iterable[str]) -> None:
        """Remember what was answered before to these questions, or about these conversations."""
        merge(self.store)
        with self.store.reading() as view:
            rows = view.answer(
                "answers_to_reuse", hashes=as_json(request_hashes), conversations=as_json(conversation_ids)
            )
        for row in rows:
            known = self._known if row["outcome"] in FINAL_OUTCOMES else self._once
            known[row["request_hash"]] = _reply(row)

    def holds(self, request_hash: str) -> bool:
        """Whether there is something to be found for this question."""
        return request_hash in self._known or request_hash in self._once

    def find(self, request_hash: str) -> Reply | None:
        """A final reply to this question, from before or from this run; or, once, a batch's that is not final."""
        return self._known.get(request_hash) or self._once.pop(request_hash, None)

    def recall(self, request_hash: str) -> Reply | None:
        """What the database holds of this question, be it only an answer that had to be repaired."""
        with self.store.reading() as view:
            rows = view.answer("answer_recalled", hash=request_hash)
        return _reply(rows[0]) if rows else None

    def keep(self, answer: Answer) -> None:
        """Append the answer to the run's file: one write, which the system does not mix with another's."""
        row = _row(answer, f"{self._book}:{next(self._numbers)}", self.run_id)
        line = json.dumps(row, ensure_ascii=False) + "\n"
        os.write(self._file, line.encode("utf-8", "replace"))
        if answer.reply.outcome in FINAL_OUTCOMES:
            self._known[answer.request_hash] = answer.reply

    def close(self) -> None:
        """Let go of the file and merge it."""
        os.close(self._file)
        merge(self.store)


def merge(store: Store) -> None:
    """Move the answers of runs that ended, well or not, into the database; when it returns, all of them are there."""
    with store.merge_lock():
        for path in sorted((store.home / "answers").glob("*.jsonl")):
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _merge_file(store, path)
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)


def live_costs(store: Store, since: datetime) -> float:
    """US dollars since then in answers that are not in the database yet: those of runs beside this one."""
    with store.merge_lock():
        rows = (row for path in (store.home / "answers").glob("*.jsonl") for row in _lines(path))
        return sum(row["cost"] or row.get("estimate") or 0.0 for row in rows if row["created_at"] >= since)


def _locked(path: Path) -> int:
    """The file, opened for appending and locked. A merge may remove it between the two: then once more."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _merge_file(store: Store, path: Path) -> None:
    """In transactions of their own, so that nobody waits long; what a killed merge had moved is left out."""
    with store.reading() as view:
        kept = view.rows("select answer_id from answers where run_id = $run", run=path.stem)
    known = {row["answer_id"] for row in kept}
    lines = (row for row in _lines(path) if row["answer_id"] not in known)
    while rows := list(islice(lines, AT_ONCE)):
        with store.writing() as transaction:
            transaction.insert("answers", rows)
    path.unlink(missing_ok=True)


def _lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            row = json.loads(line)
            row["created_at"] = datetime.fromisoformat(row["created_at"])
            row["day"] = datetime.fromisoformat(row["day"]).date() if row["day"] else None
            yield row


def _row(answer: Answer, answer_id: str, run_id: str) -> dict[str, Any]:
    row = answer.model_dump(mode="json", exclude={"reply"})
    row |= answer.reply.usage.model_dump(mode="json")
    row |= answer.reply.model_dump(mode="json", include={"outcome", "detail", "cost"}) | {"answer": answer.reply.text}
    return row | {"answer_id": answer_id, "run_id": run_id, "created_at": datetime.now(UTC).isoformat()}


def _reply(row: Row) -> Reply:
    usage = Usage.model_validate({name: row[name] for name in Usage.model_fields})
    kept = {name: row[name] for name in ("outcome", "detail", "cost")}
    return Reply(**kept, text=row["answer"], usage=usage)
