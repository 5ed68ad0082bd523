"""Langfuse: traces and observations."""

from cpa_core.sources import exports
from cpa_core.sources.formats.form import Format

LANGFUSE = Format(
    name="langfuse",
    title="Langfuse traces and observations",
    kind="call",
    signs=("id timestamp input output", "sessionId input", "traceId input output", "id input output"),
    read=lambda file, records: exports.from_langfuse(file),
    docs="https://langfuse.com/docs/api-and-data-platform/features/public-api",
)
