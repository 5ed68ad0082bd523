"""How often each proposed type happens in the sample, with examples; and which types a message has tried to plant."""

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
"""What a message says that would rather write the schema than be described by it."""


class Firing(Value):
    """How often a type happened in the sample, and quotes of it from different conversations where there are."""

    event_type: EventType
    messages: int
    quotes: tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    """The proposed schema without planted types, whose names are apart, and what happened in so many messages.

    `conversations` were counted; `failed` has how many were not, for each reason: no figure says anything of them.
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
        """How much of the sample the figures rest on, and what became of the rest."""
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
    """What a tagged sample says of a schema. A type is planted when some message that speaks of schemas names it,
    and it happens in no message that does not."""
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
