"""Delivering a day: a complete day only, a pending row before each event, a receipt after it."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cpa_core.destinations import Destination, destination
from cpa_core.destinations.sending import MAX_DETAIL
from cpa_core.errors import DayIncomplete, DestinationStopped
from cpa_core.events import JudgedRow, TaggedRow, of_judgment, of_tags
from cpa_core.models import EVENT_NAMESPACE, PERHAPS_STORED, SETTLED_STATUSES, Event, Receipt, Replaces, Value
from cpa_core.pipeline.context import Assistant
from cpa_core.store.database import Row


class Delivered(Value):
    """What delivering a day came to, over all destinations."""

    events: int
    sent: int
    already: int
    accepted: int
    rejected: int
    open: int


@dataclass(frozen=True)
class Ledger:
    """What was sent to a destination before, by event id: one row a payload, in the order of their receipts."""

    rows: Mapping[str, Sequence[Row]]
    replaces: Replaces

    def row(self, event: Event) -> Row | None:
        """The row of this very payload."""
        return next((r for r in self.rows.get(event.event_id, ()) if r["payload_hash"] == event.payload_hash), None)

    def others(self, event: Event) -> list[Row]:
        """Rows of other payloads under the event's id that the destination has, or may have."""
        rows = self.rows.get(event.event_id, ())
        return [r for r in rows if r["payload_hash"] != event.payload_hash and r["status"] in PERHAPS_STORED]

    def is_settled(self, event: Event) -> bool:
        """Whether this payload need not be sent: it was answered for, and none that replaced it came after it."""
        row = self.row(event)
        if row is None or row["status"] not in SETTLED_STATUSES:
            return False
        later = [other for other in self.others(event) if other["receipted_at"] > row["receipted_at"]]
        return self.replaces == "never" or row["status"] == "rejected" or not later

    def sent_id(self, event: Event) -> str:
        """The id to send under. Where nothing is replaced, a corrected payload needs one of its own."""
        row = self.row(event)
        if self.replaces != "never":
            return event.event_id
        if row and row["sent_id"] and row["status"] in PERHAPS_STORED:
            return str(row["sent_id"])
        if self.others(event):
            return str(uuid.uuid5(EVENT_NAMESPACE, json.dumps([event.event_id, event.payload_hash])))
        return event.event_id

    def stale(self, event: Event) -> str:
        """What stays at the destination beside this event, from before it was corrected; empty when nothing does."""
        others = self.others(event)
        moved = [
            o for o in others if o["event_name"] != event.name or o["sent_timestamp"].date() != event.sent_at.date()
        ]
        if self.replaces == "never" and others:
            return "corrected: the version sent before stays there"
        if self.replaces == "same_name_and_day" and moved:
            return "corrected: the version sent before, of another name or day, stays there"
        return ""


@dataclass(frozen=True)
class Delivery:
    """One day on its way to one destination."""

    assistant: Assistant
    name: str
    place: Destination
    day: date
    ledger: Ledger

    def row(self, event: Event, receipt: Receipt) -> Row:
        """The receipt as the ledger keeps it."""
        before = self.ledger.row(event)
        return {
            **receipt.model_dump(),
            "event_id": event.event_id,
            "payload_hash": event.payload_hash,
            "detail": receipt.detail[:MAX_DETAIL],
            "destination": self.name,
            "project": self.place.project,
            "day": self.day,
            "event_name": event.name,
            "sent_id": self.ledger.sent_id(event),
            "sent_timestamp": event.sent_at,
            "receipted_at": self.assistant.now(),
            "attempts": (before["attempts"] if before else 0) + 1,
        }


def open_work(assistant: Assistant, day: date) -> list[Row]:
    """Why the day may not be delivered yet: conversation, stage and reason; empty when it is complete."""
    with assistant.store.reading() as view:
        return view.answer("incomplete", day=day)


def deliver_day(assistant: Assistant, day: date, *, deliver_incomplete: bool = False) -> Delivered:
    """Send the day's events that have no settled receipt, to every destination.

    Raises DayIncomplete, SettingsError before anything is sent, and DestinationStopped after the other
    destinations had their turn.
    """
    settings = assistant.settings
    places = {name: destination(name, settings.home, settings.environ) for name in settings.destinations}
    with assistant.store.day_lock(day):
        unfinished = open_work(assistant, day)
        if unfinished and not deliver_incomplete:
            reasons = sorted({f"{row['stage']}: {row['reason']}" for row in unfinished})
            raise DayIncomplete(f"{day}: not delivered: {len(unfinished)} open ({'; '.join(reasons)})")
        events = events_of_day(assistant, day)
        counts, stops = [], []
        for name, place in places.items():
            try:
                counts.append(_deliver(assistant, name, place, day, events))
            except DestinationStopped as stop:
                stops.append(str(stop))
    if stops:
        raise DestinationStopped(f"{day}: {'; '.join(stops)}")
    totals = {key: sum(getattr(count, key) for count in counts) for key in Delivered.model_fields}
    return Delivered(**totals | {"events": len(events)})


def events_of_day(assistant: Assistant, day: date) -> list[Event]:
    """Every event of the day as it stands, each judged conversation's own event last."""
    privacy = assistant.settings.privacy
    with assistant.store.reading() as view:
        tags = [TaggedRow(**_parsed(row, "properties")) for row in view.answer("events_of_day", day=day)]
        judgments = view.answer("judgments_of_day", day=day)
    judged = [JudgedRow(**_parsed(row, "verdicts", "dealbreakers")) for row in judgments]
    scores = {row.conversation_id: row.score for row in judged}
    return of_tags(tags, scores, privacy) + [of_judgment(row, privacy) for row in judged]


def _parsed(row: Row, *names: str) -> Row:
    return row | {name: json.loads(row[name]) for name in names}


def _deliver(assistant: Assistant, name: str, place: Destination, day: date, events: Sequence[Event]) -> Delivered:
    ledger = _ledger(assistant, name, place, events)
    delivery = Delivery(assistant, name, place, day, ledger)
    waiting = [event for event in events if not ledger.is_settled(event)]
    receipts: list[Receipt] = []
    with assistant.progress("deliver", len(waiting)) as advance:
        for start in range(0, len(waiting), place.batch):
            receipts += _send(delivery, waiting[start : start + place.batch], advance)
    statuses = [receipt.status for receipt in receipts]
    unsettled = sum(status not in SETTLED_STATUSES for status in statuses)
    if not unsettled:
        _mark_delivered(assistant, day, name)
    return Delivered(
        events=len(events),
        sent=len(receipts),
        already=len(events) - len(waiting),
        accepted=sum(status.startswith("accepted") for status in statuses),
        rejected=statuses.count("rejected"),
        open=unsettled,
    )


def _ledger(assistant: Assistant, name: str, place: Destination, events: Sequence[Event]) -> Ledger:
    ids = json.dumps([event.event_id for event in events])
    with assistant.store.reading() as view:
        found = view.answer("receipts_known", destination=name, project=place.project, events=ids)
    rows: dict[str, list[Row]] = {}
    for row in found:
        rows.setdefault(row["event_id"], []).append(row)
    return Ledger(rows=rows, replaces=place.replaces)


def _send(delivery: Delivery, batch: Sequence[Event], advance: Callable[[], None]) -> list[Receipt]:
    """Write pending rows, send, and write what was answered over them.

    When the destination stops, the answers before that are kept and the other events are as they were.
    """
    ledger, answered = delivery.ledger, dict[str, Receipt]()
    _write(delivery, [delivery.row(event, _unsent(event, "pending")) for event in batch])
    sent = [event.model_copy(update={"event_id": ledger.sent_id(event)}) for event in batch]
    try:
        for receipt in delivery.place.send(sent):
            answered[receipt.event_id] = receipt
            advance()
    except DestinationStopped as stop:
        _write(delivery, [_row_when_stopped(delivery, event, answered, str(stop)) for event in batch])
        raise
    receipts = [_receipt(ledger, event, answered) for event in batch]
    _write(delivery, [delivery.row(e, r) for e, r in zip(batch, receipts, strict=True)])
    return receipts


def _receipt(ledger: Ledger, event: Event, answered: Mapping[str, Receipt]) -> Receipt:
    """What was answered for the event, with a warning when an earlier version of it stays there."""
    receipt = answered.get(ledger.sent_id(event)) or _unsent(event, "unknown", "the destination gave no receipt")
    stale = ledger.stale(event)
    if stale and receipt.status.startswith("accepted"):
        detail = "; ".join(part for part in (stale, receipt.detail) if part)
        return receipt.model_copy(update={"status": "accepted_warning", "detail": detail})
    return receipt


def _row_when_stopped(delivery: Delivery, event: Event, answered: Mapping[str, Receipt], words: str) -> Row:
    if delivery.ledger.sent_id(event) in answered:
        return delivery.row(event, _receipt(delivery.ledger, event, answered))
    return delivery.ledger.row(event) or delivery.row(event, _unsent(event, "retryable", words))


def _unsent(event: Event, status: str, detail: str = "") -> Receipt:
    return Receipt.model_validate(
        {"event_id": event.event_id, "payload_hash": event.payload_hash, "status": status, "detail": detail}
    )


def _write(delivery: Delivery, rows: Sequence[Row]) -> None:
    with delivery.assistant.store.writing() as transaction:
        transaction.execute("create temp table written (event_id varchar, payload_hash varchar)")
        keys = [{"event_id": row["event_id"], "payload_hash": row["payload_hash"]} for row in rows]
        transaction.insert("written", keys)
        transaction.execute(
            "delete from upload_receipts where destination = $name and project = $project "
            "and (event_id, payload_hash) in (select (event_id, payload_hash) from written)",
            name=delivery.name,
            project=delivery.place.project,
        )
        transaction.insert("upload_receipts", rows)


def _mark_delivered(assistant: Assistant, day: date, name: str) -> None:
    with assistant.store.writing() as transaction:
        transaction.execute(
            "update days set delivered_to = list_sort(list_distinct(list_append(coalesce(delivered_to, []), $name))) "
            "where day = $day",
            name=name,
            day=day,
        )
