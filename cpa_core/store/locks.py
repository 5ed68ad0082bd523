"""Locks between processes: files under the home, held by the kernel, so a killed holder lets go."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def turn(path: Path, *, shared: bool, wait: float | None = None) -> Iterator[None]:
    """A fair lock: everybody passes a gate first, so a stream of readers cannot starve a writer."""
    with held(path.with_suffix(".gate"), wait=wait):
        entered = held(path, shared=shared, wait=wait)
        entered.__enter__()
    try:
        yield
    finally:
        entered.__exit__(None, None, None)


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
