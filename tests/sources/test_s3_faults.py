"""A bucket that refuses, breaks off and changes: what can be read lands, the rest is told and tried again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpa_core.settings import settings
from cpa_core.sources import s3
from tests.servers.s3 import Relay, relayed
from tests.sources.test_s3 import put
from tests.support.homes import Home, turn

BUCKET = "faults"


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with relayed() as relay:
        yield relay


@pytest.fixture
def home(relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Home:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    prefix = request.node.name
    environ = {
        "AWS_ENDPOINT_URL_S3": relay.url,
        "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_REGION": "us-east-1",
        "CPA_SOURCE": f"s3://{BUCKET}/{prefix}/",
    }
    client = s3.client(settings(environ).aws)  # half a second each
    client.create_bucket(Bucket=BUCKET)
    for name in "abc":
        key = f"{prefix}/{name}.json"
        body = json.dumps({f"in {key}": {"messages": [turn(name * 4000)]}})
        client.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
    return Home(tmp_path, environ)


def key(home: Home, name: str) -> str:
    return home.environ["CPA_SOURCE"].split("/", 3)[3] + f"{name}.json"


def served(relay: Relay, home: Home) -> list[int]:
    return [sum(n for (served, _), n in relay.whole.items() if served == key(home, name)) for name in "abc"]


def test_a_connection_that_breaks_in_the_middle_is_tried_again(home: Home, relay: Relay) -> None:
    relay.faults[key(home, "b")] = ["break", "gone", "break"]
    landed = home.land()
    assert (landed.read, landed.lost, served(relay, home)) == (3, 0, [1, 1, 1])
    assert home.contents(f"in {key(home, 'b')}") == ["b" * 4000]


def test_an_object_that_always_breaks_is_told_and_read_by_the_next_run(home: Home, relay: Relay) -> None:
    relay.faults[key(home, "b")] = ["break"] * (s3.BROKEN + 1)
    landed = home.land()
    assert (landed.read, landed.lost) == (2, 1)
    assert f"{key(home, 'b')}: bucket {BUCKET} cannot be reached (" in landed.problems[0]
    assert home.land().read == 1 and served(relay, home) == [1, 1, 1]


def test_an_object_that_may_not_be_read_stops_no_other(home: Home, relay: Relay) -> None:
    relay.faults[key(home, "a")] = ["refuse"]
    landed = home.land()
    assert (landed.read, landed.lost) == (2, 1)
    assert f"access to bucket {BUCKET} denied" in landed.problems[0]
    assert home.land().read == 1 and served(relay, home) == [1, 1, 1]


def test_an_object_that_changed_after_it_was_listed_lands_once_as_what_it_is_now(home: Home, relay: Relay) -> None:
    assistant = home.assistant()
    found = assistant.listing()
    put(home.environ, BUCKET, key(home, "b"), turn("new"))
    with pytest.raises(s3.SourceUnreadable, match="it changed after it was listed; the next run reads it"):
        found.objects[1].read()
    assert home.land().lost == 0 and home.contents(f"in {key(home, 'b')}") == ["new"]
