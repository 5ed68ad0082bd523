"""Which calls of a trace are speech: the outermost ones. What runs inside them nobody said or read.

A router, a rewriter, a guardrail or an evaluator is a call of a model too, with a prompt of its own. Where several
calls stand side by side with different prompts, and nothing around them says what the user saw, none is taken.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from cpa_core.sources import columns
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats.form import attempted
from cpa_core.sources.records import Reject, SourceRecord, whole
from cpa_core.sources.trees import Trees

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


def _standings(nodes: Iterable[Node]) -> dict[int, int]:
    """How near to the outside of its trace each node is, by its key. A parent that is no node lies in another file."""
    nodes = list(nodes)
    known = {(node.trace, node.id): node for node in nodes}
    return {node.key: _standing(node, known) for node in nodes}


def _standing(node: Node, known: dict[tuple[str, str], Node]) -> int:
    if node.id == node.trace:
        return TRACE
    seen: set[str] = set()
    while node.parent is not None and node.id not in seen and (node.trace, node.parent) in known:
        seen.add(node.id)
        node = known[node.trace, node.parent]
    return ROOT if node.parent in (None, node.trace) or node.id == node.trace else WITHIN


def _standing_in(found: columns.Found, trace: str, standing: int) -> columns.Found:
    """A call with the trace that it is a piece of; anything else as it is."""
    return found._replace(trace_id=whole(trace), standing=standing) if isinstance(found, SourceRecord) else found


def spoken_calls(
    file: File,
    records: Trees,
    nodes: Sequence[Node],
    call: Callable[[File, str, Any], Iterable[columns.Found]],
) -> Iterator[columns.Found]:
    """What `call` reads of the records that are speech; those of which that cannot be told, and inner ones, as rejects.

    The key of a node is the number of its record. A record without a node is read as well, so that `call` says what
    it lacks.
    """
    speech, undecided = outermost(nodes)
    taken = speech | undecided
    silent = {node.key: node for node in nodes if node.key not in taken}
    standing, traces = _standings(nodes), {node.key: node.trace for node in nodes}
    for n, one in enumerate(records):
        if isinstance(one, Reject):
            yield one
        elif n in undecided:
            yield Reject(one[0], UNDECIDED, raw(one[1]))
        elif n in traces and n not in silent:
            yield from (_standing_in(found, traces[n], standing[n]) for found in attempted(file, one, call))
        elif n not in silent:
            yield from attempted(file, one, call)
        elif silent[n].speaks:
            yield Reject(one[0], INNER, "{}", loss=False)


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
