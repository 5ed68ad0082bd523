"""Amplitude, by its batch upload, whose refusals name the events that are to blame.

Sources: amplitude-analytics 1.3 `event.py`, `http_client.py`, `constants.py`; amplitude.com/docs/apis/analytics/
{batch-event-upload,http-v2,http-api-batching-retries} (limits, status codes, de-duplication over seven days).
"""

import copy
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from amplitude import BaseEvent, constants
from amplitude.config import Config
from amplitude.http_client import JSON_HEADER, HttpStatus, Response

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
from cpa_core.errors import DestinationStopped, SettingsError
from cpa_core.models import JUDGED_EVENT, Event, Receipt, Replaces, digest
from cpa_core.settings import Settings

MOST_BYTES = 1_000_000
"""Bytes of one request: the smaller limit, HTTP V2's, as AMPLITUDE_URL may name either endpoint."""
THROTTLED_WAIT = 30.0
"""Seconds that Amplitude asks for after a 429 that names throttled users."""
INVALID_KEY = "Invalid API key"
AGENT_SCORE = "[Agent] Score"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Amplitude:
    """One project of Amplitude. It ignores an id that it received within seven days, so nothing is ever replaced.

    `shortest_id` is the least length of a user's id in the project; as an `agent`, events follow Agent Analytics.
    """

    replaces: Replaces = "never"
    batch = 1_000
    at_once = 4

    def __init__(
        self,
        key: str,
        url: str | None = None,
        *,
        shortest_id: int = 1,
        agent: bool = False,
        sleep: Sleep = time.sleep,
    ) -> None:
        zone, address = _place(url)
        self._agent = agent
        self._config = Config(
            api_key=key, min_id_length=shortest_id, server_zone=zone, use_batch=True, server_url=address
        )
        self.url: str = self._config.server_url
        self.project = project_name(key, self.url)
        self._sender = Sender(self._post, MOST_BYTES - 1_000, sleep)

    def send(self, events: Sequence[Event]) -> Iterator[Receipt]:
        """One receipt per event, as the answers come. Raises DestinationStopped."""
        parcels: list[Parcel] = []
        for event in events:
            if untimed(event):
                yield Parcel(event=event, form={}).receipt("rejected", None, untimed(event))
                continue
            parcel, fault = _parcel(event, self._agent)
            if fault:
                yield parcel.receipt("rejected", None, fault)
            else:
                parcels.append(parcel)
        yield from self._sender.send(parcels)

    def _post(self, parcels: Sequence[Parcel], request_id: str, attempt: int) -> RequestOutcome:
        head = json.dumps({"api_key": self._config.api_key, "options": self._config.options})
        body = f'{head[:-1]}, "events": [{", ".join(p.text for p in parcels)}]}}'
        try:
            return _verdict(parcels, post(self.url, body.encode(), JSON_HEADER))
        except Unanswered as silence:
            return silence.verdict(parcels)


def _parcel(event: Event, agent: bool) -> tuple[Parcel, str]:
    """Return the event as the package's model writes it, and the reason if it cannot be sent.

    The model silently cuts long strings and drops unknown values: this compares before and after.
    """
    name, added = as_agent(event) if agent else (event.name, {})
    payload, changed = mended(event.payload | added)
    given = {name: value for name, value in payload.items() if value is not None}
    form: dict[str, Any] = BaseEvent(
        name,
        user_id=event.distinct_id if event.identified else None,
        device_id=_device(event.distinct_id),
        time=(event.sent_at - EPOCH) // timedelta(milliseconds=1),
        event_properties=dict(given) if all(map(_is_flat, given.values())) else copy.deepcopy(given),
        insert_id=event.event_id,
        session_id=_session(event),
    ).get_event_body()
    kept = form.get("event_properties") or {}
    cut = sorted(name for name, value in kept.items() if value != given[name])
    shortened = f"cut at {constants.MAX_STRING_LENGTH} characters: {', '.join(cut)}" if cut else ""
    warning = "; ".join(part for part in (changed, shortened) if part)
    parcel = Parcel(event=event, form=form, text=json.dumps(form), warning=warning[:300])
    return parcel, _fault(event, parcel, given)


def _is_flat(value: Any) -> bool:
    """Return whether a value is immutable, since the model modifies its arguments."""
    return not isinstance(value, dict | list)


@lru_cache(maxsize=10_000)
def _device(distinct_id: str) -> str:
    """One and the same for a person, as Amplitude finds repeats by device and insert id."""
    return "cpa-" + digest(distinct_id)[:24]


def as_agent(event: Event) -> tuple[str, dict[str, Any]]:
    """Name and further properties by the conventions of Agent Analytics: session, trace, a judgment as a score.

    Source: amplitude.com/docs/amplitude-ai/agent-analytics/{taxonomy,instrument-http-api}.
    """
    session = event.session_id or event.conversation_id
    added: dict[str, Any] = {"[Agent] Session ID": session}
    if event.trace_id:
        added["[Agent] Trace ID"] = event.trace_id
    score = event.payload.get("llm_judge_score")
    if event.name != JUDGED_EVENT or score is None:
        return event.name, added
    about = {"[Agent] Target ID": session, "[Agent] Target Type": "session", "[Agent] Evaluation Source": "ai"}
    return AGENT_SCORE, added | about | {"[Agent] Score Name": "conversation", "[Agent] Score Value": score}


def _session(event: Event) -> int | None:
    """Return the application's session if its id has Amplitude's form: its start in milliseconds."""
    text = event.session_id or ""
    return int(text) if len(text) == 13 and text.isdecimal() else None


def _fault(event: Event, parcel: Parcel, given: Mapping[str, Any]) -> str:
    if len(given) > constants.MAX_PROPERTY_KEYS:
        return f"{len(given)} properties: Amplitude takes {constants.MAX_PROPERTY_KEYS}"
    if given.keys() - (parcel.form.get("event_properties") or {}).keys():
        return "a property is of a form that Amplitude does not take"
    if max(len(event.name), len(event.distinct_id)) > constants.MAX_STRING_LENGTH:
        return f"the event's name or user id is longer than {constants.MAX_STRING_LENGTH} characters"
    if parcel.size > MOST_BYTES - 1_000:
        return f"{parcel.size} bytes: Amplitude takes {MOST_BYTES} a request"
    return ""


def _verdict(parcels: Sequence[Parcel], answered: HttpReply) -> RequestOutcome:
    status = answered.status
    try:
        answer = Response().parse(io.BytesIO(answered.content))
    except (ValueError, KeyError, TypeError):
        return _unreadable(parcels, answered)
    if status in (401, 402, 403) or str(answer.error).startswith(INVALID_KEY):
        raise DestinationStopped(f"amplitude: {status}: {rule_words(str(answer.error)).partition(':')[0] or 'refused'}")
    if answer.status is HttpStatus.SUCCESS:
        return _ingested(parcels, status, answer)
    if answer.status is HttpStatus.TOO_MANY_REQUESTS:
        return _throttled(parcels, answer, answered.wait)
    if answer.status is HttpStatus.PAYLOAD_TOO_LARGE:
        return narrowed(parcels, status, f"{status}: too large")
    if answer.status is HttpStatus.INVALID_REQUEST:
        return _named(parcels, status, answer)
    return _unreadable(parcels, answered)


def _unreadable(parcels: Sequence[Parcel], answered: HttpReply) -> RequestOutcome:
    """A status without Amplitude's own words, as a gateway sends it."""
    if answered.status < 300:
        detail = "the answer is not Amplitude's"
        return RequestOutcome(receipts=[parcel.receipt("unknown", answered.status, detail) for parcel in parcels])
    return by_status(parcels, "amplitude", answered)


def _ingested(parcels: Sequence[Parcel], status: int, answer: Response) -> RequestOutcome:
    """Handle a 200, which counts the accepted events.

    If some are missing, each half is sent again, down to one event.
    """
    count = answer.body.get("events_ingested", len(parcels))
    if count == len(parcels):
        return RequestOutcome(receipts=[parcel.receipt("accepted", status) for parcel in parcels])
    if len(parcels) == 1:
        return RequestOutcome(receipts=[parcels[0].receipt("unknown", status, f"{count} of 1 ingested")])
    return narrowed(parcels, status, "")


def _named(parcels: Sequence[Parcel], status: int, answer: Response) -> RequestOutcome:
    """Handle a 400, after which nothing is stored. The events that it names are rejected, the others are sent again.

    An event that is named only for its user's id is sent again without it: its device id identifies it.
    """
    bad = {index for index in answer.invalid_or_silenced_index() if 0 <= index < len(parcels)}
    if not bad:
        missing = f"missing {answer.missing_field}" if answer.missing_field else rule_words(str(answer.error))
        return narrowed(parcels, status, f"{status}: {missing or 'refused'}"[:300])
    nameless = {i: _without_user(parcels[i]) for i in bad if _is_for_its_user(parcels[i], answer, i)}
    faulty = sorted(bad - nameless.keys())
    receipts = [parcels[i].receipt("rejected", status, f"{status}: {_reason(answer, i)}") for i in faulty]
    rest = [nameless.get(i, parcel) for i, parcel in enumerate(parcels) if i not in faulty]
    return RequestOutcome(receipts=receipts, parts=[rest] if rest else [])


def _is_for_its_user(parcel: Parcel, answer: Response, index: int) -> bool:
    """Return whether an event is refused only for its user's id, and has a device id."""
    named = {name for _, name in _faults(answer, index)}
    return named == {"user_id"} and "user_id" in parcel.form and "device_id" in parcel.form


def _without_user(parcel: Parcel) -> Parcel:
    form = {name: value for name, value in parcel.form.items() if name != "user_id"}
    warning = "; ".join(part for part in (parcel.warning, "sent without its user id, which Amplitude refuses") if part)
    return replace(parcel, form=form, text=json.dumps(form), warning=warning[:300])


def _faults(answer: Response, index: int) -> list[tuple[str, str]]:
    """Return the faults of one event in a 400: kind and field."""
    kinds = {
        "missing": answer.events_with_missing_fields,
        "invalid": answer.events_with_invalid_fields,
        "invalid length of": answer.events_with_invalid_id_lengths,
    }
    return [(kind, name) for kind, names in kinds.items() for name, at in (names or {}).items() if index in at]


def _reason(answer: Response, index: int) -> str:
    said = [f"{kind} {name}" for kind, name in _faults(answer, index)]
    return "; ".join(said)[:200] or "silenced: Amplitude blocks this user or device"


def _throttled(parcels: Sequence[Parcel], answer: Response, wait: float | None) -> RequestOutcome:
    """Handle a 429, after which nothing is stored.

    Events over their daily quota are rejected, unthrottled ones go first.
    """
    slow = set(answer.throttled_events or ())
    free = [p for index, p in enumerate(parcels) if index not in slow]
    held = [p for index, p in enumerate(parcels) if index in slow]
    spent = [p for p in held if answer.exceed_daily_quota(_ids(p))]
    receipts = [p.receipt("retryable", 429, "429: over the daily quota of this user or device") for p in spent]
    held = [p for p in held if p not in spent]
    if free and len(free) < len(parcels):
        return RequestOutcome(receipts=receipts, parts=[free, held] if held else [free])
    wait = THROTTLED_WAIT if wait is None and held else wait
    return RequestOutcome(receipts=receipts, again=held or free, http_status=429, detail="429: throttled", wait=wait)


def _ids(parcel: Parcel) -> SimpleNamespace:
    return SimpleNamespace(user_id=parcel.form.get("user_id"), device_id=parcel.form.get("device_id"))


def _place(written: str | None) -> tuple[str, str | None]:
    """Zone and address: a zone's name, a host (its batch endpoint) or a whole address. Raises SettingsError."""
    text = (written or "").strip()
    if text.upper() in ("", *constants.SERVER_URL):
        return text.upper() or constants.DEFAULT_ZONE, None
    address = web_address(text, "AMPLITUDE_URL")
    return constants.DEFAULT_ZONE, address if urlsplit(address).path else f"{address}/batch"


def amplitude(given: Settings) -> Amplitude:
    """The project of AMPLITUDE_API_KEY at AMPLITUDE_URL. Raises SettingsError."""
    place = given.amplitude
    if not place.key:
        raise SettingsError("AMPLITUDE_API_KEY is not set, and the destination is amplitude: the project's API key")
    return Amplitude(place.key, place.url, shortest_id=place.shortest_id, agent=place.agent)
