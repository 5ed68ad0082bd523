"""The wire form is ours, and says what the package's own says."""

import ast
import inspect
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posthog import capture_v1 as package
from posthog.capture_compression import CaptureCompression
from posthog.request import DatetimeSerializer

from cpa_core.destinations import posthog, posthog_wire
from cpa_core.destinations.posthog import PostHog
from cpa_core.destinations.posthog_wire import Connection, batch_body, utc_text, v1_body, v1_event, v1_headers
from cpa_core.destinations.posting import Unanswered, retry_after
from cpa_core.errors import DestinationStopped
from tests.servers.loopback import Hangs, Says
from tests.servers.posthog import PostHogServer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = st.sampled_from(
    [
        *posthog_wire.SWITCHES,
        *posthog_wire.OPTIONAL_TEXTS,
        *posthog_wire.TOP_TEXTS,
        *posthog_wire.BY_SERVER,
        "$set",
        "Topic",
    ]
)
ODD = st.sampled_from([True, False, 0, 1, 2.5, "true", " TRUE ", "0", "yes", "", None, [], {}, {"a": [1]}, ["x"]])
VALUES = ODD | st.text(max_size=8) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
FORMS = st.fixed_dictionaries(
    {
        "event": st.text(min_size=1, max_size=8),
        "uuid": st.uuids().map(str),
        "distinct_id": st.text(min_size=1, max_size=8),
        "timestamp": st.datetimes(timezones=st.just(UTC)).map(utc_text),
        "properties": st.dictionaries(NAMES | st.text(max_size=8), VALUES, max_size=8),
    }
)


@given(FORMS)
def test_an_event_is_what_the_package_makes_of_it(form: dict[str, Any]) -> None:
    before = json.dumps(form)
    assert v1_event(form) == package._to_v1_event(form)
    assert json.dumps(form) == before


@given(st.lists(FORMS, max_size=3), st.booleans())
def test_a_body_is_the_packages(forms: list[dict[str, Any]], history: bool) -> None:
    events = [v1_event(form) for form in forms]
    theirs = package._build_v1_batch_body(events, history, NOW.isoformat())
    assert json.loads(json.dumps(v1_body(events, history=history, now=NOW))) == json.loads(
        json.dumps(theirs, cls=DatetimeSerializer)
    )


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_is_the_packages(moment: datetime) -> None:
    assert utc_text(moment) == package._v1_timestamp(moment)


def test_a_request_is_the_packages() -> None:
    """The same path, headers and body arrive, but for what the HTTP clients themselves write."""
    with PostHogServer() as server:
        event = {"event": "Q", "uuid": "0" * 32, "distinct_id": "u", "timestamp": NOW.isoformat(), "properties": {}}
        body = v1_body([v1_event(event)], history=True, now=NOW)
        Connection(server.url + "/").post(posthog_wire.EVENTS, body, v1_headers("phc_test", "r1", 2, NOW))
        options: Any = {"attempt": 2, "request_id": "r1", "compression": CaptureCompression.GZIP}
        package._post_v1("phc_test", server.url + "/", body, **options).close()
        ours, theirs = server.asked
    assert (ours.path, ours.body) == (theirs.path, theirs.body)
    own = {"accept", "accept-encoding", "connection", "content-length", "host", "posthog-request-timestamp"}
    sent = [{name.lower(): value for name, value in one.headers.items()} for one in (ours, theirs)]
    assert {name for name in sent[0] if sent[0][name] != sent[1].get(name)} <= own
    assert set(sent[0]) == set(sent[1])


def test_an_older_servers_body_is_the_packages() -> None:
    from posthog.request import batch_post

    with PostHogServer(has_v1=False) as server:
        form = {
            "event": "Q",
            "uuid": "0" * 32,
            "distinct_id": "u",
            "timestamp": NOW.isoformat(),
            "properties": {"a": 1},
        }
        body = batch_body("phc_test", [form], history=True, now=NOW)
        Connection(server.url).post(posthog_wire.BATCH, body, {})
        batch_post("phc_test", server.url, gzip=True, batch=[form], historical_migration=True).close()
        ours, theirs = server.asked
    assert ours.path == theirs.path
    assert ours.body | {"sent_at": ""} == theirs.body | {"sent_at": ""}


@pytest.mark.parametrize(
    "written", ["3", "0.25", "-1", "nonsense", "", None, "in 5 minutes", format_datetime(NOW, usegmt=True)]
)
def test_a_wait_is_read_as_the_package_reads_it(written: str | None) -> None:
    headers = {} if written is None else {"Retry-After": written}
    assert retry_after(headers) == package._parse_retry_after(written)


def test_a_wait_until_a_time_is_that_long() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 < (retry_after({"Retry-After": until}) or 0) <= 90


@pytest.mark.parametrize("module", [posthog, posthog_wire], ids=lambda module: module.__name__)
def test_only_public_names_of_the_package_are_taken_and_each_is_used(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    taken = {alias.name for node in imports if (node.module or "").startswith("posthog") for alias in node.names}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert taken and taken <= used and not [name for name in taken if name.startswith("_")]


def test_a_redirect_stops_and_names_the_setting() -> None:
    from tests.destinations.test_posthog import event

    with PostHogServer() as server:
        server.script = lambda asked: Says(308, "", {"Location": "https://elsewhere.example.com"})
        with pytest.raises(DestinationStopped, match=r"posthog: 308: .*set POSTHOG_HOST"):
            list(PostHog("phc_test", server.url).send([event()]))


def test_what_was_perhaps_stored_is_told_from_what_was_not() -> None:
    with PostHogServer() as server:
        server.script = lambda asked: Hangs(stored=False)
        for host, perhaps in ((server.url, True), ("http://127.0.0.1:9", False)):
            with pytest.raises(Unanswered) as silence:
                Connection(host).post(posthog_wire.EVENTS, {}, {})
            assert silence.value.perhaps_stored is perhaps
