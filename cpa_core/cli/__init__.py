"""The `cpa` command."""

from cpa_core.cli.main import main

__all__ = ["main"]
