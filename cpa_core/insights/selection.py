"""The selection of conversations: a range of days and filters, made into temporary tables that every question reads."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TypeVar, cast

from cpa_core.models import AROUND_IDS, NOBODY, Property
from cpa_core.schema import parse
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction

Answer = TypeVar("Answer")

BAD_BELOW = 50.0
"""A conversation with a lower score is a bad one."""

GOOD_FROM = 80.0
"""A conversation with this score or a higher one is a good one."""


@dataclass(frozen=True)
class Scope:
    """The filter of conversations: those that began from `first` to `last`, both included, and pass every filter.

    `user`: name and value in the conversation's metadata, or `user_id`. `events`: types that occur in it, under their
    newest names. `properties`: name and value that one of its events has. `score_from` and `score_below` leave out
    conversations without a score. A name may occur once in `user` and once in `properties`.
    """

    first: date
    last: date
    user: tuple[tuple[str, str], ...] = ()
    events: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    score_from: float | None = None
    score_below: float | None = None
    bad_below: float = BAD_BELOW
    good_from: float = GOOD_FROM

    def previous(self) -> "Scope":
        """Return the scope of the same number of days directly before, with the same filters."""
        length = self.last - self.first + timedelta(days=1)
        return replace(self, first=self.first - length, last=self.last - length)

    def split(self, day: date) -> tuple["Scope", "Scope"]:
        """The days before this one, and this one with those after it."""
        return replace(self, last=day - timedelta(days=1)), replace(self, first=day)


@dataclass(frozen=True, order=True)
class Kind:
    """A kind of event: its role and its newest name."""

    role: str
    event_type: str


@dataclass(frozen=True)
class Selection:
    """The conversations of a scope as they are now. Labels of an earlier content of a conversation do not count."""

    view: Transaction
    scope: Scope
    timezone: str

    def once(self, question: Callable[["Selection"], Answer]) -> Answer:
        """The answer to a question that others build on: asked once."""
        if question not in self._answers:
            self._answers[question] = question(self)
        return cast(Answer, self._answers[question])

    @cached_property
    def _answers(self) -> dict[object, object]:
        return {}

    @cached_property
    def sums_only_before(self) -> date | None:
        """The day before which only sums are left; null where nothing was removed for its age."""
        before = self.view.answer("insights/removed_before")[0]["before"]
        return before if isinstance(before, date) else None

    def answer(self, question: str, **names: object) -> list[Row]:
        """The rows of `sql/insights/<question>.sql`, which reads the tables of this selection."""
        return self.view.answer(f"insights/{question}", **names)

    @cached_property
    def kinds(self) -> dict[int, Kind]:
        """The kinds of event that occur, by the numbers they have here."""
        rows = self.view.answer("insights/kinds_by_number")
        return {row["kind"]: Kind(row["role"], row["event_type"]) for row in rows}

    @cached_property
    def numbers(self) -> dict[Kind, int]:
        """The numbers of the kinds."""
        return {kind: number for number, kind in self.kinds.items()}

    @cached_property
    def keys(self) -> dict[Kind, str]:
        """Return the key of each kind that a schema knows, which survives renames."""
        rows = self.view.answer("insights/keys_of_kinds")
        return {Kind(row["role"], row["name"]): row["key"] for row in rows}


@contextmanager
def selected(store: Store, scope: Scope, wait: float | None = None) -> Iterator[Selection]:
    """A consistent view of the conversations of a scope, for any number of questions. Raises StoreBusy."""
    with store.reading(wait) as view:
        _know(view)
        view.answer("insights/chosen", **_names(scope))
        view.answer("insights/units")
        view.answer("insights/written_kinds", first=scope.first, last=scope.last)
        view.answer("insights/chosen_events")
        view.answer("insights/chosen_kinds")
        yield Selection(view, scope, store.timezone)


def whole(store: Store) -> Scope | None:
    """All days that have conversations; none while there are none."""
    with store.reading() as view:
        found = view.answer("insights/days_of_conversations")[0]
    return Scope(found["first"], found["last"]) if found["first"] else None


def _names(scope: Scope) -> dict[str, object]:
    return {
        "first": scope.first,
        "last": scope.last,
        "user_names": [name for name, _ in scope.user],
        "user_values": [value for _, value in scope.user],
        "events": sorted(set(scope.events)),
        "property_names": [name for name, _ in scope.properties],
        "property_values": [value for _, value in scope.properties],
        "score_from": scope.score_from,
        "score_below": scope.score_below,
        "bad_below": scope.bad_below,
        "good_from": scope.good_from,
        "nobody": sorted(NOBODY),
        "around": AROUND_IDS,
    }


KNOWN = ("known_names", "known_properties", "known_choices", "known_criteria")


def _know(view: Transaction) -> None:
    """Create the tables of the recorded schemas: present names of types and properties, choices, words of criteria."""
    view.answer("insights/tables_of_schemas")
    rows = view.answer("schema/versions")
    schemas = [(row["version"], parse(row["yaml"], f"schema {row['version']}")[0]) for row in rows]
    newest = {kind.key: kind.name for _, schema in schemas for kind in schema.event_types}
    renamed = {(t.key, _first(p)): p.name for _, schema in schemas for t in schema.event_types for p in t.properties}
    known: dict[str, list[Row]] = {table: [] for table in KNOWN}
    for version, schema in schemas:
        for kind in schema.event_types:
            of = {"schema_version": version, "role": kind.role, "event_type": kind.name}
            known["known_names"].append(of | {"name": newest[kind.key], "key": kind.key})
            for found in kind.properties:
                name = {"property": found.name}
                known["known_properties"].append(of | name | {"name": renamed[kind.key, _first(found)]})
                known["known_choices"] += [of | name | {"value": value} for value in found.choices]
        said = schema.criteria.goals() | schema.criteria.dealbreakers_by_id()
        for key, words in said.items():
            known["known_criteria"].append({"schema_version": version, "criterion": key, "words": words})
    for table, rows in known.items():
        view.insert(table, rows)


def _first(found: Property) -> str:
    """The name that a property had first."""
    return found.was[0] if found.was else found.name


def kinds_of(of: Selection, numbers: Sequence[int | None]) -> tuple[Kind, ...]:
    """The kinds with these numbers; nulls are left out."""
    return tuple(of.kinds[number] for number in numbers if number is not None)
