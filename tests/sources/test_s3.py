"""S3 as a source, against a server on loopback that speaks its protocol."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from dagster_aws.s3 import S3Resource
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from cpa_core.errors import SettingsError, SourceError, SourceUnreadable
from cpa_core.pipeline import land
from cpa_core.settings import settings
from cpa_core.sources import Listing, listing, s3
from tests.support.homes import Home, turn


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def environ(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """What a person sets. What botocore reads by itself leads nowhere."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return {
        "AWS_ENDPOINT_URL_S3": server,
        "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_REGION": "eu-west-1",
    }


@pytest.fixture
def bucket(environ: dict[str, str], request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own."""
    name = f"b{abs(hash(request.node.nodeid))}"
    s3.client(settings(environ).aws).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return name


def put(environ: dict[str, str], bucket: str, key: str, *messages: dict[str, Any]) -> None:
    body = json.dumps({f"in {key}": {"messages": list(messages or [turn(key)])}}).encode() if key[-1] != "/" else b""
    s3.client(settings(environ).aws).put_object(Bucket=bucket, Key=key, Body=body)


def keys(found: Listing) -> list[str]:
    return [o.uri.split("/", 3)[3] for o in found.objects]


def test_a_key_that_is_there_is_the_source_even_when_others_begin_with_it(environ: dict[str, str], bucket: str) -> None:
    for key in ("in/a.json", "in/a.json.csv", "in/b.json"):
        put(environ, bucket, key)
    found = listing(f"s3://{bucket}/in/a.json", settings(environ).aws)
    assert keys(found) == ["in/a.json"] and found.skipped == 0 and found.prefix == ""
    (one,) = found.objects
    assert json.loads(one.read())["in in/a.json"] and one.size == len(one.read())
    assert one.uri == f"s3://{bucket}/in/a.json" and '"' not in one.etag and one.day is None
    assert abs(datetime.now(UTC) - one.modified_at).total_seconds() < 60


@pytest.mark.parametrize("prefix", ["in/", "in", "in/2"])
def test_a_prefix_is_all_below_it_that_can_be_read(environ: dict[str, str], bucket: str, prefix: str) -> None:
    for key in ("in/", "in/2/", "in/2/a.json", "in/2/b b+é.CSV", "in/2/c.docx", "in/2/_SUCCESS", "out/d.json"):
        put(environ, bucket, key)
    found = listing(f"s3://{bucket}/{prefix}", settings(environ).aws)
    assert keys(found) == ["in/2/a.json", "in/2/b b+é.CSV"]
    assert found.skipped == {"in/": 4, "in": 4, "in/2": 3}[prefix]
    assert all(o.read() for o in found.objects)


@pytest.mark.parametrize("end", ["", "/"])
def test_a_whole_bucket_can_be_the_source(environ: dict[str, str], bucket: str, end: str) -> None:
    put(environ, bucket, "a.json")
    assert keys(listing(f"s3://{bucket}{end}", settings(environ).aws)) == ["a.json"]


def test_more_objects_than_fit_a_page_are_all_listed(environ: dict[str, str], bucket: str) -> None:
    stored = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]  # a thousand requests would take ten seconds
    for n in range(1005):
        stored.put_object(bucket, f"in/{n:04}.json", b"{}")
    assert len(listing(f"s3://{bucket}/in/", settings(environ).aws).objects) == 1005


def test_nothing_that_can_be_read_is_an_error(environ: dict[str, str], bucket: str) -> None:
    put(environ, bucket, "in/")
    put(environ, bucket, "in/x.docx")
    with pytest.raises(
        SourceError, match=rf"s3://{bucket}/in/: none of the kinds that are read there \(2 of other kinds\)"
    ):
        listing(f"s3://{bucket}/in/", settings(environ).aws)
    with pytest.raises(SourceError, match=r"none of the kinds that are read there \(0 of other kinds\)"):
        listing(f"s3://{bucket}/elsewhere", settings(environ).aws)
    with pytest.raises(SourceError, match="a bucket is needed"):
        listing("s3:///x", settings(environ).aws)


def test_the_key_may_name_the_day(environ: dict[str, str], bucket: str) -> None:
    for key in ("chat-2026-02-01.json", "chat-2026-02-02/x.json", "chat-2026-02-31.json", "chat.json", "other.json"):
        put(environ, bucket, f"in/{key}", turn("hi", None))
    found = listing(f"s3://{bucket}/in/chat-{{day}}", settings(environ).aws)
    assert [o.day for o in found.objects] == [date(2026, 2, 1), date(2026, 2, 2)]
    assert found.skipped == 1  # those that do not begin as the template does are not even listed


def test_a_missing_bucket_is_named(environ: dict[str, str]) -> None:
    for source in ("s3://no-such-bucket", "s3://no-such-bucket/a.json"):
        with pytest.raises(SourceError, match="no such bucket: no-such-bucket"):
            listing(source, settings(environ).aws)
    with pytest.raises(
        SourceError, match=r"bucket UPPER_x cannot be reached \(|bucket UPPER_x answered|no such bucket"
    ):
        listing("s3://UPPER_x/a", settings(environ).aws)


def test_without_keys_the_setting_is_named(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)  # moto sets them for its own use
    half = {name: value for name, value in environ.items() if name != "AWS_SECRET_ACCESS_KEY"}
    with pytest.raises(SettingsError, match="no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both"):
        listing("s3://b/x", settings(half).aws)
    none = {name: value for name, value in half.items() if name != "AWS_ACCESS_KEY_ID"}
    with pytest.raises(SettingsError, match="no credentials for bucket b: set AWS_ACCESS_KEY_ID and AWS_SECRET"):
        listing("s3://b/x", settings(none).aws)


def test_a_server_that_is_not_there_is_an_error(environ: dict[str, str]) -> None:
    config = environ | {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    with pytest.raises(SourceError, match=r"bucket b cannot be reached \(EndpointConnectionError\)"):
        listing("s3://b/x", settings(config).aws)
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL_S3"):
        listing("s3://b/x", settings(environ | {"AWS_ENDPOINT_URL_S3": "no url"}).aws)
    with pytest.raises(SettingsError, match="S3: ProfileNotFound"):
        listing("s3://b/x", settings(environ | {"AWS_PROFILE": "nobody"}).aws)


class Refusing:
    """A client whose every call ends with this code, as S3 words it."""

    def __init__(self, code: str) -> None:
        self.code = code

    def head_object(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": self.code, "Message": "AKIATESTKEY is wrong"}}, "HeadObject")

    put_object = head_object

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        return self.head_object()


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("AccessDenied", SourceError, "access to bucket b denied: s3:ListBucket and s3:GetObject are needed"),
        ("403", SourceError, "access to bucket b denied"),
        ("InvalidAccessKeyId", SettingsError, "the AWS keys are not accepted for bucket b"),
        ("ExpiredToken", SettingsError, "the AWS keys are not accepted for bucket b"),
        ("PermanentRedirect", SourceError, "bucket b is in another region: set AWS_REGION"),
        ("SlowDown", SourceError, "bucket b answered SlowDown"),
    ],
)
def test_a_refusal_is_said_plainly_and_without_secrets(code: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as refused:
        listing("s3://b/in/x", settings({}).aws, lambda: Refusing(code))
    with pytest.raises(kind, match=said.replace("ListBucket", "PutObject")):
        s3.put("s3://b/in/x", lambda: Refusing(code), b"", "text/html", timedelta(days=1))
    assert "AKIATESTKEY" not in str(refused.value) and "s3://b/in/x" in str(refused.value)


def test_the_region_and_the_host_come_from_the_names_that_aws_uses() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    assert s3.client(settings({**keys, "AWS_REGION": "eu-west-1"}).aws).meta.region_name == "eu-west-1"
    assert s3.client(settings({**keys, "AWS_DEFAULT_REGION": "eu-west-2"}).aws).meta.region_name == "eu-west-2"
    both = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}
    assert s3.client(settings({**keys, **both}).aws).meta.region_name == "eu-west-1"
    hosts = {"AWS_ENDPOINT_URL": "http://a.test", "AWS_ENDPOINT_URL_S3": "http://b.test"}
    assert s3.client(settings({**keys, **hosts}).aws).meta.endpoint_url == "http://b.test"
    assert s3.client(settings({**keys, "AWS_ENDPOINT_URL": "http://a.test"}).aws).meta.endpoint_url == "http://a.test"
    assert "eu-west-1.amazonaws.com" in s3.client(settings({**keys, "AWS_REGION": "eu-west-1"}).aws).meta.endpoint_url


@pytest.fixture
def home(tmp_path: Path, environ: dict[str, str], bucket: str) -> Home:
    return Home(tmp_path, environ | {"CPA_SOURCE": f"s3://{bucket}/in/"})


def test_objects_land_once_and_an_overwritten_one_is_read_again(
    home: Home, environ: dict[str, str], bucket: str
) -> None:
    put(environ, bucket, "in/a.json", turn("hi"))
    put(environ, bucket, "in/b.json", turn("ho"))
    assert home.land().records == 2
    assert home.land().read == 0
    put(environ, bucket, "in/a.json", turn("hi"), turn("more"))
    landed = home.land()
    assert (landed.read, landed.records) == (1, 2)
    assert home.contents("in in/a.json") == ["hi", "more"]
    put(environ, bucket, "in/a.json", turn("hi"))
    assert home.land().days == (date(2026, 3, 4),)
    assert home.contents("in in/a.json") == ["hi"]


def test_a_deleted_object_is_told_and_its_messages_stay(home: Home, environ: dict[str, str], bucket: str) -> None:
    put(environ, bucket, "in/a.json", turn("hi"))
    put(environ, bucket, "in/b.json", turn("ho"))
    home.land()
    s3.client(settings(environ).aws).delete_object(Bucket=bucket, Key="in/b.json")
    assert home.land().removed == (f"s3://{bucket}/in/b.json",)
    assert home.contents("in in/b.json") == ["ho"]


def test_the_day_of_an_object_is_fixed_at_its_first_landing(home: Home, environ: dict[str, str], bucket: str) -> None:
    home.environ["CPA_UNTIMED"] = "modified"
    put(environ, bucket, "in/a.json", turn("hi", None))
    today = datetime.now(UTC).date()
    assert home.land().days[0] >= today
    with home.assistant().store.writing() as transaction:
        transaction.execute("update landed_files set untimed_day = '2026-01-02'")
    put(environ, bucket, "in/a.json", turn("hi", None), turn("ho", None))
    assert home.land().days[0] == date(2026, 1, 2)


def test_an_object_that_goes_between_listing_and_reading_can_be_tried_again(
    environ: dict[str, str], bucket: str
) -> None:
    put(environ, bucket, "in/a.json")
    found = listing(f"s3://{bucket}/in/a.json", settings(environ).aws)
    s3.client(settings(environ).aws).delete_object(Bucket=bucket, Key="in/a.json")
    with pytest.raises(SourceUnreadable, match=rf"s3://{bucket}/in/a\.json: bucket {bucket} answered NoSuchKey"):
        found.objects[0].read()


def test_the_client_of_dagster_serves_as_well(home: Home, environ: dict[str, str], bucket: str) -> None:
    put(environ, bucket, "in/a.json", turn("hi"))
    resource = S3Resource(
        endpoint_url=environ["AWS_ENDPOINT_URL_S3"],
        region_name="eu-west-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    home.environ = {"CPA_SOURCE": home.environ["CPA_SOURCE"]}
    assert land(home.assistant(s3=resource.get_client)).records == 1


def test_archives_and_foreign_files_of_a_prefix_land_by_pattern(
    environ: dict[str, str], bucket: str, tmp_path: Path
) -> None:
    put(environ, bucket, "in/a.json")
    s3.client(settings(environ).aws).put_object(Bucket=bucket, Key="in/scores.jsonl", Body=b'{"id": "s", "value": 1}\n')
    s3.client(settings(environ).aws).put_object(Bucket=bucket, Key="in/_SUCCESS", Body=b"")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("conversations-000.json", json.dumps({"zipped": {"messages": [turn("hi")]}}))
        packed.writestr("user.json", '{"id": "user-1"}')
    s3.client(settings(environ).aws).put_object(Bucket=bucket, Key="in/export.zip", Body=file.getvalue())
    home = Home(tmp_path, {**environ, "CPA_SOURCE": f"s3://{bucket}/in/", "CPA_EXCLUDE": "scores*"})
    landed = home.land()
    assert (landed.read, landed.lost, landed.skipped, landed.others) == (2, 0, 2, ("_SUCCESS", "scores.jsonl"))
    found = home.rows("select distinct conversation_id from landed_messages order by 1")
    assert [row["conversation_id"] for row in found] == ["in in/a.json", "zipped"]
    assert home.land().read == 0
