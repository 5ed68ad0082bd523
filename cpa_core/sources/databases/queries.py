"""The questions to a database: the SQL of each, in the words of its dialect.

A person names the table, the columns or the query, and a cursor read in batches by COPY accepts no bound values. So
watermarks, which are numbers and times of ours, are written as literals.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import NamedTuple

from cpa_core.sources.databases.watermarks import Kind, Watermark

_TOKEN = re.compile(
    r"""(?P<silent>\s+|--[^\n]*|/\*.*?\*/)|'(?:[^']|'')*'|"[^"]*"|`[^`]*`|(?P<tag>\$\w*\$).*?(?P=tag)|.""", re.DOTALL
)


def without_end(query: str) -> str:
    """A query without the semicolon that ends it, which may stand before a comment."""
    last = next((one for one in reversed(list(_TOKEN.finditer(query))) if one["silent"] is None), None)
    return query if last is None or last[0] != ";" else query[: last.start()] + query[last.end() :]


class Dialect(NamedTuple):
    """How a database quotes names, calls the types of watermarks, and makes a text of any other value.

    `plain` has the types, as the driver names them, that are taken as they are; of lists JSON is made, of others text.
    It is empty where all are taken as they are. `zone` is written behind a time in UTC.
    """

    quote: str
    types: Mapping[Kind, str]
    text: str
    plain: frozenset[str] = frozenset()
    zone: str = "Z"


POSTGRES = Dialect(
    quote='"',
    types={"time": "timestamptz", "zoneless": "timestamp", "day": "date"},
    text="text",
    plain=frozenset({"text", "varchar", "name", "bool", "int2", "int4", "int8", "float4", "float8"})
    | frozenset({"timestamp", "timestamptz", "date"}),
)
SNOWFLAKE = Dialect('"', {"time": "timestamp_tz", "zoneless": "timestamp_ntz", "day": "date"}, "varchar")
BIGQUERY = Dialect("`", {"time": "timestamp", "zoneless": "datetime", "day": "date"}, "string")
MYSQL = Dialect("`", {"time": "datetime(6)", "zoneless": "datetime(6)", "day": "date"}, "char", zone="")


class Rows(NamedTuple):
    """Where the rows stand: a table's name or a query's text, and the column that orders them."""

    dialect: Dialect
    table: str | None
    query: str | None
    watermark: str

    def newest(self) -> str:
        """The question for the newest watermark."""
        return self._asked("newest")

    def at_edge(self, edge: Watermark) -> str:
        """The question for the number of rows that have it."""
        return self._asked("at_edge", edge=self.literal(edge))

    def unmarked(self) -> str:
        """The question for the number of rows that have none."""
        return self._asked("unmarked")

    def columns(self) -> str:
        """The question for the columns."""
        return self._asked("columns")

    def first(self, columns: Sequence[tuple[str, str]], most: int) -> str:
        """The question for so many rows."""
        return self._asked("first_rows", columns=self._columns(columns), most=str(most))

    def of_range(self, columns: Sequence[tuple[str, str]], begin: Watermark | None, end: Watermark | None) -> str:
        """The question for the rows from `begin` to `end`, both inclusive; None is without a bound.

        `columns` are names with the types that the driver gives them.
        """
        bounds = [f"r.{self.quoted(self.watermark)} {sign} {self.literal(one)}" for sign, one in _bounds(begin, end)]
        return self._asked(
            "rows_of_range",
            columns=self._columns(columns),
            range=" and ".join(bounds) or "true",
        )

    def literal(self, one: Watermark) -> str:
        """A watermark as SQL has it."""
        if one.kind == "number":
            return str(one)
        text = str(one).removesuffix("Z") + self.dialect.zone if one.kind == "time" else str(one)
        return f"cast('{text}' as {self.dialect.types[one.kind]})"

    def quoted(self, name: str) -> str:
        """A name as SQL has it, spelt just so."""
        mark = self.dialect.quote
        return f"{mark}{name.replace(mark, 2 * mark)}{mark}"

    def _asked(self, question: str, **names: str) -> str:
        text = files("cpa_core").joinpath("sql", "sources", f"{question}.sql").read_text("utf-8")
        filled = Template(text).substitute(rows=self._rows(), watermark=self.quoted(self.watermark), **names)
        return filled.partition("\n")[2].strip()

    def _rows(self) -> str:
        if self.query is not None:
            return f"(\n{without_end(self.query)}\n)"
        return ".".join(self.quoted(part.strip('"`')) for part in (self.table or "").split("."))

    def _columns(self, columns: Sequence[tuple[str, str]]) -> str:
        return ", ".join(self._column(name, kind) for name, kind in columns)

    def _column(self, name: str, kind: str) -> str:
        """A column as it is where its type is plain, of a list JSON, else its text."""
        column = f"r.{self.quoted(name)}"
        if not self.dialect.plain or kind in self.dialect.plain:
            return column
        value = f"to_json({column})" if kind.startswith("_") else column
        return f"cast({value} as {self.dialect.text}) as {self.quoted(name)}"


def _bounds(begin: Watermark | None, end: Watermark | None) -> list[tuple[str, Watermark]]:
    return [(sign, one) for sign, one in ((">=", begin), ("<=", end)) if one is not None]
