"""What vendors write when they refuse, in their own forms: what stops the run, what a smaller question mends."""

from collections.abc import Iterator

import pytest

from cpa_core.errors import ProviderFailed, ProviderStopped
from cpa_core.judging import judge_conversation
from cpa_core.llm import MAX_FAILURES, Reply
from cpa_core.providers.anthropic import anthropic
from cpa_core.providers.bedrock import bedrock
from cpa_core.providers.openai import ChatCompletions
from cpa_core.settings import settings
from cpa_core.tagging import first_requests, tag_conversation
from tests.servers.chat_completions import Behaviour, Body, ChatServer
from tests.servers.messages import MessagesServer
from tests.servers.refusals import FLAGGED, QUOTING, SECRET, STOPPING, TOO_LONG, TOO_LONG_FOR_CLAUDE
from tests.servers.scripted import Scripted, Status
from tests.support.fakes import ABOUT, MODEL, SCHEMA, Memory, asking, conversation, engine

TALK = conversation(*[f"text number {n}" for n in range(60)])
ASKED = first_requests(TALK, SCHEMA, MODEL)[0]


@pytest.fixture
def claude() -> Iterator[MessagesServer]:
    """Claude on loopback."""
    with MessagesServer() as server:
        yield server


def called(server: ChatServer, said: Status) -> Reply:
    """The reply when the server says this."""
    server.behaviour = Behaviour(lambda body, nth: said)
    return ChatCompletions("key", server.url, is_openai=False).call(ASKED)


@pytest.mark.parametrize("said", STOPPING.values(), ids=list(STOPPING))
def test_an_account_or_a_model_that_is_refused_stops_in_the_vendors_words(
    chat_server: ChatServer, said: Status
) -> None:
    inner = said.body[0] if isinstance(said.body, list) else said.body
    error = inner.get("error", inner)
    words = error if isinstance(error, str) else error["message"]
    with pytest.raises(ProviderStopped) as stopped:
        called(chat_server, said)
    assert str(stopped.value) == f"status {said.status}: {words}"


@pytest.mark.parametrize("said", TOO_LONG.values(), ids=list(TOO_LONG))
def test_a_question_too_long_for_the_server_is_truncated_and_no_sentence_is_repeated(
    chat_server: ChatServer, said: Status
) -> None:
    reply = called(chat_server, said)
    rule = f"status {said.status}: more tokens than the server takes at once"
    assert (reply.outcome, reply.detail) == ("truncated", rule)


@pytest.mark.parametrize("said", TOO_LONG_FOR_CLAUDE.values(), ids=list(TOO_LONG_FOR_CLAUDE))
def test_a_question_too_long_for_claude_is_truncated(claude: MessagesServer, said: Status) -> None:
    claude.behaviour = Behaviour(lambda body, nth: said)
    keys = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "s"}
    made = (
        anthropic(settings({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": claude.url})),
        bedrock(settings(keys | {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": claude.url})),
    )
    assert [provider.call(ASKED).outcome for provider in made] == ["truncated", "truncated"]


@pytest.mark.parametrize("said", FLAGGED.values(), ids=list(FLAGGED))
def test_a_question_that_a_filter_flags_is_filtered_and_not_repeated(chat_server: ChatServer, said: Status) -> None:
    reply = called(chat_server, said)
    assert reply.outcome == "filtered"
    assert SECRET not in str(reply)


@pytest.mark.parametrize("words", QUOTING)
@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_that_quotes_the_prompt_blames_this_question_and_is_not_repeated(
    chat_server: ChatServer, status: int, words: str
) -> None:
    reply = called(chat_server, Status(status, message=words))
    assert (reply.outcome, SECRET in str(reply)) == ("error", False)


def test_a_sentence_in_the_place_of_a_code_is_not_repeated(chat_server: ChatServer) -> None:
    reply = called(chat_server, Status(400, code=f"Client said: {SECRET}", message="scripted"))
    assert (reply.outcome, reply.detail) == ("error", "status 400: invalid_request_error")


@pytest.mark.parametrize("status", [408, 498, 500, 502, 503, 529])
def test_a_server_that_is_busy_is_a_failure_and_no_rate_limit_though_it_names_a_wait(
    chat_server: ChatServer, status: int
) -> None:
    with pytest.raises(ProviderFailed) as failed:
        called(chat_server, Status(status, {"Retry-After": "60"}))
    assert (failed.value.reason, failed.value.retry_after, failed.value.pause) == (f"status {status}", None, 60.0)
    asked = engine(ChatCompletions("key", chat_server.url, is_openai=False))
    chat_server.calls.clear()
    assert asked.ask(ASKED, lambda text: None, ABOUT).outcome == "error"
    assert len(chat_server.calls) == MAX_FAILURES


def most_tokens(limit: int) -> Behaviour:
    """A server whose answers may have so many tokens and no more."""

    def script(body: Body, nth: int) -> Scripted | None:
        said = TOO_LONG["Groq, anomalyco/opencode#1000"]
        return said if body["max_tokens"] > limit else None

    return Behaviour(script)


def test_long_windows_are_tagged_at_a_server_whose_answers_are_short(chat_server: ChatServer) -> None:
    chat_server.behaviour = most_tokens(8192)
    ask = asking(ChatCompletions("key", chat_server.url, is_openai=False))
    found = tag_conversation(TALK, SCHEMA, MODEL, ask)
    assert (found.outcome, found.messages_asked) == ("ok", 60)
    assert [len(call.asked) for call in chat_server.calls] == [50, 25, 25, 10]


def test_a_message_too_long_for_the_server_ends_as_a_failure_that_is_asked_again(chat_server: ChatServer) -> None:
    chat_server.behaviour = most_tokens(100)
    answers = Memory()
    ask = asking(ChatCompletions("key", chat_server.url, is_openai=False), answers)
    short = conversation("Can I deduct my home office?", "Yes.")
    for _ in range(2):
        assert tag_conversation(short, SCHEMA, MODEL, ask).outcome == "truncated"
        assert judge_conversation(short, SCHEMA, MODEL, ask).outcome == "truncated"
    per_run = [call.task for call in chat_server.calls[: len(chat_server.calls) // 2]]
    assert per_run == ["tag"] * 3 + ["judge"], "both messages, then each: no room for a longer answer helps"
    assert len(answers.kept) == len(chat_server.calls)
