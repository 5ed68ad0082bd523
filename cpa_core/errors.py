"""The error tree: every failure that a user can meet, with the exit code of the command line.

Exit code 2 means that a person must change the input or the configuration, 1 that the work is not complete. No error
carries the text of a message: conversations are private.
"""

from datetime import date
from typing import Literal, NamedTuple


class Limits(NamedTuple):
    """Rate limits that the headers of an answer or a failure report, in calls and tokens a minute. Null is unknown.

    `tokens` counts all tokens of a call, `fresh_tokens` the uncached input, `written_tokens` the output.
    """

    requests: float | None = None
    tokens: float | None = None
    fresh_tokens: float | None = None
    written_tokens: float | None = None


class CpaError(Exception):
    """Anything that this project raises on purpose."""

    exit_code = 1


class InputError(CpaError):
    """A person wrote or named something that is wrong; the text gives file, place and reason."""

    exit_code = 2


class SettingsError(InputError):
    """A setting is missing, contradictory or not understood."""


class StoreDamaged(SettingsError):
    """The database cannot be read: the file, the reason in DuckDB's words, and how the home is rebuilt."""


class LedgerNotWritten(CpaError):
    """A person's work, such as a review, could not be written to disk: the system's error, and the file."""


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
        """Return the same error with the field that holds the time, or with a day if no field does."""
        way = f": times may stand in {field}, as in --map timestamp={field}" if field else ""
        made = DayNeeded(f"{str(self).removesuffix(', so the day must be named') if field else self}{way}")
        made.example, made.field = example, field
        return made


class NotFound(InputError):
    """A conversation or day that was asked for is not in the store."""


class StoreBusy(CpaError):
    """Another process holds the database for longer than we wait; the text names it."""


class StoreNotWritten(CpaError):
    """A transaction could not be stored, and nothing of it was: the disk is full, for example. The text is DuckDB's."""


class Stopped(CpaError):
    """The run stopped before it had asked every question.

    Every answer so far is kept, and nothing is marked as failed.
    """


class BudgetReached(Stopped):
    """One more call could cost more than the budget allows."""


class AnswersNotKept(Stopped):
    """An answer could not be written to disk: the system's error, and the folder.

    The answers written so far are safe.
    """


class DeadlineReached(Stopped):
    """The run has used up its time."""


class ProviderStopped(Stopped):
    """The provider answers no further call (bad key, unknown model, quota used up): the text is the provider's.

    `status` is the HTTP status, null without one. `provider` is the provider that an engine asked, empty before that.
    `about` is the setting to correct, if known.
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
    """The connection to the provider failed twice before any answer: the address and the reason."""


class AnswersUnusable(ProviderStopped):
    """The first answers of a run are all unusable for one reason. They are kept, and nothing is marked as failed.

    `outcome` is the outcome of all of them, `detail` the rule that most of them break. `task` is their only task, where
    the model answers another well, else empty.
    """

    def __init__(self, reason: str, outcome: str, detail: str, task: str = "") -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.detail = detail
        self.task = task


class ProviderFailed(CpaError):
    """One call failed and may succeed later. `retry_after`: a rate limit was reached, and all calls wait these seconds.

    `pause` is the least wait of this question in seconds. `tries` is the number of the question's tries that the call
    uses: more than one if it hung or gave half an answer. `limits` are the rate limits in its headers.
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
    """The connection was refused, or the host name is unknown. The text holds the address."""


class Garbled(ProviderFailed):
    """The server answered with status 200, but in an unknown form."""


class Foreign(Garbled):
    """The server answered in the form of another API, or with a page: the address is wrong, as a rule."""


class QueueFull(ProviderFailed):
    """A vendor takes no further batch because its queue is full. The text is the vendor's."""


class ReplyInvalid(CpaError):
    """An answer does not follow its JSON schema: place and rule, never the words of the answer.

    `value` is the label given instead of an allowed one. It is kept apart, because it may quote a message.
    """

    def __init__(self, rule: str, value: str = "") -> None:
        super().__init__(rule)
        self.value = value


class DayIncomplete(CpaError):
    """A day has failures that will be retried, so its events are held back."""


class DayWaits(CpaError):
    """Questions of a day wait in batches. Nothing failed, and the day is as it was."""


class DestinationStopped(CpaError):
    """A destination refuses everything (401, 402): no event is to blame, and a person must change something."""

    exit_code = 2
