"""Which known conversation a record is: the rule for records that are whole conversations.

Records of one file are never one conversation. Between files, two are one when user and start (or the day that was
named) agree as far as they are known, and the spoken messages of one equal or continue the other's.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from itertools import islice
from json.encoder import encode_basestring
from typing import NamedTuple, TypeAlias

from cpa_core.sources.identity.values import Talk

LEAST_USERS, LEAST_CHARACTERS = 2, 40
"""An opening of fewer user messages, or of fewer characters of them, is what many people say."""

MOST_ALIKE = 100
"""So many talks that fit are compared: more in one second, or of one day and user, do not differ for the rule."""

Short = Callable[[int, int], bool]
"""Whether so many spoken messages from the beginning of a record (its number) are an opening that many people share."""

Places: TypeAlias = dict[tuple[object, str | None], deque[Talk]]
"""Talks by their start and user, each as far as it is known."""

ByLink: TypeAlias = Mapping[int, Mapping[str, Talk]]
"""Talks by a link and their id, in the order in which they became known."""

FEW = 16
"""So many talks under one link are gone through; more are looked up by start and user."""


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
    """Known talks by what a record must share with them: the words, and start and user as far as they are known.

    `ended` has the talks that end, or once ended, with a link; `passed` those that have it before their end.
    """

    def __init__(self, ended: ByLink, passed: ByLink) -> None:
        self.ended = _Fitting(ended)
        self.passed = _Fitting(passed)

    def equal(self, one: Unnamed, taken: set[str]) -> list[Talk]:
        """Talks in which the same was said."""
        return self._whole(one, len(one.links), taken)

    def only(self, one: Unnamed, taken: set[str]) -> Talk | None:
        """The talk that is surely a record: the one alone that ends with its words, of the same user and start."""
        talks = self.ended.talks.get(one.links[-1])
        if talks is None or len(talks) != 1 or one.user_id is None or one.started_at is None:
            return None
        (talk,) = talks.values()
        same = talk.user_id == one.user_id and talk.started_at == one.started_at and talk.links == one.links
        return talk if same and talk.conversation_id not in taken else None

    def longest(self, one: Unnamed, taken: set[str]) -> tuple[int, list[Talk]]:
        """The talks that share most with a record that continues them, or that they continue, and how much that is."""
        if found := self.passed.of(one.links[-1], one, taken):
            return len(one.links), found
        for n in range(len(one.links) - 1, 0, -1):
            if one.links[n - 1] in self.ended.talks and (found := self._whole(one, n, taken)):
                return n, found
        return 0, []

    def _whole(self, one: Unnamed, shared: int, taken: set[str]) -> list[Talk]:
        found = self.ended.of(one.links[shared - 1], one, taken)
        return [talk for talk in found if len(talk.links) == shared]


class _Fitting:
    """The talks under each link, of which those are found that agree with a record; vacant ones stand first."""

    def __init__(self, talks: ByLink) -> None:
        self.talks = talks
        self.places: dict[int, Places] = {}

    def of(self, link: int, one: Unnamed, taken: set[str]) -> list[Talk]:
        """The talks under this link that are not taken, and agree with this record in user and start."""
        talks = self.talks.get(link)
        if not talks:
            return []
        if len(talks) > FEW:
            return self._of_many(link, one, taken)
        found = [talk for talk in talks.values() if talk.conversation_id not in taken and _agree(one, talk)]
        return found if len(found) < 2 else sorted(found, key=lambda talk: not talk.vacant)

    def _of_many(self, link: int, one: Unnamed, taken: set[str]) -> list[Talk]:
        if link not in self.places:
            self.places[link] = _placed(self.talks[link].values())
        places = self.places[link]
        users = [one.user_id, None] if one.user_id is not None else [ANYBODY]
        lists = [places[key] for start in asked_starts(one) for user in users if (key := (start, user)) in places]
        for talks in lists:
            while talks and talks[0].conversation_id in taken:
                talks.popleft()
        left = (talk for talks in lists for talk in talks if talk.conversation_id not in taken)
        return list(islice(left, MOST_ALIKE))


def _placed(talks: Iterable[Talk]) -> Places:
    places: defaultdict[tuple[object, str | None], deque[Talk]] = defaultdict(deque)
    for talk in sorted(talks, key=lambda talk: not talk.vacant):
        for start in starts_of(talk):
            places[start, talk.user_id].append(talk)
            places[start, ANYBODY].append(talk)
    return places


def _agree(one: Unnamed, talk: Talk) -> bool:
    """Whether user and start of a record and a talk are the same, as far as both are known."""
    if one.user_id is not None and talk.user_id is not None and one.user_id != talk.user_id:
        return False
    if one.started_at is not None and talk.started_at is not None:
        return one.started_at == talk.started_at or second(one.started_at) == second(talk.started_at)
    return one.day is None or talk.day is None or one.day == talk.day


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
    """The matches of a file's records: the talk of each by its number, and the number of indistinguishable others."""

    talks: dict[int, Talk]
    untold: int


def matched(records: Sequence[Unnamed], index: Index, short: Short) -> Match:
    """The known talk of each record of one file, where the rule finds one. None is found twice.

    Equal records are matched first, in order: the first identical talk, the second, and so on.
    """
    found: dict[int, Talk] = {}
    taken: set[str] = set()
    left: list[Unnamed] = []
    doubled: set[int] = set()
    for one in records:
        best, alike = index.only(one, taken), list[Talk]()
        if best is None:
            alike = index.equal(one, taken)
            best = _nearest(one, [talk for talk in alike if _told(one, talk, len(one.links), short)])
        if best is None:
            left.append(one)
            doubled.update([one.number] if alike else [])
        else:
            found[one.number] = best
            taken.add(best.conversation_id)
    untold = 0
    for one in sorted(left, key=lambda candidate: -len(candidate.links)):
        best, doubtful = _continued(one, index, taken, short, alike=one.number in doubled)
        untold += doubtful
        if best is not None:
            found[one.number] = best
            taken.add(best.conversation_id)
    return Match(found, untold)


def _continued(one: Unnamed, index: Index, taken: set[str], short: Short, *, alike: bool) -> tuple[Talk | None, bool]:
    """The talk that a record continues, or that continues it, and whether there are some that cannot be told apart.

    `alike`: some talks said the same when they were last asked for; these may be taken now.
    """
    if alike and index.equal(one, taken):
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
    if len(talks) < 2:
        return talks[0] if talks else None
    distances = [_distance(one, talk) for talk in talks]
    near = [talk for talk, distance in zip(talks, distances, strict=True) if distance == min(distances)]
    alike = {(talk.links, talk.user_id, talk.started_at) for talk in near}
    return near[0] if len(alike) == 1 else None


def _distance(one: Unnamed, talk: Talk) -> float:
    if one.started_at is None or talk.started_at is None:
        return float("inf")
    return abs((one.started_at - talk.started_at).total_seconds())


def basis_of(kind: str, user_id: str | None, started_at: datetime | None, day: date | None, link: int) -> str:
    """Return the basis of a new conversation's id: user, start and first words, but not the name of a file.

    It is `digest([kind, user_id, start, link])` with its JSON written here: an encoder takes five times as long.
    """
    start = str(second(started_at)) if started_at else _text(str(day) if day else None)
    told = f"[{_text(kind)},{_text(user_id)},{start},{link}]"
    return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)
