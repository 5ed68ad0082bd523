"""A poisoned batch: each bad event gets its own reason, and every other event arrives, at each vendor."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cpa_core.destinations import Destination
from cpa_core.destinations.amplitude import Amplitude
from cpa_core.destinations.posthog import PostHog
from cpa_core.models import Event, Receipt, event_id
from tests.servers.amplitude import AmplitudeServer
from tests.servers.posthog import PostHogServer

START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
POISON: dict[str, dict[str, Any]] = {
    "time": {"sent_at": datetime(2026, 3, 4, 9, 0)},
    "name": {"name": "N" * 201},
    "size": {"payload": {"content": "x" * 2_000_000}},
    "anonymous": {"distinct_id": "anonymous"},
    "short": {"distinct_id": "u-3"},
    "nan": {"payload": {"score": float("nan"), "Topic": "Tax"}},
    "surrogate": {"payload": {"content": "half a \ud83d smile", "Topic": "Tax"}},
}
GOOD = 40


def event(key: str, **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "event_id": event_id("c1", key, "Question|user"),
        "name": "Question",
        "distinct_id": "user-1",
        "conversation_id": "c1",
        "message_id": key,
        "day": date(2026, 3, 4),
        "sent_at": START + timedelta(seconds=len(key)),
        "payload": {"conversation_id": "c1", "message_id": key},
    }
    return Event.model_construct(**fields | changes)


@pytest.fixture
def posthog_place(posthog: PostHogServer) -> PostHog:
    return PostHog(posthog.key, posthog.url, sleep=lambda seconds: None)


@pytest.fixture
def amplitude_place(amplitude: AmplitudeServer) -> Iterator[Amplitude]:
    yield Amplitude(amplitude.key, amplitude.url, sleep=lambda seconds: None)


def batch() -> list[Event]:
    """Good events, poisoned ones among them, and one of the good ones a second time."""
    good = [event(f"good-{n}") for n in range(GOOD)]
    poisoned = [event(key, **changes) for key, changes in POISON.items()]
    mixed = [one for pair in zip(good, poisoned, strict=False) for one in pair] + good[len(poisoned) :]
    return [*mixed, good[3]]


def sent(place: Destination, events: list[Event]) -> dict[str, Receipt]:
    receipts = list(place.send(events))
    assert len({receipt.event_id for receipt in receipts}) == len({one.event_id for one in events})
    return {receipt.event_id: receipt for receipt in receipts}


def of(receipts: dict[str, Receipt], key: str) -> tuple[str, str]:
    receipt = receipts[event(key).event_id]
    return receipt.status, receipt.detail


def good_statuses(receipts: dict[str, Receipt]) -> set[tuple[str, str]]:
    return {of(receipts, f"good-{n}") for n in range(GOOD)}


def test_at_posthog_each_poisoned_event_has_its_reason_and_every_other_arrives(
    posthog: PostHogServer, posthog_place: PostHog
) -> None:
    receipts = sent(posthog_place, batch())
    assert good_statuses(receipts) == {("accepted", "")}
    assert {key: of(receipts, key) for key in POISON} == {
        "time": ("rejected", "its time has no time zone"),
        "name": ("rejected", "drop: event_name_too_long"),
        "size": ("rejected", "2000249 bytes: PostHog takes 921600 an event"),
        "anonymous": ("accepted_warning", "person_processing_disabled"),
        "short": ("accepted", ""),
        "nan": ("accepted_warning", "not a number, or half a character, left out: score"),
        "surrogate": ("accepted_warning", "not a number, or half a character, left out: content"),
    }
    assert {row["properties"].get("message_id") for row in posthog.rows} >= {f"good-{n}" for n in range(GOOD)}


def test_at_amplitude_each_poisoned_event_has_its_reason_and_every_other_arrives(
    amplitude: AmplitudeServer, amplitude_place: Amplitude
) -> None:
    receipts = sent(amplitude_place, batch())
    assert good_statuses(receipts) == {("accepted", "")}
    assert {key: of(receipts, key) for key in POISON} == {
        "time": ("rejected", "its time has no time zone"),
        "name": ("accepted", ""),
        "size": ("accepted_warning", "cut at 1024 characters: content"),
        "anonymous": ("accepted", ""),
        "short": ("accepted", ""),
        "nan": ("accepted_warning", "not a number, or half a character, left out: score"),
        "surrogate": ("accepted_warning", "not a number, or half a character, left out: content"),
    }
    kept = [row["event_properties"] for row in amplitude.rows]
    assert {row.get("message_id") for row in kept} >= {f"good-{n}" for n in range(GOOD)}
    assert {"user_id": "u-3"}.items() <= next(row for row in amplitude.rows if row.get("user_id") == "u-3").items()
