"""Landing: read new and changed objects, settle which rows count, and mark the days that changed."""

import gc
import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.landing import without_forgotten
from cpa_core.pipeline.landing.fetch import Parsed, in_parts, read_in_order
from cpa_core.pipeline.landing.identify import (
    forget_repeated,
    keep_message_ids,
    named_part,
    note_histories,
    note_new_home,
    note_spoken,
    remember,
    remember_traces,
    sessions_of,
)
from cpa_core.pipeline.landing.sessions import cut_sessions, is_other_gap, note_users, spanning
from cpa_core.pipeline.landing.totals import CONTRADICTED, Landed, LandingTotals, PartWritten, place_of
from cpa_core.pipeline.landing.unlanded import Unlanded, unlanded
from cpa_core.sources.identity import Identified
from cpa_core.sources.objects import traces_first
from cpa_core.sources.reject_table import table_of
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction

YOUNG = 0
"""The generation of Python's values that were made since the collection before."""
SELDOM = 20_000_000


def land(assistant: Assistant, day: date | None = None) -> Landed:
    """Land new objects of the source, part by part; each part is stored at once. `day` is for messages without times.

    Raises SourceError when the only object cannot be read (of several, the others land), DayNeeded,
    SettingsError when no source is named. The parts that were written before it raises are kept.
    """
    with assistant.store.landing_lock(), _collecting_seldom(), _returning_memory():
        found = unlanded(assistant)
        totals = LandingTotals(found)
        now = assistant.now()
        with assistant.progress("land", len(found.fresh)) as advance:
            parsed = read_in_order(
                assistant,
                found.listing,
                traces_first(found.fresh),
                found.untimed_days,
                day,
                sessions_of(assistant.store),
            )
            for part in in_parts(parsed, advance):
                arrived = any(p.arrived for p in part)
                named, found_out = without_forgotten(assistant.store, *named_part(assistant, part))
                named, messages = _apart(named)
                totals.add(named, _write(assistant, named, messages, now, found_out) if arrived else PartWritten())
                del named, found_out, messages
                gc.collect(YOUNG)
        if is_other_gap(assistant):
            totals.add([], _write(assistant, [], deque(), now, Identified((), (), ())))
        _mark_removed(assistant.store, found, now)
    return totals.landed(assistant.settings)


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


@contextmanager
def _returning_memory() -> Iterator[None]:
    """Let Arrow take the memory of columns from the system's allocator, which returns what is free again.

    Its own (mimalloc) keeps about a third (decision 0135). If another landing of this process has set it, it stays, and
    that one restores it. Source: https://arrow.apache.org/docs/cpp/memory.html (default memory pool).
    """
    before = pa.default_memory_pool()
    if before.backend_name == "system":
        yield
        return
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _apart(part: Sequence[Parsed]) -> tuple[list[Parsed], deque[pa.RecordBatch]]:
    """The objects of a part without their messages, and these as rows of `landed_messages`, which nobody else holds."""
    messages: deque[pa.RecordBatch] = deque()
    for one in part:
        if one.arrived and one.records:
            messages.extend(_of_object(one).to_batches())
    return [replace(one, table=None) for one in part], messages


def _of_object(parsed: Parsed) -> pa.Table:
    """The messages of an object, each with its address and version."""
    found = parsed.table
    for name in ("uri", "etag"):
        found = found.append_column(name, pa.chunked_array([_repeated(getattr(parsed.object, name), found.num_rows)]))
    return found


def _write(
    assistant: Assistant, part: Sequence[Parsed], messages: deque[pa.RecordBatch], now: datetime, identity: Identified
) -> PartWritten:
    """Write one part of a landing in one transaction: objects, their effect on conversations, and dirty days.

    `messages` are gone afterwards: they take as much memory as the transaction itself.
    """
    given = assistant.settings
    with assistant.store.writing() as transaction:
        transaction.answer("landing/tables_of_landing")
        note_new_home(transaction)
        note_spoken(transaction, identity.continued)
        _replace_objects(transaction, [p for p in part if p.arrived], messages, now)
        keep_message_ids(transaction, identity.continued)
        remember(transaction, identity.talks)
        remember_traces(transaction, identity.traces, identity.fresh_traces)
        forget_repeated(transaction, identity.retold)
        gap = cut_sessions(transaction, given.session_gap)
        contradicting, agreeing = _settle(transaction, now)
        dirty = _dirty_days(transaction, given.timezone)
        mark_days(transaction, dirty, "landed")
        _record_days(transaction)
        over_days = {} if gap else spanning(transaction, given.timezone)
    return PartWritten(frozenset(dirty), tuple(contradicting), tuple(agreeing), over_days)


def _mark_removed(store: Store, found: Unlanded, now: datetime) -> None:
    """Mark removed and returned objects.

    It is the last step, so that the landing after an interrupted one reports them.
    """
    if found.removed or found.returned:
        with store.writing() as transaction:
            transaction.answer("landing/mark_removed", at=now, uris=list(found.removed))
            transaction.answer("landing/mark_removed", at=None, uris=list(found.returned))


def _replace_objects(
    transaction: Transaction, parsed: Sequence[Parsed], messages: deque[pa.RecordBatch], now: datetime
) -> None:
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
    transaction.insert_batches("landed_messages", messages)
    for one in parsed:
        note_histories(transaction, one.object.uri, one.repeated, one.openings)
    note_users(transaction)
    transaction.insert_columns("rejected_records", _reject_columns(parsed, now))
    transaction.insert("rejected_records", [_problem_row(p, now) for p in parsed if p.problem])
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


def _repeated(text: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), times), pa.array([text]))


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


def _reject_columns(parsed: Sequence[Parsed], now: datetime) -> dict[str, Any]:
    """The rejects of objects as columns: a file of traces has as many as messages."""
    tables = [_rejects(p, now) for p in parsed if p.rejects]
    found = pa.concat_tables(tables).unify_dictionaries() if tables else None
    return {} if found is None else dict(zip(found.column_names, found.columns, strict=True))


def _rejects(parsed: Parsed, now: datetime) -> pa.Table:
    found = table_of(parsed.rejects).columns()
    at = pa.repeat(pa.scalar(now, pa.timestamp("us", tz="UTC")), found.num_rows)
    for name, column in (
        ("uri", _repeated(parsed.object.uri, found.num_rows)),
        ("etag", _repeated(parsed.object.etag, found.num_rows)),
        ("rejected_at", at),
    ):
        found = found.append_column(name, column)
    return found


def _problem_row(parsed: Parsed, now: datetime) -> Row:
    about = {"uri": parsed.object.uri, "etag": parsed.object.etag, "rejected_at": now, "place": ""}
    return {**about, "reason": parsed.problem, "raw": None, "loss": True}


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
    known, holding = set(map(place_of, before)), set(map(place_of, found))
    new = [row for row in found if place_of(row) not in known]
    return new, [row for row in before if place_of(row) not in holding]


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
