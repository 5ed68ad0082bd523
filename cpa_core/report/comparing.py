"""The comparisons of a report: these days with earlier ones, and the days after a change with those before it."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, timedelta

from cpa_core import insights
from cpa_core.gold.probing import ProbedLabels, between
from cpa_core.gold.quality import trust
from cpa_core.gold.trust import Trust
from cpa_core.gold.validity import Tagger
from cpa_core.insights import Estimate, FigureChange, Figures, Issue, Kind, Scope, Selection
from cpa_core.store import Store


@dataclass(frozen=True)
class Declared:
    """Something that was changed: from this day on, under this name."""

    day: date
    label: str


@dataclass(frozen=True)
class Comparison:
    """Days compared with days before them. `issues` are those of `after`, with their state; `label` names a change.

    `trust` pairs each label before and after; empty if nobody has labelled anything. `instrument` is the part of the
    model, prompt or schema, measured by asking the same conversations again; empty without a probe.
    """

    before: Scope
    after: Scope
    old: Figures
    new: Figures
    changes: tuple[FigureChange, ...]
    issues: tuple[Issue, ...]
    label: str = ""
    trust: tuple[tuple[Trust, Trust], ...] = ()
    instrument: tuple[tuple[Kind, Estimate], ...] = ()


def scopes_compared(scope: Scope, whole: Scope, given: tuple[date, date] | None) -> tuple[Scope, Scope] | None:
    """The days to compare, and which: those given, else as many directly before, else the later half with the earlier.

    Both sides of the last two have as many days, so that counts compare; the first day of an odd number is left out.
    """
    if given:
        return replace(scope, first=given[0], last=given[1]), scope
    previous = scope.previous()
    if previous.last >= whole.first:
        return previous, scope
    first, last = max(scope.first, whole.first), min(scope.last, whole.last)
    if first == last:
        return None
    half = timedelta(days=((last - first).days + 1) // 2)
    later = replace(scope, first=last - half + timedelta(days=1), last=last)
    return later.previous(), later


def comparison(
    store: Store,
    of: Selection,
    scopes: tuple[Scope, Scope] | None,
    label: str = "",
    probed: Sequence[ProbedLabels] = (),
) -> Comparison | None:
    """The comparison; none where there is nothing on one of the sides."""
    if scopes is None:
        return None
    before, after = scopes
    with ExitStack() as opened:
        old = opened.enter_context(insights.selected(store, before))
        new = of if after == of.scope else opened.enter_context(insights.selected(store, after))
        figures = insights.overview(old), insights.overview(new)
        if not all(one.conversations for one in figures):
            return None
        changes, issues = insights.compared(old, new), insights.issues(new, old)
        pairs = tuple(zip(trust(old), trust(new), strict=True))
        parts = _instrument(old, new, probed)
    return Comparison(before, after, *figures, changes, issues, label, pairs, parts)


def _instrument(old: Selection, new: Selection, probed: Sequence[ProbedLabels]) -> tuple[tuple[Kind, Estimate], ...]:
    """Return the part of each event's difference that the most common taggers of the two sides cause."""
    if not probed:
        return ()
    taggers = [_most_common_tagger(of) for of in (old, new)]
    if None in taggers:
        return ()
    first, second = (one for one in taggers if one)
    shifts = {one.label: one.difference for one in between(probed, first, second)}
    return tuple((kind, shifts[key]) for kind, key in new.keys.items() if key in shifts)


def _most_common_tagger(of: Selection) -> Tagger | None:
    found: Counter[Tagger] = Counter()
    for row in of.view.answer("gold/taggers"):
        if row["task"] == "tag":
            found[Tagger(row["schema_version"], row["prompt_id"], row["model"])] += row["conversations"]
    return found.most_common(1)[0][0] if found else None


def declared_changes(
    store: Store, of: Selection, changes: Sequence[Declared], probed: Sequence[ProbedLabels] = ()
) -> list[Comparison]:
    """Before and after each change, within the days of the report."""
    found = (comparison(store, of, of.scope.split(one.day), one.label, probed) for one in changes)
    return [one for one in found if one]
