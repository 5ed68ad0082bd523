"""The parts of a report, each from the answers to its questions."""

from cpa_core.report.sections.asked import Asked, ask
from cpa_core.report.sections.changes import changes
from cpa_core.report.sections.conversations import conversations
from cpa_core.report.sections.head import about, banner, headlines, summary
from cpa_core.report.sections.issues import issues
from cpa_core.report.sections.mix import mix
from cpa_core.report.sections.operations import operations
from cpa_core.report.sections.paths import paths, shown_drop_offs
from cpa_core.report.sections.quality import quality
from cpa_core.report.sections.topics import topics
from cpa_core.report.sections.trust import trust

__all__ = [
    "Asked",
    "about",
    "ask",
    "banner",
    "changes",
    "conversations",
    "headlines",
    "issues",
    "mix",
    "operations",
    "paths",
    "quality",
    "shown_drop_offs",
    "summary",
    "topics",
    "trust",
]
