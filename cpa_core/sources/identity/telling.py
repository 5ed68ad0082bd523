"""The messages that each call adds to its conversation, whatever landed before it."""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain as chained
from itertools import islice, takewhile

from cpa_core.sources.identity.calls import ANSWER, ANSWERS, ASKING, LONG_AGO, LoggedCall, outputs_from
from cpa_core.sources.identity.history import MOST_ANSWER, Questions, asked_again, is_asked_anew, is_retold, unknown
from cpa_core.sources.identity.links import chain
from cpa_core.sources.identity.values import EMPTY, History, Said

SENT_AGAIN = "a call without an answer, whose message the next known call sends again: it counts there"


def told(calls: Sequence[LoggedCall], known: Sequence[Said]) -> list[tuple[str, int]]:
    """Decide what each call of one conversation adds (`kept`).

    Of these, `repeated` are only of its history.

    `known` are the messages of other objects, in order. Return the places of messages that give way: they were known
    only from a later call's history and have a call of their own now, or are a question that stands twice.
    """
    for call in calls:
        call.open()
        call.opening = _opening(call)
    telling = _Telling(known, calls)
    for call in sorted(calls, key=lambda call: call.moment):
        telling.hear(call)
    places = telling.retold()
    for call in calls:
        call.close()
    return places


class _Telling:
    """One conversation, processed in order of time: the messages of other objects, and those of fresh calls.

    Messages known only from a call's history wait as one piece, which represents the calls between that call and the
    one before. `fresh` are the marks of messages added since the last known one, which calls that landed late contain.
    `once` has the histories that begin with a first question which another call told.
    """

    def __init__(self, known: Sequence[Said], calls: Sequence[LoggedCall]) -> None:
        self.calls = calls
        self.openings = _Openings(known, calls)
        self.waiting = deque(_pieces(known))
        self.again = Counter((one.mark, one.sent_at) for one in known)
        self.before: list[int] = []
        self.prompted = False
        self.answered = False
        self.fresh: list[int] = []
        self.asked: set[int] = set()
        self.added = False
        self.once: set[History | None] = set()
        self.places: list[tuple[str, int]] = []

    def hear(self, call: LoggedCall) -> None:
        """Decide which messages a call adds to the earlier ones.

        Messages known from the call itself do not count as earlier.
        """
        own = Counter(call.marks[call.own_from :] if self.waiting else ())
        same: list[Said] = []
        while self.waiting and self.waiting[0][-1].sent_at <= call.moment:
            if self._gives_way():
                continue
            piece = self.waiting.popleft()
            if piece[0].sent_at == call.moment and own[piece[0].mark] > 0:
                own[piece[0].mark] -= 1
                same += piece
            else:
                self._pass(piece)
        _keep(call, self.before, self.asked, prompted=self.prompted, answered=self.answered)
        is_first = bool(self.waiting) and self._is_answered_whole(call)
        call.is_sent_again = bool(self.waiting and not same and self._is_sent_later(call))
        if call.is_sent_again or self._is_begun_again(call):
            call.kept = [n for n in call.kept if n < call.own_from or call.roles[n] not in ASKING]
        if not self.again:  # nothing was known of this conversation
            for n in call.kept:
                self._note(call.roles[n], call.marks[n])
            return
        for one in _said(call):
            if self.again.get((one.mark, one.sent_at), 0) > 0:
                self.again[one.mark, one.sent_at] -= 1
            else:
                self._add(one)
                self.fresh.append(one.mark)
                self.added = True
        if is_first and not same:
            self._retell(call)
        if same:
            self._pass(same)

    def _is_answered_whole(self, call: LoggedCall) -> bool:
        """Whether a call has an answer, and its history ends where the earlier messages end, or is that of the next."""
        history = _history(call)
        if not history or outputs_from(call) == len(call.roles):
            return False
        ends = bool(self.before) and self.before[-1] == history[-1] and not call.repeated
        return ends or self._is_history_of_next(call)

    def _is_history_of_next(self, call: LoggedCall) -> bool:
        """Whether the history that tells the next known messages equals the history of this call."""
        history, next_ = _history(call), self.waiting[0][0]
        return next_.repeated and next_.history == (len(history), _sequence(history))

    def _retell(self, call: LoggedCall) -> None:
        """Leave out the same question where a later call, which landed before, asked it for another answer.

        That call sends whole histories too: what it asked after an answer to this question would stand behind it.
        """
        asked = [call.marks[n] for n in call.kept if n >= call.own_from and call.roles[n] in ASKING]
        skipped = int(self._is_history_of_next(call))
        next_ = [piece[0] for piece in islice(self.waiting, skipped, skipped + len(asked))]
        same = [one.mark for one in next_ if one.role in ASKING and not one.repeated] == asked
        if asked and same and len({one.sent_at for one in next_}) == 1:
            self.places += [one.place for _ in range(skipped + len(asked)) for one in self.waiting.popleft()]

    def retold(self) -> list[tuple[str, int]]:
        """The places of what was only known from a later history and has a call of its own now."""
        while self.waiting:
            if not self._gives_way():
                self._pass(self.waiting.popleft())
        return self.places

    def _gives_way(self) -> bool:
        """Leave out the next known messages where they are a first question that was asked for another answer."""
        first = self.waiting[0][0]
        if first.history != EMPTY or first.repeated:
            return False
        told, asked = _exchange(chained.from_iterable(self.waiting))
        is_told_once = self.openings.is_told_once(told, asked, self.before, first.sent_at)
        self.places += [self.waiting.popleft()[0].place for _ in range(asked if is_told_once else 0)]
        return is_told_once

    def _pass(self, piece: Sequence[Said]) -> None:
        left = piece
        if piece[0].repeated and self.added:
            is_told = piece[0].history in self.once or self._tells(piece[0].history)
            left = [] if is_told else self._left(piece)
        kept = {one.place for one in left}
        self.places += [one.place for one in piece if one.repeated and one.place not in kept]
        for one in left:
            self._add(one)
        if left:
            self.fresh = []

    def _left(self, piece: Sequence[Said]) -> Sequence[Said]:
        """Return the part of a history between two calls that no call landed since contains."""
        left = _left(piece, self.fresh, self.asked)
        if not left or len(piece) != (piece[0].history or (0, 0))[0]:
            return left
        questions = Questions(_asked(piece), self.asked)
        return [] if is_retold([one.mark for one in piece], self.before, questions) else left

    def _tells(self, history: tuple[int, int] | None, told: Sequence[int] = ()) -> bool:
        """Whether a history of that many messages and that hash is what stands here now, and what was `told`."""
        before = [*self.before, *told]
        if history is None or history[0] > len(before):
            return False
        return _sequence(before[len(before) - history[0] :]) == history[1]

    def _add(self, one: Said) -> None:
        self._note(one.role, one.mark)

    def _note(self, role: str, own: int) -> None:
        if role == "system":
            self.prompted = True
        else:
            self.before.append(own)
            self.answered = self.answered or role == "assistant"
            if role == "user":
                self.asked.add(own)

    def _is_sent_later(self, call: LoggedCall) -> bool:
        """Whether a call got no answer, and the next known call was sent its newest input again."""
        own = [n for n in call.kept if n >= call.own_from]
        if not own or any(call.roles[n] not in ASKING for n in own):
            return False
        told = [call.marks[n] for n in call.repeated if call.roles[n] != "system"]
        next_ = self._next_input(told, len(own) + 1)
        if next_[: len(own)] != [call.marks[n] for n in own]:
            return False
        return len(next_) > len(own) or not self.before or call.own_from > 0 or self.answered

    def _is_begun_again(self, call: LoggedCall) -> bool:
        """Whether a call asks the first question for another answer."""
        if not self.before or call.opening != EMPTY:
            return False
        own = [n for n in range(len(call.roles)) if call.roles[n] != "system"]
        asked = sum(1 for _ in takewhile(lambda n: call.roles[n] in ASKING, own))
        told = [call.marks[n] for n in own]
        is_told_once = self.openings.is_told_once(told, asked, self.before, call.moment)
        if is_told_once:
            self.once.add((len(told), _sequence(told)))
        return is_told_once

    def _next_input(self, told: Sequence[int], most: int) -> list[int]:
        """At most so many messages of the newest input of the next known call.

        It counts only if its history is what stands here now, with what was just `told`.
        """
        waiting = list(islice(self.waiting, most + 1))
        if waiting and waiting[0][0].repeated:
            if not self._tells(waiting[0][0].history, told):
                return []
            waiting = waiting[1:]
        found = list(takewhile(lambda piece: not piece[0].repeated and piece[0].role in ASKING, waiting))
        return [piece[0].mark for piece in found if piece[0].sent_at == found[0][0].sent_at]


class _Openings:
    """The histories of the first calls of a conversation: which answers to its first question were continued."""

    def __init__(self, known: Sequence[Said], calls: Sequence[LoggedCall]) -> None:
        self.known = known
        self.calls = calls
        self.latest: dict[History, datetime] | None = None

    def is_told_once(self, told: Sequence[int], asked: int, before: Sequence[int], at: datetime) -> bool:
        """Whether a call without a history asks the first question for another answer.

        It `told` so many questions and their answers. A history that is sent not before it says so: it begins with that
        question, holds it once, and one of its answers.
        """
        question = list(told[:asked])
        if not 0 < asked < len(told) or len(before) <= asked or list(before[:asked]) != question:
            return False
        if question[0] in before[asked:]:
            return False
        if self.latest is None:
            self.latest = self._all()
        later = {history for history, sent_at in self.latest.items() if sent_at >= at and history[0] > asked}
        return bool(later) and not later.isdisjoint(self._continued(question, told[asked:]))

    def _all(self) -> dict[History, datetime]:
        """Each history, and when it was sent last."""
        found = [(one.history, one.sent_at) for one in self.known if one.history]
        found += [(call.opening, call.moment) for call in self.calls if call.opening]
        latest: dict[History, datetime] = {}
        for history, sent_at in found:
            latest[history] = max(sent_at, latest.get(history, LONG_AGO))
        return latest

    def _continued(self, question: list[int], answers: Sequence[int]) -> Iterator[History]:
        """The histories of a question and any of its answers that lie side by side."""
        asked = set(question)
        of_known = takewhile(
            lambda one: one.role not in ASKING or one.mark in asked, (one for one in self.known if one.role != "system")
        )
        runs = [answers, [one.mark for one in of_known if one.mark not in asked]]
        for call in self.calls:
            if call.opening == EMPTY and (own := _spoken(call))[: len(question)] == question:
                runs.append(own[len(question) :])
        for run in runs:
            for n in range(min(len(run), MOST_ANSWER)):
                yield from islice(enumerate(chain([*question, *run[n:MOST_ANSWER]]), 1), len(question), None)


def _exchange(known: Iterable[Said]) -> tuple[list[int], int]:
    """The messages that one call tells first of these, and how many of them ask."""
    found: list[Said] = []
    for one in known:
        is_next = one.history is not None or one.repeated or (one.role in ASKING and found[-1].role not in ASKING)
        if found and is_next:
            break
        found.append(one)
    asked = sum(1 for _ in takewhile(lambda one: one.role in ASKING and one.sent_at == found[0].sent_at, found))
    return [one.mark for one in found], asked


def _opening(call: LoggedCall) -> History | None:
    """The history of a call where it is empty, or one question and its answers; null for a longer one."""
    found: list[int] = []
    answered = False
    for n in range(call.own_from):
        role = call.roles[n]
        if role == "system":
            continue
        if answered if role in ASKING else not found:
            return None
        answered = role not in ASKING
        found.append(call.marks[n])
    return len(found), _sequence(found)


def _spoken(call: LoggedCall) -> list[int]:
    return [mark for mark, role in zip(call.marks, call.roles, strict=True) if role != "system"]


def _pieces(known: Sequence[Said]) -> Iterator[list[Said]]:
    """Known messages one by one; those that only the history of one call tells, which lie side by side, together."""
    piece: list[Said] = []
    for one in known:
        uri, ordinal = piece[-1].place if piece else ("", 0)
        if piece and not (one.repeated and piece[-1].repeated and one.place == (uri, ordinal + 1)):
            yield piece
            piece = []
        piece.append(one)
    if piece:
        yield piece


def _sequence(marks: Sequence[int]) -> int:
    return chain(marks)[-1] if marks else 0


def _left(piece: Sequence[Said], fresh: Sequence[int], asked: Collection[int]) -> Sequence[Said]:
    """Return the part of a history between two calls that no call landed since contains.

    Those calls contain its beginning: their messages end where the rest of the history begins.
    """
    if not fresh:
        return piece
    marks = [one.mark for one in piece]
    for n in range(min(len(marks), len(fresh)), 0, -1):
        if marks[:n] == list(fresh[-n:]):
            return piece[n:]
    left = {len(marks) - 1 - n for n in unknown(marks[::-1], fresh[::-1])}
    if len(left) == len(marks):
        left = set(unknown(marks, fresh, lambda: Questions(_asked(piece), asked)))
    return [one for n, one in enumerate(piece) if n in left]


def _asked(piece: Sequence[Said]) -> dict[int, int]:
    """The characters of each message of the user."""
    return {one.mark: one.size for one in piece if one.role == "user"}


def _keep(call: LoggedCall, before: Sequence[int], asked: Collection[int], *, prompted: bool, answered: bool) -> None:
    roles, marks = call.roles, call.marks
    begin = call.own_from + (_sent_again(call, before, asked, answered=answered) if before else 0)
    systems = [n for n in range(begin) if roles[n] == "system"]
    places: Sequence[int] = [n for n in range(begin) if roles[n] != "system"] if systems else range(begin)
    history = [marks[n] for n in places]
    repeated = [places[n] for n in unknown(history, before, lambda: Questions(_sizes(call), asked))]
    if systems and not prompted:
        repeated = sorted([*repeated, *systems])
    if repeated:
        call.repeated, call.history = repeated, (len(history), _sequence(history))
    call.kept = [*repeated, *range(begin, len(marks))] if repeated else range(begin, len(marks))


def _sizes(call: LoggedCall) -> dict[int, int]:
    """The characters of each message of the user in a call."""
    if call.held is None:
        return {one: size for one, size in zip(call.said, call.sizes, strict=True) if size != ANSWER}
    pairs = zip(call.marks, call.roles, call.rows, strict=True)
    return {one: call.held.sizes[row] for one, role, row in pairs if role == "user"}


def _sent_again(call: LoggedCall, before: Sequence[int], asked: Collection[int], *, answered: bool) -> int:
    """How many messages of a call's newest input stand in `before` already, unanswered or answered in another way."""
    last = call.own_from - 1
    if last >= 0 and call.marks[last] == before[-1] and call.roles[last] in ANSWERS:
        return 0  # what was answered last stands before the newest input
    end = next((n for n in range(call.own_from, len(call.roles)) if call.roles[n] not in ASKING), len(call.roles))
    own = call.marks[call.own_from : end]
    history = _history(call)
    users = frozenset(mark for mark, role in zip(call.marks, call.roles, strict=True) if role in ASKING)
    again = asked_again(history, own, before, users, answered=answered)
    is_anew = not again and history and users.issuperset(own) and set(own) <= set(before)
    return len(own) if is_anew and is_asked_anew(history, own, before, Questions(_sizes(call), asked)) else again


def _history(call: LoggedCall) -> list[int]:
    return [call.marks[n] for n in range(call.own_from) if call.roles[n] != "system"]


def _said(call: LoggedCall) -> list[Said]:
    only_told = set(call.repeated)
    output = outputs_from(call)
    ended = call.ended_at or call.moment
    return [
        Said(call.marks[n], call.roles[n], ended if n >= output else call.moment, n in only_told, ("", 0))
        for n in call.kept
    ]


def before_next(call: LoggedCall, n: int) -> datetime | None:
    """The time of a message of a call's history that has none: just before the call, in order."""
    return call.moment - timedelta(microseconds=call.own_from - n) if call.at or call.ended_at else None
