"""The abilities of a server of chat completions, discovered from its first answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from cpa_core.models import Value

Structured = Literal["strict", "lax", "json_object", "prompt"]
"""How a server gets the shape of an answer: a JSON schema that it enforces or only reads, any JSON, or words."""
LADDER: tuple[Structured, ...] = ("strict", "json_object", "prompt")
"""The forms to try, in this order: each requires less of the server."""


class Abilities(Value):
    """The way to ask a model at an endpoint: the form that brought a whole answer, and whether it reasons first."""

    structured: Structured
    reasons: bool = False


class Discovery:
    """Finds the abilities of one endpoint and model, shared by the threads that ask it.

    Until they are known, one call runs at a time. A call whose answer lacks the shape moves on by one form, so
    discovery costs two calls more than known abilities. `found` is called once with the form that works: the first with
    a whole answer, else the first whose answer fits. If none does, it is not called, and the run keeps its first form.
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
        """Yield whether this call discovers; it then runs alone. The findings of an earlier run are recalled first."""
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
        """Return whether a call now gets room to reason: the model reasons, or it is not known yet."""
        self._recall_once()
        return self.now.reasons or not self.is_known

    def give_up(self) -> None:
        """Stop discovery because the server hangs: no call waits for another."""
        self.is_known = True

    def reasons(self) -> bool:
        """Note that the model reasons. Return whether that is new."""
        new = not self.now.reasons
        if new:
            self.now = self.now.model_copy(update={"reasons": True})
            if self.is_known:
                self.found(self.now)
        return new

    def works(self) -> None:
        """Note that the present form brought a whole answer."""
        self.is_known = True
        self.found(self.now)

    def fits(self) -> None:
        """Note that the present form brought an answer that fits, with an error in it."""
        self._second = self._second or self.now

    def fails(self, tried: Structured) -> bool:
        """Move on from the form that was tried. Return whether another is left; after the last, the best fit is taken.

        Calls that ran in parallel move on only once.
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
