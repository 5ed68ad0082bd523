"""Append-only JSON Lines under the home for people's work: a line is on the disk before a call returns, without the
database.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cpa_core.errors import LedgerNotWritten


def append_lines(path: Path, lines: Sequence[str]) -> None:
    """Add these lines, whole and synced to the disk, or none of them. Raises LedgerNotWritten.

    A torn line of a killed process is cut off first, so that no line is joined to it.
    """
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        with _locked(path) as descriptor:
            _append(descriptor, content)
        if is_new:
            _sync_folder(path.parent)
    except OSError as error:
        raise LedgerNotWritten(f"{path}: {error.strerror}: nothing of this is kept") from error


def lines_after(path: Path, offset: int) -> Iterator[tuple[str, int]]:
    """The whole lines of a file after so many bytes, each with the number of bytes up to its end."""
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield line[:-1].decode("utf-8", "replace"), offset


class GrowingLines:
    """The whole lines of a file that others append to, each once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def fresh(self) -> list[str]:
        """Return the lines added since the last call.

        If a shorter file has replaced it, all lines are new.
        """
        if not self.path.exists():
            return []
        if self.path.stat().st_size < self._offset:
            self._offset = 0
        found: list[str] = []
        for line, end in lines_after(self.path, self._offset):
            self._offset = end
            found.append(line)
        return found


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = _owned(path)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            os.ftruncate(descriptor, path.read_bytes().rfind(b"\n") + 1)
        yield descriptor
    finally:
        os.close(descriptor)


def _owned(path: Path) -> int:
    """The file, opened and locked; once more where another file took its place meanwhile."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
        os.close(descriptor)


def _append(descriptor: int, content: bytes) -> None:
    """Write at the end and sync, or leave the file as it was."""
    end = os.fstat(descriptor).st_size
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _sync_folder(folder: Path) -> None:
    """The name of a new file is on the disk then, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
