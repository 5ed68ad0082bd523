"""PostHog says for each event what became of it, and no receipt says more than PostHog did."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from posthog import request as package
from posthog.consumer import MAX_MSG_SIZE

from cpa_core.destinations import destination
from cpa_core.destinations.posthog import PostHog, ingestion_host
from cpa_core.errors import DestinationStopped, SettingsError
from cpa_core.models import Event, event_id
from cpa_core.settings import settings
from tests.servers.loopback import Asked, Fault, Hangs, Says
from tests.servers.posthog import PostHogServer

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SENT_AT = datetime(2026, 3, 4, 9, 0, 0, 250_000, tzinfo=UTC)
SECRET = "my salary is 81,000"


@pytest.fixture
def server() -> Iterator[PostHogServer]:
    with PostHogServer() as running:
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


def place(server: PostHogServer, waits: list[float] | None = None, key: str = "phc_test") -> PostHog:
    kept = waits if waits is not None else []
    return PostHog(key, server.url, sleep=kept.append, now=lambda: NOW)


def statuses(server: PostHogServer, *events: Event) -> list[str]:
    found = {receipt.event_id: receipt.status for receipt in place(server).send(events)}
    return [found[one.event_id] for one in events]


def first(*faults: Fault | None) -> Any:
    """A script that plays these, one a request, and then nothing."""
    return lambda asked: faults[asked.number - 1] if asked.number <= len(faults) else None


def test_an_event_is_stored_with_its_own_time_id_person_and_properties(server: PostHogServer) -> None:
    assert statuses(server, event()) == ["accepted"]
    (row,) = server.rows
    assert datetime.fromisoformat(row["timestamp"]) == SENT_AT
    assert row["uuid"] == event().event_id
    assert (row["event"], row["distinct_id"], row["person"]) == ("Question", "u1", True)
    assert row["properties"] == {**event().payload, "$geoip_disable": True}


def test_a_conversation_without_a_known_user_makes_no_person(server: PostHogServer) -> None:
    assert statuses(server, event(distinct_id="c1", identified=False)) == ["accepted"]
    assert server.rows[0]["person"] is False


def test_the_wire_form_is_the_packages_own(server: PostHogServer) -> None:
    statuses(server, event())
    headers = {name.lower(): value for name, value in server.asked[0].headers.items()}
    assert headers["user-agent"] == headers["posthog-sdk-info"] == package.USER_AGENT
    assert headers["content-encoding"] == "gzip"
    assert "phc_test" not in json.dumps(server.asked[0].body)


def test_each_verdict_becomes_its_receipt(server: PostHogServer) -> None:
    said = {
        "m0": ("ok", None),
        "m1": ("warning", "person_processing_disabled"),
        "m2": ("drop", "event_restriction_drop"),
        "m3": ("drop", "llm_events_over_quota"),
        "m4": ("retry", "not_persisted"),
        "m5": None,
        "m6": ("surprise", None),
    }
    server.results = lambda one: said[one["properties"]["message_id"]]
    receipts = {r.event_id: r for r in place(server).send([event(n) for n in range(7)])}
    found = [receipts[event(n).event_id] for n in range(7)]
    assert [r.status for r in found] == [
        "accepted",
        "accepted_warning",
        "rejected",
        "retryable",
        "retryable",
        "unknown",
        "unknown",
    ]
    assert found[2].detail == "drop: event_restriction_drop"


def test_an_event_that_is_told_to_come_again_is_sent_again_alone(server: PostHogServer) -> None:
    seen: list[str] = []

    def results(one: dict[str, Any]) -> tuple[str, None]:
        seen.append(one["properties"]["message_id"])
        return ("retry", None) if seen == ["m0", "m1"] else ("ok", None)

    server.results = results
    assert statuses(server, event(0), event(1)) == ["accepted", "accepted"]
    assert seen == ["m0", "m1", "m1"]
    assert [asked.headers["PostHog-Attempt"] for asked in server.asked] == ["1", "2"]
    assert len({asked.headers["PostHog-Request-Id"] for asked in server.asked}) == 1


def test_an_illegal_person_id_is_accepted_with_a_warning(server: PostHogServer) -> None:
    (receipt,) = place(server).send([event(distinct_id="guest")])
    assert (receipt.status, receipt.detail) == ("accepted_warning", "person_processing_disabled")


def test_a_whole_batch_refused_for_one_event_blames_that_event_only(server: PostHogServer) -> None:
    bad = event(5)

    def refuse(asked: Asked) -> Fault | None:
        found = any(one["uuid"] == bad.event_id for one in asked.events)
        return Says(400, {"error": "malformed_event_properties"}) if found else None

    server.script = refuse
    receipts = {r.event_id: r for r in place(server).send([event(n) for n in range(16)])}
    assert {i for i, r in receipts.items() if r.status != "accepted"} == {bad.event_id}
    assert receipts[bad.event_id].detail == "400: malformed_event_properties"
    assert len(receipts) == 16 and len(server.rows) == 15


@pytest.mark.parametrize("status", [401, 402])
def test_a_refused_key_or_account_stops_and_keeps_what_was_answered(server: PostHogServer, status: int) -> None:
    server.script = first(None, Says(status, {"error": "x", "error_description": "Not with this token."}))
    big = {"content": "x" * 800_000}
    kept = []
    with pytest.raises(DestinationStopped, match=f"posthog: {status}: Not with this token."):
        for receipt in place(server).send([event(n, payload=big) for n in range(8)]):
            kept.append(receipt.status)
    assert kept == ["accepted"] * 6


def test_a_project_over_its_billing_limit_stops_and_blames_no_event(server: PostHogServer) -> None:
    server.script = first(Says(429, {"error": "billing_limit_exceeded"}))
    with pytest.raises(DestinationStopped, match="billing_limit_exceeded"):
        list(place(server).send([event()]))


def test_a_fault_of_the_request_stops_and_blames_no_event(server: PostHogServer) -> None:
    server.script = first(Says(400, {"error": "missing_required_headers"}))
    with pytest.raises(DestinationStopped, match="missing_required_headers"):
        list(place(server).send([event(0), event(1)]))


def test_a_body_that_is_too_large_is_halved(server: PostHogServer) -> None:
    server.script = lambda asked: Says(413, {"error": "payload_too_large"}) if len(asked.events) > 2 else None
    assert statuses(server, *[event(n) for n in range(8)]) == ["accepted"] * 8


def test_bodies_keep_to_the_packages_limit_of_bytes(server: PostHogServer) -> None:
    events = [event(n, payload={"content": "x" * 700_000}) for n in range(12)]
    assert statuses(server, *events) == ["accepted"] * 12
    assert [len(asked.events) for asked in server.asked] == [7, 5]


def test_an_event_above_the_packages_limit_is_rejected_and_never_sent(server: PostHogServer) -> None:
    huge = event(1, payload={"content": "x" * MAX_MSG_SIZE})
    receipts = {r.event_id: r for r in place(server).send([event(0), huge])}
    assert receipts[huge.event_id].status == "rejected"
    assert str(MAX_MSG_SIZE) in receipts[huge.event_id].detail
    assert [one["uuid"] for one in server.rows] == [event(0).event_id]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_within_bounds(server: PostHogServer, status: int) -> None:
    waits: list[float] = []
    server.script = lambda asked: Says(status, {"error": "busy"}, {"Retry-After": "9999"})
    (receipt,) = place(server, waits).send([event()])
    assert (receipt.status, receipt.http_status) == ("retryable", status)
    assert waits == [30.0] * 4


def test_a_server_that_was_given_up_gets_one_try_until_it_answers(server: PostHogServer) -> None:
    target = place(server)
    server.script = lambda asked: Says(500) if asked.number <= 6 else None
    found = [next(iter(target.send([event(n)]))).status for n in range(4)]
    assert found == ["retryable", "retryable", "accepted", "accepted"]
    assert len(server.asked) == 8


def test_a_connection_closed_after_storing_is_sent_again_under_the_same_id(server: PostHogServer) -> None:
    server.script = first(Hangs(stored=True))
    assert statuses(server, event()) == ["accepted"]
    assert server.stored == 2 and len(server.rows) == 1


def test_no_answer_at_all_is_unknown_and_never_accepted(server: PostHogServer) -> None:
    server.script = lambda asked: Hangs(stored=False)
    assert statuses(server, event()) == ["unknown"]


def test_a_silent_answer_followed_by_a_busy_one_is_still_unknown(server: PostHogServer) -> None:
    server.script = lambda asked: Hangs(stored=True) if asked.number == 1 else Says(503)
    assert statuses(server, event()) == ["unknown"]


def test_no_connection_is_retryable() -> None:
    with PostHogServer() as gone:
        pass
    assert statuses(gone, event()) == ["retryable"]


def test_a_success_that_is_not_posthogs_is_unknown(server: PostHogServer) -> None:
    server.script = lambda asked: Says(200, "<html>welcome</html>")
    assert statuses(server, event()) == ["unknown"]


def test_an_older_posthog_gets_batch_and_its_receipts_say_what_that_is_worth() -> None:
    with PostHogServer(has_v1=False) as old:
        (receipt,) = place(old).send([event()])
        assert receipt.status == "accepted_warning"
        assert "whole request" in receipt.detail
        (row,) = old.rows
        assert datetime.fromisoformat(row["timestamp"]) == SENT_AT
        assert row["properties"]["content"] == SECRET
        old.script = lambda asked: Says(200, {"status": 1, "quota_limited": ["events"]})
        with pytest.raises(DestinationStopped, match="quota_limited"):
            list(PostHog("phc_test", old.url + "/", now=lambda: NOW)._post_batch([]).receipts)


def test_an_address_without_any_posthog_stops(server: PostHogServer) -> None:
    server.script = lambda asked: Says(404, "no")
    with pytest.raises(DestinationStopped, match=r"no PostHog answers at 127\.0\.0\.1"):
        list(place(server).send([event()]))


def test_only_events_of_at_least_48_hours_go_the_historical_way(server: PostHogServer) -> None:
    statuses(server, event())
    statuses(server, event(), event(1, sent_at=NOW - timedelta(hours=47)))
    assert [asked.body.get("historical_migration", False) for asked in server.asked] == [True, False]


@pytest.mark.parametrize(
    ("written", "host"),
    [
        (None, "https://us.i.posthog.com"),
        ("", "https://us.i.posthog.com"),
        ("https://app.posthog.com", "https://us.i.posthog.com"),
        ("app.posthog.com", "https://us.i.posthog.com"),
        ("https://us.posthog.com/", "https://us.i.posthog.com"),
        ("http://us.posthog.com//", "https://us.i.posthog.com"),
        ("https://EU.posthog.com/project/7", "https://eu.i.posthog.com"),
        ("eu.i.posthog.com/", "https://eu.i.posthog.com"),
        ("https://us.i.posthog.com/batch/", "https://us.i.posthog.com"),
        ("https://events.example.com/ingest/", "https://events.example.com/ingest"),
        ("localhost:8000", "http://localhost:8000"),
    ],
)
def test_the_host_is_understood_in_every_usual_spelling(written: str | None, host: str) -> None:
    assert ingestion_host(written) == host
    assert PostHog("k", written).project == PostHog("k", host).project


@pytest.mark.parametrize("written", ["ftp://x", "https://", "https://a b", "https://a:port"])
def test_a_host_that_is_none_says_so(written: str) -> None:
    with pytest.raises(SettingsError, match="POSTHOG_HOST"):
        ingestion_host(written)


def test_a_missing_key_says_so(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match="POSTHOG_API_KEY is not set"):
        destination("posthog", settings({}))


def test_the_project_never_shows_the_key() -> None:
    project = PostHog("phc_verysecret", "eu.posthog.com").project
    assert "verysecret" not in project and project.endswith("@eu.i.posthog.com")
    assert project != PostHog("phc_other", "eu.posthog.com").project


def test_no_receipt_and_no_log_line_holds_the_words_of_a_message(
    server: PostHogServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpcore2")
    echo = Says(400, {"error": f'invalid type: string "{SECRET}", expected a map'})
    server.script = lambda asked: echo
    receipts = list(place(server).send([event()]))
    server.script, server.has_v1 = (lambda asked: None), False
    receipts += place(server).send([event()])
    assert [r.status for r in receipts] == ["rejected", "accepted_warning"]
    assert SECRET not in str(receipts) + caplog.text
