"""Landing: read new and changed objects, settle which rows count, and mark the days that changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import pyarrow as pa

from cpa_core.errors import DayNeeded, SourceError, SourceUnreadable
from cpa_core.models import Value
from cpa_core.pipeline.context import Assistant
from cpa_core.sources import Listing, Object, Reject, read
from cpa_core.store.database import Row, Transaction

CONTRADICTED = "another object, newer, says something else under the same ids"


class Landed(Value):
    """What a landing found. `lost` counts what was rejected now and holds something a person wrote.

    `removed` names the objects that were there at the last landing; their messages stay.
    """

    objects: int
    read: int
    skipped: int
    removed: tuple[str, ...]
    records: int
    rejected: int
    lost: int
    problems: tuple[str, ...]
    days: tuple[date, ...]


class Unlanded(Value):
    """What a source holds that the store does not know yet, by listing alone."""

    listing: Listing
    fresh: tuple[Object, ...]
    removed: tuple[str, ...]
    returned: tuple[str, ...]
    untimed_days: dict[str, date]

    def __bool__(self) -> bool:
        return bool(self.fresh or self.removed or self.returned)


@dataclass(frozen=True)
class Parsed:
    """One object that was read, with its records as columns; `problem` when it cannot be read as a whole.

    `untimed_day` is the day that its messages without times were given.
    """

    object: Object
    records: int = 0
    columns: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    rejects: Sequence[Reject] = ()
    problem: str | None = None
    untimed_day: date | None = None


def unlanded(assistant: Assistant, wait: float | None = None) -> Unlanded:
    """List the source and compare it with what landed. Raises SourceError, SettingsError, StoreBusy after `wait`."""
    found = assistant.listing()
    rows = _landed_files(assistant, wait)
    known = {(row["uri"], row["etag"]) for row in rows}
    absent = {row["uri"] for row in rows if row["removed_at"]}
    present = {o.uri for o in found.objects}
    gone = {row["uri"] for row in rows} - absent - present
    return Unlanded(
        listing=found,
        fresh=tuple(o for o in found.objects if (o.uri, o.etag) not in known),
        removed=tuple(sorted(uri for uri in gone if found.prefix and uri.startswith(found.prefix))),
        returned=tuple(sorted(absent & present)),
        untimed_days={row["uri"]: row["untimed_day"] for row in rows if row["untimed_day"]},
    )


def _landed_files(assistant: Assistant, wait: float | None) -> list[Row]:
    """The objects that landed; without a store none did, and none is made: a bad source leaves nothing behind."""
    if not assistant.store.exists():
        return []
    with assistant.store.reading(wait) as view:
        return view.rows("select uri, etag, untimed_day, removed_at from landed_files where replaced_at is null")


def land(assistant: Assistant, day: date | None = None) -> Landed:
    """Land what is new in the source. `day` serves messages without times.

    Raises SourceError when the only object cannot be read (of several, the others land), DayNeeded,
    SettingsError when no source is named. Nothing is written when it raises.
    """
    with assistant.store.landing_lock():
        found = unlanded(assistant)
        parsed, unreadable = _parsed(assistant, found, day)
        wrote = _write(assistant, parsed, found) if parsed or found else _Written()
    problems = [*unreadable, *(p.problem for p in parsed if p.problem)]
    problems += [f"{p.object.uri}: {r.place}: {r.reason}" for p in parsed for r in p.rejects if r.loss]
    problems += wrote.contradictions
    harmless = sum(not r.loss for p in parsed for r in p.rejects)
    return Landed(
        objects=len(found.listing.objects),
        read=len(parsed),
        skipped=found.listing.skipped,
        removed=found.removed,
        records=sum(p.records for p in parsed),
        rejected=len(problems) + harmless,
        lost=len(problems),
        problems=tuple(problems),
        days=wrote.days,
    )


def _parsed(assistant: Assistant, found: Unlanded, day: date | None) -> tuple[list[Parsed], list[str]]:
    """The fresh objects, read; and why some could not be fetched: those are tried again by the next run."""
    alone = len(found.listing.objects) == 1
    parsed: list[Parsed] = []
    unreadable: list[str] = []
    with assistant.progress("land", len(found.fresh)) as advance:
        for fresh in found.fresh:
            try:
                parsed.append(_read(assistant, fresh, _untimed_day(assistant, found, fresh, day)))
            except SourceError as error:
                if alone:
                    raise
                if isinstance(error, SourceUnreadable):
                    unreadable.append(str(error))
                else:
                    parsed.append(Parsed(object=fresh, problem=str(error)))
            advance()
    return parsed, unreadable


def _read(assistant: Assistant, fresh: Object, named: date | None) -> Parsed:
    zone = assistant.settings.zone
    midnight = datetime.combine(named, time(), zone).astimezone(UTC) if named else None
    try:
        found = read(assistant.file(fresh.uri, fresh.read()), midnight)
    except DayNeeded as needed:
        needed.example = fresh.modified_at.astimezone(zone).date()
        raise
    records = found.records
    assumed = any(records["time_assumed"].unique().to_pylist())
    columns = dict(zip(records.column_names, records.columns, strict=True))
    return Parsed(fresh, records.num_rows, columns, found.rejects, untimed_day=named if assumed else None)


def _untimed_day(assistant: Assistant, found: Unlanded, fresh: Object, day: date | None) -> date | None:
    """The day of messages without times: the path's, the caller's, that of the landing before, the object's own."""
    modified = fresh.modified_at.astimezone(assistant.settings.zone).date()
    own = modified if assistant.settings.modified_day else None
    return fresh.day or day or found.untimed_days.get(fresh.uri) or own


@dataclass(frozen=True)
class _Written:
    days: tuple[date, ...] = ()
    contradictions: tuple[str, ...] = ()


def _write(assistant: Assistant, parsed: Sequence[Parsed], found: Unlanded) -> _Written:
    now = assistant.now()
    with assistant.store.writing() as transaction:
        transaction.execute("create temp table touched (conversation_id varchar)")
        transaction.execute("create temp table fresh (uri varchar, etag varchar, problem varchar)")
        _mark_removed(transaction, found, now)
        _replace_objects(transaction, parsed, now)
        contradictions = _settle(transaction, now)
        dirty = _dirty_days(transaction, assistant.settings.timezone)
        mark_days(transaction, dirty, "landed")
        _record_days(transaction)
    return _Written(tuple(sorted(dirty)), tuple(contradictions))


def _mark_removed(transaction: Transaction, found: Unlanded, now: datetime) -> None:
    mark = "update landed_files set removed_at = $at where replaced_at is null and list_contains($uris::varchar[], uri)"
    if found.removed:
        transaction.execute(mark, at=now, uris=list(found.removed))
    if found.returned:
        transaction.execute(mark, at=None, uris=list(found.returned))


def _replace_objects(transaction: Transaction, parsed: Sequence[Parsed], now: datetime) -> None:
    """The new version of an object takes the place of the old one, unless it cannot be read as a whole."""
    transaction.insert("fresh", [{"uri": p.object.uri, "etag": p.object.etag, "problem": p.problem} for p in parsed])
    transaction.execute(
        "insert into touched select distinct conversation_id from landed_messages "
        "where uri in (select uri from fresh where problem is null)"
    )
    transaction.execute("delete from landed_messages where uri in (select uri from fresh where problem is null)")
    transaction.execute(
        "update landed_files set replaced_at = $now from fresh where landed_files.uri = fresh.uri "
        "and replaced_at is null and (fresh.problem is null or landed_files.problem is not null)",
        now=now,
    )
    transaction.execute(
        "delete from rejected_records where uri in (select uri from fresh) "
        "and (uri, etag) not in (select (uri, etag) from landed_files where replaced_at is null)"
    )
    transaction.insert("landed_files", [_file_row(p, now) for p in parsed])
    for p in parsed:
        same = {name: _repeated(text, p.records) for name, text in (("uri", p.object.uri), ("etag", p.object.etag))}
        transaction.insert_columns("landed_messages", {**p.columns, **same})
    transaction.insert("rejected_records", [row for p in parsed for row in _reject_rows(p, now)])
    transaction.execute(
        "insert into touched select distinct conversation_id from landed_messages where uri in (select uri from fresh)"
    )


def _repeated(text: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), times), pa.array([text]))


def _file_row(parsed: Parsed, now: datetime) -> Row:
    return {
        "uri": parsed.object.uri,
        "etag": parsed.object.etag,
        "size": parsed.object.size,
        "modified_at": parsed.object.modified_at,
        "landed_at": now,
        "records": parsed.records,
        "rejected": len(parsed.rejects) + bool(parsed.problem),
        "problem": parsed.problem,
        "untimed_day": parsed.untimed_day,
    }


def _reject_rows(parsed: Parsed, now: datetime) -> list[Row]:
    where = {"uri": parsed.object.uri, "etag": parsed.object.etag, "rejected_at": now}
    rows: list[Row] = [where | {"place": r.place, "reason": r.reason, "raw": r.raw} for r in parsed.rejects]
    return rows + ([where | {"place": "", "reason": parsed.problem}] if parsed.problem else [])


def _settle(transaction: Transaction, now: datetime) -> list[str]:
    """Where several objects hold a conversation, which rows count; the new contradictions."""
    transaction.answer("shared_conversations")
    if not transaction.rows("select 1 from shared limit 1"):
        return []
    transaction.answer("settle_messages", now=now)
    return _reject_contradictions(transaction, now)


def _reject_contradictions(transaction: Transaction, now: datetime) -> list[str]:
    """Record the contradictions that hold now, forget those that do not, and name the new ones."""
    before = transaction.answer("contradictions_known", reason=CONTRADICTED)
    known = {(row["uri"], row["etag"], row["place"]) for row in before}
    found = transaction.answer("contradictions")
    transaction.answer("contradictions_forgotten", reason=CONTRADICTED)
    transaction.insert("rejected_records", [row | {"reason": CONTRADICTED, "rejected_at": now} for row in found])
    new = [row for row in found if (row["uri"], row["etag"], row["place"]) not in known]
    return [f"{row['uri']}: {row['place']}: {CONTRADICTED}" for row in new]


def _dirty_days(transaction: Transaction, zone: str) -> set[date]:
    """Compare the touched conversations with what they were; both days of one that moved are dirty."""
    before = transaction.rows(
        "select * from landed_conversations where conversation_id in (select conversation_id from touched)"
    )
    after = transaction.answer("touched_conversations", zone=zone)
    old = {row["conversation_id"]: row for row in before}
    new = {row["conversation_id"]: row for row in after}
    changed = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
    transaction.execute(
        "delete from landed_conversations where conversation_id in (select conversation_id from touched)"
    )
    transaction.insert("landed_conversations", after)
    return {state[key]["day"] for key in changed for state in (old, new) if key in state}


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
        "  select m.uri, list(distinct c.day::varchar order by c.day::varchar) as days"
        "  from landed_messages m join landed_conversations c using (conversation_id)"
        "  where m.uri in (select uri from fresh where problem is null) group by m.uri"
        ") as found where landed_files.uri = found.uri and landed_files.replaced_at is null"
    )
