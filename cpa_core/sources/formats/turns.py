"""One message as vendors write it, `{role, content}` and its relatives: as drafts of one role each."""

import marshal
from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import documents, fields
from cpa_core.sources.conversations import raw
from cpa_core.sources.files import File
from cpa_core.sources.formats.parts import PARTS, Piece, is_silent_item, pieces
from cpa_core.sources.records import Draft, Reject, as_json, moment, tupled, whole

CONTENTS = ("content", "value", "parts", "blocks")
KNOWN = frozenset(
    {"role", "from", "timestamp", "message_id", "id", "tool_calls", "function_call", "refusal", "audio", "type"}
    | {"reasoning_content", "reasoning", "thinking", *CONTENTS}
)
PLAIN = frozenset({"role", "content", "parts", "id", "message_id", "timestamp"})
"""Keys of a message that holds nothing beside its text; `type` may say that it is one."""

REST = (None, None, False)
"""The rest of such a message: no metadata, none of its conversation, and `by_user` false."""

MOST_TURNS, MOST_BYTES = 20_000, 8_000
"""So many messages, each of at most so many bytes, are known again when a later record repeats them."""

LANGCHAIN = {
    "human": "user",
    "HumanMessage": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessage": "system",
    "tool": "tool",
    "ToolMessage": "tool",
    "function": "tool",
    "FunctionMessage": "tool",
}
"""The role of a message whose `type` is LangChain's."""


def drafts(file: File, place: str, turns: Iterable[Any], speaker: str | None = None) -> Iterator[Draft | Reject]:
    """The messages of a list, in order, with the tool calls, results, reasoning and attachments in them.

    `speaker` says the messages that name no role. Their conversation is left open. A message that is none is a reject.
    """
    quickly = not file.names
    for n, turn in enumerate(turns):
        where = f"{place}.{n}"
        if not quickly or type(turn) is not dict or len(turn) > 2:
            yield from _known(file, where, turn, speaker)
        elif (one := _written(where, turn, speaker)) is not None:
            yield one
        elif (several := _in_parts(where, turn)) is not None:
            yield from several
        else:
            yield from _known(file, where, turn, speaker)


def _known(file: File, place: str, turn: Any, speaker: str | None) -> Iterable[Draft | Reject]:
    """One message; one that was read before is known by its JSON, for calls repeat what was said before them.

    A plain one is read sooner than it is found.
    """
    if not file.names and (quickly := _quickly(file, place, turn, speaker)) is not None:
        return quickly
    known = file.turns
    if known is None or file.names:
        return _with_all(file, place, turn, speaker)
    try:
        key = marshal.dumps((turn, speaker), 2)  # a later version marks what is shared: equal values would differ
    except ValueError:  # a key occurs twice
        return _carefully(file, place, turn, speaker)
    if (made := known.get(key)) is None:
        made = tuple(_carefully(file, place, turn, speaker))
        if len(key) > MOST_BYTES or Reject in map(type, made):
            return made
        if len(known) >= MOST_TURNS:
            known.clear()
        known[key] = made
        return made
    return [Draft(place, *one[1:]) for one in made]


def drafts_of(file: File, place: str, turn: Any, speaker: str | None = None) -> Iterable[Draft | Reject]:
    """One message, and what it holds beside its text."""
    if not file.names and (made := _plainly(file, place, turn, speaker)) is not None:
        return [made]
    return _with_all(file, place, turn, speaker)


def _with_all(file: File, place: str, turn: Any, speaker: str | None) -> Iterable[Draft | Reject]:
    """One message of parts, or with more than its text."""
    several = None if file.names else _of_parts(file, place, turn)
    return several if several is not None else _carefully(file, place, turn, speaker)


def _of_parts(file: File, place: str, turn: Any) -> list[Draft] | None:
    """A message of which nothing is said but a role, parts, an id and a time; None for any other, and for refusals."""
    if type(turn) is not dict or not _has_no_more(turn) or ("content" in turn and "parts" in turn):
        return None
    parts = turn.get("content", turn.get("parts"))
    if type(parts) is not list or not parts:
        return None
    try:
        role, own = fields.role(turn.get("role")), fields.identity("message_id", turn.get("message_id", turn.get("id")))
        sent_at, assumed = moment(turn.get("timestamp"), file.zone)
        found = pieces(parts)
    except ValueError:
        return None
    said = [one.text for one in found if one.role is None]
    if any(one.refusal for one in found):
        return None
    spoken = [(role, text)] if (text := "\n".join(said)) else []
    spoken += [(one.role, one.text) for one in found if one.role is not None]
    return [
        tupled(Draft, (place, "", _id_of(n, own), None, who, what, sent_at, *REST, assumed))
        for n, (who, what) in enumerate(spoken)
    ]


def _id_of(n: int, message_id: str | None) -> str | None:
    """The id of the nth piece of a message: the message's own for the first, and one after it for each other."""
    return message_id if not n or message_id is None else f"{message_id}.{n}"


def _carefully(file: File, place: str, turn: Any, speaker: str | None) -> Iterator[Draft | Reject]:
    """The same of a message that may hold more than its text."""
    try:
        turn = plain(file.message(turn))
        if not isinstance(turn, dict):
            raise ValueError(f"an object with role and content is needed, this is a {fields.kind(turn)}")
        fields.once(turn)
        role = _role(turn, speaker)
        message_id = fields.identity("message_id", turn.get("message_id", turn.get("id")))
        (sent_at, assumed), extra = moment(turn.get("timestamp"), file.zone), fields.rest(turn, KNOWN)
        spoken = list(_spoken(role, turn))
    except ValueError as error:
        yield Reject(place, str(error), raw(turn))
        return
    for n, (who, text, refusal) in enumerate(spoken):
        noted = _marked(turn, extra) if refusal else extra
        yield tupled(
            Draft, (place, "", _id_of(n, message_id), None, who or role, text, sent_at, noted, None, False, assumed)
        )


def _plainly(file: File, place: str, turn: Any, speaker: str | None) -> Draft | None:
    """A message of which nothing is said but a role, a text, an id and a time: most are; None for any other."""
    if type(turn) is not dict:
        return None
    if len(turn) <= 2 and (one := _written(place, turn, speaker)) is not None:
        return one
    return _with_more(file, place, turn, speaker) if _has_no_more(turn) else None


def _has_no_more(turn: dict[str, Any]) -> bool:
    return turn.keys() <= PLAIN or (turn.get("type") == "message" and turn.keys() - PLAIN == {"type"})


def _with_more(file: File, place: str, turn: dict[str, Any], speaker: str | None) -> Draft | None:
    """A message that may have an id and a time beside its text; None where that needs care."""
    text, role = _only_text(turn.get("content", turn.get("parts"))), turn.get("role", speaker)
    if "content" in turn and "parts" in turn:
        return None
    if type(text) is not str or not text or type(role) is not str:
        return None
    try:
        own = fields.identity("message_id", turn.get("message_id", turn.get("id")))
        sent_at, assumed = moment(turn.get("timestamp"), file.zone)
        return tupled(Draft, (place, "", own, None, fields.role(role), whole(text), sent_at, *REST, assumed))
    except ValueError:
        return None


def _quickly(file: File, place: str, turn: Any, speaker: str | None) -> list[Draft] | None:
    """A message of which nothing is said but texts; None for any other."""
    one = _plainly(file, place, turn, speaker)
    return [one] if one is not None else _in_parts(place, turn)


def _in_parts(place: str, turn: Any) -> list[Draft] | None:
    """A message of nothing but a role and parts that are text or reasoning; None for any other."""
    if type(turn) is not dict or len(turn) != 2 or type(role := turn.get("role")) is not str or not role.strip():
        return None
    parts = turn.get("parts", turn.get("content"))
    if type(parts) is not list:
        return None
    text_of_all, thoughts = "", list[str]()
    for part in parts:
        if type(part) is not dict or len(part) != 2:
            return None
        kind, text = part.get("type"), part.get("content", part.get("text"))
        if type(text) is not str or not text or kind not in ("text", "reasoning"):
            return None
        text = text if text.isascii() else whole(text)
        if kind == "text":
            text_of_all = f"{text_of_all}\n{text}" if text_of_all else text
        else:
            thoughts.append(text)
    if not parts:
        return None
    made = [_draft(place, fields.role(role), text_of_all)] if text_of_all else []
    for thought in thoughts:
        made.append(_draft(place, "reasoning", thought))
    return made


def _draft(place: str, who: str, text: str) -> Draft:
    return tupled(Draft, (place, "", None, None, who, text, None, None, None, False, False))


def _written(place: str, turn: dict[str, Any], speaker: str | None) -> Draft | None:
    """A message of nothing but a text and a role, or LangChain's type in its place; None for any other.

    A text alone is its speaker's.
    """
    text = turn.get("content")
    if type(text) is not str or not text:
        return None
    role = turn.get("role") if len(turn) == 2 else speaker
    if type(role) is not str or not (role := role.strip()):
        kind = turn.get("type")
        if type(kind) is not str or kind not in LANGCHAIN:
            return None
        role = LANGCHAIN[kind]
    text = text if text.isascii() else whole(text)
    return tupled(Draft, (place, "", None, None, fields.role(role), text, None, None, None, False, False))


def begins_with_message(items: list[Any]) -> bool:
    """Whether the first of these is plainly a message: it names a role, or is nothing but LangChain's type and text."""
    first = items[0]
    if type(first) is not dict:
        return False
    if "role" in first:
        return True
    return len(first) == 2 and "content" in first and type(kind := first.get("type")) is str and kind in LANGCHAIN


def _only_text(content: Any) -> Any:
    """The text of a list of one part, where that is nothing but text; anything else as it is."""
    if type(content) is not list or len(content) != 1:
        return content
    if type(part := content[0]) is str:
        return part
    if type(part) is not dict or len(part) != 2 or part.get("type") != "text":
        return content
    return part.get("text", part.get("content"))


def plain(turn: Any) -> Any:
    """A message as `{role, content}`, where LangChain has it as `{type, data}`, `{lc, id, kwargs}` or `{type}`."""
    if not isinstance(turn, dict) or type(turn) is documents.Repeating:
        return turn
    name, inner = turn.get("type"), turn.get("data")
    if turn.get("lc") and isinstance(turn.get("kwargs"), dict):
        path = turn.get("id")
        inner, name = turn["kwargs"], path[-1] if isinstance(path, list) and path else None
        name = name if name in LANGCHAIN else inner.get("type")
    known = LANGCHAIN.get(name) if isinstance(name, str) else None
    if name in ("chat", "ChatMessage", "ChatMessageChunk") and isinstance(inner, dict) and "role" in inner:
        return inner
    if known is None:
        return inner if turn.get("lc") and isinstance(inner, dict) else turn
    said = inner if isinstance(inner, dict) else turn
    return {"role": known, "content": "", **_vendors_own(said), **said}


def _vendors_own(said: dict[str, Any]) -> dict[str, Any]:
    """A refusal, reasoning or speech that LangChain keeps among a vendor's own arguments."""
    extra = said.get("additional_kwargs")
    held: dict[str, Any] = extra if isinstance(extra, dict) else {}
    return {key: held[key] for key in ("refusal", "reasoning_content", "audio") if held.get(key)}


def is_message(tree: dict[str, Any]) -> bool:
    """Whether an object is a message: it names a role, or has content, or is a call or result of a tool."""
    if "role" in tree or "from" in tree or plain(tree) is not tree or is_silent_item(tree):
        return True
    return isinstance(tree.get("content"), str | list) and not is_part(tree)


def is_part(tree: dict[str, Any]) -> bool:
    """Whether an object is a part of a message: of a known type, or nothing but text."""
    kind = tree.get("type")
    return (isinstance(kind, str) and kind in PARTS) or (tree.keys() == {"text"} and isinstance(tree["text"], str))


def _role(turn: dict[str, Any], speaker: str | None) -> str:
    given = turn.get("role", turn.get("from"))
    if given is None and is_silent_item(turn):
        return "tool"
    return fields.role(speaker if given is None else given)


def _marked(turn: dict[str, Any], extra: str | None) -> str:
    """The metadata of a message in which the assistant refuses, so that refusals are counted without a model."""
    return as_json({key: value for key, value in turn.items() if extra and key not in KNOWN} | {"refusal": True})


def _spoken(role: str, turn: dict[str, Any]) -> Iterator[Piece]:
    """All that one message holds: its words first, then the rest in order."""
    found = [*pieces_of(turn), *_beside(turn)]
    said = [one for one in found if one.role is None]
    others = [one for one in found if one.role is not None]
    text = "\n".join(one.text for one in said)
    if text or not (others or _is_silent(turn)):
        yield Piece(role, text, any(one.refusal for one in said))
    yield from others


def _is_silent(turn: dict[str, Any]) -> bool:
    """Whether all that a message holds are parts that say nothing, such as marks of steps."""
    return is_silent_item(turn) or any(isinstance(turn.get(key), list) and turn[key] for key in CONTENTS)


def pieces_of(turn: dict[str, Any]) -> list[Piece]:
    """The parts of a message's content. Raises ValueError where it has none."""
    content = next((turn[key] for key in CONTENTS if turn.get(key) not in (None, "", [])), None)
    if content is not None:
        return pieces(content)
    if isinstance(turn.get("refusal"), str) and turn["refusal"]:
        return [Piece(None, whole(turn["refusal"]), refusal=True)]
    voice = turn.get("audio")
    if isinstance(voice, dict) and isinstance(voice.get("transcript"), str):
        return [Piece(None, whole(voice["transcript"]))]
    if "role" not in turn and "from" not in turn and is_silent_item(turn):
        return pieces([turn])
    if not turn.keys() & {*CONTENTS, "refusal", "audio", "tool_calls", "function_call"}:
        raise ValueError("content: missing")
    return []


def _beside(turn: dict[str, Any]) -> Iterator[Piece]:
    """Reasoning and tool calls that stand beside the content."""
    thought = next((turn[key] for key in ("reasoning_content", "reasoning", "thinking") if turn.get(key)), None)
    if isinstance(thought, str):
        yield Piece("reasoning", whole(thought))
    calls = turn.get("tool_calls")
    yield from (Piece("tool_call", as_json(call)) for call in (calls if isinstance(calls, list) else []))
    if isinstance(turn.get("function_call"), dict):
        yield Piece("tool_call", as_json(turn["function_call"]))
