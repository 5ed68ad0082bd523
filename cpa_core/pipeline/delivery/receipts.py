"""The ledger of receipts: the receipts of events at a destination, and the writing of new ones."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cpa_core.destinations import Destination
from cpa_core.destinations.sending import MAX_DETAIL
from cpa_core.models import EVENT_NAMESPACE, PERHAPS_STORED, SETTLED_STATUSES, Event, Receipt, Replaces
from cpa_core.pipeline.assistant import Assistant
from cpa_core.selection import EVERYTHING, DeliveryFilter
from cpa_core.store.database import Row

Key = tuple[str, str]
"""The id and the payload hash of an event: with destination and project, the key of its row."""


def key_of(event: Event) -> Key:
    """An event's key."""
    return event.event_id, event.payload_hash


@dataclass(frozen=True)
class Ledger:
    """The earlier receipts of a destination by event id: one row for each payload, in the order of their receipts."""

    rows: Mapping[str, Sequence[Row]]
    replaces: Replaces
    retry_rejected: bool = False

    def row(self, event: Event) -> Row | None:
        """The row of this very payload."""
        rows = self.rows.get(event.event_id)
        return next((r for r in rows if r["payload_hash"] == event.payload_hash), None) if rows else None

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
        if _is_withdrawn(row):
            return False
        later = [o for o in self._replacing(event) if o["receipted_at"] > row["receipted_at"]]
        return self.replaces == "never" or row["status"] == "rejected" or not later

    def sent_id(self, event: Event) -> str:
        """Return the id to send under.

        If the destination replaces nothing, a corrected payload needs an id of its own.
        """
        if self.replaces != "never" or event.event_id not in self.rows:
            return event.event_id
        row = self.row(event)
        if row and _is_withdrawn(row):
            return str(uuid.uuid5(EVENT_NAMESPACE, json.dumps([event.event_id, event.payload_hash, row["sent_id"]])))
        if row and row["sent_id"] and row["status"] in PERHAPS_STORED:
            return str(row["sent_id"])
        if self.others(event):
            return str(uuid.uuid5(EVENT_NAMESPACE, json.dumps([event.event_id, event.payload_hash])))
        return event.event_id

    def stale(self, event: Event) -> str:
        """Return a warning if an earlier version stays at the destination beside this event; else an empty text."""
        others = [o for o in self.others(event) if not o["withdraws"] and not _is_withdrawn(o)]
        moved = [o for o in others if _is_moved(o, event)]
        if self.replaces == "never" and others:
            return "corrected: the version sent before stays there"
        if self.replaces == "same_name_and_day" and moved:
            return "corrected: the version sent before, of another name or day, stays there"
        return ""

    def _replacing(self, event: Event) -> list[Row]:
        """Return the rows of other payloads that the destination replaces by this event."""
        moves = self.replaces == "same_name_and_day"
        return [other for other in self.others(event) if not (moves and _is_moved(other, event))]

    def addressed(self, event: Event) -> Event:
        """The event under the id that it is sent with."""
        sent_id = self.sent_id(event)
        return event if sent_id == event.event_id else event.model_copy(update={"event_id": sent_id})

    def receipt(self, event: Event, answered: Mapping[str, Receipt]) -> Receipt:
        """Return the event's receipt, with a warning if an earlier version of it stays there."""
        receipt = answered.get(self.sent_id(event)) or unsent(event, "unknown", "the destination gave no receipt")
        stale = self.stale(event) if event.event_id in self.rows and not event.withdraws else ""
        if stale and receipt.status.startswith("accepted"):
            detail = "; ".join(part for part in (stale, receipt.detail) if part)
            return receipt.model_copy(update={"status": "accepted_warning", "detail": detail})
        return receipt


def _is_withdrawn(row: Row) -> bool:
    return row["withdrawn_at"] is not None and row["withdrawn_at"] >= row["receipted_at"]


def _is_moved(row: Row, event: Event) -> bool:
    return bool(row["event_name"] != event.name or row["sent_timestamp"].date() != event.sent_at.date())


def unsent(event: Event, status: str, detail: str = "") -> Receipt:
    """A receipt of our own, where the destination gave none."""
    return Receipt.model_validate(
        {"event_id": event.event_id, "payload_hash": event.payload_hash, "status": status, "detail": detail}
    )


@dataclass(frozen=True)
class Book:
    """The rows of one destination. Each method is one transaction."""

    assistant: Assistant
    name: str
    place: Destination
    selection: DeliveryFilter = EVERYTHING
    retry_rejected: bool = False

    def known(self, events: Sequence[Event]) -> Ledger:
        """Return the earlier receipts of these events at the destination."""
        ids = json.dumps([event.event_id for event in events])
        with self.assistant.store.reading() as view:
            found = view.answer(
                "delivery/receipts_known", destination=self.name, project=self.place.project, events=ids
            )
        rows: dict[str, list[Row]] = {}
        for row in found:
            rows.setdefault(row["event_id"], []).append(row)
        return Ledger(rows=rows, replaces=self.place.replaces, retry_rejected=self.retry_rejected)

    def write_pending(self, ledger: Ledger, events: Sequence[Event]) -> None:
        """Say of these events that they may be there from now on."""
        pending = unsent(events[0], "pending") if events else None
        before = [key_of(event) for event in events if event.event_id in ledger.rows]
        self._write(before, self.columns(ledger, [(event, pending) for event in events if pending]))

    def columns(self, ledger: Ledger, answers: Sequence[tuple[Event, Receipt]]) -> dict[str, list[Any]]:
        """The ledger's rows of these events, as columns."""
        events = [event for event, _ in answers]
        receipts = [receipt for _, receipt in answers]
        before = [ledger.row(event) if event.event_id in ledger.rows else None for event in events]
        at, count = self.assistant.now(), len(answers)
        return {
            "event_id": [event.event_id for event in events],
            "payload_hash": [event.payload_hash for event in events],
            "sent_id": [ledger.sent_id(event) for event in events],
            "event_name": [event.name for event in events],
            "distinct_id": [event.distinct_id for event in events],
            "identified": [event.identified for event in events],
            "conversation_id": [event.conversation_id for event in events],
            "message_id": [event.message_id for event in events],
            "withdraws": [event.withdraws for event in events],
            "sent_timestamp": [event.sent_at for event in events],
            "status": [receipt.status for receipt in receipts],
            "http_status": [receipt.http_status for receipt in receipts],
            "detail": [receipt.detail[:MAX_DETAIL] for receipt in receipts],
            "batch_id": [receipt.batch_id for receipt in receipts],
            "attempts": [(row["attempts"] if row else 0) + 1 for row in before],
            "destination": [self.name] * count,
            "project": [self.place.project] * count,
            "day": [event.day for event in events],
            "receipted_at": [at] * count,
        }

    def write(self, columns: Mapping[str, list[Any]]) -> None:
        """Put these rows in the place of those of the same keys."""
        self._write(list(zip(columns["event_id"], columns["payload_hash"], strict=True)), columns)

    def put_back(self, ledger: Ledger, untried: Sequence[Event]) -> None:
        """Restore the earlier row, or none, of events that were not tried."""
        rows = [row for event in untried if (row := ledger.row(event))]
        names = rows[0].keys() - {"withdrawn_at"} if rows else ()
        self._write([key_of(event) for event in untried], {name: [row[name] for row in rows] for name in names})

    def _write(self, replaced: Sequence[Key], columns: Mapping[str, list[Any]]) -> None:
        if ledger := self.assistant.store.ledger:
            ledger.replace_receipts((self.name, self.place.project), list(replaced), dict(columns))
            return
        with self.assistant.store.writing() as transaction:
            if replaced:
                transaction.answer("delivery/written_receipts")
                ids, hashes = zip(*replaced, strict=True)
                transaction.insert_columns("written", {"event_id": ids, "payload_hash": hashes})
                transaction.answer(
                    "delivery/delete_written",
                    name=self.name,
                    project=self.place.project,
                )
            transaction.insert_columns("upload_receipts", columns)

    def mark_delivered(self, days: Sequence[date]) -> None:
        """Record that the destination has all events of these days."""
        if not days:
            return
        with self.assistant.store.writing() as transaction:
            transaction.answer("delivery/mark_delivered", name=self.name, days=list(days))
