"""Many at once: work handed to threads as they become free, and taken back in the order in which it ends."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from cpa_core.errors import Stopped

Given = TypeVar("Given")
Made = TypeVar("Made")

AHEAD = 250
"""Enough that no thread waits while the next item is looked up."""


def in_order_of_end(
    work: Callable[[Given], Made],
    given: Iterable[Given],
    threads: int,
    ahead: int = AHEAD,
    cut_short: Callable[[], None] = lambda: None,
) -> Generator[tuple[Given, Made | Stopped], None, None]:
    """Yield each item with its result, in the order in which they end.

    Items are taken from `given` as threads become free, and `ahead` more in advance.

    After the first Stopped no item begins, and only items that had begun are yielded. Raises any other error of `work`
    once running items have ended. In that case, and if the caller stops early, `cut_short` is called first.
    """
    ended: SimpleQueue[tuple[Given, Future[Made]]] = SimpleQueue()
    out = 0
    stopped = False

    def end() -> Iterator[tuple[Given, Made | Stopped]]:
        nonlocal out, stopped
        one, future = ended.get()
        out -= 1
        if future.cancelled():
            return
        try:
            yield one, future.result()
        except Stopped as stop:
            stopped = True
            pool.shutdown(wait=False, cancel_futures=True)
            yield one, stop

    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            for one in given:
                future = pool.submit(work, one)
                future.add_done_callback(lambda over, one=one: ended.put((one, over)))  # type: ignore[misc]
                out += 1
                while out >= threads + ahead:
                    yield from end()
                if stopped:
                    break
            while out:
                yield from end()
        except BaseException:
            cut_short()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
