"""PostHog's wire form: an event and a body of `POST /i/v1/analytics/events`, the headers, and one request.

The forms are those of posthog-python 7.91 (`capture_v1.py`, `request.py`); a test compares them with the installed
package. Hosts, limits and the name of the client are the package's, by its public names.
"""

import gzip
import json
import weakref
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2
from posthog.request import USER_AGENT

from cpa_core.destinations.posting import HttpReply, Unanswered, retry_after

EVENTS, BATCH = "/i/v1/analytics/events", "/batch/"
"""The endpoint that answers for each event, and the endpoint of older servers."""
TIMEOUT = 30.0
"""Seconds for one request."""
SWITCHES = {
    "$cookieless_mode": "cookieless_mode",
    "$ignore_sent_at": "disable_skew_correction",
    "$process_person_profile": "process_person_profile",
}
"""Properties that are options of the event there, true or false."""
OPTIONAL_TEXTS = {"$product_tour_id": "product_tour_id"}
TOP_TEXTS = {"$session_id": "session_id", "$window_id": "window_id"}
"""Properties that stand at the top of the event there, as text."""
BY_SERVER = ("$lib", "$lib_version")
"""Properties that the server writes, from the header PostHog-Sdk-Info."""
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
"""Failures before anything was sent."""


def v1_event(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event of the older form (properties only) in the form of V1, where some properties are fields.

    A field with a value of the wrong type is left out: the server would refuse the whole body.
    """
    properties = {name: value for name, value in form["properties"].items() if name not in BY_SERVER}
    options = dict(_taken(properties, SWITCHES, _truth)) | dict(_taken(properties, OPTIONAL_TEXTS, _text))
    top = dict(_taken(properties, TOP_TEXTS, _text))
    kept = {name: form[name] for name in ("event", "uuid", "distinct_id", "timestamp")}
    return {**kept, "options": options, "properties": properties, **top}


def v1_body(events: Sequence[Mapping[str, Any]], *, history: bool, now: datetime) -> dict[str, Any]:
    """The body of a request to V1; the key is not in it."""
    body: dict[str, Any] = {"created_at": now.isoformat(), "batch": events}
    return body | {"historical_migration": True} if history else body


def v1_headers(key: str, request_id: str, attempt: int, now: datetime) -> dict[str, str]:
    """The headers that V1 requires. `request_id` stays for each attempt, from 1, of a body."""
    return {
        "Authorization": f"Bearer {key}",
        "PostHog-Sdk-Info": USER_AGENT,
        "PostHog-Attempt": str(attempt),
        "PostHog-Request-Id": request_id,
        "PostHog-Request-Timestamp": now.isoformat(),
    }


def batch_body(key: str, forms: Sequence[Mapping[str, Any]], *, history: bool, now: datetime) -> dict[str, Any]:
    """The body of a request to /batch/, with events of the older form."""
    return {"api_key": key, "batch": forms, "historical_migration": history, "sent_at": now.isoformat()}


class Connection:
    """Requests to one host, over connections that are kept open."""

    def __init__(self, host: str) -> None:
        self._host = host.rstrip("/")
        self._client = httpx2.Client(timeout=TIMEOUT, follow_redirects=False)
        weakref.finalize(self, self._client.close)  # else its sockets wait for the garbage collector

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> HttpReply:
        """Send it once, compressed. Raises Unanswered."""
        fixed = {"Content-Type": "application/json", "Content-Encoding": "gzip", "User-Agent": USER_AGENT}
        content = gzip.compress(json.dumps(body).encode(), 6)
        try:
            found = self._client.post(f"{self._host}{path}", content=content, headers={**fixed, **headers})
        except NOT_SENT:
            raise Unanswered("no connection", perhaps_stored=False) from None
        except httpx2.RequestError as error:
            raise Unanswered(f"no answer: {type(error).__name__}", perhaps_stored=True) from None
        return HttpReply(found.status_code, found.content, retry_after(found.headers))


def utc_text(moment: datetime) -> str:
    """A time as PostHog reads it; one without a zone stays without, and is refused before it is sent."""
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat()


def _taken(properties: dict[str, Any], names: Mapping[str, str], read: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of V1 that these properties become, and remove them from the properties."""
    for name, theirs in names.items():
        value = read(properties.pop(name, None))
        if value is not None:
            yield theirs, value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    return value != 0 if isinstance(value, int | float) else None
