"""Reading the calls of traces: a trace is read as soon as it is over, and nothing of it is held longer.

A trace is taken to be over when a window of records has passed without it. A file in which traces come back later, as
one in no order, is read as a whole: by `whole_traces`.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from itertools import compress
from operator import itemgetter
from typing import Any, NamedTuple

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats.form import NOT_OF_THE_FORM, attempted
from cpa_core.sources.formats.traces import INNER, UNDECIDED, Node, Traces, TraceVerdict, alone, around_all, verdicts_of
from cpa_core.sources.records import Reject, SourceRecord, tupled, whole
from cpa_core.sources.reject_table import RejectTable
from cpa_core.sources.trees import Placed, Records, Trees

WINDOW = 256
"""A trace of which so many records in a row say nothing is over."""

FEW, MOST_PARTS = 1_000, 10
"""A file of which more than so many records, and more than one of so many, are of a trace that was over, has no
order."""

NO_TRACE = 0
UNNAMED = (None, None)
"""The session and user of a trace of which no record names them."""

Names = dict[str, tuple[Any, Any]]
"""The session and user of each trace, as the first of its records that has one names it."""

Look = Callable[[int, Any], tuple[Node, Any] | None]
"""Returns a record's node in its trace, given its number, and the values found in it; null if it has no trace."""

Call = Callable[[File, str, Any, Any], Iterable[columns.Found]]
"""Reads a record, given the values that Look found in it (null: look again)."""


Foreign = Callable[[dict[str, Any]], bool]
"""Whether a record is none of a trace at all, and nothing to read."""


def none_is(tree: dict[str, Any]) -> bool:
    """No record is foreign."""
    return False


def spoken_calls(
    file: File, records: Trees, look: Look, call: Call, named: Names, foreign: Foreign = none_is
) -> Iterator[columns.Found]:
    """Yield the values that `call` reads from the records that are speech.

    Undecided records and inner ones are rejects.

    A record that is of no trace is read as well, so that `call` says what it lacks. `look` notes in `named` who is
    named. The whole file is read once: what turns out to be no speech is dropped, and a record that must be seen again
    is read in a second pass, of which most files need none.
    """
    if not isinstance(records, Records) or file.names:
        yield from _in_two_passes(file, lambda: _own(records, foreign), look, call)
    else:
        yield _Passing(file, look, call, named).whole(lambda: _own(records, foreign))


Again = Callable[[], Iterator[Placed | Reject]]
"""The records of a file, from their beginning."""


def _own(records: Trees, foreign: Foreign) -> Iterator[Placed | Reject]:
    if foreign is none_is:
        return iter(records)
    return (one for one in records if isinstance(one, Reject) or not (isinstance(one[1], dict) and foreign(one[1])))


def _in_two_passes(file: File, records: Again, look: Look, call: Call) -> Iterator[columns.Found]:
    traces = Traces()
    for n, one in enumerate(records()):
        if not isinstance(one, Reject) and (seen := _looked(look, n, one[1])):
            traces.add(seen[0])
    yield from _read_again(file, enumerate(records()), traces.decided(), call, None)


def _looked(look: Look, number: int, tree: Any) -> tuple[Node, Any] | None:
    try:
        return look(number, tree)
    except (ValueError, *NOT_OF_THE_FORM):
        return None  # reading it says why


class _Going(NamedTuple):
    """A trace that is not over: its records, and the ids of those of which no inner one is speech."""

    records: list["_HeldRecord"]
    closed: set[str]


class _HeldRecord(NamedTuple):
    """One record of a trace that is not over: its number, its node, and the values found in it, if it may be speech.

    `tree` is null where the record was read, or is unlikely to be speech. `names` are the session and user of its trace
    as they were known when it was read.
    """

    number: int
    place: str
    tree: Any
    node: Node
    found: Any
    read: list[columns.Found] | None
    names: tuple[Any, Any]

    def lacks(self, verdict: TraceVerdict, names: tuple[Any, Any]) -> bool:
        """Whether more of the record is needed than is held. `names` are those of its trace now."""
        if verdict.kind == "undecided":
            return self.tree is None
        if verdict.kind != "speech":
            return False
        return self.tree is None and (self.read is None or not all(map(_is_known, self.names, names)))


class _Passing:
    """The records of a file, of which each trace is decided and read when it is over.

    `numbers` and `traces` belong to the records that were read, `refused_at` and `refused_in` to the rejects. `back`
    holds the traces that came back after their end. Of a trace that ended, only the hash of its id is kept. If a later
    record has the same hash, its trace came back.
    """

    def __init__(self, file: File, look: Look, call: Call, named: Names) -> None:
        self.file, self.look, self.call, self.named = file, look, call, named
        self.going: OrderedDict[str, _Going] = OrderedDict()
        self.over: set[int] = set()
        self.back: set[int] = set()
        self.came_back = 0
        self.heap = columns.Heap()
        self.numbers, self.traces = array("q"), array("q")
        self.rejects = RejectTable()
        self.refused_at, self.refused_in = array("q"), array("q")

    def whole(self, records: Again) -> columns.Gathered:
        """All that the file says."""
        for n, one in enumerate(records()):
            if isinstance(one, Reject):
                self._refuse(n, NO_TRACE, one)
            elif seen := _looked(self.look, n, one[1]):
                self._hold(n, one, *seen)
            else:
                self._take(n, NO_TRACE, attempted(self.file, one, self._alone))
            if n % (WINDOW // 4) == 0:
                self._end(n - WINDOW)
                if self.came_back > FEW and self.came_back * MOST_PARTS > n:
                    self.named.clear()
                    return _Reading(self.file, self.look, self.call, self.named).whole(lambda: enumerate(records()))
        self._end(None)
        last = columns.Heap()
        last.take(self._told())
        if self.back:
            last.take(_Reading(self.file, self.look, self.call, self.named).whole(lambda: self._of_those_back(records)))
        return last.gathered()

    def _alone(self, file: File, place: str, tree: Any) -> Iterable[columns.Found]:
        return self.call(file, place, tree, None)

    def _hold(self, n: int, one: Placed, node: Node, found: Any) -> None:
        """Keep a record until its trace is over; keep only its node where the record is unlikely to be speech.

        A root is read at once: to hold its tree would cost as much as reading it. If its trace is named later, what was
        read gets the names.
        """
        going = self.going.get(node.trace)
        if going is not None:
            self.going.move_to_end(node.trace)
        elif (own := hash(node.trace)) in self.over:
            self.back.add(own)
            self.came_back += 1
            return
        else:
            going = self.going[node.trace] = _Going([], set())
        inside = node.parent is not None and node.parent in going.closed
        if inside or node.part == "aside" or (node.part == "call" and node.speaks):
            going.closed.add(node.id)
        place, tree = one
        if inside or node.part == "aside" or not node.speaks:
            going.records.append(tupled(_HeldRecord, (n, place, None, node, None, None, UNNAMED)))
        elif node.parent is None:
            read = list(attempted(self.file, one, lambda f, place, tree: self.call(f, place, tree, found)))
            names = self.named.get(node.trace, UNNAMED)
            going.records.append(tupled(_HeldRecord, (n, place, None, node, None, read, names)))
        else:
            going.records.append(tupled(_HeldRecord, (n, place, tree, node, found, None, UNNAMED)))

    def _end(self, before: int | None) -> None:
        """Read the traces of which no record has this number or a later one; None: all."""
        while self.going:
            trace = next(iter(self.going))
            if before is not None and self.going[trace].records[-1].number >= before:
                return
            self._read(hash(trace), self.going.pop(trace).records)

    def _read(self, trace: int, held: list[_HeldRecord]) -> None:
        self.over.add(trace)
        nodes = [each.node for each in held]
        names = self.named.get(nodes[0].trace, UNNAMED)
        if (around := around_all(nodes)) is not None:
            self._read_alone(trace, held, around, names)
            return
        verdicts = [verdict for _, verdict in verdicts_of(nodes)]
        if any(one.lacks(verdict, names) for one, verdict in zip(held, verdicts, strict=True)):
            self._read_later(trace, held)
            return
        for one, verdict in zip(held, verdicts, strict=True):
            if verdict.kind == "speech":
                self._take(one.number, trace, self._spoken(one, verdict, names))
            elif verdict.kind != "mute":
                self._refuse(one.number, trace, _refused((one.place, one.tree), verdict))
        self.named.pop(nodes[0].trace, None)

    def _read_alone(self, trace: int, held: list[_HeldRecord], around: Node, names: tuple[Any, Any]) -> None:
        """Read a trace of which one record is around all others, as most have."""
        verdict = alone(around)
        for one in held:
            if one.node is around and one.lacks(verdict, names):
                self._read_later(trace, held)
                return
        for one in held:
            if one.node is around:
                self._take(one.number, trace, self._spoken(one, verdict, names))
            elif one.node.speaks:
                self._refuse(one.number, trace, _inner(one.place))
        self.named.pop(around.trace, None)

    def _read_later(self, trace: int, held: list[_HeldRecord]) -> None:
        self.back.add(trace)
        self.came_back += len(held)

    def _spoken(self, one: _HeldRecord, verdict: TraceVerdict, names: tuple[Any, Any]) -> Iterable[columns.Found]:
        if one.read is None:
            placed = (one.place, one.tree)
            read = attempted(self.file, placed, lambda f, place, tree: self.call(f, place, tree, one.found))
            return (_standing_in(made, verdict) for made in read)
        found = [_standing_in(made, verdict) for made in one.read]
        return found if names == one.names else [_named_later(made, one.names, names) for made in found]

    def _take(self, n: int, trace: int, found: Iterable[columns.Found]) -> None:
        for made in found:
            if type(made) is Reject:
                self._refuse(n, trace, made)
            else:
                self.numbers.append(n)
                self.traces.append(trace)
                self.heap.take(made)

    def _refuse(self, n: int, trace: int, made: Reject) -> None:
        self.rejects.append(made)
        self.refused_at.append(n)
        self.refused_in.append(trace)

    def _of_those_back(self, records: Again) -> Iterator[tuple[int, Placed | Reject]]:
        for n, one in enumerate(records()):
            if isinstance(one, Reject):
                continue
            seen = _looked(self.look, n, one[1])
            if seen and hash(seen[0].trace) in self.back:
                yield n, one

    def _told(self) -> columns.Gathered:
        """The records in the order of the file, without the traces that came back."""
        found = self.heap.gathered()
        drafts, records, numbers = found.drafts, found.records, self.numbers
        if self.back:
            kept = [trace not in self.back for trace in self.traces]
            drafts, records = columns.selected(found, {}, kept)
            numbers = array("q", compress(numbers, kept))
        left = [trace not in self.back for trace in self.refused_in] if self.back else None
        refused = self.rejects.taken(self.refused_at, left)
        return columns.Gathered(drafts, columns.ordered(records, numbers), refused)


def _read_again(
    file: File,
    records: Iterable[tuple[int, Placed | Reject]],
    verdicts: Mapping[int, TraceVerdict],
    call: Call,
    wanted: Container[int] | None,
) -> Iterator[columns.Found]:
    """Yield the values read from the numbered records, or from the wanted ones, once all of them are known."""
    for n, one in records:
        if wanted is not None and n not in wanted:
            continue
        verdict = verdicts.get(n)
        if isinstance(one, Reject):
            yield one
        elif verdict is None:
            yield from attempted(file, one, lambda f, place, tree: call(f, place, tree, None))
        elif verdict.kind == "speech":
            found = attempted(file, one, lambda f, place, tree: call(f, place, tree, None))
            yield from (_standing_in(each, verdict) for each in found)
        elif verdict.kind != "mute":
            yield _refused(one, verdict)


def _refused(one: Placed, verdict: TraceVerdict) -> Reject:
    """Why a record of a trace is no speech, or why that cannot be told."""
    if verdict.kind == "undecided":
        return Reject(one[0], UNDECIDED, raw(one[1]))
    return _inner(one[0])


def _inner(place: str) -> Reject:
    return tupled(Reject, (place, INNER, "{}", False))


def _is_known(before: Any, now: Any) -> bool:
    """Whether a name that was not known when its record was read can be put into what was read."""
    if before or not now:
        return True
    return _is_id(now) and fields.identity("id", now) is not None


def _named_later(found: columns.Found, before: tuple[Any, Any], now: tuple[Any, Any]) -> columns.Found:
    """A call with the session and user that only a later record of its trace names; anything else as it is."""
    if not isinstance(found, SourceRecord):
        return found
    session, user = (None if old else fields.identity("id", new) for old, new in zip(before, now, strict=True))
    return found._replace(conversation_id=session or found.conversation_id, user_id=user or found.user_id)


def _standing_in(found: columns.Found, verdict: TraceVerdict) -> columns.Found:
    """A call with the trace that it is a piece of; anything else as it is."""
    if not isinstance(found, SourceRecord):
        return found
    return tupled(SourceRecord, (*found[:-2], whole(verdict.trace), verdict.standing))


class _Reading:
    """The records of a file in no order, read before it is known which are speech.

    `numbers` are those of the records held.
    `nameless` notes by its number which record was read before its session, or its user, was named in its trace.
    """

    def __init__(self, file: File, look: Look, call: Call, named: Names) -> None:
        self.file, self.look, self.call, self.named = file, look, call, named
        self.traces = Traces()
        self.heap = columns.Heap()
        self.numbers: list[int] = []
        self.nameless: dict[int, tuple[bool, bool]] = {}
        self.rejects: list[tuple[int, Reject]] = []
        self.left: set[int] = set()
        self.places: dict[int, str] = {}
        self.closed: set[str] = set()

    def whole(self, records: Callable[[], Iterator[tuple[int, Placed | Reject]]]) -> columns.Gathered:
        """All that the numbered records say."""
        for n, one in records():
            if isinstance(one, Reject):
                self.rejects.append((n, one))
            elif seen := _looked(self.look, n, one[1]):
                self._node(n, one, *seen)
            else:
                self._read(n, one, None)
        verdicts = self.traces.decided()
        self.traces = Traces()  # one node of each span: as much as the messages themselves
        again = self._unread(verdicts)
        found = self._told(verdicts, again)
        last = columns.Heap()
        last.take(columns.Gathered(*found, self._refused(verdicts, again)))
        if again:
            for made in _read_again(self.file, records(), verdicts, self.call, again):
                last.take(made)
        return last.gathered()

    def _node(self, n: int, one: Placed, node: Node, found: Any) -> None:
        """Read a record of a trace, unless it surely is no speech: that is read where it turns out to be."""
        self.traces.add(node)
        self.places[n] = one[0]
        inside = node.parent is not None and node.parent in self.closed
        if inside or node.part == "aside" or (node.part == "call" and node.speaks):
            self.closed.add(node.id)
        if inside or node.part == "aside" or not node.speaks:
            self.left.add(n)
            return
        session, user = self.named.get(node.trace, (None, None))
        if not (session and user):
            self.nameless[n] = (not session, not user)
        self._read(n, one, found)

    def _read(self, n: int, one: Placed, found: Any) -> None:
        for made in attempted(self.file, one, lambda f, place, tree: self.call(f, place, tree, found)):
            if isinstance(made, Reject):
                self.rejects.append((n, made))
            else:
                self.numbers.append(n)
                self.heap.take(made)

    def _unread(self, verdicts: Mapping[int, TraceVerdict]) -> set[int]:
        """The records that must be seen again: of which it cannot be told, that were left, whose names are no ids."""
        again = {n for n, verdict in verdicts.items() if verdict.kind == "undecided"}
        again |= {n for n in self.left if verdicts[n].kind == "speech"}
        for n, nameless in self.nameless.items():
            names = self.named.get(verdicts[n].trace, (None, None))
            if verdicts[n].kind == "speech" and not all(
                _is_id(name) for name, not_yet in zip(names, nameless, strict=True) if not_yet
            ):
                again.add(n)
        return again

    def _refused(self, verdicts: Mapping[int, TraceVerdict], again: Container[int]) -> list[Reject]:
        """The rejects, in the order of the file: those of speech, and one of each record that runs inside another."""
        found = [(n, one) for n, one in self.rejects if n not in verdicts or verdicts[n].kind == "speech"]
        inner = [n for n, verdict in verdicts.items() if verdict.kind == "inner"]
        found += [(n, Reject(self.places[n], INNER, "{}", loss=False)) for n in inner]
        return [reject for n, reject in sorted(found, key=itemgetter(0)) if n not in again]

    def _told(self, verdicts: Mapping[int, TraceVerdict], again: Container[int]) -> tuple[Any, Any]:
        """The drafts and records that are speech, with what is known of their traces now."""
        gathered = self.heap.gathered()
        about = [(n, verdicts.get(n)) for n in self.numbers]
        kept = [n not in again and (verdict is None or verdict.kind == "speech") for n, verdict in about]
        told = {"conversation_id": gathered.records["conversation_id"].to_pylist()}
        told["user_id"] = gathered.records["user_id"].to_pylist()
        for place, (n, verdict) in enumerate(about):
            names = (
                self.named.get(verdict.trace, (None, None))
                if verdict and n in self.nameless and n not in again
                else (None, None)
            )
            for word, name, not_yet in zip(told, names, self.nameless.get(n, ()), strict=False):
                if not_yet and name:
                    told[word][place] = fields.identity(word, name)
        own = zip(gathered.records["trace_id"].to_pylist(), gathered.records["standing"].to_pylist(), strict=True)
        stood = [(whole(v.trace), v.standing) if v else other for (_, v), other in zip(about, own, strict=True)]
        told["trace_id"], told["standing"] = [trace for trace, _ in stood], [standing for _, standing in stood]
        return columns.selected(gathered, told, kept)


def _is_id(name: Any) -> bool:
    try:
        fields.identity("id", name or None)
    except ValueError:
        return False
    return True
