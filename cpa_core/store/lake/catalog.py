"""DuckDB in memory with the lake and the ledgers attached, once a process: a far attach takes longer than a stage.

Sources: https://ducklake.select/docs/stable/duckdb/usage/connecting (secrets, options),
https://ducklake.select/docs/stable/duckdb/advanced_features/data_inlining,
https://duckdb.org/docs/stable/core_extensions/postgres and https://duckdb.org/docs/stable/core_extensions/httpfs/s3api.
"""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from cpa_core.errors import SettingsError, StoreBusy
from cpa_core.store.instance import SILENT, limit_memory, silent_cursor
from cpa_core.store.lake.address import LakeAddress

Connection = duckdb.DuckDBPyConnection
EXTENSIONS = ("httpfs", "postgres_scanner", "ducklake")
RETRIES = 8
"""So often a request to S3 is repeated, after 0.1 s and then always twice as long."""


class Catalog:
    """DuckDB for one store of one process. After a lost connection a new one takes its place; users end in the old."""

    def __init__(self, address: LakeAddress, memory_limit: str | None = None) -> None:
        self.address = address
        self.memory_limit = memory_limit
        self._guard = threading.Lock()
        self._memory: Connection | None = None
        self._credentials: tuple[str | None, ...] = ()
        self._session: Any = None

    @contextmanager
    def cursor(self) -> Iterator[Connection]:
        """A connection. Raises StoreBusy where the catalog does not answer."""
        with self._guard:
            memory = self._memory = self._memory or self._made()
            self._renew_credentials(memory)
            cursor = silent_cursor(memory)
        try:
            yield cursor
        finally:
            cursor.close()

    def begin(self, cursor: Connection) -> None:
        """Begin a transaction in which names are those of the lake and of the ledgers.

        The names come second: setting them reads the newest snapshot, which the transaction then has.
        """
        cursor.execute("begin")
        self.name(cursor)

    def name(self, cursor: Connection) -> None:
        """Let unqualified names be those of the lake and of the ledgers."""
        cursor.execute(f"set search_path = 'store.main,ledger.{self.address.schema}'")

    def give_up(self) -> None:
        """After a lost connection: the next transaction attaches anew."""
        with self._guard:
            self._memory = None

    def _made(self) -> Connection:
        memory = duckdb.connect(
            ":memory:", config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        )
        memory.execute(SILENT)
        for name in EXTENSIONS:
            memory.execute(f"load {_text(_extension(name))}")
        memory.execute(f"set global temp_directory = {_text(_spill())}")
        memory.execute("set global timezone = 'UTC'")
        limit_memory(memory, self.memory_limit)
        memory.execute(f"set global http_retries = {RETRIES}")
        memory.execute("set global pg_null_byte_replacement = ''")
        self._credentials = ()
        self._renew_credentials(memory)
        try:
            self._attach(memory)
        except duckdb.Error as refused:
            memory.close()
            words = self.address.without_secrets(str(refused))
            if "DATA_PATH" in words:
                raise SettingsError(f"CPA_STORE_DATA is not where this store was begun: {words}") from None
            raise StoreBusy(f"{self.address.shown}: cannot be attached: {words}") from None
        return memory

    def _attach(self, memory: Connection) -> None:
        at = self.address
        login = {"host": at.host, "database": at.database, "user": at.user, "password": at.password}
        named = ", ".join(f"{name} {_text(value)}" for name, value in {**login, **dict(at.ssl)}.items() if value)
        memory.execute(f"create secret cpa_postgres (type postgres, port {at.port}, {named})")
        memory.execute(
            f"create secret cpa_lake (type ducklake, metadata_path '', data_path {_text(at.data)}, metadata_schema "
            f"'{at.lake_schema}', metadata_parameters map {{'TYPE': 'postgres', 'SECRET': 'cpa_postgres'}})"
        )
        memory.execute("attach 'ducklake:cpa_lake' as store (data_inlining_row_limit 0)")
        memory.execute(f"attach '' as ledger (type postgres, secret cpa_postgres, schema '{at.schema}')")

    def _renew_credentials(self, memory: Connection) -> None:
        """Credentials of a role end after some hours; boto3 fetches the next ones. Raises SettingsError."""
        if not self.address.data.startswith("s3://"):
            return
        found = self._aws()
        if found != self._credentials:
            memory.execute(s3_secret(self.address, found))
            self._credentials = found

    def _aws(self) -> tuple[str | None, ...]:
        aws = self.address.aws
        if aws.key_id and aws.secret:
            return aws.key_id, aws.secret, aws.session_token
        if self._session is None:
            import boto3

            self._session = boto3.session.Session(region_name=aws.region, profile_name=aws.profile)
        found = self._session.get_credentials()
        if found is None:
            raise SettingsError("CPA_STORE_DATA is in S3, and no credentials are found: AWS_ACCESS_KEY_ID and so on")
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token


def s3_secret(address: LakeAddress, credentials: tuple[str | None, ...]) -> str:
    """The statement that gives DuckDB the credentials for the bucket of a store, and for no other."""
    aws = address.aws
    key_id, secret, token = credentials
    given = {"key_id": key_id, "secret": secret, "session_token": token, "region": aws.region or "us-east-1"}
    if aws.s3_endpoint:  # a server of one's own seldom answers at bucket.host
        parts = urlsplit(aws.s3_endpoint)
        given |= {"endpoint": parts.netloc, "url_style": "path", "use_ssl": str(parts.scheme == "https").lower()}
    bucket = "s3://" + address.data.removeprefix("s3://").partition("/")[0] + "/"
    named = ", ".join(f"{name} {_text(value)}" for name, value in {**given, "scope": bucket}.items() if value)
    return f"create or replace secret cpa_s3 (type s3, {named})"


def _text(value: str | None) -> str:
    """A text in SQL, where none can be bound."""
    escaped = (value or "").replace("'", "''")
    return f"'{escaped}'"


def _extension(name: str) -> str:
    """The file of an extension, of DuckDB's own version. Raises SettingsError where its package is another's."""
    found = files(f"duckdb_extension_{name}").joinpath(
        "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension"
    )
    if not found.is_file():
        package = f"duckdb-extension-{name.replace('_', '-')}"
        raise SettingsError(
            f"{package} is not for duckdb {duckdb.__version__}: pip install {package}=={duckdb.__version__}"
        )
    return str(found)


def _spill() -> str:
    """A folder that is gone with the process, for what does not fit into memory."""
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="cpa-spill-"))

    def removed() -> None:
        with suppress(OSError):
            shutil.rmtree(folder)

    atexit.register(removed)
    return str(folder)
