"""A connection to a database that only reads, and what its errors are in one line without a secret or a value.

Sources: https://arrow.apache.org/adbc/current/driver/postgresql.html (types, COPY, batches),
https://arrow.apache.org/adbc/current/python/api/adbc_driver_manager.html (errors),
https://www.postgresql.org/docs/current/libpq-connect.html (parameters of an address) and
https://www.postgresql.org/docs/current/errcodes-appendix.html (SQLSTATE).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote

import pyarrow as pa

from cpa_core.errors import SettingsError, SourceError, SourceUnreadable
from cpa_core.extras import not_installed
from cpa_core.settings.addresses import parted

BATCH_BYTES = 8 << 20
"""About so much is in memory of what a database sends."""
PARAMETERS = {
    "connect_timeout": "10",
    "application_name": "cpa",
    "client_encoding": "UTF8",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
"""Default parameters of a Postgres address: a lost server is noticed within a minute."""

NOT_UNDERSTOOD = "the address is not understood; docs/guides/databases.md shows how it is written"
LOST = "the connection was lost; nothing of this landing is kept, and the next run reads again"
_PRIMARY = re.compile(r"(?:ERROR|FATAL):\s+([^\n]*)")
_LOGIN = re.compile(r"password|authentication|role \".*\" does not exist|no pg_hba.conf entry|not permitted to log in")
_NO_DATABASE = re.compile(r"database \"[^\"]*\" does not exist")
_LOST = re.compile(
    r"terminat|closed the connection|could not (?:receive|send)|reset by peer|no connection|SSL|timed out"
)


class Session(Protocol):
    """A connection that reads."""

    def table(self, sql: str) -> pa.Table:
        """The whole answer to a small question. Raises SourceError."""

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The rows of a large answer, in batches. Raises SourceError."""


class Address(NamedTuple):
    """The displayable part of a database's address, and the whole address with the login."""

    shown: str
    login: str
    password: str | None = None


@contextmanager
def postgres(address: Address) -> Iterator[Session]:
    """A transaction of Postgres that can only read. Raises SettingsError for the login, SourceError."""
    try:
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import StatementOptions, dbapi
    except ModuleNotFoundError as missing:
        raise not_installed(missing, "a source in Postgres") from None
    try:
        connection = dbapi.connect(libpq(address))
    except Error as error:
        raise not_connected(address.shown, str(error)) from None
    options = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: BATCH_BYTES}
    try:
        made = Adbc(address.shown, connection, Error, options)
        with made.named(), connection.cursor() as cursor:
            cursor.executescript("set transaction read only")
        yield made
    finally:
        closed(connection, Error)


def libpq(address: Address) -> str:
    """The address as libpq takes it: each part encoded, and what is not said as PARAMETERS have it."""
    login, place, parameters = parted(address.login)
    user, _, password = login.partition(":")
    password = quote(unquote(password), safe="") or quote(address.password or "", safe="")
    named = dict(pair.partition("=")[::2] for pair in parameters.split("&") if pair)
    given = "&".join(f"{name}={value}" for name, value in {**PARAMETERS, **named}.items())
    name = quote(unquote(user), safe="")
    who = f"{name}:{password}@" if password else f"{name}@" if name else ""
    return f"postgresql://{who}{place}?{given}"


class Adbc:
    """A connection of ADBC's DB-API."""

    def __init__(self, shown: str, connection: Any, error: type[Exception], options: dict[str, Any]) -> None:
        self.shown, self._connection, self._error, self._options = shown, connection, error, options

    def table(self, sql: str) -> pa.Table:
        """See Session."""
        with self.named(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """See Session."""
        with self._connection.cursor() as cursor:
            with self.named():
                cursor.adbc_statement.set_options(**self._options)
                cursor.execute(sql)
                reader = cursor.fetch_record_batch()
            while True:
                with self.named():
                    batch = next(reader, None)
                if batch is None:
                    return
                yield batch

    @contextmanager
    def named(self) -> Iterator[None]:
        """Turn the driver's errors into ours. A stream that breaks is an OSError of Arrow without a number."""
        try:
            yield
        except self._error as error:
            raise refused(self.shown, getattr(error, "sqlstate", None), str(error)) from None
        except (OSError, pa.ArrowException) as error:
            raise refused(self.shown, None, str(error)) from None


def closed(connection: Any, error: type[Exception]) -> None:
    """Close a connection; whether the server still hears it is of no interest."""
    try:
        connection.close()
    except (error, OSError):
        return


def not_connected(shown: str, said: str) -> SettingsError | SourceError:
    """Why no connection was made, by what the driver said; its words may hold a part of the address, and are not."""
    if _NO_DATABASE.search(said):
        return SourceUnreadable(f"{shown}: no such database")
    if _LOGIN.search(said):
        way = "check the user and the password in CPA_SOURCE, or PGPASSWORD"
        return SettingsError(f"{shown}: the login is not accepted: {way}")
    reasons = {
        "refused": "the connection is refused: does the server run there?",
        "translate host": "the name of the host is not known",
        "timeout": "no answer within the time (connect_timeout)",
        "SSL": "the server and the address do not agree on SSL (sslmode)",
        "certificate": "the server's certificate is not accepted (sslmode, sslrootcert)",
        "Can't connect": "the connection is refused: does the server run there?",
        "no such host": "the name of the host is not known",
        "Unknown server host": "the name of the host is not known",
        "Unknown database": "no such database",
        "INVALID_ARGUMENT": NOT_UNDERSTOOD,
        "Invalid Input": NOT_UNDERSTOOD,
        "Invalid URI": NOT_UNDERSTOOD,
        "stoi": NOT_UNDERSTOOD,  # a port that is no number, in MySQL's words
        "invalid": NOT_UNDERSTOOD,
        "too many": "the server takes no more connections",
        "starting up": "the server is starting up",
    }
    reason = next((reason for word, reason in reasons.items() if word in said), "no connection could be made")
    return SourceUnreadable(f"{shown}: {reason}")


def refused(shown: str, state: str | None, said: str) -> SourceError:
    """Why a question was not answered, by SQLSTATE; only what names tables and columns (class 42) is quoted.

    Other errors may quote what stands in a row.
    """
    primary = _PRIMARY.search(said)
    words = primary[1].strip() if primary else "the query is not understood"
    known = state or ""
    if not known and _LOST.search(said):
        known = "08"
    reasons = {
        "42501": f"access denied: {words}; the user needs select on it",
        "25006": "the query writes; only reading is allowed",
        "42": words,
        "22": f"a value in a row cannot be converted as the query wants it (SQLSTATE {state})",
        "57014": "the server ended the query (statement_timeout, or somebody cancelled it)",
        "57P": LOST,
        "08": LOST,
    }
    reason = next((reason for begin, reason in reasons.items() if known.startswith(begin)), "")
    kind = SourceError if known.startswith(("42", "25006", "22")) else SourceUnreadable
    known = f" (SQLSTATE {state})" if state else ""
    return kind(f"{shown}: {reason or f'the server ended the query{known}; its log says why'}")
