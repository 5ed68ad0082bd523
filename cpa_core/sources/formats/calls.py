"""A call of a model, as logs and traces have it: its input and output, in any form, as one record.

The input may repeat all that was said before, its last messages, or only the newest; which of it is known already is
settled when it lands. An input or output that is the application's own object is no speech: its text must be named.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cpa_core.sources import fields, roles
from cpa_core.sources.conversations import decoded
from cpa_core.sources.cut_json import MESSAGES, begins_messages
from cpa_core.sources.files import File
from cpa_core.sources.formats import parts, turns
from cpa_core.sources.formats.streams import put_together
from cpa_core.sources.records import Draft, Reject, SourceRecord, own_input, tupled

LISTS = ("messages", "contents", "history")
PROMPTED = frozenset({"prompt", "system", "messages"})
"""Keys of what the AI SDK is asked, and no others."""

NAMES = frozenset({"role", "from", "message", "content", "data", "kwargs"})
"""Keys of an element of a list that may be a message of its own."""

SHOWN = 8
EMBEDDED = "an embedding: nobody said or read it"
FAILED = "the call failed: its answer is an error, and nobody was answered"
TEMPLATED = re.compile(
    r"\A(?:Human|System): |<\|[a-z_]{2,20}\|>|\[/?INST\]|<(?:start|end)_of_turn>"
    r"|(?:\A|\n)(?:Human|User):[\s\S]*\n(?:Assistant|Bot|AI):"
)
"""Marks of the template by which one text holds a whole conversation, as models without a list of messages take it."""


class CutMessages(ValueError):
    """Messages stand here, of which the end is cut off."""


class CallAbout(NamedTuple):
    """The fields of a call about itself: its place, conversation (session, thread or trace), user, times and own id."""

    place: str
    conversation_id: str | None
    user_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    call_id: str | None = None
    metadata: str | None = None
    zone_assumed: bool = False
    after: str | None = None


def called(
    file: File,
    about: CallAbout,
    asked: Any,
    answered: Any,
    system: Any = None,
    words: tuple[str, str] = ("input", "output"),
) -> Iterator[SourceRecord | Reject]:
    """The record of a call; messages in it that are none as rejects. `words` are what its two sides are called.

    Raises ValueError where input or output is an object of the application's own.
    """
    answered = put_together(answered)
    if about.conversation_id is not None and _is_error(answered):
        answered = None
    if _is_embedding(answered):
        yield Reject(about.place, EMBEDDED, "{}", loss=False)
        return
    asking, answering = spoken(asked, words[0]), spoken(answered, words[1])
    if system:
        asking = [{"role": "system", "content": system}, *asking]
    rejects: list[Reject] = []
    messages, own_from = _joined(
        file,
        _drafted(file, f"{about.place}: {words[0]}", asking, "user", rejects),
        _drafted(file, f"{about.place}: {words[1]}", answering, "assistant", rejects),
    )
    yield from rejects
    if messages:
        yield record(about, messages, own_from)


def _drafted(file: File, place: str, side: list[Any], speaker: str, rejects: list[Reject]) -> list[Draft]:
    """The messages of one side of a call; those that are none go to the rejects."""
    found: list[Draft] = []
    for one in turns.drafts(file, place, side, speaker):
        if isinstance(one, Draft):
            found.append(one)
        else:
            rejects.append(one)
    return found


def record(about: CallAbout, messages: Sequence[Draft], own_from: int) -> SourceRecord:
    """The record of a call with these messages, of which those before `own_from` only repeat history."""
    place, conversation_id, user_id, started_at, ended_at, call_id, metadata, zone_assumed, after = about
    named = (place, "call", conversation_id, user_id, started_at, ended_at or started_at)
    return tupled(
        SourceRecord, (*named, tuple(messages), own_from, metadata, zone_assumed, call_id, after, *OF_NO_TRACE)
    )


OF_NO_TRACE = (None, 0)
"""The trace of a record that is not known to be a piece of one, and its standing."""


def _joined(file: File, asked: list[Draft], answered: list[Draft]) -> tuple[list[Draft], int]:
    """Input and output in one list, and where the newest input begins in it.

    An output in which the user speaks is the whole state of the conversation, as LangGraph's is: it holds the input.
    """
    who = [file.role(one.role) for one in answered]
    if "user" not in who:
        own_from = own_input([file.role(one.role) if file.roles else one.role for one in asked])
        asked += answered
        return asked, own_from
    last = len(who) - 1 - who[::-1].index("user")
    return answered, own_input(who[: last + 1])


def spoken(value: Any, word: str) -> list[Any]:
    """Input or output of a call as a list of messages. Raises ValueError where it is none of the known forms."""
    if value is None or value in ("", [], {}):
        return []
    if isinstance(value, str):
        return _written(value, word)
    if isinstance(value, list):
        return _listed(value, word)
    if isinstance(value, dict) and (found := _held(value, word)) is not None:
        return found
    raise ValueError(own_object(value, word))


def is_readable(value: Any) -> bool:
    """Whether an input or output holds text or messages, also cut ones, and is no object of the application's own."""
    if type(value) is dict and value and HELD.isdisjoint(value):
        return False
    try:
        return bool(spoken(value, ""))
    except CutMessages:
        return True
    except ValueError:
        return False


HELD = frozenset(
    {"choices", "candidates", "promptFeedback", "error", "type", "output", "prompt", "message", "lc", "text"}
)
HELD |= {"role", "from", "content", "thought", "reasoningContent", *LISTS, *parts.NAMED_CALLS, *parts.NAMED_RESULTS}
HELD |= parts.NAMED_NOTHING
"""An object with none of these keys holds no message."""


def own_object(value: Any, word: str) -> str:
    """Why an object of the application's own is not read, with the flag that would name its text; never a value."""
    if not isinstance(value, dict):
        return f"{word}: text, a message or a list of messages is needed, this is a {fields.kind(value)}"
    names = [str(key)[:40] for key in value][:SHOWN]
    return (
        f"{word}: an object of the application's own (keys: {', '.join(names)}) is no message; "
        f"name the text in it: --map {word}={word}.{_way_to_text(value)[:80]}"
    )


def _way_to_text(tree: dict[str, Any]) -> str:
    """The keys that lead to the first text in an object, at most three; its first key where there is none."""
    level = [(str(key), value) for key, value in tree.items()]
    for _ in range(3):
        if found := next((way for way, value in level if isinstance(value, str) and value), None):
            return found
        level = [(f"{way}.{key}", one) for way, value in level if isinstance(value, dict) for key, one in value.items()]
    return str(next(iter(tree)))


def prompted(text: Any) -> Any:
    """The text of a prompt. Raises ValueError where a template holds a whole conversation in it: nobody said that."""
    if isinstance(text, str) and TEMPLATED.search(text):
        raise ValueError("prompt: a template of roles in one text is no message; log the messages it was made of")
    return text


def _is_embedding(answer: Any) -> bool:
    """Whether an answer holds vectors of texts, not words."""
    if not isinstance(answer, dict):
        return False
    data = answer.get("data")
    listed = data if isinstance(data, list) else []
    return bool(answer.keys() & {"embedding", "embeddings"}) or any("embedding" in one for one in listed[:1] if one)


def _written(text: str, word: str) -> list[Any]:
    """Text, or the JSON of messages in a text.

    Raises ValueError for the JSON of an object of the application's own, and for messages whose JSON was cut off.
    """
    if text.lstrip()[:1] not in ("[", "{", '"'):
        return [{"content": text}]
    try:
        tree = decoded(text)
    except ValueError:
        if begins_messages(text):
            raise CutMessages(MESSAGES) from None
        return [{"content": text}]  # words that only begin like JSON
    if isinstance(tree, dict) or (isinstance(tree, list) and any(isinstance(one, dict) for one in tree)):
        return spoken(tree, word)
    if isinstance(tree, str) and tree.lstrip()[:1] in ("[", "{"):  # JSON in JSON
        return _written(tree, word)
    return [{"content": text}]


def _listed(items: list[Any], word: str) -> list[Any]:
    first = items[0]
    if turns.begins_with_message(items):
        return items
    return _other(items, first, word)


def _other(items: list[Any], first: Any, word: str) -> list[Any]:
    """The messages of a list whose first element does not show that it is one."""
    if all(_is_pair(one) for one in items):  # ("user", "Hi"), as LangChain takes messages
        return [{"role": one[0], "content": one[1]} for one in items]
    if isinstance(first, list):  # one list of messages for each of several prompts
        return spoken(first, word)
    objects = [one for one in items if isinstance(one, dict)]
    if objects and {"finish_reason", "index", "message"} & objects[0].keys() and "role" not in objects[0]:
        return spoken({"choices": items}, word)
    if _are_parts(items):
        return [{"content": items}]
    if any(turns.is_message(one) for one in objects):
        return items
    if len(items) == 1 and isinstance(first, str):
        return _written(first, word)
    raise ValueError(f"{word}: a list of messages is needed")


def _are_parts(items: list[Any]) -> bool:
    """Whether these are the parts of one message, also where it begins with a thought; or several texts."""
    if all(isinstance(one, str) for one in items):
        return len(items) > 1
    parts = [one for one in items if isinstance(one, dict)]
    named = any(NAMES & one.keys() for one in parts)
    return parts == items and any(map(turns.is_part, parts)) and (not named or all(map(turns.is_part, parts)))


def _is_pair(one: Any) -> bool:
    return isinstance(one, list) and len(one) == 2 and isinstance(one[1], str) and str(one[0]) in roles.DEFAULTS


def _held(tree: dict[str, Any], word: str) -> list[Any] | None:
    """The messages that an object holds: an answer of a vendor, a state, a request, or one message."""
    if (answer := _answer(tree)) is not None:
        return spoken(answer[0], word)
    for key in LISTS:
        if isinstance(tree.get(key), list):
            return _requested(tree, spoken(tree[key], word))
    if tree.get("prompt") and tree.keys() <= PROMPTED:
        return _requested(tree, spoken(tree["prompt"], word))
    if (inner := _inner(tree)) is not None:
        return spoken(inner, word)
    if turns.is_message(tree):
        return [tree]
    return [{"content": [tree]}] if turns.is_part(tree) else None


def _inner(tree: dict[str, Any]) -> dict[str, Any] | None:
    """The message in a choice of OpenAI's, or in a candidate of Gemini's."""
    if isinstance(message := tree.get("message"), dict) and not tree.keys() & {"role", "content"}:
        return message
    content = tree.get("content")
    return content if isinstance(content, dict) and "parts" in content and "role" not in tree else None


def _is_error(answer: Any) -> bool:
    """Whether an answer is an error: nobody read it, and of its conversation only the question was said."""
    if not isinstance(answer, dict) or answer.keys() & {"role", "content", "output", "choices", "candidates"}:
        return False
    return answer.get("error") not in (None, "", {}) or answer.get("type") == "error"


def _answer(tree: dict[str, Any]) -> tuple[Any] | None:
    """Return the content of a vendor's answer, null if the object is none; of several choices, the first is shown."""
    for key, inner in (("choices", "message"), ("candidates", "content")):
        if isinstance(choices := tree.get(key), list):
            first = choices[0] if choices and isinstance(choices[0], dict) else {}
            return (first.get(inner, first.get("text")),)
    if isinstance(tree.get("promptFeedback"), dict) and "contents" not in tree:
        return (None,)  # Gemini refused the prompt: there is no candidate
    if _is_error(tree):
        raise ValueError(FAILED)
    output = tree.get("output")
    if isinstance(output, dict) and isinstance(output.get("message"), dict):
        return ([output["message"]],)  # Bedrock Converse
    return (output,) if isinstance(output, list) and tree.get("object", "response") == "response" else None


def _requested(tree: dict[str, Any], messages: list[Any]) -> list[Any]:
    """The messages of a request, behind its system prompt."""
    keys = ("system", "instructions", "systemInstruction", "system_instruction", "systemPrompt")
    system = next((tree[key] for key in keys if tree.get(key)), None)
    return [{"role": "system", "content": system}, *messages] if system else messages
