"""Cost reserved before each call, so that parallel calls together cannot exceed the budget."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

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


class Budget:
    """US dollars that may still be spent; `name` is the setting of the limit, as people read it.

    A call that fits only if running calls cost less than their reservation waits until they end.
    """

    def __init__(self, name: str, left: float) -> None:
        self.name = name
        self.left = left
        self.spent = 0.0
        self._held = 0.0
        self._settled = threading.Condition()

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
            while self.spent + self._held + dollars > self.left:
                if self.spent + dollars > self.left or not self._held:
                    left = max(0.0, self.left - self.spent)
                    raise BudgetReached(
                        f"{self.name} is reached (${left:.4f} left, one more call may take ${dollars:.4f})"
                    )
                self._settled.wait(1.0)
            self._held += dollars
