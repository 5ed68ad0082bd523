"""The event schema: its file, its problems, and the changes between two versions."""

from cpa_core.schema.checks import Finding, are_near, check, check_text, findings_of
from cpa_core.schema.diff import Change, Diff, ReaskScope, compare
from cpa_core.schema.document import GOALS, dump, load, parse

__all__ = [
    "GOALS",
    "Change",
    "Diff",
    "Finding",
    "ReaskScope",
    "are_near",
    "check",
    "check_text",
    "compare",
    "dump",
    "findings_of",
    "load",
    "parse",
]
