"""Time that passes a hundred times as fast while somebody sleeps, so that a test of waiting hardly waits."""

import threading
import time

from cpa_core.llm import Timer
from cpa_core.pipeline.assistant import Pacing

FASTER = 100


class Clock:
    """A clock that goes on with the machine's, and ahead of it by most of every sleep that was asked for.

    A hundredth is slept, so that threads wait in the order in which they would.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds, as `time.monotonic` has them."""
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        time.sleep(seconds / FASTER)
        with self._guard:
            self._ahead += seconds - seconds / FASTER


def unhurried() -> Pacing:
    """The pacing of a run whose calls hardly wait: for their turn, for a refusal to end, and to be tried again."""
    clock = Clock()
    return Pacing(timer=Timer(clock.now, clock.sleep))
