"""The values of identity: a file cut into records, the talk of each, and the known talks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol, TypeAlias

from cpa_core.sources.records import Reject

History: TypeAlias = tuple[int, int]
"""The history of a call: how many messages it has, system prompts aside, and a hash of their marks."""

EMPTY: History = (0, 0)
"""The history of a call that has none, or only a system prompt."""


class Opened(NamedTuple):
    """One file, cut into records. `midnight` begins the day of messages without times.

    `day` is that day where the path or the caller named it: it takes part in identity. `uri` orders nothing.
    `notes` say what a person should know of how the file was read.
    """

    name: str
    drafts: Any
    records: Any
    rejects: Sequence[Reject]
    midnight: datetime | None = None
    day: date | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Talk:
    """The messages of one conversation in the form that identity compares.

    `links` has one number for each spoken message: a hash of it and all before it. `said` has a hash of each message
    alone; only calls without a conversation's id need it. Of a trace without a session, it has the link at which each
    call ended, and its time in microseconds. `day` is the UTC midnight-to-midnight day of the home's zone
    in which the talk began, or the one that was named. `vacant`: no other object holds its messages now.
    `headless`: of a talk that is chained from calls, its first call is not known. `fresh`: its id was made just now.
    """

    conversation_id: str
    kind: str
    user_id: str | None
    started_at: datetime | None
    day: date | None
    links: tuple[int, ...]
    said: tuple[int, ...] = ()
    basis: str = ""
    number: int = 0
    last_at: datetime | None = None
    headless: bool = False
    vacant: bool = False
    changed: bool = True
    fresh: bool = False


class Said(NamedTuple):
    """One message of a conversation that landed: `repeated` where only a call's history told it.

    Then it has that `history`. So has the first message that a call adds itself, where the call is one of the first of
    its conversation (see Decided). `size` are the characters of a user's message.
    """

    mark: int
    role: str
    sent_at: datetime
    repeated: bool
    place: tuple[str, int]
    history: History | None = None
    size: int = 0


class KnownTrace(NamedTuple):
    """A trace: its conversation and user, and the standing of the calls that told what was said in it.

    `standing` is None where nothing was told yet. `vacant`: no other object holds messages of its conversation now.
    """

    trace_id: str
    conversation_id: str
    user_id: str | None
    standing: int | None
    vacant: bool = False


class Known(Protocol):
    """The store's knowledge of talks. None of it depends on the names of objects."""

    def talks(self, links: Collection[int], ends: Collection[int]) -> list[Talk]:
        """The talks that end with one of `links`, or have one of `ends` anywhere; oldest first."""

    def tails(self, marks: Collection[int]) -> list[Talk]:
        """The talks that are chained from calls and end with one of these messages."""

    def numbers(self, bases: Collection[str]) -> dict[str, int]:
        """How many ids were made of each basis."""

    def messages(self, conversation_ids: Collection[str]) -> dict[str, list[Said]]:
        """The messages of conversations, in order."""

    def traces(self, trace_ids: Collection[str]) -> list[KnownTrace]:
        """Those of these traces that are known."""

    def chained(self) -> bool:
        """Whether calls without a conversation's id were ever chained by their history."""


class Nothing:
    """The knowledge of an empty home."""

    def talks(self, links: Collection[int], ends: Collection[int]) -> list[Talk]:
        """None."""
        return []

    def tails(self, marks: Collection[int]) -> list[Talk]:
        """None."""
        return []

    def numbers(self, bases: Collection[str]) -> dict[str, int]:
        """None."""
        return {}

    def messages(self, conversation_ids: Collection[str]) -> dict[str, list[Said]]:
        """None."""
        return {}

    def traces(self, trace_ids: Collection[str]) -> list[KnownTrace]:
        """None."""
        return []

    def chained(self) -> bool:
        """No."""
        return False


class KnownOnce:
    """The knowledge of a home, which is asked for the messages of a conversation once."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.heard: dict[str, list[Said]] = {}
        self.asked: set[str] = set()
        self.talks, self.tails, self.numbers = known.talks, known.tails, known.numbers
        self.traces, self.chained = known.traces, known.chained

    def messages(self, conversation_ids: Collection[str]) -> dict[str, list[Said]]:
        """See Known."""
        asked = set(conversation_ids) - self.asked
        self.heard |= self.known.messages(asked) if asked else {}
        self.asked |= asked
        return {one: self.heard[one] for one in conversation_ids if one in self.heard}


@dataclass
class Decided:
    """One file after identity: its drafts with conversation ids, and what else identity found.

    `repeated` has the rows of the drafts that only a call's history tells, with that history. `openings` have the first
    row that a call adds itself, with its history, where this is empty or one question with its answers. `untold` counts
    the conversations that cannot be told apart from known ones. `guessed` counts calls of unknown users that joined a
    conversation by words that many people say.
    """

    drafts: Any
    rejects: Sequence[Reject]
    repeated: Mapping[int, History] = field(default_factory=dict)
    openings: Mapping[int, History] = field(default_factory=dict)
    untold: int = 0
    guessed: int = 0


class Identified(NamedTuple):
    """A part after identity: its files, the talks to remember, and rows that have a call of their own now.

    `continued` are conversations that were known by another start, or by none: their messages keep their ids.
    `fresh_traces` are tables of traces that nothing knew before, with columns of KnownTrace; `traces` are the others.
    """

    files: Sequence[Decided]
    talks: Sequence[Talk]
    retold: Sequence[tuple[str, int]]
    continued: Sequence[str] = ()
    traces: Sequence[KnownTrace] = ()
    fresh_traces: Sequence[Any] = ()
