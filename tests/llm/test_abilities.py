"""What vendors and servers can do with a JSON schema: limits, and a flag for what they cannot."""

import json
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import SettingsError
from cpa_core.models import EventType, Property
from cpa_core.providers.openai import body, compatible
from cpa_core.schema import dump
from cpa_core.settings import settings
from cpa_core.tagging import json_schema
from tests.servers import schema_limits
from tests.servers.chat_completions import ChatServer, Fault
from tests.servers.messages import MessagesServer
from tests.support.commands import chat, cpa
from tests.support.fakes import SCHEMA, request
from tests.support.homes import Home

SIXTY = tuple(
    EventType(
        name=f"Event Type Number {n}",
        definition=f"It happens for the reason {n}.",
        role=("user", "assistant")[n % 2],  # type: ignore[arg-type]
        properties=tuple(
            Property(name=f"Property {p} Of {n}", definition="What it is.", choices=("One", "Two", "Three"))
            for p in range(3)
        ),
    )
    for n in range(60)
)
MODELS = {"openai": "gpt-6-luna", "anthropic": "claude-haiku-5-5"}


@pytest.mark.parametrize("vendor", MODELS)
def test_six_hundred_messages_and_sixty_types_are_within_both_vendors_limits(
    home: Home, chat_server: ChatServer, vendor: str
) -> None:
    Path(home.environ["CPA_SCHEMA"]).write_text(dump(SCHEMA.model_copy(update={"event_types": SIXTY})), "utf-8")
    home.write("a.json", json.dumps(chat("long", messages=600)))
    with MessagesServer() as claude:
        home.environ |= {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": chat_server.url}
        home.environ |= {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": claude.url}
        assert cpa(home, f"run --model {vendor}:{MODELS[vendor]}") == 0
    server = chat_server if vendor == "openai" else claude
    assert server.faults == []
    assert len(server.calls) == 12 + 1, "windows of fifty messages, and the judge"
    tagged = home.rows("select count(distinct message_id) as messages from tagged_events")
    assert home.rows("select outcome from tagged_conversations") == [{"outcome": "ok"}]
    assert tagged[0]["messages"] > 400


def test_the_servers_of_the_tests_know_the_limits() -> None:
    ours = json_schema(SCHEMA.model_copy(update={"event_types": SIXTY}))
    schema_limits.openai(ours)
    schema_limits.anthropic(ours)
    text: dict[str, Any] = {"type": "string"}
    deep = text
    for _ in range(11):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"]}
    refused = [
        {"type": "object", "properties": {f"m{n}": text for n in range(5_001)}},
        {"type": "string", "enum": [f"value {n}" for n in range(1_001)]},
        {"type": "string", "enum": ["x" * 100 + str(n) for n in range(251)]},
        {"type": "object", "properties": {"x" * 120_001: text}},
        deep,
    ]
    for schema in refused:
        with pytest.raises(Fault, match="Invalid schema"):
            schema_limits.openai(schema)
    for schema in ({"type": "object", "properties": {f"m{n}": text for n in range(25)}}, {"$ref": "#"}):
        with pytest.raises(Fault, match="too complex"):
            schema_limits.anthropic(schema)


@pytest.mark.parametrize(
    ("how", "shape", "in_words"),
    [
        ("strict", {"type": "json_schema", "strict": True}, False),
        ("lax", {"type": "json_schema", "strict": False}, False),
        ("json_object", {"type": "json_object"}, True),
        ("prompt", {}, True),
    ],
)
def test_a_server_is_told_the_shape_of_the_answer_as_it_understands_it(how: Any, shape: Any, in_words: bool) -> None:
    sent = body(request(json_schema={"type": "object"}), is_openai=False, structured=how)
    told = sent.get("response_format") or {}
    found = {"type": told["type"]} if told else {}
    if "json_schema" in told:
        found["strict"] = told["json_schema"]["strict"]
    assert found == shape
    assert ('{"type": "object"}' in sent["messages"][0]["content"]) == in_words


@pytest.mark.parametrize("how", ["strict", "prompt"])
def test_a_day_is_answered_by_a_server_of_this_ability_without_a_refused_call(
    home: Home, chat_server: ChatServer, how: str
) -> None:
    chat_server.behaviour = type(chat_server.behaviour)(structured=how == "strict")
    home.environ["CPA_COMPATIBLE_STRUCTURED"] = how
    home.write("a.json", json.dumps(chat("c1")))
    assert cpa(home, "run") == 0
    assert chat_server.faults == []


def test_an_ability_that_does_not_exist_is_named() -> None:
    with pytest.raises(
        SettingsError, match="CPA_COMPATIBLE_STRUCTURED is 'yes': it must be one of auto, strict, lax, "
    ):
        compatible(settings({"CPA_COMPATIBLE_URL": "http://127.0.0.1:9/v1", "CPA_COMPATIBLE_STRUCTURED": "yes"}))
