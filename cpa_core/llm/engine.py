"""The engine of a stage: it asks, retries, checks, and stores every answer."""

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from cpa_core.errors import (
    Garbled,
    NotReached,
    ProviderFailed,
    ProviderNotReached,
    ProviderStopped,
    ReplyInvalid,
    Stopped,
)
from cpa_core.llm.brake import Brake
from cpa_core.llm.budget import Reserve, no_budget
from cpa_core.llm.limiter import Limiter, Load
from cpa_core.llm.reading import understood
from cpa_core.llm.values import NOT_BILLED, About, Answer, Answers, Provider, Reply, Request, Usage
from cpa_core.llm.watch import Watch

MAX_FAILURES = 4
"""Calls for one question that may fail (no connection, 5xx, timeout) before it is given up for this run."""
UNREACHED_TRIES = 2
"""Tries of one question that may find no connection before the provider has answered anything."""
HUNG_TRIES = 2
"""Failures that a call counts as if it had no answer until its timeout."""
MIN_SILENCE = 24
"""Failures in a row, over all questions, at which the run gives the provider up; more if more calls run at once.

Engines that share the slots share these too.
"""
FIRST_SILENCE = 22
"""The same limit before any answer: with the calls then in progress, at most 30 at the usual concurrency."""
FIRST_PAUSE = 2
"""Factor on the wait before a question's next try until the first answer: a server may be starting."""
MAX_BUSY = 30
"""Calls for one question that may meet a rate limit."""
MAX_WAIT = 60.0
"""Longest pause, seconds, that a Retry-After can cause."""
BYTES_PER_TOKEN = 3.5
"""Fewer than real text has, so that estimates of tokens err upwards."""


class Silence:
    """Detects a provider that answers no call; `is_first` is true until it has answered.

    A rate limit is neither answer nor silence.
    """

    def __init__(self, slots: int, engines: int) -> None:
        self._patience = max(MIN_SILENCE, MAX_FAILURES * slots) // engines
        self._first_patience = max(FIRST_SILENCE, 2 * slots) // engines
        self._tries: list[float] = []
        self._guard = threading.Lock()
        self.is_first = True

    @property
    def stretch(self) -> float:
        """Return the factor on a question's usual wait for its next try."""
        return FIRST_PAUSE if self.is_first else 1.0

    def broken(self) -> None:
        """Note that there was an answer, whatever its content."""
        with self._guard:
            self.is_first = False
            self._tries.clear()

    def lasts(self, failed: ProviderFailed) -> None:
        """Note that there was no answer.

        Raises ProviderStopped once every slot has failed as often as a question may; sooner if there never was an
        answer.
        """
        with self._guard:
            self.is_first = self.is_first and not isinstance(failed, Garbled)
            self._tries.append(failed.tries)
            calls, spent = len(self._tries), sum(self._tries)
            patience = self._first_patience if self.is_first else self._patience
        if spent >= patience:
            raise ProviderStopped(f"no answer in {calls} calls in a row, the last one: {failed.reason}")


class Usual(NamedTuple):
    """Averages of a task's calls so far: tokens read for a character, the cached share of them, and tokens written."""

    read: float = 1 / BYTES_PER_TOKEN
    cached: float = 0.0
    written: float = 0.0


class Engine:
    """Asks one model, retries, reads, checks and keeps. Shared by the threads of a run.

    `asked` and `reused` count questions by day and task, `folded` the changes made to their answers at reading.
    Answers are stored as the model wrote them; callers get them as plain JSON of the question's schema. `brake` stops
    it together with the engines that share it, and its limiter's slots with it.
    """

    def __init__(
        self,
        provider: Provider,
        answers: Answers,
        limiter: Limiter,
        price: Callable[[str, str, Usage, str], float | None],
        reserve: Reserve = no_budget,
        brake: Brake | None = None,
    ) -> None:
        self.provider = provider
        self.answers = answers
        self.limiter = limiter
        self.price = price
        self.reserve = reserve
        self.asked: Counter[tuple[str, str]] = Counter()
        self.reused: Counter[tuple[str, str]] = Counter()
        self.folded: Counter[tuple[str, str]] = Counter()
        self._brake = brake or Brake()
        self._silence = Silence(limiter.concurrency, self._brake.engines)
        self._in_flight: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self._usual: dict[str, Usual] = {}

    def ask(self, request: Request, check: Callable[[str], None], about: About) -> Reply:
        """Return a reply to the question: a stored one, or one paid for now.

        `check` raises ReplyInvalid for an answer without usable content; such an answer is stored for the accounts and
        never reused. Raises Stopped when the provider, the budget or the deadline ends the run.
        """
        request_hash = request.hash
        with self._guard:
            lock = self._in_flight[request_hash]
        with lock:
            kept = self.answers.find(request_hash)
            if kept is not None:
                with self._guard:
                    self.reused[about.day, request.task] += 1
            try:
                if kept is None:
                    self._brake.check()
                    return self._call(request, check, about, partial(_answer, request, request_hash, about))
                if kept.lane == "batch":
                    self._watch(request).note(request, _checked(request, kept, check), about)
                return self.read(request, kept, about)
            except Stopped as stopped:
                if isinstance(stopped, ProviderStopped):
                    stopped.provider = stopped.provider or request.provider
                self._brake.stop(stopped)
                raise
            finally:
                with self._guard:
                    self._in_flight.pop(request_hash, None)

    def _call(
        self, request: Request, check: Callable[[str], None], about: About, answer: Callable[..., Answer]
    ) -> Reply:
        failures: float = 0
        busy = attempt = 0
        load = self._load(request)
        while True:
            attempt += 1
            try:
                with self.reserve(request) as bill, self.limiter.slot(load, self._brake.check):
                    reply = self._once(request, check, load, about)
                    self.answers.keep(answer(reply, attempt, bill.held if reply.cost is None else None))
                    bill.pay(reply.cost)
                self._watch(request).note(request, reply, about)
                if reply.again:
                    continue
                return self.read(request, reply, about)
            except ProviderFailed as failed:
                if failed.retry_after is not None:
                    busy += 1
                    self.limiter.refused(failed.limits, min(MAX_WAIT, failed.retry_after))
                else:
                    failures += failed.tries
                    self._unanswered(request, failed, failures, about)
                if failures >= MAX_FAILURES or busy >= MAX_BUSY:
                    reply = Reply(outcome="error", detail=failed.reason, usage=NOT_BILLED, cost=0.0)
                    self.answers.keep(answer(reply, attempt))
                    return reply
                pause = failed.pause
            usual = random.uniform(0.5, 1.0) * 0.5 * 2 ** min(failures, 6) * self._silence.stretch
            self.limiter.wait(max(usual, min(MAX_WAIT, pause)), self._brake.check)

    def _watch(self, request: Request) -> Watch:
        return self._brake.watch(f"{request.provider}:{request.model}")

    def _unanswered(self, request: Request, failed: ProviderFailed, failures: float, about: About) -> None:
        """Handle a call without a usable answer. Raises ProviderStopped if no other call would get one either."""
        if isinstance(failed, NotReached) and self._silence.is_first and failures >= UNREACHED_TRIES:
            raise ProviderNotReached(f"{failed.reason}, in {failures:.0f} tries")
        watch = self._watch(request)
        if not about.failed_before:
            if isinstance(failed, Garbled):
                watch.garbled(request.task, failed)
            else:
                watch.failed(request.task, failed.reason)
        self._silence.lasts(failed)

    def _once(self, request: Request, check: Callable[[str], None], load: Load, about: About) -> Reply:
        self._brake.check()
        left = self.limiter.left()
        with self._guard:
            self.asked[about.day, request.task] += 1
        reply = self.provider.call(request if left is None else request.model_copy(update={"seconds": left}))
        self._silence.broken()
        self._measure(request, reply, load)
        cost = self.price(request.provider, request.model, reply.usage, reply.lane)
        return _checked(request, reply.model_copy(update={"cost": cost, "limits": None}), check)

    def read(self, request: Request, reply: Reply, about: About) -> Reply:
        """Return the reply with its answer as plain JSON; invalid and without text if no answer can be read in it."""
        try:
            read = understood(request, reply)
        except ReplyInvalid as invalid:
            return reply.model_copy(update={"outcome": "invalid", "detail": str(invalid), "text": ""})
        with self._guard:
            self.folded[about.day, request.task] += read.folded
        return read

    def _load(self, request: Request) -> Load:
        """Estimate the load of a call from its length and from the averages of earlier calls."""
        usual = self._usual.get(request.task, Usual())
        read = _length(request) * usual.read
        return Load(read, read * usual.cached, usual.written)

    def _measure(self, request: Request, reply: Reply, thought: Load) -> None:
        """Report the actual load of the call to the limiter."""
        usage = reply.usage
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            self.limiter.answered(reply.limits)
            return
        really = Load(usage.prompt_tokens, usage.cached_tokens or 0, usage.completion_tokens)
        if really.read:  # else nobody read it, which says nothing of the others
            now = Usual(really.read / _length(request), really.cached / really.read, really.written)
            before = self._usual.get(request.task, now)
            self._usual[request.task] = Usual(*(old + (new - old) / 20 for old, new in zip(before, now, strict=True)))
        self.limiter.answered(reply.limits, thought, really)


def _checked(request: Request, reply: Reply, check: Callable[[str], None]) -> Reply:
    """Return the reply, marked invalid if its text breaks a rule."""
    if reply.outcome == "ok":
        try:
            check(understood(request, reply).text)
        except ReplyInvalid as invalid:
            return reply.model_copy(update={"outcome": "invalid", "detail": str(invalid)})
    return reply


def _length(request: Request) -> int:
    return len(request.system) + len(request.user) + 1


def _answer(
    request: Request, request_hash: str, about: About, reply: Reply, attempt: int, estimate: float | None = None
) -> Answer:
    return Answer(
        request_hash=request_hash,
        attempt=attempt,
        task=request.task,
        provider=request.provider,
        model=request.model,
        lane=reply.lane,
        reply=reply,
        estimate=estimate,
        day=about.day,
        conversation_id=about.conversation_id,
    )
