"""OpenAI's wire form: the body that is sent, and what is made of everything that comes back."""

import json
import socket
import time
from typing import Any

import pytest

from cpa_core.errors import ProviderFailed, ProviderStopped, SettingsError
from cpa_core.llm import HUNG_TRIES, Reply, Usage
from cpa_core.providers.openai import REASONING_ROOM, ChatCompletions, body, compatible, decode, openai
from cpa_core.settings import settings
from cpa_core.tagging import first_requests
from tests.servers.chat_completions import (
    Behaviour,
    Broken,
    ChatServer,
    Drop,
    Filtered,
    Garbage,
    Hang,
    Refused,
    Says,
    Status,
    Truncated,
)
from tests.servers.scripted import Drip
from tests.support.fakes import MODEL, SCHEMA, conversation, request

ASKED = first_requests(conversation("Can I deduct my home office?"), SCHEMA, MODEL)[0]
CACHED = {"prompt_cache_options", "prompt_cache_key"}
SAMPLING = {"temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"}


def called(server: ChatServer, said: Any, timeout: float = 10.0) -> Reply:
    """The reply when the server says this."""
    server.behaviour = Behaviour(lambda body, nth: said)
    return ChatCompletions("key", server.url, is_openai=False, timeout=timeout).call(ASKED)


def completion(message: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A chat completion with this in its message, and these keys otherwise."""
    told = {"role": "assistant", "content": "{}", "refusal": None} | (message or {})
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": told}], **changes}


def test_a_compatible_server_is_sent_max_tokens_and_nothing_it_may_not_know() -> None:
    sent = body(request(max_tokens=100, effort="low"), is_openai=False)
    assert set(sent) == {"model", "messages", "response_format", "max_tokens", "stream"}
    assert (sent["max_tokens"], sent["stream"]) == (100, False)
    assert sent["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "tag", "strict": True, "schema": {"type": "object"}},
    }


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-6-luna-2026-10-01", "gpt-6.1-terra", "gpt-5.4-mini"])
def test_a_model_known_to_accept_it_is_asked_without_reasoning(model: str) -> None:
    sent = body(request(model=model, max_tokens=100), is_openai=True)
    assert (sent["max_completion_tokens"], sent["reasoning_effort"]) == (100, "none")
    assert not SAMPLING & set(sent)
    assert "max_tokens" not in sent


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-4o", "gpt-4o-mini", "ft:gpt-4o-mini:me::1", "gpt-3.5-turbo"])
def test_an_older_model_gets_no_reasoning_and_no_room_for_it(model: str) -> None:
    sent = body(request(model=model, max_tokens=100), is_openai=True)
    assert set(sent) == {"model", "messages", "response_format", "max_completion_tokens"}
    assert sent["max_completion_tokens"] == 100


@pytest.mark.parametrize("model", ["o3-mini", "o4-mini", "gpt-5-mini", "gpt-6-astra", "gpt-6.1-sol", "gpt-9-nova"])
def test_a_model_that_may_think_gets_room_for_it_and_no_parameter_it_may_refuse(model: str) -> None:
    sent = body(request(model=model, max_tokens=100), is_openai=True)
    assert set(sent) - CACHED == {"model", "messages", "response_format", "max_completion_tokens"}
    assert sent["max_completion_tokens"] == 100 + REASONING_ROOM


def test_an_effort_that_is_asked_for_is_sent() -> None:
    assert body(request(model="gpt-6-astra", effort="low"), is_openai=True)["reasoning_effort"] == "low"


def test_an_answer_comes_back_with_its_usage(chat_server: ChatServer) -> None:
    reply = called(chat_server, Says('{"messages": []}'))
    assert (reply.outcome, reply.text, reply.detail) == ("ok", '{"messages": []}', "")
    prompt = -(-len((json.dumps(ASKED.json_schema) + ASKED.system + ASKED.user).encode()) // 4)
    assert reply.usage == Usage(prompt_tokens=prompt, cached_tokens=0, cache_write_tokens=0, completion_tokens=4)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [(Refused(), "refused"), (Truncated(), "truncated"), (Filtered(), "filtered"), (Broken(), "ok")],
)
def test_every_end_of_an_answer_has_its_outcome_and_its_usage(chat_server: ChatServer, said: Any, outcome: str) -> None:
    reply = called(chat_server, said)
    assert reply.outcome == outcome
    assert reply.usage.prompt_tokens and reply.usage.completion_tokens


@pytest.mark.parametrize("text", ["", "  \n", None, [], [{"type": "thinking", "thinking": []}]])
def test_an_answer_without_words_is_invalid(text: Any) -> None:
    assert decode(completion({"content": text})) == Reply(outcome="invalid", detail="answer: empty")


def test_a_refusal_and_a_filter_outweigh_the_words_beside_them() -> None:
    assert decode(completion({"refusal": "No.", "content": "{}"})).outcome == "refused"
    filtered = completion({"content": "{}"})
    filtered["choices"][0]["finish_reason"] = "content_filter"
    assert decode(filtered).outcome == "filtered"


def test_a_missing_finish_reason_or_usage_is_no_fault() -> None:
    found = decode({"choices": [{"message": {"content": "{}"}}]})
    assert found == Reply(outcome="ok", text="{}", usage=Usage())


@pytest.mark.parametrize("usage", [None, [], "many", {"prompt_tokens": "7", "prompt_tokens_details": 3}])
def test_usage_that_cannot_be_read_is_unknown(usage: Any) -> None:
    assert decode(completion(usage=usage)).usage == Usage()


def test_cached_and_written_tokens_are_part_of_the_prompt() -> None:
    details = {"cached_tokens": 60, "cache_write_tokens": 30}
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": details}
    assert decode(completion(usage=usage)).usage == Usage(
        prompt_tokens=100, cached_tokens=60, cache_write_tokens=30, completion_tokens=5
    )


@pytest.mark.parametrize("tree", [{}, {"choices": []}, {"choices": None}, {"choices": "none"}, [], "text", 3, None])
def test_a_response_without_choices_may_pass(tree: Any) -> None:
    with pytest.raises(ProviderFailed, match=r"no choices|the answer is"):
        decode(tree)


@pytest.mark.parametrize("choice", [1, None, "text", {}, {"message": "text"}])
def test_a_choice_that_is_no_choice_is_invalid(choice: Any) -> None:
    assert decode({"choices": [choice]}).outcome == "invalid"


@pytest.mark.parametrize("content_type", ["application/json", "text/html", "application/json; charset=utf-8"])
@pytest.mark.parametrize("content", [b"\x00<html>", b"", b'{"choices": [{"mess', b"[" * 100_000, b"\xff\xfe"])
def test_garbage_may_pass_and_none_of_it_is_repeated(
    chat_server: ChatServer, content: bytes, content_type: str
) -> None:
    with pytest.raises(ProviderFailed) as failed:
        called(chat_server, Garbage(content, content_type))
    assert failed.value.reason == "the response is not JSON"


def test_json_that_is_no_completion_may_pass(chat_server: ChatServer) -> None:
    error = json.dumps({"error": {"message": "upstream is busy", "code": "busy"}}).encode()
    with pytest.raises(ProviderFailed, match=r"no choices|the answer is"):
        called(chat_server, Garbage(error))


@pytest.mark.parametrize(("code", "error"), [(402, ProviderStopped), (429, ProviderFailed), (502, ProviderFailed)])
def test_an_error_whose_status_stands_in_its_body_is_read_by_that(
    chat_server: ChatServer, code: int, error: type[Exception]
) -> None:
    body = json.dumps({"error": {"message": "The words of the vendor.", "code": code}}).encode()
    with pytest.raises(error, match=f"status {code}"):
        called(chat_server, Garbage(body))


def test_a_connection_that_is_dropped_may_pass(chat_server: ChatServer) -> None:
    with pytest.raises(ProviderFailed, match="no connection") as failed:
        called(chat_server, Drop())
    assert failed.value.retry_after is None


def test_a_connection_that_is_refused_may_pass() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        with pytest.raises(ProviderFailed, match="the connection is refused"):
            ChatCompletions("key", url, is_openai=False).call(ASKED)


def test_a_server_that_does_not_answer_in_time_may_pass(chat_server: ChatServer) -> None:
    with pytest.raises(ProviderFailed, match=r"no connection: \w*Timeout"):
        called(chat_server, Hang(30), timeout=0.2)


def test_empty_lines_before_an_answer_are_no_fault(chat_server: ChatServer) -> None:
    assert called(chat_server, Drip(0.1)).outcome == "ok"


@pytest.mark.parametrize(("timeout", "left"), [(0.2, None), (30.0, 0.2)])
def test_a_server_that_sends_empty_lines_for_ever_hangs(
    chat_server: ChatServer, timeout: float, left: float | None
) -> None:
    chat_server.behaviour = Behaviour(lambda body, nth: Drip(30))
    provider, began = ChatCompletions("key", chat_server.url, is_openai=False, timeout=timeout), time.monotonic()
    with pytest.raises(ProviderFailed, match="no connection: ReadTimeout") as failed:
        provider.call(ASKED.model_copy(update={"seconds": left}))
    assert failed.value.tries == HUNG_TRIES
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 529])
def test_a_status_that_may_pass_is_a_failure(chat_server: ChatServer, status: int) -> None:
    with pytest.raises(ProviderFailed) as failed:
        called(chat_server, Status(status))
    assert (failed.value.reason, failed.value.retry_after) == (f"status {status}", None)
    assert len(chat_server.calls) == 1, "the SDK must not try again by itself"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 1.0), ("soon", 1.0)],
)
def test_retry_after_is_taken_in_seconds(chat_server: ChatServer, written: str, seconds: float) -> None:
    with pytest.raises(ProviderFailed) as failed:
        called(chat_server, Status(429, {"Retry-After": written}, "rate_limit_exceeded"))
    assert failed.value.retry_after == seconds


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_status_about_the_account_or_the_model_stops_in_the_vendors_words(
    chat_server: ChatServer, status: int
) -> None:
    with pytest.raises(ProviderStopped, match=f"status {status}: The words of the vendor"):
        called(chat_server, Status(status, message="The words of the vendor."))


def test_a_bad_request_is_an_error_of_this_question_and_its_words_are_not_repeated(
    chat_server: ChatServer,
) -> None:
    reply = called(chat_server, Status(400, code="invalid_value", message="Your text 'secret' …"))
    assert (reply.outcome, reply.detail) == ("error", "status 400: invalid_value")


def test_a_prompt_that_the_filter_takes_is_filtered(chat_server: ChatServer) -> None:
    assert called(chat_server, Status(400, code="content_filter")).outcome == "filtered"


def test_an_openai_model_needs_its_key_and_a_compatible_one_its_address() -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        openai(settings({}))
    with pytest.raises(SettingsError, match="CPA_COMPATIBLE_URL"):
        compatible(settings({}))


def test_both_providers_reach_the_server_they_are_given(chat_server: ChatServer) -> None:
    assert openai(settings({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": chat_server.url})).call(ASKED).outcome == "ok"
    assert compatible(settings({"CPA_COMPATIBLE_URL": chat_server.url})).call(ASKED).outcome == "ok"
