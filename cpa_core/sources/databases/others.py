"""Databases that nobody has tried against a server here: Snowflake and BigQuery by ADBC, MySQL by DuckDB's extension.

Sources: https://arrow.apache.org/adbc/current/driver/snowflake.html, https://arrow.apache.org/adbc/current/driver/bigquery.html
and https://duckdb.org/docs/stable/core_extensions/mysql. There is no wheel of an ADBC driver for MySQL.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import Any
from urllib.parse import quote, unquote

import duckdb
import pyarrow as pa

from cpa_core.errors import SettingsError
from cpa_core.extras import not_installed
from cpa_core.settings.addresses import parted
from cpa_core.sources.databases.sessions import Adbc, Address, Session, closed, not_connected, refused

ROWS_AT_ONCE = 10_000


@contextmanager
def snowflake(address: Address) -> Iterator[Session]:
    """`snowflake://user:password@account/database/schema?warehouse=w`. Raises SettingsError, SourceError."""
    try:
        from adbc_driver_snowflake import dbapi
    except ModuleNotFoundError as missing:
        raise not_installed(missing, "a source in Snowflake") from None
    yield from _adbc(address, dbapi, {"uri": encoded(address)})


@contextmanager
def bigquery(address: Address) -> Iterator[Session]:
    """`bigquery://project/dataset?credentials=/path/to/key.json`; without a key by the default credentials.

    Raises SettingsError, SourceError.
    """
    try:
        from adbc_driver_bigquery import DatabaseOptions, dbapi
    except ModuleNotFoundError as missing:
        raise not_installed(missing, "a source in BigQuery") from None
    _, place, parameters = parted(address.login)
    project, _, dataset = place.partition("/")
    key = unquote(dict(pair.partition("=")[::2] for pair in parameters.split("&")).get("credentials", ""))
    given = {DatabaseOptions.PROJECT_ID.value: project, DatabaseOptions.DATASET_ID.value: dataset}
    if key:
        given[DatabaseOptions.AUTH_TYPE.value] = DatabaseOptions.AUTH_VALUE_JSON_CREDENTIAL_FILE.value
        given[DatabaseOptions.AUTH_CREDENTIALS.value] = key
    yield from _adbc(address, dbapi, {"db_kwargs": {name: value for name, value in given.items() if value}})


def _adbc(address: Address, driver: Any, given: dict[str, Any]) -> Iterator[Session]:
    from adbc_driver_manager import Error

    try:
        connection = driver.connect(**given, autocommit=True)
    except Error as error:
        raise not_connected(address.shown, str(error)) from None
    try:
        yield Adbc(address.shown, connection, Error, {})
    finally:
        closed(connection, Error)


def encoded(address: Address) -> str:
    """The address as Snowflake's driver takes it: without a scheme, the login encoded."""
    login, place, parameters = parted(address.login)
    user, _, password = login.partition(":")
    who = f"{quote(unquote(user), safe='')}:{quote(unquote(password), safe='')}@" if login else ""
    return f"{who}{place}" + (f"?{parameters}" if parameters else "")


@contextmanager
def mysql(address: Address) -> Iterator[Session]:
    """`mysql://user:password@host:3306/database`, attached to only read. Raises SettingsError, SourceError."""
    connection = duckdb.connect()
    try:
        connection.execute("set enable_progress_bar = false")  # DuckDB prints it to stdout
        with as_file(_extension()) as path:
            connection.load_extension(str(path))
        url = f"mysql://{encoded(address)}".replace("'", "''")
        connection.execute(f"attach '{url}' as source (type mysql, read_only)")
        yield Attached(address.shown, connection)
    except duckdb.Error as error:
        raise not_connected(address.shown, str(error)) from None  # its words hold the password
    finally:
        connection.close()


def _extension() -> Any:
    try:
        folder = files("duckdb_extension_mysql_scanner")
    except ModuleNotFoundError as missing:
        raise not_installed(missing, "a source in MySQL") from None
    found = folder.joinpath("extensions", f"v{duckdb.__version__}", "mysql_scanner.duckdb_extension")
    if not found.is_file():
        raise SettingsError(
            "a source in MySQL needs duckdb-extension-mysql-scanner of DuckDB's own version: "
            f"pip install duckdb-extension-mysql-scanner=={duckdb.__version__}"
        )
    return found


class Attached:
    """A MySQL that DuckDB has attached as `source`: questions are asked there, in its own SQL."""

    def __init__(self, shown: str, connection: duckdb.DuckDBPyConnection) -> None:
        self.shown, self._connection = shown, connection

    def table(self, sql: str) -> pa.Table:
        """See Session."""
        return self._asked(sql).to_arrow_table()

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """See Session."""
        reader = self._asked(sql).to_arrow_reader(ROWS_AT_ONCE)
        try:
            yield from reader
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise refused(self.shown, None, str(error)) from None

    def _asked(self, sql: str) -> duckdb.DuckDBPyRelation:
        quoted = sql.replace("'", "''")
        try:
            return self._connection.sql(f"select * from mysql_query('source', '{quoted}')")
        except duckdb.Error as error:
            raise refused(self.shown, None, str(error)) from None
