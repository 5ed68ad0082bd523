"""Conversations as vendors and tracing tools export them: OpenAI, Anthropic, ShareGPT, Langfuse, OpenTelemetry."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from cpa_core.sources import documents, fields
from cpa_core.sources.conversations import decoded, raw
from cpa_core.sources.documents import Window, elements
from cpa_core.sources.files import File
from cpa_core.sources.records import Draft, Reject, SourceRecord, as_json, moment, own_input, whole

CHAT_KEYS = frozenset({"messages", "conversations", "system", "id", "conversation_id", "user_id", "user", "timestamp"})
TURN_KEYS = frozenset({"role", "from", "content", "value", "parts", "timestamp", "message_id", "id", "tool_calls"})
TEXTS = frozenset({"text", "input_text", "output_text"})
CALLS = frozenset({"tool_use", "tool_call", "function_call"})
RESULTS = frozenset({"tool_result", "tool_call_response", "function_call_output"})

Things = Iterator[tuple[str, Any]]


def things(file: File) -> Iterator[tuple[str, Any] | Reject]:
    """The objects of a file, each with its place: of a list or page, one a line, or the only one."""
    window = Window(file.name, documents.lines(file.name, file.content))
    if window.peek() == "[":
        window = Window(file.name, documents.text(file.name, file.content))
        yield from ((f"{n}", tree) for n, tree in enumerate(elements(window)))
        window.end()
        return
    lines = enumerate(documents.lines(file.name, file.content, newline="\n"), 1)
    written = [(n, line) for n, line in lines if not line.isspace()]
    if all(isinstance(_line(n, line), Reject) for n, line in written[:2]):
        window = Window(file.name, documents.text(file.name, file.content))
        tree = window.value()  # one object over several lines
        window.end()
        yield from _page("top level", tree)
        return
    for n, line in written:
        found = _line(n, line)
        yield from [found] if isinstance(found, Reject) else _page(*found)


def _line(number: int, line: str) -> tuple[str, Any] | Reject:
    place, written = f"line {number}", documents.with_bytes_shown(line.strip())
    if not documents.is_utf8(line):
        return Reject(place, documents.NOT_UTF8, written)
    try:
        return place, decoded(line)
    except ValueError as error:
        return Reject(place, str(error), written)


def _page(place: str, tree: Any) -> Things:
    """A page of an export is a list under `data`."""
    page = tree.get("data") if isinstance(tree, dict) else None
    return ((f"data.{n}", one) for n, one in enumerate(page)) if isinstance(page, list) else iter([(place, tree)])


def from_chats(file: File) -> Iterator[SourceRecord | Reject]:
    """`{"messages": [{role, content}]}` of OpenAI and Anthropic, or ShareGPT's `conversations: [{from, value}]`."""
    for found in things(file):
        if isinstance(found, Reject):
            yield found
            continue
        place, tree = found[0], file.translated(found[1])
        try:
            turns = _turns_of(tree)
            conversation_id = fields.identity("id", tree.get("conversation_id", tree.get("id")))
            user_id = fields.identity("user_id", tree.get("user_id", tree.get("user")))
            metadata = fields.rest(tree, CHAT_KEYS)
            started_at, assumed = moment(tree.get("timestamp"), file.zone)
        except ValueError as error:
            yield Reject(place, str(error), raw(tree))
            continue
        if not turns:
            yield Reject(place, "no messages", "{}", loss=False)
        made = [
            draft
            for n, turn in enumerate(turns)
            for draft in _drafts(f"{place}: messages.{n}", file.translated(turn), file.zone)
        ]
        yield from (one for one in made if isinstance(one, Reject))
        messages = tuple(one for one in made if isinstance(one, Draft))
        about = (conversation_id, user_id, started_at, None, messages)
        if messages:
            yield SourceRecord(place, "conversation", *about, metadata=metadata, zone_assumed=assumed)


def _turns_of(tree: Any) -> list[Any]:
    if not isinstance(tree, dict):
        raise ValueError(f"an object with messages is needed, this is a {fields.kind(tree)}")
    fields.once(tree)
    turns = tree.get("messages", tree.get("conversations"))
    if not isinstance(turns, list):
        raise ValueError('an object with a list "messages" or "conversations" is needed')
    return [{"role": "system", "content": tree["system"]}, *turns] if tree.get("system") else turns


def _drafts(place: str, turn: Any, zone: tzinfo) -> Iterator[Draft | Reject]:
    """A message, its tool calls and results as messages of roles of their own."""
    try:
        if not isinstance(turn, dict):
            raise ValueError(f"an object with role and content is needed, this is a {fields.kind(turn)}")
        fields.once(turn)
        role = fields.role(turn.get("role", turn.get("from")))
        message_id = fields.identity("message_id", turn.get("message_id", turn.get("id")))
        (sent_at, assumed), extra = moment(turn.get("timestamp"), zone), fields.rest(turn, TURN_KEYS)
        spoken = list(_spoken(role, turn))
    except ValueError as error:
        yield Reject(place, str(error), raw(turn))
        return
    for n, (who, text) in enumerate(spoken):
        own = message_id if message_id is None or n == 0 else f"{message_id}.{n}"
        yield Draft(place, "", own, None, who, text, sent_at, extra, None, zone_assumed=assumed)


def _spoken(role: str, turn: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Role and text of all that one message holds."""
    content = next((turn[key] for key in ("content", "value", "parts") if key in turn), None)
    calls = turn.get("tool_calls") or []
    texts: list[str] = [whole(content)] if isinstance(content, str) else []
    others: list[tuple[str, str]] = []
    if isinstance(content, list):
        for part in content:
            who, text = _part(part)
            if who is None:
                texts.append(text)
            else:
                others.append((who, text))
    elif content is not None and not isinstance(content, str):
        raise ValueError(f"content: text or a list of parts is needed, this is a {fields.kind(content)}")
    elif content is None and not calls and not {"content", "value", "parts"} & turn.keys():
        raise ValueError("content: missing")
    if texts or not (others or calls):
        yield role, "\n".join(texts)
    yield from others
    yield from (("tool_call", as_json(call)) for call in calls)


def _part(part: Any) -> tuple[str | None, str]:
    """Who says a part of a message (None: its speaker) and what."""
    if isinstance(part, str):
        return None, whole(part)
    if not isinstance(part, dict):
        raise ValueError(f"content: a part is an object, this is a {fields.kind(part)}")
    text = part.get("text", part.get("content"))
    if part.get("type") in TEXTS and isinstance(text, str):
        return None, whole(text)
    role = "tool_call" if part.get("type") in CALLS else "tool" if part.get("type") in RESULTS else "attachment"
    return role, as_json(part)


class Call(NamedTuple):
    """One call of a model, as tracing sees it. `asked` may repeat all that was said before."""

    place: str
    conversation_id: str
    user_id: str | None
    began_at: datetime | None
    ended_at: datetime | None
    asked: Any
    answered: Any
    zone_assumed: bool = False


def from_langfuse(file: File) -> Iterator[SourceRecord | Reject]:
    """Traces or observations: input, output, id, timestamp or startTime, sessionId or traceId."""
    return _conversations(_made(file, _langfuse), file.zone)


def from_otlp(file: File) -> Iterator[SourceRecord | Reject]:
    """OTLP JSON of GenAI spans: `gen_ai.input.messages` and `gen_ai.output.messages`."""
    return _conversations(_made(file, _spans), file.zone)


def _made(file: File, make: Any) -> Iterator[Call | Reject]:
    for found in things(file):
        if isinstance(found, Reject):
            yield found
            continue
        try:
            yield from make(*found, file.zone)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error) if type(error) is ValueError else f"not of this form ({type(error).__name__})"
            yield Reject(found[0], reason, raw(found[1]))


def _langfuse(place: str, tree: Any, zone: tzinfo) -> Iterator[Call]:
    if not isinstance(tree, dict) or not {"input", "output"} & tree.keys():
        raise ValueError("an object with input and output is needed")
    key = next((tree[k] for k in ("sessionId", "traceId", "id") if tree.get(k)), None)
    conversation_id = fields.identity("id", key)
    if conversation_id is None:
        raise ValueError("id: missing")
    began_at, assumed = moment(tree.get("timestamp", tree.get("startTime")), zone)
    ended_at, _ = moment(tree.get("endTime"), zone)
    user_id = fields.identity("userId", tree.get("userId"))
    calls = (conversation_id, user_id, began_at, ended_at or began_at, tree.get("input"), tree.get("output"))
    if tree.get("type") in (None, "GENERATION"):
        yield Call(place, *calls, zone_assumed=assumed)


def _spans(place: str, tree: Any, zone: tzinfo) -> Iterator[Call]:
    if not isinstance(tree, dict) or not isinstance(tree.get("resourceSpans"), list):
        raise ValueError('an object with a list "resourceSpans" is needed')
    spans = [s for r in tree["resourceSpans"] for scope in r.get("scopeSpans", []) for s in scope.get("spans", [])]
    for n, span in enumerate(spans):
        said = {one["key"]: next(iter(one["value"].values()), None) for one in span.get("attributes", [])}
        asked, answered = said.get("gen_ai.input.messages"), said.get("gen_ai.output.messages")
        if asked is None and answered is None:
            continue  # a span of something else
        conversation_id = said.get("gen_ai.conversation.id") or said.get("session.id") or span["traceId"]
        began, ended = (_nanoseconds(span.get(key)) for key in ("startTimeUnixNano", "endTimeUnixNano"))
        user = said.get("user.id") or said.get("enduser.id")
        yield Call(f"{place}: spans.{n}", whole(str(conversation_id)), user, began, ended, asked, answered)


def _nanoseconds(value: Any) -> datetime | None:
    return None if value in (None, "", 0, "0") else moment(int(value) // 1_000_000)[0]


def _conversations(found: Iterable[Call | Reject], zone: tzinfo) -> Iterator[SourceRecord | Reject]:
    """Calls, each with all that it was sent: identity finds out what of it repeats what was said before."""
    for one in found:
        if isinstance(one, Reject):
            yield one
            continue
        made = [
            [d for turn in _listed(tree, role) for d in _drafts(f"{one.place}: {where}", turn, zone)]
            for where, tree, role, _ in _both(one)
        ]
        yield from (draft for part in made for draft in part if isinstance(draft, Reject))
        asked, answered = ([d for d in part if isinstance(d, Draft)] for part in made)
        about = (one.conversation_id, one.user_id, one.began_at, one.ended_at, (*asked, *answered))
        if asked or answered:
            begin = own_input([draft.role for draft in asked])
            yield SourceRecord(one.place, "call", *about, own_from=begin, zone_assumed=one.zone_assumed)


def _both(call: Call) -> list[tuple[str, Any, str, datetime | None]]:
    return [("input", call.asked, "user", call.began_at), ("output", call.answered, "assistant", call.ended_at)]


def _listed(tree: Any, role: str) -> list[Any]:
    """Input or output of a call as a list of messages."""
    if isinstance(tree, str) and tree[:1] in ("[", "{"):
        try:
            tree = decoded(tree)
        except ValueError:
            return [{"role": role, "content": tree}]
    if isinstance(tree, dict) and isinstance(tree.get("choices"), list):
        tree = [choice.get("message") for choice in tree["choices"] if isinstance(choice, dict)]
    if isinstance(tree, dict) and isinstance(tree.get("messages"), list):
        tree = tree["messages"]
    if isinstance(tree, dict) and "content" in tree:
        tree = [{"role": role, **tree}]
    if tree is None or isinstance(tree, list):
        return tree or []
    return [{"role": role, "content": tree if isinstance(tree, str) else raw(tree)}]
