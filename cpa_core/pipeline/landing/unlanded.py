"""The objects of the source that have not landed yet, by listing alone."""

import json
from collections.abc import Mapping, Sequence
from datetime import date

from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.tombstones import tombstones
from cpa_core.settings.addresses import is_database
from cpa_core.sources import Listing, Object
from cpa_core.sources.archives import archive_of
from cpa_core.sources.databases import LandedRange
from cpa_core.store import Store
from cpa_core.store.database import Row

KNOWN_BEFORE = {"map", "format", "zone"}
"""The reading settings that existed before the store recorded them."""


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
