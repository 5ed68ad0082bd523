"""Reviews, draws and other words of people: appended to files of the home at once, merged into the tables later."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cpa_core.gold.drawing import Draw
from cpa_core.gold.reviews import Review
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.settings import Settings
from cpa_core.store.database import Row, Transaction
from cpa_core.store.ledgers import append_lines, lines_after


class SameMeaning(Value):
    """A person's statement that a type means the same with a newer definition, so its earlier gold stays valid."""

    key: str
    older: str
    newer: str
    said_by: str
    said_at: datetime


class GoldUse(Value):
    """One use of gold: its purpose, the part used, and the counts."""

    used_at: datetime
    purpose: str
    part: str
    conversations: int
    labels: int


def gold_folder(settings: Settings) -> Path:
    """Return the home's folder of people's labels."""
    return settings.home / "gold"


def append_reviews(assistant: Assistant, reviews: Sequence[Review]) -> None:
    """Keep reviews: on the disk when this returns, without waiting for the database. Raises LedgerNotWritten."""
    if reviews:
        _append(assistant.settings, "reviews", reviews)


def append_draw(assistant: Assistant, draw: Draw) -> None:
    """Keep a draw. Raises LedgerNotWritten."""
    _append(assistant.settings, "draws", [draw])


def append_meaning(assistant: Assistant, meaning: SameMeaning) -> None:
    """Store a person's statement about a changed definition. Raises LedgerNotWritten."""
    _append(assistant.settings, "meanings", [meaning])


def append_use(assistant: Assistant, use: GoldUse) -> None:
    """Keep a use of gold. Raises LedgerNotWritten."""
    _append(assistant.settings, "uses", [use])


def _append(settings: Settings, name: str, values: Sequence[Value]) -> None:
    append_lines(gold_folder(settings) / f"{name}.jsonl", [value.model_dump_json() for value in values])


def merge_gold(assistant: Assistant) -> int:
    """Update the tables from the files. Return the total number of unreadable lines. Raises StoreBusy, StoreNotWritten.

    Only appended lines are read. This also restores the gold of a home that lost its database.
    """
    paths = {name: gold_folder(assistant.settings) / f"{name}.jsonl" for name in TABLES}
    there = {name: path for name, path in paths.items() if path.exists()}
    if not there:
        return 0
    with assistant.store.reading() as view:
        done = {row["file"]: row for row in view.answer("gold/merged_files")}
    grown = [name for name, path in there.items() if path.stat().st_size != done.get(name, {"bytes": 0})["bytes"]]
    if grown:
        with assistant.store.merge_lock(), assistant.store.writing() as transaction:
            for name in grown:
                _merge(transaction, name, there[name])
    with assistant.store.reading() as view:
        return int(view.answer("gold/lines_unread")[0]["lines"])


def _merge(transaction: Transaction, name: str, path: Path) -> None:
    (before,) = transaction.answer("gold/merged_file", name=name) or [{"bytes": 0, "unread": 0}]
    offset, unread = before["bytes"], before["unread"]
    if path.stat().st_size < offset:  # another file replaced it: known lines are left out below
        offset = 0
    read: list[Value] = []
    for line, end in lines_after(path, offset):
        offset = end
        try:
            read.append(KINDS[name].model_validate_json(line))
        except ValidationError:
            unread += 1
    transaction.insert(TABLES[name], _fresh(transaction, name, read))
    transaction.answer("gold/forget_merged", name=name)
    transaction.insert("gold_merged", [{"file": name, "bytes": offset, "unread": unread}])


KINDS: dict[str, type[Value]] = {"reviews": Review, "draws": Draw, "meanings": SameMeaning, "uses": GoldUse}
TABLES = {"reviews": "gold_labels", "draws": "gold_draws", "meanings": "gold_meanings", "uses": "gold_uses"}
"""The value type of each file, and the table that it is merged into."""
IDS = {"reviews": "review_id", "draws": "draw_id"}
"""The id of a value, where a value may stand in several files; `sql/gold/merged_<name>.sql` asks which are merged."""


def _fresh(transaction: Transaction, name: str, read: Iterable[Value]) -> list[Row]:
    """Return the rows that the table does not have yet."""
    column = IDS.get(name)
    known = {row["id"] for row in transaction.answer(f"gold/merged_{name}")} if column else set()
    rows: list[Row] = []
    for value in read:
        if column:
            own = str(getattr(value, column))
            if own in known:
                continue
            known.add(own)
        rows += _rows(value)
    return rows


def _rows(value: Value) -> list[dict[str, Any]]:
    if isinstance(value, Review):
        return [
            row | {name: json.dumps(row[name], ensure_ascii=False) for name in ("properties", "property_definitions")}
            for row in value.rows()
        ]
    if isinstance(value, Draw):
        own = value.model_dump(exclude={"items", "drawn_as", "first", "last"})
        own |= {"draw_id": value.draw_id, "first_day": value.first, "last_day": value.last}
        return [own | item.model_dump() | {"place": place} for place, item in enumerate(value.items)]
    return [value.model_dump()]
