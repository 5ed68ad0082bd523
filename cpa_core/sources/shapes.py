"""Which keys a parsed record has: paths such as `messages[].role`, the signs made of them, and how well they fit.

A path names keys; `[]` is a list (`messages[]`: this is a list, `messages[].role`: one of its elements has a role),
`*` any key of an object (at the beginning: at least half of its keys). `path=word` asks for that text, `!path` for
its absence, and `path=a|b` for one of several.
A space in a key or a word is written `+`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

LOOKED_AT = 20
"""Elements of a list, or members of an object under `*`, that are looked at."""

LONGEST_KEY = 40


def fits(tree: Any, sign: str) -> int:
    """How many conditions of a sign a record meets, if it meets all of them; else 0."""
    conditions = sign.split()
    return sum(1 + ("=" in one) for one in conditions if one[0] != "!") if _meets(tree, conditions) else 0


def best(tree: Any, signs: Iterable[str]) -> int:
    """The most conditions that one of these signs has of which a record meets all."""
    return max((fits(tree, sign) for sign in signs), default=0)


def missing(tree: Any, sign: str) -> list[str]:
    """The paths of a sign that a record lacks."""
    return [one for one in sign.split() if one[0] != "!" and not _met(tree, one)]


def _meets(tree: Any, conditions: Sequence[str]) -> bool:
    return all(_met(tree, one) for one in conditions)


def _met(tree: Any, condition: str) -> bool:
    if condition[0] == "!":
        return not _met(tree, condition[1:])
    if condition.startswith("*."):
        members = list(tree.values())[:LOOKED_AT] if isinstance(tree, dict) else []
        return bool(members) and 2 * sum(_met(one, condition[2:]) for one in members) >= len(members)
    path, asks, words = condition.replace("+", " ").partition("=")
    found = at(tree, path)
    if not asks:
        return any(True for _ in found)
    allowed = words.split("|")
    return any(isinstance(value, str) and value in allowed for value in found)


def at(tree: Any, path: str) -> Iterator[Any]:
    """All that stands at a path of a record."""
    return _at(tree, _steps(path))


def _steps(path: str) -> tuple[str, ...]:
    if path not in _KNOWN:
        _KNOWN[path] = tuple(part for one in path.replace("[]", ".[]").split(".") if (part := one))
    return _KNOWN[path]


_KNOWN: dict[str, tuple[str, ...]] = {}


def _at(tree: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if not steps:
        yield tree
        return
    step, rest = steps[0], steps[1:]
    if step == "[]":
        if isinstance(tree, list):
            yield from [tree] if not rest else (v for one in tree[:LOOKED_AT] for v in _at(one, rest))
    elif isinstance(tree, dict):
        if step == "*":
            yield from (v for one in list(tree.values())[:LOOKED_AT] for v in _at(one, rest))
            return
        if step in tree:
            yield from _at(tree[step], rest)
        for length in range(2, len(steps) + 1):  # a key with dots of its own: `context.span_id`
            if "[]" not in steps[:length] and (dotted := ".".join(steps[:length])) in tree:
                yield from _at(tree[dotted], steps[length:])


def keys(trees: Iterable[Any], depth: int = 3) -> list[str]:
    """The paths that occur in these records, outer ones first; never a value."""
    found: dict[str, None] = {}
    for level in range(1, depth + 1):
        for tree in trees:
            found |= dict.fromkeys(_paths(tree, level))
    return list(found)


def _paths(tree: Any, depth: int, before: str = "") -> Iterator[str]:
    if depth == 0:
        if before:
            yield before
    elif isinstance(tree, list):
        yield from (path for one in tree[:3] for path in _paths(one, depth, f"{before}[]"))
    elif isinstance(tree, dict):
        named = tree.items() if len(tree) <= LOOKED_AT * 2 else [("*", next(iter(tree.values())))]
        for key, value in named:
            yield from _paths(value, depth - 1, f"{before}.{key[:LONGEST_KEY]}" if before else key[:LONGEST_KEY])
