"""Where transcripts come from: objects are listed first, then read and cut into records."""

from cpa_core.sources.formats import Record, Reject, parse
from cpa_core.sources.places import Listing, Object, listing

__all__ = ["Listing", "Object", "Record", "Reject", "listing", "parse"]
