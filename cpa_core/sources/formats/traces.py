"""Which calls of a trace are speech: the outermost ones. Calls inside them are not part of the conversation.

A router, a rewriter, a guardrail or an evaluator is a call of a model too, with a prompt of its own. Where several
calls stand side by side with different prompts, and nothing around them says what the user saw, none is taken.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from cpa_core.sources.records import tupled

Part = Literal["call", "step", "aside"]
"""`call`: a call of a model or an agent; `step`: anything else around them; `aside`: tool, guardrail, evaluator, ..."""

UNDECIDED = (
    "several calls of this trace stand side by side with different system prompts, and none around them says what the "
    "user saw: export the outermost observation with its input and output"
)
INNER = "a call inside another of its trace: neither said nor read by anybody"


TRACE, ROOT, WITHIN = range(3)
"""How near to the outside of its trace a call is: the trace itself, a root of it, or inside of what the file lacks."""


class Prompt(Protocol):
    """A system prompt that is read only where it must be told from others."""

    @property
    def text(self) -> str:
        """Its words; empty if there are none."""
        ...


class Node(NamedTuple):
    """One span or observation. `speaks`: it has an input or output. `prompt` tells its system prompt from others."""

    key: int
    id: str
    parent: str | None
    trace: str
    part: Part
    speaks: bool
    prompt: "str | Prompt" = ""


def outermost(nodes: Iterable[Node]) -> tuple[set[int], set[int]]:
    """The keys of the nodes that are speech, and of those of which that cannot be told."""
    traces: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        traces[node.trace].append(node)
    speech: set[int] = set()
    undecided: set[int] = set()
    for trace in traces.values():
        for side_by_side in _outermost(trace):
            prompts = {text for node in side_by_side if (text := _text(node.prompt))} if len(side_by_side) > 1 else ()
            (undecided if len(prompts) > 1 else speech).update(node.key for node in side_by_side)
    return speech, undecided


def _text(prompt: str | Prompt) -> str:
    return prompt if isinstance(prompt, str) else prompt.text


def _standing(node: Node, known: dict[str, Node]) -> int:
    """How near to the outside of its trace a node is. A parent that is no node lies in another file."""
    if node.id == node.trace:
        return TRACE
    seen: set[str] = set()
    while node.parent is not None and node.id not in seen and node.parent in known:
        seen.add(node.id)
        node = known[node.parent]
    return ROOT if node.parent in (None, node.trace) or node.id == node.trace else WITHIN


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
        text = _text(node.prompt)
        prompt = self.prompts.setdefault(text, text) if text else ""
        self.nodes[node.trace].append(node if prompt is node.prompt else node._replace(prompt=prompt))

    def decided(self) -> dict[int, TraceVerdict]:
        """Return the verdict on each node, by its key."""
        return {key: verdict for nodes in self.nodes.values() for key, verdict in verdicts_of(nodes)}


def verdicts_of(nodes: Sequence[Node]) -> Iterator[tuple[int, TraceVerdict]]:
    """Yield the verdict on each node of one trace, with its key, in their order."""
    if (around := around_all(nodes)) is not None:
        for node in nodes:
            kind: Kind = "speech" if node is around else "inner" if node.speaks else "mute"
            yield node.key, _verdict(node, kind)
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


def _verdict(node: Node, kind: Kind) -> TraceVerdict:
    return tupled(TraceVerdict, (kind, TRACE if node.id == node.trace else ROOT, node.trace))


def alone(node: Node) -> TraceVerdict:
    """Return the verdict on the node that is around all others of its trace."""
    return _verdict(node, "speech")


def around_all(nodes: Sequence[Node]) -> Node | None:
    """The one node of a trace that says something and is inside no other, as most traces have; else None."""
    said = [node for node in nodes if node.speaks and node.part != "aside"]
    if len(said) == 1:
        return said[0] if said[0].parent is None else None
    ids = {node.id for node in nodes}
    roots = [node for node in nodes if node.part != "aside" and (node.parent not in ids or node.parent == node.id)]
    return roots[0] if len(roots) == 1 and roots[0].speaks and roots[0].parent is None else None


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
