"""The question about a window of a conversation: messages shown, messages asked about, and the answer's shape."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from cpa_core.evidence import closed
from cpa_core.llm import ModelName, Request
from cpa_core.models import TAGGED_ROLES, Conversation, EventSchema, EventType, Message, Property
from cpa_core.prompts import known, ranges, render, transcript

WINDOW = 50
"""Messages in one question."""
EARLIER = 10
"""Messages before the window that are shown as context."""
OPENING = 4
"""Opening messages that later windows also show, for context."""
MANY = "every type whose definition it meets, each at most once; often none"
AGAIN = (
    "This time write an object for each m in place of lines: m and its events, each with quote, because, type, and "
    "properties by name and value."
)
ONE = "exactly one type, the one whose definition fits best"


def windows(messages: Sequence[Message]) -> list[Sequence[Message]]:
    """Runs of at most 50 messages that hold something to tag."""
    runs = [messages[n : n + WINDOW] for n in range(0, len(messages), WINDOW)]
    return [run for run in runs if asked_in(run)]


def first_requests(
    conversation: Conversation, schema: EventSchema, model: ModelName, positions: Collection[int] | None = None
) -> list[Request]:
    """The questions that tagging this conversation, or its messages at `positions`, begins with."""
    return [question(conversation, w, wanted, schema, model) for w, wanted in parts(conversation, positions)]


def parts(conversation: Conversation, positions: Collection[int] | None) -> list[tuple[Sequence[Message], list[int]]]:
    """The windows in which something is asked, each with the messages asked about."""
    found = [(w, asked_in(w)) for w in windows(conversation.messages)]
    if positions is None:
        return found
    return [(w, wanted) for w, asked in found if (wanted := [p for p in asked if p in positions])]


def asked_in(messages: Sequence[Message]) -> list[int]:
    """The positions of those that are asked about."""
    return [m.position for m in messages if m.role in TAGGED_ROLES]


def question(
    conversation: Conversation,
    window: Sequence[Message],
    positions: Sequence[int],
    schema: EventSchema,
    model: ModelName,
    problems: dict[int, tuple[str, ...]] | None = None,
) -> Request:
    """The question for the messages at `positions`, shown in their window after the opening and about ten earlier ones.

    Repeated questions, with their `problems`, request objects, because vendors can enforce a schema for these.
    """
    start = window[0].position
    shown = conversation.messages[start : window[-1].position + 1]
    opening = conversation.messages[: min(OPENING, max(0, start - EARLIER))]
    earlier = (*opening, *conversation.messages[max(0, start - EARLIER) : start])
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
            "context": known(conversation.context),
            "earlier": f"<earlier>\n{transcript(earlier)}\n</earlier>\n" if earlier else "",
            "transcript": transcript(shown),
            "positions": ranges(positions),
            "correction": correction(problems or {}),
        },
    )
    return Request(
        task="tag",
        provider=model.provider,
        model=model.model,
        system=system,
        user=user,
        json_schema=json_schema(schema) if problems else line_schema(),
        max_tokens=500 + 250 * len(positions),
        other_schema=line_schema() if problems else json_schema(schema),
    )


def correction(problems: dict[int, tuple[str, ...]]) -> str:
    """Return the problems of the previous answer as an instruction for the next."""
    if not problems:
        return ""
    lines = [f"- m {p}: {problem}" for p, found in sorted(problems.items()) for problem in found]
    return f"\n{AGAIN}\nYour last answer could not be used for these messages:\n" + "\n".join(lines)


def catalogue(schema: EventSchema, role: str) -> str:
    """The event types of a role as the model reads them."""
    return "\n".join(row for found in schema.of_role(role).values() for row in _rows(found)) or "(none)"


def _rows(event_type: EventType) -> Iterator[str]:
    """Yield the lines of a type, its examples, and its properties."""
    marks = f"({event_type.role}, plain)" if event_type.plain else f"({event_type.role})"
    yield f"- {event_type.name}: {marks} {event_type.definition}"
    yes, no = (", ".join(map(_quoted, found)) for found in (event_type.examples, event_type.counterexamples))
    if yes or no:
        yield "  " + "; ".join(part for part in (yes and f"e.g. {yes}", no and f"not {no}") if part)
    yield from map(_described, event_type.properties)


def _quoted(words: str) -> str:
    """Return an example in quotation marks; a person's note in parentheses stays outside."""
    quote, bracket, aside = words.partition(" (that is ")
    return f'"{quote}"{bracket}{aside}'


def _described(found: Property) -> str:
    choices = f" One of: {' | '.join(found.choices)}." if found.choices else ""
    return f"  - property {found.name}: {found.definition}{' Always has a value.' if found.required else ''}{choices}"


def line_schema() -> dict[str, Any]:
    """The shape of a first answer: a list of lines. It is the same for everybody, so that vendors can cache it."""
    return closed({"messages": {"type": "array", "items": {"type": "string"}}})


def json_schema(schema: EventSchema) -> dict[str, Any]:
    """The shape of an answer that is asked for again. It depends on the event schema only."""
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
