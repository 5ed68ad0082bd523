"""The conversations behind each number: their count, and at most 20 of them as examples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from cpa_core.insights import Kind, Selection
from cpa_core.insights.operations import WITHIN
from cpa_core.report.document import MOST_EXAMPLES
from cpa_core.store.database import Row


@dataclass(frozen=True)
class Group:
    """A number of conversations, and the places of those that serve as examples."""

    total: int
    places: tuple[int, ...]


@dataclass(frozen=True)
class Behind:
    """The groups by key, and the numbers that kinds of event have in keys."""

    groups: Mapping[str, Group]
    numbers: Mapping[Kind, int]
    friction: tuple[Kind, ...]

    def path(self, prefix: str, kinds: Iterable[Kind | None]) -> str:
        """The key of a path of kinds; no kind is 0."""
        return ":".join([prefix, *(str(self.numbers[kind] if kind else 0) for kind in kinds)])

    def has(self, key: str) -> str | None:
        """The key, where anything is behind it."""
        return key if key in self.groups else None


def behind(of: Selection, friction: Iterable[Kind], unit: str, changes: Iterable[date] = ()) -> Behind:
    """Everything behind every figure of a selection; `unit` is the stretch of time: day, week or month."""
    of.view.answer("report/sampled", unit=unit)
    numbers = of.numbers
    kinds = tuple(friction)
    rows = _asked(of, "conversations", zone=of.timezone)
    rows += _asked(of, "events", friction=[numbers[kind] for kind in kinds if kind in numbers])
    rows += _asked(of, "paths")
    rows += _asked(of, "topics")
    for day in changes:
        rows += _asked(of, "changes", day=day)
    rows += _asked(of, "work", within=WITHIN)
    rows += [
        row | {"key": judged_key(row["criterion"], row["words"], row["verdict"])} for row in _asked(of, "judgments")
    ]
    for row in _asked(of, "properties"):
        rows.append(row | {"key": property_key(row["kind"], row["property"], row["value"])})
    groups = {row["key"]: Group(row["total"], tuple(row["places"])) for row in rows}
    return Behind(groups, numbers, kinds)


def _asked(of: Selection, question: str, **names: object) -> list[Row]:
    return of.view.answer(f"report/behind_{question}", most=MOST_EXAMPLES, **names)


def judged_key(criterion: str, words: str, verdict: str) -> str:
    """The key of a verdict on a goal, or of a dealbreaker that was hit."""
    return f"judged:{criterion}:{verdict}:{words}"


def property_key(kind: int, name: str, value: str | None) -> str:
    """The key of a property's value."""
    return f"property:{kind}:{name}:{'' if value is None else '=' + value}"
