"""A call of a model as identity sees it: its messages by role and mark, and its conversation once known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cpa_core.sources.identity.links import Held
from cpa_core.sources.identity.talks import LEAST_CHARACTERS, LEAST_USERS
from cpa_core.sources.identity.values import EMPTY, History, Talk

ASKING = frozenset({"user", "attachment"})
ANSWERS = frozenset({"assistant", "tool", "tool_call", "reasoning"})
RETRIED = timedelta(minutes=30)
ANSWER = -1
NEAR = timedelta(days=1)
"""A conversation of which calls are missing is continued within this time."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class LoggedCall:
    """One call: the file and the number of its record, its messages by role and mark, and its conversation once known.

    The roles and marks of messages that several calls share stand in `held`: a call has them while it is `open`.
    `own_from` counts messages; of the spoken ones, `before` stand in the history, none where only a greeting does: then
    that has `greeted`. `characters` are the user's in the history, `asking` those of the `asked` messages after it.
    `sizes` has the characters of each spoken message, and ANSWER where the assistant spoke; it is empty for calls that
    share messages.
    The rows that are only `repeated` have the `history` of the call. `opening` is that of one of the first calls.
    `rows` are places in the drafts, `output` is where the answers begin, once the call was closed. `is_sent_again`: it
    has no answer, and the next known call sends its newest input.
    """

    file: int
    number: int
    user_id: str | None
    at: datetime | None
    ended_at: datetime | None
    roles: Sequence[str]
    marks: Sequence[int]
    own_from: int
    rows: Sequence[int]
    links: tuple[int, ...]
    said: tuple[int, ...]
    before: int
    call_id: str | None = None
    after: str | None = None
    trace_id: str | None = None
    standing: int = 0
    conversation_id: str | None = None
    characters: int = 0
    greeted: int = 0
    asked: int = 0
    asking: int = 0
    sizes: Sequence[int] = ()
    kept: Sequence[int] = ()
    repeated: Sequence[int] = ()
    history: History = EMPTY
    opening: History | None = None
    held: Held | None = None
    output: int = 0
    is_sent_again: bool = False

    def open(self) -> None:
        """Take in the roles and marks of messages that other calls have too."""
        if self.held is not None:
            roles, marks = self.held.roles, self.held.marks
            self.roles, self.marks = [roles[row] for row in self.rows], [marks[row] for row in self.rows]

    def close(self) -> None:
        """Leave them again: they are as large as a file."""
        self.output = outputs_from(self)
        if self.held is not None:
            self.roles, self.marks = (), ()

    @property
    def begins(self) -> str | None:
        """The id of the conversation that it begins where its history leads to none; null where its format has none."""
        return self.call_id if self.after == "" else None

    @property
    def begin(self) -> int:
        """How many spoken messages stand before its newest input, those of a greeting too."""
        return self.before or self.greeted

    @property
    def moment(self) -> datetime:
        """When the call was made; calls without a time come first, in the order of the file."""
        return self.at or self.ended_at or LONG_AGO


def agree(call: LoggedCall, talk: Talk) -> bool:
    """Whether a call and a conversation may be of one user."""
    return call.user_id is None or talk.user_id is None or call.user_id == talk.user_id


def last_question(user_id: str | None, sizes: Sequence[int]) -> int:
    """Return the length of a history up to its last question; 0 without a user, or if its questions are common.

    `sizes` has the characters of each user's message, and ANSWER for the others.
    """
    if user_id is None:
        return 0
    n = next((n for n in range(len(sizes), 0, -1) if sizes[n - 1] != ANSWER), 0)
    return 0 if is_short(sizes[:n]) else n


def is_short(sizes: Sequence[int]) -> bool:
    """Whether spoken messages of these sizes are what many people say."""
    users = [size for size in sizes if size != ANSWER]
    return len(users) < LEAST_USERS or sum(users) < LEAST_CHARACTERS


def outputs_from(call: LoggedCall) -> int:
    """Where a call's output begins: after the last message that is not an answer."""
    n = len(call.roles)
    while n > call.own_from and call.roles[n - 1] in ("assistant", "tool_call", "reasoning", "attachment"):
        n -= 1
    return n
