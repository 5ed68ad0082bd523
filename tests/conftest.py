"""Fixtures: a model on loopback, and an assistant over a temporary home that asks it."""

import gc
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb
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
from tests.support.homes import Home, begun

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
SERVERS = {"chat_server", "posthog", "amplitude", "postgres"}
"""Fixtures that start a server."""


IMPORT = re.compile(r"^\s*(?:from ([\w.]+) import|import ([\w., ]+))", re.MULTILINE)

# Compiled modules are kept, whatever the machine's environment says: without them every process of the suite compiles
# its own, Dagster's among them, and every worker rewrites the asserts of every file: 24 seconds a collection, not 10.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Homes of tests are kept in memory where there is room for them: a commit waits for the disk, and most tests commit
# often. Where /dev/shm is small (64 MB in Docker), the tests take the machine's temporary folder.
IN_MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes that must be free there."""
if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))  # documented by pytest, read at the first tmp_path


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file unread that `-m "not slow"` leaves out whole: importing Dagster alone takes seconds."""
    unwanted = config.option.markexpr == "not slow" and collection_path.match("test_*.py")
    return True if unwanted and starts_something(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what starts a server, a process or Dagster, by what its module imports and its fixtures need.

    A module that is slow for another reason carries the mark itself.
    """
    for item in items:
        if starts_something(item.path) or SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """What was imported stays for good: the garbage collector need not walk through it during every test."""
    gc.collect()
    gc.freeze()


@cache
def starts_something(path: Path) -> bool:
    """Whether a module imports what starts a server, a process or Dagster."""
    found = IMPORT.findall(path.read_text("utf-8"))
    names = {name.strip().partition(" ")[0] for one in found for name in (one[0] or one[1]).split(",")}
    return any(name == one or name.startswith(f"{one}.") for name in names for one in OUTSIDE)


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


@pytest.fixture(scope="module")
def postgres() -> Iterator[Any]:
    """A Postgres on loopback, for a module."""
    from tests.servers.postgres import server

    with server() as one:
        yield one


@pytest.fixture(scope="module")
def lakes(postgres: Any) -> Iterator[Any]:
    """The lakes of a module's homes."""
    from tests.support.lakes import Lakes

    made = Lakes(postgres)
    yield made
    made.close()


@pytest.fixture(autouse=LAKE)
def _every_store_a_lake(_postgres_of_lakes: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from tests.support.lakes import every_store_a_lake

    with every_store_a_lake(_postgres_of_lakes, monkeypatch):
        yield


@pytest.fixture(autouse=True, scope="module")
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """DuckDB works in one thread, for a worker has one core at most; where the store itself is tested, in all."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name not in ("store", "landing"):
            patch.setattr(duckdb, "connect", partial(duckdb.connect, config={"threads": 1}))
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
        return begun(Assistant.of(settings(given | environ)))

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
    return begun(Assistant.of(demo_settings("therapist", tmp_path / "demo")))


@pytest.fixture
def failing(assistant: Callable[..., Assistant]) -> Assistant:
    """Two days of one conversation; nothing can be tagged or judged on the first."""
    turns = {
        "c1": [("user", "A poisoned word", "2026-03-04T09:00:00Z")],
        "c2": [("user", "Which form do I need?", "2026-03-05T10:00:00Z")],
    }
    made = assistant(turns, CPA_START_DATE="2026-03-01")
    return replace(made, provider=lambda model: Failing("poisoned"))
