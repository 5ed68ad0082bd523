"""Cutting a file into records: JSON of the seed tool's form, and CSV. One line in a table for each format."""

import csv
import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cpa_core.errors import DayNeeded, SourceError
from cpa_core.models import Value, message_hash

MESSAGE_KEYS = frozenset({"role", "content", "timestamp", "message_id"})
CSV_COLUMNS = frozenset({"user_id", "conversation_id", "role", "content", "message_id", "timestamp"})

csv.field_size_limit(sys.maxsize)  # the default of 128 KiB refuses long messages


class Record(Value):
    """One message as a file gives it, with every id and time it lacks filled in from its content."""

    place: str
    ordinal: int
    conversation_id: str
    message_id: str
    id_given: bool
    user_id: str | None
    role: str
    content: str
    sent_at: datetime
    time_assumed: bool
    metadata: dict[str, Any] = {}


class Reject(Value):
    """One record that is not used: its place in the file, the rule it breaks, and the record itself.

    `loss` is false where nothing a person wrote is missing, such as a conversation without messages.
    """

    place: str
    reason: str
    raw: str
    loss: bool = True


class Draft(Value):
    """A record before ids and times are filled in."""

    place: str
    conversation_id: str
    message_id: str | None
    user_id: str | None
    role: str
    content: str
    sent_at: datetime | None
    metadata: dict[str, Any]


def parse(name: str, content: bytes, midnight: datetime | None) -> tuple[list[Record], list[Reject]]:
    """The records of a file and those it rejects. `midnight` begins the day of messages without times.

    Raises SourceError when the file as a whole cannot be read or none of its records can, and DayNeeded when
    a time is missing and no day is given.
    """
    form = FORMATS.get(name.rsplit(".", 1)[-1].lower())
    if form is None:
        raise SourceError(f"{name}: not a .json or .csv file")
    drafts, rejects = form(name, _text(name, content))
    lost = [reject for reject in rejects if reject.loss]
    if lost and not drafts:
        raise SourceError(f"{name}: {lost[0].place}: {lost[0].reason}")
    records, contradictions = _filled(name, drafts, midnight)
    return records, rejects + contradictions


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name}: byte {error.start}: not UTF-8") from None


def from_json(name: str, text: str) -> tuple[list[Draft], list[Reject]]:
    """`{conversation_id: {"messages": [{role, content, timestamp?, message_id?}], user_id?}}`."""
    try:
        tree = json.loads(text, object_pairs_hook=_unique)
    except _RepeatedKey as repeated:
        raise SourceError(f"{name}: {repeated}: this key occurs twice in one object") from None
    except json.JSONDecodeError as error:
        raise SourceError(f"{name}: line {error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(tree, dict):
        raise SourceError(
            f"{name}: top level: an object of conversations by id is needed, this is a {_kind(tree)}"
        )
    drafts: list[Draft] = []
    rejects: list[Reject] = []
    for conversation_id, conversation in tree.items():
        messages = _messages(name, conversation_id, conversation)
        if not messages:
            rejects.append(Reject(place=whole(conversation_id), reason="no messages", raw="{}", loss=False))
        for place, message in messages:
            try:
                drafts.append(_draft_of_json(place, conversation_id, conversation, message))
            except ValueError as error:
                raw = json.dumps(message, ensure_ascii=False)
                rejects.append(Reject(place=place, reason=str(error), raw=whole(raw)))
    return drafts, rejects


class _RepeatedKey(ValueError):
    """A key that occurs twice in one JSON object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    for key, count in counts.items():
        if count > 1:
            raise _RepeatedKey(key)
    return dict(pairs)


def _messages(name: str, conversation_id: str, conversation: Any) -> list[tuple[str, Any]]:
    messages = conversation.get("messages") if isinstance(conversation, dict) else None
    if not isinstance(messages, list):
        raise SourceError(f'{name}: {conversation_id}: an object with a list "messages" is needed')
    return [(f"{conversation_id}: messages.{n}", message) for n, message in enumerate(messages)]


def _draft_of_json(place: str, conversation_id: str, conversation: dict[str, Any], message: Any) -> Draft:
    if not isinstance(message, dict):
        raise ValueError(f"an object with role and content is needed, this is a {_kind(message)}")
    if not conversation_id.strip():
        raise ValueError("conversation_id: blank")
    return Draft(
        place=place,
        conversation_id=whole(conversation_id),
        message_id=_identity("message_id", message.get("message_id")),
        user_id=_identity("user_id", conversation.get("user_id")),
        role=_role(message.get("role")),
        content=_content(message),
        sent_at=_time(message.get("timestamp")),
        metadata={key: value for key, value in message.items() if key not in MESSAGE_KEYS},
    )


def from_csv(name: str, text: str) -> tuple[list[Draft], list[Reject]]:
    """Columns role, content, one of user_id and conversation_id, optional message_id and timestamp."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [column.strip() for column in next(reader, [])]
    _check_header(name, header)
    drafts: list[Draft] = []
    rejects: list[Reject] = []
    try:
        for row in reader:
            place = f"line {reader.line_num}"
            try:
                if row:
                    drafts.append(_draft_of_csv(place, header, row))
            except ValueError as error:
                rejects.append(
                    Reject(place=place, reason=str(error), raw=json.dumps(row, ensure_ascii=False))
                )
    except csv.Error as error:
        raise SourceError(f"{name}: line {reader.line_num}: not CSV: {error}") from None
    return drafts, rejects


def _check_header(name: str, header: list[str]) -> None:
    missing = [column for column in ("role", "content") if column not in header]
    if "conversation_id" not in header and "user_id" not in header:
        missing.append("conversation_id (or user_id)")
    if missing:
        raise SourceError(
            f"{name}: line 1: missing columns: {', '.join(missing)}; found: {', '.join(header)}"
        )
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if repeated:
        raise SourceError(f"{name}: line 1: columns that occur twice: {', '.join(repeated)}")


def _draft_of_csv(place: str, header: list[str], row: list[str]) -> Draft:
    if len(row) != len(header):
        raise ValueError(f"{len(row)} fields where the header has {len(header)}")
    cells = dict(zip(header, row, strict=True))
    group = "conversation_id" if "conversation_id" in cells else "user_id"
    if not cells[group].strip():
        raise ValueError(f"{group}: blank")
    return Draft(
        place=place,
        conversation_id=cells[group],
        message_id=_identity("message_id", cells.get("message_id")),
        user_id=_identity("user_id", cells.get("user_id")),
        role=_role(cells["role"]),
        content=cells["content"],
        sent_at=_time(cells.get("timestamp")),
        metadata={key: value for key, value in cells.items() if key not in CSV_COLUMNS},
    )


def _identity(key: str, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{key}: text or a number is needed, this is a {_kind(value)}")
    return whole(str(value))


def _role(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("role: missing" if value is None else "role: a word is needed")
    return value.strip().lower()


def _content(message: dict[str, Any]) -> str:
    if "content" not in message:
        raise ValueError("content: missing")
    value = message["content"]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"content: text is needed, this is a {_kind(value)}")
    return whole(value)


def whole(text: str) -> str:
    """Text that UTF-8 can hold: half a surrogate pair becomes the replacement character."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _time(value: Any) -> datetime | None:
    """An aware time, UTC. ISO 8601; a number is seconds (or milliseconds) since 1970; no zone is taken as UTC."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int | float) or re.fullmatch(r"\d{9,13}(\.\d+)?", value.strip()):
            seconds = float(value)
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError, AttributeError):
        raise ValueError("timestamp: not an ISO 8601 time or seconds since 1970") from None


def _filled(name: str, drafts: list[Draft], midnight: datetime | None) -> tuple[list[Record], list[Reject]]:
    if midnight is None and any(d.sent_at is None for d in drafts):
        timed = {d.conversation_id for d in drafts if d.sent_at is not None}
        first = next((d for d in drafts if d.conversation_id not in timed), None)
        if first is not None:
            raise DayNeeded(f"{name}: {first.place}: timestamp: missing, so the day must be named")
    records: list[Record] = []
    rejects: list[Reject] = []
    groups: defaultdict[str, list[tuple[int, Draft]]] = defaultdict(list)
    for ordinal, draft in enumerate(drafts):
        groups[draft.conversation_id].append((ordinal, draft))
    for conversation in groups.values():
        timed_drafts = _timed(conversation, midnight)
        _identified(timed_drafts, records, rejects)
    return records, rejects


def _timed(
    conversation: list[tuple[int, Draft]], midnight: datetime | None
) -> list[tuple[int, Draft, datetime, bool]]:
    known = [draft.sent_at for _, draft in conversation if draft.sent_at is not None]
    if not known:
        assert midnight is not None
        return [(o, d, midnight + timedelta(seconds=n), True) for n, (o, d) in enumerate(conversation)]
    timed: list[tuple[int, Draft, datetime, bool]] = []
    last = known[0]
    for ordinal, draft in conversation:
        last = draft.sent_at or last
        timed.append((ordinal, draft, last, draft.sent_at is None))
    return timed


def _identified(
    conversation: Iterable[tuple[int, Draft, datetime, bool]], records: list[Record], rejects: list[Reject]
) -> None:
    seen: Counter[tuple[str, str, datetime]] = Counter()
    given: dict[str, tuple[str, str, datetime]] = {}
    for ordinal, draft, sent_at, assumed in conversation:
        words = (draft.role, draft.content, sent_at)
        if draft.message_id is not None:
            if draft.message_id in given:
                if given[draft.message_id] != words:
                    reason = "message_id: given before in this conversation with another content"
                    rejects.append(Reject(place=draft.place, reason=reason, raw=draft.model_dump_json()))
                continue
            given[draft.message_id] = words
        nth = seen[words]
        seen[words] += 1
        made = draft.message_id or message_hash(draft.conversation_id, *words, nth)
        fields = draft.model_dump(exclude={"message_id", "sent_at"})
        records.append(
            Record(
                **fields,
                ordinal=ordinal,
                message_id=made,
                id_given=draft.message_id is not None,
                sent_at=sent_at,
                time_assumed=assumed,
            )
        )


def _kind(value: object) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "truth value", type(None): "null"}
    return names.get(type(value), "number")


FORMATS: dict[str, Callable[[str, str], tuple[list[Draft], list[Reject]]]] = {
    "json": from_json,
    "csv": from_csv,
}
"""One line a format, by the ending of the file's name."""
