"""Calls of a model: chained to conversations by their history where no id is given, and cut to what each adds."""

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain as chained
from itertools import islice, takewhile

from cpa_core.models import digest
from cpa_core.sources.identity.history import Questions, asked_again, is_asked_anew, is_retold, unknown
from cpa_core.sources.identity.links import Held, chain
from cpa_core.sources.identity.talks import LEAST_CHARACTERS, LEAST_USERS, second
from cpa_core.sources.identity.values import Said, Talk

NEWEST_ONLY = (
    "no conversation id, and no call of this file repeats what was said before: name the field that holds the id "
    "(--map conversation_id=FIELD)"
)
WINDOW = (
    "no conversation id, and a call like this repeats only the end of what was said before: name the field with the id "
    "(--map conversation_id=FIELD)"
)
ASKING = frozenset({"user", "attachment"})
ANSWERS = frozenset({"assistant", "tool", "tool_call", "reasoning"})
SENT_AGAIN = "a call without an answer, whose message the next known call sends again: it counts there"
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
    history: tuple[int, int] = (0, 0)
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
            if among is self.parts and _is_short(call.sizes[:n]):
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
            if fits and _agree(call, talk) and (call.file, talk.conversation_id, end) not in self.told:
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
            if _agree(call, talk)
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


def _agree(call: LoggedCall, talk: Talk) -> bool:
    return call.user_id is None or talk.user_id is None or call.user_id == talk.user_id


def _latest(call: LoggedCall, talks: dict[str, Talk]) -> Talk | None:
    """The conversation that was going on most recently before this call."""
    return next(
        (t for t in reversed(talks.values()) if _agree(call, t) and (t.last_at or LONG_AGO) <= call.moment), None
    )


def _next(call: LoggedCall, talks: dict[str, Talk]) -> Talk | None:
    """The conversation of the same user that was heard soonest after this call."""
    known = call.user_id is not None or len(talks) == 1
    later = [t for t in talks.values() if _agree(call, t) and (t.last_at or LONG_AGO) > call.moment]
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


def last_question(call: LoggedCall) -> int:
    """Return the length of a history up to its last question; 0 without a user, or if its questions are common."""
    if call.user_id is None:
        return 0
    n = next((n for n in range(call.before, 0, -1) if call.sizes[n - 1] != ANSWER), 0)
    return 0 if _is_short(call.sizes[:n]) else n


def _is_short(sizes: Sequence[int]) -> bool:
    """Whether spoken messages of these sizes are what many people say."""
    users = [size for size in sizes if size != ANSWER]
    return len(users) < LEAST_USERS or sum(users) < LEAST_CHARACTERS


def sent(call: LoggedCall) -> int:
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


def told(calls: Sequence[LoggedCall], known: Sequence[Said]) -> list[tuple[str, int]]:
    """Decide what each call of one conversation adds (`kept`).

    Of these, `repeated` are only of its history.

    `known` are the messages of other objects, in order. Return the places of messages that were known only from a later
    call's history, and now have a call of their own.
    """
    for call in calls:
        call.open()
    telling = _Telling(known, calls)
    for call in sorted(calls, key=lambda call: call.moment):
        telling.hear(call)
    for call in calls:
        call.close()
    return telling.retold()


class _Telling:
    """One conversation, processed in order of time: the messages of other objects, and those of fresh calls.

    Messages known only from a call's history wait as one piece, which represents the calls between that call and the
    one before. `fresh` are the marks of messages added since the last known one, which calls that landed late contain.
    """

    def __init__(self, known: Sequence[Said], calls: Sequence[LoggedCall]) -> None:
        self.calls = calls
        self.waiting = deque(_pieces(known))
        self.again = Counter((one.mark, one.sent_at) for one in known)
        self.before: list[int] = []
        self.prompted = False
        self.answered = False
        self.fresh: list[int] = []
        self.asked: set[int] = set()
        self.added = False
        self.places: list[tuple[str, int]] = []

    def hear(self, call: LoggedCall) -> None:
        """Decide which messages a call adds to the earlier ones.

        Messages known from the call itself do not count as earlier.
        """
        own = Counter(call.marks[call.own_from :] if self.waiting else ())
        same: list[Said] = []
        while self.waiting and self.waiting[0][-1].sent_at <= call.moment:
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
            self._pass(self.waiting.popleft())
        return self.places

    def _pass(self, piece: Sequence[Said]) -> None:
        left = piece
        if piece[0].repeated and self.added:
            left = [] if self._tells(piece[0].history) else self._left(piece)
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
        """Whether a first question is asked for another answer: a later history begins with it and has no other."""
        if not self.before or any(role != "system" for role in call.roles[: call.own_from]):
            return False
        own = [n for n in range(len(call.roles)) if call.roles[n] != "system"]
        marks = [call.marks[n] for n in own]
        asked = sum(1 for _ in takewhile(lambda n: call.roles[n] in ASKING, own))
        if not 0 < asked < len(own) or self.before[:asked] != marks[:asked]:
            return False
        if len(self.before) == asked or marks[0] in self.before[asked:]:
            return False
        return any(_history(one) == marks for one in self.calls)

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


def outputs_from(call: LoggedCall) -> int:
    """Where a call's output begins: after the last message that is not an answer."""
    n = len(call.roles)
    while n > call.own_from and call.roles[n - 1] in ("assistant", "tool_call", "reasoning", "attachment"):
        n -= 1
    return n


def before_next(call: LoggedCall, n: int) -> datetime | None:
    """The time of a message of a call's history that has none: just before the call, in order."""
    return call.moment - timedelta(microseconds=call.own_from - n) if call.at or call.ended_at else None
