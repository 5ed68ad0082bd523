"""The database: one DuckDB file, opened for one short transaction at a time, and the ledgers kept in it."""

from cpa_core.store.answers import AnswerBook
from cpa_core.store.database import Store

__all__ = ["AnswerBook", "Store"]
