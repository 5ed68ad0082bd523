"""Amplitude names the events that it refuses; no receipt says more, and nothing is cut in silence."""

import ast
import inspect
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from amplitude import constants

from cpa_core.destinations import amplitude as module
from cpa_core.destinations import destination
from cpa_core.destinations.amplitude import Amplitude
from cpa_core.errors import DestinationStopped, SettingsError
from cpa_core.models import Event, Receipt, event_id
from cpa_core.settings import settings
from tests.servers.amplitude import AmplitudeServer
from tests.servers.loopback import Asked, Fault, Hangs, Says

SENT_AT = datetime(2026, 3, 4, 9, 0, 0, 250_000, tzinfo=UTC)
SECRET = "my salary is 81,000"


@pytest.fixture
def server() -> Iterator[AmplitudeServer]:
    with AmplitudeServer() as running:
        yield running


def event(n: int = 0, **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "event_id": event_id("c1", f"m{n}", "Question|user"),
        "name": "Question",
        "distinct_id": "u1",
        "conversation_id": "c1",
        "message_id": f"m{n}",
        "day": date(2026, 3, 4),
        "sent_at": SENT_AT + timedelta(seconds=n),
        "payload": {"conversation_id": "c1", "message_id": f"m{n}", "content": SECRET},
    }
    return Event(**fields | changes)


def place(server: AmplitudeServer, waits: list[float] | None = None, key: str = "amp_test") -> Amplitude:
    return Amplitude(key, server.url, sleep=(waits if waits is not None else []).append)


def sent(server: AmplitudeServer, *events: Event) -> list[Receipt]:
    found = {receipt.event_id: receipt for receipt in place(server).send(events)}
    return [found[one.event_id] for one in events]


def statuses(server: AmplitudeServer, *events: Event) -> list[str]:
    return [receipt.status for receipt in sent(server, *events)]


def first(*faults: Fault | None) -> Any:
    """A script that plays these, one a request, and then nothing."""
    return lambda asked: faults[asked.number - 1] if asked.number <= len(faults) else None


def test_an_event_is_stored_with_its_own_time_id_and_a_short_user_id(server: AmplitudeServer) -> None:
    assert statuses(server, event()) == ["accepted"]
    (row,) = server.rows
    assert (row["event_type"], row["user_id"], row["insert_id"]) == ("Question", "u1", event().event_id)
    assert row["time"] == 1_772_614_800_250
    assert row["event_properties"] == event().payload
    assert server.asked[0].path == "/batch"


def test_a_conversation_without_a_known_user_is_a_device_only(server: AmplitudeServer) -> None:
    assert statuses(server, event(distinct_id="c1", identified=False)) == ["accepted"]
    (row,) = server.rows
    assert "user_id" not in row and len(row["device_id"]) >= 5


def test_the_device_is_the_same_each_time_as_repeats_are_known_by_it(server: AmplitudeServer) -> None:
    statuses(server, event())
    statuses(server, event())
    assert len(server.rows) == 1
    assert len({one["device_id"] for asked in server.asked for one in asked.events}) == 1


def test_every_name_taken_from_the_package_is_used() -> None:
    tree = ast.parse(inspect.getsource(module))
    taken = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("amplitude")
        for alias in node.names
    }
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    assert {"BaseEvent", "constants", "Config", "Response", "HttpStatus", "JSON_HEADER"} == taken
    assert taken <= used


def test_the_packages_model_writes_the_event_and_its_limits_are_the_ones_reported(
    server: AmplitudeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "MAX_STRING_LENGTH", 10)
    (receipt,) = sent(server, event(distinct_id="u1", payload={"content": SECRET}, event_id="e1", name="Asked"))
    assert receipt.detail == "cut at 10 characters: content"
    assert server.rows[0]["event_properties"] == {"content": SECRET[:10]}


def test_a_text_that_amplitude_cuts_is_accepted_with_a_warning_that_names_the_property(
    server: AmplitudeServer,
) -> None:
    long = {"content": "x" * 1025, "explanation": "y" * 1024, "quotes": ["z" * 2000]}
    (receipt,) = sent(server, event(payload=long))
    assert (receipt.status, receipt.detail) == ("accepted_warning", "cut at 1024 characters: content, quotes")
    assert long["content"] == "x" * 1025


def test_an_absent_value_is_no_loss(server: AmplitudeServer) -> None:
    assert statuses(server, event(payload={"quote": None, "role": "user"})) == ["accepted"]
    assert server.rows[0]["event_properties"] == {"role": "user"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payload": {"nested": [["a"]]}}, "a property is of a form that Amplitude does not take"),
        ({"payload": {f"p{n}": "v" for n in range(1025)}}, "1025 properties: Amplitude takes 1024"),
        ({"distinct_id": "u" * 1025}, "the event's name or user id is longer than 1024 characters"),
        ({"payload": {f"p{n}": "x" * 1024 for n in range(1000)}}, "Amplitude takes 1000000 a request"),
    ],
)
def test_an_event_that_the_package_would_drop_or_maim_is_rejected(
    server: AmplitudeServer, changes: dict[str, Any], reason: str
) -> None:
    bad, good = sent(server, event(0, **changes), event(1))
    assert (bad.status, good.status) == ("rejected", "accepted")
    assert bad.detail.endswith(reason)
    assert [one["insert_id"] for one in server.rows] == [event(1).event_id]


def test_events_that_a_refusal_names_are_rejected_and_the_others_sent_again(server: AmplitudeServer) -> None:
    events = [event(0), event(1, name=""), event(2)]
    assert [(r.status, r.detail) for r in sent(server, *events)] == [
        ("accepted", ""),
        ("rejected", "400: missing event_type"),
        ("accepted", ""),
    ]
    assert [len(asked.events) for asked in server.asked] == [3, 2]


def test_a_silenced_event_is_rejected_as_such(server: AmplitudeServer) -> None:
    server.script = first(Says(400, {"code": 400, "error": "x", "silenced_events": [0]}))
    silenced, other = sent(server, event(0), event(1))
    assert (silenced.status, other.status) == ("rejected", "accepted")
    assert "blocks this user" in silenced.detail


def test_a_refusal_that_names_nobody_is_narrowed_down_to_the_event(server: AmplitudeServer) -> None:
    bad = event(5).event_id

    def refuse(asked: Asked) -> Fault | None:
        found = any(one["insert_id"] == bad for one in asked.events)
        return Says(400, {"code": 400, "error": f'Invalid value "{SECRET}"'}) if found else None

    server.script = refuse
    receipts = {r.event_id: r for r in place(server).send([event(n) for n in range(8)])}
    assert [i for i, r in receipts.items() if r.status != "accepted"] == [bad]
    assert receipts[bad].detail == "400: Invalid value …"


def test_an_invalid_key_stops_and_is_not_repeated_in_the_error(server: AmplitudeServer) -> None:
    with pytest.raises(DestinationStopped, match=r"^amplitude: 400: Invalid API key$"):
        list(place(server, key="wrong").send([event()]))


@pytest.mark.parametrize("status", [401, 402])
def test_a_refused_account_stops_and_blames_no_event(server: AmplitudeServer, status: int) -> None:
    server.script = first(Says(status, {"code": status, "error": "Payment required"}))
    with pytest.raises(DestinationStopped, match=f"amplitude: {status}: Payment required"):
        list(place(server).send([event()]))


def test_a_body_that_is_too_large_is_halved(server: AmplitudeServer) -> None:
    server.most_events = 2
    assert statuses(server, *[event(n) for n in range(8)]) == ["accepted"] * 8


def test_bodies_keep_to_the_limit_of_bytes(server: AmplitudeServer) -> None:
    server.most_bytes = 1_000_000
    wide = {f"p{n}": "x" * 1000 for n in range(300)}
    assert statuses(server, *[event(n, payload=wide) for n in range(7)]) == ["accepted"] * 7
    assert [len(asked.events) for asked in server.asked] == [3, 3, 1]


def test_throttled_events_wait_and_the_others_do_not(server: AmplitudeServer) -> None:
    waits: list[float] = []
    throttled = {"code": 429, "error": "Too many requests for some devices and users", "throttled_events": [1]}
    server.script = first(Says(429, throttled), None, Says(429, {**throttled, "throttled_events": [0]}))
    found = {r.event_id: r.status for r in place(server, waits).send([event(0), event(1), event(2)])}
    assert set(found.values()) == {"accepted"} and len(found) == 3
    assert [len(asked.events) for asked in server.asked] == [3, 2, 1, 1]
    assert waits == [30.0]


def test_a_user_over_the_daily_quota_is_left_for_another_day(server: AmplitudeServer) -> None:
    spent = {"code": 429, "throttled_events": [0], "exceeded_daily_quota_users": {"u1": 500_001}}
    server.script = first(Says(429, spent))
    over, other = sent(server, event(0), event(1, distinct_id="u2"))
    assert (over.status, other.status) == ("retryable", "accepted")
    assert "daily quota" in over.detail


@pytest.mark.parametrize(
    ("after", "waits"), [("3", [3.0, 3.0, 4.0, 8.0]), ("9999", [30.0] * 4), ("soon", [1, 2, 4, 8])]
)
def test_a_busy_server_is_asked_again_within_bounds(server: AmplitudeServer, after: str, waits: list[float]) -> None:
    waited: list[float] = []
    server.script = lambda asked: Says(429, {"code": 429, "error": "busy"}, {"Retry-After": after})
    (receipt,) = place(server, waited).send([event()])
    assert (receipt.status, receipt.http_status, waited) == ("retryable", 429, waits)


@pytest.mark.parametrize("said", [Says(500, {"code": 500}), Says(503, "<html>gateway</html>")])
def test_a_failing_server_leaves_events_retryable(server: AmplitudeServer, said: Says) -> None:
    server.script = lambda asked: said
    assert statuses(server, event()) == ["retryable"]


def test_a_connection_closed_after_storing_is_sent_again_under_the_same_id(server: AmplitudeServer) -> None:
    server.script = first(Hangs(stored=True))
    assert statuses(server, event()) == ["accepted"]
    assert len(server.asked) == 2 and len(server.rows) == 1


def test_no_answer_at_all_is_unknown_and_no_connection_is_retryable(server: AmplitudeServer) -> None:
    server.script = lambda asked: Hangs(stored=False)
    assert statuses(server, event()) == ["unknown"]
    with AmplitudeServer() as gone:
        pass
    assert statuses(gone, event()) == ["retryable"]


def test_a_success_that_is_not_amplitudes_is_unknown(server: AmplitudeServer) -> None:
    server.script = lambda asked: Says(200, "<html>welcome</html>")
    assert statuses(server, event()) == ["unknown"]


def test_a_success_that_took_fewer_events_is_narrowed_down_to_the_one_it_did_not_take(
    server: AmplitudeServer,
) -> None:
    lost = event(2).event_id

    def count(asked: Asked) -> Fault | None:
        taken = sum(one["insert_id"] != lost for one in asked.events)
        return Says(200, {"code": 200, "events_ingested": taken}) if taken < len(asked.events) else None

    server.script = count
    assert statuses(server, *[event(n) for n in range(4)]) == ["accepted", "accepted", "unknown", "accepted"]


@pytest.mark.parametrize(
    ("written", "url"),
    [
        (None, "https://api2.amplitude.com/batch"),
        ("  ", "https://api2.amplitude.com/batch"),
        ("eu", "https://api.eu.amplitude.com/batch"),
        ("https://api.eu.amplitude.com/", "https://api.eu.amplitude.com/batch"),
        ("api2.amplitude.com", "https://api2.amplitude.com/batch"),
        ("https://api2.amplitude.com/2/httpapi", "https://api2.amplitude.com/2/httpapi"),
        ("127.0.0.1:80", "http://127.0.0.1:80/batch"),
    ],
)
def test_the_address_is_understood_in_every_usual_spelling(written: str | None, url: str) -> None:
    assert Amplitude("k", written).url == url


def test_a_missing_key_says_so_and_the_project_never_shows_it(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match="AMPLITUDE_API_KEY is not set"):
        destination("amplitude", settings({}))
    project = Amplitude("verysecret", "eu").project
    assert "verysecret" not in project and project.endswith("@api.eu.amplitude.com")
