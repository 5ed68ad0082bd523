"""Whole files at once, by Arrow, where it is proved that the careful way would read the same messages.

CSV: what was read, written again in the one usual manner, is the file byte for byte, and the careful reader takes such
a text for just those fields. JSON Lines: every line break stands between `}` and `{`, which no JSON value has inside,
and there are as many objects as lines. A file without that proof is None, and read the careful way.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import tzinfo
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, json

from cpa_core.sources import columns, documents, fields, sessions
from cpa_core.sources.columns import Table
from cpa_core.sources.files import File

BLOCK = 16 << 20
THREADS = 2
"""Arrow works on one block at a time, without Python's lock."""
VISIBLE = "^[!-~]"
KEYS = ("conversation_id", "user_id", "role", "content", "message_id", "timestamp")


def csv_drafts(file: File) -> Table | None:
    """The messages of a CSV file of known columns only."""
    content = _plain_bytes(file)
    if content is None or not content.endswith(b"\n"):
        return None
    first = content[: content.index(b"\n") + 1].decode()
    header, end = first.rstrip("\r\n").split(","), "\r\n" if first.endswith("\r\n") else "\n"
    if not file.is_plain(header) or len(set(header)) != len(header) or content.find(b"\n" + first.encode()) >= 0:
        return None
    if not _are_known([file.ours(name) for name in header]):
        return None
    reading = csv.ReadOptions(block_size=BLOCK)
    parsing = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    text = csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False)
    try:
        found = csv.read_csv(pa.BufferReader(content), reading, parsing, text)
        with ThreadPoolExecutor(THREADS) as pool:
            written = pa.chunked_array(pool.map(_written, found.to_batches()), pa.string())
    except (pa.ArrowInvalid, pa.ArrowCapacityError):
        return None
    if not found.num_rows or not _is_followed_by(content, written, end):
        return None
    breaks = pc.add(pc.count_substring_regex(written, "\r\n|\r|\n").cast(pa.int64()), 1)
    lines = pc.add(pc.subtract(pc.cumulative_sum(breaks), breaks), 2)
    return _drafts(lines, {file.ours(name): found[name] for name in header}, file.zone)


def _written(batch: pa.RecordBatch) -> pa.Array:
    """Rows as a writer of CSV has them, without their ends."""
    return pc.binary_join_element_wise(*map(_field, batch.columns), ",")


def _field(cells: pa.Array) -> pa.Array:
    """Fields, quoted where they must be."""
    needed = pc.match_substring_regex(cells, '[",\\r\\n]')
    if not pc.any(needed, min_count=0).as_py():
        return cells
    quoted = pc.binary_join_element_wise("", pc.replace_substring(cells, '"', '""'), "", '"')
    return pc.if_else(needed, quoted, cells)


def _is_followed_by(content: bytes, written: pa.ChunkedArray, end: str) -> bool:
    """Whether these rows, each with its line break, are all that follows the header."""
    rest = pa.py_buffer(content).slice(content.index(b"\n") + 1)
    for chunk in pc.binary_join_element_wise(written, "", end).chunks:
        _, offsets, text = chunk.buffers()
        first, last = (memoryview(offsets).cast("i")[n] for n in (chunk.offset, chunk.offset + len(chunk)))
        size = last - first
        if size > len(rest) or not rest.slice(0, size).equals(text.slice(first, size)):
            return False
        rest = rest.slice(size)
    return len(rest) == 0


def lines_drafts(file: File) -> Table | None:
    """The messages of JSON Lines in which every object has known keys only, and text or null in them."""
    content = _plain_bytes(file)
    if content is None:
        return None
    content = content.rstrip(b"\n")
    breaks = content.count(b"\n")
    if not content.startswith(b"{") or content.count(b"}\n{") != breaks:
        return None
    first = content[: content.find(b"\n") if breaks else len(content)]
    try:
        keys = list(documents.DECODER.decode(first.decode()))
        if not file.is_plain(keys) or not _are_known([file.ours(key) for key in keys]):
            return None
        schema = pa.schema([(key, pa.string()) for key in keys])
        parsing = json.ParseOptions(schema, newlines_in_values=False, unexpected_field_behavior="error")
        found = json.read_json(pa.BufferReader(content), json.ReadOptions(block_size=BLOCK), parsing)
    except (ValueError, RecursionError, pa.ArrowInvalid, pa.ArrowCapacityError):
        return None
    named = {file.ours(key): found[key] for key in keys}
    if found.num_rows != breaks + 1 or any(named[key].null_count for key in ("role", "content")):
        return None
    return _drafts(pa.array(range(1, breaks + 2), pa.int64()), named, file.zone)


def batch_drafts(file: File, batch: pa.RecordBatch, rows: int) -> Table | None:
    """The messages of a batch of Parquet, which begins after so many rows; None where any needs care.

    Ids may be whole numbers, and times may be such.
    """
    names = batch.schema.names
    if not file.is_plain(names) or len(set(names)) != len(names) or not batch.num_rows:
        return None
    ours = _with_session(file, {file.ours(name): batch.column(n) for n, name in enumerate(names)})
    if ours is None:
        return None
    known = {word: cells for word, cells in ours.items() if word in KEYS}
    if len({file.ours(name) for name in names}) != len(names) or "messages" in ours or not _are_known(list(known)):
        return None
    cells = {word: _text(word, cells) for word, cells in known.items()}
    if any(one is None for one in cells.values()):
        return None
    made = _drafts(pa.array(range(rows + 1, rows + batch.num_rows + 1), pa.int64()), cells, file.zone, "row")
    other = {word: cells for word, cells in ours.items() if word not in KEYS}
    if made is None or not other:
        return made
    said = columns.metadata(other)
    return None if said is None else made.set_column(made.schema.get_field_index("metadata"), "metadata", [said])


def _with_session(file: File, ours: dict[str, Any]) -> dict[str, Any] | None:
    """Columns in which `conversation_id` stands for the session, where they name none; None where rows need care."""
    if not file.sessions.of_rows or not sessions.SESSIONS_OF_ROWS & ours.keys():
        return ours
    texts = {word: _text("conversation_id", cells) for word, cells in ours.items() if word in sessions.SESSIONS}
    cells = {word: cells.to_pylist() for word, cells in texts.items() if cells is not None}
    found = sessions.with_session(cells) if len(cells) == len(texts) else None
    if found is None or found.keys() >= texts.keys():
        return None if found is None else ours
    (key,) = texts.keys() - found.keys()
    given = pa.array(found["conversation_id"], pa.string())
    return {**{word: cells for word, cells in ours.items() if word != key}, "conversation_id": given}


def _text(word: str, cells: pa.Array) -> pa.Array | None:
    """A column as text, a time as it is; None where its values need care."""
    if pa.types.is_timestamp(cells.type):
        return cells if word == "timestamp" else None
    if pa.types.is_integer(cells.type):
        return cells.cast(pa.string()) if word.endswith("_id") else None
    if not pa.types.is_string(cells.type) or (word in ("role", "content") and cells.null_count):
        return None
    return cells


def _plain_bytes(file: File) -> bytes | None:
    """The text of a file as bytes that are UTF-8, unpacked; None where they are not."""
    content = documents.binary(file.name, file.content).read()
    try:
        start = 0
        while start < len(content):
            end = content.find(b"\n", start + BLOCK) + 1 or len(content)
            pa.array([content[start:end]], pa.binary()).cast(pa.string())
            start = end
    except (pa.ArrowInvalid, pa.ArrowCapacityError):
        return None
    return content


def _are_known(names: list[str]) -> bool:
    group = {"conversation_id", "user_id"} & set(names)
    return len(set(names)) == len(names) and {"role", "content"} <= set(names) <= set(KEYS) and bool(group)


def _drafts(lines: Any, cells: dict[str, Any], zone: tzinfo, place: str = "line") -> Table | None:
    none = pa.nulls(len(lines), pa.string())
    ids = cells.get("message_id", none)
    ids = pc.if_else(pc.equal(ids, ""), pa.scalar(None, pa.string()), ids)
    if not pc.all(pc.match_substring_regex(ids, VISIBLE), min_count=0).as_py():
        return None
    key = "conversation_id" if "conversation_id" in cells else "user_id"
    try:
        written = cells.get("timestamp", none)
        read = columns.instants if pa.types.is_timestamp(written.type) else columns.moments
        sent_at, zone_assumed = read(written, zone)
        arrays = {
            "place": pc.binary_join_element_wise(place, pc.cast(lines, pa.string()), " "),
            "conversation_id": _each(partial(fields.group, key), cells[key]),
            "message_id": ids,
            "user_id": _each(lambda value: fields.identity("user_id", value), cells.get("user_id", none)),
            "role": _each(fields.role, cells["role"]),
            "content": cells["content"],
            "sent_at": sent_at,
            "metadata": none,
            "conversation_metadata": none,
            "by_user": columns.repeated("conversation_id" not in cells, len(lines)),
            "zone_assumed": zone_assumed,
        }
    except (ValueError, pa.ArrowInvalid):
        return None
    return pa.table(arrays, columns.DRAFT)


def _each(rule: Callable[[str | None], str | None], values: Any) -> Any:
    """A rule applied to each different value once."""
    different = pc.unique(values)
    kept = pa.array([rule(value) for value in different.to_pylist()], pa.string())
    return pc.take(kept, pc.index_in(values, different))
