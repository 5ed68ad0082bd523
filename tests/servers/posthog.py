"""A loopback server that speaks PostHog's V1 capture and the older /batch/, with its table's de-duplication.

Written after PostHog/posthog `rust/capture/src/v1` (headers, validation, errors, results) and the sort key of
`sharded_events`.
"""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.servers.loopback import Asked, Body, Fault, Loopback, Says

V1_HEADERS = ("Posthog-Sdk-Info", "Posthog-Attempt", "Posthog-Request-Id", "Posthog-Request-Timestamp")
ILLEGAL_IDS = ("anonymous", "guest", "user", "system", "null", "none", "id", "email", "0")

Result = tuple[str, str | None] | None
"""What V1 says of one event, with details; nothing leaves it out of the results (though it is stored)."""


class PostHogServer(Loopback):
    """One project. `results` may decide over single events; without `has_v1` it is an older, self-hosted PostHog."""

    def __init__(self, script: Callable[[Asked], Fault | None] = lambda asked: None, **fields: Any) -> None:
        super().__init__(script, fields.pop("latency", 0.0))
        self.key: str = fields.pop("key", "phc_test")
        self.has_v1: bool = fields.pop("has_v1", True)
        self.results: Callable[[Body], Result] = fields.pop("results", lambda event: ("ok", None))
        self.table: dict[tuple[str, str, str, str], Body] = {}
        self.stored = 0
        assert not fields

    @property
    def rows(self) -> list[Body]:
        """The events as a query finds them once the table has merged."""
        return list(self.table.values())

    def answer(self, asked: Asked) -> Says:
        """As PostHog answers."""
        if asked.path == "/batch/":
            return self._batch(asked)
        if asked.path != "/i/v1/analytics/events" or not self.has_v1:
            return Says(404, "<h1>not found</h1>")
        headers = {name.title(): value for name, value in asked.headers.items()}
        if any(name not in headers for name in V1_HEADERS):
            return _error(400, "missing_required_headers")
        if headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "invalid_api_token", "The provided API token is not valid.")
        return self._v1(asked)

    def _v1(self, asked: Asked) -> Says:
        events = asked.body["batch"]
        datetime.fromisoformat(asked.body["created_at"])
        if not events:
            return _error(400, "empty_batch")
        ids = [event["uuid"] for event in events]
        if not all(_is_uuid(one) for one in ids):
            return _error(400, "invalid_event_uuid")
        if len(set(ids)) < len(ids):
            return _error(400, "duplicate_event_uuid")
        results = {event["uuid"]: self._take(event) for event in events}
        said = {one: {"result": r[0], **({"details": r[1]} if r[1] else {})} for one, r in results.items() if r}
        again = any(result["result"] == "retry" for result in said.values())
        return Says(200, {"results": said}, {"Retry-After": "0.01"} if again else {})

    def _take(self, event: Body) -> Result:
        fault = _fault(event)
        if fault:
            return "drop", fault
        result = self.results(event)
        if result is None or result[0] in ("ok", "warning"):
            skewed = not event["options"].get("disable_skew_correction")
            self._store(event, event["options"], "shifted by the clock's skew" if skewed else event["timestamp"])
        if result == ("ok", None) and event["distinct_id"].lower() in ILLEGAL_IDS:
            return "ok", "person_processing_disabled"
        return result

    def _batch(self, asked: Asked) -> Says:
        if asked.body["api_key"] != self.key:
            return Says(401, {"type": "authentication_error", "detail": "Project API key invalid."})
        for event in asked.body["batch"]:
            corrected = not event["properties"].get("$ignore_sent_at")
            self._store(event, event["properties"], "shifted" if corrected else event["timestamp"])
        return Says(200, {"status": 1})

    def _store(self, event: Body, options: Body, timestamp: str) -> None:
        key = (timestamp[:10], event["event"], event["distinct_id"], event["uuid"])
        person = options.get("process_person_profile", options.get("$process_person_profile"))
        with self.guard:
            self.stored += 1
            self.table[key] = {**event, "timestamp": timestamp, "person": person}


def _fault(event: Body) -> str | None:
    if not event["event"]:
        return "missing_event_name"
    if len(event["event"].encode()) > 200:
        return "event_name_too_long"
    if len(event["distinct_id"].encode()) > 200:
        return "distinct_id_too_large"
    if datetime.fromisoformat(event["timestamp"]).tzinfo is None:
        return "invalid_event_timestamp"
    return None


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _error(status: int, tag: str, description: str = "") -> Says:
    uri = "https://posthog.com/docs/api"
    return Says(status, {"error": tag, "error_description": description or tag, "error_uri": uri})
