"""A transaction of the store: statements and questions with their inputs bound, and bulk writes through Arrow."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

import duckdb
import pyarrow as pa

Row = dict[str, Any]

ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "VARCHAR[]": pa.list_(pa.string()),
    "BIGINT[]": pa.list_(pa.int64()),
}
"""The column types that our tables use, as bulk writes need them."""

GIVEN_BACK = 64 << 20
"""After so many bytes of rows that are written, Arrow returns their memory to the system."""


class Ledgers(Protocol):
    """The tables that a store keeps elsewhere than in its DuckDB database, as one transaction sees them."""

    def connection_for(self, sql: str) -> duckdb.DuckDBPyConnection | None:
        """The connection that a statement belongs to, where it writes to such a table."""

    def answer(self, question: str, names: Mapping[str, Any]) -> list[Row] | None:
        """The answer to a question that is asked where these tables are; null where it is not."""


class Transaction:
    """One open connection inside a transaction. Not kept past its `with`.

    Statements that write to a table of `ledgers` go there; their rows are kept when the transaction is.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, ledgers: Ledgers | None = None) -> None:
        self._connection = connection
        self._ledgers = ledgers

    def execute(self, sql: str, **names: Any) -> None:
        """Run a statement with its inputs bound."""
        self._writing(sql).execute(sql, names or None)

    def _writing(self, sql: str) -> duckdb.DuckDBPyConnection:
        return (self._ledgers and self._ledgers.connection_for(sql)) or self._connection

    def rows(self, sql: str, **names: Any) -> list[Row]:
        """The rows of a query as dictionaries. Times are aware, UTC."""
        result = self._writing(sql).execute(sql, names or None)
        columns = [column[0] for column in result.description or []]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def answer(self, question: str, **names: Any) -> list[Row]:
        """The rows of `sql/<question>.sql`, which opens with the question as a comment."""
        elsewhere = self._ledgers.answer(question, names) if self._ledgers else None
        return elsewhere if elsewhere is not None else self.rows(question_sql(question), **names)

    def table(self, question: str, **names: Any) -> pa.Table:
        """The rows of `sql/<question>.sql` as an Arrow table, for many of them."""
        return self._connection.sql(question_sql(question), params=names or None).to_arrow_table()

    def count(self, table: str, condition: str, **names: Any) -> int:
        """How many rows of a table meet a condition, whose inputs are bound."""
        return int(self.rows(f"select count(*) as n from {table} where {condition}", **names)[0]["n"])

    def delete(self, table: str, condition: str, **names: Any) -> None:
        """Remove the rows of a table that meet a condition, whose inputs are bound."""
        self.execute(f"delete from {table} where {condition}", **names)

    def update(self, table: str, values: Mapping[str, Any], condition: str, **names: Any) -> None:
        """Write these values into the rows of a table that meet a condition, whose inputs are bound."""
        columns = ", ".join(f"{name} = $new_{name}" for name in values)
        inputs = {f"new_{name}": value for name, value in values.items()}
        self.execute(f"update {table} set {columns} where {condition}", **inputs, **names)

    def days(self, table: str, first: date, last: date) -> list[Row]:
        """The rows of a table from its first to its last of these days, in their order."""
        return self.rows(
            f"select * from {table} where day between $first and $last order by day", first=first, last=last
        )

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows in bulk. Columns that a row lacks are null; a key that is no column is a KeyError."""
        names = dict.fromkeys(key for row in rows for key in row)
        self.insert_columns(table, {name: [row.get(name) for row in rows] for name in names})

    def insert_columns(self, table: str, columns: Mapping[str, Iterable[Any]]) -> None:
        """Add rows in bulk, given as columns of equal length. A name that is no column is a KeyError."""
        if not columns:
            return
        into = f"insert into {table} by name select * from incoming"
        connection = self._writing(into)
        types = {name: kind for name, kind, *_ in connection.execute(f"describe {table}").fetchall()}
        unknown = columns.keys() - types.keys()
        if unknown:
            raise KeyError(f"{table} has no column {sorted(unknown)}")
        arrays = {name: _array(values, ARROW_TYPES[types[name]]) for name, values in columns.items()}
        self.insert_arrow(table, pa.table(arrays))

    def insert_arrow(self, table: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        """Add the rows of Arrow, whose columns are some of the table's."""
        into = f"insert into {table} by name select * from incoming"
        connection = self._writing(into)
        connection.register("incoming", rows)
        connection.execute(into)
        connection.unregister("incoming")

    def insert_batches(self, table: str, batches: deque[pa.RecordBatch]) -> None:
        """Add these rows, whose columns are some of the table's, and let go of them one by one; none are left."""
        if batches:
            self.insert_arrow(table, pa.RecordBatchReader.from_batches(batches[0].schema, _taken(batches)))

    def show_ledgers(self, table: str) -> None:
        """Let statements that write to the ledgers read a temporary table of this transaction too."""
        other = self._writing("update answers")
        if other is not self._connection:
            other.register("incoming", self._connection.sql(f"select * from {table}").to_arrow_table())
            other.execute(f"create or replace temp table {table} as select * from incoming")
            other.unregister("incoming")

    def batches(self, sql: str, rows: int) -> Iterator[pa.Table]:
        """The rows of a query as Arrow tables of about so many rows."""
        for batch in self._connection.sql(sql).to_arrow_reader(rows):
            yield pa.Table.from_batches([batch])

    def insert_day(self, table: str, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace a day of a table by these rows."""
        self.delete(table, "day = $day", day=day)
        self.insert(table, rows)


def as_json(values: Iterable[str]) -> str:
    """Many texts bound as one, to be read with `from_json($name::json, '["varchar"]')`.

    For each text of a list that is bound, DuckDB looks for pandas twice: half a millisecond where it is not installed.
    """
    return json.dumps(list(values))


def each_of(name: str, kind: str = "varchar") -> str:
    """The SQL of a list that is bound as JSON, as rows. A cast from JSON to a list would take eleven times as long."""
    return f"(select unnest(from_json(${name}::json, '[\"{kind}\"]')))"


def _taken(batches: deque[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    size = 0
    while batches:
        size += batches[0].nbytes
        yield batches.popleft()
        if size > GIVEN_BACK or not batches:
            pa.default_memory_pool().release_unused()
            size = 0


def _array(values: Iterable[Any], kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, kind)


@cache
def question_sql(question: str) -> str:
    """The words of `sql/<question>.sql`."""
    return files("cpa_core").joinpath("sql", f"{question}.sql").read_text("utf-8")
