"""Mixpanel stores what is valid of a refused request; each event's receipt says which it was."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cpa_core.destinations import destination
from cpa_core.destinations.mixpanel import REGIONS, Mixpanel, mixpanel
from cpa_core.errors import DestinationStopped, SettingsError
from cpa_core.models import Event, Receipt
from cpa_core.pipeline import deliver_day
from cpa_core.settings import settings
from tests.servers.loopback import Fault, Hangs, Says
from tests.servers.mixpanel import MixpanelServer
from tests.support.deliveries import DAY, assistant, counts, store_day
from tests.support.vendor_events import SECRET, event


@pytest.fixture
def server() -> Iterator[MixpanelServer]:
    with MixpanelServer() as running:
        yield running


def place(server: MixpanelServer, waits: list[float] | None = None, key: str = "mp_test") -> Mixpanel:
    return Mixpanel(key, "", url=server.url, sleep=(waits if waits is not None else []).append)


def sent(server: MixpanelServer, *events: Event) -> list[Receipt]:
    found = {receipt.event_id: receipt for receipt in place(server).send(events)}
    return [found[one.event_id] for one in events]


def first(*faults: Fault | None) -> Any:
    return lambda asked: faults[asked.number - 1] if asked.number <= len(faults) else None


def test_an_event_arrives_in_mixpanels_form(server: MixpanelServer) -> None:
    known, unknown = event(), event(1, distinct_id="c1", identified=False)
    assert [receipt.status for receipt in sent(server, known, unknown)] == ["accepted"] * 2
    row, device = server.rows
    assert row["event"] == "Question"
    assert row["properties"] == known.payload | {
        "time": 1_772_614_800_250,
        "distinct_id": "u1",
        "$insert_id": known.event_id,
    }
    assert (device["properties"]["distinct_id"], device["properties"]["$device_id"]) == ("$device:c1", "c1")
    assert server.asked[0].headers["Content-Encoding"] == "gzip"


def test_of_a_refused_request_what_is_named_is_rejected_and_the_rest_is_stored_by_that_request(
    server: MixpanelServer,
) -> None:
    poisoned = [
        event(1, distinct_id="anonymous"),
        event(2, name=""),
        event(3, sent_at=datetime(2026, 3, 4)),
        event(4, payload={"content": "x" * 1_100_000}),
        event(5, payload={str(n): n for n in range(300)}),
        event(6, payload={"score": float("nan"), "text": "half a \ud83d"}),
    ]
    good = [event(n) for n in range(10, 30)]
    receipts = sent(server, *good[:5], *poisoned, *good[5:])
    by_id = {receipt.event_id: receipt for receipt in receipts}
    said = [(by_id[one.event_id].status, by_id[one.event_id].detail) for one in poisoned]
    assert [status for status, _ in said] == ["rejected"] * 5 + ["accepted_warning"]
    for (_, detail), words in zip(said, ("distinct_id", "event", "time zone", "bytes", "properties"), strict=False):
        assert words in detail
    assert {by_id[one.event_id].status for one in good} == {"accepted"}
    assert len(server.rows) == 21 and len(server.asked) == 1
    assert SECRET not in str(receipts)


def test_a_count_that_does_not_fit_is_not_believed(server: MixpanelServer) -> None:
    failed = [{"index": 0, "insert_id": event(0).event_id, "field": "event", "message": "no"}]
    server.script = first(Says(400, {"code": 400, "num_records_imported": 0, "failed_records": failed}))
    receipts = sent(server, event(0), event(1), event(2))
    assert [receipt.status for receipt in receipts] == ["rejected", "accepted", "accepted"]
    assert len(server.asked) == 2 and len(server.rows) == 2
    server.script = lambda asked: Says(200, {"code": 200, "num_records_imported": 0})
    assert [receipt.status for receipt in sent(server, event(7), event(8))] == ["unknown"] * 2


def test_trouble_is_met_with_the_same_ids_and_lost_answers_store_nothing_twice(server: MixpanelServer) -> None:
    waits: list[float] = []
    server.script = first(Says(500), Says(429, {}, {"Retry-After": "7"}), Hangs(stored=True))
    receipts = list(place(server, waits).send([event(n) for n in range(3)]))
    assert {receipt.status for receipt in receipts} == {"accepted"}
    assert len(server.rows) == 3 and len(server.asked) == 4
    assert waits == [1.0, 7.0, 4.0]


def test_a_request_that_is_too_large_is_halved(server: MixpanelServer) -> None:
    server.most_bytes = 1_000
    assert {receipt.status for receipt in sent(server, *(event(n) for n in range(16)))} == {"accepted"}
    assert len(server.rows) == 16


def test_a_wrong_token_stops_after_one_request(server: MixpanelServer) -> None:
    with pytest.raises(DestinationStopped, match="mixpanel: 401") as stopped:
        list(place(server, key="mp_wrong").send([event(n) for n in range(3)]))
    assert len(server.asked) == 1 and "mp_wrong" not in str(stopped.value)


def test_a_day_goes_there_once(tmp_path: Path, server: MixpanelServer) -> None:
    store_day(tmp_path)
    environ = {"CPA_DESTINATIONS": "mixpanel", "MIXPANEL_TOKEN": "mp_test", "MIXPANEL_URL": server.url}
    assert deliver_day(assistant(tmp_path, **environ), DAY).accepted == 3
    assert deliver_day(assistant(tmp_path, **environ), DAY).sent == 0
    assert len(server.asked) == 1 and counts(tmp_path) == {"accepted": 3}


def test_its_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MIXPANEL_TOKEN"):
        destination("mixpanel", settings({}))
    assert mixpanel(settings({"MIXPANEL_TOKEN": "t", "MIXPANEL_URL": "eu"})).host == REGIONS["EU"]
    account = mixpanel(settings({"MIXPANEL_SERVICE_ACCOUNT": "ana:secret", "MIXPANEL_PROJECT_ID": "17"}))
    assert account.url == "https://api.mixpanel.com/import?strict=1&project_id=17"
    assert "secret" not in account.project
