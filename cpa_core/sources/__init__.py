"""Where transcripts come from: objects are listed first, then read and cut into records."""

from cpa_core.sources.formats import parse
from cpa_core.sources.objects import Listing, Object
from cpa_core.sources.places import listing
from cpa_core.sources.records import Record, Reject

__all__ = ["Listing", "Object", "Record", "Reject", "listing", "parse"]
