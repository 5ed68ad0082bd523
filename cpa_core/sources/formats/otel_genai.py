"""OpenTelemetry."""

from cpa_core.sources import exports
from cpa_core.sources.formats.form import Format

OTLP = Format(
    name="otlp",
    title="spans of OpenTelemetry",
    kind="call",
    signs=("resourceSpans[].scopeSpans[].spans[]",),
    read=lambda file, records: exports.from_otlp(file),
    docs="https://opentelemetry.io/docs/specs/semconv/gen-ai/",
)
