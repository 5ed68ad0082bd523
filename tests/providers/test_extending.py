"""The smallest provider and destination of docs/extending.md work as they stand there."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cpa_core.errors import DestinationStopped, ProviderFailed, ProviderStopped, SettingsError
from tests.servers.loopback import Asked, Loopback, Says
from tests.support.fakes import request
from tests.support.vendor_events import event

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


class Plain(Loopback):
    """A vendor that says the same to everyone who has the key."""

    def answer(self, asked: Asked) -> Says:
        """Its answer."""
        if asked.headers["Authorization"] != "Bearer k":
            return Says(401, {"error": "another key"})
        return Says(200, {"text": "{}", "usage": {"input": 3, "output": 1}})


def module(name: str) -> dict[str, Any]:
    """The block of the page that defines this name, run as a module."""
    (source,) = (block for block in BLOCK.findall(PAGE.read_text("utf-8")) if f"\ndef {name}(" in block)
    found: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"{PAGE}: {name}", "exec"), found)
    return found


def given(name: str, url: str, key: str | None = "k") -> Any:
    """What the settings of the page's vendor are."""
    return SimpleNamespace(**{name: SimpleNamespace(key=key, url=url)}, timeout=5.0)


def test_the_provider_of_the_page_answers_counts_and_names_each_failure() -> None:
    acme = module("acme")["acme"]
    with Plain() as server:
        reply = acme(given("acme", server.url)).call(request())
        assert (reply.outcome, reply.text, reply.usage.prompt_tokens, reply.usage.completion_tokens) == (
            "ok",
            "{}",
            3,
            1,
        )
        with pytest.raises(ProviderStopped):
            acme(given("acme", server.url, "another")).call(request())
        server.script = lambda asked: Says(503)
        with pytest.raises(ProviderFailed):
            acme(given("acme", server.url)).call(request())
    with pytest.raises(ProviderFailed):
        acme(given("acme", server.url)).call(request())  # nobody listens any more
    with pytest.raises(SettingsError, match="ACME_API_KEY"):
        acme(given("acme", server.url, None))


def test_the_destination_of_the_page_gives_each_event_its_receipt() -> None:
    depot = module("depot")["depot"]
    events = [event(n) for n in range(3)]
    with Plain() as server:
        assert [one.status for one in depot(given("depot", server.url)).send(events)] == ["accepted"] * 3
        assert len(server.asked[-1].events) == 3
        refused = events[1].event_id
        server.script = lambda asked: Says(422) if any(one["event_id"] == refused for one in asked.events) else None
        statuses = {one.event_id: one.status for one in depot(given("depot", server.url)).send(events)}
        assert statuses == {one.event_id: "rejected" if one.event_id == refused else "accepted" for one in events}
        with pytest.raises(DestinationStopped):
            list(depot(given("depot", server.url, "another")).send(events))
    with pytest.raises(SettingsError, match="DEPOT_API_KEY"):
        depot(given("depot", server.url, None))
