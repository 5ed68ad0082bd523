"""The insights of a day as small tables in the store, and their export as files for other tools."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from cpa_core.errors import StoreBusy
from cpa_core.gold.quality import trust
from cpa_core.insights import Scope, selected
from cpa_core.insights.sums import sums
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import merge_gold
from cpa_core.pipeline.gold.quality import quality_rows
from cpa_core.store import Store
from cpa_core.store.database import Row, as_json, each_of

Form = Literal["parquet", "csv"]
DAYS_AT_ONCE = 31
CONVERSATIONS_AT_ONCE = 20_000
"""Days, and about how many conversations, that are summed together: a selection costs the same for one day or many."""


class Summed(Value):
    """The figures of a day. The mean score and the share of bad conversations are null without a score."""

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


def sum_day(store: Store, day: date) -> Summed:
    """Replace the day's sums by those of its present tags and judgments, in one transaction."""
    with store.day_lock(day):
        return _sum(store, [day])[day]


def sum_days(store: Store, days: Sequence[date]) -> Iterator[tuple[date, Summed]]:
    """Replace the sums of these days, many in one transaction, and yield each with its figures, in order.

    A day that a run holds is summed alone, once that run releases it.
    """
    for part in _parts(store, sorted(days)):
        done: dict[date, Summed] = {}
        with ExitStack() as locks:
            free = [day for day in part if _is_free(store, day, locks)]
            if free:
                done = _sum(store, free)
        for day in part:
            yield day, done.get(day) or sum_day(store, day)


def _is_free(store: Store, day: date, locks: ExitStack) -> bool:
    try:
        locks.enter_context(store.day_lock(day, wait=0))
    except StoreBusy:
        return False
    return True


def _parts(store: Store, days: Sequence[date]) -> Iterator[list[date]]:
    """The days, in parts that lie close together and are not too large."""
    with store.reading() as view:
        rows = view.answer("insights/sizes_of_days", days=as_json(map(str, days)))
    sizes = {row["day"]: row["conversations"] for row in rows}
    part: list[date] = []
    for day in days:
        size = sum(sizes.get(one, 0) for one in (*part, day))
        if part and ((day - part[0]).days >= DAYS_AT_ONCE or size > CONVERSATIONS_AT_ONCE):
            yield part
            part = []
        part.append(day)
    if part:
        yield part


def _sum(store: Store, days: Sequence[date]) -> dict[date, Summed]:
    """Replace the sums of these days, whose locks are held, by those of now."""
    with selected(store, Scope(days[0], days[-1])) as of:
        tables = {name: table.filter(pc.is_in(table["day"], pa.array(days))) for name, table in sums(of).items()}
    with store.writing() as transaction:
        for name, table in tables.items():
            transaction.delete(name, f"day in {each_of('days', 'date')}", days=as_json(map(str, days)))
            transaction.insert_columns(name, {column: table[column] for column in table.column_names})
    rows = {row["day"]: row for row in tables["insight_days"].to_pylist()}
    return {day: _summed(rows.get(day, {})) for day in days}


def _summed(row: Row) -> Summed:
    counts = {name: row.get(name, 0) for name in ("conversations", "users", "messages", "events", "scored")}
    scored = counts["scored"]
    return Summed(
        **counts,
        mean_score=row["score_sum"] / scored if scored else None,
        share_bad=row["bad"] / scored if scored else None,
    )


def turns_of_days(store: Store, days: Sequence[date]) -> list[Row]:
    """Return the turns after which conversations ended, from the stored sums."""
    with store.reading() as view:
        return view.answer("status/turns_of_days", days=list(days))


def transitions_of_days(store: Store, days: Sequence[date], most: int) -> list[Row]:
    """Return the most frequent transitions of each day, from the stored sums. Null is the beginning or the end."""
    with store.reading() as view:
        return view.answer("status/transitions_of_days", days=list(days), most=most)


def export_sums(assistant: Assistant, folder: Path, form: Form, scope: Scope) -> list[Exported]:
    """Write the sums of each day of a scope as one file a table: no words of messages are in them.

    If people have labelled any, the trust in each label is a file of its own. All are computed from the present tags
    and judgments. Files of an earlier export are replaced.
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
