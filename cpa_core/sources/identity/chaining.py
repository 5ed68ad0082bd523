"""Calls that name no conversation: each goes to the one that its history leads to, or is refused.

A call that repeats only the end of what was said before is one of a sliding window. A window cuts a conversation when
that grows: what its first calls told whole is a piece of it, and is refused with the rest. Other calls of the same user
may be cut as well (of the same file, if no user is known). These are calls with unknown history, and calls that begin a
conversation with as many messages as the shortest window.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from cpa_core.models import digest
from cpa_core.sources.identity.calls import LoggedCall, outputs_from
from cpa_core.sources.identity.chains import Chains
from cpa_core.sources.identity.values import Talk

NEWEST_ONLY = (
    "no conversation id, and no call of this file repeats what was said before: name the field that holds the id "
    "(--map conversation_id=FIELD)"
)
WINDOW = (
    "no conversation id, and a call like this repeats only the end of what was said before: name the field with the id "
    "(--map conversation_id=FIELD)"
)

NEW = "\0"
"""How the number begins that a new conversation has until it is named: no id of a home does."""


class Refused(NamedTuple):
    """A call that cannot be put anywhere: why, and the first of its messages that is a reject."""

    call: LoggedCall
    reason: str
    begin: int


class Chaining:
    """Calls, put in the order of time. `told` has the conversations and their calls, `windows` what is remembered.

    A new conversation has no id yet, but a number of its own. The calls in `untold` begin a conversation that cannot be
    told apart from another.
    """

    def __init__(self, chains: Chains, begun: Callable[[LoggedCall], Talk]) -> None:
        self.chains = chains
        self.begun = begun
        self.told: dict[str, tuple[Talk, list[LoggedCall]]] = {}
        self.windows: dict[str, Talk] = {}
        self.refused: list[Refused] = []
        self.untold: list[LoggedCall] = []
        self.new: list[str] = []
        self.cut: set[str] = set()
        self.alone: set[str] = set()
        self.telling: set[tuple[int | None, str | None]] = set()
        self.shortest: dict[tuple[int | None, str | None], int] = {}

    def expect(self, calls: Iterable[LoggedCall]) -> None:
        """Note whose calls tell both sides of what was said before: with these a greeting is one."""
        self.telling = {_scope(call) for call in calls if call.before}

    def put(self, call: LoggedCall, alone: bool) -> None:
        """Put a call where it belongs; what one begins that stands `alone` is refused where nothing continues it."""
        if found := self.chains.of(call):
            self.chains.extend(found, call)
            self.told.setdefault(found.conversation_id, (found, []))[1].append(call)
        elif seen := self._seen_through(call):
            self._is_window(call, seen)
        elif begun := self.chains.begun_by(call):
            self.chains.extend(begun, call)
            self.told.setdefault(begun.conversation_id, (begun, []))[1].append(call)
        else:
            self._begin(call, alone)

    def _seen_through(self, call: LoggedCall) -> list[Talk]:
        seen = self.chains.seen_through(call)
        return seen if seen or _scope(call) in self.telling else self.chains.ending_with_greeting(call)

    def _begin(self, call: LoggedCall, alone: bool) -> None:
        self.untold += [call] if self.chains.is_begun_twice(call) else []
        talk = self.begun(call)
        talk.conversation_id = f"{NEW}{len(self.new)}"
        self.new.append(talk.conversation_id)
        self.told[talk.conversation_id] = (talk, [call])
        self.alone |= {talk.conversation_id} if alone else set()
        self.chains.add(talk, call)

    def _is_window(self, call: LoggedCall, seen: Sequence[Talk]) -> None:
        """Refuse a window. It cuts one of the conversations that end with its history; which one, nothing tells."""
        self.refused.append(Refused(call, WINDOW, call.own_from))
        self.cut.update(talk.conversation_id for talk in seen)
        self.shortest[_scope(call)] = min(_sent(call), self.shortest.get(_scope(call), _sent(call)))
        windows = self.chains.refuse(call, seen[0])
        self.windows[windows.conversation_id] = windows

    def sort_out(self) -> None:
        """Refuse the new conversations that are pieces of a window's; what comes later may show what came before."""
        for key in reversed(self.new):
            talk, calls = self.told[key]
            if key in self.cut:
                self._refuse(key, WINDOW)
            elif self._may_be_cut(talk, calls[0]):
                self._refuse(key, WINDOW)
                self._remember(talk)
            elif key in self.alone and len(calls) == 1:
                self._refuse(key, NEWEST_ONLY)

    def _refuse(self, key: str, reason: str) -> None:
        """Refuse a conversation, whole, but for the answers at its beginning with which others end."""
        _, calls = self.told.pop(key)
        seen = self.chains.ending_with_greeting(calls[0])
        self.cut.update(one.conversation_id for one in seen)
        self.refused += [Refused(call, reason, call.own_from if n or seen else 0) for n, call in enumerate(calls)]

    def _may_be_cut(self, talk: Talk, first: LoggedCall) -> bool:
        shortest = self.shortest.get(_scope(first))
        return shortest is not None and (talk.headless or _sent(first) >= shortest)

    def _remember(self, talk: Talk) -> None:
        """The words of a refused conversation: the next window of it is known for one too."""
        key = f"w-{digest([talk.user_id, talk.last_at, talk.links])[:20]}"
        self.windows[key] = replace(talk, conversation_id=key, kind="window", started_at=None, day=None, basis="")


def _scope(call: LoggedCall) -> tuple[int | None, str | None]:
    """Whose calls are cut alike: a user's; those of a file where no user is known."""
    return (call.file if call.user_id is None else None, call.user_id)


def _sent(call: LoggedCall) -> int:
    """How many spoken messages a call was sent."""
    return sum(role in ("user", "assistant") for role in call.roles[: outputs_from(call)])


def only_newest(calls: Sequence[LoggedCall]) -> list[LoggedCall]:
    """Of calls without a conversation's id in one file, those that cannot be put together: none has a history.

    One call of a user may be the first of a conversation. Where a user has several of which none repeats anything, they
    are turns of one, or as many conversations: nothing tells, and so for the whole file.
    """
    by_user = Counter(call.user_id for call in calls)
    apart = not any(call.before for call in calls) and max(by_user.values(), default=0) > 1
    return list(calls) if apart else []
