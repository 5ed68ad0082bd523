"""Rows on their way to the database, held in columns as soon as there are many: a fraction of the memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from cpa_core.store.database import Transaction

ROWS = 5_000
"""Rows of a table that are held as they came."""


class Buffers:
    """Rows by table, until one transaction takes them all."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        self._columns: list[tuple[str, dict[str, pa.Array]]] = []

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Hold these rows too. All rows of a table have the same columns."""
        held = self._rows.setdefault(table, [])
        held.extend(rows)
        if len(held) >= ROWS:
            self._pack(table)

    def _pack(self, table: str) -> None:
        rows = self._rows.pop(table)
        if rows:
            self._columns.append((table, {name: pa.array([row[name] for row in rows]) for name in rows[0]}))

    def write(self, transaction: Transaction) -> None:
        """Add all of them to their tables."""
        for table in list(self._rows):
            self._pack(table)
        for table, columns in self._columns:
            transaction.insert_columns(table, columns)
