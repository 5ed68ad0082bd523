"""The error tree: every failure that a user can meet, with the exit code of the command line.

2 means that the input or the configuration must be changed by a person, 1 that the work is not complete.
No error carries the text of a message: conversations are private.
"""

from datetime import date
from typing import Literal, NamedTuple


class Limits(NamedTuple):
    """What the headers of an answer or a failure say of rate limits: calls and tokens a minute. Null is unknown.

    `tokens` are all of a call's, `fresh_tokens` those it reads that no cache has, `written_tokens` those of its answer.
    """

    requests: float | None = None
    tokens: float | None = None
    fresh_tokens: float | None = None
    written_tokens: float | None = None


class CpaError(Exception):
    """Anything that this project raises on purpose."""

    exit_code = 1


class InputError(CpaError):
    """Something a person wrote or named is wrong; the text says file, place and reason."""

    exit_code = 2


class SettingsError(InputError):
    """A setting is missing, contradictory or not understood."""


class StoreDamaged(SettingsError):
    """The database cannot be read: the file, the reason in DuckDB's words, and how the home is rebuilt."""


class LedgerNotWritten(CpaError):
    """The disk takes no more of what people did, such as reviews: what the system said, and the file."""


class SourceError(InputError):
    """A transcript file cannot be read: `file: place: reason`."""


class NotRecognised(SourceError):
    """A file is of no format that is known: the keys seen, the nearest formats, and the way out."""


class SourceUnreadable(SourceError):
    """An object that was listed cannot be fetched now; it is read on the next run."""


class SchemaError(InputError):
    """`schema.yml` is not a valid event schema: `file: line: key: reason`.

    `problems` are all of them in that form, `advice` are warnings; both are empty where the file cannot be read at all.
    """

    problems: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


class DayNeeded(InputError):
    """The messages carry no times, so the caller must name their day. `example` is the day of the file itself.

    `field` is a field that looks like the time: then that is to be named, and no day.
    """

    example: date | None = None
    field: str | None = None

    def instead(self, field: str | None, example: date) -> "DayNeeded":
        """The same with the field that would serve, or with a day where there is none."""
        way = f": times may stand in {field}, as in --map timestamp={field}" if field else ""
        made = DayNeeded(f"{str(self).removesuffix(', so the day must be named') if field else self}{way}")
        made.example, made.field = example, field
        return made


class NotFound(InputError):
    """A conversation or day that was asked for is not in the store."""


class StoreBusy(CpaError):
    """Another process holds the database for longer than we wait; the text names it."""


class StoreNotWritten(CpaError):
    """A transaction could not be stored, and nothing of it is: the disk is full, say. In DuckDB's words."""


class Stopped(CpaError):
    """Asking ends before everything was asked. Every answer so far is kept, and nothing is marked as failed."""


class BudgetReached(Stopped):
    """One more call could cost more than the budget allows."""


class AnswersNotKept(Stopped):
    """The disk takes no more answers: what the system said, and the folder. What it took so far is safe."""


class DeadlineReached(Stopped):
    """The run has used up its time."""


class ProviderStopped(Stopped):
    """The provider will answer nothing more (bad key, unknown model, quota used up): in its own words.

    `status` is the HTTP status, null without one; `provider` is whom an engine asked, empty before; `about` is what
    has to be mended, where that is known.
    """

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        provider: str = "",
        about: Literal["", "key", "model", "address"] = "",
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.provider = provider
        self.about = about


class ProviderNotReached(ProviderStopped):
    """No connection to the provider's address, twice, before any answer: the address and the reason."""


class AnswersUnusable(ProviderStopped):
    """The first answers of a run are all unusable for one reason. They are kept, and nothing is marked as failed.

    `outcome` is what they all are, `detail` the rule that most of them break.
    """

    def __init__(self, reason: str, outcome: str, detail: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.detail = detail


class ProviderFailed(CpaError):
    """One call failed in a way that may pass. `retry_after`: it met the rate limit, and all calls wait so many seconds.

    `pause` are seconds that this question waits at least. `tries` is how many of its question's tries it uses up: a
    call that hung, or that gave half an answer, has cost more than one. `limits` are what the headers say.
    """

    def __init__(
        self,
        reason: str,
        retry_after: float | None = None,
        tries: float = 1,
        limits: Limits | None = None,
        pause: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.tries = tries
        self.limits = limits
        self.pause = pause


class NotReached(ProviderFailed):
    """The connection is refused, or the name of the host is not known: with the address."""


class Garbled(ProviderFailed):
    """The server answered with status 200, but in no form that is known."""


class Foreign(Garbled):
    """The server answered in the form of another API, or with a page: the address is wrong, as a rule."""


class QueueFull(ProviderFailed):
    """A vendor takes no such batch now because too much is enqueued there: in its own words."""


class ReplyInvalid(CpaError):
    """An answer does not follow its JSON schema: place and rule, never the words of the answer.

    `value` is the label that it gave instead of an allowed one, kept apart: it may be words of a message.
    """

    def __init__(self, rule: str, value: str = "") -> None:
        super().__init__(rule)
        self.value = value


class DayIncomplete(CpaError):
    """A day has failures that may pass, so its events are held back."""


class DayWaits(CpaError):
    """Questions of a day wait in batches. Nothing failed, and the day is as it was."""


class DestinationStopped(CpaError):
    """A destination refuses everything (401, 402): no event is to blame, and a person must change something."""

    exit_code = 2
