"""Many at once: work handed to threads as they become free, and taken back in the order in which it ends."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from cpa_core.errors import Stopped

Given = TypeVar("Given")
Made = TypeVar("Made")

AHEAD = 250
"""So many that no thread waits while we look up the next."""


def in_order_of_end(
    work: Callable[[Given], Made], given: Iterable[Given], threads: int, ahead: int = AHEAD
) -> Iterator[tuple[Given, Made | Stopped]]:
    """Each with what became of it. `given` is drawn from as threads become free, and not after the first Stopped.

    `ahead` are handed out beyond one for each thread.

    Raises what else `work` raises.
    """
    ended: SimpleQueue[tuple[Given, Future[Made]]] = SimpleQueue()
    out = 0
    stopped = False

    def end() -> tuple[Given, Made | Stopped]:
        one, future = ended.get()
        try:
            return one, future.result()
        except Stopped as stop:
            return one, stop

    with ThreadPoolExecutor(max_workers=threads) as pool:
        for one in given:
            future = pool.submit(work, one)
            future.add_done_callback(lambda over, one=one: ended.put((one, over)))  # type: ignore[misc]
            out += 1
            while out >= threads + ahead:
                made = end()
                out -= 1
                stopped = stopped or isinstance(made[1], Stopped)
                yield made
            if stopped:
                break
        for _ in range(out):
            yield end()
