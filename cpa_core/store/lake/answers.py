"""The answers of a run on their way to Postgres: one thread writes them, as many at once as have come meanwhile."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue

import psycopg

from cpa_core.errors import AnswersNotKept, CpaError, StoreBusy
from cpa_core.store.engine import AnswerLog
from cpa_core.store.transaction import Row

AT_ONCE = 200
"""Answers in one transaction at most."""
AWAY = 30.0
"""Seconds after which nothing more is asked while the answers go to this machine alone."""

Waiting = tuple[Row, "Future[None]"]


class LedgerLog:
    """Appends answers to the ledger; `append` returns once its answer is committed.

    While Postgres is away, answers go to the `fallback`, a file of this machine, which is merged when it is back. After
    AWAY seconds of that `append` raises AnswersNotKept, though the answer is in the file: nothing more is asked.
    """

    def __init__(
        self,
        add: Callable[[list[Row]], None],
        fallback: Callable[[], AnswerLog],
        words: Callable[[str, Exception], str],
        away: float = AWAY,
    ) -> None:
        self._add = add
        self._fallback = fallback
        self._words = words
        self._away = away
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._local: AnswerLog | None = None
        self._gone_at: float | None = None

    def append(self, row: Row) -> None:
        """Commit an answer. Raises AnswersNotKept."""
        done: Future[None] = Future()
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="answers", daemon=True)
                self._thread.start()
            self._queue.put((row, done))
        done.result()

    def close(self) -> None:
        """Write what waits, and let go of the fallback."""
        with self._guard:
            if self._thread is not None:
                self._queue.put(None)
                self._thread.join()
                self._thread = None
            if self._local is not None:
                self._local.close()
                self._local = None

    def _write(self) -> None:
        """The thread: everything that waits in one transaction, until there is nothing more to come."""
        while (first := self._queue.get()) is not None:
            waiting, more = self._gathered(first)
            problem = self._stored([row for row, _ in waiting])
            for _, done in waiting:
                if problem is None:
                    done.set_result(None)
                else:
                    done.set_exception(problem)
            if not more:
                return

    def _gathered(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """The first and what came meanwhile, and whether more may come."""
        waiting = [first]
        while len(waiting) < AT_ONCE:
            try:
                one = self._queue.get_nowait()
            except Empty:
                break
            if one is None:
                return waiting, False
            waiting.append(one)
        return waiting, True

    def _stored(self, rows: list[Row]) -> CpaError | None:
        """Why asking must stop; null where it may go on."""
        try:
            self._add(rows)
            self._gone_at = None
            return None
        except (psycopg.Error, StoreBusy) as failed:
            return self._put_aside(rows, failed)

    def _put_aside(self, rows: list[Row], failed: Exception) -> CpaError | None:
        self._gone_at = self._gone_at or time.monotonic()
        try:
            self._local = self._local or self._fallback()
            for row in rows:
                self._local.append(row)
        except AnswersNotKept as full:
            return full
        if time.monotonic() - self._gone_at < self._away:
            return None
        return AnswersNotKept(self._words("answers are kept on this machine only, so nothing more is asked", failed))
