"""What a listing sees of each object, and the day that a path or key may bear."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime

from cpa_core.models import Value
from cpa_core.sources import workbooks

KINDS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", *workbooks.ENDINGS)
READABLE = tuple(kind + packed for kind in KINDS for packed in ("", ".gz"))
DAY_TEMPLATE = "{day}"


class Object(Value):
    """One object as a listing sees it. `day` is the one its path names, where the template has `{day}`.

    `read` raises SourceUnreadable when the object cannot be fetched now.
    """

    uri: str
    etag: str
    size: int
    modified_at: datetime
    day: date | None
    read: Callable[[], bytes]


class Listing(Value):
    """What a source holds now. `skipped` counts objects of kinds that we do not read.

    Objects that were there and begin with `prefix` were removed; a single object has none.
    """

    prefix: str
    objects: tuple[Object, ...]
    skipped: int


def before_day(source: str) -> str:
    """The part of a template that every object begins with."""
    return source.split(DAY_TEMPLATE, 1)[0]


def readable(source: str, names: Iterable[str]) -> dict[str, date | None]:
    """The names of kinds that we read and that fit the template, each with the day it bears."""
    kinds = [name for name in names if name.lower().endswith(READABLE)]
    if DAY_TEMPLATE not in source:
        return dict.fromkeys(kinds)
    template = re.escape(source).replace(re.escape(DAY_TEMPLATE), r"(?P<day>\d{4}-\d{2}-\d{2})", 1)
    template = template.replace(re.escape(DAY_TEMPLATE), "(?P=day)")
    matches = [(name, match) for name in kinds if (match := re.match(template, name))]
    return {name: day for name, match in matches if (day := _day(match["day"]))}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
