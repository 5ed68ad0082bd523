"""A loopback server that speaks Amplitude's batch upload, with its de-duplication by device and insert id.

Written after amplitude.com/docs/apis/analytics/{batch-event-upload,http-v2} and the errors that the package reads.
"""

from collections.abc import Callable
from typing import Any

from tests.servers.loopback import Asked, Body, Fault, Loopback, Says

CUT = 1024


class AmplitudeServer(Loopback):
    """One project. `most_bytes` and `most_events` are what it takes in a request."""

    def __init__(self, script: Callable[[Asked], Fault | None] = lambda asked: None, **fields: Any) -> None:
        super().__init__(script, fields.pop("latency", 0.0))
        self.key: str = fields.pop("key", "amp_test")
        self.most_bytes: int = fields.pop("most_bytes", 20_000_000)
        self.most_events: int = fields.pop("most_events", 2_000)
        self.refused_users: frozenset[str] = frozenset(fields.pop("refused_users", ()))
        self.table: dict[tuple[str, str], Body] = {}
        assert not fields

    @property
    def rows(self) -> list[Body]:
        """The events that were stored: the first of each insert id on a device."""
        return list(self.table.values())

    def answer(self, asked: Asked) -> Says:
        """As Amplitude answers."""
        if asked.path not in ("/batch", "/2/httpapi"):
            return Says(404, "not found")
        if asked.body.get("api_key") != self.key:
            return Says(400, {"code": 400, "error": f"Invalid API key: {asked.body.get('api_key')}"})
        if asked.size > self.most_bytes or len(asked.events) > self.most_events:
            return Says(413, {"code": 413, "error": "Payload too large"})
        shortest = (asked.body.get("options") or {}).get("min_id_length", 5)
        faults = _faults(asked.events, shortest, self.refused_users)
        if faults:
            return Says(400, {"code": 400, "error": "Request missing required field", **faults})
        for event in asked.events:
            with self.guard:
                self.table.setdefault((event.get("device_id", ""), event["insert_id"]), _kept(event, shortest))
        return Says(200, {"code": 200, "events_ingested": len(asked.events), "payload_size_bytes": asked.size})


def _faults(events: list[Body], shortest: int, refused: frozenset[str]) -> Body:
    """Where events are at fault, as Amplitude names it: kind, field, places in the request."""
    missing = [i for i, event in enumerate(events) if not event.get("event_type")]
    times = [i for i, event in enumerate(events) if not isinstance(event.get("time", 0), int)]
    bare = [i for i, e in enumerate(events) if all(len(e.get(k) or "") < shortest for k in ("user_id", "device_id"))]
    users = [i for i, event in enumerate(events) if event.get("user_id") in refused]
    invalid = {name: at for name, at in (("time", times), ("user_id", users)) if at}
    named = {
        "events_with_missing_fields": {"event_type": missing} if missing else {},
        "events_with_invalid_fields": invalid,
        "events_with_invalid_id_lengths": {"user_id": bare} if bare else {},
    }
    return named if missing or invalid or bare else {}


def _kept(event: Body, shortest: int) -> Body:
    """As it is stored: long strings are cut, and an id that is too short is gone."""
    event = {k: v for k, v in event.items() if k not in ("user_id", "device_id") or len(v) >= shortest}
    properties = {k: v[:CUT] if isinstance(v, str) else v for k, v in event.get("event_properties", {}).items()}
    return {**event, "event_properties": properties}
