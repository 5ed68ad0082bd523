"""Conversations that are chained from calls which give no id: found by a call's history, extended by what it adds."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain as chained

from cpa_core.models import digest
from cpa_core.sources.identity.calls import ANSWER, LONG_AGO, NEAR, RETRIED, LoggedCall, agree, is_short
from cpa_core.sources.identity.talks import LEAST_CHARACTERS, LEAST_USERS, second
from cpa_core.sources.identity.values import Talk


class Chains:
    """Conversations that are chained from calls: by their end, by every beginning, and by their last message.

    Those that are found together stand in the order in which they were last heard.
    """

    def __init__(self, talks: Iterable[Talk]) -> None:
        self.ends: defaultdict[int, dict[str, Talk]] = defaultdict(dict)
        self.parts: defaultdict[int, dict[str, Talk]] = defaultdict(dict)
        self.tails: defaultdict[int, dict[str, Talk]] = defaultdict(dict)
        self.before: defaultdict[int, list[Talk]] = defaultdict(list)
        self.before_at: defaultdict[int, list[datetime]] = defaultdict(list)
        self.heard: defaultdict[tuple[int, int], list[Talk]] = defaultdict(list)
        self.told: set[tuple[int, str, int]] = set()
        for talk in sorted({t.conversation_id: t for t in talks}.values(), key=lambda t: t.last_at or LONG_AGO):
            if talk.kind == "window":
                self.tails[talk.said[-1]][talk.conversation_id] = talk
                continue
            for one in talk.links:
                self.before[one].append(talk)
                self.before_at[one].append(talk.last_at or LONG_AGO)
            self._index(talk, 0)

    def _index(self, talk: Talk, since: int) -> None:
        for one in talk.links[since:]:
            self.parts[one][talk.conversation_id] = talk
        self.ends[talk.links[-1]][talk.conversation_id] = talk
        self.tails[talk.said[-1]][talk.conversation_id] = talk

    def of(self, call: LoggedCall) -> Talk | None:
        """The conversation that a call belongs to, by its history; None where none is known."""
        if talk := self._again(call):
            return talk
        if not call.before:
            return self._asked_again(call)
        history = call.links[call.before - 1]
        latest = _latest(call, self.ends[history])
        if latest and not _is_sure(call, latest):
            return None
        if talk := latest or self._asked_again(call):
            return talk
        return None if _short(call) else _latest(call, self.parts[history])

    def begun_by(self, call: LoggedCall) -> Talk | None:
        """A known user's conversation that is the beginning of a call's history: the calls between are not known.

        It may have another answer to the last question of that beginning, where this says more than many people do.
        """
        if call.user_id is None:
            return None
        for n in range(call.before - 1, 1, -1):
            among = self.ends if call.sizes[n - 1] == ANSWER else self.parts
            if among is self.parts and is_short(call.sizes[:n]):
                continue
            talk = _latest(call, among[call.links[n - 1]])
            if talk and call.user_id == talk.user_id and call.moment - (talk.last_at or LONG_AGO) <= NEAR:
                return talk
        return None

    def is_begun_twice(self, call: LoggedCall) -> bool:
        """Whether a known user's other conversation has just these words and is heard after this call.

        Whose its later calls are, nothing tells.
        """
        talks = self.parts[call.links[-1]].values() if call.user_id is not None else ()
        later = (talk for talk in talks if talk.user_id == call.user_id and talk.last_at)
        return any(timedelta(0) < (talk.last_at or LONG_AGO) - call.moment <= NEAR for talk in later)

    def _asked_again(self, call: LoggedCall) -> Talk | None:
        """A conversation whose last question this call sends again: unanswered, or to be answered in another way."""
        for n in range(call.asked, 0, -1):
            talk = _latest(call, self.ends[call.links[call.begin + n - 1]])
            if talk and _is_retry(call, talk):
                return talk
        again = call.links[call.begin + call.asked - 1] if call.asked else call.links[-1]
        if not call.before or call.links[-1] == again or (call.user_id is None and _short(call, asking=True)):
            return None
        return _latest(call, self.parts[again]) or _next(call, self.parts[again])

    def _again(self, call: LoggedCall) -> Talk | None:
        """A conversation in which this call was heard already, or of which a later call was known before it."""
        end = call.links[-1]
        known = self.before[end]
        later = (known[n] for n in range(bisect_left(self.before_at[end], call.moment), len(known)))
        for talk in chained(later, self.heard[end, second(call.moment)]):
            same = talk.started_at is not None and second(talk.started_at) == second(call.moment)
            same = same and call.begins in (None, talk.conversation_id)
            fits = call.before or same or talk.headless or _is_unanswered(call, talk)
            if fits and agree(call, talk) and (call.file, talk.conversation_id, end) not in self.told:
                return talk
        return None

    def seen_through(self, call: LoggedCall) -> list[Talk]:
        """Return the conversations, or refused calls, whose end a call may repeat without the beginning.

        The one heard last is first.
        """
        alone = call.before == 1 and call.user_id is None
        return [] if alone else self._ending(call, call.said[: call.before])

    def ending_with_greeting(self, call: LoggedCall) -> list[Talk]:
        """Conversations of which the last answers stand before the first words of this call, as a greeting would."""
        greeting = () if call.before else call.said[: call.greeted]
        return [talk for talk in self._ending(call, greeting) if talk.said[: len(greeting)] != greeting]

    def _ending(self, call: LoggedCall, history: tuple[int, ...]) -> list[Talk]:
        return [
            talk
            for talk in (reversed(self.tails[history[-1]].values()) if history else ())
            if agree(call, talk)
            and (talk.last_at or LONG_AGO) <= call.moment
            and len(talk.said) > len(history)
            and talk.said[-len(history) :] == history
        ]

    def refuse(self, call: LoggedCall, seen: Talk) -> Talk:
        """Record the words of a refused call, so that its next window is recognised too."""
        windows = seen if seen.kind == "window" else Talk("", "window", call.user_id, None, None, call.links)
        if windows.said:
            self.tails[windows.said[-1]].pop(windows.conversation_id, None)
        windows.links, windows.said, windows.last_at, windows.changed = call.links, call.said, call.moment, True
        windows.conversation_id = windows.conversation_id or f"w-{digest([call.user_id, call.moment, call.links])[:20]}"
        self.tails[windows.said[-1]][windows.conversation_id] = windows
        return windows

    def add(self, talk: Talk, call: LoggedCall) -> None:
        """A conversation that begins with this call, or is not known before it."""
        self._index(talk, 0)
        self._hear(talk, call)

    def extend(self, talk: Talk, call: LoggedCall) -> None:
        """Extend a conversation by the new messages of a call."""
        talk.changed = True
        if not call.before and talk.headless:
            talk.headless, talk.started_at = False, call.at
        if _continues(call, talk):
            self.ends[talk.links[-1]].pop(talk.conversation_id, None)
            self.tails[talk.said[-1]].pop(talk.conversation_id, None)
            since = min(call.begin, len(talk.links))
            talk.links, talk.said = call.links, call.said
            self._index(talk, since)
        talk.last_at = max(talk.last_at or LONG_AGO, call.moment)
        self._hear(talk, call)

    def _hear(self, talk: Talk, call: LoggedCall) -> None:
        self.heard[call.links[-1], second(call.moment)].append(talk)
        self.told.add((call.file, talk.conversation_id, call.links[-1]))


def _latest(call: LoggedCall, talks: dict[str, Talk]) -> Talk | None:
    """The conversation that was going on most recently before this call."""
    return next(
        (t for t in reversed(talks.values()) if agree(call, t) and (t.last_at or LONG_AGO) <= call.moment), None
    )


def _next(call: LoggedCall, talks: dict[str, Talk]) -> Talk | None:
    """The conversation of the same user that was heard soonest after this call."""
    known = call.user_id is not None or len(talks) == 1
    later = [t for t in talks.values() if agree(call, t) and (t.last_at or LONG_AGO) > call.moment]
    return min(later, key=lambda t: (t.last_at or LONG_AGO, t.conversation_id), default=None) if known else None


def _is_sure(call: LoggedCall, talk: Talk) -> bool:
    """Whether a call surely continues a conversation that ends with its history: by its user, its words or its time."""
    known = call.user_id is not None and call.user_id == talk.user_id
    return known or call.moment - (talk.last_at or LONG_AGO) <= NEAR or not _short(call)


def _continues(call: LoggedCall, talk: Talk) -> bool:
    """Whether a call continues a conversation at its end, or answers its last question."""
    known = len(talk.links)
    if known <= call.before and talk.links[-1] == call.links[known - 1]:
        return True
    asked = call.links[call.begin : call.begin + call.asked]
    if talk.links[-1] in asked:
        return True
    is_changed = bool(asked) and asked[-1] in talk.links and call.links[-1] not in talk.links
    return is_changed and (talk.last_at or LONG_AGO) <= call.moment


def _is_unanswered(call: LoggedCall, talk: Talk) -> bool:
    """Whether a call without an answer asked what a later one, known already, asked again."""
    return call.begin + call.asked == len(call.links) and _is_retry(call, talk)


def _is_retry(call: LoggedCall, talk: Talk) -> bool:
    """Whether a call and a conversation that share a question without an answer are surely one.

    At the beginning of a conversation many ask the same: then the user or a long text tells, and a time not far off.
    """
    if call.before:
        return True
    known = call.user_id is not None and call.user_id == talk.user_id
    near = abs((talk.last_at or LONG_AGO) - call.moment) <= RETRIED
    return near and (known or call.asking >= LEAST_CHARACTERS)


def _short(call: LoggedCall, asking: bool = False) -> bool:
    """Whether a history, or all that a call was sent, is what many people say."""
    users = sum(role == "user" for role in call.roles[: call.own_from]) + asking * call.asked
    return users < LEAST_USERS or call.characters + asking * call.asking < LEAST_CHARACTERS
