"""Money set aside before each call, so that calls under way together cannot spend more than there is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from cpa_core.errors import BudgetReached
from cpa_core.llm.values import Request


@dataclass
class Bill:
    """US dollars for one call: `held` before it, null where nothing limits it, and `paid` after it."""

    held: float | None
    paid: float = 0.0

    def pay(self, cost: float | None) -> None:
        """The call cost so much; where that is unknown, all that was held."""
        self.paid = (self.held or 0.0) if cost is None else cost


Reserve = Callable[[Request], AbstractContextManager[Bill]]
"""Sets the money for a call aside, and gives back what it did not cost. Raises BudgetReached."""


@contextmanager
def no_budget(request: Request) -> Iterator[Bill]:
    """Money does not matter."""
    yield Bill(None)


class Budget:
    """US dollars that may still be spent; `name` is the setting that says so, as people read it.

    A call that would fit if those under way cost less than was set aside for them waits until they are over.
    """

    def __init__(self, name: str, left: float) -> None:
        self.name = name
        self.left = left
        self.spent = 0.0
        self._held = 0.0
        self._settled = threading.Condition()

    @contextmanager
    def holding(self, dollars: float) -> Iterator[Bill]:
        """Hold so much while a call runs. Its bill is what counts, or all of it where that is unknown."""
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
