"""Cutting a file into records: JSON of the seed tool's form, and CSV. One line in a table for each format."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from cpa_core.errors import SourceError
from cpa_core.sources.records import Draft, Record, Reject, as_json, filled, moment, whole

MESSAGE_KEYS = frozenset({"role", "content", "timestamp", "message_id"})
CONVERSATION_KEYS = frozenset({"messages", "user_id"})
CSV_COLUMNS = frozenset({"user_id", "conversation_id", "role", "content", "message_id", "timestamp"})

csv.field_size_limit(sys.maxsize)  # the default of 128 KiB refuses long messages


def parse(name: str, content: bytes, midnight: datetime | None) -> tuple[list[Record], list[Reject]]:
    """The records of a file and those it rejects. `midnight` begins the day of messages without times.

    Raises SourceError when the file as a whole cannot be read or none of its records can, and DayNeeded when
    a time is missing and no day is given.
    """
    form = FORMATS.get(name.rsplit(".", 1)[-1].lower())
    if form is None:
        raise SourceError(f"{name}: not a .json or .csv file")
    drafts: list[Draft] = []
    rejects: list[Reject] = []
    for found in form(name, content):
        if isinstance(found, Draft):
            drafts.append(found)
        else:
            rejects.append(found)
    lost = [reject for reject in rejects if reject.loss]
    if lost and not drafts:
        raise SourceError(f"{name}: {lost[0].place}: {lost[0].reason}")
    records, contradictions = filled(name, drafts, midnight)
    return records, rejects + contradictions


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{name}: line {line}: not UTF-8 (byte {error.start})") from None


def from_json(name: str, content: bytes) -> Iterator[Draft | Reject]:
    """`{conversation_id: {"messages": [{role, content, timestamp?, message_id?}], user_id?}}`."""
    for conversation_id, conversation in _conversations(name, _text(name, content)).items():
        place = whole(conversation_id.strip()) or "(blank conversation id)"
        try:
            messages, user_id, metadata = _parts(conversation_id, conversation)
        except ValueError as error:
            yield Reject(place, str(error), whole(json.dumps(conversation, ensure_ascii=False)))
            continue
        if not messages:
            yield Reject(place, "no messages", "{}", loss=False)
        for n, message in enumerate(messages):
            where = f"{place}: messages.{n}"
            try:
                role, text, message_id, sent_at, extra = _message(message)
            except ValueError as error:
                yield Reject(where, str(error), whole(json.dumps(message, ensure_ascii=False)))
            else:
                ids = (whole(conversation_id), message_id, user_id)
                yield Draft(where, *ids, role, text, sent_at, extra, metadata)


def _conversations(name: str, text: str) -> dict[str, Any]:
    try:
        # Python's own writer puts NaN where pandas has a missing value; JSON knows no such word.
        tree = json.loads(text, object_pairs_hook=_object, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        raise SourceError(f"{name}: line {error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise SourceError(f"{name}: top level: lists or objects nested too deeply") from None
    except ValueError:
        raise SourceError(f"{name}: top level: a number with too many digits") from None
    if not isinstance(tree, dict):
        raise SourceError(f"{name}: top level: an object of conversations by id is needed, this is a {_kind(tree)}")
    if isinstance(tree, _Repeating):
        raise SourceError(f"{name}: {whole(tree.key)}: this key occurs twice in one object")
    return tree


class _Repeating(dict[str, Any]):
    """A JSON object in which `key` occurs twice: one of its values is lost here."""

    key: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeating = _Repeating(found)
    repeating.key = Counter(key for key, _ in pairs).most_common(1)[0][0]
    return repeating


def _parts(conversation_id: str, conversation: Any) -> tuple[list[Any], str | None, str | None]:
    """Messages, user id and what else a conversation says about itself."""
    messages = conversation.get("messages") if isinstance(conversation, dict) else None
    if not isinstance(messages, list):
        raise ValueError('an object with a list "messages" is needed')
    _once(conversation)
    if messages and not conversation_id.strip():
        raise ValueError("conversation_id: blank")
    return messages, _identity("user_id", conversation.get("user_id")), _rest(conversation, CONVERSATION_KEYS)


def _message(message: Any) -> tuple[str, str, str | None, datetime | None, str | None]:
    if not isinstance(message, dict):
        raise ValueError(f"an object with role and content is needed, this is a {_kind(message)}")
    _once(message)
    return (
        _role(message.get("role")),
        _content(message),
        _identity("message_id", message.get("message_id")),
        moment(message.get("timestamp")),
        _rest(message, MESSAGE_KEYS),
    )


def _once(fields: dict[str, Any]) -> None:
    if isinstance(fields, _Repeating):
        raise ValueError(f"{whole(fields.key)}: this key occurs twice in one object")


def _rest(fields: dict[str, Any], known: frozenset[str]) -> str | None:
    if fields.keys() <= known:
        return None
    return as_json({key: value for key, value in fields.items() if key not in known})


def from_csv(name: str, content: bytes) -> Iterator[Draft | Reject]:
    """Columns role, content, one of user_id and conversation_id, optional message_id and timestamp."""
    _text(name, content)  # names the line that is not UTF-8; the whole text is not held beside its rows
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")
    reader = csv.reader(lines, strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        _check_header(name, header)
        begins = reader.line_num + 1
        for row in reader:
            place, begins = f"line {begins}", reader.line_num + 1
            try:
                if row:
                    yield _draft_of_csv(place, header, row)
            except ValueError as error:
                yield Reject(place, str(error), as_json(row))
    except csv.Error as error:
        raise SourceError(f"{name}: line {reader.line_num}: not CSV: {error}") from None


def _check_header(name: str, header: list[str]) -> None:
    missing = [column for column in ("role", "content") if column not in header]
    if "conversation_id" not in header and "user_id" not in header:
        missing.append("conversation_id (or user_id)")
    if missing:
        # What stands there may be a message, where somebody left the header out: it is counted, not shown.
        raise SourceError(f"{name}: line 1: missing columns: {', '.join(missing)} ({len(header)} columns found)")
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if repeated:
        raise SourceError(f"{name}: line 1: columns that occur twice: {', '.join(map(repr, repeated))}")


def _draft_of_csv(place: str, header: list[str], row: list[str]) -> Draft:
    if len(row) != len(header):
        raise ValueError(f"{len(row)} fields where the header has {len(header)}")
    cells = dict(zip(header, row, strict=True))
    group = "conversation_id" if "conversation_id" in cells else "user_id"
    if not cells[group].strip():
        raise ValueError(f"{group}: blank")
    return Draft(
        place=place,
        # One text for all its rows: a file repeats these in every line.
        conversation_id=sys.intern(cells[group]),
        message_id=_identity("message_id", cells.get("message_id")),
        user_id=_identity("user_id", cells.get("user_id")),
        role=_role(cells["role"]),
        content=cells["content"],
        sent_at=moment(cells.get("timestamp")),
        metadata=_rest(cells, CSV_COLUMNS),
        conversation_metadata=None,
    )


def _identity(key: str, value: Any) -> str | None:
    if isinstance(value, str):
        return whole(value) if value.strip() else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: text or a number is needed, this is a {_kind(value)}")
    return str(value)


def _role(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("role: missing" if value is None else "role: a word is needed")
    return sys.intern(whole(value.strip().lower()))


def _content(message: dict[str, Any]) -> str:
    if "content" not in message:
        raise ValueError("content: missing")
    value = message["content"]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"content: text is needed, this is a {_kind(value)}")
    return whole(value)


def _kind(value: object) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "truth value", type(None): "null"}
    return names.get(type(value), "object" if isinstance(value, dict) else "number")


FORMATS: dict[str, Callable[[str, bytes], Iterator[Draft | Reject]]] = {"json": from_json, "csv": from_csv}
"""One line a format, by the ending of the file's name."""
