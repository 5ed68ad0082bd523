"""The questions about the conversations of built days, and the parameters of asking them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from cpa_core.llm import Ask, ModelName, Request
from cpa_core.models import Conversation, EventSchema, Message
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.batches.earlier import earlier, handed_over
from cpa_core.pipeline.batches.submit import Asker, BatchQuestion
from cpa_core.pipeline.budget import Tariff, tariff
from cpa_core.pipeline.label.context import with_context
from cpa_core.pipeline.label.given_up import (
    Failures,
    failures_before,
    form_of,
    waiting,
)
from cpa_core.pipeline.label.plan import LabelOrigin, Plan, plan
from cpa_core.pipeline.label.redact import answered_more, as_sent, asked_by
from cpa_core.pipeline.label.tasks import JUDGE, TAG, Positions, Result, Work
from cpa_core.store.database import Row, as_json

CHUNK = 250
"""Conversations that are read, and looked up in the ledger, at a time. A pass takes no further day after as many."""
ASKED = ("message_id", "position", "role", "content", "sent_at")
"""The fields of a message as it is read."""


@dataclass(frozen=True)
class Asking:
    """The parameters of asking about a day's conversations."""

    origin: LabelOrigin
    model: ModelName
    work: Work
    tariff: Tariff
    plan: Plan
    before: Mapping[str, Failures]

    def first(self, conversation: Conversation) -> list[Request]:
        """The questions that a conversation begins with."""
        return self.work.first(conversation, self.origin.schema, self.model, self._positions(conversation))

    def ask(self, conversation: Conversation, ask: Ask) -> Result:
        """Ask the open questions about a conversation."""
        return self.work.ask(conversation, self.origin.schema, self.model, ask, self._positions(conversation))

    def rows(self, conversation: Conversation, result: Result, prompt_id: str | None = None) -> dict[str, list[Row]]:
        """Return the rows to write of a result, with the tags carried over; `prompt_id` replaces the origin's."""
        origin = replace(self.origin, prompt_id=prompt_id) if prompt_id else self.origin
        rows = self.work.rows(origin, conversation, result)
        carried = self.plan.carried.get(conversation.conversation_id, ())
        return rows | {"tagged_events": [*carried, *rows["tagged_events"]]} if carried else rows

    def _positions(self, conversation: Conversation) -> Positions:
        return self.plan.partly.get(conversation.conversation_id)


def asking_of(
    assistant: Assistant, day: date, work: Work, schema: EventSchema, *, retag: bool, own: Tariff | None = None
) -> Asking:
    model = assistant.model(work.task)
    form = form_of(assistant, model)
    origin = LabelOrigin(
        day=day,
        schema=schema,
        prompt_id=asked_by(assistant.settings, work.task, schema),
        model=str(model),
        form=form,
        richer=answered_more(assistant.settings, work.task, schema),
    )
    with assistant.store.reading() as view:
        found = plan(view, origin, work.task, retag=retag)
        before = failures_before(view, origin, work.task)
    found = replace(found, most=assistant.most_conversations, waiting=_still_open(waiting(assistant, before), found))
    return Asking(origin, model, work, own or tariff(assistant, work.task, model), found, before)


def _still_open(times: Mapping[str, datetime], found: Plan) -> dict[str, datetime]:
    return {key: at for key, at in times.items() if key not in found.kept}


def asker_of(asking: Asking, *, retag: bool) -> Asker:
    origin = asking.origin
    by = origin.schema.version, origin.prompt_id
    return Asker(asking.work.task, origin.day, asking.model, asking.tariff, retag, *by)


def open_questions(assistant: Assistant, day: date, schema: EventSchema, *, retag: bool) -> Iterator[Request]:
    """The questions that tagging and judging a built day would begin with, answered before or not."""
    for request, _ in questions_and_names(assistant, day, schema, retag=retag):
        yield request


def questions_and_names(
    assistant: Assistant, day: date, schema: EventSchema, *, retag: bool
) -> Iterator[tuple[Request, str]]:
    """Yield the same questions, each with the hash of its answer, which differs if a batch asks it in earlier words."""
    for work in (TAG, JUDGE):
        asking = asking_of(assistant, day, work, schema, retag=retag)
        asker = asker_of(asking, retag=retag)
        with assistant.store.reading() as view:
            known = handed_over(view, asker)
        for chunk in first_questions(assistant, asking, asking.plan.pending):
            before = earlier(known, asker, chunk)
            for one in chunk:
                key = one.request.hash
                yield one.request, before[key].request_hash if key in before else key


def first_questions(assistant: Assistant, asking: Asking, ids: Sequence[str]) -> Iterator[list[BatchQuestion]]:
    """Yield the first questions about these conversations, a chunk at a time."""
    for chunk in conversations_asked(assistant, asking.origin.day, asking.origin.schema, ids):
        yield [
            BatchQuestion(one.conversation_id, one.asked_content, request)
            for one in chunk
            for request in asking.first(one)
        ]


def conversations_asked(
    assistant: Assistant, day: date, schema: EventSchema, ids: Sequence[str]
) -> Iterator[list[Conversation]]:
    """These conversations of a built day as a model may see them, in order of their start, a chunk at a time."""
    yield from conversations_of_days(assistant, schema, [(day, one) for one in ids])


def conversations_of_days(
    assistant: Assistant, schema: EventSchema, wanted: Sequence[tuple[date, str]]
) -> Iterator[list[Conversation]]:
    """The same of several days, each with its conversations."""
    for n in range(0, len(wanted), CHUNK):
        by_day: dict[date, list[str]] = {}
        for day, key in wanted[n : n + CHUNK]:
            by_day.setdefault(day, []).append(key)
        with assistant.store.reading():
            found = [one for day, ids in by_day.items() for one in _of_day(assistant, day, schema, ids)]
        yield found


def _of_day(assistant: Assistant, day: date, schema: EventSchema, ids: Sequence[str]) -> list[Conversation]:
    with assistant.store.reading() as view:
        rows = view.answer("label/conversations_of_day", day=day, ids=as_json(ids))
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["conversation_id"], []).append(row)
    found = [conversation_of(day, key, of_one) for key, of_one in grouped.items()]
    return as_sent(assistant, with_context(assistant.store, schema, found))


def conversation_of(day: date, conversation_id: str, rows: Sequence[Row]) -> Conversation:
    """A conversation of its rows in `label/conversations_of_day`."""
    return Conversation(
        conversation_id=conversation_id,
        user_id=rows[0]["user_id"],
        day=day,
        content_hash=rows[0]["content_hash"],
        messages=tuple(Message(**{name: row[name] for name in ASKED}) for row in rows),
    )
