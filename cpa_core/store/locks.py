"""Locks between processes: files under the home, held by the kernel, so a killed holder lets go."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cpa_core.errors import StoreBusy


@contextmanager
def held(path: Path, *, shared: bool = False, wait: float | None = None) -> Iterator[None]:
    """Hold a lock file, for `wait` seconds at most (none: as long as it takes). Raises StoreBusy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(descriptor, mode, wait, path)
        yield
    finally:
        os.close(descriptor)


@dataclass
class _Turn:
    """A fair lock that a thread holds: how, how often it has entered, and the lock itself."""

    shared: bool
    users: int
    lock: AbstractContextManager[None]


class _Turns(threading.local):
    """The fair locks that a thread holds, by their files."""

    def __init__(self) -> None:
        self.held: dict[Path, _Turn] = {}


_TURNS = _Turns()


@contextmanager
def turn(path: Path, *, shared: bool, wait: float | None = None) -> Iterator[None]:
    """A fair lock: everybody passes a gate first, so a stream of readers cannot starve a writer.

    A thread that reads may begin to read once more: it passes no gate, where it would wait for a writer that waits
    for it. Raises StoreBusy after `wait` seconds, and at once where a thread would wait for itself: nothing can begin
    inside a writing, and no writing inside a reading.
    """
    mine, path = _TURNS.held, path.absolute()
    found = mine.get(path)
    if found and not (found.shared and shared):
        raise StoreBusy(f"{path.name}: this thread holds it, and would wait for itself")
    taken = found or mine.setdefault(path, _Turn(shared, 0, _entered(path, shared, wait)))
    taken.users += 1
    try:
        yield
    finally:
        taken.users -= 1
        if not taken.users:
            del mine[path]
            taken.lock.__exit__(None, None, None)


def _entered(path: Path, shared: bool, wait: float | None) -> AbstractContextManager[None]:
    with held(path.with_suffix(".gate"), wait=wait):
        lock = held(path, shared=shared, wait=wait)
        lock.__enter__()
    return lock


def _take(descriptor: int, mode: int, wait: float | None, path: Path) -> None:
    if wait is None:
        fcntl.flock(descriptor, mode)
        return
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise StoreBusy(f"{path.name}: another run holds this lock; waited {wait:.0f} s") from None
            time.sleep(0.05)
