"""The bytes of an object: in memory, or of a large file on disk, where they are read anew each time."""

import io
import os
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from cpa_core.errors import SourceUnreadable

LARGE = 64 << 20
"""Files of at least so many bytes stay on disk: a file may be larger than the memory."""

BLOCK = 1 << 20

STREAMED = (".json", ".jsonl", ".ndjson")
"""The kinds that are read from their beginning to their end, also packed."""


class _Reader(io.RawIOBase):
    """The bytes of a file that is open; whoever stops halfway lets go of it, and it closes."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return os.readv(self.descriptor, [buffer])

    def close(self) -> None:
        if not self.closed:
            os.close(self.descriptor)
        super().close()


class OnDisk:
    """The bytes of a file, as it was when it was listed.

    Reading raises SourceUnreadable where it has changed since, or is gone: the next run lists it again.
    """

    def __init__(self, path: Path, size: int, modified_ns: int) -> None:
        self.path, self.size, self.modified_ns = path, size, modified_ns

    def open(self) -> BinaryIO:
        """A stream of them."""
        try:
            reader = _Reader(os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
        except OSError as error:
            raise SourceUnreadable(f"{self.path}: cannot be read: {error.strerror}") from None
        state = os.fstat(reader.descriptor)
        if (state.st_size, state.st_mtime_ns) != (self.size, self.modified_ns):
            raise SourceUnreadable(f"{self.path}: was changed while it was read; the next run reads it")
        return io.BufferedReader(reader, BLOCK)


Content: TypeAlias = bytes | OnDisk


def stream(content: Content) -> BinaryIO:
    """The bytes as a stream."""
    return content.open() if isinstance(content, OnDisk) else io.BytesIO(content)


def beginning(content: Content, size: int) -> bytes:
    """The first bytes."""
    if isinstance(content, OnDisk):
        with content.open() as opened:
            return opened.read(size)
    return content[:size]


def size(content: Content) -> int:
    """How many bytes there are."""
    return content.size if isinstance(content, OnDisk) else len(content)


def loaded(content: Content) -> bytes:
    """All bytes, in memory."""
    if isinstance(content, OnDisk):
        with content.open() as opened:
            return opened.read()
    return content
