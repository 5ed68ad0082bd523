"""Fetching fresh objects in a few threads, cutting them into records in the order of the listing, part by part."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.errors import DayNeeded, NotRecognised, SourceError, SourceUnreadable
from cpa_core.pipeline.assistant import Advance, Assistant
from cpa_core.settings import Settings
from cpa_core.sources import (
    File,
    Listing,
    Object,
    Opened,
    Reject,
    archives,
    completed,
    in_order,
    opened,
    roles,
    time_field,
)
from cpa_core.sources.columns import give_back
from cpa_core.sources.contents import Content
from cpa_core.sources.files import Sessions
from cpa_core.sources.identity import Decided, History
from cpa_core.sources.objects import MOST_NAMED, fits

AHEAD = timedelta(minutes=10)
"""So far may another machine's clock be ahead of this one's."""

THREADS = 8
"""Objects fetched at once: fewer than the connections that S3's client keeps."""

BYTES_AHEAD = 64 << 20
"""The bytes fetched in advance; a larger object is fetched alone."""

LARGE = 16 << 20
"""A file of so many bytes in columns leaves much memory behind."""

MOST_OBJECTS, MOST_BYTES = 250, 64 << 20
"""A part of a landing, kept in one transaction, ends with the object that reaches one of these."""


@dataclass(frozen=True)
class Parsed:
    """One object that was read, with its records as a table; `problem` is set if the whole object cannot be read.

    `arrived` is false when it could not be fetched: the next run tries it again. `untimed_day` is the day given to its
    messages without times. `zoneless` counts times written without a zone, `untagged` counts messages by role that
    nobody tags. `future` counts times after the present, `latest` is the last of them. `reading` are the settings that
    controlled how it was read. `within`: it is a member of an archive, which is an object itself. `opened` holds the
    records of an object until identity has named their conversations. Then `repeated` and `openings` are rows with the
    history of a call (see Decided), and `untold` counts conversations that cannot be distinguished from known ones.
    `guessed` counts calls that joined one by common words.
    `whole`: each of its records is a whole conversation. `outdated` counts messages left out for their age.
    """

    object: Object
    records: int = 0
    table: Any = None
    zoneless: int = 0
    rejects: Sequence[Reject] = ()
    problem: str | None = None
    untimed_day: date | None = None
    arrived: bool = True
    untagged: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    future: int = 0
    latest: datetime | None = None
    reading: str = ""
    within: bool = False
    outdated: int = 0
    opened: Opened | None = None
    repeated: Mapping[int, History] = field(default_factory=dict)
    openings: Mapping[int, History] = field(default_factory=dict)
    untold: int = 0
    guessed: int = 0
    whole: bool = False

    @property
    def size(self) -> int:
        """The bytes of its columns."""
        table = self.opened.drafts if self.opened else self.table
        return table.nbytes if table is not None else 0


def in_parts(parsed: Iterable[Parsed], advance: Advance) -> Iterator[list[Parsed]]:
    """Yield the parsed objects in parts that fit one transaction and the memory; call `advance` for each object."""
    part: list[Parsed] = []
    size = 0
    for one in parsed:
        advance()
        part.append(one)
        size += one.size
        del one  # who takes a part may forget its columns
        if len(part) == MOST_OBJECTS or size >= MOST_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def read_in_order(
    assistant: Assistant,
    listing: Listing,
    fresh: Sequence[Object],
    untimed_days: Mapping[str, date],
    day: date | None,
    sessions: Sessions,
) -> Iterator[Parsed]:
    """Yield the fresh objects as read, with their problems. Raises the error of a source's only object.

    `sessions`: see File.
    """
    alone = len(listing.objects) == 1

    def read(one: Object, content: Callable[[], Content]) -> Parsed:
        named = _untimed_day(assistant.settings, untimed_days, one, day)
        said = None if assistant.settings.untimed == "modified" and not (one.day or day) else named
        file = assistant.file(one.uri, content())._replace(sessions=sessions, continues=one.continues)
        return _read(assistant, one, file, named, said)

    yield from _ranges(assistant.reading, [one for one in fresh if one.parts], read)
    for one, fetched in _fetched([one for one in fresh if not one.parts]):
        try:
            if one.uri.lower().endswith(archives.ENDING):
                yield from _members(assistant, one, fetched.result(), read)
            else:
                yield read(one, fetched.result)
        except SourceError as error:
            if alone:
                raise
            yield _problem(assistant.reading, one, error)


def _ranges(
    reading: str, fresh: Sequence[Object], read: Callable[[Object, Callable[[], Content]], Parsed]
) -> Iterator[Parsed]:
    """Yield the new rows of a database in parts, each a range of its own; then the ranges that have become empty.

    Raises SourceError: otherwise it would be unknown which rows were not read.
    """
    landed: set[str] = set()
    for one in fresh:
        for part in one.parts() if one.parts else ():
            landed.add(part.uri)
            yield read(part, part.read)
        if one.moved and one.uri not in landed:
            yield Parsed(object=one, reading=reading)


def _problem(reading: str, one: Object, error: SourceError, within: bool = False) -> Parsed:
    arrived = not isinstance(error, SourceUnreadable)
    return Parsed(object=one, problem=str(error), arrived=arrived, reading=reading, within=within)


def _members(
    assistant: Assistant, one: Object, content: Content, read: Callable[[Object, Callable[[], Content]], Parsed]
) -> Iterator[Parsed]:
    """The members of an archive, each as an object of its own, and last the archive itself, which is then known.

    A member of an unknown format is listed with objects of other kinds. Raises SourceError if no member has a known
    format.
    """
    wanted = partial(fits, include=assistant.settings.include, exclude=assistant.settings.exclude)
    archive = archives.opened(one, content, wanted)
    unknown: list[NotRecognised] = []
    others = list(archive.others)
    for member in archive.members:
        try:
            yield replace(read(member, member.read), within=True)
        except NotRecognised as error:
            unknown.append(error)
            others.append(member.uri.partition(archives.INSIDE)[2])
        except SourceError as error:
            yield _problem(assistant.reading, member, error, within=True)
    if len(unknown) == len(archive.members):
        raise unknown[0] if unknown else SourceError(f"{one.uri}: zip: holds none of the kinds that are read")
    named = ", ".join(others[:MOST_NAMED])
    notes = (f"{one.uri}: not read: {len(others):,} members, such as {named}",) if others else ()
    yield Parsed(object=one, reading=assistant.reading, notes=notes)


def _fetched(objects: Iterable[Object]) -> Iterator[tuple[Object, Future[Content]]]:
    """Each object with its bytes, in this order, while the next ones are on their way."""
    waiting: deque[tuple[Object, Future[Content]]] = deque()
    pool = ThreadPoolExecutor(THREADS, "fetch")
    try:
        for one in objects:
            while waiting and (
                len(waiting) == 2 * THREADS or one.size + sum(other.size for other, _ in waiting) > BYTES_AHEAD
            ):
                yield waiting.popleft()
            waiting.append((one, pool.submit(one.read)))
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def _read(assistant: Assistant, one: Object, file: File, named: date | None, said: date | None) -> Parsed:
    zone = assistant.settings.zone
    midnight = datetime.combine(named, time(), zone).astimezone(UTC) if named else None
    parsed = Parsed(object=one, untimed_day=named, reading=assistant.reading)
    try:
        found = opened(file, midnight, said)
        if found.drafts.nbytes > LARGE:
            give_back()
        if found.records.num_rows:
            return replace(parsed, opened=found)
        return finished(assistant, parsed, found, Decided(found.drafts, found.rejects))
    except DayNeeded as needed:
        field = time_field(file)
        raise needed.instead(field, one.modified_at.astimezone(zone).date()) from None


def finished(assistant: Assistant, parsed: Parsed, file: Opened, decided: Decided) -> Parsed:
    """An object whose conversations are named, with the ids and times that its messages lacked. Raises DayNeeded."""
    decided = in_order(decided)
    found = completed(file, decided)
    records = found.records
    assumed = any(records["time_assumed"].unique().to_pylist())
    return replace(
        parsed,
        opened=None,
        records=records.num_rows,
        table=records,
        zoneless=pc.sum(records["zone_assumed"]).as_py() or 0,
        rejects=found.rejects,
        untimed_day=parsed.untimed_day if assumed else None,
        notes=file.notes,
        untagged=roles.counted(records, assistant.settings.roles),
        **_later(records["sent_at"], assistant.now() + AHEAD),
        repeated=decided.repeated,
        openings=decided.openings,
        untold=decided.untold,
        guessed=decided.guessed,
        whole=bool(file.records.num_rows) and pc.all(pc.equal(file.records["kind"], "conversation")).as_py(),
    )


def _later(times: Any, now: datetime) -> dict[str, Any]:
    """Return the number of these times in the future, and the last of them."""
    latest = pc.max(times).as_py()
    if latest is None or latest <= now:
        return {}
    return {"future": pc.sum(pc.greater(times, pa.scalar(now, times.type))).as_py(), "latest": latest}


def _untimed_day(settings: Settings, before: Mapping[str, date], one: Object, named: date | None) -> date | None:
    """The day of messages without times: the path's, the caller's, that of the landing before, the object's own."""
    modified = one.modified_at.astimezone(settings.zone).date()
    own = modified if settings.untimed == "modified" else None
    return one.day or named or before.get(one.uri) or own
