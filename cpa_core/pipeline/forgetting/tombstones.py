"""Tombstones: salted hashes of forgotten ids and texts, in a file of the home, which the next landing leaves out."""

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
    """The hashes of a home by their kind, and the salt that makes them; empty where nothing was forgotten.

    `before`: what was said before this day was removed for its age.
    """

    salt: str
    hashes: frozenset[str]
    kinds: frozenset[str]
    before: date | None = None

    def __bool__(self) -> bool:
        return bool(self.hashes or self.before)

    def hash_of(self, kind: Kind, text: str) -> str:
        """The hash of a text of this kind, as 32 hexadecimal digits."""
        return _hash(self.salt, kind, text)

    def holds(self, kind: Kind, text: str | None) -> bool:
        """Whether this was forgotten. False for null."""
        return text is not None and kind in self.kinds and self.hash_of(kind, text) in self.hashes

    def held(self, kind: Kind, texts: Iterable[str | None]) -> set[str]:
        """Return those of these texts that were forgotten."""
        return {text for text in set(texts) if text is not None and self.holds(kind, text)}


def tombstones(home: Path) -> Tombstones:
    """The tombstones of a home."""
    salt, hashes, kinds, days = "", set(), set(), []
    for row in _rows(forgotten_folder(home) / FILE):
        salt = salt or row.get("salt", "")
        if "hash" in row:
            hashes.add(row["hash"])
            kinds.add(row["kind"])
        if "before" in row:
            days.append(date.fromisoformat(row["before"]))
    return Tombstones(salt, frozenset(hashes), frozenset(kinds), max(days, default=None))


def bury(home: Path, found: Iterable[tuple[Kind, str]]) -> None:
    """Keep the hashes of these on the disk, each once. Raises LedgerNotWritten."""
    path = forgotten_folder(home) / FILE
    known = tombstones(home)
    salt = known.salt or secrets.token_hex(32)
    lines = [] if known.salt else [json.dumps({"salt": salt})]
    fresh = {(kind, _hash(salt, kind, text)) for kind, text in found}
    new = [json.dumps({"kind": kind, "hash": one}) for kind, one in sorted(fresh) if one not in known.hashes]
    if new:
        append_lines(path, [*lines, *new])


def salted_tombstones(home: Path) -> Tombstones:
    """The tombstones of a home, with a salt, which is made unless it is there. Raises LedgerNotWritten."""
    if not tombstones(home).salt:
        append_lines(forgotten_folder(home) / FILE, [json.dumps({"salt": secrets.token_hex(32)})])
    return tombstones(home)


def moment_of(before: date, timezone: str) -> datetime:
    """When the day begins in the home's time zone, as UTC."""
    return datetime.combine(before, time(), ZoneInfo(timezone)).astimezone(UTC)


def bury_before(home: Path, before: date) -> None:
    """Keep on the disk that what was said before a day does not land again. Raises LedgerNotWritten."""
    known = tombstones(home).before
    if known is None or known < before:
        append_lines(forgotten_folder(home) / FILE, [json.dumps({"before": str(before)})])


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        for line, _ in lines_after(path, 0):
            yield json.loads(line)


def _hash(salt: str, kind: str, text: str) -> str:
    words = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    return hmac.new(salt.encode(), words, hashlib.sha256).hexdigest()[:32]
