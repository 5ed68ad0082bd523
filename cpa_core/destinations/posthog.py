"""PostHog, by its V1 capture endpoint, which returns a verdict for each event.

The wire form is in posthog_wire.py. Sources: PostHog/posthog `rust/capture/src/v1/{error.rs,analytics/
{process,response,types}.rs,quota_limiter_shim.rs}` (verdicts, limits), posthog.com/docs/migrate (old events).
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from posthog.consumer import BATCH_SIZE_LIMIT, MAX_MSG_SIZE
from posthog.request import determine_server_host

from cpa_core.destinations.posthog_wire import (
    BATCH,
    EVENTS,
    Connection,
    batch_body,
    utc_text,
    v1_body,
    v1_event,
    v1_headers,
)
from cpa_core.destinations.posting import HttpReply, Unanswered
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
from cpa_core.errors import DestinationStopped, SettingsError
from cpa_core.models import Event, Receipt, Replaces
from cpa_core.settings import Persons, Settings

HISTORY = timedelta(hours=48)
"""PostHog takes events of at least this age as a historical import: a lane of its own, and free."""
STOPS = frozenset({401, 402, 403, 415})
"""Statuses about the key, the account or the request as such: no event is to blame."""
STOPPING_TAGS = frozenset(
    {
        "billing_limit_exceeded",
        "missing_required_headers",
        "invalid_header_value",
        "request_decoding_error",
        "empty_body",
        "invalid_batch",
    }
)
ONLY_WHOLE = "an older PostHog: /batch/ answers for the whole request, not for this event"


class PostHog:
    """One project of PostHog, in the cloud or self-hosted.

    A later event replaces an earlier one with the same id, name, person and day. The events table sorts by (team, day,
    event, distinct_id, uuid) and merges equal rows in time.
    """

    replaces: Replaces = "same_name_and_day"
    batch = 1_000
    at_once = 4

    def __init__(
        self,
        key: str,
        host: str | None = None,
        *,
        persons: Persons = "known",
        sleep: Sleep = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._persons = persons
        self.host = ingestion_host(host)
        self.project = project_name(key, self.host)
        self._key = key
        self._now = now
        self._http = Connection(self.host)
        self._sender = Sender(self._post, BATCH_SIZE_LIMIT, sleep)
        self._batch_only = False

    def send(self, events: Sequence[Event]) -> Iterator[Receipt]:
        """One receipt per event, as the answers come. Raises DestinationStopped."""
        parcels: list[Parcel] = []
        for event in events:
            parcel = _parcel(event, self._persons)
            large = f"{parcel.size} bytes: PostHog takes {MAX_MSG_SIZE} an event" if parcel.size > MAX_MSG_SIZE else ""
            fault = untimed(event) or large
            if fault:
                yield parcel.receipt("rejected", None, fault)
            else:
                parcels.append(parcel)
        yield from self._sender.send(parcels)

    def _post(self, parcels: Sequence[Parcel], request_id: str, attempt: int) -> RequestOutcome:
        if self._batch_only:
            return self._post_batch(parcels)
        now = self._now()
        body = v1_body([v1_event(parcel.form) for parcel in parcels], history=self._is_history(parcels), now=now)
        try:
            reply = self._http.post(EVENTS, body, v1_headers(self._key, request_id, attempt, now))
        except Unanswered as silence:
            return silence.verdict(parcels)
        said = _json(reply.content)
        if reply.is_success:
            return _of_results(parcels, said.get("results"), reply.status, reply.wait)
        if reply.status in (404, 405):
            self._batch_only = True
            return self._post_batch(parcels)
        tag, words = str(said.get("error") or ""), str(said.get("error_description") or "")
        return self._of_failure(parcels, reply, tag, words)

    def _post_batch(self, parcels: Sequence[Parcel]) -> RequestOutcome:
        """Send to the endpoint before V1, for self-hosted servers, whose only verdict is the status 200."""
        forms = [parcel.form for parcel in parcels]
        body = batch_body(self._key, forms, history=self._is_history(parcels), now=self._now())
        try:
            reply = self._http.post(BATCH, body, {})
        except Unanswered as silence:
            return silence.verdict(parcels)
        said = _json(reply.content)
        if reply.status in (404, 405):
            raise DestinationStopped(f"posthog: {reply.status}: no PostHog answers at {urlsplit(self.host).netloc}")
        if not reply.is_success:
            return self._of_failure(parcels, reply, "", str(said.get("detail") or ""))
        if said.get("quota_limited"):
            raise DestinationStopped("posthog: 200: quota_limited: the project is over its billing limit")
        return RequestOutcome(receipts=[p.receipt("accepted_warning", reply.status, ONLY_WHOLE) for p in parcels])

    def _of_failure(self, parcels: Sequence[Parcel], reply: HttpReply, tag: str, words: str) -> RequestOutcome:
        """Return the outcome of a refusal, by its status, its tag and its words. Raises DestinationStopped."""
        status, said = reply.status, rule_words(words or tag) or "no words"
        if 300 <= status < 400:
            place = urlsplit(self.host).netloc
            raise DestinationStopped(f"posthog: {status}: {place} answers from another address; set POSTHOG_HOST to it")
        if status in STOPS or tag in STOPPING_TAGS:
            raise DestinationStopped(f"posthog: {status}: {said}")
        detail = f"{status}: no answer" if status in (408, 504) else f"{status}: {rule_words(tag) or 'busy'}"
        if status in (408, 504):
            return RequestOutcome(again=parcels, status="unknown", http_status=status, detail=detail, wait=reply.wait)
        if status == 429 or status >= 500:
            return RequestOutcome(again=parcels, http_status=status, detail=detail, wait=reply.wait)
        return narrowed(parcels, status, f"{status}: {rule_words(tag) or said}")

    def _is_history(self, parcels: Sequence[Parcel]) -> bool:
        return all(parcel.event.sent_at < self._now() - HISTORY for parcel in parcels)


def _parcel(event: Event, persons: str) -> Parcel:
    """The message as the package's client would queue it.

    Without skew correction, PostHog stores the message's own time, and a resend has the same one. The address of this
    machine says nothing about the user.
    """
    payload, warning = mended(event.payload)
    joins = {"$ai_trace_id": event.trace_id, "$ai_session_id": event.session_id}
    form = {
        "event": event.name,
        "uuid": event.event_id,
        "distinct_id": event.distinct_id,
        "timestamp": utc_text(event.sent_at),
        "properties": {
            **payload,
            **{name: value for name, value in joins.items() if value is not None},
            "$process_person_profile": persons == "always" or (persons == "known" and event.identified),
            "$ignore_sent_at": True,
            "$geoip_disable": True,
        },
    }
    return Parcel(event=event, form=form, text=json.dumps(form, default=str), warning=warning)


def _of_results(parcels: Sequence[Parcel], said: Any, status: int, wait: float | None) -> RequestOutcome:
    """Return a receipt for each event from the server's `{uuid: {result, details}}`; a missing verdict is unknown."""
    results = said if isinstance(said, dict) else {}
    receipts: list[Receipt] = []
    again: list[Parcel] = []
    for parcel in parcels:
        found = results.get(parcel.event.event_id)
        told = found if isinstance(found, dict) else {}
        result, details = told.get("result"), rule_words(str(told.get("details") or ""))
        if result == "retry":
            again.append(parcel)
        elif result == "ok" and not details:
            receipts.append(parcel.receipt("accepted", status))
        elif result in ("ok", "warning"):
            receipts.append(parcel.receipt("accepted_warning", status, details))
        elif result == "drop":
            over_quota = details.endswith("over_quota")
            receipts.append(parcel.receipt("retryable" if over_quota else "rejected", status, f"drop: {details}"))
        else:
            receipts.append(parcel.receipt("unknown", status, "the answer does not speak of this event"))
    return RequestOutcome(receipts=receipts, again=again, http_status=status, detail="retry: not persisted", wait=wait)


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def ingestion_host(written: str | None) -> str:
    """Return the address for events, by the package's own function, for every usual spelling. Raises SettingsError."""
    if not (written or "").strip():
        return determine_server_host(None)
    address = web_address(written or "", "POSTHOG_HOST")
    host = urlsplit(address).hostname or ""
    if host.endswith("posthog.com"):
        address = f"https://{host}"
    return determine_server_host(address)


def posthog(given: Settings) -> PostHog:
    """The project of POSTHOG_API_KEY at POSTHOG_HOST. Raises SettingsError."""
    if not given.posthog.key:
        raise SettingsError("POSTHOG_API_KEY is not set, and the destination is posthog: the project's API key, phc_…")
    return PostHog(given.posthog.key, given.posthog.host, persons=given.posthog.persons)
