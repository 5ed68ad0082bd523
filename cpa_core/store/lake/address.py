"""CPA_STORE as parts: the Postgres with its login, the schema within it, and where the Parquet files lie."""

from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from cpa_core.errors import SettingsError
from cpa_core.settings import AwsSettings, Settings

SCHEME = "ducklake:"
HOW = "CPA_STORE is written ducklake:postgresql://user:password@host:5432/database, with ?schema=name if need be"
KNOWN = {"schema", "sslmode", "sslrootcert"}
"""The parameters that an address may have."""


class LakeAddress(NamedTuple):
    """Where a store is. `shown` holds no login; two addresses are one store when all of this is equal."""

    shown: str
    host: str
    port: int
    database: str
    user: str
    password: str
    schema: str
    ssl: tuple[tuple[str, str], ...]
    data: str
    aws: AwsSettings

    def __repr__(self) -> str:
        return f"LakeAddress({self.shown})"

    @property
    def lake_schema(self) -> str:
        """The schema of the lake's catalog; `schema` itself holds the ledgers."""
        return f"{self.schema}_lake"

    def without_secrets(self, words: str) -> str:
        """The first line of an error, without the login."""
        line = (words.splitlines() or [""])[0]
        secrets = (self.password, self.user, self.aws.secret, self.aws.key_id, self.aws.session_token)
        for secret in filter(None, secrets):
            line = line.replace(secret, "...")
        return line


def address_of(settings: Settings) -> LakeAddress:
    """The address in the settings. Raises SettingsError, which never shows the address: it may hold a password."""
    written = settings.store_login or ""
    if not written.startswith(SCHEME):
        raise SettingsError(HOW)
    try:
        parts = urlsplit(written.removeprefix(SCHEME))
        port = parts.port or 5432
    except ValueError:
        raise SettingsError(f"{HOW}; marks such as / @ # ? in a password are written as %2F %40 %23 %3F") from None
    parameters = dict(parse_qsl(parts.query))
    host, database = parts.hostname or "", unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("postgresql", "postgres") or not host or not database or parameters.keys() - KNOWN:
        raise SettingsError(HOW)
    schema = parameters.pop("schema", "cpa")
    if not (schema.isascii() and schema.isidentifier() and schema == schema.lower() and len(schema) <= 40):
        raise SettingsError(f"{HOW}; the schema is lower-case letters, digits and _, at most 40")
    return LakeAddress(
        shown=f"{SCHEME}postgresql://{host}:{port}/{database}?schema={schema}",
        host=host,
        port=port,
        database=database,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or "") or settings.postgres.password or "",
        schema=schema,
        ssl=tuple(sorted(parameters.items())),
        data=_data(settings.store_data),
        aws=settings.aws,
    )


def _data(written: str | None) -> str:
    if not written:
        raise SettingsError("CPA_STORE is set, so CPA_STORE_DATA must name where its files lie: s3://bucket/prefix/")
    return f"{written.rstrip('/')}/"
