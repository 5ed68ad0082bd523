"""The ids and times that the drafts of a file lack: by SQL where they are many, by `filled` where one contradicts
another.

Both give the same records; `tests/sources/test_columns.py`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from itertools import islice

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.sources.columns import CHUNK, RECORD, Table, repeated, rows, table
from cpa_core.sources.records import Draft, Record, Reject, filled

FEW = 5_000
"""So many messages are filled in sooner by Python than a database is opened."""

AT_ONCE = 250_000
"""So many messages are filled in at once where each conversation stands in one run of them: SQL holds several texts of
each."""


def records(name: str, drafts: Table, midnight: datetime | None) -> tuple[Table, list[Reject]]:
    """Drafts with the ids and times they lack, by SQL where they are many and none contradicts another.

    Raises DayNeeded.
    """
    if drafts.num_rows > FEW and (found := plain_records(drafts, midnight)) is not None:
        return found, []
    made, rejects = filled(name, list(rows(drafts, Draft)), midnight)
    return pa.concat_tables([table(RECORD, part) for part in _parts(made)] or [RECORD.empty_table()]), rejects


def _parts(made: Sequence[Record]) -> Iterator[list[Record]]:
    one = iter(made)
    while part := list(islice(one, CHUNK)):
        yield part


def plain_records(arrived: Table, midnight: datetime | None, at_once: int = AT_ONCE) -> Table | None:
    """The same as `filled`, of so many at once; None for ids given twice, a missing day, JSON written otherwise."""
    made: list[Table] = []
    is_whole = not arrived["message_id"].null_count and not arrived["sent_at"].null_count
    names = {"midnight": midnight}
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set enable_progress_bar = false")  # DuckDB prints it to stdout
        for part in _parts_of(arrived, at_once):
            connection.register("drafts", part.append_column("ordinal", pa.array(range(part.num_rows), pa.int64())))
            if connection.execute(_question("landing/drafts_need_python"), names).fetchone() != (False,):
                return None
            if not is_whole:
                made.append(connection.execute(_question("landing/drafts_filled"), names).to_arrow_table())
            connection.unregister("drafts")
    known = {name: arrived[name] for name in arrived.column_names}
    if is_whole:
        count = arrived.num_rows
        found = {"id_given": repeated(True, count), "time_assumed": repeated(False, count)}
    else:
        together = pa.concat_tables(made)
        found = {name: together[name] for name in together.column_names}
    found["ordinal"] = pa.array(range(arrived.num_rows), pa.int64())
    return pa.table({**known, **found}).select(RECORD.names).cast(RECORD)


def _parts_of(arrived: Table, least: int) -> Iterator[Table]:
    """Drafts in parts of at least so many, each of whole conversations; in one where any stands in several runs."""
    names, count = arrived["conversation_id"], arrived.num_rows
    begin = 0
    if count > least:
        changes = pc.indices_nonzero(pc.not_equal(names.slice(1), names.slice(0, count - 1)))
        begins = [] if len(changes) + 1 != pc.count_distinct(names).as_py() else changes.to_pylist()
        for end in (one + 1 for one in begins):
            if end - begin >= least:
                yield arrived.slice(begin, end - begin)
                begin = end
    yield arrived.slice(begin)


def _question(name: str) -> str:
    return files("cpa_core").joinpath("sql", f"{name}.sql").read_text("utf-8")
