"""A loopback server that deletes persons as PostHog, Amplitude and Mixpanel do, each by its own wire form.

Written after PostHog/posthog `posthog/api/person.py` (bulk_delete), amplitude.com/docs/apis/analytics/user-privacy and
docs.mixpanel.com/reference/gdpr-api. A deletion is remembered by person, so that a repeated request changes nothing.
"""

import base64
from collections.abc import Callable
from typing import Any

from tests.servers.loopback import Asked, Fault, Loopback, Says

POSTHOG, AMPLITUDE = "/api/projects/77/persons/bulk_delete/", "/api/2/deletions/users"
MIXPANEL = "/api/app/data-deletions/v3.0/?token=mp_test"
KEYS = {
    POSTHOG: "Bearer phx_personal",
    AMPLITUDE: f"Basic {base64.b64encode(b'amp_test:amp_secret').decode()}",
    MIXPANEL: "Bearer gdpr_token",
}


class DeletionServer(Loopback):
    """One project at each vendor. `persons` are those with a profile at PostHog and a user at Amplitude."""

    def __init__(self, script: Callable[[Asked], Fault | None] = lambda asked: None, **fields: Any) -> None:
        super().__init__(script, fields.pop("latency", 0.0))
        self.persons: set[str] = set(fields.pop("persons", ()))
        self.deleted: set[tuple[str, str]] = set()
        assert not fields

    def environ(self) -> dict[str, str]:
        """The settings of somebody who sends to all three, and has the keys for deletions."""
        return {
            "POSTHOG_API_KEY": "phc_test",
            "POSTHOG_HOST": self.url,
            "POSTHOG_PERSONAL_API_KEY": "phx_personal",
            "POSTHOG_PROJECT_ID": "77",
            "AMPLITUDE_API_KEY": "amp_test",
            "AMPLITUDE_URL": self.url,
            "AMPLITUDE_SECRET_KEY": "amp_secret",
            "MIXPANEL_TOKEN": "mp_test",
            "MIXPANEL_URL": self.url,
            "MIXPANEL_GDPR_TOKEN": "gdpr_token",
        }

    def answer(self, asked: Asked) -> Says:
        """As the vendor at this path answers."""
        headers = {name.title(): value for name, value in asked.headers.items()}
        if asked.path not in KEYS:
            return Says(404, "not found")
        if headers.get("Authorization") != KEYS[asked.path]:
            return Says(401, {"detail": "Invalid key."})
        return {POSTHOG: self._posthog, AMPLITUDE: self._amplitude, MIXPANEL: self._mixpanel}[asked.path](asked.body)

    def _posthog(self, body: dict[str, Any]) -> Says:
        found = [one for one in body["distinct_ids"] if one in self.persons]
        self._delete(POSTHOG, found if body.get("delete_events") else [])
        counts = {"persons_found": len(found), "persons_deleted": 0, "persons_queued_for_deletion": len(found)}
        queued = {"events_queued_for_deletion": bool(found), "recordings_queued_for_deletion": False}
        return Says(202, {**counts, **queued, "deletion_errors": []})

    def _amplitude(self, body: dict[str, Any]) -> Says:
        unknown = [one for one in body["user_ids"] if one not in self.persons]
        if unknown and not body.get("ignore_invalid_id"):
            return Says(400, {"error": f"Invalid user ids: {unknown}"})
        self._delete(AMPLITUDE, [one for one in body["user_ids"] if one not in unknown])
        job = {"day": "2026-03-21", "status": "staging", "amplitude_ids": [{"amplitude_id": 5, "requester": "x"}]}
        return Says(200, {**job, **({"invalid_ids": unknown} if unknown else {})})

    def _mixpanel(self, body: dict[str, Any]) -> Says:
        self._delete(MIXPANEL, body["distinct_ids"])
        return Says(200, {"status": "ok", "results": [{"status": "PENDING", "tracking_id": "1583792934719392965"}]})

    def _delete(self, place: str, persons: list[str]) -> None:
        with self.guard:
            self.deleted |= {(place, person) for person in persons}
