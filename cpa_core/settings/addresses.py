"""The address of a source: the part that may be shown, and the secret part."""

import re

DATABASES = ("postgresql", "snowflake", "bigquery", "mysql")
"""The schemes of sources that are databases."""
ALIASES = {"postgres": "postgresql"}
FILES = ("", "file", "s3")
"""The schemes whose addresses hold no login: an `@` there is part of a name."""
_HOST = r"(?:\[[^\]@]*\]|[^@?#/:,\[]*)(?::\d+)?"
_PARAMETERS = re.compile(rf"{_HOST}(?:,{_HOST})*(?:/[^@?#]*)?\?(?:[\w.]+=[^&]*&?)*")
"""An address without a user, whose parameters may hold one: postgresql://host/app?user=a@b."""
_PLACE = re.compile(r"(?:^|[?&])(host|port)=([^&]*)")
_WORDS = re.compile(r"(?i)\b(pass(?:word|file)|sslpassword)\s*=\s*('[^']*'|\S+)")


def scheme_of(source: str) -> str:
    """The scheme of a source, empty for a path."""
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    return ALIASES.get(scheme, scheme)


def is_database(source: str | None) -> bool:
    """Whether a source is a database."""
    return scheme_of(source or "") in DATABASES


def parted(source: str) -> tuple[str, str, str]:
    """The login, the host with the path, and the parameters of an address, as they are written.

    A login may hold any mark that should have been encoded, so it ends at the last `@`.
    """
    rest = source.partition("://")[2]
    login, at, place = ("", "", rest) if _PARAMETERS.fullmatch(rest) else rest.rpartition("@")
    place, _, parameters = place.partition("?")
    return login if at else "", place.partition("#")[0], parameters


def without_login(source: str) -> str:
    """An address without user, password and parameters; a file's or a bucket's as it is.

    Never raises: an error must not show an invalid address either.
    """
    scheme = scheme_of(source)
    if scheme in FILES:
        return _WORDS.sub(r"\1=...", source)
    _, place, parameters = parted(source)
    named = dict(_PLACE.findall(parameters)) if not place.partition("/")[0] else {}
    host = ":".join(filter(None, (named.get("host", ""), named.get("port", ""))))
    return f"{scheme}://{host}{place}"


def store_without_login(store: str) -> str:
    """The address of a store without user, password and parameters."""
    engine, _, place = store.partition(":")
    return f"{engine}:{without_login(place)}" if is_database(place) else f"{engine}:..."


def store_with_login(store: str) -> str | None:
    """The whole address of a store."""
    return store


def with_login(source: str) -> str | None:
    """Return the whole address of a database; null for any other source."""
    return source if is_database(source) else None
