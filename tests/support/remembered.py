"""A home in memory: what landed object by object, as the store keeps it, without its cost."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from cpa_core.sources import Opened, as_records, completed, in_order
from cpa_core.sources.identity import KnownTrace, Said, Talk, identified
from cpa_core.sources.identity.links import mark


class Remembered:
    """What landed so far: rows by object, of which those with the same message id are one; talks and traces."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Any] = {}
        self.repeated: set[tuple[str, int]] = set()
        self.histories: dict[tuple[str, int], tuple[int, int]] = {}
        self.rejects: dict[str, list[str]] = {}
        self.known: dict[str, Talk] = {}
        self.noted: dict[str, KnownTrace] = {}
        self.replaced: set[str] = set()
        self.untold = 0
        self.guessed = 0

    def land(self, uri: str, file: Opened) -> None:
        """Land one object."""
        self.land_all({uri: file})

    def land_all(self, files: Mapping[str, Opened]) -> None:
        """Land objects together; each takes the place of its earlier version."""
        self.replaced = set(files)
        found = identified(list(files.values()), self)
        self.rows = {place: row for place, row in self.rows.items() if place[0] not in files}
        self.repeated = {place for place in self.repeated if place[0] not in files}
        self.histories = {place: one for place, one in self.histories.items() if place[0] not in files}
        for place in found.retold:
            del self.rows[place]
        for (uri, file), one in zip(files.items(), found.files, strict=True):
            decided = in_order(one)
            self.untold += decided.untold
            self.guessed += decided.guessed
            self.rejects[uri] = [one.reason for one in decided.rejects]
            for record in as_records(completed(file, decided)):
                self.rows[uri, record.ordinal] = record
            self.repeated |= {(uri, ordinal) for ordinal in decided.repeated}
            noted = {**decided.repeated, **decided.openings}
            self.histories |= {(uri, ordinal): history for ordinal, history in noted.items()}
        self.known |= {talk.conversation_id: talk for talk in found.talks}
        self.noted |= {one.trace_id: one for one in found.traces}
        self.replaced = set()

    def counted(self) -> dict[str, list[tuple[tuple[str, int], Any]]]:
        """The rows that count by conversation, in order: of one message the newest object's."""
        newest = {
            (r.conversation_id, r.message_id): (place, r) for place, r in sorted(self.rows.items(), key=lambda x: x[0])
        }
        found: defaultdict[str, list[tuple[tuple[str, int], Any]]] = defaultdict(list)
        for place, record in sorted(newest.values(), key=lambda x: (x[1].sent_at, x[0])):
            if place[0] not in self.replaced:
                found[record.conversation_id].append((place, record))
        return dict(found)

    def said(self) -> dict[str, list[tuple[str, str]]]:
        """Role and text by conversation."""
        return {key: [(r.role, r.content) for _, r in rows] for key, rows in self.counted().items()}

    def talks(self, links: Collection[int], ends: Collection[int]) -> list[Talk]:
        """See Known."""
        held = self.counted().keys()
        asked, passed = set(links), set(ends)
        return [
            replace(talk, vacant=talk.conversation_id not in held, changed=False, fresh=False)
            for talk in self.known.values()
            if (talk.kind not in ("conversation", "trace") or talk.links[0] in asked)
            and (talk.links[-1] in asked or not passed.isdisjoint(talk.links))
        ]

    def tails(self, marks: Collection[int]) -> list[Talk]:
        """See Known."""
        called = [talk for talk in self.known.values() if talk.kind in ("call", "window")]
        return [replace(talk, changed=False, fresh=False) for talk in called if talk.said[-1] in set(marks)]

    def numbers(self, bases: Collection[str]) -> dict[str, int]:
        """See Known."""
        return {basis: n for basis, n in Counter(talk.basis for talk in self.known.values()).items() if basis in bases}

    def messages(self, conversation_ids: Collection[str]) -> dict[str, list[Said]]:
        """See Known."""
        return {
            key: [
                Said(
                    mark(r.role, r.content),
                    r.role,
                    r.sent_at,
                    place in self.repeated,
                    place,
                    self.histories.get(place),
                    len(r.content) if r.role == "user" else 0,
                )
                for place, r in rows
            ]
            for key, rows in self.counted().items()
            if key in conversation_ids
        }

    def traces(self, trace_ids: Collection[str]) -> list[KnownTrace]:
        """See Known."""
        held = self.counted().keys()
        return [
            one._replace(vacant=one.conversation_id not in held)
            for key, one in self.noted.items()
            if key in set(trace_ids)
        ]

    def chained(self) -> bool:
        """See Known."""
        return any(talk.kind == "call" and len(talk.said) > 2 for talk in self.known.values())
