"""One limiter for the calls of a run: slots, a pace learnt from rate-limit headers, pauses for all, a deadline."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol

from cpa_core.errors import DeadlineReached, Limits

MARGIN = 0.98
"""The share of a limit that is used: clocks differ, and a refused call costs more than a late one."""
SLACK = 0.5
"""Seconds that calls may be behind their pace and catch up, since threads wake late."""
FIRST_CALLS = 4
"""Calls that may start before the first ends: its headers hold the limits for the others."""
FIRST_WAIT = 2.0
"""The most seconds that the others wait for it."""
STEP = 0.5
"""Longest sleep in seconds before the pace is checked again."""
UNKNOWN_CUT, KNOWN_CUT = 0.7, 0.9
"""Factors on the pace after a refusal: without a known limit, and with one."""
LEAST_SHARE = 0.5
"""Calls a second for each slot, the lowest guessed pace: if no limit is known, only Retry-After slows calls further."""
GROWTH = 0.05
"""Calls a second that each answer adds to a pace that was cut."""
TURN = 0.5
"""Seconds of a shared pace that a worker takes at a time, so that it asks for turns about twice a second."""
IDLE = 5.0
"""Seconds without a call after which the rest of a turn lapses."""

Check = Callable[[], None]
"""Raises the error that ends the wait."""


def always() -> None:
    """Never end the wait."""


class Load(NamedTuple):
    """The tokens of a call: those it reads, those of them that a cache has, and those it writes."""

    read: float = 0.0
    cached: float = 0.0
    written: float = 0.0

    @property
    def units(self) -> tuple[float, ...]:
        """Return the units that the call uses of each of the `Limits`, in their order."""
        return 1.0, self.read + self.written, max(0.0, self.read - self.cached), self.written


NO_LOAD = Load()


class Turns(Protocol):
    """The paces of a model that several workers share: the turn of each begins where the one before it ends."""

    def take(self, seconds: Mapping[str, float]) -> Mapping[str, float] | None:
        """Take a turn of so many seconds of each of these paces, named as the `Limits` are.

        Return in how many seconds each begins, negative for turns that have begun; null while nobody can say.
        """

    def pause(self, seconds: float) -> None:
        """Let no further turn begin for these seconds."""


class Pace:
    """Units a second, spread evenly: the next call starts after the time that the last call's units take."""

    def __init__(self, ceiling: float = math.inf) -> None:
        self.ceiling = ceiling
        self.rate = ceiling
        self._free_at = 0.0
        self._granted = 0.0
        self._taken_at = 0.0

    def free_at(self) -> float:
        """Return the time at which the next call may start."""
        return self._free_at if self.rate < math.inf else 0.0

    def take(self, units: float, now: float) -> None:
        """Start a call that takes these units."""
        if self.rate < math.inf:
            self._free_at = max(self._free_at, now - SLACK) + units / self.rate
            self._granted -= units
            self._taken_at = now

    def correct(self, units: float) -> None:
        """A call took so many more units than was thought, or fewer."""
        if self.rate < math.inf:
            self._free_at += units / self.rate
            self._granted = min(self._granted - units, TURN * self.rate)

    def needed(self, units: float, now: float) -> float:
        """Return for how many units a turn must be taken before a call of these units; 0 if enough are left.

        Only a limit that is known is shared: a guessed pace is one worker's own.
        """
        if self.ceiling == math.inf:
            return 0.0
        if now > self._taken_at + IDLE:
            self._granted = min(self._granted, 0.0)
        short = units - self._granted
        return max(short, TURN * self.rate) if short > 0 else 0.0

    def grant(self, units: float, begins_at: float, now: float) -> None:
        """Calls may take these units from that time."""
        self._granted += units
        self._free_at = max(self._free_at, begins_at)
        self._taken_at = max(begins_at, now)

    def learn(self, per_minute: float | None) -> None:
        """The vendor has named its limit. A lower one of our own stays."""
        if per_minute is None:
            return
        ceiling = MARGIN * per_minute / 60
        if ceiling != self.ceiling:
            self.rate = ceiling if self.rate >= self.ceiling else min(self.rate, ceiling)
            self.ceiling = ceiling

    def cut(self, slots: int) -> None:
        """The vendor has refused a call: be slower, from a call a second for each slot where there was no pace."""
        known = self.ceiling < math.inf
        if known:
            self.rate = max(self.rate * KNOWN_CUT, self.ceiling / 2)
        else:
            self.rate = max(min(self.rate, slots) * UNKNOWN_CUT, LEAST_SHARE * slots)

    def grow(self) -> None:
        """Speed up after an answer, up to the limit."""
        self.rate = min(self.ceiling, self.rate + GROWTH)


class Timer(NamedTuple):
    """How calls wait: the time in seconds, by a clock that only goes forward, and a way to let some pass."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


TIMER = Timer()
"""The machine's."""


class Shared(NamedTuple):
    """The slots that the models of a run share, and the turns that the workers of a store share; null where none do."""

    slots: AbstractContextManager[object] | None = None
    turns: Turns | None = None


ALONE = Shared()
"""Nothing is shared."""


class Limiter:
    """At most `concurrency` calls at once, as many a minute as the vendor allows, none after the deadline.

    `rpm` and `tpm` are limits of our own, calls and tokens a minute; `deadline` is by `time.monotonic`; `shared` is
    what other limiters use too. A call holds its slot while it waits for its turn in the pace, because no other call
    could start sooner. It frees the slot while it waits for a retry or for the end of a pause.
    """

    def __init__(
        self,
        concurrency: int,
        timer: Timer = TIMER,
        *,
        rpm: float | None = None,
        tpm: float | None = None,
        deadline: float = math.inf,
        shared: Shared = ALONE,
    ) -> None:
        self.concurrency = concurrency
        self.deadline = deadline
        self._slots = shared.slots or threading.BoundedSemaphore(concurrency)
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._known = threading.Event()
        self._started = 0
        self._until = 0.0
        self._may_cut = True
        self._ours = Limits(rpm or None, tpm or None)
        self._paces = tuple(Pace(limit / 60 if limit else math.inf) for limit in self._ours)
        self._requests = self._paces[0]
        self._clock, self._sleep = timer
        self._turns = shared.turns

    @contextmanager
    def slot(self, load: Load = NO_LOAD, go_on: Check = always) -> Iterator[None]:
        """Hold a slot for a call of about this load, once it may start.

        Raises DeadlineReached, and whatever `go_on` raises.
        """
        with self._guard:
            first = self._started < FIRST_CALLS
            self._started += 1
        while True:
            self._rest(go_on)
            with self._slots:
                if not first:
                    self._known.wait(FIRST_WAIT)
                with self._turn:
                    has_begun = self._start(load, go_on)
                if has_begun:
                    try:
                        yield
                    finally:
                        self._known.set()
                    return

    def _rest(self, go_on: Check) -> None:
        """Wait for the end of a pause, without a slot: slots are free for other models."""
        while (left := self._until - self._clock()) > 0:
            go_on()
            self._in_time(self._until)
            self._sleep(min(STEP, left))

    def _start(self, load: Load, go_on: Check) -> bool:
        """Wait for the call's turn. Return false if a pause began instead.

        Only one thread waits at a time, so that a changed pace applies to all.
        """
        while True:
            go_on()
            if self._turns is not None:
                self._take_turns(self._turns, load)
            with self._guard:
                now = self._clock()
                opens_at = max(pace.free_at() for pace in self._paces)
                if self._until > now:
                    return False
                if opens_at <= now:
                    for pace, units in zip(self._paces, load.units, strict=True):
                        pace.take(units, now)
            self._in_time(max(now, opens_at))
            if opens_at <= now:
                return True
            self._sleep(min(STEP, opens_at - now))

    def _take_turns(self, turns: Turns, load: Load) -> None:
        """Take the turns that a call of this load needs. While nobody can say when they begin, the call has them."""
        with self._guard:
            now = self._clock()
            if self._until > now:
                return
            named = zip(Limits._fields, self._paces, load.units, strict=True)
            needed = {name: (pace, pace.needed(units, now)) for name, pace, units in named}
            wanted = {name: units / pace.rate for name, (pace, units) in needed.items() if units}
        if not wanted:
            return
        found = turns.take(wanted) or {}
        with self._guard:
            now = self._clock()
            for name in wanted:
                pace, units = needed[name]
                pace.grant(units, now + found.get(name, 0.0) if found else 0.0, now)

    def _in_time(self, moment: float) -> None:
        if moment > self.deadline:
            raise DeadlineReached("the run has reached its deadline (CPA_DEADLINE_MINUTES)")

    def left(self) -> float | None:
        """Return the seconds until the deadline; null if there is none. Raises DeadlineReached."""
        now = self._clock()
        self._in_time(now)
        return None if math.isinf(self.deadline) else max(0.05, self.deadline - now)

    def answered(self, limits: Limits | None, thought: Load = NO_LOAD, really: Load = NO_LOAD) -> None:
        """Adjust the pace after an answer, from the call's estimated and its actual load."""
        with self._guard:
            self._learn(limits)
            self._may_cut = True
            self._requests.grow()
            for pace, before, after in zip(self._paces, thought.units, really.units, strict=True):
                pace.correct(after - before)

    def refused(self, limits: Limits | None, seconds: float) -> None:
        """Handle a call that met the rate limit.

        No call starts for these seconds; then all are slower, once for each such period.
        """
        with self._guard:
            self._learn(limits)
            if self._may_cut and seconds > 0:
                self._may_cut = False
                self._requests.cut(self.concurrency)
        self.pause(seconds)

    def _learn(self, limits: Limits | None) -> None:
        for pace, theirs, ours in zip(self._paces, limits or (), self._ours, strict=False):
            pace.learn(min((limit for limit in (theirs, ours) if limit is not None), default=None))

    def pause(self, seconds: float) -> None:
        """Let no call start for these seconds; nor one of other workers that share the limits."""
        until = self._clock() + seconds
        is_longer = until > self._until + STEP
        self._until = max(self._until, until)
        if self._turns is not None and is_longer:
            self._turns.pause(seconds)

    def wait(self, seconds: float, go_on: Check = always) -> None:
        """Wait outside any slot.

        Raises DeadlineReached at once if the deadline would pass, and whatever `go_on` raises.
        """
        self._in_time(self._clock() + seconds)
        while seconds > 0:
            go_on()
            self._sleep(min(STEP, seconds))
            seconds -= STEP
