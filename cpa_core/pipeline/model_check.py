"""A small question to the tagging model that shows its server's abilities, its speed, and the cost of a day."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date

from cpa_core import judging
from cpa_core.errors import DayNeeded, SourceError
from cpa_core.llm import Reply, Request
from cpa_core.llm.abilities import Abilities, Discovery
from cpa_core.models import Conversation, EventSchema, Message, Outcome, Value
from cpa_core.pipeline.abilities import forget, recalled
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.budget import tariff
from cpa_core.pipeline.label.one_off import inquiry
from cpa_core.pipeline.schema.current import current_schema, schema_path
from cpa_core.pipeline.schema.proposals import source_conversations, stored_conversations
from cpa_core.providers.reference import examples
from cpa_core.schema import load
from cpa_core.settings.addresses import without_login
from cpa_core.tagging import first_requests, tag_conversation


class DayEstimate(Value):
    """The latest day of the source, or of the store: US dollars at list price, null unknown, and hours for it all."""

    day: date
    conversations: int
    cost: float | None
    hours: float | None


class ModelCheck(Value):
    """The result of one small question to a model. `abilities` are null if nothing had to be discovered.

    `address` is without user, password and parameters, `seconds` are the last call's, and `speed` its
    tokens written a second, null when the server counts none.
    """

    model: str
    address: str
    outcome: Outcome
    detail: str
    calls: int
    seconds: float
    speed: float | None
    abilities: Abilities | None
    day: DayEstimate | None


def check_model(assistant: Assistant) -> ModelCheck:
    """Ask the tagging model about two messages, as a run asks; its server's abilities are discovered anew.

    Every call is in the ledger and counts for the budgets. Raises SettingsError, Stopped.
    """
    model = assistant.model("tag")
    made = assistant.provider_of(model)
    address = str(getattr(made, "url", ""))
    discovers = isinstance(getattr(made, "discovery", None), Discovery)
    if discovers:
        forget(assistant.store, address, model.model)
    schema = (
        current_schema(assistant)[0]
        if schema_path(assistant).exists()
        else load(examples() / "therapist" / "schema.yml")[0]
    )
    timed: list[tuple[float, Reply]] = []
    with inquiry(assistant, "tag") as made_inquiry:

        def ask(request: Request, check: Callable[[str], None]) -> Reply:
            began = time.monotonic()
            reply = made_inquiry.ask(request, check)
            timed.append((time.monotonic() - began, reply))
            return reply

        tagged = tag_conversation(_small(assistant), schema, model, ask)
        calls = made_inquiry.calls("tag")
    seconds, last = timed[-1]
    written = last.usage.completion_tokens
    speed = written / seconds if written and seconds else None
    return ModelCheck(
        model=str(model),
        address=without_login(address),
        outcome=tagged.outcome,
        detail=tagged.detail,
        calls=calls,
        seconds=seconds,
        speed=speed,
        abilities=recalled(assistant.store, address, model.model) if discovers else None,
        day=_day(assistant, schema, speed),
    )


def _small(assistant: Assistant) -> Conversation:
    """Two messages that no earlier check has asked about."""
    now = assistant.now().astimezone(UTC)
    texts = (("user", f"Hello, can you help me? It is {now:%H:%M:%S.%f}."), ("assistant", "Yes. What is it about?"))
    messages = tuple(
        Message(message_id=str(n), position=n, role=role, content=text, sent_at=now)
        for n, (role, text) in enumerate(texts)
    )
    return Conversation(conversation_id="", user_id=None, day=now.date(), content_hash="", messages=messages)


def _day(assistant: Assistant, schema: EventSchema, speed: float | None) -> DayEstimate | None:
    """Return the estimate of tagging and judging the latest day; null if no conversation can be read."""
    try:
        found = source_conversations(assistant) if assistant.settings.source else stored_conversations(assistant.store)
    except (DayNeeded, SourceError):
        return None
    days: defaultdict[date, list[Conversation]] = defaultdict(list)
    for one in found:
        days[one.day].append(one)
    if not days:
        return None
    day = max(days)
    cost, written = _taken(assistant, schema, days[day])
    hours = written / speed / assistant.settings.concurrency / 3600 if speed else None
    return DayEstimate(day=day, conversations=len(days[day]), cost=cost, hours=hours)


def _taken(
    assistant: Assistant, schema: EventSchema, conversations: Sequence[Conversation]
) -> tuple[float | None, float]:
    """US dollars and tokens written, at most."""
    tagger, judge = assistant.model("tag"), assistant.model("judge")
    tags = [request for one in conversations for request in first_requests(one, schema, tagger)]
    judgments = [judging.question(one, schema, judge) for one in conversations]
    costs, written = [], 0.0
    for task, requests in (("tag", tags), ("judge", judgments)):
        own = tariff(assistant, task, assistant.model(task))
        costs.append(own.cost(requests))
        written += own.usage(requests).completion_tokens or 0
    known = [cost for cost in costs if cost is not None]
    return (sum(known) if len(known) == len(costs) else None), written
