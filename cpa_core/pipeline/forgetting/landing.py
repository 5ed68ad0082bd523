"""The filter of a landing: it leaves out records of forgotten people, also in conversations that grew or were moved."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.pipeline.forgetting.subject import LEAST_ID, message_key, names_of_object, strings_in
from cpa_core.pipeline.forgetting.tombstones import Kind, Tombstones, bury, moment_of, tombstones
from cpa_core.pipeline.landing.fetch import Parsed
from cpa_core.sources import Reject
from cpa_core.sources.identity import Identified, KnownTrace, Talk
from cpa_core.store import Store
from cpa_core.store.database import as_json


def without_forgotten(store: Store, part: Sequence[Parsed], found: Identified) -> tuple[Sequence[Parsed], Identified]:
    """Return a part of a landing and its identity records, without forgotten people and conversations."""
    stones = tombstones(store)
    if not stones:
        return part, found
    part, outdated = without_outdated(store, stones.before, part)
    gone = {talk.conversation_id for talk in found.talks if _is_forgotten(stones, talk)} | outdated
    talks = [talk for talk in found.talks if talk.conversation_id not in gone]
    fresh = [KnownTrace(**row) for table in found.fresh_traces for row in table.to_pylist()]
    traces = [
        one
        for one in (*found.traces, *fresh)
        if one.conversation_id not in gone
        and not stones.holds("conversation", one.conversation_id)
        and not stones.holds("user", one.user_id)
    ]
    left = [(parsed, _left(stones, parsed, gone)) for parsed in part]
    alone = [before.object.uri for before, after in left if _is_of_them_alone(stones, before, after)]
    bury(store, [("object", uri) for uri in alone])
    return [after for before, after in left if before.object.uri not in alone], found._replace(
        talks=talks, traces=traces, fresh_traces=()
    )


def without_outdated(store: Store, before: date | None, part: Sequence[Parsed]) -> tuple[Sequence[Parsed], set[str]]:
    """The part without messages from before a day, but of conversations that are here, and which have none left."""
    moment = moment_of(before, store.timezone) if before else None
    if moment is None:
        return part, set()
    tables = [parsed.table.select(["conversation_id", "sent_at"]) for parsed in part if parsed.records]
    whole = pa.concat_tables(tables, promote_options="permissive") if tables else None
    old = _conversations(whole.filter(pc.less(whole["sent_at"], moment))) if whole is not None else set()
    if whole is None or not old:
        return part, set()
    with store.reading() as view:
        here = {row["conversation_id"] for row in view.answer("forgetting/known_among", ids=as_json(sorted(old)))}
    away = pa.array(sorted(old - here), pa.string())
    young = _conversations(whole.filter(pc.greater_equal(whole["sent_at"], moment)))
    return [_younger(parsed, moment, away) for parsed in part], old - here - young


def _conversations(table: pa.Table) -> set[str]:
    return set(_texts(table, "conversation_id").unique().to_pylist()) - {None}


def _younger(parsed: Parsed, moment: datetime, away: pa.Array) -> Parsed:
    if parsed.table is None or not parsed.records:
        return parsed
    is_old = pc.fill_null(pc.less(parsed.table["sent_at"], moment), False)
    out = pc.and_(is_old, pc.is_in(_texts(parsed.table, "conversation_id"), value_set=away))
    count = int(pc.sum(out).as_py() or 0)
    if not count:
        return parsed
    table = parsed.table.filter(pc.invert(out))
    return replace(parsed, table=table, records=table.num_rows, outdated=count)


def _is_forgotten(stones: Tombstones, talk: Talk) -> bool:
    if stones.holds("conversation", talk.conversation_id) or stones.holds("user", talk.user_id):
        return True
    if talk.kind == "followed" and stones.holds("conversation", talk.basis):
        return True
    return "beginning" in stones.kinds and any(stones.holds("beginning", f"{talk.basis} {n}") for n in talk.links)


def _left(stones: Tombstones, parsed: Parsed, gone: set[str]) -> Parsed:
    rejects = [reject for reject in parsed.rejects if not _is_forgotten_reject(stones, reject)]
    if parsed.table is None or not parsed.records:
        return replace(parsed, rejects=rejects)
    out = _rows_of(stones, parsed.table, gone)
    table = parsed.table.filter(pc.invert(out))
    return replace(parsed, table=table, records=table.num_rows, rejects=rejects)


def _is_of_them_alone(stones: Tombstones, before: Parsed, after: Parsed) -> bool:
    """Whether an object is named by a forgotten id and held nothing else: its name does not land either."""
    is_empty = not after.records and len(after.rejects) == 0 and not after.problem
    return is_empty and bool(before.records) and _holds_id(stones, names_of_object(before.object.uri))


def _rows_of(stones: Tombstones, table: pa.Table, gone: set[str]) -> pa.Array:
    """Return a mask of the rows that belong to a forgotten user or conversation."""
    out = pa.array([False] * table.num_rows, pa.bool_())
    for name, kind, more in _columns(gone):
        column = _texts(table, name)
        held = stones.held(kind, column.unique().to_pylist()) | more
        out = pc.or_(out, pc.is_in(column, value_set=pa.array(sorted(held), pa.string())))
    if "message" in stones.kinds and "by_user" in table.column_names:
        rows = table.select(["by_user", "user_id", "sent_at", "content"]).to_pylist()
        said = [bool(row["by_user"]) and stones.holds("message", message_key(row)) for row in rows]
        out = pc.or_(out, pa.array(said))
    return out


def _columns(gone: set[str]) -> Iterable[tuple[str, Kind, set[str]]]:
    """Yield the columns with ids, the kind of tombstone for each, and ids that are removed in addition."""
    yield "conversation_id", "conversation", gone
    yield "user_id", "user", set()


def _texts(table: pa.Table, name: str) -> pa.Array:
    column = table[name].cast(pa.string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _is_forgotten_reject(stones: Tombstones, reject: Reject) -> bool:
    if stones.holds("reject", reject.raw or reject.place):
        return True
    texts = {text for whole in (reject.raw, reject.place, reject.reason) if whole for text in strings_in(whole)}
    return _holds_id(stones, (text for text in texts if len(text) >= LEAST_ID))


def _holds_id(stones: Tombstones, texts: Iterable[str]) -> bool:
    """Whether one of these is the id of a forgotten user or conversation."""
    return any(stones.holds("user", text) or stones.holds("conversation", text) for text in texts)
