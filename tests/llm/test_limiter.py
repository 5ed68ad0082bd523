"""The limiter and the budget: how fast, how long and for how much money a run may ask."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cpa_core.cli import main
from cpa_core.errors import BudgetReached, DeadlineReached, Limits, ProviderFailed, SettingsError
from cpa_core.llm import Budget, Engine, Limiter, Reply, Request, Shared, Usage
from cpa_core.llm.limiter import FIRST_CALLS, KNOWN_CUT, MARGIN, UNKNOWN_CUT, Pace
from cpa_core.pipeline import Assistant, build_day, judge_day, land, quote, tag_day
from cpa_core.pipeline.concurrency import AHEAD, in_order_of_end
from cpa_core.pricing import cost, prices
from cpa_core.providers.wire import limits
from cpa_core.settings import settings
from tests.servers.chat_completions import Behaviour, ChatServer, Hang, Status
from tests.support.commands import chats, cpa
from tests.support.fakes import ABOUT, DAY, Memory, request
from tests.support.homes import Home

Captured = pytest.CaptureFixture[str]
PRICES = "compatible:test-model: {input: 1000, output: 1000}\n"


def accept(text: str) -> None:
    """Every answer will do."""


class Answers:
    """A provider that answers at once and remembers when it was asked."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits
        self.at: list[float] = []

    def call(self, request: Request) -> Reply:
        """An empty answer of ten tokens."""
        self.at.append(time.monotonic())
        usage = Usage(prompt_tokens=5, completion_tokens=5)
        return Reply(outcome="ok", text="{}", limits=self.limits, usage=usage)


def asked(provider: Any, limiter: Limiter, count: int, threads: int = 16) -> list[Reply]:
    """The replies to so many questions."""
    made = Engine(provider, Memory(), limiter, lambda *_: 0.0)
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda n: made.ask(request(user=str(n)), accept, ABOUT), range(count)))


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"x-ratelimit-limit-requests": "600", "x-ratelimit-limit-tokens": "90000"}, Limits(600, 90_000)),
        ({"anthropic-ratelimit-requests-limit": "50"}, Limits(50, None)),
        ({"anthropic-ratelimit-tokens-limit": "48000"}, Limits(tokens=48_000)),
        (
            {
                "anthropic-ratelimit-tokens-limit": "40000",
                "anthropic-ratelimit-input-tokens-limit": "40000",
                "anthropic-ratelimit-output-tokens-limit": "8000",
            },
            Limits(fresh_tokens=40_000, written_tokens=8_000),
        ),
        ({"x-ratelimit-limit-requests": "many", "x-ratelimit-limit-tokens": "-1"}, None),
        (
            {
                "x-ratelimit-limit-requests": "14400",
                "x-ratelimit-remaining-requests": "14370",
                "x-ratelimit-reset-requests": "2m59.56s",
                "x-ratelimit-limit-tokens": "18000",
            },
            Limits(None, 18_000),
        ),
        (
            {
                "x-ratelimit-limit-requests": "600",
                "x-ratelimit-remaining-requests": "599",
                "x-ratelimit-reset-requests": "100ms",
            },
            Limits(600, None),
        ),
    ],
)
def test_limits_are_read_from_both_vendors_headers_and_one_of_a_day_is_no_pace(
    headers: dict[str, str], found: Limits | None
) -> None:
    assert limits(headers) == found


def test_calls_are_spread_by_the_limit_that_the_first_answers_name() -> None:
    provider = Answers(Limits(requests=3_000))
    asked(provider, Limiter(16), 60)
    spread = provider.at[-1] - provider.at[FIRST_CALLS]
    assert spread >= 0.98 * (60 - FIRST_CALLS - 1 - 25) / 50, "half a second of calls may catch up"


def test_calls_are_spread_by_a_limit_of_our_own() -> None:
    provider = Answers(Limits(requests=1_000_000))
    asked(provider, Limiter(16, rpm=1_200), 30)
    assert provider.at[-1] - provider.at[0] >= (30 - 12) / 20


@pytest.mark.parametrize(("theirs", "ours"), [(6_000, None), (1_000_000, 6_000)])
def test_calls_are_spread_by_the_tokens_that_they_really_take(theirs: float, ours: float | None) -> None:
    provider = Answers(Limits(tokens=theirs))
    asked(provider, Limiter(8, tpm=ours), 20)
    assert provider.at[-1] - provider.at[0] >= (20 - FIRST_CALLS - 8 - 5) * 10 / 100


@pytest.mark.parametrize("limit", [Limits(fresh_tokens=360_000), Limits(written_tokens=24_000)])
def test_what_is_read_and_what_is_written_have_limits_of_their_own_and_a_cache_is_free(limit: Limits) -> None:
    class Caching(Answers):
        def call(self, request: Request) -> Reply:
            usage = Usage(prompt_tokens=2_300, cached_tokens=2_000, completion_tokens=20)
            return super().call(request).model_copy(update={"usage": usage})

    provider = Caching(limit)
    asked(provider, Limiter(8), 60)
    per_second = MARGIN * 20
    assert (60 - FIRST_CALLS - 8) / per_second - 0.5 <= provider.at[-1] - provider.at[0] <= 60 / per_second + 1.5


def test_a_pause_of_one_model_leaves_the_slots_to_another() -> None:
    ended = threading.Event()

    def until_ended() -> None:
        if ended.is_set():
            raise DeadlineReached("the test is over")

    def turn() -> None:
        with pytest.raises(DeadlineReached), paused.slot(go_on=until_ended):
            pass

    slots = threading.BoundedSemaphore(2)
    paused, free = Limiter(2, rpm=1, shared=Shared(slots)), Limiter(2, shared=Shared(slots))
    with paused.slot():
        pass
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(turn) for _ in range(2)]
        while slots._value:
            time.sleep(0.01)
        paused.refused(None, 30.0)
        with free.slot():
            ended.set()
        for one in waiting:
            one.result(5)


def test_a_refusal_slows_all_calls_down_once_and_answers_make_them_faster_again() -> None:
    limiter = Limiter(8)
    for _ in range(5):
        limiter.refused(Limits(requests=600), 0.001)
    pace = limiter._requests
    assert pace.rate == pytest.approx(MARGIN * 10 * KNOWN_CUT)
    for _ in range(60):
        limiter.answered(None)
    assert pace.rate == pytest.approx(MARGIN * 10)
    unknown = Pace()
    unknown.cut(100)
    assert unknown.rate == pytest.approx(100 * UNKNOWN_CUT)


def test_the_pace_never_ends_and_a_server_that_says_go_on_at_once_does_not_slow_it() -> None:
    limiter = Limiter(8)
    limiter.refused(None, 0.0)
    assert math.isinf(limiter._requests.rate)
    for _ in range(50):
        limiter.answered(None)
        limiter.refused(None, 0.001)
    assert limiter._requests.rate >= 1


def test_a_run_ends_at_its_deadline_although_nothing_is_answered(
    assistant: Callable[..., Assistant], chat_server: ChatServer
) -> None:
    made = assistant(CPA_DEADLINE_MINUTES="0.02")
    land(made)
    build_day(made, DAY)
    chat_server.behaviour = Behaviour(lambda body, nth: Hang(60))
    began = time.monotonic()
    with pytest.raises(DeadlineReached, match="CPA_DEADLINE_MINUTES"):
        tag_day(made, DAY)
    with pytest.raises(DeadlineReached):
        judge_day(made, DAY)
    assert time.monotonic() - began < 20
    with made.store.reading() as view:
        assert view.rows("select * from failures") == []


def test_a_retry_that_would_come_after_the_deadline_is_not_waited_for() -> None:
    class Busy:
        def call(self, request: Request) -> Reply:
            raise ProviderFailed("status 429", retry_after=30.0)

    began = time.monotonic()
    with pytest.raises(DeadlineReached):
        asked(Busy(), Limiter(1, deadline=began + 2), 1)
    assert time.monotonic() - began < 2


def test_money_is_held_while_a_call_runs_and_a_call_that_may_fit_waits_for_the_bills_of_others() -> None:
    budget = Budget("CPA_BUDGET of $1", 1.0)
    held, done = threading.Event(), threading.Event()

    def first() -> None:
        with budget.holding(0.8) as bill:
            held.set()
            assert done.wait(5)
            bill.pay(0.1)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert held.wait(5)
        other = pool.submit(lambda: budget.holding(0.8).__enter__())
        time.sleep(0.05)
        assert not other.done()
        done.set()
        one.result(5)
        other.result(5)
    assert budget.spent == pytest.approx(0.1)
    with pytest.raises(BudgetReached, match="CPA_BUDGET of \\$1 is reached"), budget.holding(0.95):
        pass


def test_a_call_of_unknown_cost_costs_what_was_held_for_it_and_one_that_failed_nothing() -> None:
    budget = Budget("b", 1.0)
    with budget.holding(0.25) as bill:
        bill.pay(None)
    with pytest.raises(ZeroDivisionError), budget.holding(0.25):
        raise ZeroDivisionError
    assert budget.spent == 0.25


@pytest.fixture
def priced(home: Home) -> Home:
    """A home of six conversations whose model has a price of our own."""
    (home.folder / "prices.yml").write_text(PRICES, "utf-8")
    home.environ["CPA_PRICES"] = str(home.folder / "prices.yml")
    home.environ["CPA_CONCURRENCY"] = "2"
    home.write("a.json", chats(6))
    return home


def test_a_run_that_reaches_its_budget_keeps_what_it_has_and_says_what_is_left(
    priced: Home, chat_server: ChatServer, capsys: Captured
) -> None:
    priced.environ["CPA_BUDGET"] = "3"
    assert cpa(priced, "run") == 1
    told = capsys.readouterr()
    assert "conversations are left to tag, for at most about $" in told.err
    assert "conversations are left to judge, for at most about $" in told.err
    assert "left to do, by the same command:" in told.out
    assert 0 < len(chat_server.calls) < 12
    assert priced.rows("select * from failures") == []
    spent = priced.rows("select sum(cost) as dollars, count(*) as calls from answers")[0]
    assert spent["calls"] == len(chat_server.calls) and spent["dollars"] <= 3
    del priced.environ["CPA_BUDGET"]
    assert cpa(priced, "run") == 0
    assert len(chat_server.calls) == 12, "nothing was paid for twice"


def test_a_days_budget_counts_what_all_runs_of_the_day_have_spent(
    priced: Home, chat_server: ChatServer, capsys: Captured
) -> None:
    assert cpa(priced, "run") == 0
    spent = priced.rows("select sum(cost) as dollars from answers")[0]["dollars"]
    priced.write("b.json", chats(7))
    priced.environ["CPA_DAILY_BUDGET"] = str(spent + 0.001)
    assert cpa(priced, "run") == 1
    assert "CPA_DAILY_BUDGET of $" in capsys.readouterr().err
    assert len(chat_server.calls) == 12
    priced.environ["CPA_DAILY_BUDGET"] = str(2 * spent)
    assert cpa(priced, "run") == 0


def test_a_budget_with_an_unknown_price_is_refused_before_anything_is_asked(
    home: Home, chat_server: ChatServer, capsys: Captured
) -> None:
    home.write("a.json", chats(2))
    home.environ["CPA_BUDGET"] = "1"
    assert cpa(home, "run") == 2
    assert "the price of compatible:test-model is unknown: name it in CPA_PRICES" in capsys.readouterr().err
    assert chat_server.calls == []


def test_status_shows_calls_tokens_cost_and_what_the_ledger_answered(priced: Home, capsys: Captured) -> None:
    assert cpa(priced, "run") == 0
    with priced.assistant().store.writing() as transaction:
        transaction.execute("delete from tagged_conversations")
        transaction.execute("update days set delivered_to = []")
    assert cpa(priced, "run") == 0
    capsys.readouterr()
    assert cpa(priced, "status") == 0
    line = next(row for row in capsys.readouterr().out.splitlines() if row.strip().startswith("tag "))
    assert "compatible:test-model" in line and "standard" in line and "50% of 12 questions" in line
    assert "unknown" not in line


def test_what_the_ledger_answered_is_told_once_beside_two_lanes(priced: Home, capsys: Captured) -> None:
    assert cpa(priced, "run") == 0
    with priced.assistant().store.writing() as transaction:
        transaction.execute("update answers set lane = 'batch' where task = 'tag' and conversation_id <> 'c000'")
        row = {"run_id": "r", "task": "tag", "provider": "compatible", "model": "test-model", "questions": 6}
        transaction.insert("answers_reused", [row])
    capsys.readouterr()
    assert cpa(priced, "status") == 0
    lines = [row for row in capsys.readouterr().out.splitlines() if row.strip().startswith("tag ")]
    assert ["batch" in row for row in lines] == [True, False]
    assert lines[0].endswith("50% of 12 questions") and "questions" not in lines[1]


def test_a_stage_says_what_it_was_quoted_at(priced: Home) -> None:
    assistant = priced.assistant()
    land(assistant)
    build_day(assistant, DAY)
    wanted = {line.task: line.cost for line in quote(assistant, [DAY]).lines}
    assert {stage.stage: stage.quoted for stage in (tag_day(assistant, DAY), judge_day(assistant, DAY))} == (
        pytest.approx(wanted)
    )
    assert tag_day(assistant, DAY).quoted == 0.0


def test_prices_of_our_own_win_and_say_where_they_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "prices.yml"
    path.write_text("openai:mine: {input: 2, cached_input: 1, output: 10}\n", "utf-8")
    usage = Usage(prompt_tokens=1_000_000, cached_tokens=500_000, completion_tokens=100_000)
    assert cost("openai", "mine", usage, own=prices(path)) == pytest.approx(2.5)
    assert cost("openai", "mine", usage, "flex", prices(path)) == pytest.approx(1.25)
    assert cost("openai", "mine", usage) is None
    for wrong in ("openai:mine: {input: 2}", "- 1", "a: {input: -1, output: 0}", "a: [", "a: 3"):
        path.write_text(wrong, "utf-8")
        with pytest.raises(SettingsError, match="CPA_PRICES"):
            prices(path)
    with pytest.raises(SettingsError, match="CPA_PRICES"):
        prices(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CPA_BUDGET", "0"),
        ("CPA_BUDGET", "much"),
        ("CPA_DAILY_BUDGET", "inf"),
        ("CPA_DEADLINE_MINUTES", "-1"),
        ("CPA_CONCURRENCY", "257"),
        ("CPA_RPM", "0"),
        ("CPA_TPM", "many"),
        ("CPA_LANE", "slow"),
        ("CPA_POLL", "often"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        settings({name: value})


def test_the_settings_of_money_time_and_speed_are_read() -> None:
    given = settings({"CPA_BUDGET": "$1.5", "CPA_DEADLINE_MINUTES": "30", "CPA_RPM": "60", "CPA_TPM": "90000"})
    assert (given.budget, given.deadline_minutes, given.rpm, given.tpm) == (1.5, 30.0, 60, 90_000)


def test_the_flex_lane_is_asked_for_kept_and_half_the_price(
    home: Home, chat_server: ChatServer, capsys: Captured
) -> None:
    home.environ |= {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": chat_server.url, "CPA_MODEL": "openai:gpt-6-luna"}
    home.write("a.json", chats(1))
    assert cpa(home, "run") == 0
    full = home.rows("select lane, sum(cost) as dollars from answers group by lane")
    home.environ |= {"CPA_LANE": "flex", "CPA_HOME": str(home.folder / "flex")}
    assert cpa(home, "run") == 0
    half = home.rows("select lane, sum(cost) as dollars from answers group by lane")
    assert [body.get("service_tier") for body in chat_server.bodies] == [None, None, "flex", "flex"]
    assert [row["lane"] for row in (*full, *half)] == ["standard", "flex"]
    assert half[0]["dollars"] == pytest.approx(full[0]["dollars"] / 2)
    assert main(["run"], {**home.environ, "CPA_MODEL": "anthropic:claude-haiku-5-5"}) == 2
    assert "which only openai has" in capsys.readouterr().err


def test_what_is_given_is_drawn_from_only_as_threads_become_free_and_not_after_a_stop() -> None:
    drawn: list[int] = []

    def given() -> Any:
        for n in range(1_000):
            drawn.append(n)
            yield n

    def work(n: int) -> int:
        if n == 20:
            raise BudgetReached("reached")
        return n

    ends = dict(in_order_of_end(work, given(), 4))
    assert isinstance(ends[20], BudgetReached) and len(drawn) <= 20 + 2 * 4 + AHEAD
    begun = {n: end for n, end in ends.items() if n != 20}
    assert begun == {n: n for n in begun} and begun.keys() >= set(range(20))


def test_no_call_starts_after_the_provider_has_stopped_the_run(home: Home, chat_server: ChatServer) -> None:
    quota = Status(429, code="insufficient_quota", message="You exceeded your current quota.")
    chat_server.behaviour = Behaviour(lambda body, nth: quota)
    home.environ["CPA_CONCURRENCY"] = "32"
    home.write("a.json", chats(200))
    assert cpa(home, "run") == 1
    assert len(chat_server.calls) <= FIRST_CALLS + 1
    assert home.rows("select * from failures") == []
