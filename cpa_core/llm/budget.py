"""Cost reserved before each call, so that parallel calls together cannot exceed the budget."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cpa_core.errors import BudgetReached
from cpa_core.llm.values import Request


@dataclass
class Bill:
    """US dollars for one call: `held` is reserved before it, null without a limit; `paid` is its cost afterwards."""

    held: float | None
    paid: float = 0.0

    def pay(self, cost: float | None) -> None:
        """Record the cost of the call; an unknown cost counts as all that was held."""
        self.paid = (self.held or 0.0) if cost is None else cost


Reserve = Callable[[Request], AbstractContextManager[Bill]]
"""Reserves the cost of a call, and releases the unspent part. Raises BudgetReached."""


@contextmanager
def no_budget(request: Request) -> Iterator[Bill]:
    """Reserve nothing: no budget applies."""
    yield Bill(None)


AHEAD = 5.0
"""Seconds of spending for which a worker reserves at a time in a budget that it shares."""
LOOK = 0.5
"""Least seconds between two looks at a shared budget that had no room."""


class Allowed(NamedTuple):
    """US dollars of a shared budget: what this worker may spend or hold from now, what nobody has spent, and what the
    other workers hold.
    """

    dollars: float
    left: float
    others: float


class Allowance(Protocol):
    """One worker's part of a budget that several share; the parts and what is spent never exceed the budget."""

    def renew(self, held: float, more: float, ahead: float) -> Allowed:
        """Reserve what running calls hold and `more`, with up to `ahead` beyond it; only `held` if there is no room.

        Whatever ended calls cost is spent by then. Raises Stopped while nobody can say.
        """

    def release(self) -> None:
        """Reserve nothing any more."""


class Budget:
    """US dollars that may still be spent; `name` is the setting of the limit, as people read it.

    A call that fits only if running calls cost less than their reservation waits until they end. With an `allowance`
    other workers spend of the same budget, and `left` is what nobody had spent at the last look.
    """

    def __init__(self, name: str, left: float, allowance: Allowance | None = None) -> None:
        self.name = name
        self.left = left
        self.spent = 0.0
        self._held = 0.0
        self._settled = threading.Condition()
        self._allowance = allowance
        self._allowed = left if allowance is None else 0.0
        self._others = 0.0
        self._looked_at = 0.0
        self._next_look = 0.0

    def close(self) -> None:
        """Reserve nothing of a shared budget any more."""
        with self._settled:
            if self._allowance is not None:
                self._allowance.release()
                self._allowed = 0.0

    @contextmanager
    def holding(self, dollars: float) -> Iterator[Bill]:
        """Reserve this amount while a call runs. Its bill then counts, or the whole amount if the cost is unknown."""
        self._hold(dollars)
        bill = Bill(dollars)
        try:
            yield bill
        finally:
            with self._settled:
                self._held -= dollars
                self.spent += bill.paid
                self._settled.notify_all()

    def _hold(self, dollars: float) -> None:
        with self._settled:
            while not self._fits(dollars):
                if self._allowance is not None:
                    if (soon := self._next_look - time.monotonic()) > 0:
                        self._settled.wait(soon)
                        continue
                    if self._renewed(self._allowance, dollars):
                        break
                if self.spent + dollars > self.left or not self._held + self._others:
                    left = max(0.0, self.left - self.spent)
                    raise BudgetReached(
                        f"{self.name} is reached (${left:.4f} left, one more call may take ${dollars:.4f})"
                    )
                self._settled.wait(1.0)
            self._held += dollars

    def _fits(self, dollars: float) -> bool:
        return self.spent + self._held + dollars <= self._allowed

    def _renewed(self, allowance: Allowance, dollars: float) -> bool:
        """Look at what is spent by now. Return whether the call has room; if not, the next look is a while later."""
        now = time.monotonic()
        ahead = self.spent * AHEAD / max(now - self._looked_at, LOOK)
        self._allowed, self.left, self._others = allowance.renew(self._held, dollars, ahead)
        self.spent, self._looked_at = 0.0, now
        has_room = self._fits(dollars)
        self._next_look = 0.0 if has_room else now + LOOK
        return has_room
