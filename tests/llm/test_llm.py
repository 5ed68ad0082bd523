"""The engine: what is asked, asked again, kept, and given up."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cpa_core.errors import ProviderFailed, ProviderStopped, ReplyInvalid
from cpa_core.llm import (
    FIRST_SILENCE,
    HUNG_TRIES,
    MAX_BUSY,
    MAX_FAILURES,
    MAX_WAIT,
    MIN_SILENCE,
    Engine,
    Limiter,
    Provider,
    Reply,
    Request,
    Timer,
    Usage,
)
from cpa_core.pipeline import Assistant, build_day, judge_day, land, tag_day
from cpa_core.providers.openai import ChatCompletions
from cpa_core.tagging import first_requests
from tests.servers.chat_completions import Behaviour, Body, Broken, ChatServer, Drop, Hang, Refused, Status
from tests.support.fakes import ABOUT, DAY, MODEL, SCHEMA, Memory, Script, conversation, engine, request

QUESTION = first_requests(conversation("Can I deduct my home office?"), SCHEMA, MODEL)[0]


def accept(text: str) -> None:
    """Every answer will do."""


def reject(text: str) -> None:
    """No answer will do."""
    raise ReplyInvalid("m 0: missing")


def over(server: ChatServer, answers: Memory | None = None) -> Engine:
    """An engine that asks the server."""
    return engine(ChatCompletions("key", server.url, is_openai=False), answers)


def asked_over(server: ChatServer, behaviour: Behaviour) -> Reply:
    """The reply to one question."""
    server.behaviour = behaviour
    return over(server).ask(QUESTION, accept, ABOUT)


def first(*said: Any) -> Behaviour:
    """These things first, then a refusal, which ends every question."""
    return Behaviour(lambda body, nth: said[nth - 1] if nth <= len(said) else Refused())


def always(said: Any) -> Behaviour:
    """This, whatever is asked."""
    return Behaviour(lambda body, nth: said)


def test_an_answer_is_paid_for_once() -> None:
    provider, answers = Script("{}"), Memory()
    made = engine(provider, answers)
    again = [made.ask(request(), accept, ABOUT) for _ in range(3)]
    assert [reply.text for reply in again] == ["{}"] * 3
    assert (len(provider.requests), made.asked.total(), made.reused.total(), len(answers.kept)) == (1, 1, 2, 1)


def test_threads_that_ask_the_same_question_pay_once() -> None:
    entered = threading.Barrier(4)

    class Slow:
        calls = 0

        def call(self, request: Request) -> Reply:
            self.calls += 1
            time.sleep(0.05)
            return Reply(outcome="ok", text="{}")

    def ask() -> Reply:
        entered.wait()
        return made.ask(request(), accept, ABOUT)

    provider = Slow()
    made = engine(provider)
    with ThreadPoolExecutor(4) as pool:
        replies = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
    assert provider.calls == 1
    assert {reply.text for reply in replies} == {"{}"}
    assert (made.asked.total(), made.reused.total()) == (1, 3)


@pytest.mark.parametrize("outcome", ["refused", "filtered"])
def test_a_final_answer_is_not_asked_for_again(outcome: Any) -> None:
    provider = Script(Reply(outcome=outcome))
    made = engine(provider)
    assert [made.ask(request(), accept, ABOUT).outcome for _ in range(2)] == [outcome] * 2
    assert len(provider.requests) == 1


@pytest.mark.parametrize("outcome", ["truncated", "invalid", "error"])
def test_an_answer_that_may_come_out_better_is_kept_but_not_used_again(outcome: Any) -> None:
    answers = Memory()
    made = engine(Script(Reply(outcome=outcome), "{}"), answers)
    assert [made.ask(request(), accept, ABOUT).outcome for _ in range(2)] == [outcome, "ok"]
    assert [answer.reply.outcome for answer in answers.kept] == [outcome, "ok"]


def test_an_answer_that_fails_its_check_is_invalid_with_the_rule_and_is_kept_for_the_accounts() -> None:
    answers = Memory()
    usage = Usage(prompt_tokens=7, completion_tokens=3)
    reply = engine(Script(Reply(outcome="ok", text="{}", usage=usage)), answers).ask(request(), reject, ABOUT)
    assert (reply.outcome, reply.detail, reply.usage, reply.cost) == ("invalid", "m 0: missing", usage, 0.01)
    assert [answer.reply for answer in answers.kept] == [reply]


def test_an_answer_is_kept_with_its_conversation_and_attempt() -> None:
    answers = Memory()
    engine(Script(ProviderFailed("status 500"), "{}"), answers).ask(request(), accept, ABOUT)
    (kept,) = answers.kept
    assert (kept.attempt, kept.task, kept.day, kept.conversation_id) == (2, "tag", str(DAY), "c1")
    assert kept.request_hash == request().hash


def test_a_server_error_is_tried_again(chat_server: ChatServer) -> None:
    assert asked_over(chat_server, first(Status(500), Status(503), Drop())).outcome == "refused"
    assert len(chat_server.calls) == 4


def test_a_question_is_given_up_after_its_failures(chat_server: ChatServer) -> None:
    reply = asked_over(chat_server, always(Status(500)))
    assert (reply.outcome, reply.detail, reply.cost) == ("error", "status 500", 0.0)
    assert len(chat_server.calls) == MAX_FAILURES


@pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"Retry-After": "0.01"}])
def test_a_rate_limit_is_waited_out_and_is_no_failure(chat_server: ChatServer, headers: dict[str, str]) -> None:
    busy = [Status(429, headers, "rate_limit_exceeded")] * (MAX_FAILURES + 2)
    assert asked_over(chat_server, first(*busy)).outcome == "refused"
    assert len(chat_server.calls) == MAX_FAILURES + 3


def test_a_rate_limit_that_does_not_end_is_given_up(chat_server: ChatServer) -> None:
    reply = asked_over(chat_server, always(Status(429, {"Retry-After": "0"})))
    assert (reply.outcome, reply.detail) == ("error", "status 429: rate limit")
    assert len(chat_server.calls) == MAX_BUSY


def test_a_provider_that_answers_nobody_is_given_up() -> None:
    provider = Script(lambda request: ProviderFailed("status 500"))
    made = engine(provider, concurrency=1)
    for n in range(FIRST_SILENCE // MAX_FAILURES):
        assert made.ask(request(user=str(n)), accept, ABOUT).outcome == "error"
    with pytest.raises(ProviderStopped, match="no answer in 22 calls in a row, the last one: status 500"):
        made.ask(request(user="last"), accept, ABOUT)
    with pytest.raises(ProviderStopped):
        made.ask(request(user="another"), accept, ABOUT)
    assert len(provider.requests) == FIRST_SILENCE


def test_a_provider_that_has_answered_once_is_given_up_later() -> None:
    provider = Script(
        lambda request: ProviderFailed("status 500") if request.user != "first" else Reply(outcome="ok", text="{}")
    )
    made = engine(provider, concurrency=1)
    made.ask(request(user="first"), accept, ABOUT)
    with pytest.raises(ProviderStopped, match="no answer in 24 calls in a row, the last one: status 500"):
        for n in range(MIN_SILENCE):
            made.ask(request(user=str(n)), accept, ABOUT)
    assert len(provider.requests) == 1 + MIN_SILENCE


@pytest.mark.parametrize("has_answered", [False, True])
def test_many_slots_may_fail_together_twice_and_once_there_was_an_answer_as_often_as_a_question_may(
    has_answered: bool,
) -> None:
    good = Reply(outcome="ok", text="{}")
    made = engine(Script(lambda request: good if request.user == "first" else ProviderFailed("500")), concurrency=20)
    if has_answered:
        made.ask(request(user="first"), accept, ABOUT)
    for n in range(19 if has_answered else 9):
        assert made.ask(request(user=str(n)), accept, ABOUT).outcome == "error"
    with pytest.raises(ProviderStopped, match=f"no answer in {80 if has_answered else 40} calls in a row"):
        made.ask(request(user="last"), accept, ABOUT)


def test_an_answer_of_any_kind_ends_the_silence_and_a_rate_limit_is_not_silence() -> None:
    failures = [ProviderFailed("status 500")] * 3
    busy = [ProviderFailed("status 429", retry_after=0.0)] * 5
    said: list[Any] = [*failures, *busy, Reply(outcome="error", detail="status 400")] * 20
    made = engine(Script(*said))
    assert {made.ask(request(user=str(n)), accept, ABOUT).detail for n in range(20)} == {"status 400"}


def test_a_call_that_hangs_costs_two_tries(chat_server: ChatServer) -> None:
    chat_server.behaviour = always(Hang(30))
    made = engine(ChatCompletions("key", chat_server.url, is_openai=False, timeout=0.2))
    reply = made.ask(QUESTION, accept, ABOUT)
    assert (reply.outcome, reply.detail) == ("error", "no connection: ReadTimeout")
    assert len(chat_server.calls) == MAX_FAILURES // HUNG_TRIES == 2


def test_a_rate_limit_pauses_every_thread_for_the_seconds_named_but_never_for_hours() -> None:
    waits: list[float] = []
    limiter = Limiter(2, Timer(sleep=waits.append))
    made = Engine(Script(ProviderFailed("status 429", retry_after=0.2), "{}"), Memory(), limiter, lambda *_: None)
    began = time.monotonic()
    made.ask(request(), accept, ABOUT)
    with limiter.slot():
        assert time.monotonic() - began >= 0.2
    assert max(waits) <= MAX_WAIT
    limiter.pause(86_400)
    assert MAX_WAIT == 60


def test_a_slot_is_free_while_a_question_waits_to_be_tried_again() -> None:
    second = threading.Event()

    def sleep(seconds: float) -> None:
        assert second.wait(5), "the other question got no slot"

    class OneFails:
        def call(self, request: Request) -> Reply:
            if request.user == "other":
                second.set()
            elif not second.is_set():
                raise ProviderFailed("status 500")
            return Reply(outcome="ok", text="{}")

    made = Engine(OneFails(), Memory(), Limiter(1, Timer(sleep=sleep)), lambda *_: None)
    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(made.ask, request(), accept, ABOUT)
        other = pool.submit(made.ask, request(user="other"), accept, ABOUT)
    assert (failing.result().outcome, other.result().outcome) == ("ok", "ok")


def test_no_more_calls_than_slots_are_under_way() -> None:
    class Counting:
        now = peak = 0
        guard = threading.Lock()

        def call(self, request: Request) -> Reply:
            with self.guard:
                self.now += 1
                self.peak = max(self.peak, self.now)
            time.sleep(0.01)
            with self.guard:
                self.now -= 1
            return Reply(outcome="ok", text="{}")

    provider: Provider = Counting()
    made = engine(provider, concurrency=3)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda n: made.ask(request(user=str(n)), accept, ABOUT), range(24)))
    assert isinstance(provider, Counting)
    assert provider.peak == 3


@pytest.mark.parametrize(
    "refusal",
    [
        Status(401, code="invalid_api_key", message="Incorrect API key provided: sk-no*****key."),
        Status(404, code="model_not_found", message="The model `test-model` does not exist."),
        Status(429, code="insufficient_quota", message="You exceeded your current quota."),
    ],
)
def test_a_provider_that_will_answer_nothing_more_stops_the_run_in_its_own_words(
    chat_server: ChatServer, refusal: Status
) -> None:
    chat_server.behaviour = always(refusal)
    made = over(chat_server)
    with pytest.raises(ProviderStopped) as stopped:
        made.ask(QUESTION, accept, ABOUT)
    assert str(stopped.value) == f"status {refusal.status}: {refusal.message}"
    with pytest.raises(ProviderStopped):
        made.ask(QUESTION.model_copy(update={"user": "another"}), accept, ABOUT)
    assert len(chat_server.calls) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "openai"},
        {"model": "other"},
        {"system": "other"},
        {"user": "other"},
        {"json_schema": {"type": "array"}},
        {"effort": "low"},
    ],
)
def test_whatever_changes_the_answer_changes_the_hash(change: dict[str, Any]) -> None:
    assert request(**change).hash != request().hash


def test_the_limit_of_the_answer_does_not_change_the_hash() -> None:
    assert request(max_tokens=7).hash == request().hash
    assert request(json_schema={"a": 1, "b": 2}).hash == request(json_schema={"b": 2, "a": 1}).hash


def test_a_day_is_tagged_and_judged_over_http_and_asked_about_once(
    assistant: Callable[..., Assistant], chat_server: ChatServer
) -> None:
    made = assistant()
    assert land(made).days == (DAY,)
    build_day(made, DAY)
    tagged, judged = tag_day(made, DAY), judge_day(made, DAY)
    assert (tagged.done, tagged.failures, tagged.asked) == (2, 0, 2)
    assert (judged.done, judged.failures, judged.asked) == (2, 0, 2)
    assert sorted((call.task, call.asked) for call in chat_server.calls) == [
        ("judge", ()),
        ("judge", ()),
        ("tag", (0, 1)),
        ("tag", (0, 1, 2)),
    ]
    again = tag_day(made, DAY)
    assert (again.kept, again.asked, len(chat_server.calls)) == (2, 0, 4)
    with made.store.reading() as view:
        answers = view.rows("select task, outcome, prompt_tokens from answers order by all")
        scores = view.rows("select score, outcome from judge_scores")
    assert [(row["task"], row["outcome"]) for row in answers] == [("judge", "ok")] * 2 + [("tag", "ok")] * 2
    assert all(row["prompt_tokens"] > 100 for row in answers)
    assert all(row["outcome"] == "ok" and 0 <= row["score"] <= 100 for row in scores)


def test_the_answers_of_a_second_try_in_the_same_process_are_kept_too(
    assistant: Callable[..., Assistant], chat_server: ChatServer
) -> None:
    made = assistant()
    land(made)
    build_day(made, DAY)
    chat_server.behaviour = always(Broken())
    assert tag_day(made, DAY).failures == 2
    chat_server.behaviour = Behaviour()
    assert tag_day(made, DAY).failures == 0
    with made.store.reading() as view:
        outcomes = view.rows("select outcome, count(*) as n from answers group by all order by all")
    assert outcomes == [{"outcome": "invalid", "n": 6}, {"outcome": "ok", "n": 2}]


def test_a_stop_keeps_the_conversations_that_were_done(
    assistant: Callable[..., Assistant], chat_server: ChatServer
) -> None:
    made = assistant(CPA_CONCURRENCY="1")
    land(made)
    build_day(made, DAY)

    def script(body: Body, nth: int) -> Status | None:
        out_of_money = Status(429, code="insufficient_quota", message="You exceeded your current quota.")
        return out_of_money if len(chat_server.calls) > 1 else None

    chat_server.behaviour = Behaviour(script)
    with pytest.raises(ProviderStopped, match="You exceeded your current quota"):
        tag_day(made, DAY)
    with made.store.reading() as view:
        done = view.rows("select outcome from tagged_conversations")
    assert done == [{"outcome": "ok"}]
