"""Zip archives: each member is an object of its own, read one at a time, in bounded memory, and never written anywhere.

Sources: PKWARE's APPNOTE.TXT 6.3 and https://docs.python.org/3/library/zipfile.html, "Decompression pitfalls". Uris of
members follow `jar:`: `export.zip!/conversations.json`.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, NamedTuple

from cpa_core.errors import SourceError
from cpa_core.sources import documents
from cpa_core.sources.contents import Content, size, stream
from cpa_core.sources.objects import Object, is_read

ENDING = ".zip"
INSIDE = "!/"
MOST_MEMBERS = 10_000
PIECE = 1 << 20
_UNSAFE = re.compile(r"^([/\\]|[A-Za-z]:)|(^|[/\\])\.\.([/\\]|$)|[\x00-\x1f]")


class Archive(NamedTuple):
    """The contents of an archive: members of readable kinds, and the names of the others."""

    members: tuple[Object, ...]
    others: tuple[str, ...]


def archive_of(uri: str) -> str:
    """The uri of the archive that a member's uri names; any other uri as it is."""
    return uri.partition(INSIDE)[0]


def opened(one: Object, content: Content, is_wanted: Callable[[str], bool]) -> Archive:
    """The members of a zip, listed without unpacking any. Reading one raises SourceError for what cannot be trusted.

    Raises SourceError where the file is no zip, or holds more members than an export does.
    """
    try:
        packed = zipfile.ZipFile(stream(content))
        found = [member for member in packed.infolist() if not member.is_dir() and not _is_hidden(member.filename)]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise SourceError(f"{one.uri}: zip: damaged or cut off") from None
    if len(found) > MOST_MEMBERS:
        raise SourceError(f"{one.uri}: zip: {len(found):,} members, more than {MOST_MEMBERS:,}")
    bound = _Bound(max(documents.LEAST_BOUND, documents.GREATEST_RATIO * size(content)))
    wanted = {member.filename: member for member in found if _is_read(member.filename) and is_wanted(member.filename)}
    others = tuple(dict.fromkeys(member.filename for member in found if member.filename not in wanted))
    return Archive(tuple(_object(one, packed, member, bound) for member in wanted.values()), others)


class _Bound:
    """The bytes that an archive may still unpack to: a small file that swells without end is no export."""

    def __init__(self, left: int) -> None:
        self.left = left


def _object(one: Object, packed: zipfile.ZipFile, member: zipfile.ZipInfo, bound: _Bound) -> Object:
    uri = f"{one.uri}{INSIDE}{member.filename}"
    return Object(
        uri=uri,
        etag=f"{one.etag}-{member.CRC:08x}-{member.file_size}",
        size=member.file_size,
        modified_at=one.modified_at,
        day=one.day,
        read=partial(_read, uri, packed, member, bound),
    )


def _read(uri: str, packed: zipfile.ZipFile, member: zipfile.ZipInfo, bound: _Bound) -> bytes:
    if member.flag_bits & 1:
        raise SourceError(f"{uri}: zip: locked by a password")
    try:
        with packed.open(member) as stream:
            return b"".join(_bounded(uri, stream, bound))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError):
        raise SourceError(f"{uri}: zip: damaged, or packed in a way that is not read") from None


def _bounded(uri: str, stream: IO[bytes], bound: _Bound) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        bound.left -= len(piece)
        if bound.left < 0:
            raise SourceError(f"{uri}: zip: unpacks to more than {documents.GREATEST_RATIO} times its size")
        yield piece


def _is_read(name: str) -> bool:
    """Whether a member is of a kind that is read, by a name that leads nowhere else."""
    return is_read(name) and not name.lower().endswith(ENDING) and not _UNSAFE.search(name)


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or any(part.startswith(".") and part != ".." for part in name.split("/"))
