"""Objects in an S3 bucket: one key, a prefix, or a template with `{day}`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

from cpa_core.buckets import client
from cpa_core.errors import SettingsError, SourceError, SourceUnreadable
from cpa_core.sources.objects import DAY_TEMPLATE, MOST_NAMED, Listing, Object, before_day, readable

__all__ = ["bucket", "client", "put"]

BAD_KEYS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
)
DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "403"})
OTHER_REGION = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
)
GONE = frozenset({"NoSuchKey", "404"})
BROKEN = 3
"""So often the connection may break in the middle of one object: botocore itself repeats only what was not begun."""


def bucket(source: str, connect: Callable[[], Any]) -> Listing:
    """`s3://bucket/key-or-prefix`: the key if there is one, else all below the prefix that can be read."""
    name, _, key = source.split("://", 1)[1].partition("/")
    if not name:
        raise SourceError(f"{source}: a bucket is needed, as in s3://bucket/prefix")
    source = f"s3://{name}/{key}"
    with _named(source, name, SourceError):
        s3 = connect()
        exact = _exact(s3, name, key)
        found = [exact] if exact else list(_below(s3, name, before_day(key)))
    uris = {f"s3://{name}/{entry['Key']}": entry for entry in found}
    days = dict.fromkeys(uris) if exact else readable(source, uris)
    if not days:
        raise SourceError(f"{source}: none of the kinds that are read there ({len(uris)} of other kinds)")
    objects = tuple(_object(s3, name, uri, uris[uri], day) for uri, day in days.items())
    prefix = "" if exact else before_day(source)
    others = tuple(uri.removeprefix(prefix) for uri in islice((uri for uri in uris if uri not in days), MOST_NAMED))
    return Listing(prefix=prefix, objects=objects, skipped=len(uris) - len(objects), others=others)


def put(address: str, connect: Callable[[], Any], content: bytes, media_type: str, opens: timedelta) -> str:
    """Put an object at `s3://bucket/key`: a link that `opens` it for so long, signed with the client's keys.

    Raises SourceError, SettingsError.
    """
    name, _, key = address.split("://", 1)[1].partition("/")
    with _named(address, name, SourceError, needed="s3:PutObject and s3:GetObject are"):
        s3 = connect()
        s3.put_object(Bucket=name, Key=key, Body=content, ContentType=media_type)
        place = {"Bucket": name, "Key": key}
        return str(s3.generate_presigned_url("get_object", Params=place, ExpiresIn=int(opens.total_seconds())))


def _exact(s3: Any, name: str, key: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    if not key or key.endswith("/") or DAY_TEMPLATE in key:
        return None
    try:
        return {"Key": key, **s3.head_object(Bucket=name, Key=key)}
    except ClientError as error:
        # A missing key is 403 to those who may not list; the listing then says what is the matter.
        if _code(error) in GONE | DENIED:
            return None
        raise


def _below(s3: Any, name: str, prefix: str) -> Iterator[dict[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix):
        yield from page.get("Contents", [])


def _object(s3: Any, name: str, uri: str, entry: dict[str, Any], day: Any) -> Object:
    return Object(
        uri=uri,
        etag=entry["ETag"].strip('"'),
        size=entry.get("Size", entry.get("ContentLength")),
        modified_at=entry["LastModified"],
        day=day,
        read=partial(_read, s3, name, entry["Key"], entry["ETag"]),
    )


def _read(s3: Any, name: str, key: str, etag: str) -> bytes:
    """The version that was listed, whole; a connection that breaks while it comes is tried again."""
    from botocore.exceptions import IncompleteReadError, ResponseStreamingError

    uri = f"s3://{name}/{key}"
    with _named(uri, name, SourceUnreadable):
        for _ in range(BROKEN):
            with suppress(IncompleteReadError, ResponseStreamingError):
                return _body(s3, name, key, etag)
        return _body(s3, name, key, etag)


def _body(s3: Any, name: str, key: str, etag: str) -> bytes:
    answer = s3.get_object(Bucket=name, Key=key)
    if answer["ETag"] != etag:
        raise SourceUnreadable(f"s3://{name}/{key}: it changed after it was listed; the next run reads it")
    return bytes(answer["Body"].read())


@contextmanager
def _named(
    where: str, name: str, kind: type[SourceError], needed: str = "s3:ListBucket and s3:GetObject are"
) -> Iterator[None]:
    """Turn refusals of S3 and botocore into our errors, with the bucket's name and without secrets."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise SettingsError(f"{where}: no credentials for bucket {name}: set {keys}") from None
    except ClientError as error:
        code = _code(error)
        if code in BAD_KEYS:
            raise SettingsError(f"{where}: the AWS keys are not accepted for bucket {name} ({code})") from None
        raise kind(f"{where}: {_reason(code, name, needed)}") from None
    except BotoCoreError as error:
        raise kind(f"{where}: bucket {name} cannot be reached ({type(error).__name__})") from None


def _reason(code: str, name: str, needed: str) -> str:
    if code == "NoSuchBucket":
        return f"no such bucket: {name}"
    if code in DENIED:
        return f"access to bucket {name} denied: {needed} needed"
    if code in OTHER_REGION:
        return f"bucket {name} is in another region: set AWS_REGION"
    return f"bucket {name} answered {code}"


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "an error"))
