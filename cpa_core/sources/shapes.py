"""Which keys a parsed record has: paths such as `messages[].role`, the signs made of them, and how well they fit.

A path names keys; `[]` is a list (`messages[]`: this is a list, `messages[].role`: one of its elements has a role),
`*` any key of an object (at the beginning: at least half of its keys). `path=word` asks for that text, `!path` for
its absence, and `path=a|b` for one of several.
A space in a key or a word is written `+`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

LOOKED_AT = 20
"""Elements of a list, or members of an object under `*`, that are looked at."""

LONGEST_KEY = 40


class _Path(NamedTuple):
    """The first step of a path, and the rest; None: the path ends with it.

    `dotted` are the keys with dots of their own that begin with this step, as `context.span_id`, each with its rest.
    """

    step: str
    rest: "_Path | None"
    dotted: tuple[tuple[str, "_Path | None"], ...]


class _Condition(NamedTuple):
    """A path, and the texts of which one must stand there; None: any value will do."""

    is_absent: bool
    of_members: bool
    path: _Path | None
    words: frozenset[str] | None


class _Sign(NamedTuple):
    """The conditions of a sign, and how many they count for."""

    weight: int
    conditions: tuple[_Condition, ...]


def fits(tree: Any, sign: str) -> int:
    """How many conditions of a sign a record meets, if it meets all of them; else 0."""
    weight, conditions = _read(sign)
    return weight if _meets(tree, conditions) else 0


def best(tree: Any, signs: Iterable[str]) -> int:
    """The most conditions that one of these signs has of which a record meets all."""
    most = 0
    for sign in signs:
        weight, conditions = _read(sign)
        if weight > most and _meets(tree, conditions):
            most = weight
    return most


def missing(tree: Any, sign: str) -> list[str]:
    """The paths of a sign that a record lacks."""
    return [one for one in sign.split() if one[0] != "!" and not _met(tree, _condition(one))]


def at(tree: Any, path: str) -> Iterator[Any]:
    """All that stands at a path of a record."""
    return _at(tree, _path(path))


@cache
def _read(sign: str) -> _Sign:
    conditions = sign.split()
    weight = sum(1 + ("=" in one) for one in conditions if one[0] != "!")
    return _Sign(weight, tuple(map(_condition, conditions)))


@cache
def _condition(written: str) -> _Condition:
    is_absent, written = written[0] == "!", written.removeprefix("!")
    of_members, written = written.startswith("*."), written.removeprefix("*.")
    path, asks, words = written.replace("+", " ").partition("=")
    return _Condition(is_absent, of_members, _path(path), frozenset(words.split("|")) if asks else None)


@cache
def _path(written: str) -> _Path | None:
    return _along(tuple(part for one in written.replace("[]", ".[]").split(".") if (part := one)))


def _along(steps: tuple[str, ...]) -> _Path | None:
    if not steps:
        return None
    heads = (length for length in range(2, len(steps) + 1) if "[]" not in steps[:length])
    dotted = ((".".join(steps[:length]), _along(steps[length:])) for length in heads)
    return _Path(steps[0], _along(steps[1:]), tuple(dotted))


def _meets(tree: Any, conditions: Iterable[_Condition]) -> bool:
    for one in conditions:  # noqa: SIM110 (most records fail at the first: the generator of `all` costs more)
        if not _met(tree, one):
            return False
    return True


def _met(tree: Any, condition: _Condition) -> bool:
    is_absent, of_members, path, words = condition
    if not of_members:
        return _has(tree, path, words) is not is_absent
    members = list(tree.values())[:LOOKED_AT] if isinstance(tree, dict) else []
    is_met = bool(members) and 2 * sum(_has(one, path, words) for one in members) >= len(members)
    return is_met is not is_absent


def _has(tree: Any, path: _Path | None, words: frozenset[str] | None) -> bool:
    """Whether anything stands at a path, or one of these texts: as `_at`, for the many records that have nothing."""
    if path is None:
        return words is None or (isinstance(tree, str) and tree in words)
    step, rest, dotted = path
    if step == "[]":
        several = tree[:LOOKED_AT] if isinstance(tree, list) else ()
        return any(_has(one, rest, words) for one in several) if rest else words is None and isinstance(tree, list)
    if not isinstance(tree, dict):
        return False
    if step == "*":
        return any(_has(one, rest, words) for one in list(tree.values())[:LOOKED_AT])
    if step in tree and _has(tree[step], rest, words):
        return True
    return any(key in tree and _has(tree[key], after, words) for key, after in dotted)


def _at(tree: Any, path: _Path | None) -> Iterator[Any]:
    if path is None:
        yield tree
        return
    step, rest, dotted = path
    if step == "[]":
        if isinstance(tree, list):
            yield from [tree] if rest is None else (v for one in tree[:LOOKED_AT] for v in _at(one, rest))
    elif isinstance(tree, dict):
        if step == "*":
            yield from (v for one in list(tree.values())[:LOOKED_AT] for v in _at(one, rest))
            return
        if step in tree:
            yield from _at(tree[step], rest)
        for key, after in dotted:
            if key in tree:
                yield from _at(tree[key], after)


def keys(trees: Iterable[Any], depth: int = 3) -> list[str]:
    """The paths that occur in these records, outer ones first; never a value."""
    found: dict[str, None] = {}
    for level in range(1, depth + 1):
        for tree in trees:
            found |= dict.fromkeys(_paths(tree, level))
    return list(found)


_ID = re.compile(r"[0-9a-fA-F-]{12,}|(?=.*\d)[\w-]{20,}|\d+|\w*[a-zA-Z][-_]?\d{3,}")


def _is_keyed_by_ids(tree: Mapping[str, Any]) -> bool:
    """Whether the keys of an object are ids of things of one kind: very many, or most of several look like ids."""
    ids = sum(bool(_ID.fullmatch(key)) and isinstance(value, dict | list) for key, value in tree.items())
    return len(tree) > LOOKED_AT * 2 or (ids > 1 and 2 * ids > len(tree))


def _paths(tree: Any, depth: int, before: str = "") -> Iterator[str]:
    if depth == 0:
        if before:
            yield before
    elif isinstance(tree, list):
        yield from (path for one in tree[:3] for path in _paths(one, depth, f"{before}[]"))
    elif isinstance(tree, dict):
        named = [("*", one) for one in islice(tree.values(), 3)] if _is_keyed_by_ids(tree) else tree.items()
        for key, value in named:
            yield from _paths(value, depth - 1, f"{before}.{key[:LONGEST_KEY]}" if before else key[:LONGEST_KEY])
