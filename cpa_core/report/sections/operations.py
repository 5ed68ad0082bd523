"""The base of the figures: coverage, failures, cost."""

from cpa_core.report import words
from cpa_core.report.cells import number_cell, part_cell
from cpa_core.report.document import Cell, Column, Section, Table
from cpa_core.report.sections.asked import Asked

LISTED = 60
"""Days in the table of coverage: the last ones."""


def operations(asked: Asked) -> Section:
    """The section."""
    tables = [_costs(asked), _coverage(asked)]
    if asked.failures:
        tables.insert(0, _failures(asked))
    return Section(
        name="making",
        short="Making",
        title="How this was made",
        lead="What was tagged and judged, by which models, at what cost, and what failed.",
        tables=tables,
    )


def _costs(asked: Asked) -> Table:
    counted = ("calls", "conversations", "prompt tokens", "answer tokens", "cost")
    columns = [Column("task"), Column("model"), *(Column(title, "number") for title in counted)]
    rows = [
        [
            Cell(one.task),
            Cell(one.model),
            number_cell(one.calls),
            number_cell(one.conversations, asked.behind.has(f"cost:{one.task}:{one.model}")),
            number_cell(one.prompt_tokens),
            number_cell(one.completion_tokens),
            Cell(words.dollars(one.cost), sort=one.cost),
        ]
        for one in asked.costs
    ]
    return Table("costs-table", "Models and cost, at list price", columns, rows)


def _coverage(asked: Asked) -> Table:
    counted = ("conversations", "tagged", "judged", "scored", "refused", "messages with an event")
    columns = [Column("day"), *(Column(title, "number") for title in counted)]
    rows = [
        [
            Cell(one.day.isoformat()),
            number_cell(one.conversations, asked.behind.has(f"on:{one.day}") if asked.unit == "day" else None),
            *(part_cell(rate) for rate in (one.tagged, one.judged, one.scored)),
            number_cell(one.refused),
            part_cell(one.messages_with_event),
        ]
        for one in asked.coverage[-LISTED:]
    ]
    cut = f", the last {LISTED} of {len(asked.coverage)} days" if len(asked.coverage) > LISTED else ""
    return Table("coverage-table", f"Coverage by day{cut}", columns, rows)


def _failures(asked: Asked) -> Table:
    columns = [Column("stage"), Column("reason"), Column("conversations", "number"), Column("may it pass?")]
    rows = [
        [
            Cell(one.stage),
            Cell(one.reason),
            number_cell(one.conversations, asked.behind.has(f"failure:{one.stage}:{one.reason}")),
            Cell("yes, the next run asks again" if one.retryable else "no"),
        ]
        for one in asked.failures
    ]
    return Table("failures-table", "What failed", columns, rows)
