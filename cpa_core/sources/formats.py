"""Which format a file has, and cutting it into records. One line in a table for each format."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from cpa_core.errors import SourceError
from cpa_core.sources import columns, conversations, documents, exports, identity, roles, tables
from cpa_core.sources.files import File
from cpa_core.sources.records import Record, Reject

Form = Callable[[File], Iterable[columns.Found]]

FORMATS: dict[str, Form] = {
    "json": conversations.from_map,
    "csv": tables.from_csv,
    "tsv": tables.from_tsv,
    "parquet": tables.from_parquet,
    "jsonl": conversations.from_lines,
    "openai": exports.from_chats,
    "anthropic": exports.from_chats,
    "sharegpt": exports.from_chats,
    "langfuse": exports.from_langfuse,
    "otlp": exports.from_otlp,
}
"""One line a format."""

ENDINGS = {"json": "json", "csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}
"""What the ending of a name says; a file of JSON may say otherwise."""

SAMPLE = 1 << 16
TOP = r"^\s*(?:\{\s*\"data\"\s*:\s*)?\[?\s*\{[^{\[]*"
SIGNS = {
    "otlp": TOP + r'"resourceSpans"\s*:',
    "sharegpt": TOP + r'"conversations"\s*:\s*\[',
    "openai": TOP + r'"messages"\s*:\s*\[',
    "langfuse": r'(?!^\s*\{[^{\[]*"role"\s*:)' + TOP + r'"(?:traceId|sessionId|input|output)"\s*:',
}
"""What the beginning of a JSON file shows, before any nested object; the seed tool's form shows none."""


class Batch(NamedTuple):
    """The records of a file as columns of `landed_messages`, and those that it rejects."""

    records: columns.Table
    rejects: list[Reject]


def read(file: File, midnight: datetime | None) -> Batch:
    """The records of a file and those it rejects. `midnight` begins the day of messages without times.

    Raises SourceError when the file as a whole cannot be read or none of its records can, and DayNeeded when
    a time is missing and no day is given.
    """
    try:
        drafts, known, rejects = columns.gathered(FORMATS[form_of(file)](file))
    except UnicodeDecodeError:
        raise documents.not_utf8(file.name, file.content) from None
    lost = [reject for reject in rejects if reject.loss]
    if lost and not drafts.num_rows:
        raise SourceError(f"{file.name}: {lost[0].place}: {lost[0].reason}")
    drafts = identity.named(roles.assigned(drafts, file.roles), known)
    records, contradictions = columns.records(file.name, drafts, midnight)
    return Batch(records, rejects + contradictions)


def parse(name: str, content: bytes, midnight: datetime | None) -> tuple[list[Record], list[Reject]]:
    """The same as `read`, as rows."""
    found = read(File(name, content), midnight)
    return as_records(found), found.rejects


def as_records(batch: Batch) -> list[Record]:
    """The records of a batch as rows."""
    return list(columns.rows(batch.records, Record))


def form_of(file: File) -> str:
    """The format of a file: the one that is named, else by its content and ending. Raises SourceError."""
    if file.form:
        if file.form not in FORMATS:
            raise SourceError(f"{file.name}: format: {file.form} is none of {', '.join(FORMATS)}")
        return file.form
    ending = file.name.lower().removesuffix(".gz").rsplit(".", 1)[-1]
    if ending not in ENDINGS:
        raise SourceError(f"{file.name}: none of the kinds that are read: {', '.join(ENDINGS)}, also .gz")
    form = ENDINGS[ending]
    if form not in ("json", "jsonl"):
        return form
    beginning = documents.binary(file.name, file.content).read(SAMPLE).decode("utf-8-sig", "replace")
    shown = next((name for name, sign in SIGNS.items() if re.search(sign, beginning, re.DOTALL)), form)
    first, _, more = beginning.lstrip().partition("\n")
    if shown == "json" and more.lstrip()[:1] == "{" and first.startswith("{") and first.rstrip().endswith("}"):
        return "jsonl"
    return shown
