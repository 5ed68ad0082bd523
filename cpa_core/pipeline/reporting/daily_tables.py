"""The insights of a day as small tables, kept beside the others; and all of them as files, for other tools."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from cpa_core.gold.quality import trust
from cpa_core.insights import Scope, overview, selected
from cpa_core.insights.sums import sums
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import merge_gold
from cpa_core.pipeline.gold.quality import quality_rows
from cpa_core.store.database import Row

Form = Literal["parquet", "csv"]


class Summed(Value):
    """What a day comes to. The mean score and the share of bad conversations are null without a score."""

    conversations: int
    users: int
    messages: int
    events: int
    scored: int
    mean_score: float | None
    share_bad: float | None


class Exported(Value):
    """A file of an export and its rows."""

    path: Path
    rows: int


def sum_day(assistant: Assistant, day: date) -> Summed:
    """Replace the day's sums by those of what is tagged and judged now, in one transaction."""
    with assistant.store.day_lock(day):
        with selected(assistant.store, Scope(day, day)) as of:
            figures, tables = overview(of), sums(of)
        with assistant.store.writing() as transaction:
            for name, table in tables.items():
                transaction.execute(f"delete from {name} where day = $day", day=day)
                transaction.insert_columns(name, {column: table[column] for column in table.column_names})
    return Summed(
        conversations=figures.conversations,
        users=figures.users,
        messages=figures.messages,
        events=figures.events,
        scored=figures.scored,
        mean_score=figures.score.mean,
        share_bad=figures.bad.share,
    )


def turns_of_days(assistant: Assistant, days: Sequence[date]) -> list[Row]:
    """After how many turns conversations ended, by what was summed."""
    with assistant.store.reading() as view:
        return view.answer("status/turns_of_days", days=list(days))


def transitions_of_days(assistant: Assistant, days: Sequence[date], most: int) -> list[Row]:
    """The most frequent transitions of each day, by what was summed. Null is the beginning or the end."""
    with assistant.store.reading() as view:
        return view.answer("status/transitions_of_days", days=list(days), most=most)


def export_sums(assistant: Assistant, folder: Path, form: Form, scope: Scope) -> list[Exported]:
    """Write the sums of each day of a scope as one file a table: no words of messages are in them.

    How far each label can be trusted is a file of its own, where people have labelled any. All are computed from what
    is tagged and judged now. Files of an earlier export are replaced.
    """
    merge_gold(assistant)
    with selected(assistant.store, scope) as of:
        tables = sums(of)
        if checked := quality_rows(trust(of)):
            tables["label_quality"] = pa.Table.from_pylist(checked)
    folder.mkdir(parents=True, exist_ok=True)
    return [_written(folder / f"{name.removeprefix('insight_')}.{form}", table) for name, table in tables.items()]


def _written(path: Path, table: pa.Table) -> Exported:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.csv.write_csv(table, path)
    return Exported(path=path, rows=table.num_rows)
