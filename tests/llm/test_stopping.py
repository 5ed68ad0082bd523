"""However asking ends, nothing more is paid for, and nothing that was paid for is lost."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import BudgetReached, ProviderFailed, ProviderStopped, SettingsError
from cpa_core.llm import NOT_BILLED, Brake, Engine, Limiter, Reply, Request, Timer, Usage
from cpa_core.pipeline import Assistant, build_day, land, tag_and_judge_day, tag_day
from cpa_core.pipeline.concurrency import in_order_of_end
from cpa_core.providers.openai import REASONING_ROOM
from cpa_core.schema import dump
from tests.servers.chat_completions import Behaviour, ChatServer, Garbage, answer
from tests.support.commands import ONE_EACH, chats
from tests.support.fakes import ABOUT, DAY, Memory, request
from tests.support.homes import Home, turn
from tests.support.models import Model
from tests.support.runs import run

TWO_MODELS = {"CPA_MODEL": "compatible:tagging", "CPA_JUDGE_MODEL": "compatible:judging"}


def home_of(folder: Path, conversations: int, **given: str) -> Home:
    home = Home(folder)
    (folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    home.environ |= {"CPA_SCHEMA": str(folder / "schema.yml"), "CPA_MODEL": "compatible:test-model", **given}
    home.write("a.json", chats(conversations))
    return home


def built(home: Home, provider: Any, **changes: Any) -> Assistant:
    assistant = home.assistant(provider=lambda name: provider, **changes)
    land(assistant)
    build_day(assistant, DAY)
    return assistant


class Slow(Model):
    """A model that takes its time, and knows how many asked at once."""

    def __init__(self, seconds: float, says: Callable[[Request], Reply | None] = lambda request: None) -> None:
        super().__init__(says)
        self.seconds = seconds
        self.now = self.most = 0
        self._guard = threading.Lock()

    def call(self, request: Request) -> Reply:
        """Its answer, later."""
        with self._guard:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self._guard:
            self.now -= 1
            return super().call(request)


def test_a_stop_does_not_wait_for_the_turns_of_what_will_never_be_asked() -> None:
    class Stops:
        calls = 0

        def call(self, request: Request) -> Reply:
            self.calls += 1
            if self.calls > 5:
                raise ProviderStopped("status 401: no such key")
            return Reply(outcome="ok", text="{}")

    provider = Stops()
    made = Engine(provider, Memory(), Limiter(8, rpm=600), lambda *_: 0.0)
    began = time.monotonic()
    ends = list(in_order_of_end(lambda n: made.ask(request(user=str(n)), lambda text: None, ABOUT), range(300), 10))
    assert time.monotonic() - began < 3, "three hundred turns take half a minute"
    assert sum(not isinstance(end, ProviderStopped) for _, end in ends) == 5 and provider.calls < 6 + 8


def test_a_stop_ends_the_wait_before_another_try() -> None:
    class Busy:
        def call(self, request: Request) -> Reply:
            raise ProviderFailed("status 429", retry_after=30.0)

    brake = Brake()
    made = Engine(Busy(), Memory(), Limiter(1), lambda *_: 0.0, brake=brake)
    threading.Timer(0.2, lambda: brake.stop(ProviderStopped("elsewhere"))).start()
    began = time.monotonic()
    with pytest.raises(ProviderStopped, match="elsewhere"):
        made.ask(request(), lambda text: None, ABOUT)
    assert time.monotonic() - began < 3


def test_a_server_that_names_a_wait_is_given_it_within_reason() -> None:
    slept: list[float] = []

    class Busy:
        calls = 0

        def call(self, request: Request) -> Reply:
            self.calls += 1
            if self.calls < 3:
                raise ProviderFailed("status 529", pause=20.0 if self.calls == 1 else 9_999.0)
            return Reply(outcome="ok", text="{}")

    made = Engine(Busy(), Memory(), Limiter(1, Timer(sleep=slept.append)), lambda *_: 0.0)
    assert made.ask(request(), lambda text: None, ABOUT).outcome == "ok"
    assert sum(slept) == pytest.approx(80.0, abs=1.0)


def test_an_interrupted_run_asks_no_more_and_keeps_every_answer(tmp_path: Path) -> None:
    @contextmanager
    def progress(stage: str, total: int) -> Iterator[Callable[[], None]]:
        shown = 0

        def advance() -> None:
            nonlocal shown
            shown += 1
            if shown == 10:
                raise KeyboardInterrupt

        yield advance

    model = Slow(0.02)
    home = home_of(tmp_path, 300, CPA_CONCURRENCY="4")
    assistant = built(home, model)
    with pytest.raises(KeyboardInterrupt):
        tag_and_judge_day(home.assistant(provider=lambda name: model, progress=progress), DAY)
    assert 10 <= len(model.requests) < 40
    assert home.rows("select count(*) as n from answers") == [{"n": len(model.requests)}]
    before = len(model.requests)
    tagged, judged = tag_and_judge_day(assistant, DAY)
    assert (tagged.done, judged.done) == (300, 300)
    assert len(model.requests) == 600 and before < 40, "nothing was paid for twice"


def test_two_models_share_the_slots_of_a_run(tmp_path: Path) -> None:
    model = Slow(0.02)
    assistant = built(home_of(tmp_path, 40, CPA_CONCURRENCY="8", **TWO_MODELS), model)
    tag_and_judge_day(assistant, DAY)
    assert len(model.requests) == 80 and 6 <= model.most <= 8


def test_a_provider_that_answers_neither_of_two_models_stops_the_run_and_nothing_is_marked_as_failed(
    tmp_path: Path,
) -> None:
    class Down:
        def call(self, request: Request) -> Reply:
            raise ProviderFailed("no connection")

    home = home_of(tmp_path, 60, CPA_CONCURRENCY="8", **TWO_MODELS)
    with pytest.raises(ProviderStopped, match="no answer in"):
        tag_and_judge_day(built(home, Down()), DAY)
    assert home.rows("select * from failures") == []


def test_the_price_of_a_model_that_has_nothing_to_do_need_not_be_known(tmp_path: Path) -> None:
    (tmp_path / "prices.yml").write_text("compatible:tagging: {input: 1, output: 1}\n", "utf-8")
    home = home_of(tmp_path, 2, CPA_PRICES=str(tmp_path / "prices.yml"), **TWO_MODELS)
    assistant = built(home, Model())
    tag_and_judge_day(assistant, DAY)
    with assistant.store.writing() as transaction:
        transaction.execute("delete from tagged_conversations")
    home.environ["CPA_BUDGET"] = "5"
    tagged, judged = tag_and_judge_day(home.assistant(provider=lambda name: Model()), DAY)
    assert (tagged.reused, judged.kept) == (2, 2)
    with assistant.store.writing() as transaction:
        transaction.execute("delete from judge_scores")
    with pytest.raises(SettingsError, match="the price of compatible:judging is unknown"):
        tag_and_judge_day(home.assistant(provider=lambda name: Model()), DAY)


def priced(folder: Path, conversations: int, **given: str) -> Home:
    (folder / "prices.yml").write_text("compatible:test-model: {input: 1000, output: 1000}\n", "utf-8")
    return home_of(folder, conversations, CPA_PRICES=str(folder / "prices.yml"), CPA_CONCURRENCY="1", **given)


def test_a_question_that_is_refused_as_a_whole_costs_nothing_and_leaves_every_sum_known(tmp_path: Path) -> None:
    def says(asked: Request) -> Reply:
        if len(model.requests) % 2:
            return Reply(outcome="error", detail="status 400: invalid_prompt", usage=NOT_BILLED)
        return Reply(outcome="ok", text=Model.usual(asked), usage=Usage(prompt_tokens=9, completion_tokens=1))

    model = Model(says)
    home = priced(tmp_path, 6, CPA_BUDGET="100")
    done = tag_day(built(home, model), DAY)
    assert (done.failures, done.prompt_tokens, done.cost) == (3, 27, pytest.approx(0.03))


def test_a_budget_counts_what_was_set_aside_for_answers_whose_cost_nobody_knows(tmp_path: Path) -> None:
    home = priced(tmp_path, 30, CPA_DAILY_BUDGET="20")
    model = Model(lambda asked: Reply(outcome="ok", text=Model.usual(asked)))
    built(home, model)
    for _ in range(3):
        with pytest.raises(BudgetReached):
            tag_day(home.assistant(provider=lambda name: model), DAY)
    sums = home.rows("select sum(cost) as known, sum(estimate) as held, count(*) as n from answers")[0]
    assert sums["known"] is None and 0 < sums["held"] <= 20 and sums["n"] == len(model.requests) < 30


def test_the_cost_of_a_conversation_is_for_those_that_were_asked_about(tmp_path: Path) -> None:
    home = priced(tmp_path, 6)
    usage = Usage(prompt_tokens=9, completion_tokens=1)
    assistant = built(home, Model(lambda asked: Reply(outcome="ok", text=Model.usual(asked), usage=usage)))
    assert tag_day(assistant, DAY).cost_per_conversation == pytest.approx(0.01)
    with assistant.store.writing() as transaction:
        transaction.execute("delete from tagged_conversations")
        transaction.execute("delete from answers where conversation_id = 'c000'")
    model = Model(lambda asked: Reply(outcome="ok", text=Model.usual(asked), usage=usage))
    again = tag_day(home.assistant(provider=lambda name: model), DAY)
    assert (again.asked, again.reused, again.cost_per_conversation) == (1, 5, pytest.approx(0.01))


def test_a_stage_of_dagster_that_stops_says_what_all_its_days_have_left(tmp_path: Path) -> None:
    home = priced(tmp_path, 4, CPA_BUDGET="3")
    later = {f"d{n}": [turn(f"later {n}", "2026-03-05T09:00:00Z")] for n in range(3)}
    home.write("b.json", later)
    usage = Usage(prompt_tokens=900, completion_tokens=100)
    assistant = built(home, Model(lambda asked: Reply(outcome="ok", text=Model.usual(asked), usage=usage)))
    build_day(assistant, date(2026, 3, 5))
    result = run(assistant, str(DAY), until="2026-03-05", only="tagged_events")
    (failed,) = result.filter_events(lambda event: event.is_step_failure)
    told = str(failed.step_failure_data.user_failure_data)
    assert "CPA_BUDGET of $3 is reached" in told and "conversations are left to tag" in told
    assert "left of 2 days: tag: " in told and "left of 2 days: judge: 7 questions, at most about $" in told


def test_a_budget_holds_also_where_no_answer_is_known_and_each_takes_all_of_its_room(tmp_path: Path) -> None:
    (tmp_path / "prices.yml").write_text("openai:o9-thinking: {input: 0, output: 10}\n", "utf-8")
    given = {"CPA_MODEL": "openai:o9-thinking", "CPA_PRICES": str(tmp_path / "prices.yml"), "CPA_BUDGET": "1"}

    def says(asked: Request) -> Reply:
        usage = Usage(prompt_tokens=9, completion_tokens=asked.max_tokens + REASONING_ROOM)
        return Reply(outcome="ok", text=Model.usual(asked), usage=usage)

    home = home_of(tmp_path, 60, CPA_CONCURRENCY="16", **given)
    model = Slow(0.02, says)
    with pytest.raises(BudgetReached):
        tag_and_judge_day(built(home, model), DAY)
    assert 0.8 < home.rows("select sum(cost) as dollars from answers")[0]["dollars"] <= 1


def test_a_budget_holds_where_a_server_is_found_to_reason_within_the_run(tmp_path: Path) -> None:
    (tmp_path / "prices.yml").write_text("compatible:test-model: {input: 0, output: 10}\n", "utf-8")
    home = home_of(tmp_path, 30, CPA_PRICES=str(tmp_path / "prices.yml"), CPA_BUDGET="1", CPA_CONCURRENCY="4")

    def thinks(body: dict[str, Any], number: int) -> Garbage:
        message = {"role": "assistant", "content": answer(body), "reasoning_content": "so {it} is"}
        usage = {"prompt_tokens": 9, "completion_tokens": body["max_tokens"]}
        return Garbage(json.dumps({"choices": [{"index": 0, "message": message}], "usage": usage}).encode())

    with ChatServer(Behaviour(thinks)) as server:
        home.environ["CPA_COMPATIBLE_URL"] = server.url
        assistant = home.assistant()
        land(assistant)
        build_day(assistant, DAY)
        with pytest.raises(BudgetReached):
            tag_and_judge_day(assistant, DAY)
        assert max(body["max_tokens"] for body in server.bodies) > REASONING_ROOM
    assert 0.7 < home.rows("select sum(cost) as dollars from answers")[0]["dollars"] <= 1
