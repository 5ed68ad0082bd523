"""What the tests of the language-model layer share: conversations, a schema, honest fakes of the protocols."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cpa_core.llm import About, Answer, Ask, Engine, Limiter, ModelName, Provider, Reply, Request, Timer
from cpa_core.llm.values import Outcome
from cpa_core.models import FINAL_OUTCOMES, Conversation, Criteria, EventSchema, EventType, Message, Property
from cpa_core.prompts import numbers, spoken

DAY = date(2026, 3, 4)
MODEL = ModelName(provider="compatible", model="test-model")
ABOUT = About(day=str(DAY), conversation_id="c1")

QUESTION = EventType(
    name="Question",
    definition="The user asks something.",
    role="user",
    properties=(
        Property(name="Topic", definition="What it is about.", choices=("Tax", "Form", "Other")),
        Property(name="Subject", definition="The thing asked about, in a word."),
    ),
)
THANKS = EventType(name="Thanks", definition="The user says thank you.", role="user")
REPLY = EventType(name="Reply", definition="The assistant answers.", role="assistant")
SCHEMA = EventSchema(
    name="Filing Finch",
    description="A helper for tax returns.",
    criteria=Criteria(
        primary_goals=("Be right", "Answer the question"),
        secondary_goals=("Be clear",),
        tertiary_goals=("Be kind",),
        dealbreakers=("Gives a wrong figure",),
    ),
    event_types=(QUESTION, THANKS, REPLY),
)

Said = str | Reply | Exception
"""What a model does once: an answer, a whole reply, or a failure."""


def conversation(*texts: str | tuple[str, str], conversation_id: str = "c1") -> Conversation:
    """Messages by turns of user and assistant; a pair names its role."""
    start = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
    turns = [t if isinstance(t, tuple) else (("user", "assistant")[n % 2], t) for n, t in enumerate(texts)]
    messages = tuple(
        Message(message_id=f"m{n}", position=n, role=role, content=text, sent_at=start + timedelta(seconds=n))
        for n, (role, text) in enumerate(turns)
    )
    return Conversation(conversation_id=conversation_id, user_id="u1", day=DAY, content_hash="h", messages=messages)


def request(**changes: Any) -> Request:
    """A question that means nothing."""
    fields = {"task": "tag", "provider": "compatible", "model": "test-model", "system": "s", "user": "u"}
    return Request.model_validate({**fields, "json_schema": {"type": "object"}, "max_tokens": 100, **changes})


class Script:
    """A provider that says these things in order, or what a function says to each request."""

    def __init__(self, *said: Said | Callable[[Request], Said]) -> None:
        self.said = list(said)
        self.requests: list[Request] = []

    def call(self, request: Request) -> Reply:
        """The next thing; the last one again and again when it is a function."""
        self.requests.append(request)
        following = self.said[0] if len(self.said) == 1 and callable(self.said[0]) else self.said.pop(0)
        said = following(request) if callable(following) else following
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Reply) else Reply(outcome="ok", text=said)


class Memory:
    """Answers kept in memory."""

    def __init__(self) -> None:
        self.kept: list[Answer] = []

    def find(self, request_hash: str) -> Reply | None:
        """A final reply to this question."""
        for answer in self.kept:
            if answer.request_hash == request_hash and answer.reply.outcome in FINAL_OUTCOMES:
                return answer.reply
        return None

    def keep(self, answer: Answer) -> None:
        """Remember."""
        self.kept.append(answer)


def engine(provider: Provider, answers: Memory | None = None, concurrency: int = 4) -> Engine:
    """An engine that does not sleep and whose every call costs a cent."""
    return Engine(provider, answers or Memory(), Limiter(concurrency, Timer(sleep=lambda _: None)), lambda *_: 0.01)


def asking(provider: Provider, answers: Memory | None = None) -> Ask:
    """The engine as the tasks see it."""
    made = engine(provider, answers)
    return lambda asked, check: made.ask(asked, check, ABOUT)


def event(type: str, quote: str = "", **properties: str) -> dict[str, Any]:
    """One event as a model writes it; an underscore in a property's name stands for a space."""
    pairs = [{"name": name.replace("_", " "), "value": value} for name, value in properties.items()]
    return {"quote": quote, "because": "It says so.", "type": type, "properties": pairs}


def tagged(events: dict[int, list[dict[str, Any]]]) -> str:
    """A model's answer to a question about tags."""
    return json.dumps({"messages": [{"m": m, "events": found} for m, found in events.items()]})


def in_objects(tree: dict[str, Any], schema: EventSchema = SCHEMA) -> None:
    """Turn the lines of an answer into the objects that a question asks for when it asks again."""
    names = {found.name: [p.name for p in found.properties] for found in schema.event_types}
    found: dict[int, list[dict[str, Any]]] = {}
    if any(isinstance(entry, dict) for entry in tree["messages"]):
        return
    for row in tree["messages"]:
        m, _, words = row.partition(" ")
        events = found.setdefault(int(m), [])
        if words != "-":
            quote, because, kind, *values = words.split("|")
            pairs = [{"name": name, "value": value} for name, value in zip(names[kind], values, strict=False)]
            events.append({"quote": quote, "because": because, "type": kind, "properties": pairs})
    tree["messages"] = [{"m": m, "events": events} for m, events in found.items()]


def asked(request: Request) -> list[int]:
    """The messages that a question is about."""
    wanted = request.user.rpartition("Answer for m = ")[2].partition(".")[0]
    return numbers(wanted)


def shown(request: Request, fence: str = "conversation") -> list[dict[str, Any]]:
    """The messages that stand in a fence of the prompt."""
    text = request.user.partition(f"<{fence}>\n")[2].partition(f"\n</{fence}>")[0]
    rows = [spoken(row) for row in text.splitlines()]
    return [dict(zip(("m", "role", "text"), row, strict=True)) for row in rows if row]


def judged(
    verdicts: Sequence[str] = ("met", "met", "met", "met"), hit: bool = False, quote: str = "", m: int | None = None
) -> str:
    """A model's judgment by SCHEMA: P1, P2, S1, T1, D1; without `m`, its quotes name no message, as they used to."""
    said = (
        {"quote": quote, "because": "So it went."} if m is None else {"m": m, "quote": quote, "because": "So it went."}
    )
    goals = [
        {"id": key, **said, "verdict": verdict} for key, verdict in zip(SCHEMA.criteria.goals(), verdicts, strict=False)
    ]
    return json.dumps({"goals": goals, "dealbreakers": [{"id": "D1", **said, "hit": hit}], "because": "All in all."})


class Failing:
    """A model that answers, but never about a conversation whose text holds a word."""

    def __init__(self, word: str, outcome: Outcome = "truncated") -> None:
        self.word, self.outcome = word, outcome

    def call(self, request: Request) -> Reply:
        """A reply that is whole, or one that is none."""
        if self.word in request.user:
            return Reply(outcome=self.outcome)
        return Reply(
            outcome="ok", text=judged() if request.task == "judge" else tagged({m: [] for m in asked(request)})
        )
