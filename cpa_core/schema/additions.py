"""Accepting a proposal piece by piece: types and goals are added to the text of a schema, and its rest stays."""

import re
from collections.abc import Sequence
from typing import Literal

import yaml

from cpa_core.errors import InputError
from cpa_core.models import Criteria, EventSchema, EventType, Value
from cpa_core.schema.document import GOALS, dump, parse


class Addition(Value):
    """One piece of a proposal that a schema does not have: a type, other words for a type, or a goal.

    `id` names it in its proposal; `title` and `said` are its text for people; `evidence` holds the proposal's comments
    above a type.
    """

    id: str
    kind: Literal["new type", "changed type", "new goal"]
    title: str
    said: str
    evidence: tuple[str, ...] = ()


def additions(current: EventSchema, text: str) -> list[Addition]:
    """Return the pieces of the proposal in `text` that the schema lacks, in the order of its file.

    Raises SchemaError.
    """
    proposed, _ = parse(text, "proposal")
    comments = _comments_of_types(text)
    found: list[Addition] = []
    for n, kind in enumerate(proposed.event_types):
        known = current.find(kind.name, kind.role)
        if known != kind:
            what: Literal["new type", "changed type"] = "changed type" if known else "new type"
            title, evidence = f"{kind.name} ({kind.role})", comments[n] if n < len(comments) else ()
            found.append(Addition(id=f"type {n}", kind=what, title=title, said=kind.definition, evidence=evidence))
    for goal in GOALS:
        known_goals = getattr(current.criteria, goal)
        for n, words in enumerate(getattr(proposed.criteria, goal)):
            if words not in known_goals:
                title = goal.replace("_", " ").removesuffix("s")
                found.append(Addition(id=f"{goal} {n}", kind="new goal", title=title, said=words))
    return found


def with_addition(text: str, name: str, addition: str, proposal: str) -> str:
    """Return the text of a schema with one piece of a proposal added; `name` is the file's name, for errors.

    An existing type is replaced in place, without the comments inside it. Everything else stays character for
    character. Raises SchemaError, and InputError if the text has no place for the piece.
    """
    current, _ = parse(text, name)
    proposed, _ = parse(proposal, "proposal")
    kind, _, number = addition.rpartition(" ")
    pieces: Sequence[object] = proposed.event_types if kind == "type" else getattr(proposed.criteria, kind, ())
    if (kind != "type" and kind not in GOALS) or not number.isdecimal() or int(number) >= len(pieces):
        raise InputError("the proposal no longer has this piece: open the proposal again")
    piece = pieces[int(number)]
    if isinstance(piece, EventType):
        made, wanted = _with_type(text, current, piece), _schema_with(current, piece)
    else:
        made, wanted = _with_goal(text, kind, str(piece)), _schema_with_goal(current, kind, str(piece))
    if made is None or parse(made, name)[0] != wanted:
        raise InputError(f"{name}: the layout of the file has no place for this piece: add it by hand")
    return made


def _schema_with(current: EventSchema, kind: EventType) -> EventSchema:
    types = [kind if (one.name, one.role) == (kind.name, kind.role) else one for one in current.event_types]
    new = current.find(kind.name, kind.role) is None
    return current.model_copy(update={"event_types": (*types, *([kind] if new else []))})


def _schema_with_goal(current: EventSchema, goal: str, words: str) -> EventSchema:
    goals: Criteria = current.criteria.model_copy(update={goal: (*getattr(current.criteria, goal), words)})
    return current.model_copy(update={"criteria": goals})


def _with_type(text: str, current: EventSchema, kind: EventType) -> str | None:
    listed = _child(yaml.compose(text, Loader=yaml.SafeLoader), "event_types")
    block = dump(current.model_copy(update={"event_types": (kind,)})).partition("event_types:\n")[2]
    place = next(
        (n for n, one in enumerate(current.event_types) if (one.name, one.role) == (kind.name, kind.role)), None
    )
    return _put(text, listed, block, place)


def _with_goal(text: str, goal: str, words: str) -> str | None:
    criteria = _child(yaml.compose(text, Loader=yaml.SafeLoader), "llm_judge_criteria")
    return _put(text, _child(criteria, goal), yaml.safe_dump([words], allow_unicode=True, width=100), None)


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _put(text: str, listed: yaml.Node | None, block: str, place: int | None) -> str | None:
    """Return the text with a block as a list's last item, or in place of item `place`; null for a list on one line."""
    if not isinstance(listed, yaml.SequenceNode) or listed.flow_style or not listed.value:
        return None
    lines = text.splitlines(keepends=True)
    first = listed.value[0 if place is None else place]
    indent = re.match(r" *", lines[listed.start_mark.line])
    written = [f"{indent[0] if indent else ''}{line}" if line.strip() else line for line in block.splitlines(True)]
    end = _end(listed.value[-1 if place is None else place], lines)
    if end == len(lines) and lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    start = end if place is None else first.start_mark.line
    return "".join([*lines[:start], *written, *lines[end:]])


def _end(node: yaml.Node, lines: Sequence[str]) -> int:
    """The number of lines up to the last word of a node, without the blank lines and comments after it."""
    leaf = node
    while isinstance(leaf, yaml.CollectionNode) and not leaf.flow_style and leaf.value:
        last = leaf.value[-1]
        leaf = last[1] if isinstance(last, tuple) else last
    found = leaf.end_mark.line if leaf.end_mark.column == 0 else leaf.end_mark.line + 1
    while found > node.start_mark.line + 1 and re.fullmatch(r"\s*(#.*)?\s*", lines[found - 1]):
        found -= 1
    return found


def _comments_of_types(text: str) -> list[tuple[str, ...]]:
    """The comments directly above each type, without their marks."""
    listed = _child(yaml.compose(text, Loader=yaml.SafeLoader), "event_types")
    lines = text.splitlines()
    found: list[tuple[str, ...]] = []
    for item in listed.value if isinstance(listed, yaml.SequenceNode) else ():
        line, above = item.start_mark.line, []
        while line > 0 and lines[line - 1].lstrip().startswith("#"):
            line -= 1
            above.append(lines[line].lstrip().removeprefix("#").strip())
        found.append(tuple(reversed(above)))
    return found
