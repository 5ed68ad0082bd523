"""The commands on the event schema."""

import argparse

from cpa_core import schema
from cpa_core.settings import Settings


def check(options: argparse.Namespace, given: Settings) -> int:
    """Read a schema; its mistakes are errors with line and key."""
    found, warnings = schema.load(options.file)
    for warning in warnings:
        print(f"warning: {warning}")
    counts = ", ".join(f"{len(found.of_role(role))} {role}" for role in ("user", "assistant"))
    print(f"{options.file}: version {found.version}, event types: {counts}, criteria: {len(found.criteria.goals())}")
    return 0
