"""The deletion of a person at a destination, by the vendor's own API: the request, and how its answer is read.

A vendor accepts a request and deletes later: an answer is a promise. Sources: posthog.com/docs/privacy/data-deletion,
PostHog/posthog `posthog/api/person.py` (`bulk_delete`, `deletion_status`; pull requests 53357 and 103144);
amplitude.com/docs/apis/analytics/user-privacy (one request a second, 30 days); docs.mixpanel.com/reference/gdpr-api.
"""

import base64
import json
import re
import shlex
import time
from collections.abc import Callable, Mapping
from string import Template
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from cpa_core.destinations.posting import HttpReply, Unanswered, post
from cpa_core.destinations.sending import TRIES, Sleep, pause_after, web_address
from cpa_core.settings import Needs, Settings

DeletionStatus = Literal["asked", "promised", "not_found", "refused", "unanswered"]
"""`asked`: the answer is not known, as after a kill. `promised`: the vendor deletes later. `not_found`: nobody there
has the id. `unanswered`: busy or silent at every try."""
HANDLE = re.compile(r"[A-Za-z0-9-]{1,64}")
BUSY = frozenset({408, 429})
REFUSALS = {
    400: "the request is not accepted",
    401: "the key is not accepted",
    403: "the key lacks the scope or the role",
    404: "no such project or address",
}


class DeletionAnswer(NamedTuple):
    """The answer of a vendor. `task` finds the deletion there; `detail` holds none of the vendor's words.

    They may repeat the person's id.
    """

    status: DeletionStatus
    http_status: int | None = None
    task: str | None = None
    detail: str = ""


class VendorDeletion(NamedTuple):
    """How a vendor is asked. `url`, `login` and `state` have names of settings such as `$POSTHOG_PROJECT_ID`.

    `sent_as` returns the id under which the vendor has a person's events; null where its API does not delete by it,
    for the reason in `unreachable`. A `login` is `Bearer …` or a pair for basic authentication.
    """

    title: str
    needs: Needs
    sent_as: Callable[[str, bool], str | None]
    unreachable: str
    host: Callable[[Settings], str]
    path: str
    login: str
    body: Callable[[str], Mapping[str, Any]]
    read: Callable[[HttpReply, str], DeletionAnswer]
    state: str
    promise: str
    nobody: str

    def curl(self, given: Settings, person: str) -> str:
        """The request as a command line, with variables for keys and project."""
        body = shlex.quote(json.dumps(self.body(person), ensure_ascii=False))
        url, kind = f"{self.host(given)}{self.path}", "Content-Type: application/json"
        return f'curl -X POST "{url}" {self._login()} -H "{kind}" -d {body}'

    def state_curl(self, given: Settings, task: str | None) -> str:
        """The command line that shows how far the deletion is there."""
        return f'curl "{self.host(given)}{self.state.replace("{task}", task or "")}" {self._login()}'

    def _login(self) -> str:
        return f'-H "Authorization: {self.login}"' if self.login.startswith("Bearer ") else f'-u "{self.login}"'


def ask_deletion(vendor: VendorDeletion, given: Settings, person: str, sleep: Sleep = time.sleep) -> DeletionAnswer:
    """Ask for the deletion of a person by the id that was sent, and return the answer.

    A busy or silent server is asked again, with the pauses of a delivery: to ask twice is to ask once.
    """
    url = _filled(vendor.host(given) + vendor.path, given)
    headers = {"Content-Type": "application/json", "Authorization": _authorization(_filled(vendor.login, given))}
    body = json.dumps(vendor.body(person)).encode()
    for attempt in range(1, TRIES + 1):
        wait = None
        try:
            reply = post(url, body, headers)
        except Unanswered as silence:
            answer = DeletionAnswer("unanswered", detail=str(silence))
        else:
            if reply.status not in BUSY and reply.status < 500:
                return _read(vendor, reply, person)
            answer = DeletionAnswer("unanswered", reply.status, detail=f"{reply.status}: busy")
            wait = reply.wait
        if attempt < TRIES:
            sleep(pause_after(attempt, wait))
    return answer


def _read(vendor: VendorDeletion, reply: HttpReply, person: str) -> DeletionAnswer:
    if reply.is_success:
        return vendor.read(reply, person)
    words = "answers from another address" if 300 <= reply.status < 400 else "refused"
    return DeletionAnswer("refused", reply.status, detail=f"{reply.status}: {REFUSALS.get(reply.status, words)}")


def _filled(text: str, given: Settings) -> str:
    """The text with the values of settings in the place of their names."""
    names = Template(text).get_identifiers()
    return Template(text).substitute({name: given.named(name) for name in names})


def _authorization(login: str) -> str:
    return login if login.startswith("Bearer ") else f"Basic {base64.b64encode(login.encode()).decode()}"


def _tree(reply: HttpReply) -> dict[str, Any]:
    """The object that the vendor answered, or the first of a list; empty where it is no JSON object."""
    try:
        found = json.loads(reply.content or b"{}")
    except ValueError:
        return {}
    first = found[0] if isinstance(found, list) and found else found
    return first if isinstance(first, dict) else {}


def _foreign(reply: HttpReply, title: str) -> DeletionAnswer:
    return DeletionAnswer("refused", reply.status, detail=f"{reply.status}: the answer is not {title}'s")


def _read_posthog(reply: HttpReply, person: str) -> DeletionAnswer:
    """An older PostHog answers 202 without a body. A person without a profile is not found there."""
    said = _tree(reply)
    if reply.status == 202 and not reply.content:
        return DeletionAnswer(
            "promised", 202, detail="an older PostHog, which does not say whether it knows the person"
        )
    if "persons_found" not in said:
        return _foreign(reply, "PostHog")
    if not said["persons_found"]:
        return DeletionAnswer("not_found", reply.status)
    if errors := len(said.get("deletion_errors") or ()):
        return DeletionAnswer("refused", reply.status, detail=f"{errors} persons could not be deleted there")
    if not said.get("events_queued_for_deletion"):
        return DeletionAnswer("refused", reply.status, detail="the events are not queued for deletion")
    return DeletionAnswer("promised", reply.status)


def _read_amplitude(reply: HttpReply, person: str) -> DeletionAnswer:
    """The task is the day of the job. A job lists others' requests too: `invalid_ids` alone say who is unknown."""
    said = _tree(reply)
    if person in map(str, said.get("invalid_ids") or ()):
        return DeletionAnswer("not_found", reply.status)
    if not said.get("day"):
        return _foreign(reply, "Amplitude")
    return DeletionAnswer("promised", reply.status, _handle(said["day"], person))


def _read_mixpanel(reply: HttpReply, person: str) -> DeletionAnswer:
    results = _tree(reply).get("results")
    first = results[0] if isinstance(results, list) and results else results
    task = (first.get("tracking_id") or first.get("task_id")) if isinstance(first, dict) else None
    return DeletionAnswer("promised", reply.status, _handle(task, person)) if task else _foreign(reply, "Mixpanel")


def _handle(task: Any, person: str) -> str | None:
    """The vendor's handle of a deletion, unless it is none or repeats the person's id: it is kept in the store."""
    text = str(task)
    return text if HANDLE.fullmatch(text) and text != person and (len(person) < 6 or person not in text) else None


def _posthog_host(given: Settings) -> str:
    """The application's address: events go to us.i.posthog.com, everything else to us.posthog.com."""
    address = web_address(given.posthog.host or "https://us.i.posthog.com", "POSTHOG_HOST")
    host = urlsplit(address).hostname or ""
    if not host.endswith("posthog.com"):
        return address
    region = host.partition(".")[0]
    return f"https://{'us' if region in ('app', 'posthog', 'www') else region}.posthog.com"


def _amplitude_host(given: Settings) -> str:
    text = (given.amplitude.url or "US").strip()
    if text.upper() in ("US", "EU"):
        return "https://amplitude.com" if text.upper() == "US" else "https://analytics.eu.amplitude.com"
    parts = urlsplit(web_address(text, "AMPLITUDE_URL"))
    host = parts.hostname or ""
    if host.endswith("amplitude.com"):
        return "https://analytics.eu.amplitude.com" if ".eu." in host else "https://amplitude.com"
    return f"{parts.scheme}://{parts.netloc}"


def _mixpanel_host(given: Settings) -> str:
    hosts = {"US": "https://mixpanel.com", "EU": "https://eu.mixpanel.com", "IN": "https://in.mixpanel.com"}
    text = (given.mixpanel.url or "US").strip()
    if text.upper() in hosts:
        return hosts[text.upper()]
    parts = urlsplit(web_address(text, "MIXPANEL_URL"))
    region = {"api-eu.mixpanel.com": "EU", "api-in.mixpanel.com": "IN", "api.mixpanel.com": "US"}.get(parts.netloc)
    return hosts[region] if region else f"{parts.scheme}://{parts.netloc}"


DELETIONS: Mapping[str, VendorDeletion] = {
    "posthog": VendorDeletion(
        title="PostHog",
        needs=(("POSTHOG_PERSONAL_API_KEY", "POSTHOG_PROJECT_ID"),),
        sent_as=lambda person, identified: person,
        unreachable="",
        host=_posthog_host,
        path="/api/projects/$POSTHOG_PROJECT_ID/persons/bulk_delete/",
        login="Bearer $POSTHOG_PERSONAL_API_KEY",
        body=lambda person: {"distinct_ids": [person], "delete_events": True},
        read=_read_posthog,
        state="/api/projects/$POSTHOG_PROJECT_ID/persons/deletion_status/?status=all",
        promise="PostHog removes the person soon, and the events later: in its cloud at weekends",
        nobody="PostHog deletes by person profile, and this id has none: its events stay there; ask PostHog's support",
    ),
    "amplitude": VendorDeletion(
        title="Amplitude",
        needs=(("AMPLITUDE_API_KEY", "AMPLITUDE_SECRET_KEY"),),
        sent_as=lambda person, identified: person if identified else None,
        unreachable="sent under a device id alone, by which Amplitude does not delete: find its Amplitude id in "
        "User Look-Up, and ask for that with amplitude_ids",
        host=_amplitude_host,
        path="/api/2/deletions/users",
        login="$AMPLITUDE_API_KEY:$AMPLITUDE_SECRET_KEY",
        body=lambda person: {"user_ids": [person], "requester": "cpa forget", "ignore_invalid_id": True},
        read=_read_amplitude,
        state="/api/2/deletions/users?start_day={task}&end_day={task}",
        promise="Amplitude deletes with a later job, within 30 days",
        nobody="Amplitude knows no user of this id",
    ),
    "mixpanel": VendorDeletion(
        title="Mixpanel",
        needs=(("MIXPANEL_TOKEN", "MIXPANEL_GDPR_TOKEN"),),
        sent_as=lambda person, identified: person if identified else f"$device:{person}",
        unreachable="",
        host=_mixpanel_host,
        path="/api/app/data-deletions/v3.0/?token=$MIXPANEL_TOKEN",
        login="Bearer $MIXPANEL_GDPR_TOKEN",
        body=lambda person: {"distinct_ids": [person], "compliance_type": "GDPR"},
        read=_read_mixpanel,
        state="/api/app/data-deletions/v3.0/{task}?token=$MIXPANEL_TOKEN",
        promise="Mixpanel deletes within 30 days",
        nobody="Mixpanel knows nobody of this id",
    ),
}
"""How each destination that deletes by person is asked. To add one: a line here."""
