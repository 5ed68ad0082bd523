"""PostHog, by its V1 capture endpoint, which says for each event what became of it.

Sources: posthog-python 7.91 `capture_v1.py` (wire form), PostHog/posthog `rust/capture/src/v1/{error.rs,analytics/
{process,response,types}.rs,quota_limiter_shim.rs}` (verdicts, limits), posthog.com/docs/migrate (old events).
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from posthog.capture_compression import CaptureCompression
from posthog.capture_v1 import _build_v1_batch_body, _parse_v1_response, _post_v1, _to_v1_event
from posthog.consumer import BATCH_SIZE_LIMIT, MAX_MSG_SIZE
from posthog.request import APIError, batch_post, determine_server_host
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

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

TIMEOUT = 30.0
"""Seconds for one request."""
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

    An event is replaced by a later one of the same id as long as its name, its person and its day stay: the events
    table sorts by (team, day, event, distinct_id, uuid) and merges what is equal there, in time.
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
        self._sender = Sender(self._post, BATCH_SIZE_LIMIT, sleep)
        self._batch_only = False
        # At DEBUG the package logs whole bodies, and those can hold the words of messages.
        logging.getLogger("posthog").setLevel(logging.INFO)

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
        body = _build_v1_batch_body([_to_v1_event(p.form) for p in parcels], self._is_history(parcels))
        try:
            response = _post_v1(
                self._key,
                self.host,
                body,
                attempt=attempt,
                request_id=request_id,
                compression=CaptureCompression.GZIP,
                timeout=TIMEOUT,
            )
        except OSError as error:
            return _unanswered(parcels, error)
        parsed = _parse_v1_response(response)
        if parsed.is_success:
            return _of_results(parcels, parsed.results or {}, parsed.status_code, parsed.retry_after)
        if parsed.status_code in (404, 405):
            self._batch_only = True
            return self._post_batch(parcels)
        said = _json(response.content)
        tag, words = str(said.get("error") or ""), str(said.get("error_description") or "")
        return _of_failure(parcels, parsed.status_code, tag, words, parsed.retry_after)

    def _post_batch(self, parcels: Sequence[Parcel]) -> RequestOutcome:
        """The endpoint of before V1, for self-hosted servers: its 200 is all that it tells."""
        forms, history = [p.form for p in parcels], self._is_history(parcels)
        try:
            response = batch_post(
                self._key, self.host, gzip=True, timeout=TIMEOUT, batch=forms, historical_migration=history
            )
        except APIError as error:
            status = int(error.status)
            if status in (404, 405):
                raise DestinationStopped(
                    f"posthog: {status}: no PostHog answers at {urlsplit(self.host).netloc}"
                ) from None
            return _of_failure(parcels, status, "", error.message, error.retry_after)
        except OSError as error:
            return _unanswered(parcels, error)
        if _json(response.content).get("quota_limited"):
            raise DestinationStopped("posthog: 200: quota_limited: the project is over its billing limit")
        return RequestOutcome(receipts=[p.receipt("accepted_warning", 200, ONLY_WHOLE) for p in parcels])

    def _is_history(self, parcels: Sequence[Parcel]) -> bool:
        return all(parcel.event.sent_at < self._now() - HISTORY for parcel in parcels)


def _parcel(event: Event, persons: str) -> Parcel:
    """The message as the package's client would queue it.

    Without skew correction the message's own time is stored, and a resend has the same one. The address of this
    machine says nothing about the user.
    """
    payload, warning = mended(event.payload)
    joins = {"$ai_trace_id": event.trace_id, "$ai_session_id": event.session_id}
    form = {
        "event": event.name,
        "uuid": event.event_id,
        "distinct_id": event.distinct_id,
        "timestamp": event.sent_at,
        "properties": {
            **payload,
            **{name: value for name, value in joins.items() if value is not None},
            "$process_person_profile": persons == "always" or (persons == "known" and event.identified),
            "$ignore_sent_at": True,
            "$geoip_disable": True,
        },
    }
    return Parcel(event=event, form=form, text=json.dumps(form, default=str), warning=warning)


def _of_results(
    parcels: Sequence[Parcel], results: Mapping[str, Any], status: int, wait: float | None
) -> RequestOutcome:
    receipts: list[Receipt] = []
    again: list[Parcel] = []
    for parcel in parcels:
        found = results.get(parcel.event.event_id)
        result, details = (found.result, rule_words(str(found.details or ""))) if found else (None, "")
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


def _of_failure(parcels: Sequence[Parcel], status: int, tag: str, words: str, wait: float | None) -> RequestOutcome:
    said = rule_words(words or tag) or "no words"
    if status in STOPS or tag in STOPPING_TAGS:
        raise DestinationStopped(f"posthog: {status}: {said}")
    if status in (408, 504):
        return RequestOutcome(
            again=parcels, status="unknown", http_status=status, detail=f"{status}: no answer", wait=wait
        )
    if status == 429 or status >= 500:
        return RequestOutcome(
            again=parcels, http_status=status, detail=f"{status}: {rule_words(tag) or 'busy'}", wait=wait
        )
    return narrowed(parcels, status, f"{status}: {rule_words(tag) or said}")


def _unanswered(parcels: Sequence[Parcel], error: OSError) -> RequestOutcome:
    """No connection: not stored. No answer on a connection: it may be stored, so it is sent again with its id."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return RequestOutcome(again=parcels, detail="no connection")
    return RequestOutcome(again=parcels, status="unknown", detail=f"no answer: {type(error).__name__}")


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def ingestion_host(written: str | None) -> str:
    """Where events go, by the package's own function, for every usual spelling. Raises SettingsError."""
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
