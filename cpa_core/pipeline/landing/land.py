"""Landing: read new and changed objects, settle which rows count, and mark the days that changed."""

import gc
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any

import pyarrow as pa

from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.landing import without_forgotten
from cpa_core.pipeline.forgetting.tombstones import tombstones
from cpa_core.pipeline.landing.fetch import Parsed, in_parts, read_in_order
from cpa_core.pipeline.landing.identify import (
    forget_repeated,
    keep_message_ids,
    mark_repeated,
    named_part,
    note_new_home,
    note_spoken,
    reads_sessions,
    remember,
    remember_traces,
)
from cpa_core.pipeline.landing.roles import roles_warning
from cpa_core.pipeline.landing.sessions import cut_sessions, is_other_gap, note_users, spanning
from cpa_core.settings import Settings
from cpa_core.settings.addresses import is_database
from cpa_core.sources import Listing, Object
from cpa_core.sources.archives import archive_of
from cpa_core.sources.databases import LandedRange
from cpa_core.sources.identity import Identified
from cpa_core.sources.objects import traces_first
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction

MOST_NOTES = 5
YOUNG = 0
"""The generation of Python's values that were made since the collection before."""
SELDOM = 20_000_000
KNOWN_BEFORE = {"map", "format", "zone"}
"""The reading settings that existed before the store recorded them."""
CONTRADICTED = "another object, newer, says something else under the same ids"


class Landed(Value):
    """The result of a landing. `lost` counts records rejected now that contain a person's text.

    `removed` lists objects that have disappeared since the last landing; their messages stay. `warnings` list
    assumptions and suspicious findings. `untold` counts conversations that cannot be distinguished from known ones:
    each stays separate.
    """

    objects: int
    read: int
    skipped: int
    others: tuple[str, ...]
    removed: tuple[str, ...]
    records: int
    rejected: int
    lost: int
    problems: tuple[str, ...]
    days: tuple[date, ...]
    warnings: tuple[str, ...] = ()
    untold: int = 0


class Unlanded(Value):
    """The source's objects that the store does not know yet, found by listing alone."""

    listing: Listing
    fresh: tuple[Object, ...]
    removed: tuple[str, ...]
    returned: tuple[str, ...]
    untimed_days: dict[str, date]

    def __bool__(self) -> bool:
        return bool(self.fresh or self.removed or self.returned)


def unlanded(assistant: Assistant, wait: float | None = None) -> Unlanded:
    """List the source and compare it with the landed objects.

    Raises SourceError, SettingsError, StoreBusy after `wait`.
    """
    rows = _landed_files(assistant.store, wait)
    read_so = {(row["uri"], row["etag"]): row["reading"] for row in rows}
    found = assistant.listing(_ranges(assistant, rows, read_so))
    absent = {row["uri"] for row in rows if row["removed_at"]}
    stones = tombstones(assistant.store)
    present = {o.uri for o in found.objects}
    gone = {row["uri"] for row in rows if archive_of(row["uri"]) not in present} - absent
    return Unlanded(
        listing=found,
        fresh=tuple(
            o
            for o in found.objects
            if _is_fresh(read_so, (o.uri, o.etag), assistant.reading) and not stones.holds("object", o.uri)
        ),
        removed=tuple(sorted(uri for uri in gone if found.prefix and uri.startswith(found.prefix))),
        returned=tuple(sorted(uri for uri in absent if archive_of(uri) in present)),
        untimed_days={row["uri"]: row["untimed_day"] for row in rows if row["untimed_day"]},
    )


def _is_fresh(read_so: Mapping[tuple[str, str], str | None], key: tuple[str, str], now: str) -> bool:
    """Return whether an object is new, has changed, or was read under other settings.

    Without such settings, read objects stay. An earlier version knew no roles and recorded nothing.
    """
    if key not in read_so:
        return True
    before = read_so[key]
    return bool(now) and before != now and (before is not None or not json.loads(now).keys() <= KNOWN_BEFORE)


def _landed_files(store: Store, wait: float | None) -> list[Row]:
    """The objects that landed; without a store none did, and none is made: a bad source leaves nothing behind."""
    if not store.exists():
        return []
    with store.reading(wait) as view:
        return view.answer("landing/objects_landed")


def _ranges(
    assistant: Assistant, rows: Sequence[Row], read_so: Mapping[tuple[str, str], str | None]
) -> list[LandedRange]:
    """The ranges of a database that landed; none for any other source."""
    if not is_database(assistant.settings.source):
        return []
    return [
        LandedRange(
            **{name: row[name] for name in ("uri", "etag", "modified_at", "landed_at")},
            current=not _is_fresh(read_so, (row["uri"], row["etag"]), assistant.reading),
        )
        for row in rows
    ]


def land(assistant: Assistant, day: date | None = None) -> Landed:
    """Land new objects of the source, part by part; each part is stored at once. `day` is for messages without times.

    Raises SourceError when the only object cannot be read (of several, the others land), DayNeeded,
    SettingsError when no source is named. The parts that were written before it raises are kept.
    """
    with assistant.store.landing_lock(), _collecting_seldom():
        found = unlanded(assistant)
        told = _Told(found)
        now = assistant.now()
        with assistant.progress("land", len(found.fresh)) as advance:
            parsed = read_in_order(
                assistant,
                found.listing,
                traces_first(found.fresh),
                found.untimed_days,
                day,
                reads_sessions(assistant.store),
            )
            for part in in_parts(parsed, advance):
                arrived = any(p.arrived for p in part)
                named, found_out = without_forgotten(assistant.store, *named_part(assistant, part))
                told.add(named, _write(assistant, named, now, found_out) if arrived else _Written())
                del named, found_out
                gc.collect(YOUNG)
        if is_other_gap(assistant):
            told.add([], _write(assistant, [], now, Identified((), (), ())))
        _mark_removed(assistant.store, found, now)
    return told.landed(assistant.settings)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Let Python's cyclic garbage collection run only after each part, or once for every SELDOM new values.

    A landing makes millions of values and hardly any cycles: collection took a seventh of its processor time, as it
    looks at all that identity compares. If another landing of this process has set it, it stays, and that one restores
    it.
    """
    before = gc.get_threshold()
    if not 0 < before[0] < SELDOM:
        yield
        return
    gc.set_threshold(SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass(frozen=True)
class _Written:
    """The changes of one part: days, and the contradictions that it caused or ended."""

    days: frozenset[date] = frozenset()
    contradicting: tuple[Row, ...] = ()
    agreeing: tuple[Row, ...] = ()
    spanning: Mapping[str, tuple[date, date]] = field(default_factory=dict)


@dataclass
class _Told:
    """The totals over the parts of a landing."""

    found: Unlanded
    read: int = 0
    records: int = 0
    harmless: int = 0
    problems: list[str] = field(default_factory=list)
    contradictions: dict[tuple[str, ...], str] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    spanning: dict[str, tuple[date, date]] = field(default_factory=dict)
    zoneless: int = 0
    untagged: Counter[str] = field(default_factory=Counter)
    untold: int = 0
    notes: list[str] = field(default_factory=list)
    future: int = 0
    latest: datetime | None = None
    outdated: int = 0

    def add(self, part: Sequence[Parsed], wrote: _Written) -> None:
        self.read += sum(p.arrived and not p.within for p in part)
        self.records += sum(p.records for p in part)
        self.harmless += sum(not r.loss for p in part for r in p.rejects)
        self.problems += [p.problem for p in part if p.problem]
        self.problems += [f"{p.object.uri}: {r.place}: {r.reason}" for p in part for r in p.rejects if r.loss]
        self.days |= wrote.days
        self.spanning.update(wrote.spanning)
        self.zoneless += sum(p.zoneless for p in part)
        self.untold += sum(p.untold for p in part)
        for p in part:
            self.untagged.update(p.untagged)
        self.notes += [note for p in part for note in p.notes]
        self.future += sum(p.future for p in part)
        self.outdated += sum(p.outdated for p in part)
        self.latest = max((at for at in (self.latest, *(p.latest for p in part)) if at), default=None)
        for row in wrote.agreeing:
            self.contradictions.pop(_place(row), None)
        for row in wrote.contradicting:
            self.contradictions[_place(row)] = f"{row['uri']}: {row['place']}: {CONTRADICTED}"

    def landed(self, given: Settings) -> Landed:
        problems = (*self.problems, *self.contradictions.values())
        return Landed(
            objects=len(self.found.listing.objects),
            read=self.read,
            skipped=self.found.listing.skipped,
            others=self.found.listing.others,
            removed=self.found.removed,
            records=self.records,
            rejected=len(problems) + self.harmless,
            lost=len(problems),
            problems=problems,
            days=tuple(sorted(self.days)),
            warnings=tuple(self.warnings(given)),
            untold=self.untold,
        )

    def warnings(self, given: Settings) -> Iterator[str]:
        if self.untold:
            yield (
                f"{self.untold:,} conversations cannot be told apart from known ones, and were taken as new: they "
                "begin alike, and name neither a user nor a start that would tell"
            )
        yield from self.notes[:MOST_NOTES]
        if len(self.notes) > MOST_NOTES:
            yield f"{len(self.notes) - MOST_NOTES:,} more files with such notes"
        if self.untagged:
            yield roles_warning(self.untagged)
        if self.outdated:
            yield (
                f"{self.outdated:,} messages were left out: they are older than what this home keeps (cpa forget "
                "--older-than, CPA_KEEP_DAYS)"
            )
        if self.latest:
            yield (
                f"{self.future:,} messages have times in the future, the latest {self.latest:%Y-%m-%dT%H:%M:%SZ}; "
                "vendors rewrite such times or drop the events; is the clock right, and the order of day and month?"
            )
        if self.zoneless:
            yield f"{self.zoneless:,} times without a zone were taken as {given.assumed_zone} (CPA_ASSUMED_ZONE)"
        for name, (first, last) in islice(self.spanning.items(), 1):
            yield (
                f"{len(self.spanning):,} conversations are all that a user ever said, over days ({name}: {first} to "
                f"{last}): --session-gap 30 (CPA_SESSION_GAP) cuts them after 30 silent minutes"
            )


def _write(assistant: Assistant, part: Sequence[Parsed], now: datetime, identity: Identified) -> _Written:
    """Write one part of a landing in one transaction: objects, their effect on conversations, and dirty days."""
    given = assistant.settings
    with assistant.store.writing() as transaction:
        transaction.answer("landing/tables_of_landing")
        note_new_home(transaction)
        note_spoken(transaction, identity.continued)
        _replace_objects(transaction, [p for p in part if p.arrived], now)
        keep_message_ids(transaction, identity.continued)
        remember(transaction, identity.talks)
        remember_traces(transaction, identity.traces)
        forget_repeated(transaction, identity.retold)
        gap = cut_sessions(transaction, given.session_gap)
        contradicting, agreeing = _settle(transaction, now)
        dirty = _dirty_days(transaction, given.timezone)
        mark_days(transaction, dirty, "landed")
        _record_days(transaction)
        over_days = {} if gap else spanning(transaction, given.timezone)
    return _Written(frozenset(dirty), tuple(contradicting), tuple(agreeing), over_days)


def _mark_removed(store: Store, found: Unlanded, now: datetime) -> None:
    """Mark removed and returned objects.

    It is the last step, so that the landing after an interrupted one reports them.
    """
    if found.removed or found.returned:
        with store.writing() as transaction:
            transaction.answer("landing/mark_removed", at=now, uris=list(found.removed))
            transaction.answer("landing/mark_removed", at=None, uris=list(found.returned))


def _replace_objects(transaction: Transaction, parsed: Sequence[Parsed], now: datetime) -> None:
    """The new version of an object takes the place of the old one, unless it cannot be read as a whole."""
    transaction.insert("fresh", [{"uri": p.object.uri, "etag": p.object.etag, "problem": p.problem} for p in parsed])
    transaction.answer("landing/touch_replaced")
    note_users(transaction)
    transaction.answer("landing/delete_replaced")
    transaction.answer(
        "landing/mark_replaced",
        now=now,
    )
    transaction.answer("landing/delete_outdated_rejects")
    transaction.insert("landed_files", [_file_row(p, now) for p in parsed])
    _insert_messages(transaction, [p for p in parsed if p.records])
    mark_repeated(transaction, {p.object.uri: p.repeated for p in parsed if p.repeated})
    note_users(transaction)
    transaction.insert_columns("rejected_records", _reject_columns(parsed, now))
    _forget_read_again(transaction, parsed)
    transaction.answer("landing/touch_landed")


def _forget_read_again(transaction: Transaction, parsed: Sequence[Parsed]) -> None:
    """Delete landed rows of a database that another range has read again: only the new ones count."""
    again = json.dumps([p.object.uri for p in parsed if p.object.again])
    whole = json.dumps([p.object.uri for p in parsed if p.object.again and p.whole])
    if not any(p.object.again for p in parsed):
        return
    transaction.answer("landing/rejects_read_again", again=again)
    transaction.answer("landing/rows_read_again", again=again, whole=whole)
    transaction.answer("landing/touch_outdated")
    transaction.answer("landing/delete_outdated")


def _insert_messages(transaction: Transaction, parsed: Sequence[Parsed]) -> None:
    if not parsed:
        return
    messages = pa.concat_tables([p.table for p in parsed])
    same = {name: pa.chunked_array([_repeated(p, name) for p in parsed]) for name in ("uri", "etag")}
    columns = dict(zip(messages.column_names, messages.columns, strict=True))
    transaction.insert_columns("landed_messages", columns | {n: c.unify_dictionaries() for n, c in same.items()})


def _repeated(parsed: Parsed, name: str) -> pa.DictionaryArray:
    text = pa.array([getattr(parsed.object, name)])
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), parsed.records), text)


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
        "reading": parsed.reading,
    }


def _reject_columns(parsed: Sequence[Parsed], now: datetime) -> dict[str, list[Any]]:
    """The rejects of objects as columns: a file of traces has as many as messages."""
    names = ("uri", "etag", "rejected_at", "place", "reason", "raw", "loss")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for p in parsed:
        rejects: list[tuple[Any, ...]] = [*p.rejects, *([("", p.problem, None, True)] if p.problem else [])]
        told = [(p.object.uri, p.object.etag, now)] * len(rejects)
        for name, values in zip(names, [*zip(*told, strict=True), *zip(*rejects, strict=True)], strict=False):
            columns[name] += values
    return columns if columns["uri"] else {}


def _settle(transaction: Transaction, now: datetime) -> tuple[list[Row], list[Row]]:
    """Decide which rows count if several objects contain a conversation. Return new contradictions, and ended ones."""
    transaction.answer("landing/shared_conversations")
    if not transaction.answer("landing/has_shared"):
        return [], []
    transaction.answer("landing/settle_messages", now=now)
    before = transaction.answer("landing/contradictions_known", reason=CONTRADICTED)
    found = transaction.answer("landing/contradictions")
    transaction.answer("landing/contradictions_forgotten", reason=CONTRADICTED)
    transaction.insert(
        "rejected_records", [row | {"reason": CONTRADICTED, "rejected_at": now, "loss": True} for row in found]
    )
    known, holding = set(map(_place, before)), set(map(_place, found))
    new = [row for row in found if _place(row) not in known]
    return new, [row for row in before if _place(row) not in holding]


def _place(row: Row) -> tuple[str, ...]:
    return row["uri"], row["etag"], row["place"]


def _dirty_days(transaction: Transaction, zone: str) -> set[date]:
    """Compare the touched conversations with their earlier state; both days of a moved one are dirty."""
    transaction.answer("landing/touched_conversations", zone=zone)
    dirty = {row["day"] for row in transaction.answer("landing/changed_days")}
    transaction.answer("landing/delete_touched")
    transaction.answer("landing/insert_touched")
    return dirty


def mark_days(transaction: Transaction, days: set[date], reason: str) -> None:
    """Raise the generation of these days."""
    transaction.answer(
        "landing/mark_days",
        days=sorted(days),
        reason=reason,
    )
    known = {row["day"] for row in transaction.answer("status/days_recorded")}
    fresh = [{"day": day, "generation": 1, "reason": reason} for day in sorted(days - known)]
    transaction.insert("days", fresh)


def _record_days(transaction: Transaction) -> None:
    transaction.answer("landing/days_of_objects")
