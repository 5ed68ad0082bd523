"""An outbox that workers on several machines share: its files lie beside the store's, in a bucket or folder."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from cpa_core.buckets import client
from cpa_core.models import Event, Receipt, Replaces
from cpa_core.settings import Settings

FOLDER = "outbox/"


class FolderOfDays(Protocol):
    """A destination that keeps one file a day in a folder."""

    def send(self, events: Sequence[Event]) -> Iterable[Receipt]:
        """One receipt per event."""


Made = Callable[[Path], FolderOfDays]


class BucketOutbox:
    """The files of an outbox in a bucket. `make` makes the outbox of a folder, `suffix` is that of its files.

    A day's file is fetched, changed as the outbox of a folder does it, and put back whole. Its run holds the day's
    lock, so nobody else changes it meanwhile.
    """

    project = "files"
    replaces: Replaces = "always"
    batch = 10_000
    at_once = 1

    def __init__(self, make: Made, suffix: str, address: str, connect: Callable[[], Any]) -> None:
        self._make = make
        self._suffix = suffix
        self._bucket, _, self._prefix = address.removeprefix("s3://").partition("/")
        self._connect = connect
        self._s3: Any = None

    def send(self, events: Sequence[Event]) -> list[Receipt]:
        """Put the events into the files of their days; all are `retryable` where the bucket refuses one."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._sent(events)
        except ClientError as refused:
            reason = str(refused.response.get("Error", {}).get("Code", "refused"))
        except BotoCoreError as failed:
            reason = type(failed).__name__
        detail = f"s3://{self._bucket}/{self._prefix}: {reason}"
        return [
            Receipt(event_id=one.event_id, payload_hash=one.payload_hash, status="retryable", detail=detail)
            for one in events
        ]

    def _sent(self, events: Sequence[Event]) -> list[Receipt]:
        names = sorted({f"{event.day}.{self._suffix}" for event in events})
        self._s3 = self._s3 or self._connect()
        with TemporaryDirectory(prefix="cpa-outbox-") as place:
            folder = Path(place)
            for name in names:
                self._fetch(folder / name)
            receipts = list(self._make(folder).send(events))
            for name in names:
                self._s3.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=(folder / name).read_bytes())
        return receipts

    def _fetch(self, path: Path) -> None:
        """The file as it is now, where there is one."""
        from botocore.exceptions import ClientError

        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + path.name)
        except ClientError as refused:
            if refused.response.get("Error", {}).get("Code") != "NoSuchKey":
                raise
        else:
            path.write_bytes(found["Body"].read())


def outbox_place(given: Settings) -> Path | str:
    """Where the outbox is: in the home, or with CPA_STORE beside the store's files, where every worker finds it."""
    if not given.store or not given.store_data:
        return given.home / "outbox"
    place = f"{given.store_data.rstrip('/')}/{FOLDER}"
    return place if place.startswith("s3://") else Path(place)


def outbox_of(given: Settings, make: Made, suffix: str) -> Any:
    """The outbox of a folder, wherever that is."""
    place = outbox_place(given)
    if isinstance(place, Path):
        return make(place)
    return BucketOutbox(make, suffix, place, lambda: client(given.aws))
