"""The sums of each day, which add up over any range: the same questions, asked by day, as small tables."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.insights.selection import Selection

QUESTIONS = {
    "insight_days": "days",
    "insight_events": "event_mix",
    "insight_properties": "properties",
    "insight_scores": "scores",
    "insight_criteria": "criteria",
    "insight_dealbreakers": "dealbreakers",
    "insight_transitions": "transitions",
    "insight_turns": "turns",
}
"""The tables of sums, and the question that fills each."""


def sums(of: Selection) -> dict[str, pa.Table]:
    """The tables of sums of a selection, by day. Counts of a range are sums; users alone do not add up.

    Of days whose conversations were removed for their age, those are taken that were kept.
    Sums over units do not add up over days either, where a user comes on several: a range's are asked of its selection.
    """
    tables = {
        name: of.view.table(f"insights/{question}", **({} if question == "days" else {"by_day": True}))
        for name, question in QUESTIONS.items()
    }
    return {name: _with_kept(of, name, _additive(table)) for name, table in tables.items()}


def _with_kept(of: Selection, name: str, table: pa.Table) -> pa.Table:
    """The table, with the sums that are kept of days whose conversations were removed for their age."""
    before = of.sums_only_before
    if before is None:
        return table
    rows = of.view.days(name, of.scope.first, min(of.scope.last, before - timedelta(days=1)))
    kept = pa.Table.from_pylist([{column: row[column] for column in table.column_names} for row in rows], table.schema)
    return pa.concat_tables([kept, table.filter(pc.greater_equal(table["day"], before))])


def _additive(table: pa.Table) -> pa.Table:
    return table.select([field.name for field in table.schema if not pa.types.is_struct(field.type)])
