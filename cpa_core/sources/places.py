"""Listing and reading objects: a file or a folder here, a bucket in s3.py, and by one line in a table, more."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from cpa_core.errors import SourceError, SourceUnreadable
from cpa_core.settings import AwsSettings
from cpa_core.settings.addresses import DATABASES
from cpa_core.sources import s3
from cpa_core.sources.contents import LARGE, STREAMED, Content, OnDisk
from cpa_core.sources.objects import DAY_TEMPLATE, MOST_NAMED, Listing, Object, before_day, readable


def listing(source: str, aws: AwsSettings, s3_client: Callable[[], Any] | None = None) -> Listing:
    """List a source without reading it.

    `aws` holds keys and hosts; `s3_client` makes the S3 client where somebody else configures it (Dagster).
    Raises SourceError when nothing there can be read, SettingsError when keys or hosts are wrong.
    """
    scheme = source.split("://", 1)[0].lower() if "://" in source else "file"
    if scheme not in PLACES:
        raise SourceError(f"{source}: scheme: {scheme} is none of {', '.join((*PLACES, *DATABASES))}")
    return PLACES[scheme](source, s3_client or partial(s3.client, aws))


def local(source: str) -> Listing:
    """A file, or every readable file in a folder and its subfolders; `{day}` in the path names the day."""
    source = str(Path(source.removeprefix("file://")).expanduser())
    stem = before_day(source)
    top = Path(stem) if DAY_TEMPLATE not in source or stem.endswith("/") else Path(stem).parent
    if not top.exists():
        raise SourceError(f"{source}: no such file or folder")
    if top.is_file():
        return Listing(prefix="", objects=(_file(top, str(top.resolve()), None),), skipped=0)
    visible = [p for p in sorted(top.rglob("*")) if not _is_hidden(p.relative_to(top)) and p.is_file()]
    days = readable(source, map(str, visible))
    if not days:
        raise SourceError(f"{source}: none of the kinds that are read there ({len(visible)} other files)")
    root = str(top.resolve()).rstrip("/")
    objects = tuple(_file(p, f"{root}/{p.relative_to(top)}", days[str(p)]) for p in visible if str(p) in days)
    beginning = Path(stem).name if top != Path(stem) else ""
    others = tuple(str(p.relative_to(top)) for p in visible if str(p) not in days)
    skipped = len(visible) - len(objects)
    return Listing(prefix=f"{root}/{beginning}", objects=objects, skipped=skipped, others=others[:MOST_NAMED])


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _file(path: Path, uri: str, day: date | None) -> Object:
    state = path.stat()
    return Object(
        uri=uri,
        etag=f"{state.st_size}-{state.st_mtime_ns}",
        size=state.st_size,
        modified_at=datetime.fromtimestamp(state.st_mtime, UTC),
        day=day,
        read=partial(_read, path, state),
    )


def _read(path: Path, state: os.stat_result) -> Content:
    if state.st_size >= LARGE and path.name.lower().removesuffix(".gz").endswith(STREAMED):
        return OnDisk(path, state.st_size, state.st_mtime_ns)
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceUnreadable(f"{path}: cannot be read: {error.strerror}") from None


PLACES: dict[str, Callable[[str, Callable[[], Any]], Listing]] = {
    "file": lambda source, _: local(source),
    "s3": s3.bucket,
}
"""One line a kind of place, by its scheme."""
