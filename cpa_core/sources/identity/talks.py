"""Which known conversation a record is: the rule for records that are whole conversations.

Records of one file are never one conversation. Between files, two are one when user and start (or the day that was
named) agree as far as they are known, and the spoken messages of one equal or continue the other's.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import NamedTuple

from cpa_core.models import digest
from cpa_core.sources.identity.values import Talk

LEAST_USERS, LEAST_CHARACTERS = 2, 40
"""An opening of fewer user messages, or of fewer characters of them, is what many people say."""

MOST_ALIKE = 100
"""So many talks that fit are compared: more in one second, or of one day and user, do not differ for the rule."""

Short = Callable[[int, int], bool]
"""Whether so many spoken messages from the beginning of a record (its number) are an opening that many people share."""

Key = tuple[int, object, str | None]


class Unnamed(NamedTuple):
    """A record that looks for its conversation. `links` as in Talk, `number` its place among the file's records."""

    number: int
    user_id: str | None
    started_at: datetime | None
    day: date | None
    links: tuple[int, ...]


ANY = object()
ANYBODY = "\0anybody"


class Index:
    """Known talks by what a record must share with them: the words, and start and user as far as they are known."""

    def __init__(self, talks: Iterable[Talk], asked: frozenset[int], ends: frozenset[int]) -> None:
        self.whole: defaultdict[Key, deque[Talk]] = defaultdict(deque)
        self.longer: defaultdict[Key, deque[Talk]] = defaultdict(deque)
        for talk in sorted(talks, key=lambda talk: not talk.vacant):
            if talk.links[-1] in asked:
                self._put(self.whole, talk.links[-1], talk)
            for one in talk.links[:-1]:
                if one in ends:
                    self._put(self.longer, one, talk)

    def _put(self, index: defaultdict[Key, deque[Talk]], link: int, talk: Talk) -> None:
        for start in starts_of(talk):
            index[link, start, talk.user_id].append(talk)
            index[link, start, ANYBODY].append(talk)

    def equal(self, one: Unnamed, taken: set[str]) -> list[Talk]:
        """Talks in which the same was said."""
        return _found(self.whole, one.links[-1], one, taken)

    def longest(self, one: Unnamed, taken: set[str]) -> tuple[int, list[Talk]]:
        """The talks that share most with a record that continues them, or that they continue, and how much that is."""
        found = _found(self.longer, one.links[-1], one, taken)
        if found:
            return len(one.links), found
        for n in range(len(one.links) - 1, 0, -1):
            if found := _found(self.whole, one.links[n - 1], one, taken):
                return n, found
        return 0, []


def _found(index: Mapping[Key, deque[Talk]], link: int, one: Unnamed, taken: set[str]) -> list[Talk]:
    users = [one.user_id, None] if one.user_id is not None else [ANYBODY]
    lists = [index[key] for start in asked_starts(one) for user in users if (key := (link, start, user)) in index]
    for talks in lists:
        while talks and talks[0].conversation_id in taken:
            talks.popleft()
    left = (talk for talks in lists for talk in talks if talk.conversation_id not in taken)
    return list(islice(left, MOST_ALIKE))


def starts_of(talk: Talk) -> list[object]:
    """The starts under which a talk is found: its second and its day, the day that was named, and any."""
    if talk.started_at is not None:
        return [second(talk.started_at), ("on", talk.day), ANY]
    return [("named", talk.day), ("on", talk.day), ANY] if talk.day else ["unknown", ANY]


def asked_starts(one: Unnamed) -> list[object]:
    """The starts that agree with that of a record, as far as they are known."""
    if one.started_at is not None:
        return [second(one.started_at), ("named", one.day), "unknown"]
    return [("on", one.day), "unknown"] if one.day else [ANY]


def second(at: datetime) -> int:
    """A start to the second: exports differ in the fractions that they write."""
    return int(at.timestamp())


class Match(NamedTuple):
    """What a file's records are: the talk of each by its number, and how many others cannot be told apart."""

    talks: dict[int, Talk]
    untold: int


def matched(records: Sequence[Unnamed], index: Index, short: Short) -> Match:
    """The known talk of each record of one file, where the rule finds one. None is found twice.

    What was said alike goes first, in order: identical talks are the first, the second, and so on.
    """
    found: dict[int, Talk] = {}
    taken: set[str] = set()
    left: list[Unnamed] = []
    for one in records:
        best = _nearest(one, [t for t in index.equal(one, taken) if _told(one, t, len(one.links), short)])
        if best is None:
            left.append(one)
        else:
            found[one.number] = best
            taken.add(best.conversation_id)
    untold = 0
    for one in sorted(left, key=lambda candidate: -len(candidate.links)):
        best, doubtful = _continued(one, index, taken, short)
        untold += doubtful
        if best is not None:
            found[one.number] = best
            taken.add(best.conversation_id)
    return Match(found, untold)


def _continued(one: Unnamed, index: Index, taken: set[str], short: Short) -> tuple[Talk | None, bool]:
    """The talk that a record continues, or that continues it, and whether there are some that cannot be told apart."""
    if index.equal(one, taken):
        return None, True
    shared, fitting = index.longest(one, taken)
    best = _nearest(one, [talk for talk in fitting if _told(one, talk, shared, short)])
    return best, bool(fitting) and best is None


def _told(one: Unnamed, talk: Talk, shared: int, short: Short) -> bool:
    """Whether enough is known to say that a record is this talk, which it fits.

    A talk whose messages no other object holds any more has nobody else to be mistaken for.
    """
    by_user = one.user_id is not None and talk.user_id is not None
    by_start = one.started_at is not None and talk.started_at is not None
    return by_user or by_start or talk.vacant or not short(one.number, shared)


def _nearest(one: Unnamed, talks: Sequence[Talk]) -> Talk | None:
    """The talk with the nearest start; the first of those between which there is no difference; else none."""
    if not talks:
        return None
    distances = [_distance(one, talk) for talk in talks]
    near = [talk for talk, distance in zip(talks, distances, strict=True) if distance == min(distances)]
    alike = {(talk.links, talk.user_id, talk.started_at) for talk in near}
    return near[0] if len(alike) == 1 else None


def _distance(one: Unnamed, talk: Talk) -> float:
    if one.started_at is None or talk.started_at is None:
        return float("inf")
    return abs((one.started_at - talk.started_at).total_seconds())


def basis_of(kind: str, user_id: str | None, started_at: datetime | None, day: date | None, link: int) -> str:
    """What the id of a new conversation is made of: who, when, and the first words. Not the name of a file."""
    start = second(started_at) if started_at else day
    return digest([kind, user_id, start, link])[:20]
