"""Which calls of a trace are speech: the outermost ones. Calls inside them are not part of the conversation.

A router, a rewriter, a guardrail or an evaluator is a call of a model too, with a prompt of its own. Where several
calls stand side by side with different prompts, and nothing around them says what the user saw, none is taken.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from cpa_core.sources import columns, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats.form import NOT_OF_THE_FORM, attempted
from cpa_core.sources.records import Reject, SourceRecord, whole
from cpa_core.sources.trees import Placed, Records, Trees

Part = Literal["call", "step", "aside"]
"""`call`: a call of a model or an agent; `step`: anything else around them; `aside`: tool, guardrail, evaluator, ..."""

UNDECIDED = (
    "several calls of this trace stand side by side with different system prompts, and none around them says what the "
    "user saw: export the outermost observation with its input and output"
)
INNER = "a call inside another of its trace: neither said nor read by anybody"


TRACE, ROOT, WITHIN = range(3)
"""How near to the outside of its trace a call is: the trace itself, a root of it, or inside of what the file lacks."""


class Node(NamedTuple):
    """One span or observation. `speaks`: it has an input or output. `prompt` tells its system prompt from others."""

    key: int
    id: str
    parent: str | None
    trace: str
    part: Part
    speaks: bool
    prompt: str = ""


def outermost(nodes: Iterable[Node]) -> tuple[set[int], set[int]]:
    """The keys of the nodes that are speech, and of those of which that cannot be told."""
    traces: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        traces[node.trace].append(node)
    speech: set[int] = set()
    undecided: set[int] = set()
    for trace in traces.values():
        for side_by_side in _outermost(trace):
            prompts = {node.prompt for node in side_by_side if node.prompt}
            (undecided if len(prompts) > 1 else speech).update(node.key for node in side_by_side)
    return speech, undecided


def _standing(node: Node, known: dict[str, Node]) -> int:
    """How near to the outside of its trace a node is. A parent that is no node lies in another file."""
    if node.id == node.trace:
        return TRACE
    seen: set[str] = set()
    while node.parent is not None and node.id not in seen and node.parent in known:
        seen.add(node.id)
        node = known[node.parent]
    return ROOT if node.parent in (None, node.trace) or node.id == node.trace else WITHIN


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
        yield _Reading(file, look, call, named).whole(lambda: _own(records, foreign))


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
    yield from _read_again(file, records(), traces.decided(), call, None)


def _looked(look: Look, number: int, tree: Any) -> tuple[Node, Any] | None:
    try:
        return look(number, tree)
    except (ValueError, *NOT_OF_THE_FORM):
        return None  # reading it says why


Kind = Literal["speech", "undecided", "inner", "mute"]


class TraceVerdict(NamedTuple):
    """The verdict on a node: speech, or the reason why it is none, with its trace and, for speech, its standing."""

    kind: Kind
    standing: int
    trace: str


class Traces:
    """The nodes of a file, by their trace."""

    def __init__(self) -> None:
        self.nodes: defaultdict[str, list[Node]] = defaultdict(list)
        self.prompts: dict[str, str] = {}

    def add(self, node: Node) -> None:
        """One node; its prompt is kept once, for a file has few."""
        prompt = self.prompts.setdefault(node.prompt, node.prompt) if node.prompt else ""
        self.nodes[node.trace].append(node if prompt is node.prompt else node._replace(prompt=prompt))

    def decided(self) -> dict[int, TraceVerdict]:
        """Return the verdict on each node, by its key."""
        return {key: verdict for nodes in self.nodes.values() for key, verdict in _verdicts(nodes)}


def _verdicts(nodes: Sequence[Node]) -> Iterator[tuple[int, TraceVerdict]]:
    """Yield the verdict on each node of one trace, by its key."""
    said = [node for node in nodes if node.speaks and node.part != "aside"]
    if len(said) == 1 and said[0].parent is None:  # most traces have one call of a model, around all else
        for node in nodes:
            kind: Kind = "speech" if node is said[0] else "inner" if node.speaks else "mute"
            yield node.key, TraceVerdict(kind, TRACE if node.id == node.trace else ROOT, node.trace)
        return
    speech, undecided = outermost(nodes)
    known = {node.id: node for node in nodes}
    for node in nodes:
        standing = _standing(node, known)
        if node.key in speech:
            yield node.key, TraceVerdict("speech", standing, node.trace)
        elif node.key in undecided:
            yield node.key, TraceVerdict("undecided", standing, node.trace)
        else:
            yield node.key, TraceVerdict("inner" if node.speaks else "mute", standing, node.trace)


def _read_again(
    file: File,
    records: Iterable[Placed | Reject],
    verdicts: Mapping[int, TraceVerdict],
    call: Call,
    wanted: Container[int] | None,
) -> Iterator[columns.Found]:
    """Yield the values read from the records, or from the wanted ones, once all of them are known."""
    for n, one in enumerate(records):
        if wanted is not None and n not in wanted:
            continue
        verdict = verdicts.get(n)
        if isinstance(one, Reject):
            yield one
        elif verdict is None:
            yield from attempted(file, one, lambda f, place, tree: call(f, place, tree, None))
        elif verdict.kind == "undecided":
            yield Reject(one[0], UNDECIDED, raw(one[1]))
        elif verdict.kind == "inner":
            yield Reject(one[0], INNER, "{}", loss=False)
        elif verdict.kind == "speech":
            found = attempted(file, one, lambda f, place, tree: call(f, place, tree, None))
            yield from (_standing_in(each, verdict) for each in found)


def _standing_in(found: columns.Found, verdict: TraceVerdict) -> columns.Found:
    """A call with the trace that it is a piece of; anything else as it is."""
    if not isinstance(found, SourceRecord):
        return found
    return found._replace(trace_id=whole(verdict.trace), standing=verdict.standing)


class _Reading:
    """The records of a file, read before it is known which are speech. `numbers` are those of the records held.

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

    def whole(self, records: Again) -> columns.Gathered:
        """All that the file says."""
        for n, one in enumerate(records()):
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


def _outermost(trace: Sequence[Node]) -> list[list[Node]]:
    """The outermost speaking nodes of a trace, those side by side together."""
    known = {node.id for node in trace}
    children: defaultdict[str | None, list[Node]] = defaultdict(list)
    for node in trace:
        inner = node.parent if node.parent in known and node.parent != node.id else None
        children[inner].append(node)
    roots = children[None]
    whole = [node for node in roots if node.part == "step" and node.speaks]
    if whole:  # a root that is no call of a model has the conversation; calls beside it are titles, summaries, ...
        return [whole]
    found: list[list[Node]] = []
    level = [roots]
    seen: set[str] = set()
    while level:
        deeper: list[list[Node]] = []
        for nodes in level:
            calls = [node for node in nodes if node.part == "call" and node.speaks]
            found += [calls] if calls else []
            inside = [
                n for n in nodes if n.part != "aside" and not (n.part == "call" and n.speaks) and n.id not in seen
            ]
            seen |= {node.id for node in inside}
            deeper += [children[node.id] for node in inside if children[node.id]]
        level = deeper
    return found
