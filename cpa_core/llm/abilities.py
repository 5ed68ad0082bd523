"""What a server of chat completions does with what it is asked for, found out from its first answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from cpa_core.models import Value

Structured = Literal["strict", "lax", "json_object", "prompt"]
"""How a server is told the shape of an answer: a JSON schema that it enforces, or only reads; any JSON; in words."""
LADDER: tuple[Structured, ...] = ("strict", "json_object", "prompt")
"""What is tried, in this order: each takes less of the server."""


class Abilities(Value):
    """How a model at an endpoint is asked: the form that brought a whole answer, and whether it reasons first."""

    structured: Structured
    reasons: bool = False


class Discovery:
    """Finds the abilities of one endpoint and model, shared by the threads that ask it.

    Until they are known, one call runs at a time: each that brings no answer in the shape moves on by one form, so
    that finding out takes two calls more than knowing. `found` is called once with what works, which is the first form
    with a whole answer; else the first with an answer that fits; else nothing, and the run goes on as it began.
    """

    def __init__(self, first: Structured = LADDER[0]) -> None:
        self._first = first
        self.now = Abilities(structured=first)
        self.is_known = False
        self.recall: Callable[[], Abilities | None] | None = None
        self.found: Callable[[Abilities], None] = lambda abilities: None
        self._second: Abilities | None = None
        self._turn = threading.Lock()
        self._moving = threading.Lock()
        self._recalling = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether this call finds out: it then has its turn alone. What an earlier run found is recalled first."""
        if self.is_known:
            yield False
            return
        with self._turn:
            self._recall_once()
            is_finding_out = not self.is_known
            if is_finding_out:
                yield True
        if not is_finding_out:
            yield False

    def _recall_once(self) -> None:
        with self._recalling:
            if self.recall and (known := self.recall()):
                self.now, self.is_known = known, True
            self.recall = None

    def may_reason(self) -> bool:
        """Whether a call made now may be given room to reason: the model does, or nobody knows yet."""
        self._recall_once()
        return self.now.reasons or not self.is_known

    def give_up(self) -> None:
        """The server hangs: no call waits for another to find out."""
        self.is_known = True

    def reasons(self) -> bool:
        """Note that the model reasons; whether that was new."""
        new = not self.now.reasons
        if new:
            self.now = self.now.model_copy(update={"reasons": True})
            if self.is_known:
                self.found(self.now)
        return new

    def works(self) -> None:
        """The present form brought a whole answer."""
        self.is_known = True
        self.found(self.now)

    def fits(self) -> None:
        """The present form brought an answer that fits, with something wrong in it."""
        self._second = self._second or self.now

    def fails(self, tried: Structured) -> bool:
        """Move on from the form that was tried: whether there is another. After the last, what fitted best is taken.

        Calls that ran beside each other move on once.
        """
        with self._moving:
            return self.now.structured != tried or self._moves_on()

    def _moves_on(self) -> bool:
        places = [n for n, form in enumerate(LADDER) if form == self.now.structured]
        following = LADDER[places[0] + 1 :] if places else ()
        if following:
            self.now = self.now.model_copy(update={"structured": following[0]})
            self.is_known = False
            return True
        self.is_known = True
        if self._second:
            self.now = self._second.model_copy(update={"reasons": self.now.reasons})
            self.found(self.now)
        else:
            self.now = self.now.model_copy(update={"structured": self._first})
        return False
