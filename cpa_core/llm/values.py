"""The requests, replies and protocols of the language-model layer."""

from collections.abc import Callable
from typing import Any, Protocol

from cpa_core.errors import Limits
from cpa_core.models import Outcome, Value, digest


class ModelName(Value):
    """A model as users write it: `provider:model`, split at the first colon."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


UNHASHED = {"task", "max_tokens", "seconds", "is_roomier", "other_schema"}
"""Fields of a request that do not affect its answer."""


class Request(Value):
    """One question. Its hash covers every field that affects the answer, so not those in UNHASHED.

    `seconds` is the time left until the run's deadline: no answer may take longer. An answer in `other_schema`, which
    no prompt mentions, is as good as one in `json_schema`.
    """

    task: str
    provider: str
    model: str
    system: str
    user: str
    json_schema: dict[str, Any]
    effort: str | None = None
    max_tokens: int
    seconds: float | None = None
    is_roomier: bool = False
    other_schema: dict[str, Any] | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of everything that changes the answer: the key under which it is paid for once."""
        return digest(self.model_dump(mode="json", exclude=UNHASHED))

    def roomier(self) -> "Request":
        """The same question with room for four times the answer, for one that was cut off."""
        return self.model_copy(update={"max_tokens": 4 * self.max_tokens, "is_roomier": True})


class Usage(Value):
    """Tokens of one call, normalised: `prompt_tokens` includes the cached and the written ones. Null is unknown."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    completion_tokens: int | None = None


NOT_BILLED = Usage(prompt_tokens=0, cached_tokens=0, cache_write_tokens=0, completion_tokens=0)
"""The usage of a call that was refused before a model read it, or that had no answer."""


class Reply(Value):
    """A model's reply. `text` is the answer for outcome ok; `detail` names the rule broken, never the words.

    `cost` is in US dollars, null if the price is unknown. `lane` is the lane that the vendor used, `limits` the rate
    limits of its headers. `folded` counts the changes made to the answer when it was read. `again`: the provider
    discovered the server's form, and the same question is asked once more in it.
    """

    outcome: Outcome
    text: str = ""
    detail: str = ""
    usage: Usage = Usage()
    cost: float | None = None
    lane: str = "standard"
    limits: Limits | None = None
    folded: int = 0
    again: bool = False

    @property
    def is_cut_off(self) -> bool:
        """Return whether an answer was begun, so that a higher token limit may help."""
        return self.outcome == "truncated" and self.usage.completion_tokens != 0


class Answer(Value):
    """A reply with its accounts, as stored. `estimate` is the reserved cost if the cost is unknown."""

    request_hash: str
    attempt: int
    task: str
    provider: str
    model: str
    lane: str = "standard"
    reply: Reply
    estimate: float | None = None
    day: str
    conversation_id: str


Ask = Callable[["Request", Callable[[str], None]], Reply]
"""Ask one question; the second argument raises ReplyInvalid for an answer with nothing usable in it."""


class Provider(Protocol):
    """A vendor of models. One call, one reply; ProviderFailed may be temporary, ProviderStopped is not."""

    def call(self, request: Request) -> Reply:
        """Ask once, without retries."""
        ...


class Answers(Protocol):
    """The storage of answers."""

    def find(self, request_hash: str) -> Reply | None:
        """Return a stored reply that the same question may reuse; null if there is none."""
        ...

    def keep(self, answer: Answer) -> None:
        """Store an answer durably: it is safe when this returns."""
        ...


class About(Value):
    """The conversation that a question is about, for the accounts.

    `failed_before`: its questions failed in an earlier run in which the model answered others well.
    """

    day: str
    conversation_id: str
    failed_before: bool = False
