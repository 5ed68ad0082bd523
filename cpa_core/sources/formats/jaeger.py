"""Traces of Jaeger, as its page downloads them and its API has them: the same spans of OpenTelemetry in other keys.

Sources: https://www.jaegertracing.io/docs/next-release/apis/ (the JSON of the query service, `/api/traces`), and
https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/ (attributes are tags, an event is a log whose field
`event` has its name). Times are microseconds since 1970.
"""

from collections.abc import Iterator
from typing import Any

from cpa_core.sources import columns
from cpa_core.sources.files import File
from cpa_core.sources.formats.otel_genai import OTLP
from cpa_core.sources.formats.talks import list_at
from cpa_core.sources.records import Reject
from cpa_core.sources.trees import Placed, Trees


class _Spans:
    """The records of a file as spans of OTLP, each time they are gone through."""

    def __init__(self, records: Trees) -> None:
        self.records = records

    def __iter__(self) -> Iterator[Placed | Reject]:
        for one in self.records:
            yield one if isinstance(one, Reject) else (one[0], _span(one[1]))


def _span(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    parents = [one for one in list_at(tree, "references") if isinstance(one, dict) and one.get("refType") == "CHILD_OF"]
    parent = next((one.get("spanID") for one in parents), tree.get("parentSpanID"))
    start, lasted = tree.get("startTime"), tree.get("duration")
    found = {"traceId": tree.get("traceID"), "spanId": tree.get("spanID"), "parentSpanId": parent or None}
    found |= {"name": tree.get("operationName"), "attributes": _tags(tree, "tags"), "events": _events(tree)}
    if type(start) is int:
        found["startTimeUnixNano"] = start * 1_000
        found["endTimeUnixNano"] = (start + (lasted if type(lasted) is int else 0)) * 1_000
    return found


def _tags(tree: dict[str, Any], key: str) -> dict[str, Any]:
    return {str(one["key"]): one.get("value") for one in list_at(tree, key) if isinstance(one, dict) and "key" in one}


def _events(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """The logs of a span: of each, the field `event` is the name, and the others are what it says."""
    found = [_tags(one, "fields") for one in list_at(tree, "logs") if isinstance(one, dict)]
    return [{"name": one.pop("event", ""), "attributes": one} for one in found]


def _read(file: File, records: Trees) -> Iterator[columns.Found]:
    return OTLP.read(file, _Spans(records))


JAEGER = OTLP._replace(
    name="jaeger",
    title="traces of Jaeger",
    signs=("traceID spanID operationName startTime", "traceID spanID operationName startTime tags[].key logs[]"),
    read=_read,
    docs="https://www.jaegertracing.io/docs/next-release/apis/",
    times="startTime and duration of the span, in microseconds",
)
