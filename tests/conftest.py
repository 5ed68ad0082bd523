"""Fixtures: a model on loopback, and an assistant over a temporary home that asks it."""

import ast
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cpa_core.demo import demo_settings
from cpa_core.pipeline import Assistant
from cpa_core.schema import dump
from cpa_core.settings import TABLE, settings
from tests.servers.amplitude import AmplitudeServer
from tests.servers.chat_completions import ChatServer
from tests.servers.posthog import PostHogServer
from tests.support.commands import opened
from tests.support.fakes import SCHEMA, Failing
from tests.support.homes import Home

Conversations = dict[str, list[tuple[str, str, str]]]
"""Role, content and time of the messages of each conversation."""

TWO_CONVERSATIONS: Conversations = {
    "c1": [
        ("user", "Can I deduct my home office?", "2026-03-04T09:00:00Z"),
        ("assistant", "Yes, if it is used for work only.", "2026-03-04T09:00:05Z"),
        ("user", "Thank you!", "2026-03-04T09:01:00Z"),
    ],
    "c2": [
        ("user", "Which form do I need?", "2026-03-04T10:00:00Z"),
        ("assistant", "Schedule C.", "2026-03-04T10:00:05Z"),
    ],
}


OUTSIDE = {
    "subprocess",
    "multiprocessing",
    "socket",
    "dagster",
    "moto",
    "cpa_dagster",
    "tests.support.runs",
    "tests.servers",
}
"""What a module imports whose tests start a server, a process or Dagster."""
SERVERS = {"chat_server", "posthog", "amplitude"}
"""Fixtures that start a server."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what starts a server, a process or Dagster, by what its module imports and its fixtures need.

    A module that is slow for another reason carries the mark itself.
    """
    for item in items:
        imports = _imports(item.path)
        starts = any(name == one or name.startswith(f"{one}.") for name in imports for one in OUTSIDE)
        if starts or SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@cache
def _imports(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    plain = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return frozenset([*plain, *(node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))])


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, host or proxy of the machine reaches a test."""
    vendors = {f"{name.partition('_')[0]}_" for name in TABLE}
    for name in list(os.environ):
        if name.startswith(tuple(vendors)) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


LAKE = os.environ.get("CPA_TEST_STORE") == "lake"
"""Whether every store of the tests is a lake: `make test-stores`."""


@pytest.fixture(scope="session")
def _postgres_of_lakes() -> Iterator[Any]:
    from tests.servers.postgres import server

    with server() as one:
        yield one


@pytest.fixture(autouse=LAKE)
def _every_store_a_lake(_postgres_of_lakes: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from tests.support.lakes import every_store_a_lake

    with every_store_a_lake(_postgres_of_lakes, monkeypatch):
        yield


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    """A model on loopback; set its `behaviour` to script it."""
    with ChatServer() as server:
        yield server


@pytest.fixture
def posthog() -> Iterator[PostHogServer]:
    """PostHog on loopback."""
    with PostHogServer() as server:
        yield server


@pytest.fixture
def amplitude() -> Iterator[AmplitudeServer]:
    """Amplitude on loopback."""
    with AmplitudeServer() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, chat_server: ChatServer, posthog: PostHogServer) -> Home:
    """A home whose `cpa` asks the model on loopback and delivers the text as well to PostHog on loopback."""
    return opened(Home(tmp_path), chat_server, posthog)


@pytest.fixture
def assistant(tmp_path: Path, chat_server: ChatServer) -> Callable[..., Assistant]:
    """Makes an assistant: `assistant(conversations, CPA_CONCURRENCY="2")`. One home a test."""

    def make(conversations: Conversations = TWO_CONVERSATIONS, **environ: str) -> Assistant:
        source, schema = tmp_path / "transcripts.json", tmp_path / "schema.yml"
        source.write_text(json.dumps({key: seed(turns) for key, turns in conversations.items()}), "utf-8")
        schema.write_text(dump(SCHEMA), "utf-8")
        given = {
            "CPA_HOME": str(tmp_path / "home"),
            "CPA_SOURCE": str(source),
            "CPA_SCHEMA": str(schema),
            "CPA_MODEL": "compatible:test-model",
            "CPA_COMPATIBLE_URL": chat_server.url,
            "CPA_COMPATIBLE_STRUCTURED": "strict",
        }
        return Assistant.of(settings(given | environ))

    return make


def seed(turns: list[tuple[str, str, str]]) -> dict[str, Any]:
    """One conversation as the seed tool's JSON has it."""
    messages = [
        {"role": role, "content": content, "timestamp": at, "message_id": n}
        for n, (role, content, at) in enumerate(turns, 1)
    ]
    return {"user_id": "u1", "messages": messages}


@pytest.fixture
def demo(tmp_path: Path) -> Assistant:
    """The demo, in a home of its own."""
    return Assistant.of(demo_settings("therapist", tmp_path / "demo"))


@pytest.fixture
def failing(assistant: Callable[..., Assistant]) -> Assistant:
    """Two days of one conversation; nothing can be tagged or judged on the first."""
    turns = {
        "c1": [("user", "A poisoned word", "2026-03-04T09:00:00Z")],
        "c2": [("user", "Which form do I need?", "2026-03-05T10:00:00Z")],
    }
    made = assistant(turns, CPA_START_DATE="2026-03-01")
    return replace(made, provider=lambda model: Failing("poisoned"))
