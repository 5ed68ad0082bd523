"""Listing and reading objects: a file, a folder, and by one line in a table, more."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from cpa_core.errors import SourceError
from cpa_core.models import Value

READABLE = (".json", ".csv")
DAY_TEMPLATE = "{day}"


class Object(Value):
    """One object as a listing sees it. `day` is the one its path names, where the template has `{day}`."""

    uri: str
    etag: str
    size: int
    modified_at: datetime
    day: date | None
    read: Callable[[], bytes]


class Listing(Value):
    """What a source holds now, below `root`. `skipped` counts objects of kinds that we do not read."""

    root: str
    objects: tuple[Object, ...]
    skipped: int


def listing(source: str) -> Listing:
    """List a source without reading it. Raises SourceError when nothing there can be read."""
    scheme = source.split("://", 1)[0] if "://" in source else "file"
    try:
        place = PLACES[scheme]
    except KeyError:
        raise SourceError(f"{source}: scheme: {scheme} is none of {', '.join(PLACES)}") from None
    return place(source)


def local(source: str) -> Listing:
    """A file, or every readable file in a folder and its subfolders; `{day}` in the path names the day."""
    pattern, root = day_pattern(source), Path(source.split(DAY_TEMPLATE)[0])
    if DAY_TEMPLATE in source:
        root = root if source.split(DAY_TEMPLATE)[0].endswith("/") else root.parent
    if not root.exists():
        raise SourceError(f"{source}: no such file or folder")
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    visible = [f for f in files if not any(part.startswith(".") for part in f.relative_to(root).parts)]
    matched = [(f, m) for f in visible if (m := pattern(str(f))) is not None]
    wanted = [(f, m) for f, m in matched if f.suffix.lower() in READABLE or f == Path(source)]
    if not wanted:
        raise SourceError(f"{source}: no .json or .csv file there")
    objects = tuple(_file(file, day) for file, day in wanted)
    return Listing(root=str(root.resolve()), objects=objects, skipped=len(visible) - len(wanted))


def day_pattern(source: str) -> Callable[[str], str | None]:
    """A function that gives the day text a path holds under a template, "" without one, None for no match."""
    if DAY_TEMPLATE not in source:
        return lambda path: ""
    before, after = source.split(DAY_TEMPLATE, 1)
    wanted = re.compile(re.escape(before) + r"(\d{4}-\d{2}-\d{2})" + re.escape(after))
    return lambda path: match[1] if (match := wanted.match(path)) else None


def _file(path: Path, day: str) -> Object:
    state = path.stat()
    return Object(
        uri=str(path.resolve()),
        etag=f"{state.st_size}-{state.st_mtime_ns}",
        size=state.st_size,
        modified_at=datetime.fromtimestamp(state.st_mtime, UTC),
        day=date.fromisoformat(day) if day else None,
        read=path.read_bytes,
    )


PLACES: dict[str, Callable[[str], Listing]] = {"file": local}
"""One line a kind of place."""
