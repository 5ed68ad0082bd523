"""docs/reference/tables.md, made from the migrations: each table of the store with its columns."""

from functools import cache

import duckdb

from cpa_core.store.columns import COLUMNS, TABLES
from cpa_core.store.database import Transaction, migrations
from cpa_core.store.instance import SILENT

PAGE = """\
# Tables

`cpa.duckdb` in the home of an assistant holds these tables. Read them while no run writes, with `read_only=True`.
Times are in UTC.

This page is made from the migrations in `cpa_core/store/migrations/`.
"""


def page() -> str:
    """The reference page in Markdown: a section for each table that people read, then the names of the others."""
    kinds = columns_by_table()
    sections = "".join(_section(name, about, kinds[name]) for name, about in TABLES.items())
    others = ", ".join(f"`{name}`" for name in sorted(kinds.keys() - TABLES.keys()))
    return f"{PAGE}{sections}\n## For the tool's own use\n\n{others}\n"


def _section(table: str, about: str, columns: list[tuple[str, str]]) -> str:
    rows = "".join(f"| `{name}` | {kind.lower()} | {COLUMNS.get(name, '')} |\n" for name, kind in columns)
    return f"\n## {table}\n\n{about}\n\n| column | type | meaning |\n|---|---|---|\n{rows}"


@cache
def columns_by_table() -> dict[str, list[tuple[str, str]]]:
    """The columns of each table, as pairs of name and DuckDB's type in their order, from the migrations.

    Recording the migrations, as a store does, would import pandas where it is there: only their statements run.
    """
    with duckdb.connect() as memory:
        memory.execute(SILENT)
        for _, sql in migrations():
            for statement in filter(str.strip, sql.split(";")):
                memory.execute(statement)
        rows = Transaction(memory).answer("status/columns_of_tables")
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["table_name"], []).append((row["column_name"], row["data_type"]))
    return found
