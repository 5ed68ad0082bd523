"""A webhook of the user's own: batches of events, signed by the Standard Webhooks specification.

Source: github.com/standard-webhooks/standard-webhooks (headers, `v1,` HMAC-SHA256 over id, time and body).
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Sequence

from cpa_core.destinations.outbox import shown
from cpa_core.destinations.posting import Unanswered, by_status, post
from cpa_core.destinations.sending import (
    Parcel,
    RequestOutcome,
    Sender,
    Sleep,
    mended,
    project_name,
    untimed,
    web_address,
)
from cpa_core.errors import SettingsError
from cpa_core.models import Event, Receipt, Replaces, digest
from cpa_core.settings import Settings

MOST_BYTES = 1_000_000
"""Bytes of one request."""


class Webhook:
    """One address. The receiver should replace an event by a later one with its `event_id`.

    A status of 200 to 299 accepts all events of the request, 409 means that they were received before; 400, 413 and 422
    are narrowed down to the event at fault. The same events have the same `Idempotency-Key` in every run.
    """

    replaces: Replaces = "always"
    batch = 500
    at_once = 4

    def __init__(
        self, url: str, secret: str, *, sleep: Sleep = time.sleep, clock: Callable[[], float] = time.time
    ) -> None:
        self.url = web_address(url, "WEBHOOK_URL")
        self.project = project_name(self.url, self.url)
        self._key = _key(secret)
        self._clock = clock
        self._sender = Sender(self._post, MOST_BYTES, sleep)

    def send(self, events: Sequence[Event]) -> Iterator[Receipt]:
        """One receipt per event, as the answers come. Raises DestinationStopped."""
        parcels: list[Parcel] = []
        for event in events:
            payload, warning = mended(event.payload)
            form = shown(event) | {"properties": payload}
            parcel = Parcel(event=event, form=form, text=json.dumps(form), warning=warning)
            large = f"{parcel.size} bytes: {MOST_BYTES} at most" if parcel.size > MOST_BYTES else ""
            if fault := untimed(event) or large:
                yield parcel.receipt("rejected", None, fault)
            else:
                parcels.append(parcel)
        yield from self._sender.send(parcels)

    def _post(self, parcels: Sequence[Parcel], request_id: str, attempt: int) -> RequestOutcome:
        body = f'{{"events": [{", ".join(parcel.text for parcel in parcels)}]}}'.encode()
        try:
            answered = post(self.url, body, self._headers(parcels, body))
        except Unanswered as silence:
            return silence.verdict(parcels)
        if 200 <= answered.status < 300 or answered.status == 409:
            return RequestOutcome(receipts=[parcel.receipt("accepted", answered.status) for parcel in parcels])
        return by_status(parcels, "webhook", answered)

    def _headers(self, parcels: Sequence[Parcel], body: bytes) -> dict[str, str]:
        name = "msg_" + digest([[p.event.event_id, p.event.payload_hash] for p in parcels])[:32]
        at = str(int(self._clock()))
        signed = hmac.new(self._key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
        return {
            "Content-Type": "application/json",
            "Idempotency-Key": name,
            "webhook-id": name,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }


def _key(secret: str) -> bytes:
    """Return the signing key: base64 after `whsec_`, any other secret as its bytes."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise SettingsError("WEBHOOK_SECRET begins with whsec_, but no base64 follows") from None


def webhook(given: Settings) -> Webhook:
    """The address of WEBHOOK_URL, signed with WEBHOOK_SECRET. Raises SettingsError."""
    url, secret = given.webhook.url, given.webhook.secret
    if not url or not secret:
        missing = "WEBHOOK_SECRET" if url else "WEBHOOK_URL"
        raise SettingsError(f"{missing} is not set, and the destination is webhook")
    return Webhook(url, secret)
