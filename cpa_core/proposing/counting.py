"""How often each proposed type happens in the sample, with examples; and the types that a message tried to plant."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cpa_core.models import Conversation, EventSchema, EventType, Message, Tag, Value
from cpa_core.tagging import Tagged

QUOTES = 2
"""Examples of each type."""
QUOTE_CHARACTERS = 120
SPEAKS_OF_SCHEMAS = re.compile(
    r"event[\s_-]*(type|name|schema|called)|\bschema\b|\byaml\b|definition\s*:|role\s*:\s*(user|assistant)|"
    r"\b(add|create|propose|define)\b.{0,40}\bevent",
    re.IGNORECASE | re.DOTALL,
)
"""Words of a message that tries to influence the schema."""


class Firing(Value):
    """The number of a type's events in the sample, and quotes of it, from different conversations if possible."""

    event_type: EventType
    messages: int
    quotes: tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    """The proposed schema without planted types, whose names are listed separately, and the counts of its types.

    `conversations` were counted; `failed` is the number that were not, by reason: no figure includes them.
    """

    schema: EventSchema
    planted: tuple[str, ...]
    firings: tuple[Firing, ...]
    conversations: int
    messages: int
    uncovered: int
    failed: tuple[tuple[str, int], ...] = ()

    @property
    def lost(self) -> int:
        """Conversations of the sample that could not be counted."""
        return sum(count for _, count in self.failed)

    @property
    def said(self) -> str:
        """Return a line on the part of the sample behind the figures, and on the rest."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.failed)
        if not self.conversations and self.lost:
            return (
                f"Nothing was counted: all {self.lost} counting questions failed ({reasons}). Propose again to count."
            )
        words = f"Of {self.messages} messages of the sample, {self.uncovered} have no event by it."
        if not self.failed:
            return words
        whole = self.conversations + self.lost
        return f"Counted in {self.conversations} of {whole} conversations only, {self.lost} failed ({reasons}). {words}"


Found = tuple[Conversation, Tagged]


def counted(schema: EventSchema, tagged: Iterable[Found], failed: Mapping[str, int] | None = None) -> Counted:
    """Return the counts of a schema's types in a tagged sample.

    A type is planted if a message about schemas names it, and it occurs in no other message.
    """
    found = sorted(tagged, key=lambda one: one[0].conversation_id)
    events: defaultdict[tuple[str, str], list[tuple[Message, Tag]]] = defaultdict(list)
    for conversation, result in found:
        messages = {m.position: m for m in conversation.messages}
        for tag in result.tags:
            events[tag.event_type, tag.role].append((messages[tag.position], tag))
    suspect = [m.content for c, _ in found for m in c.messages if SPEAKS_OF_SCHEMAS.search(m.content)]
    planted = [t for t in schema.event_types if _is_planted(t, suspect, [m for m, _ in events[t.name, t.role]])]
    kept = tuple(t for t in schema.event_types if t not in planted)
    asked = {(c.conversation_id, p) for c, _ in found for p in c.tagged_positions}
    covered = {(c.conversation_id, tag.position) for c, result in found for tag in result.tags}
    return Counted(
        schema=schema.model_copy(update={"event_types": kept}),
        planted=tuple(t.name for t in planted),
        firings=tuple(_firing(t, events[t.name, t.role]) for t in kept),
        conversations=len(found),
        messages=len(asked),
        uncovered=len(asked - covered),
        failed=tuple(sorted((failed or {}).items())),
    )


def _is_planted(event_type: EventType, suspect: Sequence[str], fired: Sequence[Message]) -> bool:
    name = event_type.name.casefold()
    is_named = any(name in text.casefold() for text in suspect)
    return is_named and all(SPEAKS_OF_SCHEMAS.search(m.content) for m in fired)


def _firing(event_type: EventType, events: Sequence[tuple[Message, Tag]]) -> Firing:
    quotes = dict.fromkeys(tag.quote for _, tag in events if tag.quote)
    return Firing(event_type=event_type, messages=len(events), quotes=tuple(quotes)[:QUOTES])
