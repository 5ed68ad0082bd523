"""The vendors' caches of prompts: what is marked, and what calls then read and write by the vendors' own counts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpa_core.llm import ModelName, Request, Usage
from cpa_core.providers.anthropic import anthropic
from cpa_core.providers.openai import ChatCompletions, body, openai
from cpa_core.providers.openai_batches import OpenAIBatches
from cpa_core.providers.openai_batches import batches as openai_batches
from cpa_core.schema import load
from cpa_core.settings import settings
from cpa_core.tagging import first_requests
from tests.servers import chat_completions
from tests.servers.brain import tokens
from tests.servers.caches import LEAST, Cache, Read
from tests.servers.chat_completions import Behaviour, ChatServer, Status
from tests.servers.messages import MessagesServer
from tests.support.fakes import SCHEMA, conversation, request

LUNA, HAIKU = "gpt-6-luna", "claude-haiku-5-5"
LONG, _ = load(Path(__file__).parents[2] / "examples" / "tax_advisor" / "schema.yml")


@pytest.fixture
def claude() -> Iterator[MessagesServer]:
    """Claude on loopback."""
    with MessagesServer() as server:
        yield server


def asked(text: str, model: str = LUNA, *, short: bool = False) -> Request:
    """A question whose shared part is cached, or is too short for it."""
    name = ModelName(provider="openai", model=model)
    return first_requests(conversation(text), SCHEMA if short else LONG, name)[0]


def shared(one: Request) -> int:
    """Tokens of the part that questions share."""
    return tokens(json.dumps(one.json_schema) + one.system)


def whole(one: Request) -> int:
    """Tokens of all of it."""
    return tokens(json.dumps(one.json_schema) + one.system + one.user)


def counted(usages: list[Usage]) -> list[tuple[int | None, int | None]]:
    """What of each prompt was read from the cache, and what was written to it."""
    return [(one.cached_tokens, one.cache_write_tokens) for one in usages]


def at_openai(server: ChatServer) -> ChatCompletions:
    return openai(settings({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url}))


@pytest.mark.parametrize("model", ["gpt-5.6-luna", "gpt-5.6", "gpt-6-luna-2026-10-01", "gpt-6.1-sol", "gpt-6.2-astra"])
def test_openai_is_told_where_the_shared_part_ends_and_caches_nothing_else(model: str) -> None:
    sent = body(request(model=model, system="The catalogue."), is_openai=True)
    mark = {"type": "text", "text": "The catalogue.", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert sent["messages"] == [{"role": "system", "content": [mark]}, {"role": "user", "content": "u"}]
    assert sent["prompt_cache_options"] == {"mode": "explicit"}


@pytest.mark.parametrize(
    "model", ["gpt-5.5", "gpt-5.4-mini", "gpt-4.1", "o4-mini", "gpt-9-nova", "ft:gpt-6-luna:me::1"]
)
def test_older_and_unknown_models_and_other_servers_are_told_nothing_of_it(model: str) -> None:
    for sent in (body(request(model=model), is_openai=True), body(request(model=LUNA), is_openai=False)):
        assert not any(name.startswith("prompt_cache") for name in sent)
        assert sent["messages"][0]["content"] == "s"


def test_the_key_is_one_for_all_who_share_the_part_and_holds_no_words_of_it() -> None:
    keys = [body(asked(text), is_openai=True)["prompt_cache_key"] for text in ("One.", "Another.")]
    other = body(asked("One.", short=True), is_openai=True)["prompt_cache_key"]
    assert keys[0] == keys[1] != other
    assert len(other) == 32 and int(other, 16)


def test_how_it_is_cached_changes_no_question() -> None:
    assert "prompt_cache" not in asked("One.").model_dump_json()


def test_openai_writes_the_shared_part_once_and_no_conversation(chat_server: ChatServer) -> None:
    provider, questions = at_openai(chat_server), [asked(f"Conversation {n}.") for n in range(3)]
    usages = [provider.call(question).usage for question in questions]
    static = shared(questions[0])
    assert counted(usages) == [(0, static), (static, 0), (static, 0)]
    assert chat_server.faults == []


def test_anthropic_writes_the_shared_part_once_and_no_conversation(claude: MessagesServer) -> None:
    provider = anthropic(settings({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": claude.url}))
    questions = [asked(f"Conversation {n}.", HAIKU) for n in range(3)]
    usages = [provider.call(question).usage for question in questions]
    static = shared(questions[0])
    assert counted(usages) == [(0, static), (static, 0), (static, 0)]
    assert [usage.prompt_tokens for usage in usages] == [whole(question) for question in questions]


def test_what_is_too_short_is_never_cached(chat_server: ChatServer, claude: MessagesServer) -> None:
    for provider, model in (
        (at_openai(chat_server), LUNA),
        (anthropic(settings({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": claude.url})), HAIKU),
    ):
        questions = [asked(f"Conversation {n}.", model, short=True) for n in range(2)]
        assert shared(questions[0]) < LEAST
        assert counted([provider.call(question).usage for question in questions]) == [(0, 0), (0, 0)]


def test_unmarked_openai_would_write_every_conversation_and_read_none() -> None:
    cache, read = Cache(), []
    for question in (asked("One."), asked("Another.")):
        sent = body(question, is_openai=True, marked=False)
        read.append(cache.openai(sent, chat_completions.question(sent)))
    assert read == [Read(one.whole, 0, one.whole) for one in read]


def test_an_older_model_reads_what_it_cached_by_itself(chat_server: ChatServer) -> None:
    provider = at_openai(chat_server)
    usages = [provider.call(asked(text, "gpt-4.1")).usage for text in ("One.", "Another.")]
    static = shared(asked("One.", "gpt-4.1"))
    assert counted(usages) == [(0, 0), (static // 128 * 128, 0)]


@pytest.mark.parametrize("parameter", ["prompt_cache_breakpoint", None])
def test_a_server_that_knows_no_marks_is_asked_without_from_then_on(
    chat_server: ChatServer, parameter: str | None
) -> None:
    words = "Unknown parameter: 'prompt_cache_options'." if parameter is None else "not supported on this model"
    error = {"error": {"message": words, "type": "invalid_request_error", "param": parameter}}
    refusal = Status(400, body=error)
    chat_server.behaviour = Behaviour(lambda sent, nth: refusal if "prompt_cache_options" in sent else None)
    provider = at_openai(chat_server)
    assert [provider.call(asked(text)).outcome for text in ("One.", "Another.")] == ["ok", "ok"]
    assert ["prompt_cache_options" in sent for sent in chat_server.bodies] == [True, False, False]


def test_a_server_that_knows_neither_marks_nor_schemas_is_asked_in_words_alone(chat_server: ChatServer) -> None:
    def script(sent: dict[str, Any], nth: int) -> Status | None:
        refused = "prompt_cache_options" in sent
        return Status(400, message="prompt_cache_options is not supported") if refused else None

    chat_server.behaviour = Behaviour(script, structured=False)
    provider = at_openai(chat_server)
    assert [provider.call(asked(text)).outcome for text in ("One.", "Another.")] == ["ok", "ok"]
    assert not any({"prompt_cache_options", "response_format"} & set(sent) for sent in chat_server.bodies[-2:])


def test_a_batch_is_marked_as_a_single_call() -> None:
    vendor = openai_batches(settings({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}))
    assert isinstance(vendor, OpenAIBatches)
    question = asked("One.")
    assert json.loads(vendor.line(question))["body"] == body(question, is_openai=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "gpt-5.5"}, "not supported on this model"),
        ({"prompt_cache_options": {"mode": "always"}}, "prompt_cache_options"),
        ({"prompt_cache_key": "k" * 65}, "prompt_cache_key"),
    ],
)
def test_the_server_of_the_tests_refuses_what_openai_refuses(change: dict[str, Any], words: str) -> None:
    with pytest.raises(chat_completions.Fault, match=words):
        chat_completions.checked(json.dumps({**body(asked("One."), is_openai=True), **change}).encode())
