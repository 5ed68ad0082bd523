"""Damaged files of every format: what may be done to them, and what may land of them.

A mutation takes away, doubles, empties or retypes what stands somewhere, or changes bytes; it never touches the keys
that say whose words a text is. So nothing marked as silent may become speech, whatever is lost.
"""

import html
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

from cpa_core.errors import DayNeeded, SourceError
from cpa_core.sources import Record, Reject
from tests.formats.generated import WRITERS, layouts, talks_of
from tests.formats.marks import SILENT
from tests.formats.reading import SPOKEN, read_file

MARKERS = frozenset(
    {"role", "from", "type", "thought", "name", "eventName", "parentObservationId", "parent_observation_id", "id"}
    | {"parentSpanId", "spanId", "traceId", "trace_id", "key", "environment", "object", "toolUse", "toolResult"}
    | {"reasoningContent", "functionCall", "index", "thread_id", "schemaType", "event"}
    | {"type", "span_attributes", "span_id", "root_span_id", "span_parents", "is_root", "parent_id", "context"}
    | {"context.trace_id", "context.span_id", "span_kind", "Helicone-Session-Path", "request_properties", "event_type"}
    | {"versions", "currentlySelected", "style", "parentId", "currentId", "parentMessageId", "messageId"}
    | {"isCreatedByUser", "part_type", "public", "author_id", "requester_id", "users", "message_type", "private"}
    | {"subtype", "bot_id", "isSidechain", "isMeta", "isCompactSummary", "isApiErrorMessage"}
    | {"author", "sender", "recipient", "mapping", "parent", "current_node", "run_type", "parent_run_id", "message"}
    | {"incoming", "direction", "from_agent", "is_inbound", "is_draft", "actor_type", "ContentType", "ParticipantRole"}
    | {"Type", "messageType", "application", "automated", "bot", "isBot", "from_id", "rank", "parent_id", "message_id"}
    | {"parent_message_id", "format", "data", "contentType", "created_at"}
    | {"partial", "part_kind", "sender_type", "visibility", "ActorType", "part", "steps", "users", "thread"}
    | {"userVisible", "metadata", "session_type", "comment_id", "field_name", "aider"}
    | {"isThought", "deleted", "subtypes", "references", "displayContent", "$rewindTo", "projectHash", "kind"}
)
"""Keys that say what a text is, or where it stands in its trace."""

STRANGE = (
    None,
    0,
    -1,
    1e300,
    True,
    "",
    " ",
    "x",
    [],
    {},
    [[]],
    [None],
    {"x": {}},
    "2026-03-02",
    "\ud800",
    [{}],
    ["x", 1],
)
SPLICES = (b'"', b"\n", b",", b"{", b"}", b"[", b"]", b"\\", b"\0", b"\xff", b"\\ud800", b"NaN", b"1e999")


def spots(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a tree with each of its keys or indices that may be changed."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key not in MARKERS and not (key == "value" and tree.get("key") in MARKERS):
                yield tree, key
                yield from spots(value)
    elif isinstance(tree, list):
        for n, value in enumerate(tree):
            if not (isinstance(value, dict) and value.get("key") in MARKERS):
                yield tree, n
            yield from spots(value)


def mutate(tree: Any, chance: random.Random) -> None:
    """One change somewhere in a tree."""
    found = list(spots(tree))
    if not found:
        return
    holder, key = chance.choice(found)
    kind = chance.randrange(4)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(holder[key])))
    elif kind == 2:
        holder[key] = [holder[key]]
    else:
        holder[key] = deepcopy(chance.choice(STRANGE))  # a later change must not reach other files


def scratched(content: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, cut or put in."""
    made = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(made) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            made[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del made[at : at + chance.randint(1, 30)]
        elif kind == 2:
            made[at:at] = chance.choice(SPLICES)
        elif chance.random() < 0.3:
            del made[at:]
    return bytes(made)


def leaves(tree: Any) -> Iterator[str]:
    """Every text of a tree, also of JSON or HTML that stands in a text."""
    if isinstance(tree, dict):
        yield from (text for value in tree.values() for text in leaves(value))
    elif isinstance(tree, list):
        yield from (text for value in tree for text in leaves(value))
    elif isinstance(tree, str):
        yield tree
        yield html.unescape(tree).replace("<br>", "\n")
        with suppress(ValueError, RecursionError):
            yield from leaves(json.loads(tree) if tree.lstrip()[:1] in ("{", "[", '"') else None)


def fault(writer: str, seed: int) -> str:
    """What is wrong with how a damaged file of this writer lands; empty, if all is well. Raises what reading does."""
    chance = random.Random(seed)
    said = talks_of(writer, chance, 2)
    written = deepcopy([record for one in said for record in WRITERS[writer][1](one)])  # writers share constant parts
    by_bytes = chance.random() < 0.3
    if not by_bytes:
        for _ in range(chance.randint(1, 3)):
            mutate(written, chance)
        written = [one for one in written if isinstance(one, dict | list)]
    if not written:
        return ""
    _, name, text = chance.choice(list(layouts(written)))
    whole = text.encode("utf-8", "replace") if isinstance(text, str) else text
    content = scratched(whole, chance) if by_bytes else whole
    try:
        records, rejects = read_file(content, name)
    except (SourceError, DayNeeded):
        return ""
    return _unspoken(records, content, whole, by_bytes=by_bytes) or _unreadable(records, rejects)


def _unspoken(records: list[Record], content: bytes, before: bytes, *, by_bytes: bool) -> str:
    """Speech that is marked as silent, or that no text of the file holds.

    Changed bytes may change a key that says whose words a text is; then only the second is a fault.
    """
    spoken = [one.content for one in records if one.role in SPOKEN]
    trees = _trees(content.decode("utf-8", "replace"))
    if any(SILENT in text for text in spoken) and (not by_bytes or _bones(trees) == _bones(_trees(before.decode()))):
        return "what nobody said is speech"
    known = "\n".join(text for tree in trees for text in leaves(tree)).encode("utf-8", "replace").decode()
    pieces = [piece for text in spoken for piece in text.split("\n") if piece.replace("\ufffd", "?") not in known]
    return "speech that stands nowhere in the file" if pieces else ""


def _bones(tree: Any) -> Any:
    """A tree without its values, but those that say whose words a text is."""
    if isinstance(tree, dict):
        return {key: value if key in MARKERS and not isinstance(value, dict | list) else _bones(value)
                for key, value in tree.items()}  # fmt: skip
    return [_bones(one) for one in tree] if isinstance(tree, list) else type(tree).__name__


def _trees(text: str) -> list[Any]:
    """The values of a file: one, or one a line; those of lines that are damaged are none."""
    with suppress(ValueError, RecursionError):
        return [json.loads(text)]
    found: list[Any] = []
    for line in text.split("\n"):
        with suppress(ValueError, RecursionError):
            found.append(json.loads(line))
    return found


def _unreadable(records: list[Record], rejects: list[Reject]) -> str:
    """What no database takes."""
    try:
        for text in [one.content for one in records] + [one.raw + one.reason for one in rejects]:
            text.encode()
    except UnicodeEncodeError:
        return "text that is no UTF-8"
    return ""
