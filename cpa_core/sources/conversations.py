"""JSON of the seed tool's form, and JSON Lines: conversations, or messages that name theirs."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from cpa_core.errors import SourceError
from cpa_core.sources import columns, documents, fields, regular
from cpa_core.sources.documents import DECODER, Window, members
from cpa_core.sources.files import File
from cpa_core.sources.records import Draft, Reject, SourceRecord, moment, whole
from cpa_core.sources.sessions import id_of_row, key_of_row

MESSAGE_KEYS = frozenset({"role", "content", "timestamp", "message_id"})
CONVERSATION_KEYS = frozenset({"messages", "user_id"})
LINE_KEYS = MESSAGE_KEYS | {"conversation_id", "user_id"}

Line = tuple[int, str]
_ENCODER = json.JSONEncoder(ensure_ascii=False)

Several: TypeAlias = Callable[[File, str, dict[str, Any]], Iterable[Draft | Reject]]
"""Reads a message whose content is a list of parts: the drafts of what it says and holds."""


def from_map(file: File) -> Iterator[SourceRecord | Draft | Reject]:
    """`{conversation_id: {"messages": [{role, content, timestamp?, message_id?}], user_id?}}`."""
    window = Window(file.name, documents.text(file.name, file.content))
    if window.peek() != "{":
        tree = window.value()
        window.end()
        reason = f"an object of conversations by id is needed, this is a {fields.kind(tree)}"
        raise SourceError(f"{file.name}: top level: {reason}")
    for conversation_id, tree in members(window):
        yield from conversation(file, conversation_id, tree)
    window.end()


def conversation(file: File, conversation_id: str, tree: Any) -> Iterator[SourceRecord | Draft | Reject]:
    """The messages of one conversation; as one record where none of them has a time."""
    place = whole(conversation_id.strip()) or "(blank conversation id)"
    try:
        messages, user_id, metadata = _parts(conversation_id, file.mapped(tree))
    except ValueError as error:
        yield Reject(place, str(error), raw(tree))
        return
    if not messages:
        yield Reject(place, "no messages", "{}", loss=False)
    said: list[Draft] = []
    for n, message in enumerate(messages):
        where = f"{place}: messages.{n}"
        try:
            found = _message(file, message, MESSAGE_KEYS)
        except ValueError as error:
            yield Reject(where, str(error), raw(message))
        else:
            said.append(found._replace(place=where, conversation_id=whole(conversation_id), user_id=user_id))
    if said and all(
        one.sent_at is None for one in said
    ):  # what is known of it by its id gives its messages their times
        yield SourceRecord(place, "conversation", whole(conversation_id), user_id, None, None, tuple(said), 0, metadata)
    else:
        yield from (one._replace(conversation_metadata=metadata) for one in said)


def raw(tree: Any) -> str:
    """Return the text of a rejected record."""
    return whole(_ENCODER.encode(tree))


def _parts(conversation_id: str, tree: Any) -> tuple[list[Any], str | None, str | None]:
    """Messages, user id and what else a conversation says about itself."""
    messages = tree.get("messages") if isinstance(tree, dict) else None
    if not isinstance(messages, list):
        raise ValueError('an object with a list "messages" is needed')
    fields.once(tree)
    if messages and not conversation_id.strip():
        raise ValueError("conversation_id: blank")
    return messages, fields.identity("user_id", tree.get("user_id")), fields.rest(tree, CONVERSATION_KEYS)


def _message(file: File, tree: Any, known: frozenset[str]) -> Draft:
    """A message without its place and conversation."""
    message = file.message(tree)
    if not isinstance(message, dict):
        raise ValueError(f"an object with role and content is needed, this is a {fields.kind(message)}")
    fields.once(message)
    role, content = fields.role(message.get("role")), fields.content(message)
    message_id = fields.identity("message_id", message.get("message_id"))
    sent_at, zone_assumed = moment(message.get("timestamp"), file.zone)
    extra = fields.rest(message, known)
    return Draft("", "", message_id, None, role, content, sent_at, extra, None, zone_assumed=zone_assumed)


def from_lines(file: File, several: Several | None = None) -> Iterator[columns.Found]:
    """JSON Lines: `{role, content, conversation_id (or session_id, user_id), ...}`, one message a line."""
    if (regular_file := regular.lines_drafts(file)) is not None:
        yield regular_file
        return
    lines = enumerate(documents.lines(file.name, file.content, newline="\n"), 1)
    written = ((number, line) for number, line in lines if not line.isspace())
    while found := list(islice(written, columns.CHUNK)):
        part = [(number, line) for number, line in found if documents.is_utf8(line)]
        for number, line in found if len(part) < len(found) else ():
            if not documents.is_utf8(line):
                yield Reject(f"line {number}", documents.NOT_UTF8, documents.with_bytes_shown(line.strip()))
        plain = _plain(file, part)
        yield from [plain] if plain is not None else _careful(file, part, several)


def decoded(line: str, decoder: json.JSONDecoder = DECODER) -> Any:
    """One line of JSON. Raises ValueError with the reason."""
    try:
        return decoder.decode(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError("lists or objects nested too deeply") from None
    except ValueError:
        raise ValueError("a number with too many digits") from None


def _plain(file: File, part: Sequence[Line]) -> columns.Table | None:
    """Where every line is an object of the same keys in the same order, and its fields are text or null."""
    try:
        trees = [DECODER.decode(line) for _, line in part]
    except (ValueError, RecursionError):
        return None
    if {type(tree) for tree in trees} != {dict} or len(shapes := {tuple(tree) for tree in trees}) != 1:
        return None
    written = shapes.pop()
    if not file.is_plain(written):
        return None
    keys = [file.ours(key) for key in written]
    if not keys or len(set(keys)) != len(keys) or not {"role", "content"} <= set(keys):
        return None
    cells = dict(zip(keys, zip(*(tree.values() for tree in trees), strict=True), strict=True))
    kinds = {kind for key in LINE_KEYS & cells.keys() for kind in set(map(type, cells[key]))}
    if not kinds <= {str, type(None)} or not {"conversation_id", "user_id"} & cells.keys():
        return None
    if None in set(cells["content"]):
        cells["content"] = tuple(value or "" for value in cells["content"])
    return columns.drafts([number for number, _ in part], cells, LINE_KEYS, file)


def _careful(
    file: File, part: Sequence[Line], several: Several | None = None
) -> Iterator[SourceRecord | Draft | Reject]:
    for number, line in part:
        try:
            tree = decoded(line)
        except ValueError as error:
            yield Reject(f"line {number}", str(error), whole(line.strip()))
            continue
        yield from one_line(file, f"line {number}", tree, several)


def one_line(
    file: File, place: str, tree: Any, several: Several | None = None
) -> Iterator[SourceRecord | Draft | Reject]:
    """A message that names its conversation, or a conversation that holds its messages."""
    fields_of = file.mapped(tree)
    if isinstance(fields_of, dict) and isinstance(fields_of.get("messages"), list):
        yield from _whole_conversation(file, place, fields_of)
        return
    try:
        parts = several is not None and isinstance(fields_of, dict) and isinstance(fields_of.get("content"), list)
        group = key_of_row(fields_of, sessions=file.sessions.of_rows) if isinstance(fields_of, dict) else ""
        found = _message(file, {**fields_of, "content": ""} if parts else fields_of, LINE_KEYS | {group})
        conversation_id = id_of_row(group, fields_of)
        user_id = fields.identity("user_id", fields_of.get("user_id"))
    except ValueError as error:
        yield Reject(place, str(error), raw(tree))
    else:
        by_user = group == "user_id"
        found = found._replace(place=place, conversation_id=conversation_id, user_id=user_id, by_user=by_user)
        yield from _with_parts(file, found, fields_of, several) if parts and several else [found]


def _with_parts(file: File, found: Draft, tree: dict[str, Any], several: Several) -> Iterator[Draft | Reject]:
    """The drafts of a message of parts, each with what its row says of it."""
    own: dict[str, Any] = {word: tree[word] for word in ("role", "content", "timestamp", "message_id") if word in tree}
    for made in several(file, found.place, own):
        if isinstance(made, Reject):
            yield made
        else:
            yield made._replace(conversation_id=found.conversation_id, user_id=found.user_id, by_user=found.by_user)


def _whole_conversation(file: File, place: str, tree: dict[str, Any]) -> Iterator[SourceRecord | Draft | Reject]:
    key = "conversation_id" if "conversation_id" in tree else "id"
    try:
        fields.once(tree)
        conversation_id = fields.identity("conversation_id", tree.get(key))
        if conversation_id is None:
            raise ValueError("conversation_id: missing")
    except ValueError as error:
        yield Reject(place, str(error), raw(tree))
        return
    own = {name: value for name, value in tree.items() if name != key}
    for found in conversation(file, conversation_id, own):
        if isinstance(found, SourceRecord):
            said = tuple(one._replace(place=f"{place}: {one.place}") for one in found.messages)
            yield found._replace(place=f"{place}: {found.place}", messages=said)
        else:
            yield found._replace(place=f"{place}: {found.place}")
