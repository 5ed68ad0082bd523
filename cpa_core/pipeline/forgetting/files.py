"""Removing the subject from a home's files: each file is replaced as a whole, and all other lines stay equal."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from cpa_core.gold.drawing import Draw
from cpa_core.pipeline.forgetting.subject import Forgotten
from cpa_core.pipeline.reporting.html_report import NAME
from cpa_core.store.archive import sync_folder
from cpa_core.store.database import Row

FOLDERS = ("answers", "batches", "gold", "outbox")
"""The folders of a home with data about conversations."""
BLANKED = {"conversation_id": None, "answer": None, "detail": None, "request_hash": ""}
"""The fields removed from a stored answer. Its tokens and its cost stay, so that budgets keep counting them."""

Cleaned = dict[Path, int]
"""The number of lines or rows removed, by file."""


def clean_files(home: Path, subject: Forgotten, *, write: bool) -> Cleaned:
    """Remove the subject from every file that the tool wrote, or only count the removals.

    A report is deleted as a whole.
    """
    return _cleaned(_own_files(home), subject, write)


def clean_folder(folder: Path, subject: Forgotten, *, write: bool) -> Cleaned:
    """Remove the subject from every file of a folder that the tool alone writes, or only count the removals."""
    return _cleaned(sorted(path for path in folder.glob("*") if path.is_file()), subject, write)


def _cleaned(paths: Sequence[Path], subject: Forgotten, write: bool) -> Cleaned:
    found: Cleaned = {}
    for path in paths:
        clean = _way(path)
        if clean is not None and (count := clean(path, subject, write)):
            found[path] = count
    return found


def _own_files(home: Path) -> list[Path]:
    """The files that the tool wrote: a home may be a folder that holds other things."""
    places = [home.glob("*.html"), *((home / name).glob("*") for name in FOLDERS)]
    return sorted(path for place in places for path in place if path.is_file())


def _way(path: Path) -> Callable[[Path, Forgotten, bool], int] | None:
    """Return the function that cleans a file; null for files without data of conversations."""
    if path.suffix == ".parquet":
        return _clean_answers if path.parent.name == "answers" else _clean_rows
    ways = {
        ".jsonl": _clean_lines,
        ".unread": _clean_lines,
        ".html": _remove_page,
        ".batch": _remove,
        ".tmp": _remove,
        ".part": _remove,
    }
    return ways.get(path.suffix)


def _remove_page(path: Path, subject: Forgotten, write: bool) -> int:
    """Delete the report in any case; delete another page if it contains an id or a text of the subject."""
    if path.name == NAME:
        return _remove(path, subject, write)
    page = path.read_text("utf-8", "replace")
    is_theirs = subject.names(page) or any(text in page for text in subject.texts)
    return _remove(path, subject, write) if is_theirs else 0


def _remove(path: Path, subject: Forgotten, write: bool) -> int:
    if write:
        path.unlink(missing_ok=True)
    return 1


def _clean_lines(path: Path, subject: Forgotten, write: bool) -> int:
    with _held(path):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [_line(line, subject) for line in lines]
        count = sum(line != before for line, before in zip(kept, lines, strict=True))
        if count and write:
            _replace(path, b"".join(kept))
    return count


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """No other process appends meanwhile; who waits for it finds that another file took its place."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _line(line: bytes, subject: Forgotten) -> bytes:
    """Return the line that stays. Of a draw only items are removed: its chances still hold for the others."""
    text = line.decode("utf-8", "replace").strip()
    if not _is_about(text, subject):
        return line
    draw = _without_items(text, subject)
    return draw if draw is not None else b""


def _is_about(text: str, subject: Forgotten) -> bool:
    """Whether a line is about the subject, by its fields for ids; by its words where it cannot be read."""
    try:
        return any(value in _ids_for(name, subject) for name, value in _fields(json.loads(text)))
    except ValueError:
        return subject.names(text)


def _fields(value: Any) -> Iterator[tuple[str, str]]:
    """Every field that is a text, at any depth."""
    if isinstance(value, dict):
        yield from ((name, one) for name, one in value.items() if isinstance(one, str))
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _fields(one)


def _ids_for(name: str, subject: Forgotten) -> frozenset[str]:
    """Return the ids that count in a column of this name.

    At a destination, an unknown user has the conversation's id.
    """
    return {
        "conversation_id": subject.known_conversations,
        "distinct_id": subject.known_users,
        "user_id": subject.known_users,
    }.get(name, frozenset())


def _without_items(text: str, subject: Forgotten) -> bytes | None:
    """The draw as it stays, under the id that it had; null where the line is no draw."""
    try:
        draw = Draw.model_validate_json(text)
    except ValidationError:
        return None
    items = tuple(item for item in draw.items if item.conversation_id not in subject.known_conversations)
    left = draw.model_copy(update={"items": items, "drawn_as": draw.draw_id})
    return left.model_dump_json().encode() + b"\n"


def _clean_rows(path: Path, subject: Forgotten, write: bool) -> int:
    """Rows by the columns that name a conversation or a person."""
    table = pq.read_table(path)
    gone = _named(table, subject)
    count = int(pc.sum(gone).as_py() or 0)
    if count and write:
        _replace_table(path, table.filter(pc.invert(gone)))
    return count


def _clean_answers(path: Path, subject: Forgotten, write: bool) -> int:
    """Answers about the conversations, and steps of a proposal that quote them."""
    table = pq.read_table(path)
    rows = table.select(["conversation_id", "answer", "detail", "created_at"]).to_pylist()
    gone = pa.array([about(row, subject) for row in rows], pa.bool_())
    count = int(pc.sum(gone).as_py() or 0)
    if count and write:
        for name, value in BLANKED.items():
            at = table.column_names.index(name)
            blank = pa.scalar(value, table.schema.field(name).type)
            table = table.set_column(at, table.schema.field(name), pc.if_else(gone, blank, table[name]))
        _replace_table(path, table)
    return count


def about(answer: Row, subject: Forgotten) -> bool:
    """Whether an answer is about one of the conversations, or is about none and quotes one of them."""
    if answer["conversation_id"] is not None:
        return answer["conversation_id"] in subject.known_conversations
    if subject.before is not None:
        return bool(answer["answer"] or answer["detail"]) and bool(answer["created_at"] < subject.before)
    return subject.mentions(answer["answer"]) or subject.mentions(answer["detail"])


def _named(table: pa.Table, subject: Forgotten) -> pa.Array:
    gone = pa.array([False] * table.num_rows, pa.bool_())
    for name in table.column_names:
        if ids := _ids_for(name, subject):
            column = table[name].combine_chunks().cast(pa.string())
            gone = pc.or_(gone, pc.is_in(column, value_set=pa.array(sorted(ids), pa.string())))
    return gone


def _replace_table(path: Path, table: pa.Table) -> None:
    fresh = path.with_name(f"{path.name}.part")
    mode = path.stat().st_mode & 0o777
    with fresh.open("wb") as file:
        os.fchmod(file.fileno(), mode)
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.part")
    mode = path.stat().st_mode & 0o777
    with fresh.open("wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)
