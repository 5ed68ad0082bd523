"""A loopback receiver of webhooks, which checks the signature of Standard Webhooks and keeps the last of each id."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

from tests.servers.loopback import Asked, Body, Fault, Loopback, Says


class WebhookServer(Loopback):
    """One receiver with its secret; `refuses` names events that it cannot take."""

    def __init__(self, script: Callable[[Asked], Fault | None] = lambda asked: None, **fields: Any) -> None:
        super().__init__(script, fields.pop("latency", 0.0))
        self.key: str = fields.pop("key", "a shared secret")
        self.refuses: Callable[[Body], bool] = fields.pop("refuses", lambda event: False)
        self.table: dict[str, Body] = {}
        self.seen: set[str] = set()
        assert not fields

    @property
    def rows(self) -> list[Body]:
        """The events, the last of each id."""
        return list(self.table.values())

    def answer(self, asked: Asked) -> Says:
        """Take all of a request or nothing, and each request once."""
        headers = {name.lower(): value for name, value in asked.headers.items()}
        name, at = headers["webhook-id"], headers["webhook-timestamp"]
        signed = hmac.new(self.key.encode(), f"{name}.{at}.".encode() + asked.content, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(signed).decode()
        if abs(time.time() - int(at)) > 300 or not hmac.compare_digest(headers["webhook-signature"], wanted):
            return Says(401, {"error": "the signature does not fit"})
        if headers["idempotency-key"] in self.seen:
            return Says(409, {"error": "seen before"})
        if any(self.refuses(event) for event in asked.events):
            return Says(422, {"error": "one of them is not to my liking"})
        with self.guard:
            self.seen.add(headers["idempotency-key"])
            self.table.update({event["event_id"]: event for event in asked.events})
        return Says(200, {"taken": len(asked.events)})
