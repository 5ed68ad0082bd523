"""The paths of conversations: transitions, the paths to good and to bad ends, and the places where they break off."""

from collections.abc import Iterable, Sequence

from cpa_core.insights import DropOff, Ending, Kind
from cpa_core.report import charts, words
from cpa_core.report.cells import change_cell, number_cell, share_cell
from cpa_core.report.document import Cell, Chart, Column, Section, Table
from cpa_core.report.sections.asked import FLOW_STEPS, Asked
from cpa_core.report.sections.flow import ribbons

SHOWN = 10
"""Kinds of event in the heat map, the most frequent ones."""

LISTED = 40
"""Transitions in the table below the heat map, and paths after which conversations break off."""

UNSURE = 8
"""Such paths where none is established."""

BEGIN, END = "(begin)", "(end)"
ARROW = " → "


def paths(asked: Asked) -> Section:
    """The section."""
    return Section(
        name="paths",
        short="Paths",
        title="Which way conversations go",
        lead="Events in their order: what follows what, and what comes before a good and before a bad end.",
        charts=[_heat(asked), _flow(asked)] if asked.events else [],
        tables=[_endings(asked), *([_drop_offs(asked)] if asked.drop_offs else [])],
    )


def _heat(asked: Asked) -> Chart:
    kinds = [one.kind for one in asked.events[:SHOWN]]
    names = short_names(kinds)
    down = [BEGIN, *(names[kind] for kind in kinds)]
    across = [*(names[kind] for kind in kinds), END]
    rows = []
    for one in asked.transitions:
        if (one.earlier is None or one.earlier in names) and (one.later is None or one.later in names):
            share = one.times.share or 0.0
            rows.append(
                {
                    "y": names[one.earlier] if one.earlier else BEGIN,
                    "x": names[one.later] if one.later else END,
                    "weight": share,
                    "text": f"{100 * share:.0f}" if share >= 0.01 else "",
                    "said": words.rate_of(one.times),
                    "drill": asked.behind.has(asked.behind.path("pair", (one.earlier, one.later))),
                }
            )
    total = len(asked.events)
    return Chart(
        name="transitions",
        title="What comes next",
        caption="After each event (row), how often each other (column) comes next, in per cent."
        + (f" The {SHOWN} most frequent of {total} types." if total > SHOWN else ""),
        spec=charts.heat(rows, across, down, ("next", "first"), "share"),
        table=_transitions(asked),
        is_wide=True,
    )


def short_names(kinds: Iterable[Kind]) -> dict[Kind, str]:
    """Names of kinds, with the role where both roles have one of the name."""
    found = list(kinds)
    both = [kind.event_type for kind in found]
    return {k: f"{k.event_type} ({k.role})" if both.count(k.event_type) > 1 else k.event_type for k in found}


def _transitions(asked: Asked) -> Table:
    rows = [
        [
            Cell(words.name(one.earlier, BEGIN)),
            Cell(words.name(one.later, END)),
            number_cell(one.times.count, asked.behind.has(asked.behind.path("pair", (one.earlier, one.later)))),
            share_cell(one.times),
        ]
        for one in asked.transitions[:LISTED]
    ]
    caption = f"What comes next, the {len(rows)} most frequent of {len(asked.transitions)}"
    return Table(
        "transitions-table",
        caption,
        [Column("first"), Column("next"), Column("times", "number"), Column("of what comes next")],
        rows,
    )


def _flow(asked: Asked) -> Chart:
    links, nodes = ribbons(asked)
    steps = [f"message {n}" for n in range(1, FLOW_STEPS + 1)]
    rows = [
        [
            Cell(link["names"]),
            Cell(link["where"]),
            Cell(words.count(link["total"]), drill=link["drill"], sort=link["total"]),
        ]
        for link in links
    ]
    columns = [Column("from, to"), Column("step"), Column("conversations", "number")]
    return Chart(
        name="flow",
        title="Step by step",
        caption="From the first message with an event to the sixth, by the event each ends with; and how they end.",
        spec=charts.flow(links, nodes, [*steps, "later"]),
        table=Table("flow-table", "Step by step", columns, rows),
        is_wide=True,
    )


def _endings(asked: Asked) -> Table:
    rows = [[_path(one.path), *_ending(asked, one)] for one in asked.endings]
    columns = [
        Column("last events"),
        Column("conversations", "number"),
        Column("before a bad end"),
        Column("before a good end"),
    ]
    return Table(
        "endings-table",
        "The last events of conversations, the most common before a bad and before a good end",
        columns,
        rows,
    )


def _path(path: Sequence[Kind]) -> Cell:
    return Cell(ARROW.join(kind.event_type for kind in path))


def _ending(asked: Asked, one: Ending) -> list[Cell]:
    padded: list[Kind | None] = [*[None] * (3 - len(one.path)), *one.path]
    behind = asked.behind
    return [
        number_cell(one.conversations, behind.has(behind.path("ending", padded))),
        share_cell(one.of_bad, behind.has(behind.path("bad-ending", padded)), is_bad=True),
        share_cell(one.of_good, behind.has(behind.path("good-ending", padded))),
    ]


def shown_drop_offs(asked: Asked) -> list[DropOff]:
    """The findings; without any, the first of the others."""
    return [one for one in asked.drop_offs if one.is_finding][:LISTED] or list(asked.drop_offs[:UNSURE])


def _drop_offs(asked: Asked) -> Table:
    rows = [
        [
            Cell(ARROW.join(kind.event_type for kind in one.path), note="" if one.is_finding else "not established"),
            share_cell(one.ended_after, asked.behind.has(asked.behind.path("ended", one.path)), is_bad=True),
            share_cell(one.ended_else, has_bar=False),
            change_cell(one.at_equal_depth, " points", 100),
        ]
        for one in shown_drop_offs(asked)
    ]
    columns = [
        Column("after"),
        Column("conversations end there"),
        Column("after all else"),
        Column("difference", "number"),
    ]
    return Table("drop-offs-table", "Where conversations break off, at equal depth", columns, rows)
