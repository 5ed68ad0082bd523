"""The sample of conversations behind a proposal: a seeded choice over days, lengths and users."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from cpa_core.models import Conversation, Message, Value, digest

SAMPLE_CONVERSATIONS = 60
BATCH_CHARACTERS = 60_000
"""Characters of one question, about 15,000 tokens, so that a model reads all of it with the same care."""
LINE_CHARACTERS = 40
"""Characters that a message's number and role add to its text."""


class Sample(Value):
    """The sampled conversations in their batches, and the number that they were chosen from."""

    seed: int
    of: int
    batches: tuple[tuple[Conversation, ...], ...]

    @property
    def conversations(self) -> list[Conversation]:
        """All of them, in order."""
        return [conversation for batch in self.batches for conversation in batch]


def sample(conversations: Sequence[Conversation], seed: int, size: int = SAMPLE_CONVERSATIONS) -> Sample:
    """A choice of `size`, the same whatever the order they come in.

    Days and thirds of length take turns, so that neither a busy day nor the usual length has it all; within a turn,
    users who are not in it yet go first.
    """
    ordered = sorted(conversations, key=lambda c: digest([seed, c.conversation_id]))
    lengths = sorted(len(c.messages) for c in ordered)
    strata: defaultdict[str, list[Conversation]] = defaultdict(list)
    for conversation in ordered:
        strata[digest([seed, str(conversation.day), _third(len(conversation.messages), lengths)])].append(conversation)
    chosen: list[Conversation] = []
    users: Counter[str] = Counter()
    while len(chosen) < size and any(strata.values()):
        for key in sorted(strata):
            if strata[key] and len(chosen) < size:
                one = min(strata[key], key=lambda c: users[c.user_id or c.conversation_id])
                strata[key].remove(one)
                users[one.user_id or one.conversation_id] += 1
                chosen.append(one)
    return Sample(seed=seed, of=len(conversations), batches=_batches([_beginning(one) for one in chosen]))


def _third(length: int, lengths: Sequence[int]) -> int:
    count = len(lengths)
    return sum(length > lengths[count * n // 3] for n in (1, 2)) if count > 2 else 0


def _batches(conversations: Sequence[Conversation]) -> tuple[tuple[Conversation, ...], ...]:
    batches: list[list[Conversation]] = []
    room = 0
    for conversation in conversations:
        size = _size(conversation)
        if size > room:
            batches.append([])
            room = BATCH_CHARACTERS
        batches[-1].append(conversation)
        room -= size
    return tuple(tuple(batch) for batch in batches)


def _size(conversation: Conversation) -> int:
    return sum(len(m.content) + LINE_CHARACTERS for m in conversation.messages)


def _beginning(conversation: Conversation) -> Conversation:
    """Return as much of a conversation's beginning as fits one question."""
    if _size(conversation) <= BATCH_CHARACTERS:
        return conversation
    room = BATCH_CHARACTERS
    messages: list[Message] = []
    for message in conversation.messages:
        if room <= LINE_CHARACTERS:
            break
        cut = message.content[: room - LINE_CHARACTERS]
        messages.append(message.model_copy(update={"content": cut}))
        room -= len(cut) + LINE_CHARACTERS
    return conversation.model_copy(update={"messages": tuple(messages)})
