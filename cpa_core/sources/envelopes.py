"""Records inside the lines of a log or the messages of a queue: where they stand in such an envelope.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html and /S3Export.html,
https://docs.aws.amazon.com/cli/latest/reference/logs/filter-log-events.html and /get-query-results.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html,
https://docs.docker.com/engine/logging/drivers/json-file/, https://docs.fluentbit.io/manual/pipeline/parsers/json,
https://vector.dev/docs/architecture/data-model/log-event/, https://cloud.google.com/logging/docs/structured-logging,
https://learn.microsoft.com/en-us/azure/azure-monitor/essentials/resource-logs-schema,
https://docs.datadoghq.com/api/latest/logs/, https://grafana.com/docs/loki/latest/reference/loki-http-api/,
https://www.elastic.co/docs/reference/ecs/ecs-base and https://docs.splunk.com/Documentation/Splunk (export, `_raw`).
An envelope is opened once. It counts only where no format fits the file as it stands.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from cpa_core.sources.conversations import decoded, raw
from cpa_core.sources.records import Reject

Placed: TypeAlias = tuple[str, Any]

PLACES: tuple[tuple[str, ...], ...] = (
    ("message",),
    ("@message",),
    ("log",),
    ("jsonPayload",),
    ("jsonPayload", "message"),
    ("textPayload",),
    ("properties",),
    ("body",),
    ("Body",),
    ("msg",),
    ("line",),
    ("_source",),
    ("_source", "message"),
    ("_raw",),
    ("result", "_raw"),
    ("MESSAGE",),
    ("attributes", "attributes"),
    ("attributes", "message"),
    ("content", "attributes"),
    ("content", "message"),
    ("Sns", "Message"),
    ("Message",),
    ("detail",),
    ("value",),
    ("data",),
    ("record",),
    ("event",),
    ("event", "original"),
    ("fields",),
    ("log", "message"),
    ("entry",),
)
"""Where a record stands in its envelope: as JSON in text, or as an object."""

TIMES: tuple[str, ...] = (
    "timestamp",
    "@timestamp",
    "time",
    "ts",
    "date",
    "Timestamp",
    "TimeGenerated",
    "receiveTimestamp",
    "_time",
)
TIMES += ("__REALTIME_TIMESTAMP", "eventTime", "ingestionTime", "Date")
"""Where an envelope has the time of what it holds; a record without a time of its own takes it."""

OWN_TIME = re.compile(r"time|date|created|sent_?at|^ts$|^start|^at$", re.IGNORECASE)
"""A key of a record that has a time of its own."""

REQUESTS = frozenset({"httpMethod", "method", "url", "path", "headers", "requestContext", "custom_id"})
"""Beside these a body is that of a request: what was answered stands elsewhere."""

SPOKEN = frozenset({"role", "content", "messages", "input", "output", "prompt", "contents", "request", "response"})
"""A record with one of these keys may be speech: its reader says why it is none."""

PREFIX = 300
"""So many characters a program that writes logs puts before the JSON of a line, such as its time and level."""
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")

CUT_AFTER, MOST_PIECES = 4_000, 64
BEGUN = re.compile(r"\{\s*\"")
RUNTIME = re.compile(r"^\S+ (?:stdout|stderr) [FP] ")
"""The beginning of each piece of a line at containerd: its time, the stream, and whether more follows.

Source: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md.
"""

WRITTEN = re.compile(r"\s*(?:\w|<\d|\[[A-Za-z]|\[\d{4}-)")
"""How a line of a log begins that is no JSON."""

NO_JSON = "a line of the log that is no JSON"
CUT = "a line of the log whose JSON is cut off or damaged"
FOREIGN = "a record of the log that is none of this format"


def step(path: tuple[str, ...]) -> str:
    """The step of a route that opens the envelope at this path."""
    return f"{{{'.'.join(path)}}}"


STEPS = {step(path): path for path in PLACES}
"""The path of each step that opens an envelope."""


def inside(tree: Any, path: tuple[str, ...]) -> Any:
    """The record at a path of an envelope, with the envelope's time where it has none; None where none stands there."""
    outer = _named(tree)
    held: Any = outer
    for key in path:
        held = held.get(key) if isinstance(held, dict) else None
    if isinstance(held, str):
        held = json_of(held)
    if not isinstance(held, dict | list) or not held or (path == ("body",) and REQUESTS & outer.keys()):
        return None
    if type(held) is dict and (held.get("@timestamp") or not any(map(OWN_TIME.search, held))):
        at = next((found for one in (held, outer, outer.get(path[0])) for found in _times(one)), None)
        return held if at is None else {"timestamp": at, **held}
    return held


def _times(tree: Any) -> Iterator[Any]:
    return (tree[key] for key in TIMES if isinstance(tree, dict) and tree.get(key) not in (None, ""))


def _named(tree: Any) -> dict[str, Any]:
    """An envelope as an object; Logs Insights has a list of its fields, Loki a pair of the time and the line."""
    if isinstance(tree, dict):
        return tree
    if not isinstance(tree, list):
        return {}
    if tree and all(isinstance(one, dict) and {"field", "value"} <= one.keys() for one in tree):
        return {str(one["field"]): one["value"] for one in tree}
    if len(tree) in (2, 3) and isinstance(tree[0], str) and tree[0].isdecimal() and isinstance(tree[1], str):
        return {"timestamp": tree[0], "line": tree[1]}
    return {}


def json_of(text: str) -> Any:
    """The object or list that is the whole of a text, but for what a program that writes logs puts before it."""
    text = text.strip()
    begin = 0 if text[:1] in ("{", "[") else text.find("{", 0, PREFIX)
    if begin < 0 or text[-1:] not in ("}", "]"):
        return None
    try:
        return decoded(text[begin:])
    except ValueError:
        return _after_bracket(text) if not begin and text[0] == "[" else None


def _after_bracket(text: str) -> Any:
    """The object behind words in brackets, such as `[INFO]`."""
    begin = text.find("{", 0, PREFIX)
    try:
        return decoded(text[begin:]) if begin > 0 else None
    except ValueError:
        return None


def of_line(line: str) -> dict[str, Any] | None:
    """A line of a log that is text, as an envelope: its time, and the whole of it. None: no JSON ends it."""
    if not WRITTEN.match(line) or json_of(line) is None:
        return None
    at = TIME.search(line, 0, PREFIX)
    before = line.find("{")
    return {"message": line, **({"timestamp": at[0].replace(",", ".")} if at and at.start() < before else {})}


def of_text(line: str) -> dict[str, Any]:
    """A line of a log that is text, whatever ends it."""
    return of_line(line) or {"message": line}


def joined(lines: Iterable[Placed | Reject], path: tuple[str, ...]) -> Iterator[Placed | Reject]:
    """The lines of a log, those that a container's runtime cut in pieces put together.

    Docker and containerd cut what a program writes after 16 KB; the pieces follow each other.
    """
    held: list[Placed] = []
    for one in lines:
        text = None if isinstance(one, Reject) else _text(one[1], path)
        if isinstance(one, Reject) or text is None:
            yield from [*held, one]
            held = []
        elif held and (whole := _whole([*(_text(tree, path) for _, tree in held), text])) is not None:
            yield held[0][0], {**held[0][1], path[-1]: whole}
            held = []
        elif (held and len(held) < MOST_PIECES) or _is_begun(text):
            held.append(one)
        else:
            yield from [*held, one]
            held = []
    yield from held


def _text(tree: Any, path: tuple[str, ...]) -> str | None:
    """The text of an envelope that holds it at its top."""
    held = tree.get(path[0]) if isinstance(tree, dict) and len(path) == 1 else None
    return held if isinstance(held, str) else None


def _is_begun(text: str) -> bool:
    """Whether a text is the first piece of JSON that was cut."""
    return len(text) >= CUT_AFTER and BEGUN.search(text, 0, PREFIX) is not None and json_of(text) is None


def _whole(pieces: Sequence[str | None]) -> str | None:
    """The text that pieces make, where its JSON is whole; what the runtime wrote before each is left out."""
    begun, *others = (RUNTIME.sub("", one or "").removesuffix("\n") for one in pieces)
    text = begun + "".join(others)
    return text if json_of(text) is not None else None


def not_inside(place: str, tree: Any, path: tuple[str, ...]) -> Reject:
    """The reject of an envelope that holds no record: a loss only where the JSON in it is damaged."""
    held: Any = _named(tree)
    for key in path:
        held = held.get(key) if isinstance(held, dict) else None
    if isinstance(held, str) and BEGUN.search(held, 0, PREFIX):
        return Reject(place, CUT, raw(tree))
    return Reject(place, NO_JSON, "{}", loss=False)


def may_be_speech(tree: Any) -> bool:
    """Whether a record that bears no sign of its format must be looked at all the same."""
    return not isinstance(tree, dict) or bool(SPOKEN & tree.keys())
