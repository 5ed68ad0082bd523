"""The ledgers' side of a lake's transaction, on a connection of its own, because DuckDB writes to one database."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import duckdb

from cpa_core.store.lake.catalog import Catalog
from cpa_core.store.lake.ledger import LEDGER, PostgresLedger
from cpa_core.store.transaction import Row

WRITES = re.compile(
    rf"\s*(?:--[^\n]*\n\s*)*(?:insert\s+into|update|delete\s+from|create\s+table|alter\s+table)\s+({'|'.join(LEDGER)})\b",
    re.IGNORECASE,
)
"""A statement that writes to a ledger."""


class Side:
    """The ledgers' side of one transaction: begun by the first write to them, committed after the lake."""

    def __init__(self, catalog: Catalog, ledger: PostgresLedger) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._stack = ExitStack()

    def connection_for(self, sql: str) -> duckdb.DuckDBPyConnection | None:
        """The connection for a statement that writes to a ledger; null for any other."""
        if not WRITES.match(sql):
            return None
        if self._connection is None:
            self._connection = self._stack.enter_context(self._catalog.cursor())
            self._catalog.begin(self._connection)
        return self._connection

    def answer(self, question: str, names: Mapping[str, Any]) -> list[Row] | None:
        """The answer of Postgres to a question that has words for it; null for any other."""
        return self._ledger.answer(question, names)

    def commit(self) -> None:
        """Keep what was written."""
        if self._connection is not None:
            self._connection.execute("commit")

    def __enter__(self) -> "Side":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stack.close()  # closing a connection rolls back what was not committed
