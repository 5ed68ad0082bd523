"""What it costs to ask: a question of a small home takes DuckDB longer to plan than to answer."""

import duckdb
import pytest

from cpa_core.store.database import question_sql


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("create temp table chosen as select n, 'u' || n as user_id from range(3) as numbers(n)")
    made.execute(question_sql("insights/units"))
    made.execute("set explain_output = 'all'")
    return made


def sums(connection: duckdb.DuckDBPyConnection, question: str) -> int:
    """How many sums DuckDB's first plan of a question holds: a macro's argument stands wherever the macro names it."""
    plans = dict(connection.execute(f"explain {question}").fetchall())
    return plans["logical_plan"].count("sum(")


def test_each_sum_of_a_ratio_is_planned_once(connection: duckdb.DuckDBPyConnection) -> None:
    of_units = "hits_by_unit(n, n, n), trials_by_unit(n, n), sum(n)"
    assert sums(connection, "select by_unit(n, n, n, n) from chosen") == sums(
        connection, f"select {of_units} from chosen"
    )
