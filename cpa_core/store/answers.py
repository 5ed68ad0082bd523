"""Every answer of a model, written to a file of its run at once and merged into the database in bulk."""

import fcntl
import json
import os
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from typing import Any

from cpa_core.errors import AnswersNotKept
from cpa_core.llm import Answer, Reply, Usage
from cpa_core.models import FINAL_OUTCOMES
from cpa_core.store.archive import AT_ONCE, Indexed, MergedFiles, bring_in_step, merge_files, write_archive
from cpa_core.store.database import Row, Store, as_json
from cpa_core.store.engine import LedgerTables


class FileLog:
    """A file of answers, locked while it is open. A torn last line was in flight, and is ignored.

    Raises AnswersNotKept where the disk takes no more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing = threading.Lock()
        with _said_where(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: int | None = _locked(path)

    def append(self, row: Row) -> None:
        """Add an answer, whole or not at all. Raises AnswersNotKept."""
        line = json.dumps(row, ensure_ascii=False) + "\n"
        with self._writing, _said_where(self.path.parent):
            if self._file is None:  # closed by an interrupt while this call was under way
                self._file = _locked(self.path)
            _append(self._file, line.encode("utf-8", "replace"))

    def close(self) -> None:
        """Let go of the file."""
        with self._writing:
            if self._file is not None:
                os.close(self._file)
            self._file = None


class AnswerBook:
    """The answers of one run. A kill loses at most the answers in flight: each is stored whole before `keep` returns.

    They are appended to a file of the run, or where a store has ledgers elsewhere, to these. Raises AnswersNotKept
    where neither takes more.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.path = store.home / "answers" / f"{run_id}.jsonl"
        self._known: dict[str, Reply] = {}
        self._book = f"{run_id}:{uuid.uuid4().hex[:8]}"
        self._numbers = count(1)
        self._once: dict[str, Reply] = {}
        self._log = store.ledger.log(self._file) if store.ledger else self._file()

    def _file(self) -> FileLog:
        return FileLog(self.path)

    def preload(self, request_hashes: Iterable[str], conversation_ids: Iterable[str]) -> None:
        """Load the earlier answers to these questions, or about these conversations."""
        merge(self.store)
        with self.store.reading() as view:
            rows = view.answer(
                "label/answers_to_reuse", hashes=as_json(request_hashes), conversations=as_json(conversation_ids)
            )
        for row in rows:
            known = self._known if row["outcome"] in FINAL_OUTCOMES else self._once
            known[row["request_hash"]] = _reply(row)

    def holds(self, request_hash: str) -> bool:
        """Whether there is something to be found for this question."""
        return request_hash in self._known or request_hash in self._once

    def stands_for(self, earlier_hash: str, request_hash: str) -> bool:
        """Let an answer to an earlier form of a question answer it too, unless it has its own: whether that is so."""
        if self.holds(request_hash):
            return False
        for known in (self._known, self._once):
            if earlier_hash in known:
                known[request_hash] = known[earlier_hash]
        return self.holds(request_hash)

    def find(self, request_hash: str) -> Reply | None:
        """A final reply to this question, from before or from this run; or, once, a batch's that is not final."""
        return self._known.get(request_hash) or self._once.pop(request_hash, None)

    def recall(self, request_hash: str) -> Reply | None:
        """Return the stored answer to this question, even one that had to be repaired; null if there is none."""
        with self.store.reading() as view:
            rows = view.answer("label/answer_recalled", hash=request_hash)
        return _reply(rows[0]) if rows else None

    def keep(self, answer: Answer) -> None:
        """Store the answer, whole or not at all. Raises AnswersNotKept."""
        self._log.append(_row(answer, f"{self._book}:{next(self._numbers)}", self.run_id))
        if answer.reply.outcome in FINAL_OUTCOMES:
            self._known[answer.request_hash] = answer.reply

    def close(self) -> None:
        """Let go of the run's file and merge it."""
        self._log.close()
        merge(self.store)


def merge(store: Store) -> None:
    """Move the answers of runs that ended, well or not, into the archive and then into the database.

    When it returns, all of them are there, also those of files that the database does not know. Raises AnswersNotKept.
    """
    with store.merge_lock():
        if store.ledger is None:
            with _said_where(store.home / "answers"):
                bring_in_step(store)
        for path in sorted((store.home / "answers").glob("*.jsonl")):
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if store.ledger is None:
                    _merge_file(store, path)
                else:
                    _merge_left(store.ledger, path)
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)


def rebuild_index(store: Store) -> Indexed:
    """Put the answers of the archive that the table does not hold into it, and the reverse. Raises AnswersNotKept."""
    if store.ledger is not None:
        return Indexed()
    with store.merge_lock(), _said_where(store.home / "answers"):
        return bring_in_step(store)


def merge_answer_files(store: Store) -> MergedFiles:
    """Put the answers of small files into one. Raises AnswersNotKept, StoreNotWritten."""
    merge(store)
    with store.merge_lock(), _said_where(store.home / "answers"):
        return merge_files(store)


def add_answers(store: Store, run_id: str, rows: Sequence[Row]) -> None:
    """Keep the answers of a batch, in the archive and then in the table. Raises AnswersNotKept, StoreNotWritten."""
    if store.ledger is not None:
        store.ledger.add_answers(list(rows))
        return
    with store.merge_lock():
        with _said_where(store.home / "answers"):
            bring_in_step(store)
            write_archive(store, run_id, rows)
        with store.writing() as transaction:
            transaction.insert("answers", rows)


def live_costs(store: Store, since: datetime) -> float:
    """US dollars since then in answers that are not in the database yet: those of runs beside this one."""
    with store.merge_lock():
        rows = (row for path in (store.home / "answers").glob("*.jsonl") for row in _lines(path, []))
        return sum(row["cost"] or row.get("estimate") or 0.0 for row in rows if row["created_at"] >= since)


@contextmanager
def _said_where(folder: Path) -> Iterator[None]:
    """Turn an OSError of a write into AnswersNotKept, with the folder."""
    try:
        yield
    except OSError as error:
        raise AnswersNotKept(f"{folder}: {error.strerror}: answers cannot be kept, so nothing more is asked") from error


def _append(descriptor: int, line: bytes) -> None:
    """Write a whole line at the end, or leave the file as it was. Raises OSError."""
    end = os.fstat(descriptor).st_size
    try:
        while line:
            line = line[os.write(descriptor, line) :]
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _locked(path: Path) -> int:
    """The file, opened for appending and locked.

    A merge may remove the file between the two steps: then it is opened again.

    A torn last line of a killed run is cut off, so that no line is joined to it.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_at(descriptor, path):
            os.ftruncate(descriptor, path.read_bytes().rfind(b"\n") + 1)
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _merge_file(store: Store, path: Path) -> None:
    """Move a file's answers to the archive, then to the table in short transactions, so that nobody waits long.

    Answers that a killed merge has moved are left out.

    Lines that cannot be read are set aside, in a file beside it.
    """
    unread: list[bytes] = []
    with store.reading() as view:
        kept = view.rows("select answer_id from answers where run_id = $run", run=path.stem)
    known = {row["answer_id"] for row in kept}
    with _said_where(path.parent):
        write_archive(store, path.stem, _lines(path, unread))
    lines = (row for row in _lines(path, []) if row["answer_id"] not in known)
    while rows := list(islice(lines, AT_ONCE)):
        with store.writing() as transaction:
            transaction.insert("answers", rows)
    if unread:
        _set_aside(path.with_suffix(".unread"), unread)
    path.unlink(missing_ok=True)


def _merge_left(ledger: LedgerTables, path: Path) -> None:
    """Move the answers that a run wrote to its file while the ledgers were unreachable.

    An answer that is there already stays once.
    """
    unread: list[bytes] = []
    lines = _lines(path, unread)
    while rows := list(islice(lines, AT_ONCE)):
        ledger.add_answers(rows)
    if unread:
        _set_aside(path.with_suffix(".unread"), unread)
    path.unlink(missing_ok=True)


def _set_aside(path: Path, lines: Iterable[bytes]) -> None:
    with _said_where(path.parent):
        path.touch(0o600)
        with path.open("ab") as file:
            file.writelines(lines)


def _lines(path: Path, unread: list[bytes]) -> Iterator[Row]:
    """The rows of a file's whole lines. Those that cannot be read are added to `unread`."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                row = _read(line)
            except (ValueError, KeyError, TypeError):
                unread.append(line)
            else:
                yield row


def _read(line: bytes) -> Row:
    row = json.loads(line)
    created_at = datetime.fromisoformat(row["created_at"])
    day = datetime.fromisoformat(row["day"]).date() if row["day"] else None
    return {**row, "created_at": created_at, "day": day}


def _row(answer: Answer, answer_id: str, run_id: str) -> dict[str, Any]:
    row = answer.model_dump(mode="json", exclude={"reply"})
    row |= answer.reply.usage.model_dump(mode="json")
    row |= answer.reply.model_dump(mode="json", include={"outcome", "detail", "cost"}) | {"answer": answer.reply.text}
    return row | {"answer_id": answer_id, "run_id": run_id, "created_at": datetime.now(UTC).isoformat()}


def _reply(row: Row) -> Reply:
    usage = Usage.model_validate({name: row[name] for name in Usage.model_fields})
    kept = {name: row[name] for name in ("outcome", "detail", "cost", "lane")}
    return Reply(**kept, text=row["answer"], usage=usage)
