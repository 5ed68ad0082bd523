"""The event schema: its file, and what changed between two versions of it."""

from cpa_core.schema.diff import Change, Diff, Scope, compare
from cpa_core.schema.document import GOALS, dump, load, parse

__all__ = ["GOALS", "Change", "Diff", "Scope", "compare", "dump", "load", "parse"]
