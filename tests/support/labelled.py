"""A home with conversations, their tags and judgments, whose truth is known, and people who say the truth."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from cpa_core.gold.reviews import Labelled, Review, answers_on_conversation, answers_on_message, said_hash
from cpa_core.models import Criteria, EventSchema, EventType, Property
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.gold.ledger import append_reviews
from cpa_core.schema import dump
from tests.support.homes import NOW, Home

FIRST = date(2026, 3, 1)
ASKING, THANKS, ANSWER = "Asking", "Thanks", "Answer"
SCHEMA = EventSchema(
    name="Helper",
    description="Answers questions.",
    criteria=Criteria(primary_goals=("Answers the question.",), dealbreakers=("Insults the user.",)),
    event_types=(
        EventType(
            name=ASKING,
            definition="The user asks for something.",
            role="user",
            properties=(Property(name="Topic", definition="What about.", choices=("tax", "rent")),),
        ),
        EventType(name=THANKS, definition="The user says thanks.", role="user"),
        EventType(name=ANSWER, definition="The assistant answers.", role="assistant"),
    ),
)
PROMPT, MODEL = "p1", "fake:one"


@dataclass
class Talk:
    """One conversation: its day, user, and for each message its role, the types that it truly has and those tagged."""

    day: date
    user: str | None
    messages: list[tuple[str, set[str], set[str]]]
    met: str = "met"
    judged: str = "met"
    model: str = MODEL
    schema: EventSchema = SCHEMA


@dataclass
class LabelledHome:
    """The talks in a store, and people who read them."""

    home: Home
    talks: list[Talk] = field(default_factory=list)

    @property
    def assistant(self) -> Assistant:
        """The assistant of the home."""
        return self.home.assistant()

    def store(self, schema: EventSchema = SCHEMA) -> None:
        """Replace what the home holds by the talks."""
        path = self.home.folder / "schema.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump(schema), "utf-8")
        self.home.environ["CPA_SCHEMA"] = str(path)
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        for n, talk in enumerate(self.talks):
            for name, found in _rows(f"c{n:04}", talk).items():
                rows[name] += found
        versions = {one.version: one for one in [*(talk.schema for talk in self.talks), schema]}
        rows["event_schemas"] = [
            {"version": v, "yaml": dump(one), "origin": "test", "created_at": NOW + timedelta(seconds=n)}
            for n, (v, one) in enumerate(versions.items())
        ]
        with self.assistant.store.writing() as transaction:
            for name, found in rows.items():
                transaction.execute(f"delete from {name}")
                transaction.insert(name, found)

    def read(
        self, numbers: Iterable[int], reviewer: str = "ana", schema: EventSchema = SCHEMA, **more: Any
    ) -> list[Review]:
        """A person reads these talks, whole, and says the truth of each message."""
        reviews = [one for n in numbers for one in self.reviews(n, reviewer, schema, **more)]
        append_reviews(self.assistant, reviews)
        return reviews

    def reviews(self, number: int, reviewer: str = "ana", schema: EventSchema = SCHEMA, **more: Any) -> list[Review]:
        """What a person says of a talk, message by message, then of the whole."""
        talk, conversation = self.talks[number], f"c{number:04}"
        about = {"conversation_id": conversation, "reviewer": reviewer, "reviewed_at": NOW, "queue": "random"}
        about |= {"schema_version": schema.version} | more
        found = []
        for position, (role, truth, _) in enumerate(talk.messages):
            labelled = [
                Labelled(event_type=name, quote=name, properties={"Topic": "tax"} if name == ASKING else {})
                for name in sorted(truth)
            ]
            said = {"message_id": f"m{position}", "role": role, "said": said_hash(_content(truth, position))}
            found.append(Review(**about | said, answers=answers_on_message(schema, role, labelled)))
        verdicts = {"P1": talk.met, "D1": "not hit"}
        whole = {"message_id": None, "role": None}
        return [*found, Review(**about | whole, answers=answers_on_conversation(schema, verdicts))]


TABLES = (
    "raw_conversations",
    "messages",
    "tagged_conversations",
    "tagged_events",
    "judge_scores",
    "event_schemas",
)


def _content(truth: set[str], position: int) -> str:
    return f"{', '.join(sorted(truth)) or 'nothing'} at {position}"


def _rows(conversation: str, talk: Talk) -> dict[str, list[dict[str, Any]]]:
    at = datetime(talk.day.year, talk.day.month, talk.day.day, 9, tzinfo=UTC)
    of = {"day": talk.day, "conversation_id": conversation}
    made = {"schema_version": talk.schema.version, "prompt_id": PROMPT, "model": talk.model}
    hashed = of | {"content_hash": conversation}
    messages, events = [], []
    for position, (role, truth, tagged) in enumerate(talk.messages):
        place = of | {"message_id": f"m{position}", "position": position, "role": role}
        messages.append(place | {"content": _content(truth, position), "sent_at": at + timedelta(minutes=position)})
        for name in sorted(tagged):
            values = {"Topic": "tax" if position % 4 == 0 else "rent"} if name == ASKING else {}
            events.append(
                place
                | made
                | {"event_id": f"{conversation} {position} {name}", "event_type": name, "because": "so"}
                | {"properties": json.dumps(values), "quote": name if name in truth else None}
            )
    verdicts = {"P1": {"position": None, "quote": None, "because": "so", "verdict": talk.judged}}
    hits = {"D1": {"position": None, "quote": None, "because": "so", "hit": False}}
    talked = {"user_id": talk.user, "started_at": at, "ended_at": at + timedelta(minutes=len(messages))}
    judged = {"outcome": "ok", "score": 80.0, "because": "so"}
    return {
        "raw_conversations": [hashed | talked | {"message_count": len(messages), "time_assumed": False}],
        "messages": messages,
        "tagged_conversations": [hashed | made | {"outcome": "ok"}],
        "tagged_events": events,
        "judge_scores": [hashed | made | judged | {"verdicts": json.dumps(verdicts), "dealbreakers": json.dumps(hits)}],
    }


def talks(count: int, seed: int = 1, days: int = 10, length: int = 10) -> list[Talk]:
    """Conversations with events that cluster, and a tagger that errs; each user has three."""
    random = Random(seed)
    found = []
    for n in range(count):
        taste = random.random() ** 2
        messages = []
        for position in range(length):
            role = "user" if position % 2 == 0 else "assistant"
            kinds = (ASKING, THANKS) if role == "user" else (ANSWER,)
            truth = {name for name in kinds if random.random() < taste}
            tagged = {name for name in kinds if random.random() < (0.8 if name in truth else 0.1)}
            messages.append((role, truth, tagged))
        met = "met" if random.random() < 0.7 else "missed"
        judged = met if random.random() < 0.85 else "partly"
        day = FIRST + timedelta(days=n % days)
        found.append(Talk(day, f"u{n // 3}", messages, met, judged))
    return found


def labelled_home(folder: Path, made: Sequence[Talk]) -> LabelledHome:
    """A home that holds these talks."""
    found = LabelledHome(Home(folder), list(made))
    found.store()
    return found
