"""A loopback server that speaks Mixpanel's strict import: what is valid is stored, the rest is named in a 400.

Written after docs.mixpanel.com/reference/import-events and troubleshooting/errors/400-bad-request.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

from tests.servers.loopback import Asked, Body, Fault, Loopback, Says

PLACEHOLDERS = ("anon", "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "0", "-1", "true")


class MixpanelServer(Loopback):
    """One project, known by its token."""

    def __init__(self, script: Callable[[Asked], Fault | None] = lambda asked: None, **fields: Any) -> None:
        super().__init__(script, fields.pop("latency", 0.0))
        self.key: str = fields.pop("key", "mp_test")
        self.most_bytes: int = fields.pop("most_bytes", 10_000_000)
        self.table: dict[tuple[str, str, int, str], Body] = {}
        assert not fields

    @property
    def rows(self) -> list[Body]:
        """The events that were stored: one of each name, person, time and insert id."""
        return list(self.table.values())

    def answer(self, asked: Asked) -> Says:
        """As Mixpanel answers."""
        if asked.path != "/import?strict=1":
            return Says(404, "not found")
        wanted = "Basic " + base64.b64encode(f"{self.key}:".encode()).decode()
        headers = {name.title(): value for name, value in asked.headers.items()}
        if headers.get("Authorization") != wanted:
            return Says(401, {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"})
        if headers.get("Content-Type") != "application/json":
            return Says(400, {"code": 400, "error": "unknown content type", "status": "Bad Request"})
        if len(asked.content) > self.most_bytes or len(asked.events) > 2_000:
            return Says(413, {"code": 413, "error": "request exceeds the limit", "status": "Request Entity Too Large"})
        return self._stored(asked.events)

    def _stored(self, events: list[Body]) -> Says:
        failed = []
        for index, event in enumerate(events):
            fault = _fault(event)
            if fault:
                inner = event.get("properties", {})
                failed.append({"index": index, "insert_id": inner.get("$insert_id"), **fault})
                continue
            given = event["properties"]
            with self.guard:
                self.table[(event["event"], given["distinct_id"], given["time"], given["$insert_id"])] = event
        count = {"num_records_imported": len(events) - len(failed)}
        if not failed:
            return Says(200, {"code": 200, "status": "OK", **count})
        error = "some data points in the request failed validation"
        return Says(400, {"code": 400, "error": error, "status": "Bad Request", "failed_records": failed, **count})


def _fault(event: Body) -> dict[str, str] | None:
    given = event.get("properties", {})
    if not event.get("event"):
        return {"field": "event", "message": "'event' is required"}
    if not isinstance(given.get("time"), int) or given["time"] < 31_536_000:
        return {"field": "properties.time", "message": "'properties.time' is invalid: must be since epoch"}
    if not re.fullmatch(r"[A-Za-z0-9-]{1,36}", str(given.get("$insert_id") or "")):
        return {"field": "properties.$insert_id", "message": "'properties.$insert_id' is invalid"}
    if str(given.get("distinct_id")).lower() in PLACEHOLDERS:
        return {"field": "properties.distinct_id", "message": "'properties.distinct_id' is invalid: not permitted"}
    if len(given) > 255:
        return {"field": "properties", "message": "too many properties"}
    return None
