"""Limits that all workers of a store keep together: turns at a model's pace, and reservations in a daily budget.

Both are rows of Postgres that a worker changes a few times a second, not once a call.
Sources: https://www.postgresql.org/docs/15/sql-insert.html (on conflict) and
https://www.postgresql.org/docs/15/view-pg-locks.html (keys of advisory locks).
"""

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime

import psycopg

from cpa_core.errors import AnswersNotKept, StoreBusy
from cpa_core.llm import Allowed
from cpa_core.llm.limiter import SLACK
from cpa_core.store.lake.postgres import Connection, PostgresConnections
from cpa_core.store.transaction import question_sql

AGAIN = 5.0
"""Seconds for which no turn is asked for after Postgres did not answer."""
PART = 4
"""A worker reserves ahead at most this part of what is left, so that the end of a budget is shared too."""
RENEWING = 0x637062
"""The advisory lock under which a reservation is renewed."""


class SharedTurns:
    """The paces of one model for all workers of a store. While Postgres is away, each worker keeps the limits alone."""

    def __init__(self, connections: PostgresConnections, model: str) -> None:
        self._connections = connections
        self._model = model
        self._again_at = 0.0

    def take(self, seconds: Mapping[str, float]) -> Mapping[str, float] | None:
        """Take a turn of so many seconds of each pace: in how many seconds it begins; null while Postgres is away."""
        if time.monotonic() < self._again_at:
            return None
        names = {"model": self._model, "units": list(seconds), "seconds": list(seconds.values()), "slack": SLACK}
        try:
            with self._connections.leased(0) as connection:
                rows = connection.execute(question_sql("lake/turns_taken"), names).fetchall()
        except (psycopg.Error, StoreBusy):
            self._again_at = time.monotonic() + AGAIN
            return None
        return {row["unit"]: row["ends_in"] - seconds[row["unit"]] for row in rows}

    def pause(self, seconds: float) -> None:
        """Let no further turn begin for these seconds."""
        with suppress(psycopg.Error, StoreBusy), self._connections.leased(0) as connection:
            connection.execute(question_sql("lake/turns_paused"), {"model": self._model, "seconds": seconds})


class SharedAllowance:
    """A worker's reservation in a budget of `most` US dollars since a moment.

    It counts while the connection that made it lives. `awaited` are the states of batches whose answers are to come;
    `beside` returns the cost of answers that are on this machine only.
    """

    def __init__(
        self,
        connections: PostgresConnections,
        most: float,
        since: datetime,
        awaited: Collection[str],
        beside: Callable[[], float],
    ) -> None:
        self._connections = connections
        self._most = most
        self._names = {"since": since, "awaited": sorted(awaited), "holder": secrets.randbits(62)}
        self._beside = beside
        self._stack = ExitStack()
        self._connection: Connection | None = None

    def left(self) -> float:
        """US dollars that nobody has spent or reserved. Raises AnswersNotKept while Postgres is away."""
        try:
            with self._connections.leased() as connection:
                found = self._found(connection)
        except (psycopg.Error, StoreBusy) as failed:
            raise self._unknown(failed) from None
        return found.left - found.others

    def renew(self, held: float, more: float, ahead: float) -> Allowed:
        """Reserve as `Allowance` says. Raises AnswersNotKept while Postgres is away."""
        for patience in (1, 0):
            try:
                return self._renewed(self._holding(), held, more, ahead)
            except (psycopg.Error, StoreBusy) as failed:
                self._stack.close()
                self._connection = None
                if not patience:
                    raise self._unknown(failed) from None
        raise AssertionError("unreachable")

    def release(self) -> None:
        """Reserve nothing any more."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.execute("delete from allowances where holder = %(holder)s", self._names)
                self._connection.execute("select pg_advisory_unlock(%(holder)s)", self._names)
        self._stack.close()
        self._connection = None

    def _holding(self) -> Connection:
        """The connection whose lock says that this worker lives. Reservations of workers that died are removed."""
        if self._connection is None:
            self._connection = self._stack.enter_context(self._connections.leased())
            self._connection.execute("select pg_advisory_lock(%(holder)s)", self._names)
            self._connection.execute(question_sql("lake/allowances_of_the_dead"))
        return self._connection

    def _renewed(self, connection: Connection, held: float, more: float, ahead: float) -> Allowed:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [RENEWING])
            found = self._found(connection)
            room = found.left - found.others - held - more
            dollars = held + more + min(ahead, room / PART) if room >= 0 else held
            connection.execute(question_sql("lake/allowance_kept"), {**self._names, "dollars": dollars})
        return found._replace(dollars=dollars)

    def _found(self, connection: Connection) -> Allowed:
        """The rest of the budget that nobody has spent, and the part that others hold."""
        beside = self._beside()  # read first: what is merged meanwhile counts twice rather than not at all
        (row,) = connection.execute(question_sql("lake/money_held"), self._names).fetchall()
        return Allowed(0.0, self._most - row["spent"] - beside, row["others"])

    def _unknown(self, failed: Exception) -> AnswersNotKept:
        at = self._connections.address
        words = at.without_secrets(str(failed))
        return AnswersNotKept(f"{at.shown}: what the day has cost is unknown, so nothing more is asked: {words}")
