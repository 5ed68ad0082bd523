"""The listed facts of each object, and the day that its path or key may contain."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase

from cpa_core.errors import SourceError
from cpa_core.models import Value
from cpa_core.sources import aider, whatsapp, workbooks
from cpa_core.sources.contents import Content

KINDS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", *workbooks.ENDINGS)
READABLE = (*(kind + packed for kind in KINDS for packed in ("", ".gz")), ".zip")
WRITTEN_BY_SERVICES = re.compile(
    r"(?:^|/)\d{6}\.gz$|-\d+-\d{4}(?:-\d\d){5}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.gz)?$"
)
"""Names of objects without an ending that says what they hold: exports of CloudWatch Logs, and what Firehose delivers.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/S3ExportTasks.html,
https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html.
"""


def is_read(name: str) -> bool:
    """Whether an object of this name is of a kind that is read."""
    named = (whatsapp.NAMES, aider.NAMES, WRITTEN_BY_SERVICES)
    return name.lower().endswith(READABLE) or any(one.search(name) for one in named)


MOST_NAMED = 5
"""Objects that are left out and named; the others are counted."""
DAY_TEMPLATE = "{day}"


class Object(Value):
    """One object as a listing sees it. `day` is the one its path names, where the template has `{day}`.

    `read` raises SourceUnreadable when the object cannot be fetched now. `parts`: it is a range of a database's rows,
    read as objects of their own; `moved`: all of these are in other ranges now. `continues`: it is one of several
    parts of the same rows, and others came before it. `again`: some of its rows may have landed in another range.
    """

    uri: str
    etag: str
    size: int
    modified_at: datetime
    day: date | None
    read: Callable[[], Content]
    parts: Callable[[], Iterable["Object"]] | None = None
    moved: bool = False
    continues: bool = False
    again: bool = False


class Listing(Value):
    """The present objects of a source. `skipped` counts objects that are not read, of which `others` names a few.

    Objects that were there and begin with `prefix` were removed; a single object has none.
    """

    prefix: str
    objects: tuple[Object, ...]
    skipped: int
    others: tuple[str, ...] = ()


def chosen(found: Listing, include: Sequence[str], exclude: Sequence[str]) -> Listing:
    """The objects of a listing that the patterns leave; a single object, which a person named, stays.

    Raises SourceError where they leave none.
    """
    if not found.prefix or not (include or exclude):
        return found
    names = {one.uri: one.uri.removeprefix(found.prefix).lstrip("/") for one in found.objects}
    left = tuple(one for one in found.objects if fits(names[one.uri], include, exclude))
    if not left:
        raise SourceError(f"{found.prefix}: the patterns (--include, --exclude) leave none of {len(names):,} objects")
    kept = {one.uri for one in left}
    out = [name for uri, name in names.items() if uri not in kept]
    others = (*found.others, *out)[:MOST_NAMED]
    return found.model_copy(update={"objects": left, "skipped": found.skipped + len(out), "others": others})


def fits(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a path below the source is one to read: by patterns of the whole path or of the name at its end."""
    ways = (name, name.rpartition("/")[2])
    wanted = not include or any(fnmatchcase(way, pattern) for way in ways for pattern in include)
    return wanted and not any(fnmatchcase(way, pattern) for way in ways for pattern in exclude)


_TRACES = re.compile(r"(?<![a-z])traces?(?![a-z])(?!.*(?<![a-z])observations)", re.IGNORECASE)


def traces_first(objects: Iterable[Object]) -> list[Object]:
    """Objects in their order, those of traces before others: they name the user and session of what lies elsewhere."""
    return sorted(objects, key=lambda one: _TRACES.search(one.uri) is None)


def before_day(source: str) -> str:
    """The part of a template that every object begins with."""
    return source.split(DAY_TEMPLATE, 1)[0]


def readable(source: str, names: Iterable[str]) -> dict[str, date | None]:
    """The names of kinds that we read and that fit the template, each with the day it bears."""
    kinds = [name for name in names if is_read(name)]
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
