"""A proposal as a file for people: the schema, with its evidence in comments."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice

import yaml

from cpa_core.judging import DEALBREAKER_CAP, WEIGHTS, WORTH
from cpa_core.models import EventSchema
from cpa_core.proposing.counting import QUOTE_CHARACTERS, Counted, Firing
from cpa_core.schema import dump, parse

WIDTH = 10
"""Ids of the sample in one line."""
ABOVE = {
    "llm_judge_criteria:": (
        f"The judge decides each goal: {', '.join(f'{verdict} counts {worth:g}' for verdict, worth in WORTH.items())}.",
        "A goal that it cannot tell is left out. The score is 100 x sum(weight x worth) / sum(weight):",
        f"a primary goal weighs {WEIGHTS['P']:g}, a secondary {WEIGHTS['S']:g}, a tertiary {WEIGHTS['T']:g}. "
        f"A dealbreaker that happens caps the score at {DEALBREAKER_CAP:g}.",
    ),
    "event_types:": (
        "To rename a type or a property, keep its old name: `was: [Old Name]`. Then nothing is asked again.",
        'A property with `choices` takes one of them, or "not applicable". Without `choices`: a few free words.',
        "cpa schema check FILE finds what is wrong; cpa schema diff OLD NEW says what a change would cost.",
    ),
}
"""Explanations for a person who edits the file, each above its key."""


def written(schema: EventSchema, head: Sequence[str], found: Counted | None, ids: Sequence[str]) -> str:
    """The text of the file.

    Reading it returns the schema; every comment stays on its line, whatever a message contains.
    """
    lines = dump(schema).splitlines()
    first = lines.index("event_types:") + 1
    top = (said for line in lines[:first] for said in _explained(line))
    return "\n".join([*_head(head, ids), "", *top, *_counted_types(lines[first:], schema, found)]) + "\n"


def _explained(line: str) -> list[str]:
    """Return a line of the file, below the explanation of its key."""
    return ["", *(f"# {said}" for said in ABOVE[line]), line] if line in ABOVE else [line]


def completed(base: str, schema: EventSchema, head: Sequence[str], found: Counted | None, ids: Sequence[str]) -> str:
    """Return the text of a file, comments included, with the schema's additional types at the end of its list.

    Return the same as `written` if the schema differs otherwise, or the list is not in block style.
    """
    before = parse(base, "the schema in use")[0]
    added = schema.model_copy(update={"event_types": schema.event_types[len(before.event_types) :]})
    place = _end_of_types(base)
    if place is None:
        return written(schema, head, found, ids)
    indent, line = place
    lines = base.splitlines()
    types = dump(added).splitlines() if added.event_types else []
    new = _counted_types(types[types.index("event_types:") + 1 :], added, found) if types else []
    whole = [*_head(head, ids), *lines[:line], *(indent + one if one else "" for one in new), *lines[line:]]
    text = "\n".join(whole) + "\n"
    return text if parse(text, "the proposal")[0] == schema else written(schema, head, found, ids)


def _head(head: Sequence[str], ids: Sequence[str]) -> list[str]:
    return [*(f"# {line}" for line in head), *(f"# {_one_line(', '.join(part))}" for part in _parts(ids))]


def _counted_types(lines: Sequence[str], schema: EventSchema, found: Counted | None) -> Iterator[str]:
    """Yield the lines of a dumped list of types, each preceded by its counts."""
    firings = {(one.event_type.name, one.event_type.role): one for one in found.firings} if found else {}
    types = iter(schema.event_types)
    is_first = True
    for line in lines:
        if line.startswith("- "):
            one = next(types)
            yield from () if is_first else ("",)
            is_first = False
            firing = firings.get((one.name, one.role))
            yield from (
                (f"# {said}" for said in _said(firing, found)) if firing and found and found.conversations else ()
            )
        yield line


def _end_of_types(text: str) -> tuple[str, int] | None:
    """Before which line another event type may stand, and how far in; null for a list that has no lines of its own."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    fields = root.value if isinstance(root, yaml.MappingNode) else []
    listed = next((value for key, value in fields if key.value == "event_types"), None)
    if not isinstance(listed, yaml.SequenceNode) or listed.flow_style:
        return None
    last = max((node.end_mark for node in _leaves(listed)), key=lambda mark: mark.index)
    dash = text.splitlines()[listed.start_mark.line]
    return dash[: listed.start_mark.column], last.line + (last.column > 0)


def _leaves(node: yaml.Node) -> Iterator[yaml.Node]:
    """Yield the nodes that are no block list or mapping.

    YAML puts the ends of those behind the comments that follow.
    """
    if isinstance(node, yaml.ScalarNode) or (isinstance(node, yaml.CollectionNode) and node.flow_style):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _leaves(one)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _leaves(key)
            yield from _leaves(value)


def _said(firing: Firing, found: Counted) -> Iterator[str]:
    share = firing.messages / found.messages if found.messages else 0.0
    of = f"the {found.conversations} conversations that were counted" if found.failed else "the sample"
    yield f"{firing.messages} of {found.messages} messages of {of} ({share:.1%})"
    for quote in firing.quotes:
        cut = quote if len(quote) <= QUOTE_CHARACTERS else quote[:QUOTE_CHARACTERS] + "…"
        yield f"  e.g. {_one_line(json.dumps(cut, ensure_ascii=False))}"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while part := list(islice(rest, WIDTH)):
        yield part
