"""Sessions of OpenAI's Realtime API, as the events that server and client sent, an event a line.

Sources: https://platform.openai.com/docs/api-reference/realtime-server-events and /realtime-client-events (items are
`created`, since 2025 `added` and `done`; what was heard comes as a transcription of its own; a response whose
`conversation_id` is null belongs to no conversation). The events have no times: those of the log are taken.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cpa_core.sources import columns, fields
from cpa_core.sources.envelopes import TIMES
from cpa_core.sources.files import File
from cpa_core.sources.formats import talks, turns
from cpa_core.sources.formats.form import Format, attempted
from cpa_core.sources.formats.talks import list_at, object_at
from cpa_core.sources.records import Reject, SourceRecord
from cpa_core.sources.trees import Trees

ITEM = "conversation.item."
ECHOED = tuple(ITEM + word for word in ("created", "added", "done", "retrieved"))
HEARD = ITEM + "input_audio_transcription.completed"
SPOKEN = ("response.audio_transcript.done", "response.output_audio_transcript.done")
WRITTEN = ("response.text.done", "response.output_text.done")
SERVER = frozenset(
    {"session.created", "session.updated", "conversation.created", "error", "rate_limits.updated", *ECHOED, HEARD}
    | {f"{ITEM}{word}" for word in ("input_audio_transcription.delta", "truncated", "deleted")}
    | {
        "response.created",
        "response.done",
        "response.output_item.added",
        "response.output_item.done",
        *SPOKEN,
        *WRITTEN,
    }
    | {one.replace(".done", ".delta") for one in (*SPOKEN, *WRITTEN)}
    | {"response.content_part.added", "response.content_part.done", "response.audio.delta"}
    | {f"input_audio_buffer.{word}" for word in ("committed", "cleared", "speech_started", "speech_stopped")}
    | {"response.output_audio.delta"}
)
CLIENT = frozenset(
    {"session.update", "response.create", "response.cancel"}
    | {f"{ITEM}{word}" for word in ("create", "truncate", "delete", "retrieve")}
    | {f"input_audio_buffer.{word}" for word in ("append", "commit", "clear")}
)


class _Session:
    """The items of one session, in the order in which they stand in its conversation."""

    def __init__(self, place: str, session: Any) -> None:
        self.place, self.session = place, session
        self.items: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.times: dict[str, Any] = {}
        self.texts: dict[str, dict[int, str]] = {}
        self.asked: list[tuple[dict[str, Any], Any]] = []
        self.echoes = False

    def take(self, tree: dict[str, Any]) -> None:
        """Note what one event says."""
        kind, at = str(tree.get("type")), next((tree[key] for key in TIMES if tree.get(key)), None)
        item, own = object_at(tree, "item"), str(tree.get("item_id") or "")
        if kind == ITEM + "create":
            self.asked.append((item, at))
        elif kind in ECHOED or kind in ("response.output_item.added", "response.output_item.done"):
            self.echoes = self.echoes or kind in ECHOED
            self._put(item, tree.get("previous_item_id"), at)
        elif kind in (HEARD, *SPOKEN, *WRITTEN):
            text, part = tree.get("transcript", tree.get("text")), tree.get("content_index", 0)
            if isinstance(text, str) and isinstance(part, int):
                self.texts.setdefault(own, {})[part] = text
        elif kind == ITEM + "deleted":
            self.items.pop(own, None)
        elif kind == "response.done" and object_at(tree, "response").get("conversation_id", True) is not None:
            for one in list_at(tree, "response", "output"):
                self._put(object_at({"": one}, ""), None, at)

    def _put(self, item: dict[str, Any], before: Any, at: Any) -> None:
        """Keep the newest form of an item that has content. A new item follows the one that its event names."""
        own = str(item.get("id") or "")
        if not own:
            return
        if own not in self.times:
            place = self.order.index(before) + 1 if before in self.order else len(self.order)
            self.order.insert(place, own)
            self.times[own] = at
        if own not in self.items or item.get("content") or item.get("arguments"):
            self.items[own] = item

    def messages(self, file: File) -> Iterator[talks.Made]:
        """The messages of the session, and the calls and results of its tools."""
        if not self.echoes:  # only what the client sent was logged, and what was answered
            for n, (item, at) in enumerate(self.asked):
                yield from _item(file, f"{self.place}: {ITEM}create {n}", item, {}, at)
        for own in self.order:
            if own in self.items:
                where = f"{self.place}: item {own}"
                yield from _item(file, where, self.items[own], self.texts.get(own, {}), self.times[own])


def _item(file: File, place: str, item: dict[str, Any], texts: dict[int, str], at: Any) -> Iterable[talks.Made]:
    if item.get("type") in ("function_call", "mcp_call"):
        return talks.silent(file, place, "tool_call", item, at)
    if item.get("type") == "function_call_output":
        return talks.silent(file, place, "tool", item.get("output") or "", at)
    parts = [_heard(part, texts.get(n)) for n, part in enumerate(list_at(item, "content"))]
    parts = parts or [{"type": "text", "text": text} for _, text in sorted(texts.items())]
    if not item.get("role") or not parts:
        return []
    return turns.drafts_of(
        file, place, {"role": item["role"], "content": parts, "timestamp": at, "message_id": item.get("id")}
    )


def _heard(part: Any, text: str | None) -> Any:
    """A part of a message with the words that were heard or spoken in it."""
    if not isinstance(part, dict) or text is None or part.get("transcript") or part.get("text"):
        return part
    return {"type": "text", "text": text}


def _sessions(file: File, records: Trees) -> Iterator[columns.Found]:
    """The sessions of a file: a line says which it is of, or the last `session.created` before it."""
    found: dict[Any, _Session] = {}
    current: Any = None
    for one in records:
        if isinstance(one, Reject):
            yield one
            continue
        place, tree = one
        if not isinstance(tree, dict):
            yield Reject(place, "an object is needed", "{}")
            continue
        if tree.get("type") == "session.created":
            own = object_at(tree, "session").get("id")
            current = own if _is_key(own) else current
        session = next((one for one in (tree.get("session_id"), tree.get("sessionId")) if _is_key(one)), current)
        found.setdefault(session, _Session(place, session)).take(tree)
    if None in found and len(found) == 2:  # a client's first events precede the session that they are of
        _joined(found)
    for session in found.values():
        yield from attempted(file, (session.place, session), _talk)


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int) and bool(value)


def _joined(found: dict[Any, _Session]) -> None:
    early = found.pop(None)
    (session,) = found.values()
    session.asked[:0] = early.asked


def _talk(file: File, place: str, session: Any) -> Iterator[SourceRecord | Reject]:
    about = talks.Head(place, fields.identity("session.id", session.session))
    return talks.talk(about, session.messages(file))


REALTIME = Format(
    name="openai_realtime",
    title="sessions of OpenAI's Realtime API",
    kind="conversation",
    signs=(
        f"event_id type={'|'.join(sorted(SERVER))}",
        f"type={'|'.join(sorted(CLIENT))}",
    ),
    read=_sessions,
    docs="https://platform.openai.com/docs/api-reference/realtime-server-events",
    ids="session_id of the line, else the session.id of the last session.created",
    users="none",
    times="timestamp (or time, ts) that the log has beside an event: the events have none",
    speech="texts and transcripts of the items of user and assistant, in the order of the conversation",
    silent="items that were deleted, answers outside the conversation, calls and results of tools, sound",
)
