"""Where transcripts come from: objects are listed first, then read and cut into records."""

from cpa_core.sources.files import File
from cpa_core.sources.formats import Batch, as_records, parse, read
from cpa_core.sources.objects import Listing, Object
from cpa_core.sources.places import listing
from cpa_core.sources.records import Record, Reject

__all__ = ["Batch", "File", "Listing", "Object", "Record", "Reject", "as_records", "listing", "parse", "read"]
