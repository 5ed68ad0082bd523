"""The conversations behind a figure: at most twenty each, the lowest scores first. Places only, no words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from cpa_core.insights.issues import Issue
from cpa_core.insights.selection import Kind, Selection, kinds_of
from cpa_core.store.database import Row

EXAMPLES = 20
"""Conversations that are shown for one figure."""

By = Literal["day", "score_from", "length_from", "hour", "turns"]


@dataclass(frozen=True)
class Example:
    """A conversation, and the place in it that the figure is about: characters of the message at `position`.

    The places are null where the figure is about the whole conversation, or where the quote was not in the text.
    """

    day: date
    conversation_id: str
    score: float | None
    event_id: str | None = None
    position: int | None = None
    quote_start: int | None = None
    quote_end: int | None = None


def event_examples(
    of: Selection, kinds: Sequence[Kind] | None = None, most: int = EXAMPLES
) -> dict[Kind, tuple[Example, ...]]:
    """Conversations for each kind of event, or for these kinds."""
    wanted = None if kinds is None else [of.numbers[kind] for kind in kinds if kind in of.numbers]
    found: dict[Kind, list[Example]] = {}
    for row in of.answer("event_examples", kinds=wanted, most=most):
        found.setdefault(of.kinds[row["kind"]], []).append(_placed(row))
    return {key: tuple(examples) for key, examples in found.items()}


def transition_examples(
    of: Selection, most: int = EXAMPLES
) -> dict[tuple[Kind | None, Kind | None], tuple[Example, ...]]:
    """Conversations for each transition, at its later event. Null is the beginning or the end."""
    found: dict[tuple[Kind | None, Kind | None], list[Example]] = {}
    for row in of.answer("transition_examples", most=most):
        ends = [None if row[side] is None else of.kinds[row[side]] for side in ("earlier", "later")]
        found.setdefault((ends[0], ends[1]), []).append(_placed(row))
    return {key: tuple(examples) for key, examples in found.items()}


def ending_examples(
    of: Selection, paths: Sequence[tuple[Kind, ...]], most: int = EXAMPLES
) -> dict[tuple[Kind, ...], tuple[Example, ...]]:
    """Conversations whose last events are each of these paths, of at most three kinds."""
    numbers = [[of.numbers[kind] for kind in path] for path in paths if all(kind in of.numbers for kind in path)]
    found: dict[tuple[Kind, ...], list[Example]] = {}
    for row in of.answer("ending_examples", paths=numbers, most=most) if numbers else ():
        found.setdefault(kinds_of(of, row["path"]), []).append(_placed(row))
    return {key: tuple(examples) for key, examples in found.items()}


def conversation_examples(of: Selection, by: By, most: int = EXAMPLES) -> dict[str, tuple[Example, ...]]:
    """Conversations by day (as written in ISO 8601), lower end of the band of score or length, weekday and hour
    (`1 9`), or number of turns: always as text."""
    found: dict[str, list[Example]] = {}
    for row in of.answer("conversation_examples", by=by, zone=of.timezone, most=most):
        found.setdefault(row["key"], []).append(_whole(row))
    return {key: tuple(examples) for key, examples in found.items()}


def criterion_examples(of: Selection, most: int = EXAMPLES) -> dict[tuple[str, str, str], tuple[Example, ...]]:
    """Conversations by criterion, its words, and the verdict on it; that of a dealbreaker is `hit`."""
    found: dict[tuple[str, str, str], list[Example]] = {}
    for row in of.answer("criterion_examples", most=most):
        found.setdefault((row["criterion"], row["words"], row["verdict"]), []).append(_whole(row))
    return {key: tuple(examples) for key, examples in found.items()}


def evidence(of: Selection, issue: Issue, most: int = EXAMPLES) -> tuple[Example, ...]:
    """Conversations that show an issue."""
    if issue.cause == "event":
        return event_examples(of, issue.kinds, most).get(issue.kinds[0], ())
    if issue.cause == "path":
        return ending_examples(of, [issue.kinds], most).get(issue.kinds, ())
    return criterion_examples(of, most).get((issue.criterion, issue.words, "hit"), ())


def _placed(row: Row) -> Example:
    places = {name: row[name] for name in ("event_id", "position", "quote_start", "quote_end")}
    return Example(row["day"], row["conversation_id"], row["score"], **places)


def _whole(row: Row) -> Example:
    return Example(row["day"], row["conversation_id"], row["score"])
