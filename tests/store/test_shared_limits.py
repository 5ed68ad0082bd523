"""Limits that the workers of a shared store keep together: requests a minute, and the budget of a day."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from os import environ
from pathlib import Path

import psycopg
import pytest

from cpa_core.errors import BudgetReached, Limits
from cpa_core.llm import Allowed, Budget, Limiter, Shared
from cpa_core.llm.limiter import MARGIN, SLACK, TURN, Load
from cpa_core.settings import settings
from cpa_core.store.lake.address import address_of
from cpa_core.store.lake.engine import LakeEngine
from tests.servers.postgres import Postgres, programs, server
from tests.support.lakes import Lakes

needs_postgres = pytest.mark.skipif(programs() is None, reason="Postgres is not installed: apt-get install postgresql")
PER_SECOND = 20
SINCE = datetime.now(UTC) - timedelta(minutes=1)


class Schedule:
    """Turns of one process, which are counted."""

    def __init__(self) -> None:
        self.asked = 0
        self._ends: dict[str, float] = {}
        self._guard = threading.Lock()

    def take(self, seconds: Mapping[str, float]) -> Mapping[str, float]:
        """Each after the last one."""
        with self._guard:
            self.asked += 1
            now = time.monotonic()
            begins = {name: max(self._ends.get(name, 0.0), now - SLACK) for name in seconds}
            self._ends |= {name: begins[name] + seconds[name] for name in seconds}
            return {name: at - now for name, at in begins.items()}

    def pause(self, seconds: float) -> None:
        """Later turns begin later."""
        with self._guard:
            self._ends["requests"] = max(self._ends.get("requests", 0.0), time.monotonic() + seconds)


class Away(Schedule):
    """Nobody can say when a turn begins."""

    def take(self, seconds: Mapping[str, float]) -> Mapping[str, float]:
        """Nothing."""
        self.asked += 1
        return {}


def started(limiters: list[Limiter], count: int, load: Load) -> list[float]:
    """When calls of this load began, of all limiters together; each ends at once with half of the load."""

    def call(limiter: Limiter) -> float:
        with limiter.slot(load):
            limiter.answered(None, load, load._replace(read=load.read / 2))
            return time.monotonic()

    with ThreadPoolExecutor(8) as pool:
        return sorted(pool.map(call, [limiters[n % len(limiters)] for n in range(count)]))


@pytest.mark.parametrize(
    ("limits", "load"),
    [({"rpm": 6_000}, Load()), ({"tpm": 60_000}, Load(20.0)), ({"rpm": 9_000, "tpm": 60_000}, Load(20.0))],
)
def test_workers_together_keep_a_limit_and_ask_for_turns_seldom(limits: dict[str, float], load: Load) -> None:
    turns = Schedule()
    at = started([Limiter(4, **limits, shared=Shared(turns=turns)) for _ in range(3)], 150, load)
    spread = at[-1] - at[0]
    assert 0.9 * (150 / 100 - SLACK) <= spread <= 1.5 * 150 / 100 + 3 * TURN
    assert turns.asked <= 4 * (spread / TURN + 3)


def test_a_refusal_of_one_worker_pauses_the_others_and_a_limit_that_nobody_named_is_not_shared() -> None:
    turns = Schedule()
    one, other, free = (Limiter(1, rpm=rpm, shared=Shared(turns=turns)) for rpm in (60_000.0, 60_000.0, None))
    began = time.monotonic()
    one.refused(Limits(requests=60_000), 0.8)
    (at,) = started([other], 1, Load())
    assert at - began >= 0.7
    asked = turns.asked
    started([free], 5, Load())
    assert turns.asked == asked


def test_a_worker_keeps_the_limits_alone_while_nobody_can_say_when_its_turn_begins() -> None:
    at = started([Limiter(4, rpm=6_000, shared=Shared(turns=Away()))], 100, Load())
    assert 0.4 <= at[-1] - at[0] <= 3


class Purse:
    """An allowance of one worker: `others` hold so much, and `spent` is what all have spent."""

    def __init__(self, most: float) -> None:
        self.most, self.spent, self.others, self.asked = most, 0.0, 0.0, 0

    def renew(self, held: float, more: float, ahead: float) -> Allowed:
        """As much as there is."""
        self.asked += 1
        room = self.most - self.spent - self.others - held - more
        return Allowed(held + more + min(ahead, room) if room >= 0 else held, self.most - self.spent, self.others)

    def release(self) -> None:
        """Nothing."""


def test_a_call_waits_for_what_another_worker_holds_and_ends_when_that_is_spent() -> None:
    purse = Purse(1.0)
    budget = Budget("b", 1.0, purse)
    purse.others = 0.5
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: budget.holding(0.75).__enter__())
        time.sleep(0.1)
        assert not waiting.done()
        purse.others = 0.0
        waiting.result(5)
    purse.spent, purse.others = 0.5, 0.25
    with pytest.raises(BudgetReached, match=r"\$0.5000 left"), Budget("b", 1.0, purse).holding(0.75):
        pass


def test_a_shared_budget_is_looked_at_a_few_times_a_second_and_not_once_a_call() -> None:
    purse = Purse(1e9)
    budget = Budget("b", 1e9, purse)
    for _ in range(2_000):
        with budget.holding(0.5) as bill:
            purse.spent += 0.5
            bill.pay(0.5)
    assert purse.asked <= 40


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with server() as one:
        yield one


@pytest.fixture
def engines(postgres: Postgres, tmp_path: Path) -> Iterator[list[LakeEngine]]:
    """Two workers of one store, with its ledgers."""
    lakes = Lakes(postgres)
    given = lakes.environ(tmp_path / "home")
    made = [LakeEngine(address_of(settings(given))) for _ in range(2)]
    with ExitStack() as stack:
        for one in made:
            stack.callback(one.close)
        made[0].ledger.prepare()
        with psycopg.connect(_address(made[0])) as connection:
            connection.execute("create table cpa.answers (cost float8, estimate float8, created_at timestamptz)")
            connection.execute("create table cpa.batches (estimate float8, submitted_at timestamptz, state text)")
        yield made


def _address(engine: LakeEngine) -> str:
    at = engine.address
    return psycopg.conninfo.make_conninfo(
        host=at.host, port=at.port, dbname=at.database, user=at.user, password=at.password
    )


@needs_postgres
@pytest.mark.slow
def test_two_processes_keep_a_limit_of_requests_together(postgres: Postgres, tmp_path: Path) -> None:
    given = {**environ, **Lakes(postgres).environ(tmp_path / "home")}
    command = [sys.executable, "-m", "tests.support.paced", str(tmp_path / "home"), str(60 * PER_SECOND)]
    seconds = 4.0
    with ExitStack() as stack:
        workers: list[subprocess.Popen[str]] = []
        for _ in range(2):
            worker = subprocess.Popen(command, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            workers.append(stack.enter_context(worker))
            stack.callback(worker.kill)
        for worker in workers:
            assert worker.stdout and worker.stdin and worker.stdout.readline() == "ready\n"
        for signal in range(2):
            for worker in workers:
                assert worker.stdin
                worker.stdin.write("\n")
                worker.stdin.flush()
            time.sleep(seconds * (1 - signal))
        own = [[float(line) for line in worker.communicate()[0].splitlines()] for worker in workers]
    at = sorted(one for worker in own for one in worker)
    inner = [one for one in at if at[0] + SLACK <= one <= at[0] + seconds - TURN]
    per_second = len(inner) / (seconds - TURN - SLACK)
    assert 0.8 <= per_second / PER_SECOND <= 1.05, [len(one) for one in own]
    assert all(len(one) >= 0.2 * len(at) for one in own)
    for n in range(len(at) - 2 * PER_SECOND):
        assert at[n + 2 * PER_SECOND] - at[n] >= 2.0 * MARGIN - SLACK - 0.25, "never a burst above the limit"


@needs_postgres
def test_workers_spend_the_budget_of_a_day_together_and_not_more(engines: list[LakeEngine]) -> None:
    most, price = 2.0, 0.05

    def spend(engine: LakeEngine) -> int:
        own = engine.ledger.allowance(most, SINCE, ["submitted"], lambda: 0.0)
        calls = 0
        with closing(Budget("b", most, own)) as budget, psycopg.connect(_address(engine), autocommit=True) as ledger:
            while True:
                try:
                    with budget.holding(2 * price) as bill:
                        time.sleep(0.005)
                        ledger.execute("insert into cpa.answers values (%s, null, now())", [price])
                        bill.pay(price)
                        calls += 1
                except BudgetReached:
                    return calls

    with psycopg.connect(_address(engines[0])) as connection:
        connection.execute("insert into cpa.batches values (0.5, now(), 'submitted'), (9, now(), 'used')")
    with ThreadPoolExecutor(2) as pool:
        calls = list(pool.map(spend, engines))
    assert sum(calls) * price <= most - 0.5 and sum(calls) * price >= most - 0.5 - 2 * price and min(calls) > 0


@needs_postgres
def test_the_reservation_of_a_worker_that_died_is_free_again(engines: list[LakeEngine]) -> None:
    first, second = (one.ledger.allowance(1.0, SINCE, [], lambda: 0.25) for one in engines)
    assert first.renew(0.0, 0.5, 0.0) == Allowed(0.5, 0.75, 0.0)
    assert second.renew(0.0, 0.5, 0.0) == Allowed(0.0, 0.75, 0.5)
    assert second.left() == 0.25
    with psycopg.connect(_address(engines[0]), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(l.pid, 5000) from pg_locks l join cpa.allowances a on "
            "(l.classid::bigint << 32) | l.objid::bigint = a.holder where a.dollars > 0 and l.locktype = 'advisory'"
        )
    assert second.renew(0.0, 0.5, 1.0) == Allowed(0.5 + 0.25 / 4, 0.75, 0.0)
    assert first.renew(0.125, 0.0, 0.0).dollars == 0.125, "it takes a new session, and holds what its calls hold"
    first.release()
    second.release()
    with psycopg.connect(_address(engines[0])) as connection:
        assert connection.execute("select count(*) from cpa.allowances").fetchone() == (0,)
