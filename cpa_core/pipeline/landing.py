"""Landing: read new and changed objects, settle which rows count, and mark the days that changed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from cpa_core.errors import DayNeeded, SettingsError, SourceError
from cpa_core.models import Value
from cpa_core.pipeline.context import Assistant
from cpa_core.sources import Listing, Object, Record, Reject, listing, parse
from cpa_core.store.database import Row, Transaction

CONTRADICTED = "another object, newer, says something else under the same ids"


class Landed(Value):
    """What a landing found. `lost` counts records rejected now that hold something a person wrote."""

    objects: int
    read: int
    skipped: int
    removed: tuple[str, ...]
    records: int
    rejected: int
    lost: int
    problems: tuple[str, ...]
    days: tuple[date, ...]


class Parsed(Value):
    """One object that was read, with its records; `problem` when it cannot be read as a whole."""

    object: Object
    records: tuple[Record, ...] = ()
    rejects: tuple[Reject, ...] = ()
    problem: str = ""


def land(assistant: Assistant, day: date | None = None) -> Landed:
    """Land what is new in the source. `day` serves messages without times.

    Raises SourceError when the only object cannot be read (of several, the others land), DayNeeded,
    SettingsError when no source is named. Nothing is written when it raises.
    """
    source = assistant.settings.source
    if not source:
        raise SettingsError("no source is named: cpa run SOURCE, or CPA_SOURCE")
    with assistant.store.landing_lock():
        found = listing(source)
        with assistant.store.reading() as view:
            known = view.rows(
                "select uri, etag, modified_at, removed_at from landed_files where replaced_at is null"
            )
        etags = {row["uri"]: row["etag"] for row in known}
        fresh = [o for o in found.objects if etags.get(o.uri) != o.etag]
        parsed = _parsed(assistant, fresh, day, alone=len(found.objects) == 1)
        present = {o.uri for o in found.objects}
        removed = [uri for uri in etags if uri.startswith(found.root) and uri not in present]
        days = _write(assistant, parsed, removed, present) if parsed or removed else []
    return _summary(found, parsed, removed, days)


def _summary(
    found: Listing, parsed: Sequence[Parsed], removed: Sequence[str], days: Sequence[date]
) -> Landed:
    lost = [f"{p.object.uri}: {r.place}: {r.reason}" for p in parsed for r in p.rejects if r.loss]
    broken = [p.problem for p in parsed if p.problem]
    return Landed(
        objects=len(found.objects),
        read=len(parsed),
        skipped=found.skipped,
        removed=tuple(removed),
        records=sum(len(p.records) for p in parsed),
        rejected=sum(len(p.rejects) for p in parsed) + len(broken),
        lost=len(lost) + len(broken),
        problems=tuple(broken + lost),
        days=tuple(days),
    )


def _parsed(assistant: Assistant, fresh: Sequence[Object], day: date | None, *, alone: bool) -> list[Parsed]:
    parsed: list[Parsed] = []
    with assistant.progress("land", len(fresh)) as advance:
        for found in fresh:
            try:
                records, rejects = parse(found.uri, found.read(), _midnight(assistant, found, day))
                parsed.append(Parsed(object=found, records=tuple(records), rejects=tuple(rejects)))
            except DayNeeded as needed:
                needed.example = found.modified_at.astimezone(assistant.settings.zone).date()
                raise
            except SourceError as error:
                if alone:
                    raise
                parsed.append(Parsed(object=found, problem=str(error)))
            advance()
    return parsed


def _midnight(assistant: Assistant, found: Object, day: date | None) -> datetime | None:
    """The start of the day for messages without times: the path's, the caller's, or the object's own."""
    zone = assistant.settings.zone
    modified = found.modified_at.astimezone(zone).date() if assistant.settings.modified_day else None
    named = found.day or day or modified
    return datetime.combine(named, time(), zone).astimezone(UTC) if named else None


def _write(
    assistant: Assistant, parsed: Sequence[Parsed], removed: Sequence[str], present: set[str]
) -> list[date]:
    now = assistant.now()
    with assistant.store.writing() as transaction:
        transaction.execute("create temp table touched (conversation_id varchar)")
        transaction.execute("create temp table fresh (uri varchar, etag varchar)")
        _mark_removed(transaction, removed, present, now)
        _replace_objects(transaction, parsed, now)
        transaction.answer("settle_messages", now=now)
        for row in transaction.answer("contradictions", reason=CONTRADICTED):
            transaction.insert("rejected_records", [row | {"reason": CONTRADICTED, "rejected_at": now}])
        dirty = _dirty_days(transaction, assistant.settings.timezone)
        mark_days(transaction, dirty, "landed")
        _record_days(transaction)
    return sorted(dirty)


def _mark_removed(transaction: Transaction, removed: Sequence[str], present: set[str], now: datetime) -> None:
    transaction.execute(
        "update landed_files set removed_at = $now "
        "where list_contains($uris::varchar[], uri) and removed_at is null and replaced_at is null",
        now=now,
        uris=list(removed),
    )
    transaction.execute(
        "update landed_files set removed_at = null where list_contains($uris::varchar[], uri)",
        uris=sorted(present),
    )


def _replace_objects(transaction: Transaction, parsed: Sequence[Parsed], now: datetime) -> None:
    transaction.insert("fresh", [{"uri": p.object.uri, "etag": p.object.etag} for p in parsed])
    transaction.execute(
        "insert into touched select distinct conversation_id from landed_messages "
        "where uri in (select uri from fresh)"
    )
    transaction.execute("delete from landed_messages where (uri, etag) in (select (uri, etag) from fresh)")
    transaction.execute(
        "update landed_files set replaced_at = $now where replaced_at is null and uri in (select uri from fresh)",
        now=now,
    )
    transaction.insert("landed_files", [_file_row(p, now) for p in parsed])
    for p in parsed:
        transaction.insert("landed_messages", [_message_row(p.object, r) for r in p.records])
    transaction.insert("rejected_records", [row for p in parsed for row in _reject_rows(p, now)])
    transaction.execute(
        "insert into touched select distinct conversation_id from landed_messages "
        "where (uri, etag) in (select (uri, etag) from fresh)"
    )


def _file_row(parsed: Parsed, now: datetime) -> Row:
    return {
        "uri": parsed.object.uri,
        "etag": parsed.object.etag,
        "size": parsed.object.size,
        "modified_at": parsed.object.modified_at,
        "landed_at": now,
        "records": len(parsed.records),
        "rejected": len(parsed.rejects) + bool(parsed.problem),
    }


def _message_row(found: Object, record: Record) -> Row:
    fields: dict[str, Any] = record.model_dump(exclude={"metadata"})
    extra = record.model_dump_json(include={"metadata"}) if record.metadata else None
    return fields | {"uri": found.uri, "etag": found.etag, "metadata": extra}


def _reject_rows(parsed: Parsed, now: datetime) -> list[Row]:
    where = {"uri": parsed.object.uri, "etag": parsed.object.etag, "rejected_at": now}
    rows = [where | reject.model_dump(include={"place", "reason", "raw"}) for reject in parsed.rejects]
    return rows + ([where | {"place": "", "reason": parsed.problem}] if parsed.problem else [])


def _dirty_days(transaction: Transaction, zone: str) -> set[date]:
    """Compare the touched conversations with what they were; both days of one that moved are dirty."""
    before = transaction.rows(
        "select conversation_id, day, content_hash from landed_conversations "
        "where conversation_id in (select conversation_id from touched)"
    )
    after = transaction.answer("touched_conversations", zone=zone)
    old = {row["conversation_id"]: (row["day"], row["content_hash"]) for row in before}
    new = {row["conversation_id"]: (row["day"], row["content_hash"]) for row in after}
    changed = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
    transaction.execute(
        "delete from landed_conversations where conversation_id in (select conversation_id from touched)"
    )
    transaction.insert("landed_conversations", after)
    return {state[key][0] for key in changed for state in (old, new) if key in state}


def mark_days(transaction: Transaction, days: set[date], reason: str) -> None:
    """Raise the generation of these days."""
    transaction.execute(
        "update days set generation = generation + 1, reason = $reason where list_contains($days::date[], day)",
        days=sorted(days),
        reason=reason,
    )
    known = {row["day"] for row in transaction.rows("select day from days")}
    fresh = [{"day": day, "generation": 1, "reason": reason} for day in sorted(days - known)]
    transaction.insert("days", fresh)


def _record_days(transaction: Transaction) -> None:
    transaction.execute(
        "update landed_files set days = found.days from ("
        "  select m.uri, m.etag, list(distinct c.day::varchar order by c.day::varchar) as days"
        "  from landed_messages m join landed_conversations c using (conversation_id)"
        "  where (m.uri, m.etag) in (select (uri, etag) from fresh) group by all"
        ") as found where landed_files.uri = found.uri and landed_files.etag = found.etag"
    )
