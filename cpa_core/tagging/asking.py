"""Asking about a conversation: a question for each window, repeated for missing or wrong entries, and the result."""

from collections.abc import Collection, Sequence
from functools import cache

from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import shown_values
from cpa_core.llm import Ask, ModelName, Reply
from cpa_core.models import FINAL_OUTCOMES, Conversation, EventSchema, Message, Outcome, Tag, Value
from cpa_core.tagging.answer import Entry, read
from cpa_core.tagging.question import asked_in, parts, question

REPAIRS = 2
"""Times that missing or invalid entries are asked for again."""


class Tagged(Value):
    """The result of tagging one conversation. `cost` is in US dollars, null when a price is unknown.

    `wrong` are labels of the last answer that the schema does not have, shortened, without words of a message. `folded`
    counts names of types and choices that matched in another spelling.
    """

    outcome: Outcome
    detail: str
    tags: tuple[Tag, ...]
    messages_asked: int
    questions: int
    cost: float | None
    wrong: tuple[str, ...] = ()
    folded: int = 0


def tag_conversation(
    conversation: Conversation,
    schema: EventSchema,
    model: ModelName,
    ask: Ask,
    positions: Collection[int] | None = None,
) -> Tagged:
    """Tag every user and assistant message, or those at `positions`. Raises what `ask` raises."""
    work = _Work(conversation, schema, model, ask)
    for window, wanted in parts(conversation, positions):
        work.window(window, wanted)
    return work.tagged()


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
        self.wrong: tuple[str, ...] = ()

        @cache
        def entries(text: str, positions: tuple[int, ...]) -> dict[int, Entry]:
            return read(text, conversation, positions, schema)

        self.read = entries

    def window(self, window: Sequence[Message], open_positions: list[int]) -> None:
        """Ask about a window; halve it if the answer is cut off; ask again for missing or wrong entries."""
        problems: dict[int, tuple[str, ...]] = {}
        for round_ in range(1 + REPAIRS):
            reply = self._question(window, open_positions, problems)
            if reply.outcome == "truncated" and len(window) > 1:
                half = len(window) // 2
                for part in (window[:half], window[half:]):
                    wanted = [m for m in part if m.position in open_positions]
                    if wanted:
                        self.window(wanted, asked_in(wanted))
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
            rules: dict[str, list[str]] = {}
            for p, found in sorted(broken.items()):
                rules.setdefault(found[0], []).append(str(p))
            detail = "; ".join(f"m {', '.join(places)}: {rule}" for rule, places in rules.items())
            given = [value for p in sorted(broken) for value in self.entries[p].wrong]
            self.wrong += shown_values(given, [m.content for m in self.conversation.messages])
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
            wrong=self.wrong if self.ended[0] == "invalid" else (),
            folded=sum(entry.folded for entry in self.entries.values()),
        )
