"""Delivering a day: a complete day only, a pending row before each event, a receipt after it."""

import json
from collections.abc import Sequence
from datetime import date

from cpa_core.destinations import Destination, destination
from cpa_core.errors import DayIncomplete
from cpa_core.events import JudgedRow, TaggedRow, of_judgment, of_tags
from cpa_core.models import SETTLED_STATUSES, Event, Receipt, Value
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


def open_work(assistant: Assistant, day: date) -> list[Row]:
    """Why the day may not be delivered yet: conversation, stage and reason; empty when it is complete."""
    with assistant.store.reading() as view:
        return view.answer("incomplete", day=day)


def deliver_day(assistant: Assistant, day: date, *, deliver_incomplete: bool = False) -> Delivered:
    """Send the day's events that have no settled receipt. Raises DayIncomplete, DestinationStopped."""
    with assistant.store.day_lock(day):
        unfinished = open_work(assistant, day)
        if unfinished and not deliver_incomplete:
            reasons = sorted({f"{row['stage']}: {row['reason']}" for row in unfinished})
            raise DayIncomplete(f"{day}: not delivered: {len(unfinished)} open ({'; '.join(reasons)})")
        events = events_of_day(assistant, day)
        counts = [_deliver(assistant, name, day, events) for name in assistant.settings.destinations]
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


def _deliver(assistant: Assistant, name: str, day: date, events: Sequence[Event]) -> Delivered:
    place = destination(name, assistant.settings.home, assistant.settings.environ)
    known = _known(assistant, name, place, events)
    waiting = [
        e for e in events if known.get((e.event_id, e.payload_hash), ("", 0))[0] not in SETTLED_STATUSES
    ]
    receipts: list[Receipt] = []
    with assistant.progress("deliver", len(waiting)) as advance:
        for start in range(0, len(waiting), place.batch):
            batch = waiting[start : start + place.batch]
            receipts += _send(assistant, name, day, place, batch, known)
            for _ in batch:
                advance()
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


def _known(
    assistant: Assistant, name: str, place: Destination, events: Sequence[Event]
) -> dict[tuple[str, str], tuple[str, int]]:
    """Status and attempts of what the ledger holds, by event id and payload hash."""
    ids = [event.event_id for event in events]
    with assistant.store.reading() as view:
        rows = view.answer("receipts_known", destination=name, project=place.project, events=ids)
    return {(row["event_id"], row["payload_hash"]): (row["status"], row["attempts"]) for row in rows}


def _send(
    assistant: Assistant,
    name: str,
    day: date,
    place: Destination,
    batch: Sequence[Event],
    known: dict[tuple[str, str], tuple[str, int]],
) -> list[Receipt]:
    """Write pending rows, send, and write what the destination answered over them."""

    def row(event: Event, receipt: Receipt) -> Row:
        attempts = known.get((event.event_id, event.payload_hash), ("", 0))[1]
        identity = {"destination": name, "project": place.project, "day": day, "event_name": event.name}
        times = {"sent_timestamp": event.sent_at, "receipted_at": assistant.now(), "attempts": attempts + 1}
        return identity | times | receipt.model_dump()

    pending = [Receipt(event_id=e.event_id, payload_hash=e.payload_hash, status="pending") for e in batch]
    _write(assistant, name, place, [row(e, r) for e, r in zip(batch, pending, strict=True)])
    receipts = place.send(batch)
    _write(assistant, name, place, [row(e, r) for e, r in zip(batch, receipts, strict=True)])
    return receipts


def _write(assistant: Assistant, name: str, place: Destination, rows: Sequence[Row]) -> None:
    with assistant.store.writing() as transaction:
        transaction.execute("create temp table written (event_id varchar, payload_hash varchar)")
        keys = [{"event_id": row["event_id"], "payload_hash": row["payload_hash"]} for row in rows]
        transaction.insert("written", keys)
        transaction.execute(
            "delete from upload_receipts where destination = $name and project = $project "
            "and (event_id, payload_hash) in (select (event_id, payload_hash) from written)",
            name=name,
            project=place.project,
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
