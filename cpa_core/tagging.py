"""Tagging: one question for a window of a conversation, one entry in the answer for every message asked about."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import answer_object, closed, listed, locate
from cpa_core.llm import Ask, ModelName, Reply, Request
from cpa_core.llm.reading import matched_name
from cpa_core.models import (
    FINAL_OUTCOMES,
    NOT_APPLICABLE,
    TAGGED_ROLES,
    Conversation,
    EventSchema,
    EventType,
    Message,
    Outcome,
    Property,
    Tag,
    Value,
)
from cpa_core.prompts import render, transcript

WINDOW = 50
"""Messages in one question."""
EARLIER = 10
"""Messages before the window that are shown as context."""
REPAIRS = 2
"""Times that missing or invalid entries are asked for again."""
MANY = "any number of them, each type at most once; an empty list means that nothing listed happens"
ONE = "exactly one, the one that fits best"


class Tagged(Value):
    """What tagging one conversation came to. `cost` is in US dollars, null when a price is unknown."""

    outcome: Outcome
    detail: str
    tags: tuple[Tag, ...]
    messages_asked: int
    questions: int
    cost: float | None


class Entry(Value):
    """One message's entry in an answer: its tags, and what is wrong with it.

    A `hard` problem makes the entry unusable; a `soft` one is worth asking again, then the entry is taken as it is.
    """

    tags: tuple[Tag, ...] = ()
    hard: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()


def tag_conversation(
    conversation: Conversation,
    schema: EventSchema,
    model: ModelName,
    ask: Ask,
    positions: Collection[int] | None = None,
) -> Tagged:
    """Tag every user and assistant message, or those at `positions`. Raises what `ask` raises."""
    work = _Work(conversation, schema, model, ask)
    for window, wanted in _parts(conversation, positions):
        work.window(window, wanted)
    return work.tagged()


def windows(messages: Sequence[Message]) -> list[Sequence[Message]]:
    """Runs of at most 50 messages that hold something to tag."""
    runs = [messages[n : n + WINDOW] for n in range(0, len(messages), WINDOW)]
    return [run for run in runs if _asked(run)]


def first_requests(
    conversation: Conversation, schema: EventSchema, model: ModelName, positions: Collection[int] | None = None
) -> list[Request]:
    """The questions that tagging this conversation, or its messages at `positions`, begins with."""
    return [question(conversation, w, wanted, schema, model) for w, wanted in _parts(conversation, positions)]


def _parts(conversation: Conversation, positions: Collection[int] | None) -> list[tuple[Sequence[Message], list[int]]]:
    """The windows in which something is asked, each with the messages asked about."""
    parts = [(w, _asked(w)) for w in windows(conversation.messages)]
    if positions is None:
        return parts
    return [(w, wanted) for w, asked in parts if (wanted := [p for p in asked if p in positions])]


def _asked(messages: Sequence[Message]) -> list[int]:
    return [m.position for m in messages if m.role in TAGGED_ROLES]


class _Work:
    """The state of tagging one conversation: entries so far, costs, and the worst that happened."""

    def __init__(self, conversation: Conversation, schema: EventSchema, model: ModelName, ask: Ask) -> None:
        self.conversation = conversation
        self.schema = schema
        self.model = model
        self.ask = ask
        self.entries: dict[int, Entry] = {}
        self.costs: list[float | None] = []
        self.ended: tuple[Outcome, str] = ("ok", "")

        @cache
        def entries(text: str, positions: tuple[int, ...]) -> dict[int, Entry]:
            return read(text, conversation, positions, schema)

        self.read = entries

    def window(self, window: Sequence[Message], open_positions: list[int]) -> None:
        """Ask for a window, halve it when the answer is cut off, ask again for what is missing or wrong."""
        problems: dict[int, tuple[str, ...]] = {}
        for round_ in range(1 + REPAIRS):
            reply = self._question(window, open_positions, problems)
            if reply.outcome == "truncated" and len(window) > 1:
                half = len(window) // 2
                for part in (window[:half], window[half:]):
                    wanted = [m for m in part if m.position in open_positions]
                    if wanted:
                        self.window(wanted, _asked(wanted))
                return
            if reply.outcome not in ("ok", "invalid"):
                self._end(reply, open_positions)
                return
            problems = self._take(reply, open_positions, last=round_ > 0)
            open_positions = [p for p in open_positions if p in problems]
            if not open_positions:
                return
        broken = {p: found for p, found in problems.items() if self.entries[p].hard}
        if broken:
            detail = "; ".join(f"m {p}: {found[0]}" for p, found in sorted(broken.items()))
            self._worst("invalid", detail)

    def _end(self, reply: Reply, positions: list[int]) -> None:
        """A question ended without an answer; entries that were asked again but can be used stay as they are."""
        usable = all(p in self.entries and not self.entries[p].hard for p in positions)
        if reply.outcome == "error" or not usable:
            self._worst(reply.outcome, reply.detail)

    def _worst(self, outcome: Outcome, detail: str) -> None:
        """A failure that may pass outweighs a final one, so that it is asked again."""
        if self.ended[0] in FINAL_OUTCOMES:
            self.ended = (outcome, detail)

    def _question(self, window: Sequence[Message], positions: list[int], problems: dict[int, tuple[str, ...]]) -> Reply:
        request = question(self.conversation, window, positions, self.schema, self.model, problems)

        def check(text: str) -> None:
            entries = self.read(text, tuple(positions))
            if all(entry.hard for entry in entries.values()):
                m, entry = next(iter(entries.items()))
                raise ReplyInvalid(f"m {m}: {entry.hard[0]}")

        reply = self.ask(request, check)
        self.costs.append(reply.cost)
        if reply.is_cut_off and len(window) == 1:
            reply = self.ask(request.roomier(), check)
            self.costs.append(reply.cost)
        return reply

    def _take(self, reply: Reply, positions: list[int], *, last: bool) -> dict[int, tuple[str, ...]]:
        """Keep the usable entries; the problems of those to ask for again."""
        try:
            entries = self.read(reply.text, tuple(positions))
        except ReplyInvalid as invalid:
            entries = dict.fromkeys(positions, Entry(hard=(str(invalid) if reply.text else reply.detail,)))
        for position, entry in entries.items():
            held = self.entries.get(position)
            if held is None or held.hard or not entry.hard:
                self.entries[position] = entry
        again = {
            p: e.hard + e.soft for p, e in self.entries.items() if p in entries and (e.hard or (e.soft and not last))
        }
        return again

    def tagged(self) -> Tagged:
        tags = tuple(tag for _, entry in sorted(self.entries.items()) for tag in entry.tags)
        known = [cost for cost in self.costs if cost is not None]
        return Tagged(
            outcome=self.ended[0],
            detail=self.ended[1],
            tags=tags,
            messages_asked=len(self.conversation.tagged_positions),
            questions=len(self.costs),
            cost=sum(known) if len(known) == len(self.costs) else None,
        )


def question(
    conversation: Conversation,
    window: Sequence[Message],
    positions: Sequence[int],
    schema: EventSchema,
    model: ModelName,
    problems: dict[int, tuple[str, ...]] | None = None,
) -> Request:
    """The question for the messages at `positions`, shown in their window after about ten earlier ones."""
    start = window[0].position
    shown = conversation.messages[start : window[-1].position + 1]
    earlier = conversation.messages[max(0, start - EARLIER) : start]
    system, user = render(
        "tag",
        {
            "name": schema.name,
            "description": schema.description,
            "how_many": ONE if schema.events_per_message == "one" else MANY,
            "user_types": catalogue(schema, "user"),
            "assistant_types": catalogue(schema, "assistant"),
        },
        {
            "earlier": f"<earlier>\n{transcript(earlier)}\n</earlier>\n" if earlier else "",
            "transcript": transcript(shown),
            "positions": ", ".join(map(str, positions)),
            "correction": correction(problems or {}),
        },
    )
    return Request(
        task="tag",
        provider=model.provider,
        model=model.model,
        system=system,
        user=user,
        json_schema=json_schema(schema),
        max_tokens=500 + 250 * len(positions),
    )


def correction(problems: dict[int, tuple[str, ...]]) -> str:
    """What was wrong with the last answer, as the instruction of the next."""
    if not problems:
        return ""
    lines = [f"- m {p}: {problem}" for p, found in sorted(problems.items()) for problem in found]
    return "\nYour last answer could not be used for these messages:\n" + "\n".join(lines)


def catalogue(schema: EventSchema, role: str) -> str:
    """The event types of a role as the model reads them."""
    lines: list[str] = []
    for event_type in schema.of_role(role).values():
        lines.append(f"- {event_type.name}: {event_type.definition}")
        lines += [_described(p) for p in event_type.properties]
    return "\n".join(lines) or "(none)"


def _described(found: Property) -> str:
    choices = f" One of: {' | '.join(found.choices)}." if found.choices else ""
    return f"  - property {found.name}: {found.definition}{choices}"


def json_schema(schema: EventSchema) -> dict[str, Any]:
    """The shape of the answer. It depends on the event schema only, so that vendors can cache it."""
    types = list(dict.fromkeys(t.name for t in schema.event_types))
    names = list(dict.fromkeys(p.name for t in schema.event_types for p in t.properties))
    text = {"type": "string"}
    pair = closed({"name": {"type": "string", "enum": names} if names else text, "value": text})
    event = closed(
        {
            "quote": text,
            "because": text,
            "type": {"type": "string", "enum": types},
            "properties": {"type": "array", "items": pair},
        }
    )
    entry = closed({"m": {"type": "integer"}, "events": {"type": "array", "items": event}})
    return closed({"messages": {"type": "array", "items": entry}})


def read(text: str, conversation: Conversation, positions: Sequence[int], schema: EventSchema) -> dict[int, Entry]:
    """The entries of an answer, one for every message asked about. Raises ReplyInvalid when it has no list."""
    given: dict[int, Any] = {}
    for entry in listed(answer_object(text), "messages"):
        if isinstance(entry, dict) and type(entry.get("m")) is int:
            given.setdefault(entry["m"], entry)
    messages = {m.position: m for m in conversation.messages}
    return {p: _entry(given.get(p), messages[p], schema) for p in positions}


def _entry(given: Any, message: Message, schema: EventSchema) -> Entry:
    if given is None:
        return Entry(hard=("missing",))
    if not isinstance(given.get("events"), list):
        return Entry(hard=("events: not a list",))
    tags: dict[str, Tag] = {}
    hard: list[str] = []
    soft: list[str] = []
    for n, event in enumerate(given["events"]):
        try:
            tag, notes = _tag(event, message, schema)
            tags.setdefault(tag.event_type, tag)
            soft += [f"events.{n}.{note}" for note in notes]
        except ReplyInvalid as invalid:
            hard.append(f"events.{n}.{invalid}")
    wanted = schema.events_per_message == "one" and schema.of_role(message.role)
    if wanted and len(tags) != 1 and not hard:
        hard.append("events: exactly one is needed")
    return Entry(tags=() if hard else tuple(tags.values()), hard=tuple(hard), soft=tuple(soft))


def _tag(event: Any, message: Message, schema: EventSchema) -> tuple[Tag, list[str]]:
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise ReplyInvalid("type: missing")
    event_type = schema.find(event["type"].strip(), message.role)
    if event_type is None:
        raise ReplyInvalid(f"type: not one of the event types of role {message.role}")
    if not isinstance(event.get("because"), str) or not isinstance(event.get("quote"), str):
        raise ReplyInvalid("quote and because: text is needed")
    properties, notes = _properties(event.get("properties"), event_type)
    place = locate(event["quote"], message.content)
    if place is None and message.content.strip():
        notes.append("quote: does not occur in the message")
    tag = Tag(
        position=message.position,
        role=message.role,
        event_type=event_type.name,
        properties=properties,
        quote=message.content[place[0] : place[1]] if place else None,
        quote_start=place[0] if place else None,
        quote_end=place[1] if place else None,
        because=event["because"],
    )
    return tag, notes


def _properties(given: Any, event_type: EventType) -> tuple[dict[str, str], list[str]]:
    if not isinstance(given, list):
        raise ReplyInvalid("properties: not a list")
    values: dict[str, str] = {}
    for n, pair in enumerate(given):
        if (
            not isinstance(pair, dict)
            or not isinstance(pair.get("name"), str)
            or not isinstance(pair.get("value"), str)
        ):
            raise ReplyInvalid(f"properties.{n}: name and value are needed, both text")
        values[pair["name"].strip()] = pair["value"].strip()
    found: dict[str, str] = {}
    notes = [f"properties.{n}: not a property of this event type" for n in _foreign(values, event_type)]
    for wanted in event_type.properties:
        if wanted.name not in values:
            notes.append(f"properties.{wanted.name}: missing")
            continue
        found[wanted.name] = _choice(values[wanted.name], wanted)
    return found, notes


def _foreign(values: dict[str, str], event_type: EventType) -> list[int]:
    own = {p.name for p in event_type.properties}
    return [n for n, name in enumerate(values) if name not in own]


def _choice(value: str, wanted: Property) -> str:
    if not wanted.choices:
        return value
    found = matched_name(value, (*wanted.choices, NOT_APPLICABLE))
    if found is None:
        raise ReplyInvalid(f"properties.{wanted.name}: not one of the choices")
    return found
