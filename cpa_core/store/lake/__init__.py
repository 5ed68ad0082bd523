"""A store past one machine: DuckLake for the large tables, Postgres for the exact ones and for every lock.

In: the settings CPA_STORE, CPA_STORE_DATA and those of S3. Out: an engine that the store runs on, one a process for
each address. Called by `Store.of`.
"""

import threading
from importlib.resources import files
from typing import TYPE_CHECKING

from cpa_core.extras import not_installed
from cpa_core.settings import Settings
from cpa_core.store.lake.address import LakeAddress, address_of

if TYPE_CHECKING:
    from cpa_core.store.lake.engine import LakeEngine

__all__ = ["lake_engine"]

_ENGINES: dict[tuple[LakeAddress, str | None], "LakeEngine"] = {}
_MAKING = threading.Lock()


def lake_engine(settings: Settings) -> "LakeEngine":
    """The engine for the store that the settings name: the same for every store of a process at that address and limit.

    Raises SettingsError for an address that is not understood, and where the packages of the extra are missing.
    """
    try:
        for package in ("psycopg", "duckdb_extension_ducklake"):
            files(package)
    except ModuleNotFoundError as missing:
        raise not_installed(missing, "CPA_STORE") from None
    from cpa_core.store.lake.engine import LakeEngine

    key = address_of(settings), settings.duckdb_memory
    with _MAKING:
        if key not in _ENGINES:
            _ENGINES[key] = LakeEngine(*key)
        return _ENGINES[key]
