"""A home in memory for calls: what landed object by object, as the store keeps it, without its cost."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from cpa_core.sources import Opened, as_records, completed
from cpa_core.sources.identity import Nothing, Said, identified
from cpa_core.sources.identity.links import mark


class Remembered(Nothing):
    """What landed so far: rows by object, of which those with the same message id are one."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Any] = {}
        self.repeated: dict[tuple[str, int], tuple[int, int]] = {}

    def land(self, uri: str, file: Opened) -> None:
        """Land one object."""
        found = identified([file], self)
        (decided,) = found.files
        for place in found.retold:
            if place in self.repeated:
                del self.rows[place]
        for record in as_records(completed(file, decided)):
            self.rows[uri, record.ordinal] = record
        self.repeated |= {(uri, ordinal): history for ordinal, history in decided.repeated.items()}

    def counted(self) -> dict[str, list[tuple[tuple[str, int], Any]]]:
        """The rows that count by conversation, in order: of one message the newest object's."""
        newest = {
            (r.conversation_id, r.message_id): (place, r) for place, r in sorted(self.rows.items(), key=lambda x: x[0])
        }
        found: defaultdict[str, list[tuple[tuple[str, int], Any]]] = defaultdict(list)
        for place, record in sorted(newest.values(), key=lambda x: (x[1].sent_at, x[0])):
            found[record.conversation_id].append((place, record))
        return dict(found)

    def messages(self, conversation_ids: Collection[str]) -> dict[str, list[Said]]:
        """See Known."""
        return {
            key: [
                Said(
                    mark(r.role, r.content), r.role, r.sent_at, place in self.repeated, place, self.repeated.get(place)
                )
                for place, r in rows
            ]
            for key, rows in self.counted().items()
            if key in conversation_ids
        }

    def said(self) -> dict[str, list[tuple[str, str]]]:
        """Role and text by conversation."""
        return {key: [(r.role, r.content) for _, r in rows] for key, rows in self.counted().items()}
