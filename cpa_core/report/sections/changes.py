"""Before and after a declared change, and the trend of a figure against the days before."""

from dataclasses import replace

from cpa_core.gold.trust import corrected_change
from cpa_core.insights import ENOUGH, FigureChange, Mean, Rate
from cpa_core.report import words
from cpa_core.report.cells import change_cell, share_cell
from cpa_core.report.comparing import Comparison
from cpa_core.report.document import Cell, Column, Section, Table
from cpa_core.report.sections.asked import Asked

FIGURES = {
    "good": "Good conversations",
    "bad": "Bad conversations",
    "with_dealbreaker": "With a dealbreaker",
    "score": "Mean score",
    "messages_per_conversation": "Messages per conversation",
}
BETTER = {"good": "higher", "score": "higher", "bad": "lower", "with_dealbreaker": "lower"}
"""Which verdict on a figure is good news."""


def changes(asked: Asked) -> Section:
    """The section."""
    return Section(
        name="changes",
        short="Changes",
        title="What the changes did",
        lead="The days before a declared change beside those from it on. What else changed that day is in it too.",
        tables=[_table(asked, one) for one in asked.declared],
    )


def _table(asked: Asked, one: Comparison) -> Table:
    day = one.after.first
    columns = [Column("figure"), Column("before"), Column("after"), Column("difference", "number"), Column("verdict")]
    return Table(
        f"change-{day}",
        f"“{one.label}”, from {words.day(day)}: {words.count(one.old.conversations)} conversations before, "
        f"{words.count(one.new.conversations)} after",
        columns,
        [_row(asked, change, f"change:{day}", one) for change in one.changes],
    )


def _row(asked: Asked, change: FigureChange, key: str, of: Comparison) -> list[Cell]:
    figure = f"event:{asked.behind.numbers[change.kind]}" if change.kind else change.figure
    is_rate = isinstance(change.before, Rate)
    return [
        Cell(
            change.kind.event_type if change.kind else FIGURES[change.figure],
            of=change.kind.role if change.kind else "",
        ),
        _side(change.before, asked.behind.has(f"{key}:before:{figure}")),
        _side(change.after, asked.behind.has(f"{key}:after:{figure}")),
        replace(
            change_cell(change.difference, " points" if is_rate else "", 100 if is_rate else 1),
            note="; ".join(part for part in (_corrected(change, of), _instrument(change, of)) if part),
        ),
        Cell(change.verdict, pill=_pill(change)),
    ]


def _corrected(change: FigureChange, of: Comparison) -> str:
    """The difference of the rates as corrected by people's labels; empty where nobody has labelled anything."""
    for before, after in of.trust:
        if change.kind and (before.name, before.role) == (change.kind.event_type, change.kind.role):
            found = corrected_change(before.of_conversations, after.of_conversations)
            said = "each side needs labels of its own" if found.value is None else words.change(found, " points", 100)
            return f"corrected: {said}"
    return ""


def _instrument(change: FigureChange, of: Comparison) -> str:
    """Return the instrument's part of the difference; empty if a probe of both sides' taggers is missing."""
    found = next((part for kind, part in of.instrument if kind == change.kind), None)
    return f"of the model, prompt or schema: {words.change(found, ' points', 100)}" if found else ""


def _side(figure: Rate | Mean, drill: str | None) -> Cell:
    if isinstance(figure, Rate):
        return share_cell(figure, drill)
    return Cell(words.points(figure.mean), words.mean_of(figure, "conversations"), drill, is_few=not figure.is_enough)


def _pill(change: FigureChange) -> str:
    if change.verdict not in ("higher", "lower") or change.figure not in BETTER:
        return "not"
    return "good" if change.verdict == BETTER[change.figure] else "bad"


def trend(asked: Asked, figure: str) -> tuple[str, bool | None]:
    """A figure's change against the days before in words, and whether that is good news; null where neither."""
    if asked.compared is None or asked.overview.conversations < ENOUGH:
        return "", None
    (change,) = [one for one in asked.compared.changes if one.figure == figure]
    against = _against(asked, asked.compared)
    if change.verdict == "too little data":
        return f"too few to compare, {against}", None
    is_rate = isinstance(change.before, Rate)
    said = words.change(change.difference, "", 100 if is_rate else 1)
    arrow = {"higher": "▲ ", "lower": "▼ "}.get(change.verdict, "")
    if change.verdict not in ("higher", "lower") or figure not in BETTER:
        return f"{arrow}{said}, {against}", None
    return f"{arrow}{said}, {against}", change.verdict == BETTER[figure]


def growth(asked: Asked, before: int, after: int) -> str:
    """A count's change against the days before."""
    if asked.compared is None or not before:
        return ""
    arrow = "▲ " if after > before else "▼ " if after < before else ""
    return f"{arrow}{words.signed(100 * (after - before) / before)}%, {_against(asked, asked.compared)}"


def _against(asked: Asked, compared: Comparison) -> str:
    """The days that are compared with, and which days are compared where these are not all."""
    before = words.short_span(compared.before.first, compared.before.last)
    if compared.after == asked.scope:
        return f"against {before}"
    return f"{words.short_span(compared.after.first, compared.after.last)} against {before}"
