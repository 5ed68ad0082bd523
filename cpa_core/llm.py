"""Asking language models: one request value, a closed set of outcomes, every answer kept before its slot is free."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from cpa_core.errors import ProviderFailed, ProviderStopped, ReplyInvalid
from cpa_core.models import Outcome, Value, digest

MAX_FAILURES = 4
"""Calls for one question that may fail (no connection, 5xx, timeout) before it is given up for this run."""
HUNG_TRIES = 2
"""How many of those a call counts for that had no answer until its time was over."""
MIN_SILENCE = 24
"""Such failures in a row, over all questions, at which the provider is given up; more where more calls run at once."""
MAX_BUSY = 30
"""Calls for one question that may meet a rate limit."""
MAX_WAIT = 60.0
"""Longest pause, seconds, that a Retry-After can cause."""


class ModelName(Value):
    """A model as users write it: `provider:model`, split at the first colon."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


class Request(Value):
    """One question. Everything but `max_tokens` decides its hash: the rest changes the answer."""

    task: str
    provider: str
    model: str
    system: str
    user: str
    json_schema: dict[str, Any]
    effort: str | None = None
    max_tokens: int

    @property
    def hash(self) -> str:
        """SHA-256 of everything that changes the answer: the key under which it is paid for once."""
        return digest(self.model_dump(mode="json", exclude={"task", "max_tokens"}))

    def roomier(self) -> "Request":
        """The same question with room for four times the answer, for one that was cut off."""
        return self.model_copy(update={"max_tokens": 4 * self.max_tokens})


class Usage(Value):
    """Tokens of one call, normalised: `prompt_tokens` includes the cached and the written ones. Null is unknown."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    completion_tokens: int | None = None


class Reply(Value):
    """What came back. `text` is the answer for outcome ok; `detail` says the rule broken, never the words.

    `cost` is in US dollars, null when the price is unknown.
    """

    outcome: Outcome
    text: str = ""
    detail: str = ""
    usage: Usage = Usage()
    cost: float | None = None


class Answer(Value):
    """A reply with its accounts, as it is kept."""

    request_hash: str
    attempt: int
    task: str
    provider: str
    model: str
    lane: str = "standard"
    reply: Reply
    day: str
    conversation_id: str


Ask = Callable[["Request", Callable[[str], None]], Reply]
"""Ask one question; the second argument raises ReplyInvalid for an answer with nothing usable in it."""


class Provider(Protocol):
    """A vendor of models. One call, one reply; ProviderFailed may pass, ProviderStopped will not."""

    def call(self, request: Request) -> Reply:
        """Ask once, without retries."""
        ...


class Answers(Protocol):
    """Where answers are kept and found again."""

    def find(self, request_hash: str) -> Reply | None:
        """A reply that the same question may use again."""
        ...

    def keep(self, answer: Answer) -> None:
        """Write an answer down; it is safe when this returns."""
        ...


class Limiter:
    """At most `concurrency` calls at once; a rate limit pauses them all and frees the slots meanwhile."""

    def __init__(self, concurrency: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self.concurrency = concurrency
        self._slots = threading.BoundedSemaphore(concurrency)
        self._until = 0.0
        self._sleep = sleep

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot, once no pause is running."""
        while (wait := self._until - time.monotonic()) > 0:
            self._sleep(wait)
        with self._slots:
            yield

    def pause(self, seconds: float) -> None:
        """Let nobody start a call for so long."""
        self._until = max(self._until, time.monotonic() + seconds)

    def wait(self, seconds: float) -> None:
        """Wait outside any slot."""
        self._sleep(seconds)


class About(Value):
    """Which conversation a question is about, for the accounts."""

    day: str
    conversation_id: str


class Silence:
    """Notices that a provider answers nobody. A rate limit is neither an answer nor silence."""

    def __init__(self, concurrency: int) -> None:
        self._patience = max(MIN_SILENCE, MAX_FAILURES * concurrency)
        self._tries: list[int] = []
        self._guard = threading.Lock()

    def broken(self) -> None:
        """There was an answer, whatever it said."""
        with self._guard:
            self._tries.clear()

    def lasts(self, failed: ProviderFailed) -> None:
        """There was none. Raises ProviderStopped once every slot has met that as often as a question may."""
        with self._guard:
            self._tries.append(failed.tries)
            calls, spent = len(self._tries), sum(self._tries)
        if spent >= self._patience:
            raise ProviderStopped(f"no answer in {calls} calls in a row, the last one: {failed.reason}")


class Engine:
    """Asks, retries, checks and keeps. One for a run, shared by its threads."""

    def __init__(
        self,
        provider: Provider,
        answers: Answers,
        limiter: Limiter,
        price: Callable[[str, str, Usage], float | None],
    ) -> None:
        self.provider = provider
        self.answers = answers
        self.limiter = limiter
        self.price = price
        self.asked = 0
        self.reused = 0
        self._silence = Silence(limiter.concurrency)
        self._stopped: ProviderStopped | None = None
        self._in_flight: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def ask(self, request: Request, check: Callable[[str], None], about: About) -> Reply:
        """A reply to the question: kept from before, or paid for now.

        `check` raises ReplyInvalid for an answer that has nothing usable in it; such an answer is kept for
        the accounts and not used again. Raises ProviderStopped when the provider refuses to go on, or is silent.
        """
        with self._guard:
            lock = self._in_flight[request.hash]
        with lock:
            kept = self.answers.find(request.hash)
            if kept is not None:
                with self._guard:
                    self.reused += 1
                return kept
            try:
                return self._call(request, check, about)
            except ProviderStopped as stopped:
                self._stopped = stopped
                raise

    def _call(self, request: Request, check: Callable[[str], None], about: About) -> Reply:
        failures = busy = attempt = 0
        while True:
            if self._stopped:
                raise self._stopped
            attempt += 1
            try:
                with self.limiter.slot():
                    reply = self._once(request, check)
                    self._keep(request, reply, attempt, about)
                    return reply
            except ProviderFailed as failed:
                if failed.retry_after is not None:
                    busy += 1
                else:
                    failures += failed.tries
                    self._silence.lasts(failed)
                if failures >= MAX_FAILURES or busy >= MAX_BUSY:
                    reply = Reply(outcome="error", detail=failed.reason)
                    self._keep(request, reply, attempt, about)
                    return reply
                self._back_off(failures, failed.retry_after)

    def _once(self, request: Request, check: Callable[[str], None]) -> Reply:
        with self._guard:
            self.asked += 1
        reply = self.provider.call(request)
        self._silence.broken()
        reply = reply.model_copy(update={"cost": self.price(request.provider, request.model, reply.usage)})
        if reply.outcome == "ok":
            try:
                check(reply.text)
            except ReplyInvalid as invalid:
                return reply.model_copy(update={"outcome": "invalid", "detail": str(invalid)})
        return reply

    def _back_off(self, failures: int, retry_after: float | None) -> None:
        if retry_after is not None:
            self.limiter.pause(min(MAX_WAIT, retry_after))
        self.limiter.wait(random.uniform(0.5, 1.0) * 0.5 * 2 ** min(failures, 6))

    def _keep(self, request: Request, reply: Reply, attempt: int, about: About) -> None:
        self.answers.keep(
            Answer(
                request_hash=request.hash,
                attempt=attempt,
                task=request.task,
                provider=request.provider,
                model=request.model,
                reply=reply,
                day=about.day,
                conversation_id=about.conversation_id,
            )
        )
