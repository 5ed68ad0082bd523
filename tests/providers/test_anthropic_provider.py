"""Claude's wire forms, Anthropic's and Bedrock's: the body that is sent, and what is made of what comes back."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic as sdk
import pytest

from cpa_core.errors import ProviderFailed, ProviderStopped, SettingsError
from cpa_core.llm import ModelName, Reply, Usage
from cpa_core.providers.anthropic import THINKING_ROOM, Messages, anthropic, body, decode
from cpa_core.providers.bedrock import bedrock
from cpa_core.providers.wire import schema_in_words
from cpa_core.settings import TIMEOUT, settings
from cpa_core.tagging import first_requests
from tests.servers.messages import MessagesServer
from tests.servers.scripted import Behaviour, Drop, Garbage, Hang, Refused, Says, Status, Truncated, unscripted
from tests.support.fakes import SCHEMA, conversation, request

HAIKU = "claude-haiku-5-5"
MODEL = ModelName(provider="anthropic", model=HAIKU)
ON_BEDROCK = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ASKED = first_requests(conversation("Can I deduct my home office?"), SCHEMA, MODEL)[0]
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    """Claude on loopback."""
    with MessagesServer() as running:
        yield running


@pytest.fixture
def _no_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without AWS: no files, no role."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "absent"))


def claude(server: MessagesServer, timeout: float = TIMEOUT) -> Messages:
    return Messages(sdk.Anthropic(api_key="k", base_url=server.url, max_retries=0, timeout=timeout))


def on_bedrock(server: MessagesServer, **environ: str) -> Messages:
    return bedrock(settings({**KEYS, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": server.url, **environ}))


def called(server: MessagesServer, said: Any, timeout: float = TIMEOUT) -> Reply:
    """Anthropic's reply when the server says this."""
    server.behaviour = Behaviour(lambda body, nth: said)
    return claude(server, timeout).call(ASKED)


def message(*blocks: Any, **changes: Any) -> dict[str, Any]:
    """A message with these blocks of content, and these keys otherwise."""
    return {"content": list(blocks), "stop_reason": "end_turn", **changes}


def test_the_static_part_is_the_one_block_that_is_cached_and_no_sampling_parameter_is_sent() -> None:
    sent = body(request(model=HAIKU, max_tokens=100))
    assert set(sent) == {"model", "system", "messages", "max_tokens", "thinking", "output_config"}
    assert sent["system"] == [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]
    assert sent["messages"] == [{"role": "user", "content": "u"}]
    assert sent["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}}


@pytest.mark.parametrize("model", [HAIKU, f"us.anthropic.{HAIKU}-v1:0", f"{HAIKU}-20261001"])
def test_a_model_that_may_be_told_not_to_think_is_told_so(model: str) -> None:
    sent = body(request(model=model, max_tokens=100))
    assert (sent["thinking"], sent["max_tokens"]) == ({"type": "disabled"}, 100)


@pytest.mark.parametrize("model", ["claude-haiku-4-5", ON_BEDROCK, "claude-3-5-haiku-20241022", "claude-opus-4-1"])
def test_an_older_model_that_does_not_think_unasked_gets_no_room_for_it(model: str) -> None:
    sent = body(request(model=model, max_tokens=100))
    assert ("thinking" in sent, sent["max_tokens"]) == (False, 100)


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-5-5", "claude-nova-9", "arn:aws:bedrock:x/abc"])
def test_a_model_that_may_think_gets_room_for_it_and_no_parameter_it_may_refuse(model: str) -> None:
    sent = body(request(model=model, max_tokens=100))
    assert set(sent) == {"model", "system", "messages", "max_tokens", "output_config"}
    assert sent["max_tokens"] == 100 + THINKING_ROOM


def test_an_effort_that_is_asked_for_is_sent_and_leaves_room_to_think() -> None:
    sent = body(request(model=HAIKU, max_tokens=100, effort="low"))
    assert sent["output_config"]["effort"] == "low"
    assert ("thinking" in sent, sent["max_tokens"]) == (False, 100 + THINKING_ROOM)


def test_a_block_of_thinking_is_not_the_answer(server: MessagesServer) -> None:
    reply = claude(server).call(ASKED.model_copy(update={"model": "claude-sonnet-5-5"}))
    assert reply.outcome == "ok"
    assert set(json.loads(reply.text)) == {"messages"}


@pytest.mark.parametrize(("said", "outcome"), [(Refused(), "refused"), (Truncated(), "truncated"), (Says("x"), "ok")])
def test_every_end_of_an_answer_has_its_outcome_and_its_usage(server: MessagesServer, said: Any, outcome: str) -> None:
    reply = called(server, said)
    assert reply.outcome == outcome
    assert reply.usage.prompt_tokens and reply.usage.completion_tokens


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [
        ("end_turn", "ok"),
        (None, "ok"),
        ("refusal", "refused"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "truncated"),
    ],
)
def test_the_reason_to_stop_outweighs_the_words(stop: str | None, outcome: str) -> None:
    assert decode(message({"type": "text", "text": "{}"}, stop_reason=stop)).outcome == outcome


def test_blocks_of_text_are_joined_and_others_left_out() -> None:
    found = decode(
        message(
            {"type": "thinking", "thinking": "t"},
            {"type": "text", "text": "{"},
            3,
            None,
            {"text": "x"},
            {"type": "text", "text": "}"},
        )
    )
    assert found == Reply(outcome="ok", text="{}")


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [{"type": "thinking", "thinking": "t"}],
        [{"type": "text", "text": " "}],
        [{"type": "text"}],
        [{"type": "text", "text": 3}],
    ],
)
def test_an_answer_without_words_is_invalid(blocks: list[Any]) -> None:
    assert decode(message(*blocks)) == Reply(outcome="invalid", detail="answer: empty")


@pytest.mark.parametrize("said", [[], [{"type": "text", "text": "I call the tool."}]])
def test_the_input_of_a_tool_is_an_answer_where_no_text_is_one(said: list[Any]) -> None:
    called = {"type": "tool_use", "id": "t", "name": "json", "input": {"messages": ["0 none"]}}
    assert decode(message(*said, called)).text == '{"messages": ["0 none"]}'
    assert decode(message({"type": "text", "text": '{"messages": []}'}, called)).text == '{"messages": []}'


@pytest.mark.parametrize("tree", [{}, {"content": None}, {"content": "text"}, [], "text", 3, None])
def test_a_response_without_content_may_pass(tree: Any) -> None:
    with pytest.raises(ProviderFailed, match="JSON of an unknown form"):
        decode(tree)


@pytest.mark.parametrize("usage", [None, [], "many", {"input_tokens": "7", "output_tokens": True}])
def test_usage_that_cannot_be_read_is_unknown(usage: Any) -> None:
    assert decode(message({"type": "text", "text": "{}"}, usage=usage)).usage == Usage()


@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
@pytest.mark.parametrize("content", [b"\x00<html>", b"", b'{"content": [{"ty', b"[" * 100_000, b"\xff\xfe"])
def test_garbage_may_pass_and_none_of_it_is_repeated(server: MessagesServer, content: bytes, content_type: str) -> None:
    with pytest.raises(ProviderFailed) as failed:
        called(server, Garbage(content, content_type))
    assert failed.value.reason == "the response is not JSON"


def test_a_connection_that_is_dropped_or_refused_or_silent_may_pass(server: MessagesServer) -> None:
    with pytest.raises(ProviderFailed, match="no connection: RemoteProtocolError") as failed:
        called(server, Drop())
    assert failed.value.retry_after is None
    with pytest.raises(ProviderFailed, match=r"no connection: \w*Timeout"):
        called(server, Hang(30), timeout=0.2)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(ProviderFailed, match="the connection is refused"):
            anthropic(settings({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url})).call(ASKED)


@pytest.mark.parametrize("status", [408, 409, 424, 500, 502, 503, 529])
def test_a_status_that_may_pass_is_a_failure(server: MessagesServer, status: int) -> None:
    with pytest.raises(ProviderFailed) as failed:
        called(server, Status(status))
    assert (failed.value.reason, failed.value.retry_after) == (f"status {status}", None)
    assert len(server.calls) == 1, "the SDK must not try again by itself"


def test_a_rate_limit_says_how_long_to_wait(server: MessagesServer) -> None:
    with pytest.raises(ProviderFailed) as failed:
        called(server, Status(429, {"Retry-After": "7"}))
    assert (failed.value.reason, failed.value.retry_after) == ("status 429: rate limit", 7.0)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_status_about_the_account_or_the_model_stops_in_the_vendors_words(
    server: MessagesServer, status: int
) -> None:
    with pytest.raises(ProviderStopped, match=f"status {status}: The words of the vendor"):
        called(server, Status(status, message="The words of the vendor."))
    with pytest.raises(ProviderStopped, match=f"status {status}: The words of the vendor"):
        on_bedrock(server).call(ASKED)


@pytest.mark.parametrize(
    "words",
    [
        "Your credit balance is too low to access the Anthropic API.",
        "The provided model identifier is invalid.",
        "Invocation of model ID x with on-demand throughput isn't supported.",
    ],
)
def test_a_bad_request_about_the_account_or_the_model_stops_too(server: MessagesServer, words: str) -> None:
    with pytest.raises(ProviderStopped, match=words[:20]):
        called(server, Status(400, message=words))


def test_a_bad_request_is_an_error_of_this_question_and_its_words_are_not_repeated(server: MessagesServer) -> None:
    reply = called(server, Status(400, message="messages.0.content: 'secret' …"))
    assert (reply.outcome, reply.detail) == ("error", "status 400: invalid_request_error")
    assert on_bedrock(server).call(ASKED).detail == "status 400: ValidationException"


@pytest.mark.parametrize("make", [claude, on_bedrock])
def test_a_model_that_takes_no_schema_is_asked_once_more_in_words_and_then_only_so(
    server: MessagesServer, make: Any
) -> None:
    server.behaviour = Behaviour(structured=False)
    provider = make(server)
    first, second = provider.call(ASKED), provider.call(ASKED)
    assert (first.outcome, second.outcome) == ("ok", "ok")
    assert server.faults == ["output_config: Extra inputs are not permitted"]
    assert ["output_config" in sent for sent in server.bodies] == [False, False]
    assert server.bodies[-1]["system"][0]["text"] == schema_in_words(ASKED)
    assert schema_in_words(ASKED).endswith(json.dumps(ASKED.json_schema))


def test_a_schema_that_is_refused_in_words_as_well_is_an_error(server: MessagesServer) -> None:
    reply = called(server, Status(400, message="output_config: Extra inputs are not permitted"))
    assert reply.outcome == "error"
    assert len(server.calls) == 2


def test_bedrock_is_signed_for_and_told_the_model_in_the_path(server: MessagesServer) -> None:
    reply = on_bedrock(server).call(ASKED.model_copy(update={"model": ON_BEDROCK}))
    assert reply.outcome == "ok"
    assert reply.usage.prompt_tokens
    assert [sent["model"] for sent in server.bodies] == [ON_BEDROCK]


def test_bedrock_takes_a_key_of_its_own_and_either_name_of_region_and_address(server: MessagesServer) -> None:
    environ = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": server.url, "AWS_BEARER_TOKEN_BEDROCK": "b"}
    assert bedrock(settings(environ)).call(ASKED).outcome == "ok"
    assert bedrock(settings({**environ, "AWS_ACCESS_KEY_ID": "AKIATEST"})).call(ASKED).outcome == "ok"


def test_what_is_missing_is_named_before_anything_is_asked() -> None:
    with pytest.raises(SettingsError, match="ANTHROPIC_API_KEY"):
        anthropic(settings({}))
    with pytest.raises(SettingsError, match="AWS_REGION"):
        bedrock(settings({key: value for key, value in KEYS.items() if key != "AWS_REGION"}))


@pytest.mark.usefixtures("_no_aws")
def test_missing_credentials_are_named_with_what_to_set() -> None:
    with pytest.raises(SettingsError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"):
        bedrock(settings({"AWS_REGION": "eu-west-1"}))
    with pytest.raises(SettingsError, match=r"AWS: .*absent-profile"):
        bedrock(settings({"AWS_REGION": "eu-west-1", "AWS_PROFILE": "absent-profile"}))
    for alone in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        with pytest.raises(SettingsError, match="must both be set"):
            bedrock(settings({"AWS_REGION": "eu-west-1", alone: "x"}))


ONCE = """import json, pathlib, sys
flag = pathlib.Path(__file__).with_suffix(".flag")
if flag.exists():
    sys.exit("the session has ended")
flag.touch()
keys = {"AccessKeyId": "AKIATEST", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2026-01-01T00:00:00Z"}
print(json.dumps({"Version": 1, **keys}))
"""


@pytest.mark.usefixtures("_no_aws")
@pytest.mark.parametrize(
    ("words", "reason"),
    [(ONCE, "the session has ended"), (ONCE.replace("if flag.exists()", "if False"), "credentials are still expired")],
)
def test_credentials_that_cannot_be_renewed_stop_the_run(
    server: MessagesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, reason: str
) -> None:
    config, script = tmp_path / "config", tmp_path / "once.py"
    script.write_text(words, "utf-8")
    # The SDK keeps sessions by the name of their profile: each test has its own.
    config.write_text(f"[profile {tmp_path.name}]\ncredential_process = {sys.executable} {script}\n", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    provider = on_bedrock(server, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_PROFILE=tmp_path.name)
    with pytest.raises(ProviderStopped, match=f"AWS: .*{reason}"):
        provider.call(ASKED)
    assert server.calls == []


def test_both_reach_the_server_they_are_given(server: MessagesServer) -> None:
    server.behaviour = Behaviour(unscripted)
    assert anthropic(settings({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": server.url})).call(ASKED).outcome == "ok"
    assert on_bedrock(server).call(ASKED).outcome == "ok"
