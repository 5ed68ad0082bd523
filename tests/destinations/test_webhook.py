"""A webhook: signed, idempotent, and a receipt for each event."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpa_core.destinations import destination
from cpa_core.destinations.webhook import Webhook
from cpa_core.errors import DestinationStopped, SettingsError
from cpa_core.models import Receipt
from cpa_core.pipeline import deliver_day
from cpa_core.settings import settings
from tests.servers.loopback import Fault, Hangs, Says
from tests.servers.webhook import WebhookServer
from tests.support.deliveries import DAY, assistant, store_day
from tests.support.vendor_events import SECRET, event


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with WebhookServer() as running:
        yield running


def place(server: WebhookServer, secret: str = "a shared secret") -> Webhook:
    return Webhook(f"{server.url}/events", secret, sleep=lambda seconds: None)


def sent(server: WebhookServer, count: int = 3) -> list[Receipt]:
    return list(place(server).send([event(n) for n in range(count)]))


def first(*faults: Fault | None) -> Any:
    return lambda asked: faults[asked.number - 1] if asked.number <= len(faults) else None


def test_events_arrive_signed_and_in_the_form_of_the_outbox(server: WebhookServer) -> None:
    assert {receipt.status for receipt in sent(server)} == {"accepted"}
    assert server.rows[0] == {
        "event_id": event(0).event_id,
        "event": "Question",
        "distinct_id": "u1",
        "timestamp": "2026-03-04T09:00:00.250000+00:00",
        "properties": event(0).payload,
    }


def test_an_answer_that_is_lost_is_asked_for_again_under_the_same_key_in_whatever_run(server: WebhookServer) -> None:
    server.script = first(Hangs(stored=True), Says(503))
    assert {receipt.http_status for receipt in sent(server)} == {409}
    assert {receipt.status for receipt in sent(server)} == {"accepted"}
    keys = {{name.lower(): value for name, value in asked.headers.items()}["idempotency-key"] for asked in server.asked}
    assert len(server.asked) == 4 and len(keys) == 1 and len(server.rows) == 3


def test_the_event_at_fault_is_found_and_the_others_arrive(server: WebhookServer) -> None:
    server.refuses = lambda one: one["properties"].get("message_id") == "m5"
    receipts = sent(server, 20)
    assert [r.detail for r in receipts if r.status == "rejected"] == ["422: refused"]
    assert len(server.rows) == 19 and SECRET not in str(receipts)
    odd = event(1, payload={"score": float("nan")}), event(2, payload={"content": "x" * 1_100_000})
    found = list(place(server).send(odd))
    assert sorted(receipt.status for receipt in found) == ["accepted_warning", "rejected"]


@pytest.mark.parametrize("status", [301, 401, 404, 410])
def test_an_address_or_secret_that_does_not_fit_stops_after_one_request(server: WebhookServer, status: int) -> None:
    server.script = lambda asked: Says(status, {}, {"Location": "/elsewhere"} if status == 301 else {})
    with pytest.raises(DestinationStopped, match=f"webhook: {status}"):
        sent(server)
    assert len(server.asked) == 1
    server.script = lambda asked: None
    with pytest.raises(DestinationStopped, match="webhook: 401"):
        list(place(server, "another secret").send([event()]))


def test_a_secret_of_the_standard_form_signs_with_its_bytes(server: WebhookServer) -> None:
    written = "whsec_" + base64.b64encode(server.key.encode()).decode()
    assert {receipt.status for receipt in place(server, written).send([event()])} == {"accepted"}
    with pytest.raises(SettingsError, match="no base64"):
        place(server, "whsec_?")


def test_a_day_goes_there_once_and_a_correction_replaces(tmp_path: Path, server: WebhookServer) -> None:
    environ = {"CPA_DESTINATIONS": "webhook", "WEBHOOK_URL": server.url, "WEBHOOK_SECRET": server.key}
    for topic in ("Tax", "Tax", "Form"):
        store_day(tmp_path, topic=topic)
        deliver_day(assistant(tmp_path, **environ), DAY)
    assert len(server.asked) == 2 and len(server.rows) == 3
    assert [row["properties"].get("Topic") for row in server.rows].count("Form") == 2
    assert server.key not in json.dumps([row["properties"] for row in server.rows])


def test_its_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_URL is not set"):
        destination("webhook", settings({}))
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET is not set"):
        destination("webhook", settings({"WEBHOOK_URL": "https://example.com"}))
