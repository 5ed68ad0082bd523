"""What is asked and what comes back: the values and protocols of the language-model layer."""

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
"""Fields of a question that change nothing in what is asked."""


class Request(Value):
    """One question. What changes the answer decides its hash: not the fields in UNHASHED.

    `seconds` is what is left of a run that has a deadline: no answer may take longer. An answer in `other_schema`,
    which nobody is told, is as good as one in `json_schema`.
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
"""Of a call that was refused before a model read it, or that nobody answered."""


class Reply(Value):
    """What came back. `text` is the answer for outcome ok; `detail` says the rule broken, never the words.

    `cost` is in US dollars, null when the price is unknown; `lane` is the one the vendor used, and `limits` what its
    headers say. `folded` counts what was changed in the answer when it was read. `again`: the provider found out how
    this server is to be asked, and the same question is put to it once more.
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
        """Whether an answer was begun, so that more room for it may help."""
        return self.outcome == "truncated" and self.usage.completion_tokens != 0


class Answer(Value):
    """A reply with its accounts, as it is kept. `estimate` is what was set aside for it where its cost is unknown."""

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


class About(Value):
    """Which conversation a question is about, for the accounts.

    `failed_before`: its questions failed in an earlier run in which the model answered others well.
    """

    day: str
    conversation_id: str
    failed_before: bool = False
