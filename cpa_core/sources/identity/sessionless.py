"""Traces that name no session: a trace whose history is a known conversation continues that conversation.

Without a session, the id of a trace names its conversation. Many applications make a trace for each answer and send the
whole history with it. Each answer would then be a conversation of its own, with the same words in all of them.

Traces land in any order. Of each conversation it is remembered where its calls ended, and when: a trace that ends where
only the history of a later call told what was said takes its place there.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice, takewhile
from typing import NamedTuple

from cpa_core.sources.identity.calls import (
    ANSWER,
    LONG_AGO,
    NEAR,
    RETRIED,
    LoggedCall,
    agree,
    is_short,
    last_question,
)
from cpa_core.sources.identity.links import EPOCH, chain
from cpa_core.sources.identity.talks import LEAST_CHARACTERS
from cpa_core.sources.identity.values import Known, Talk

KIND = "trace"
"""The kind under which a conversation is remembered that has the id of a trace."""
MOST_MISSING = 10
"""Where one in so many calls of unknown users lacks the call before it, a log does not hold all calls."""

ANYBODY = "\0anybody"
MOST_ALIKE = 100
"""So many conversations of unknown users are compared: more of them do not tell a call apart either."""
MICROSECOND = timedelta(microseconds=1)


class _Words(NamedTuple):
    """The spoken messages of a call: their links, and of each the user's characters, ANSWER for an answer.

    `begin` messages stand before its newest input; `before` is the same, but 0 where they are only a greeting.
    `asked` counts the user's messages of that input.
    """

    links: tuple[int, ...]
    sizes: tuple[int, ...]
    begin: int
    before: int
    asked: int

    @property
    def history(self) -> int | None:
        """The link of its history, null where that is empty or a greeting."""
        return self.links[self.before - 1] if self.before else None

    @property
    def question(self) -> int | None:
        """The link of its newest input, null where that is empty."""
        return self.links[self.begin + self.asked - 1] if self.asked else None

    @property
    def is_answered(self) -> bool:
        """Whether an answer ends it."""
        return self.sizes[-1] < 0

    def is_exchange(self, count: int) -> bool:
        """Whether so many of its messages end with an answer to somebody."""
        return self.sizes[count - 1] < 0 <= max(self.sizes[:count])

    def is_short(self, count: int) -> bool:
        """Whether many people begin with so many of its messages."""
        return is_short(self.sizes[:count])

    def last_question(self, user_id: str | None) -> int:
        """Return the length of its history up to the last question (see `calls`)."""
        return last_question(user_id, self.sizes[: self.before])


class Joined(NamedTuple):
    """The conversation of each trace that continues another one, and the conversations to remember.

    `untold` are calls of traces that cannot be told apart from conversations that begin alike: each stays separate.
    `guessed` are those of unknown users that joined a conversation by words that many people say.
    """

    traces: dict[str, str]
    talks: list[Talk]
    untold: list[LoggedCall]
    guessed: list[LoggedCall]


def joined_traces(found: Sequence[LoggedCall], fresh: Collection[str], known: Known) -> Joined:
    """Return the conversation of each trace that continues another one.

    `found` are the calls of traces without a session; of these, the `fresh` have not landed before. A known user's
    trace joins the conversation that shares most with its history, the latest of several. Of unknown users, it joins
    only where one conversation alone ends with its whole history, not long before. If some calls were not logged,
    those must say more than many people do.
    """
    words = {id(call): one for call in found if (one := _words(call)) is not None}
    ordered = sorted((call for call in found if id(call) in words), key=lambda call: (call.moment, call.trace_id or ""))
    links = {link for one in words.values() for link in one.links}
    wanted = {link for one in words.values() for link in (one.history, one.question, one.links[-1]) if link is not None}
    wanted |= {words[id(call)].links[n - 1] for call in ordered if (n := words[id(call)].last_question(call.user_id))}
    stored = [talk for talk in known.talks(links, wanted) if talk.kind == KIND]
    joining = _Joining(stored, wanted, is_whole=True)
    joining.put(ordered, words, fresh)
    if joining.guessed and joining.orphans * MOST_MISSING > joining.orphans + len(joining.guessed):
        joining = _Joining(stored, wanted, is_whole=False)
        joining.put(ordered, words, fresh)
    changed = [talk for talk in joining.talks.values() if talk.changed]
    return Joined(joining.joined, changed, joining.untold, joining.guessed)


class _Index:
    """Conversations by a link and their user: a greeting that thousands say is sought among those of one user."""

    def __init__(self) -> None:
        self.talks: defaultdict[tuple[int, str | None], dict[str, Talk]] = defaultdict(dict)

    def add(self, link: int, talk: Talk) -> None:
        """A conversation that has this link."""
        for user in (talk.user_id, ANYBODY):
            self.talks[link, user][talk.conversation_id] = talk

    def remove(self, link: int, talk: Talk) -> None:
        """A conversation that has this link no more, or not in this way."""
        for user in (talk.user_id, None, ANYBODY):
            self.talks[link, user].pop(talk.conversation_id, None)

    def of(self, link: int, call: LoggedCall) -> list[Talk]:
        """The conversations with this link whose user may be that of a call."""
        if call.user_id is None:
            return list(islice(self.talks[link, ANYBODY].values(), MOST_ALIKE))
        both = (self.talks[link, call.user_id].values(), self.talks[link, None].values())
        return [talk for talks in both for talk in islice(talks, MOST_ALIKE) if agree(call, talk)]


class _Joining:
    """Conversations of traces by their end, and by the wanted links on their way; calls are put in order of time.

    Conversations are `lacking` a link on their way if none of their calls ended there.
    `is_whole`: all calls seem to be logged. `guessed` are joined though many people say so. `orphans` counts the calls
    of unknown users of which the call before is not known.
    """

    def __init__(self, stored: Iterable[Talk], wanted: set[int], *, is_whole: bool) -> None:
        self.wanted = wanted
        self.is_whole = is_whole
        self.talks: dict[str, Talk] = {}
        self.ended, self.passed, self.lacking = _Index(), _Index(), _Index()
        self.joined: dict[str, str] = {}
        self.untold: list[LoggedCall] = []
        self.guessed: list[LoggedCall] = []
        self.orphans = 0
        for talk in stored:
            one = replace(talk, changed=False)
            one.said = one.said or _all_told(one)
            self.talks[one.conversation_id] = one
            self._index(one)

    def put(self, ordered: Sequence[LoggedCall], words: dict[int, _Words], fresh: Collection[str]) -> None:
        """Put each call where it belongs."""
        for call in ordered:
            one, trace = words[id(call)], call.trace_id or ""
            own = self.joined.get(trace, trace)
            if own not in self.talks and trace in fresh and (talk := self._of(call, one)):
                own = self.joined[trace] = talk.conversation_id
            self._extend(own, call, one)

    def _of(self, call: LoggedCall, one: _Words) -> Talk | None:
        """The conversation that a call belongs to; null where none is sure."""
        is_doubtful = False
        for shared, fitting in self._ways(call, one):
            if not fitting:
                continue
            if talk := self._only(call, one, shared, fitting):
                return talk
            is_doubtful = is_doubtful or any(_apart(call, talk) <= NEAR for talk in fitting)
        if is_doubtful or self._is_begun_twice(call, one):
            self.untold.append(call)
        elif call.user_id is None and one.before:
            self.orphans += 1
        return None

    def _is_begun_twice(self, call: LoggedCall, one: _Words) -> bool:
        """Whether a known user's other conversation begins with just these words and is heard after this call.

        Whose its later calls are, nothing tells.
        """
        talks = self.passed.of(one.links[-1], call) if call.user_id is not None else []
        return any(not _is_later(call, talk) and _apart(call, talk) <= NEAR for talk in talks)

    def _ways(self, call: LoggedCall, one: _Words) -> Iterator[tuple[int, list[Talk]]]:
        """Conversations that a call may belong to, the likeliest first, and how many messages they share with it."""
        yield (
            len(one.links),
            self._fitting(call, self.lacking, one.links[-1], lambda talk: _is_missing(call, one, talk)),
        )
        if one.history is not None:
            yield one.before, self._fitting(call, self.ended, one.history, lambda talk: _is_later(call, talk))
        again = one.begin + one.asked
        if one.question is not None:
            yield again, self._fitting(call, self.ended, one.question, lambda talk: _is_retry(call, one, talk))
        if one.history is None:
            return
        if one.question is not None and (call.user_id is not None or not one.is_short(again)):
            yield again, self._fitting(call, self.passed, one.question, lambda talk: _is_changed(call, one, talk))
        if not one.is_short(one.before):
            yield one.before, self._fitting(call, self.passed, one.history, lambda talk: _is_changed(call, one, talk))
        for n in range(one.before - 1, 0, -1):
            if one.is_exchange(n):
                yield n, self._fitting(call, self.ended, one.links[n - 1], lambda talk: _is_soon(call, talk))
            elif one.sizes[n - 1] >= 0:
                yield n, self._fitting(call, self.ended, one.links[n - 1], lambda talk: _is_soon(call, talk, RETRIED))
        if n := one.last_question(call.user_id):
            yield n, self._fitting(call, self.passed, one.links[n - 1], lambda talk: _is_soon(call, talk))

    def _fitting(self, call: LoggedCall, index: _Index, link: int, fits: Callable[[Talk], bool]) -> list[Talk]:
        return [talk for talk in index.of(link, call) if fits(talk)]

    def _only(self, call: LoggedCall, one: _Words, shared: int, fitting: Sequence[Talk]) -> Talk | None:
        """The one of these conversations that is meant: a known user's nearest, the only one of unknown users."""
        if call.user_id is not None and all(talk.user_id is not None for talk in fitting):
            return min(fitting, key=lambda talk: (_apart(call, talk), talk.conversation_id))
        if len(fitting) > 1:
            return None
        is_short, is_gap = one.is_short(shared), shared < one.before
        if _apart(call, fitting[0]) > (RETRIED if is_short else NEAR) or (is_short and (is_gap or not self.is_whole)):
            return None
        self.guessed += [call] if is_short else []
        return fitting[0]

    def _extend(self, own: str, call: LoggedCall, one: _Words) -> None:
        """Note that a call of a conversation ended here. A call without an answer ends nothing: it is sent again."""
        talk, since = self.talks.get(own), 0
        links = one.links if one.is_answered else one.links[: one.begin]
        if talk is None:
            talk = self.talks[own] = Talk(own, KIND, call.user_id, call.at, None, one.links, fresh=True)
        elif _is_later(call, talk) and talk.links[: len(links)] != links:
            self.ended.remove(talk.links[-1], talk)
            since = len(talk.links) if links[: len(talk.links)] == talk.links else 0
            talk.links, talk.changed = links, True
        told = (one.links[-1], (call.moment - EPOCH) // MICROSECOND)
        if told not in _told(talk):
            talk.said, talk.changed = (*talk.said, *told), True
            self.lacking.remove(one.links[-1], talk)
        talk.last_at = max(talk.last_at or LONG_AGO, call.moment)
        if talk.user_id is None and call.user_id is not None:
            talk.user_id, talk.changed = call.user_id, True
        self._index(talk, since)

    def _index(self, talk: Talk, since: int = 0) -> None:
        self.ended.add(talk.links[-1], talk)
        told = set(talk.said[::2])
        for link in self.wanted.intersection(talk.links[since:]):
            self.passed.add(link, talk)
            if link not in told:
                self.lacking.add(link, talk)


def _told(talk: Talk) -> list[tuple[int, int]]:
    """Where the calls of a conversation ended, and when, in microseconds since 1970."""
    return list(zip(talk.said[::2], talk.said[1::2], strict=True))


def _all_told(talk: Talk) -> tuple[int, ...]:
    """Of a conversation of which this was not noted: everywhere, so that nothing takes a place in it."""
    last = ((talk.last_at or LONG_AGO) - EPOCH) // MICROSECOND
    return tuple(number for link in talk.links for number in (link, last))


def _is_later(call: LoggedCall, talk: Talk) -> bool:
    return (talk.last_at or LONG_AGO) <= call.moment


def _apart(call: LoggedCall, talk: Talk) -> timedelta:
    """How far the nearest call of a conversation is."""
    moment = (call.moment - EPOCH) // MICROSECOND
    return min(abs(moment - at) for _, at in _told(talk)) * MICROSECOND


def _is_missing(call: LoggedCall, one: _Words, talk: Talk) -> bool:
    """Whether a conversation lacks this call: of its calls, none ended here, and those before and after fit."""
    moment, size = (call.moment - EPOCH) // MICROSECOND, len(one.links)
    if talk.links[size - 1 : size] != one.links[-1:]:
        return False  # it was edited since
    if not (one.is_answered or one.before or _is_same_question(call, one, talk)):
        return False
    places = {link: n for n, link in enumerate(talk.links, 1)}
    told = [(places[link], at) for link, at in _told(talk) if link in places]
    return all(at <= moment if n < size else n > size and at >= moment for n, at in told)


def _is_soon(call: LoggedCall, talk: Talk, within: timedelta = NEAR) -> bool:
    return _is_later(call, talk) and _apart(call, talk) <= within


def _is_changed(call: LoggedCall, one: _Words, talk: Talk) -> bool:
    """Whether a call asks a question of a conversation anew, or for another answer, soon after."""
    return one.links[-1] not in talk.links and one.is_answered and _apart(call, talk) <= RETRIED


def _is_retry(call: LoggedCall, one: _Words, talk: Talk) -> bool:
    """Whether a call sends the unanswered question again with which a conversation ends (see `calls`)."""
    return _is_later(call, talk) and (_apart(call, talk) <= NEAR if one.before else _is_same_question(call, one, talk))


def _is_same_question(call: LoggedCall, one: _Words, talk: Talk) -> bool:
    """Whether the first question of a conversation was surely asked again: of a known user or a long text, and soon."""
    known = call.user_id is not None and call.user_id == talk.user_id
    is_long = sum(one.sizes[one.begin :][: one.asked]) >= LEAST_CHARACTERS
    return (known or is_long) and _apart(call, talk) <= RETRIED


def _words(call: LoggedCall) -> _Words | None:
    """The spoken words of a call; null where nobody speaks in it."""
    if (held := call.held) is None:
        links, sizes, begin = call.links, tuple(call.sizes), call.begin
    else:
        rows = [row for row in call.rows if held.speaks[row]]
        links = tuple(chain(held.marks[row] for row in rows))
        sizes = tuple(held.sizes[row] if held.roles[row] == "user" else ANSWER for row in rows)
        begin = sum(held.speaks[row] for row in call.rows[: call.own_from])
    if not sizes:
        return None
    is_history = min(sizes[:begin], default=0) < 0 <= max(sizes[:begin], default=ANSWER)
    asked = sum(1 for _ in takewhile(lambda size: size >= 0, sizes[begin:]))
    return _Words(links, sizes, begin, begin if is_history else 0, asked)
