"""The sources of transcripts: objects are listed first, then read and cut into records."""

from cpa_core.sources.files import File
from cpa_core.sources.formats import (
    ParsedFile,
    as_records,
    completed,
    in_order,
    opened,
    parse,
    read,
    read_together,
    time_field,
)
from cpa_core.sources.identity import Opened
from cpa_core.sources.objects import Listing, Object
from cpa_core.sources.places import listing
from cpa_core.sources.records import Record, Reject

__all__ = [
    "File",
    "Listing",
    "Object",
    "Opened",
    "ParsedFile",
    "Record",
    "Reject",
    "as_records",
    "completed",
    "in_order",
    "listing",
    "opened",
    "parse",
    "read",
    "read_together",
    "time_field",
]
