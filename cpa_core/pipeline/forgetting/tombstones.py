"""Tombstones: salted hashes of forgotten ids and texts, which the next landing leaves out.

They are in a file of the home, which outlives its database, or in the store that several workers share.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from cpa_core.store import Store
from cpa_core.store.database import Row
from cpa_core.store.ledgers import append_lines, lines_after

Kind = Literal["user", "conversation", "beginning", "message", "reject", "object", "person"]
"""The content that a tombstone hashes.

A `beginning` is that of a conversation whose id was generated. A `message` is one that only user and time identify. A
`reject` is a record that could not be used. An `object` is the address of an object that is named by such an id.
A `person` is the id at a destination, in receipts of deletions: it is no tombstone.
"""
FILE = "tombstones.jsonl"


def forgotten_folder(home: Path) -> Path:
    """Return the folder of a home's tombstones. It outlives the database, so that `cpa restore` brings nobody back."""
    return home / "forgotten"


@dataclass(frozen=True)
class Tombstones:
    """The hashes of a store by their kind, and the salts that make them; empty where nothing was forgotten.

    A store has one salt, and that of another store whose tombstones were copied to it. `before`: what was said before
    this day was removed for its age.
    """

    salts: tuple[str, ...]
    hashes: frozenset[str]
    kinds: frozenset[str]
    before: date | None = None

    def __bool__(self) -> bool:
        return bool(self.hashes or self.before)

    def hash_of(self, kind: Kind, text: str) -> str:
        """The hash of a text of this kind by the first salt, as 32 hexadecimal digits."""
        return _hash(self.salts[0], kind, text)

    def hashes_of(self, kind: Kind, text: str) -> set[str]:
        """The hashes of a text of this kind by every salt."""
        return {_hash(salt, kind, text) for salt in self.salts}

    def holds(self, kind: Kind, text: str | None) -> bool:
        """Whether this was forgotten. False for null."""
        return text is not None and kind in self.kinds and not self.hashes.isdisjoint(self.hashes_of(kind, text))

    def held(self, kind: Kind, texts: Iterable[str | None]) -> set[str]:
        """Return those of these texts that were forgotten."""
        return {text for text in set(texts) if text is not None and self.holds(kind, text)}


def tombstones(store: Store) -> Tombstones:
    """The tombstones of a store: a file of the home, or a table where several workers share the store."""
    salts, hashes, kinds, days = [], set(), set(), []
    for row in _rows(store):
        if row.get("salt"):
            salts.append(row["salt"])
        if row.get("hash"):
            hashes.add(row["hash"])
            kinds.add(row["kind"])
        if row.get("before"):
            days.append(date.fromisoformat(str(row["before"])))
    return Tombstones(tuple(salts), frozenset(hashes), frozenset(kinds), max(days, default=None))


def bury(store: Store, found: Iterable[tuple[Kind, str]]) -> None:
    """Keep the hashes of these on the disk, each once. Raises LedgerNotWritten, StoreNotWritten."""
    wanted = list(found)
    if not wanted:
        return
    known = salted_tombstones(store)
    fresh = {(kind, known.hash_of(kind, text)) for kind, text in wanted if not known.holds(kind, text)}
    _add(store, [{"kind": kind, "hash": one} for kind, one in sorted(fresh)])


def salted_tombstones(store: Store) -> Tombstones:
    """The tombstones of a store, with a salt, which is made unless it is there. Raises as `bury` does."""
    if not tombstones(store).salts:
        _add(store, [{"salt": secrets.token_hex(32)}])
    return tombstones(store)


def copy_tombstones(source: Store, target: Store) -> None:
    """Let what was forgotten in a store stay away from its copy. Raises as `bury` does."""
    there = [_line(row) for row in _rows(target)]
    _add(target, [row for row in map(_line, _rows(source)) if row not in there])


def moment_of(before: date, timezone: str) -> datetime:
    """When the day begins in the home's time zone, as UTC."""
    return datetime.combine(before, time(), ZoneInfo(timezone)).astimezone(UTC)


def bury_before(store: Store, before: date) -> None:
    """Keep on the disk that what was said before a day does not land again. Raises as `bury` does."""
    known = tombstones(store).before
    if known is None or known < before:
        _add(store, [{"before": str(before)}])


def _add(store: Store, rows: list[Row]) -> None:
    if not rows:
        return
    if store.is_file:
        append_lines(forgotten_folder(store.home) / FILE, [json.dumps(row) for row in rows])
        return
    with store.writing() as transaction:
        days = [{**row, "before": date.fromisoformat(row["before"])} if "before" in row else row for row in rows]
        transaction.insert("tombstones", days)


def _rows(store: Store) -> Iterator[Row]:
    if not store.is_file:
        with store.reading() as view:
            rows = view.answer("forgetting/tombstones")
        yield from rows
        return
    path = forgotten_folder(store.home) / FILE
    if path.exists():
        for line, _ in lines_after(path, 0):
            yield json.loads(line)


def _line(row: Row) -> Row:
    """A tombstone as a line of the file has it."""
    return {name: str(value) for name, value in row.items() if value is not None}


def _hash(salt: str, kind: str, text: str) -> str:
    words = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    return hmac.new(salt.encode(), words, hashlib.sha256).hexdigest()[:32]
