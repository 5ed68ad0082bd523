"""Sending events over HTTP: bodies limited in bytes, bounded retries, the bad event found, a receipt for each."""

import json
import math
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from cpa_core.errors import SettingsError
from cpa_core.models import Event, Receipt, ReceiptStatus, digest

TRIES = 5
"""Requests for one body that may meet a busy or silent server before it is given up for this run."""
MAX_WAIT = 30.0
"""Longest pause, seconds, between two of them, whatever the server asks for."""
MAX_DETAIL = 300
"""The most characters of a vendor's text in a receipt."""

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Parcel:
    """An event in its vendor's form, and that form as JSON.

    `warning` names the parts that the vendor will not store.
    """

    event: Event
    form: dict[str, Any]
    text: str = ""
    warning: str = ""

    @property
    def size(self) -> int:
        """Bytes: the text is ASCII."""
        return len(self.text)

    def receipt(self, status: ReceiptStatus, http_status: int | None = None, detail: str = "") -> Receipt:
        """Its receipt. An accepted event of which something is lost is accepted with that warning."""
        if status == "accepted" and self.warning:
            status, detail = "accepted_warning", self.warning
        return Receipt(
            event_id=self.event.event_id,
            payload_hash=self.event.payload_hash,
            status=status,
            http_status=http_status,
            detail=detail,
        )


@dataclass(frozen=True)
class RequestOutcome:
    """The outcome of one request: receipts, `parts` to send separately at once, and parcels to send `again` later.

    `status`, `http_status` and `detail` become the receipts of `again` when the tries are used up; `wait` is the wait
    in seconds that the server asked for.
    """

    receipts: Sequence[Receipt] = ()
    parts: Sequence[Sequence[Parcel]] = ()
    again: Sequence[Parcel] = ()
    status: Literal["retryable", "unknown"] = "retryable"
    http_status: int | None = None
    detail: str = ""
    wait: float | None = None


Post = Callable[[Sequence[Parcel], str, int], RequestOutcome]
"""One request: parcels, an id that stays for each try, and which try it is, from 1. May raise DestinationStopped."""


class Sender:
    """Sends parcels through a vendor's `post`. One for a run: a server that was given up gets one try a body."""

    def __init__(self, post: Post, most_bytes: int, sleep: Sleep = time.sleep) -> None:
        self._post = post
        self._most_bytes = most_bytes
        self._sleep = sleep
        self._given_up = False

    def send(self, parcels: Sequence[Parcel]) -> Iterator[Receipt]:
        """A receipt for each parcel, as the answers come. Raises DestinationStopped."""
        for body in bodies(parcels, self._most_bytes):
            yield from self._deliver(body)

    def _deliver(self, parcels: Sequence[Parcel]) -> Iterator[Receipt]:
        batch_id = str(uuid.uuid4())
        tries = 1 if self._given_up else TRIES
        perhaps_stored = False
        for attempt in range(1, tries + 1):
            verdict = self._post(parcels, batch_id, attempt)
            self._given_up = self._given_up and not (verdict.receipts or verdict.parts)
            for receipt in verdict.receipts:
                yield receipt.model_copy(update={"batch_id": batch_id})
            for part in verdict.parts:
                yield from self._deliver(part)
            parcels = verdict.again
            if not parcels:
                return
            perhaps_stored = perhaps_stored or verdict.status == "unknown"
            if attempt < tries:
                self._sleep(pause_after(attempt, verdict.wait))
        self._given_up = self._given_up or not (verdict.receipts or verdict.parts)
        status: ReceiptStatus = "unknown" if perhaps_stored else verdict.status
        for parcel in parcels:
            given_up = parcel.receipt(status, verdict.http_status, verdict.detail)
            yield given_up.model_copy(update={"batch_id": batch_id})


def pause_after(attempt: int, asked: float | None) -> float:
    """Return the seconds to wait after a try, counted from 1: doubled each time, or as long as the server asks for."""
    return min(MAX_WAIT, max(2.0 ** (attempt - 1), asked or 0.0))


class EventRate:
    """A limit of events a second; without a number, there is no limit."""

    def __init__(
        self, per_second: float | None, clock: Callable[[], float] = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    def most(self, batch: int) -> int:
        """Events of a batch: no more than those of one second."""
        return batch if self._per_second is None else max(1, min(batch, int(self._per_second)))

    def wait(self, events: int) -> None:
        """Wait until this many events may be sent."""
        if self._per_second is None:
            return
        now = self._clock()
        if self._free_at > now:
            self._sleep(self._free_at - now)
        self._free_at = max(self._free_at, now) + events / self._per_second


def bodies(parcels: Sequence[Parcel], most_bytes: int) -> Iterator[list[Parcel]]:
    """Yield the parcels in order, in bodies of at most `most_bytes`, without duplicate ids; a larger one is alone."""
    body: list[Parcel] = []
    size = 0
    ids: set[str] = set()
    for parcel in parcels:
        if body and (size + parcel.size > most_bytes or parcel.event.event_id in ids):
            yield body
            body, size, ids = [], 0, set()
        body.append(parcel)
        ids.add(parcel.event.event_id)
        size += parcel.size + 1
    if body:
        yield body


def untimed(event: Event) -> str:
    """Why an event cannot be sent to anybody: a time without a zone would be guessed at. Empty when it can."""
    return "" if event.sent_at.tzinfo else "its time has no time zone"


def mended(payload: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A payload as JSON can say it, and a warning that names the properties that had to be changed for it."""
    try:
        json.dumps(payload, ensure_ascii=False, allow_nan=False, default=str).encode()
    except ValueError:
        whole = {name: _sayable(value) for name, value in payload.items()}
        changed = [name for name, value in payload.items() if repr(value) != repr(whole[name])]
        return whole, f"not a number, or half a character, left out: {', '.join(sorted(changed))}"[:MAX_DETAIL]
    return dict(payload), ""


def _sayable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {str(_sayable(name)): _sayable(inner) for name, inner in value.items()}
    return [_sayable(inner) for inner in value] if isinstance(value, list | tuple) else value


def narrowed(parcels: Sequence[Parcel], http_status: int, detail: str) -> RequestOutcome:
    """A body that was refused as a whole: its two halves, or the one event that is to blame."""
    if len(parcels) == 1:
        return RequestOutcome(receipts=[parcels[0].receipt("rejected", http_status, detail)])
    middle = len(parcels) // 2
    return RequestOutcome(parts=[parcels[:middle], parcels[middle:]])


def rule_words(text: str) -> str:
    """A vendor's words about the rule that was broken: quoted parts, which may be a message's, are left out."""
    unquoted = re.sub(r'"[^"]*"?|`[^`]*`?|(?<!\w)\'[^\']*\'?', "…", text)
    return " ".join(unquoted.split())[:MAX_DETAIL]


def web_address(written: str, setting: str) -> str:
    """An address as people write it, with scheme and without a slash at its end. Raises SettingsError."""
    text = written.strip()
    if "://" not in text:
        local = text.startswith(("localhost", "127."))
        text = f"{'http' if local else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", text):
        raise SettingsError(f"{setting} is {written!r}: an address is needed, as in https://eu.example.com")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def project_name(key: str, address: str) -> str:
    """Return the project of a key: the beginning of its hash, at the host. It never contains the key."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    return f"{digest(key)[:12]}@{host}" + (f":{parts.port}" if parts.port else "")
