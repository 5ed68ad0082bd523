"""What each kind of database is asked, and what the drivers of those that no server was tried for make of addresses."""

import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cpa_core.errors import CpaError, SettingsError, SourceError
from cpa_core.extras import extra_of
from cpa_core.pipeline import Assistant
from cpa_core.settings import settings
from cpa_core.sources.databases import others, watermarks
from cpa_core.sources.databases.queries import BIGQUERY, MYSQL, POSTGRES, SNOWFLAKE, Dialect, Rows, without_end
from cpa_core.sources.databases.sessions import Address
from cpa_core.sources.databases.watermarks import Watermark

ROOT = Path(__file__).parents[2]
AT = Watermark("time", datetime(2026, 3, 4, 9, 0, 0, 5, tzinfo=UTC))


def asked(dialect: Dialect, begin: Watermark) -> str:
    return Rows(dialect, 'public."Odd"', None, "up").of_range([("up", "timestamptz")], begin, None)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        (POSTGRES, """select r."up" from "public"."Odd" as r where r."up" >= cast('{}Z' as timestamptz)"""),
        (SNOWFLAKE, """select r."up" from "public"."Odd" as r where r."up" >= cast('{}Z' as timestamp_tz)"""),
        (BIGQUERY, "select r.`up` from `public`.`Odd` as r where r.`up` >= cast('{}Z' as timestamp)"),
        (MYSQL, "select r.`up` from `public`.`Odd` as r where r.`up` >= cast('{}' as datetime(6))"),
    ],
)
def test_a_range_is_asked_in_the_words_of_each_database(dialect: Dialect, sql: str) -> None:
    mark = dialect.quote
    wanted = f"{sql.format('2026-03-04T09:00:00.000005')} order by r.{mark}up{mark}"
    assert asked(dialect, AT) == wanted


@pytest.mark.parametrize(
    ("one", "text", "back"),
    [
        (AT, "2026-03-04T09:00:00.000005Z", "2026-03-04T08:58:20.000005Z"),
        (Watermark("zoneless", datetime(2026, 3, 4)), "2026-03-04T00:00:00", "2026-03-03T23:58:20"),
        (Watermark("day", date(2026, 3, 4)), "2026-03-04", "2026-03-03"),
        (Watermark("number", Decimal("12345678901234567890.5")), "12345678901234567890.5", "12345678901234567790.5"),
        (Watermark("number", Decimal("1e3")), "1000", "900"),
    ],
)
def test_a_watermark_is_read_back_from_a_name(one: Watermark, text: str, back: str) -> None:
    assert str(one) == text and watermarks.read(one.kind, text) == one
    assert str(one.before(100)) == back
    others_of = {"time": "zoneless", "zoneless": "time", "day": "number", "number": "day"}
    assert watermarks.read(others_of[one.kind], text) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("select 1;", "select 1"),
        ("select 1 ; -- done;\n /* ; */ ", "select 1  -- done;\n /* ; */ "),
        ("select ';'", "select ';'"),
        ("select 'it''s;--'", "select 'it''s;--'"),
        ("select $a$;$a$", "select $a$;$a$"),
        ("-- only;", "-- only;"),
    ],
)
def test_a_query_ends_before_its_semicolon(query: str, left: str) -> None:
    assert without_end(query) == left


Connect = Callable[[Address], AbstractContextManager[Any]]
DRIVERS: dict[str, tuple[Connect, str]] = {
    "snowflake": (others.snowflake, "adbc_driver_snowflake"),
    "bigquery": (others.bigquery, "adbc_driver_bigquery"),
    "mysql": (others.mysql, "duckdb_extension_mysql_scanner"),
}
ADDRESSES = [
    ("snowflake", "snowflake://u:s3%40cret@127.0.0.1:9/db/sc?account=a&protocol=http&loginTimeout=1", ""),
    ("snowflake", "snowflake://127.0.0.1:9/db", "the address is not understood"),
    ("bigquery", "bigquery://project/dataset?credentials=/no/s3cret.json", ""),
    ("mysql", "mysql://u:s3%40cret@127.0.0.1:9/app", "the connection is refused"),
    ("mysql", "mysql://u:s3cret@127.0.0.1:9/app?nonsense=1", "the address is not understood"),
]


@pytest.mark.parametrize(("kind", "written", "words"), ADDRESSES)
def test_an_address_is_read_by_the_driver_and_no_secret_is_told(kind: str, written: str, words: str) -> None:
    connect, module = DRIVERS[kind]
    if find_spec(module) is None:
        pytest.skip(f"the extra {kind} is not installed")
    with pytest.raises(CpaError) as raised, connect(Address(f"{kind}://h", written)) as session:
        session.table("select 1")
    said = str(raised.value)
    assert words in said and "s3" not in said and "\n" not in said
    assert words or "not understood" not in said


@pytest.mark.parametrize("kind", DRIVERS)
def test_a_driver_that_is_missing_is_named_and_an_extra_brings_it(kind: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert extra_of(DRIVERS[kind][1], [f"{one} ; extra == '{kind}'" for one in extras[kind]]) == kind
    if find_spec(DRIVERS[kind][1]) is not None:
        pytest.skip(f"the extra {kind} is installed")
    given = {"CPA_SOURCE": f"{kind}://u:pw@h/d", "CPA_TABLE": "t", "CPA_WATERMARK": "w"}
    with pytest.raises(SettingsError, match=rf"a source in \w+ needs the package {DRIVERS[kind][1]}, which is not"):
        Assistant.of(settings(given)).listing()


def test_a_scheme_that_is_none_is_refused_without_its_login() -> None:
    with pytest.raises(SourceError, match=r"^oracle://h/d: scheme: oracle is none of file, s3, postgresql"):
        Assistant.of(settings({"CPA_SOURCE": "oracle://u:s3cret@h/d"})).listing()
