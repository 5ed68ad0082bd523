"""The report: one HTML file that needs no network, from its contents to its page."""

from cpa_core.report.comparing import Declared, scopes_compared
from cpa_core.report.compose import Wanted, compose
from cpa_core.report.document import Document
from cpa_core.report.render import render

__all__ = ["Declared", "Document", "Wanted", "compose", "render", "scopes_compared"]
