"""Tagging: one question for a window of a conversation, one entry in the answer for every message asked about."""

from cpa_core.tagging.answer import Entry, read
from cpa_core.tagging.asking import Tagged, tag_conversation
from cpa_core.tagging.question import (
    EARLIER,
    OPENING,
    WINDOW,
    catalogue,
    first_requests,
    json_schema,
    line_schema,
    question,
    windows,
)

__all__ = [
    "EARLIER",
    "OPENING",
    "WINDOW",
    "Entry",
    "Tagged",
    "catalogue",
    "first_requests",
    "json_schema",
    "line_schema",
    "question",
    "read",
    "tag_conversation",
    "windows",
]
