"""The changes between two schemas, and their effect on tags and judgments of the older one."""

from collections.abc import Iterator, Sequence
from functools import cached_property, reduce
from typing import Literal

from cpa_core.models import EventSchema, EventType, Property, Value

ALL = "every message is asked about again"
LABELS = "people's labels stay valid"
KEPT = "nothing is asked"


class ReaskScope(Value):
    """The messages to ask about again: all, those of a role, those with an event of a type, or those with a value.

    A type is (role, name), a value (role, name, property, choice), in the words of the older schema.
    """

    whole: bool = False
    roles: frozenset[str] = frozenset()
    types: frozenset[tuple[str, str]] = frozenset()
    values: frozenset[tuple[str, str, str, str]] = frozenset()

    def __or__(self, other: "ReaskScope") -> "ReaskScope":
        return ReaskScope(
            whole=self.whole or other.whole,
            roles=self.roles | other.roles,
            types=self.types | other.types,
            values=self.values | other.values,
        )

    def __bool__(self) -> bool:
        return self.whole or bool(self.roles or self.types or self.values)


class Change(Value):
    """One difference: its place, its description, and its effect on stored tags and judgments.

    `scope` are the messages whose tags must be asked for again; `rewrites` those whose tags change without a
    question; `judges` says that every conversation is judged again.
    """

    kind: Literal["added", "removed", "renamed", "changed"]
    place: str
    said: str
    means: str
    scope: ReaskScope = ReaskScope()
    rewrites: ReaskScope = ReaskScope()
    judges: bool = False


class Carried(Value):
    """A stored tag in the words of the newer schema. `key` is that of its type, which the event's id is made of."""

    event_type: str
    key: str
    properties: dict[str, str]


class Diff(Value):
    """Two schemas and their differences, in the order of the file."""

    older: EventSchema
    newer: EventSchema
    changes: tuple[Change, ...]

    @cached_property
    def scope(self) -> ReaskScope:
        """Return the messages tagged by the older schema that are asked about again."""
        return reduce(ReaskScope.__or__, (change.scope for change in self.changes), ReaskScope())

    @cached_property
    def touched(self) -> ReaskScope:
        """Return the messages tagged by the older schema that change: asked about again, or put in other words."""
        return reduce(ReaskScope.__or__, (change.rewrites for change in self.changes), self.scope)

    @property
    def judges(self) -> bool:
        """Whether conversations judged by the older schema are judged again."""
        return any(change.judges for change in self.changes)

    def carry(self, role: str, event_type: str, properties: dict[str, str]) -> Carried | None:
        """Return a stored tag as the newer schema has it; null if its type is gone. Not for tags within the scope."""
        older = self.older.find(event_type, role)
        newer = self._partners.get(older.key) if older else None
        if older is None or newer is None:
            return None
        names = {a.name: b.name for a, b in _properties(older, newer) if a and b}
        kept = {names[name]: value for name, value in properties.items() if name in names}
        return Carried(event_type=newer.name, key=newer.key, properties=kept)

    @cached_property
    def _partners(self) -> dict[str, EventType]:
        return {a.key: b for a, b in _types(self.older, self.newer) if a and b}


def compare(older: EventSchema, newer: EventSchema) -> Diff:
    """Return the changes from the older schema to the newer."""
    changes = [*_context(older, newer)]
    for a, b in _types(older, newer):
        changes += _type(a, b, newer.events_per_message == "one")
    return Diff(older=older, newer=newer, changes=tuple(changes))


def _context(older: EventSchema, newer: EventSchema) -> Iterator[Change]:
    for name in ("name", "description"):
        if getattr(older, name) != getattr(newer, name):
            means = f"both prompts begin with it: {ALL}, every conversation is judged again"
            scope = ReaskScope(whole=True)
            yield Change(
                kind="changed", place=f"assistant {name}", said="other words", means=means, scope=scope, judges=True
            )
    if older.events_per_message != newer.events_per_message:
        said = f"{newer.events_per_message}, was {older.events_per_message}"
        yield Change(
            kind="changed", place="events_per_message", said=said, means=f"{ALL}", scope=ReaskScope(whole=True)
        )
    if older.context != newer.context:
        means = f"both prompts show it: {ALL}, every conversation is judged again; {LABELS}"
        said = f"{_listed(newer.context) or 'none'}, was {_listed(older.context) or 'none'}"
        yield Change(kind="changed", place="context", said=said, means=means, scope=ReaskScope(whole=True), judges=True)
    if older.intents != newer.intents:
        means = "every conversation is judged again, for the answer also says what the user wanted; tags stay"
        yield Change(
            kind="added" if newer.intents else "removed",
            place="intents",
            said="what users want, and whether they get it" if newer.intents else "no longer asked",
            means=means if newer.intents else f"judgments stay with their intents, new ones have none; {KEPT}",
            judges=newer.intents,
        )
    if older.criteria != newer.criteria:
        yield Change(
            kind="changed",
            place="llm_judge_criteria",
            said=_criteria(older, newer),
            means="every conversation is judged again, for one answer weighs all criteria; tags stay",
            judges=True,
        )


def _criteria(older: EventSchema, newer: EventSchema) -> str:
    ranks = {
        name: (getattr(older.criteria, name), getattr(newer.criteria, name))
        for name in type(older.criteria).model_fields
    }
    said = [
        f"{name}: {len(set(b) - set(a))} new, {len(set(a) - set(b))} gone"
        if set(a) != set(b)
        else f"{name}: another order"
        for name, (a, b) in ranks.items()
        if a != b
    ]
    return ", ".join(said)


Pair = tuple[EventType | None, EventType | None]


def _types(older: EventSchema, newer: EventSchema) -> list[Pair]:
    """Return each newer type beside the older one that it continues, then removed types; null for no partner."""
    left = list(older.event_types)
    found: dict[str, EventType] = {}
    for nth in range(3):
        for b in newer.event_types:
            match = next((a for a in left if b.key not in found and _same(a, b)[nth]), None)
            if match:
                found[b.key] = match
                left.remove(match)
    pairs: list[Pair] = [(found.get(b.key), b) for b in newer.event_types]
    return pairs + [(a, None) for a in left]


def _same(a: EventType, b: EventType) -> tuple[bool, bool, bool]:
    """By first name, by name, by a former name."""
    return a.key == b.key, (a.name, a.role) == (b.name, b.role), a.role == b.role and a.name in b.was


def _properties(a: EventType, b: EventType) -> list[tuple[Property | None, Property | None]]:
    """Return each newer property beside the older one that it continues, then removed ones; null for no partner."""
    left = {p.name: p for p in a.properties}
    same = {p.name: left.pop(p.name) for p in b.properties if p.name in left}
    for p in b.properties:
        was = next((name for name in p.was if name in left and p.name not in same), None)
        if was:
            same[p.name] = left.pop(was)
    pairs: list[tuple[Property | None, Property | None]] = [(same.get(p.name), p) for p in b.properties]
    return pairs + [(p, None) for p in left.values()]


def _type(a: EventType | None, b: EventType | None, one: bool) -> Iterator[Change]:
    if a is None and b is not None:
        means = f"every {b.role} message is asked about again, for any may be one, and types are weighed together"
        scope = ReaskScope(roles=frozenset({b.role}))
        yield Change(kind="added", place=f"{b.role} {b.name}", said="a new type", means=means, scope=scope)
    elif a is not None and b is None:
        holders = frozenset({(a.role, a.name)})
        yield Change(
            kind="removed",
            place=f"{a.role} {a.name}",
            said="a type is gone",
            means=f"its events go; {'messages that were one need another, and are asked about again' if one else KEPT}",
            scope=ReaskScope(types=holders) if one else ReaskScope(),
            rewrites=ReaskScope(types=holders),
        )
    elif a is not None and b is not None:
        yield from _same_type(a, b)


def _same_type(a: EventType, b: EventType) -> Iterator[Change]:
    place = f"{b.role} {b.name}"
    holders = ReaskScope(types=frozenset({(a.role, a.name)}))
    if a.name != b.name:
        means = f"its events get the new name; {KEPT}"
        yield Change(kind="renamed", place=place, said=f"was {a.name}", means=means, rewrites=holders)
    if a.key != b.key:
        first = a.key.rpartition("|")[0]
        yield Change(
            kind="changed",
            place=place,
            said=f"its first name is no longer {first}",
            means=f"its events get other ids, and go to destinations beside the old ones; to keep them: was: [{first}]",
            rewrites=holders,
        )
    if _words(a.definition) != _words(b.definition):
        means = f"every {b.role} message is asked about again, for any may be one now, or no longer"
        scope = ReaskScope(roles=frozenset({b.role}))
        yield Change(kind="changed", place=place, said="another definition", means=means, scope=scope)
    yield from _shown(a, b, place)
    for p, q in _properties(a, b):
        yield from _property(a, f"{place}, property {(q or p or a).name}", p, q)


def _shown(a: EventType, b: EventType, place: str) -> Iterator[Change]:
    """Yield the changes of examples and `plain`, which only the model sees. The type stays the same for people."""
    for key, was, now in (("examples", a.examples, b.examples), ("not", a.counterexamples, b.counterexamples)):
        if set(map(_spaced, was)) != set(map(_spaced, now)):
            said = f"{key}: {len(set(now) - set(was))} new, {len(set(was) - set(now))} gone"
            means = f"every {b.role} message is asked about again, for any may be one now, or no longer; {LABELS}"
            scope = ReaskScope(roles=frozenset({b.role}))
            yield Change(kind="changed", place=place, said=said, means=means, scope=scope)
    if a.plain and not b.plain:
        holders = ReaskScope(types=frozenset({(a.role, a.name)}))
        means = f"messages with a {a.name} are asked about again, for a quote and a reason; {LABELS}"
        yield Change(kind="changed", place=place, said="no longer plain", means=means, scope=holders)
    elif b.plain and not a.plain:
        means = f"new events of it have no quote and no reason; {KEPT}"
        yield Change(kind="changed", place=place, said="plain", means=means)


def _property(a: EventType, place: str, p: Property | None, q: Property | None) -> Iterator[Change]:
    holders = ReaskScope(types=frozenset({(a.role, a.name)}))
    asked = f"messages with a {a.name} are asked about again"
    if q is None:
        means = f"its values go from the events; {KEPT}"
        yield Change(kind="removed", place=place, said="a property is gone", means=means, rewrites=holders)
    elif p is None:
        yield Change(kind="added", place=place, said="a new property", means=asked, scope=holders)
    else:
        if p.name != q.name:
            means = f"its values go under the new name; {KEPT}"
            yield Change(kind="renamed", place=place, said=f"was {p.name}", means=means, rewrites=holders)
        if _words(p.definition) != _words(q.definition):
            yield Change(kind="changed", place=place, said="another definition", means=asked, scope=holders)
        if p.required != q.required:
            said, means = ("required", asked) if q.required else ("no longer required", f"its values stay; {KEPT}")
            scope = holders if q.required else ReaskScope()
            yield Change(kind="changed", place=place, said=said, means=means, scope=scope)
        yield from _choices(a, place, p, q)


def _choices(a: EventType, place: str, p: Property, q: Property) -> Iterator[Change]:
    holders = ReaskScope(types=frozenset({(a.role, a.name)}))
    asked = f"messages with a {a.name} are asked about again"
    came = [choice for choice in q.choices if choice not in p.choices]
    went = [choice for choice in p.choices if choice not in q.choices]
    if bool(p.choices) != bool(q.choices):
        said = "choices instead of free text" if q.choices else "free text instead of choices"
        yield Change(kind="changed", place=place, said=said, means=asked, scope=holders)
    elif came:
        said = f"new choices: {_listed(came)}" + (f"; gone: {_listed(went)}" if went else "")
        yield Change(kind="changed", place=place, said=said, means=f"{asked}, for it may fit any", scope=holders)
    elif went:
        values = ReaskScope(values=frozenset((a.role, a.name, p.name, choice) for choice in went))
        means = "messages with one of these values are asked about again"
        yield Change(kind="changed", place=place, said=f"choices gone: {_listed(went)}", means=means, scope=values)


def _words(text: str) -> list[str]:
    return text.split()


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _listed(choices: Sequence[str]) -> str:
    shown = ", ".join(choices[:5])
    return f"{shown} and {len(choices) - 5} more" if len(choices) > 5 else shown
