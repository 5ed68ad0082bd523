"""Ranges of a database's rows as objects: those that landed, and the one that holds what is new.

The name of a range is the address without its login, the table or query, and the watermarks of its ends, both of
which belong to it: `postgresql://host/app/public.messages#updated_at:2026-03-01T00:00:00Z..2026-03-02T00:00:00Z`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from cpa_core.errors import SettingsError, SourceError
from cpa_core.models import digest
from cpa_core.settings import Settings
from cpa_core.settings.addresses import scheme_of
from cpa_core.sources.databases import watermarks
from cpa_core.sources.databases.others import bigquery, mysql, snowflake
from cpa_core.sources.databases.queries import BIGQUERY, MYSQL, POSTGRES, SNOWFLAKE, Dialect, Rows
from cpa_core.sources.databases.sessions import Address, Session, postgres
from cpa_core.sources.databases.spool import PART_ROWS, Spool, as_parquet, at_end
from cpa_core.sources.databases.watermarks import Kind, Watermark
from cpa_core.sources.objects import Listing, Object

Opener = Callable[[Address], AbstractContextManager[Session]]

SERVERS: dict[str, tuple[Dialect, Opener]] = {
    "postgresql": (POSTGRES, postgres),
    "snowflake": (SNOWFLAKE, snowflake),
    "bigquery": (BIGQUERY, bigquery),
    "mysql": (MYSQL, mysql),
}
"""One line a kind of database, by its scheme: its dialect, and what connects to it."""


class LandedRange(NamedTuple):
    """A range that landed before. `current`: it was read as the settings say now."""

    uri: str
    etag: str
    modified_at: datetime
    landed_at: datetime
    current: bool


@dataclass(frozen=True)
class Place:
    """Where rows come from. `name` begins the names of all ranges; `folder` is where rows wait until they land."""

    address: Address
    rows: Rows
    name: str
    lookback: int
    now: datetime
    folder: Path | None
    connect: Opener

    @classmethod
    def of(cls, given: Settings, now: datetime) -> "Place":
        """The place that the settings name. Raises SettingsError where they do not say what to read, or how."""
        source = given.source or ""
        dialect, connect = SERVERS[scheme_of(source)]
        if bool(given.table) == bool(given.query_path):
            raise SettingsError(f"{source}: name what to read: --table NAME (CPA_TABLE) or --query FILE (CPA_QUERY)")
        if not given.watermark:
            raise SettingsError(
                f"{source}: name the column that shows new and changed rows: --watermark updated_at (CPA_WATERMARK)"
            )
        query = _query(given.query_path) if given.query_path else None
        what = f"{given.query_path.name}-{digest([query])[:8]}" if given.query_path else given.table
        return cls(
            address=Address(source, given.source_login or source, given.postgres.password),
            rows=Rows(dialect, given.table, query, given.watermark),
            name=f"{source}/{what}".replace("#", "%23") + f"#{given.watermark}:",
            lookback=given.lookback,
            now=now,
            folder=given.home if given.home.is_dir() else None,
            connect=connect,
        )

    def failed(self, reason: str) -> SourceError:
        """An error of this place."""
        return SourceError(f"{self.name.partition('#')[0]}: {reason}")


def listing(place: Place, landed: Sequence[LandedRange] = ()) -> Listing:
    """The ranges that landed, and before them the one that begins where they end, if there is something new in it.

    Only the newest watermark is asked for. Raises SourceError, SettingsError.
    """
    known = [_known(one) for one in landed if one.uri.startswith(place.name)]
    with _reading(place) as session:
        kind, newest = _newest(place, session)
        edge, count = _edge(place, kind, landed)
        if newest is None:
            _check_marked(place, session)
            return Listing(prefix=place.name, objects=tuple(known), skipped=0)
        if edge is not None and newest <= edge and not _grew(place, session, newest, edge, count):
            return Listing(prefix=place.name, objects=tuple(known), skipped=0)
    begin = edge.before(place.lookback) if edge else None
    fresh = Object(
        uri=f"{place.name}{_text(begin)}..",
        etag=f"after {edge}, {count:,}" if edge else "all",
        size=0,
        modified_at=newest.moment() or place.now,
        day=None,
        read=partial(_first, place),
        parts=partial(_parts, place, kind, begin, bool(known)),
    )
    return Listing(prefix=place.name, objects=(fresh, *known), skipped=0)


def _query(path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError(f"CPA_QUERY: {path}: {reason}") from None


@contextmanager
def _reading(place: Place) -> Iterator[Session]:
    with place.connect(place.address) as session:
        yield session


def _known(one: LandedRange) -> Object:
    """A range that landed: where it is read again, its rows have moved into the ranges that are new."""
    return Object(
        uri=one.uri, etag=one.etag, size=0, modified_at=one.modified_at, day=None, read=bytes, parts=tuple, moved=True
    )


def _newest(place: Place, session: Session) -> tuple[Kind, Watermark | None]:
    found = session.table(place.rows.newest())
    try:
        kind = watermarks.kind_of(found.schema.field(0).type)
        (value,) = _storage(found[0]).to_pylist()
        return kind, None if value is None else watermarks.of(kind, value)
    except (ValueError, OverflowError) as error:  # a time in the year 294247, which is how infinity is written
        reason = str(error) if isinstance(error, ValueError) else "it is infinite"
        raise place.failed(f"{place.rows.watermark}: {reason}") from None


def _storage(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of a column, of a type of ADBC's own the values behind it."""
    return pa.chunked_array([chunk.storage if hasattr(chunk, "storage") else chunk for chunk in column.chunks])


def _edge(place: Place, kind: Kind, landed: Sequence[LandedRange]) -> tuple[Watermark | None, int]:
    """The newest watermark that landed, as the settings read now, and how many rows had it at the last landing."""
    ends = [
        (end, one.landed_at, int(one.etag.rpartition("-")[2]))
        for one in landed
        if one.current and one.uri.startswith(place.name) and (end := _end(place, kind, one.uri)) is not None
    ]
    return (max(ends)[0], max(ends)[2]) if ends else (None, 0)


def _end(place: Place, kind: Kind, uri: str) -> Watermark | None:
    text = uri.removeprefix(place.name).partition("..")[2].partition("+part")[0]
    return watermarks.read(kind, text)


def _grew(place: Place, session: Session, newest: Watermark, edge: Watermark, count: int) -> bool:
    """Whether more or fewer rows have the newest watermark than when they landed."""
    if newest != edge:
        return False
    return bool(session.table(place.rows.at_edge(edge))[0][0].as_py() != count)


def _check_marked(place: Place, session: Session) -> None:
    """Raises SourceError for rows without a watermark: they would never be read again."""
    count = session.table(place.rows.unmarked())[0][0].as_py()
    if count:
        name = place.rows.watermark
        raise place.failed(
            f"{name} is null in {count:,} rows: it must be set in every row, or the query must leave them out"
        )


def _text(one: Watermark | None) -> str:
    return "" if one is None else str(one)


def _columns(place: Place, session: Session) -> list[tuple[str, str]]:
    """The names of the columns, with the types that the driver names."""
    fields = session.table(place.rows.columns()).schema
    return [(field.name, (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()) for field in fields]


def _first(place: Place) -> bytes:
    """As many rows as a part has, as Parquet, for a look at the source without landing it."""
    with _reading(place) as session:
        sql = place.rows.first(_columns(place, session), PART_ROWS)
        return as_parquet(pa.Table.from_batches(session.batches(sql)))


def _parts(place: Place, kind: Kind, begin: Watermark | None, later: bool) -> Iterator[Object]:
    """The rows from a watermark on, fetched whole, then part by part in their order: each part is a range.

    `later`: ranges landed before. Raises SourceError before the first part, if at all.
    """
    spool = Spool(place.folder)
    try:
        with _reading(place) as session:
            _check_marked(place, session)
            spool.fill(session.batches(place.rows.of_range(_columns(place, session), begin, None)))
        yield from _cut(place, kind, begin, spool, later)
    finally:
        spool.close()


def _cut(place: Place, kind: Kind, begin: Watermark | None, spool: Spool, later: bool) -> Iterator[Object]:
    same, number = 0, 1
    for part in spool.parts():
        column = part[place.rows.watermark]
        end = watermarks.of(kind, column[-1].as_py())
        here = at_end(column)
        same = here + (same if end == begin else 0)
        number = number + 1 if end == begin else 1
        content = as_parquet(part)
        yield Object(
            uri=f"{place.name}{_text(begin)}..{end}" + (f"+part{number}" if number > 1 else ""),
            etag=f"{part.num_rows}-{same}",
            size=len(content),
            modified_at=end.moment() or place.now,
            day=None,
            read=partial(bytes, content),
            continues=later or begin is not None,
            again=later,
        )
        begin = end
