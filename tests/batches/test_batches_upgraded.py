"""A batch under way while the product is upgraded is not paid for twice: its answers are taken as they were asked."""

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cpa_core.pipeline import quote
from cpa_core.prompts import prompt_id
from cpa_core.schema import dump
from tests.servers.batches import OpenAIBatchServer, settings_of
from tests.support.commands import ONE_EACH, chats, cpa
from tests.support.homes import Home, turn

LEGACY = "update batches set schema_version = null, prompt_id = null, contents = null"
"""A batch as earlier versions wrote its row."""


@pytest.fixture
def server() -> Iterator[OpenAIBatchServer]:
    """OpenAI on loopback."""
    with OpenAIBatchServer() as server:
        yield server


def before_upgrade(folder: Path, server: OpenAIBatchServer, messages: int = 2) -> Home:
    """A home whose questions are at the vendor, handed over in the words of another version: under other hashes."""
    home = Home(folder)
    (folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
    home.environ |= {"CPA_SCHEMA": str(folder / "schema.yml"), **settings_of(server)}
    home.write("a.json", chats(3, messages))
    server.held = True
    assert cpa(home, "run --no-wait") == 0
    for kept in server.batches.values():
        kept.lines = {earlier(key): body for key, body in kept.lines.items()}
    with home.assistant().store.writing() as transaction:
        for row in transaction.rows("select batch_key, request_hashes from batches"):
            transaction.execute(
                "update batches set request_hashes = $hashes, prompt_id = 'older' where batch_key = $key",
                hashes=[earlier(key) for key in row["request_hashes"]],
                key=row["batch_key"],
            )
    return home


def earlier(request_hash: str) -> str:
    """The hash of the same question in other words."""
    return hashlib.sha256(request_hash.encode()).hexdigest()


def prompts(home: Home) -> set[Any]:
    """By which prompts the labels of the home were made."""
    sql = "select prompt_id from tagged_conversations union select prompt_id from judge_scores"
    return {row["prompt_id"] for row in home.rows(sql)}


def quoted(home: Home) -> int:
    """How many questions of the day would be asked now."""
    return sum(line.questions for line in quote(home.assistant(), [date(2026, 3, 4)], retag=False).lines)


@pytest.mark.parametrize("legacy", [False, True], ids=["", "a row of an earlier version"])
@pytest.mark.parametrize("messages", [2, 60], ids=["one window", "two windows"])
def test_a_batch_in_flight_at_an_upgrade_is_waited_for_and_taken(
    tmp_path: Path, server: OpenAIBatchServer, messages: int, legacy: bool
) -> None:
    home = before_upgrade(tmp_path, server, messages)
    if legacy:
        with home.assistant().store.writing() as transaction:
            transaction.execute(LEGACY)
    assert quoted(home) == 0, "what waits in earlier words costs nothing more"
    assert cpa(home, "run --no-wait") == 0, "it still waits, and hands nothing over"
    assert len(server.batches) == 2
    server.held = False
    assert cpa(home, "run") == 0
    assert len(server.batches) == 2 and {row["lane"] for row in home.rows("select lane from answers")} == {"batch"}
    assert prompts(home) == {"earlier" if legacy else "older"}
    assert home.rows("select count(*) as n from tagged_events") == [{"n": 3 * messages}]
    calls = len(server.bodies)
    assert cpa(home, "run") == 0 and len(server.bodies) == calls, "the day is done"


def another_schema(home: Home) -> None:
    newer = ONE_EACH.model_copy(update={"description": "Another description."})
    (home.folder / "schema.yml").write_text(dump(newer), "utf-8")


def another_content(home: Home) -> None:
    home.write("b.json", {f"c00{n}": [turn("One more", "2026-03-04T10:00:00Z")] for n in range(3)})


def redacted(home: Home) -> None:
    home.environ["CPA_REDACT_BEFORE_MODEL"] = "yes"


@pytest.mark.parametrize("legacy", [False, True], ids=["", "a row of an earlier version"])
@pytest.mark.parametrize("change", [another_schema, another_content, redacted], ids=lambda change: change.__name__)
def test_what_changed_since_is_asked_in_the_words_of_now(
    tmp_path: Path, server: OpenAIBatchServer, change: Any, legacy: bool
) -> None:
    home = before_upgrade(tmp_path, server)
    if legacy:
        with home.assistant().store.writing() as transaction:
            transaction.execute(LEGACY)
    change(home)
    server.held = False
    assert cpa(home, "run") == 0
    assert len(server.batches) == 4 and not prompts(home) & {"older", "earlier"}
    assert {one.partition("-")[0] for one in prompts(home)} == {prompt_id("tag"), prompt_id("judge")}


def test_what_an_earlier_batch_left_unanswered_is_asked_in_the_words_of_now(
    tmp_path: Path, server: OpenAIBatchServer
) -> None:
    home = before_upgrade(tmp_path, server)
    lost = {min(kept.lines) for kept in server.batches.values()}
    server.fate = lambda custom_id, nth: "expired" if custom_id in lost else "answered"
    server.held = False
    assert cpa(home, "run") == 0
    assert sorted(len(kept.lines) for kept in server.batches.values()) == [1, 1, 3, 3]
    assert prompts(home) == {"older", prompt_id("tag"), prompt_id("judge")}
