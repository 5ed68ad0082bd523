"""Records inside the lines of a log or the messages of a queue: where they stand in such an envelope.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html and /S3Export.html,
https://docs.aws.amazon.com/cli/latest/reference/logs/filter-log-events.html and /get-query-results.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html,
https://docs.docker.com/engine/logging/drivers/json-file/, https://docs.fluentbit.io/manual/pipeline/parsers/json,
https://vector.dev/docs/architecture/data-model/log-event/, https://cloud.google.com/logging/docs/structured-logging,
https://learn.microsoft.com/en-us/azure/azure-monitor/essentials/resource-logs-schema,
https://docs.datadoghq.com/api/latest/logs/, https://grafana.com/docs/loki/latest/reference/loki-http-api/,
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-example.html, https://debezium.io/documentation (`after`),
https://docs.airbyte.com/platform/using-airbyte/core-concepts/typing-deduping (`_airbyte_data`),
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html,
https://www.elastic.co/docs/reference/ecs/ecs-base and https://docs.splunk.com/Documentation/Splunk (export, `_raw`).
An envelope is opened once. It counts only where no format fits the file as it stands.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from cpa_core.sources.conversations import decoded, raw
from cpa_core.sources.cut_json import LINE, PREFIX, begins_record
from cpa_core.sources.records import Reject, moment

Placed: TypeAlias = tuple[str, Any]

PLACES: tuple[tuple[str, ...], ...] = (
    ("message",),
    ("@message",),
    ("log",),
    ("jsonPayload",),
    ("jsonPayload", "message"),
    ("textPayload",),
    ("properties",),
    ("Properties",),
    ("customDimensions",),
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
    ("meta",),
    ("extra",),
    ("context",),
    ("record", "extra"),
    ("Item",),
    ("dynamodb", "NewImage"),
    ("NewImage",),
    ("payload", "after"),
    ("after",),
    ("_airbyte_data",),
    ("kinesis", "data"),
    ("message", "data"),
    (),
)
"""Where a record stands in its envelope: as JSON in text, or as an object.

At (), a record itself has its values with their types: see `_untyped`.
"""

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
TIMES += ("TimeGenerated [UTC]", "timestamp [UTC]", "__REALTIME_TIMESTAMP", "eventTime", "ingestionTime", "Date")
TIMES += ("@t", "asctime", "publishTime", "publish_time", "enqueuedTimeUtc", "approximateArrivalTimestamp")
"""Where an envelope has the time of what it holds; a record without a time of its own takes it."""

EVENT_TIMES = (*TIMES, "created_at", "createdAt", "occurred_at", "occurredAt", "sent_at", "sentAt", "created")
"""Where an event has the time of the one record in it."""

OWN_TIME = re.compile(
    r"^(?:timestamp|time|date|datetime|ts|at|created|sent|start)$"
    r"|(?:_(?:at|time|date|ts|timestamp)|Time|Date|At|Timestamp|UnixNano)$"
)
"""A key of a record that has a time of its own."""

MARKS = frozenset({"level", "levelname", "severity", "lvl", "@l", "@mt", "@m", "pid", "hostname", "specversion"})
"""A record with one of these keys, and a time under TIMES, is a line of a log or an event, and has its time.

Sources: https://getpino.io/#/docs/api (time, level, pid, hostname), https://github.com/trentm/node-bunyan#core-fields,
https://github.com/winstonjs/winston#formats, https://www.structlog.org (level, timestamp), zap's
https://pkg.go.dev/go.uber.org/zap (level, ts), https://github.com/serilog/serilog-formatting-compact (@t, @l, @mt),
https://loguru.readthedocs.io (record.extra), and
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md (specversion, time, data).
"""

LOGGED = MARKS | frozenset(TIMES)

CONVERSATIONS = tuple(f"{word}{end}" for word in ("conversation", "session", "thread", "chat") for end in ("_id", "Id"))
USERS = ("user_id", "userId")
"""Keys under which an envelope may name the conversation or user of what it holds."""

REQUESTS = frozenset({"httpMethod", "method", "url", "path", "headers", "requestContext", "custom_id"})
"""Beside these a body is that of a request: what was answered stands elsewhere."""

SPOKEN = frozenset({"role", "content", "messages", "input", "output", "prompt", "contents", "request", "response"})
"""A record with one of these keys may be speech: its reader says why it is none."""

TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")

CUT_AFTER, MOST_PIECES = 4_000, 64
RUNTIME = re.compile(r"^\S+ (?:stdout|stderr) [FP] ")
"""The beginning of each piece of a line at containerd: its time, the stream, and whether more follows.

Source: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md.
"""

WRITTEN = re.compile(r"\s*(?:\w|<\d|\[[A-Za-z]|\[\d{4}-)")
"""How a line of a log begins that is no JSON."""

NO_JSON = "a line of the log that is no JSON"
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
    if type(held) is not dict:
        return held
    if _is_typed(held):
        held = {key: _untyped(value) for key, value in held.items()}
    elif not path:
        return None
    return held if path == () else _timed(_identified(held, outer), outer, path[0])


def of_event(held: Any, event: dict[str, Any]) -> Any:
    """The record in an event, with the conversation, user and time that only the event names.

    So webhooks write what they send: https://github.com/standard-webhooks/standard-webhooks (`type`, `timestamp`,
    `data`), https://docs.stripe.com/api/events (`created`, `data`).
    """
    if type(held) is not dict:
        return held
    at = next((event[key] for key in EVENT_TIMES if key in event and _may_be_time(event[key])), None)
    held = _identified(held, event)
    return held if at is None else timed_as(held, at)


def _may_be_time(value: Any) -> bool:
    try:
        return moment(value)[0] is not None
    except ValueError as error:
        return "--times" in str(error)  # a time whose order of day and month is decided for the whole file


def _identified(held: dict[str, Any], outer: dict[str, Any]) -> dict[str, Any]:
    """A record with the conversation and user that only its envelope names."""
    found: dict[str, Any] = {}
    for keys, own in ((CONVERSATIONS, {*CONVERSATIONS, "id"}), (USERS, {*USERS, "user"})):
        if not held.keys() & own:
            found |= {key: outer[key] for key in keys if type(outer.get(key)) in (str, int) and outer[key] != ""}
    if "userId" in found:
        found = {"user_id": found["userId"], **found}
    return {**found, **held} if found else held


def _timed(held: dict[str, Any], outer: dict[str, Any], first: str) -> dict[str, Any]:
    """A record with the time of its envelope, where it has none of its own under a name that readers know."""
    at = next((found for one in (held, outer, outer.get(first)) for found in _times(one)), None)
    return held if at is None else timed_as(held, at)


TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
FIRESTORE = frozenset({"stringValue", "integerValue", "doubleValue", "booleanValue", "timestampValue", "nullValue"})
FIRESTORE |= {"mapValue", "arrayValue", "referenceValue"}
"""The types by which DynamoDB and Firestore name each value.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html,
https://firebase.google.com/docs/firestore/reference/rest/v1/Value.
"""


def has_types(tree: Any) -> bool:
    """Whether the values of a record, or of the only one in it, stand with their types."""
    if type(tree) is not dict or not tree:
        return False
    return _is_typed(tree) or (len(tree) == 1 and has_types(next(iter(tree.values()))))


def _is_typed(tree: dict[str, Any]) -> bool:
    return all(type(one) is dict and len(one) == 1 and next(iter(one)) in TYPES | FIRESTORE for one in tree.values())


def _untyped(value: Any) -> Any:
    """A value of DynamoDB or Firestore without its type."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, held),) = value.items()
    if kind in ("L", "M", "mapValue", "arrayValue"):
        inner = (
            held.get("fields", held.get("values", [])) if kind.endswith("Value") and isinstance(held, dict) else held
        )
        if isinstance(inner, list):
            return list(map(_untyped, inner))
        return {key: _untyped(one) for key, one in inner.items()} if isinstance(inner, dict) else inner
    return None if kind in ("NULL", "nullValue") else held


def _times(tree: Any) -> Iterator[Any]:
    found = (tree[key] for key in TIMES if isinstance(tree, dict) and tree.get(key) not in (None, ""))
    return (one.get("timestamp", one) if isinstance(one, dict) else one for one in found)


def time_key(tree: Any) -> str | None:
    """The key under which a line of a log, or an event, has its time; None for a record that is neither."""
    if type(tree) is not dict or tree.keys().isdisjoint(MARKS):
        return None
    return next((key for key in TIMES if tree.get(key) not in (None, "", [], {})), None)


def timed_as(tree: Any, at: Any) -> Any:
    """A record with this time, if it has none of its own under a name that readers know."""
    if type(tree) is not dict or any(OWN_TIME.search(key) and value not in (None, "") for key, value in tree.items()):
        return tree
    return {**tree, "timestamp": at}


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
    if text.startswith(("eyJ", "ewo")):
        return _of_base64(text)
    begin = 0 if text[:1] in ("{", "[") else text.find("{", 0, PREFIX)
    if begin < 0 or text[-1:] not in ("}", "]"):
        return None
    try:
        return decoded(text[begin:])
    except ValueError:
        return _after_bracket(text) if not begin and text[0] == "[" else None


def _of_base64(text: str) -> Any:
    """The JSON that a text has in base 64, as Kinesis and Pub/Sub write it."""
    try:
        return decoded(base64.b64decode(text, validate=True).decode())
    except ValueError:
        return None


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
    return len(text) >= CUT_AFTER and begins_record(text) and json_of(text) is None


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
    if isinstance(held, str) and begins_record(held):
        return Reject(place, LINE, raw(tree))
    return Reject(place, NO_JSON, "{}", loss=False)


def may_be_speech(tree: Any) -> bool:
    """Whether a record that bears no sign of its format must be looked at all the same."""
    return not isinstance(tree, dict) or bool(SPOKEN & tree.keys())
