"""Delivering a day: a complete day only, a pending row before each event, a receipt after it."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cpa_core.destinations import Destination, destination
from cpa_core.destinations.sending import MAX_DETAIL
from cpa_core.errors import DayIncomplete, DestinationStopped
from cpa_core.models import EVENT_NAMESPACE, PERHAPS_STORED, SETTLED_STATUSES, Event, Receipt, Replaces, Value
from cpa_core.pipeline.composing import events_of_day
from cpa_core.pipeline.context import Assistant
from cpa_core.pipeline.reconciling import reconciled
from cpa_core.store.database import Row

CHUNK = 10
"""Batches whose pending rows are written in one transaction: the ledger's file is rewritten by each."""
FLUSH = timedelta(seconds=2)
"""How long answers may wait to be written: what a kill can make us send a second time."""


class Delivered(Value):
    """What delivering a day came to, over all destinations. `stale` is what is there and no longer true."""

    events: int
    sent: int
    already: int
    accepted: int
    rejected: int
    open: int
    stale: int


@dataclass(frozen=True)
class Ledger:
    """What was sent to a destination before, by event id: one row a payload, in the order of their receipts."""

    rows: Mapping[str, Sequence[Row]]
    replaces: Replaces
    retry_rejected: bool = False

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
        if row["status"] == "rejected" and self.retry_rejected:
            return False
        later = [other for other in self.others(event) if other["receipted_at"] > row["receipted_at"]]
        return self.replaces == "never" or row["status"] == "rejected" or not later

    def sent_id(self, event: Event) -> str:
        """The id to send under. Where nothing is replaced, a corrected payload needs one of its own."""
        if self.replaces != "never" or event.event_id not in self.rows:
            return event.event_id
        row = self.row(event)
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

    def addressed(self, event: Event) -> Event:
        """The event under the id that it is sent with."""
        sent_id = self.ledger.sent_id(event)
        return event if sent_id == event.event_id else event.model_copy(update={"event_id": sent_id})

    def row(self, event: Event, receipt: Receipt) -> Row:
        """The receipt as the ledger keeps it."""
        before = self.ledger.row(event)
        return {
            **dict(receipt),
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


def deliver_day(
    assistant: Assistant, day: date, *, deliver_incomplete: bool = False, retry_rejected: bool = False
) -> Delivered:
    """Send the day's events that have no settled receipt, or were rejected if that is asked, to every destination.

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
                ledger = known_receipts(assistant, name, place, events, retry_rejected=retry_rejected)
                counts.append(_deliver(Delivery(assistant, name, place, day, ledger), events))
            except DestinationStopped as stop:
                stops.append(str(stop))
    if stops:
        raise DestinationStopped(f"{day}: {'; '.join(stops)}")
    totals = {key: sum(getattr(count, key) for count in counts) for key in Delivered.model_fields}
    stale = sum(line.stale for line in reconciled(assistant, [day]) if line.destination in places)
    return Delivered(**totals | {"events": len(events), "stale": stale})


def _deliver(delivery: Delivery, events: Sequence[Event]) -> Delivered:
    waiting = [event for event in events if not delivery.ledger.is_settled(event)]
    statuses: list[str] = []
    with delivery.assistant.progress("deliver", len(waiting)) as advance:
        for chunk in _parts(waiting, delivery.place.batch * CHUNK):
            statuses += _send(delivery, chunk, advance)
    unsettled = sum(status not in SETTLED_STATUSES for status in statuses)
    if not unsettled:
        _mark_delivered(delivery.assistant, delivery.day, delivery.name)
    return Delivered(
        events=len(events),
        sent=len(statuses),
        already=len(events) - len(waiting),
        accepted=sum(status.startswith("accepted") for status in statuses),
        rejected=statuses.count("rejected"),
        open=unsettled,
        stale=0,
    )


def _parts(events: Sequence[Event], size: int) -> list[Sequence[Event]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


def known_receipts(
    assistant: Assistant, name: str, place: Destination, events: Sequence[Event], *, retry_rejected: bool = False
) -> Ledger:
    """What became of these events at a destination so far."""
    ids = json.dumps([event.event_id for event in events])
    with assistant.store.reading() as view:
        found = view.answer("receipts_known", destination=name, project=place.project, events=ids)
    rows: dict[str, list[Row]] = {}
    for row in found:
        rows.setdefault(row["event_id"], []).append(row)
    return Ledger(rows=rows, replaces=place.replaces, retry_rejected=retry_rejected)


def _send(delivery: Delivery, chunk: Sequence[Event], advance: Callable[[], None]) -> list[str]:
    """Write pending rows, send batch by batch, and write what was answered over them: the statuses.

    When the destination stops, the answers before that are kept and the other events are as they were.
    """
    statuses: list[str] = []
    rows: list[Row] = []
    written_at = delivery.assistant.now()
    _write(delivery, [delivery.row(event, _unsent(event, "pending")) for event in chunk])
    for number, batch in enumerate(_parts(chunk, delivery.place.batch), 1):
        answered: dict[str, Receipt] = {}
        try:
            for receipt in delivery.place.send([delivery.addressed(event) for event in batch]):
                answered[receipt.event_id] = receipt
                advance()
        except DestinationStopped as stop:
            rows += [_row_when_stopped(delivery, event, answered, str(stop)) for event in batch]
            _write(delivery, rows, untried=chunk[number * delivery.place.batch :])
            raise
        receipts = [_receipt(delivery.ledger, event, answered) for event in batch]
        statuses += [receipt.status for receipt in receipts]
        rows += [delivery.row(event, receipt) for event, receipt in zip(batch, receipts, strict=True)]
        if delivery.assistant.now() - written_at >= FLUSH:
            _write(delivery, rows)
            rows, written_at = [], delivery.assistant.now()
    _write(delivery, rows)
    return statuses


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


def _write(delivery: Delivery, rows: Sequence[Row], untried: Sequence[Event] = ()) -> None:
    """Put these rows in the place of those before; of events that were not tried, the row from before, or none."""
    before = [(event, delivery.ledger.row(event)) for event in untried]
    kept = [*rows, *(row for _, row in before if row)]
    keys = [{"event_id": row["event_id"], "payload_hash": row["payload_hash"]} for row in rows]
    keys += [{"event_id": event.event_id, "payload_hash": event.payload_hash} for event in untried]
    if not keys:
        return
    with delivery.assistant.store.writing() as transaction:
        transaction.execute("create temp table written (event_id varchar, payload_hash varchar)")
        transaction.insert("written", keys)
        transaction.execute(
            "delete from upload_receipts where destination = $name and project = $project "
            "and (event_id, payload_hash) in (select (event_id, payload_hash) from written)",
            name=delivery.name,
            project=delivery.place.project,
        )
        transaction.insert("upload_receipts", kept)


def _mark_delivered(assistant: Assistant, day: date, name: str) -> None:
    with assistant.store.writing() as transaction:
        transaction.execute(
            "update days set delivered_to = list_sort(list_distinct(list_append(coalesce(delivered_to, []), $name))) "
            "where day = $day",
            name=name,
            day=day,
        )
