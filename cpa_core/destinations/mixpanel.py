"""Mixpanel, by its import in strict mode, which stores valid events and names the others.

Sources: docs.mixpanel.com/reference/import-events (form, limits, authentication) and troubleshooting/errors.
"""

import base64
import gzip
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from cpa_core.destinations.posting import HttpReply, Unanswered, by_status, post
from cpa_core.destinations.sending import (
    Parcel,
    RequestOutcome,
    Sender,
    Sleep,
    mended,
    narrowed,
    project_name,
    rule_words,
    untimed,
    web_address,
)
from cpa_core.errors import SettingsError
from cpa_core.models import Event, Receipt, Replaces
from cpa_core.settings import Settings

MOST_BYTES = 2_000_000
"""Bytes of one request before packing: the smaller of the two limits that Mixpanel's pages give."""
MOST_EVENT_BYTES = 1_000_000
MOST_PROPERTIES = 254
REGIONS = {"US": "https://api.mixpanel.com", "EU": "https://api-eu.mixpanel.com", "IN": "https://api-in.mixpanel.com"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Mixpanel:
    """One project.

    Mixpanel does not define which of two events with one `$insert_id` stays, so a correction gets its own id.

    `project_id` is needed by a service account; a project's token does not.
    """

    replaces: Replaces = "never"
    batch = 1_000
    at_once = 4

    def __init__(
        self, user: str, secret: str, *, project_id: str = "", url: str | None = None, sleep: Sleep = time.sleep
    ) -> None:
        self.host = _host(url)
        query = {"strict": "1", **({"project_id": project_id} if project_id else {})}
        self.url = f"{self.host}/import?{urlencode(query)}"
        self.project = project_name(project_id or user, self.host)
        pair = base64.b64encode(f"{user}:{secret}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {pair}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        self._sender = Sender(self._post, MOST_BYTES, sleep)

    def send(self, events: Sequence[Event]) -> Iterator[Receipt]:
        """One receipt per event, as the answers come. Raises DestinationStopped."""
        parcels: list[Parcel] = []
        for event in events:
            if untimed(event):
                yield Parcel(event=event, form={}).receipt("rejected", None, untimed(event))
                continue
            parcel = _parcel(event)
            if fault := _fault(parcel):
                yield parcel.receipt("rejected", None, fault)
            else:
                parcels.append(parcel)
        yield from self._sender.send(parcels)

    def _post(self, parcels: Sequence[Parcel], request_id: str, attempt: int) -> RequestOutcome:
        body = gzip.compress(f"[{', '.join(parcel.text for parcel in parcels)}]".encode(), 6)
        try:
            return _verdict(parcels, post(self.url, body, self._headers))
        except Unanswered as silence:
            return silence.verdict(parcels)


def _parcel(event: Event) -> Parcel:
    payload, warning = mended(event.payload)
    person = event.distinct_id if event.identified else f"$device:{event.distinct_id}"
    form = {
        "event": event.name,
        "properties": {
            **payload,
            "time": (event.sent_at - EPOCH) // timedelta(milliseconds=1),
            "distinct_id": person,
            "$insert_id": event.event_id,
            **({} if event.identified else {"$device_id": event.distinct_id}),
        },
    }
    return Parcel(event=event, form=form, text=json.dumps(form), warning=warning)


def _fault(parcel: Parcel) -> str:
    if parcel.size > MOST_EVENT_BYTES:
        return f"{parcel.size} bytes: Mixpanel takes {MOST_EVENT_BYTES} an event"
    if len(parcel.form["properties"]) > MOST_PROPERTIES:
        return f"{len(parcel.form['properties'])} properties: Mixpanel takes {MOST_PROPERTIES}"
    return ""


def _verdict(parcels: Sequence[Parcel], answered: HttpReply) -> RequestOutcome:
    said = _said(answered.content)
    if answered.status == 200 and "num_records_imported" in said:
        return _imported(parcels, said["num_records_imported"])
    if answered.status == 200:
        detail = "the answer is not Mixpanel's"
        return RequestOutcome(receipts=[parcel.receipt("unknown", 200, detail) for parcel in parcels])
    if answered.status == 400 and said.get("failed_records"):
        return _failed(parcels, said)
    return by_status(parcels, "mixpanel", answered)


def _imported(parcels: Sequence[Parcel], count: Any) -> RequestOutcome:
    """Handle a 200, which counts the accepted events.

    If some are missing, each half is sent again, down to one event.
    """
    if count == len(parcels):
        return RequestOutcome(receipts=[parcel.receipt("accepted", 200) for parcel in parcels])
    if len(parcels) == 1:
        return RequestOutcome(receipts=[parcels[0].receipt("unknown", 200, f"{count} of 1 imported")])
    return narrowed(parcels, 200, "")


def _failed(parcels: Sequence[Parcel], said: Mapping[str, Any]) -> RequestOutcome:
    """Handle a 400. Events that it does not name are accepted, if its count agrees."""
    reasons: dict[str, list[str]] = {}
    for record in said["failed_records"]:
        reasons.setdefault(str(record.get("insert_id")), []).append(
            f"{record.get('field') or ''}: {rule_words(str(record.get('message') or ''))}".strip(": ")
        )
    bad = [parcel for parcel in parcels if parcel.event.event_id in reasons]
    rest = [parcel for parcel in parcels if parcel.event.event_id not in reasons]
    receipts = [p.receipt("rejected", 400, "400: " + "; ".join(reasons[p.event.event_id])[:280]) for p in bad]
    if not bad:
        return narrowed(parcels, 400, "400: refused")
    if said.get("num_records_imported") == len(rest):
        return RequestOutcome(receipts=[*receipts, *(parcel.receipt("accepted", 400) for parcel in rest)])
    return RequestOutcome(receipts=receipts, parts=[rest] if rest else [])


def _said(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _host(written: str | None) -> str:
    """A region's name, or an address. Raises SettingsError."""
    text = (written or "US").strip()
    if text.upper() in REGIONS:
        return REGIONS[text.upper()]
    address = web_address(text, "MIXPANEL_URL")
    return f"{urlsplit(address).scheme}://{urlsplit(address).netloc}"


def mixpanel(given: Settings) -> Mixpanel:
    """The project of MIXPANEL_TOKEN, or of a service account and MIXPANEL_PROJECT_ID. Raises SettingsError."""
    place = given.mixpanel
    if place.service_account and place.project_id and ":" in place.service_account:
        user, _, secret = place.service_account.partition(":")
        return Mixpanel(user, secret, project_id=place.project_id, url=place.url)
    if not place.token:
        raise SettingsError(
            "MIXPANEL_TOKEN is not set, and the destination is mixpanel: the project's token, or "
            "MIXPANEL_SERVICE_ACCOUNT=user:secret with MIXPANEL_PROJECT_ID"
        )
    return Mixpanel(place.token, "", url=place.url)
