"""Optional packages: the error for one that is not installed names the extra of this project that brings it."""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires

from cpa_core.errors import SettingsError

PROJECT = "conversational-product-analytics"
OPTIONAL = re.compile(r"""^(?P<name>[\w.-]+).*;.*\bextra\s*==\s*["'](?P<extra>[\w.-]+)["']""")
"""A requirement of an extra, as the metadata of an installed project has it (packaging.python.org, core metadata)."""


def not_installed(missing: ModuleNotFoundError, wanted: str) -> SettingsError:
    """The error for a package that is not installed: `wanted`, the package, and the command that installs it."""
    package = (missing.name or "").partition(".")[0]
    extra = extra_of(package, _requirements())
    install = f"'{PROJECT}[{extra}]'" if extra else package
    return SettingsError(f"{wanted} needs the package {package}, which is not installed: pip install {install}")


def extra_of(package: str, requirements: Iterable[str]) -> str:
    """The first extra that brings a package, by the name that is imported; empty where none does."""
    plain = package.lower().replace("_", "-")
    for written in requirements:
        found = OPTIONAL.match(written)
        name = found["name"].lower().replace("_", "-") if found else ""
        if found and (name == plain or name.startswith(f"{plain}-")):
            return found["extra"]
    return ""


def _requirements() -> list[str]:
    try:
        return requires(PROJECT) or []
    except PackageNotFoundError:  # a checkout that is not installed
        return []
