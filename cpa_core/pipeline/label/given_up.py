"""Questions that are given up: the model answers them unusably again and again, and others well meanwhile."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from cpa_core.errors import CpaError
from cpa_core.llm import ModelName
from cpa_core.models import Conversation, Message, Outcome
from cpa_core.pipeline.abilities import recalled
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.label.plan import LabelOrigin
from cpa_core.pipeline.label.redact import asked_by
from cpa_core.pipeline.schema.current import read_schema
from cpa_core.prompts import Task
from cpa_core.providers import PROVIDERS
from cpa_core.store.database import Row, Transaction, as_json, each_of

MOST_COUNTED = 3
"""Failures that counted after which a question is final."""
ANSWERED: frozenset[Outcome] = frozenset({"invalid", "truncated"})
"""Outcomes with which a model has answered. No other can count: the others blame the connection, or end at once."""
SHOWN_TIME = "%Y-%m-%d %H:%M UTC"
"""The format of the time until which a question waits."""
CONTROL_ID = "control"
"""The conversation that no home has, by which a run sees whether a model works that was asked nothing else."""


class Failures(NamedTuple):
    """The counted failures of a task on one conversation, in one form of asking, and the time of the last."""

    outcome: str | None = None
    counted: int = 0
    counted_at: datetime | None = None

    def may_count(self, outcome: Outcome, now: datetime, pause: timedelta) -> bool:
        """Whether one more would count, if the model answers other questions well in its run."""
        is_early = self.counted_at is not None and now - self.counted_at < pause
        return outcome in ANSWERED and not (is_early and outcome == self.outcome)

    def and_one(self, outcome: Outcome, now: datetime) -> "Failures":
        """With one more that counted. Another outcome than before begins anew."""
        return Failures(outcome, self.counted + 1 if outcome == self.outcome else 1, now)

    @property
    def is_final(self) -> bool:
        """Whether nobody asks again."""
        return self.counted >= MOST_COUNTED

    def waits_until(self, now: datetime, pause: timedelta) -> datetime | None:
        """When the question is asked again; null where it may be asked now, or never is."""
        if self.is_final or not self.counted or self.counted_at is None:
            return None
        return self.counted_at + pause if now - self.counted_at < pause else None


def way_of(assistant: Assistant, task: Task) -> str:
    """The way in which a task would be asked now. Raises SchemaError, SettingsError."""
    schema, model = read_schema(assistant)[0], assistant.model(task)
    form = form_of(assistant, model)
    return LabelOrigin(date.min, schema, asked_by(assistant.settings, task, schema), str(model), form).way


def ways(assistant: Assistant) -> list[str] | None:
    """Return the forms of asking of both tasks; null if they are unknown, for example without a schema."""
    try:
        return [way_of(assistant, task) for task in ("tag", "judge")]
    except CpaError:
        return None


def form_of(assistant: Assistant, model: ModelName) -> str:
    """Return a model's endpoint and the form of its answers: as set, else as discovered."""
    endpoint = PROVIDERS[model.provider].endpoint(assistant.settings)
    return f"{endpoint} {_structured(assistant, model)}" if model.provider == "compatible" else endpoint


def _structured(assistant: Assistant, model: ModelName) -> str:
    server = assistant.settings.compatible
    if model.provider != "compatible" or server.structured != "auto":
        return str(server.structured)
    known = recalled(assistant.store, (server.url or "").partition("?")[0].rstrip("/"), model.model)
    return known.structured if known else "auto"


def pause_of(assistant: Assistant) -> timedelta:
    """Return the time that a question waits after a counted failure."""
    return timedelta(hours=assistant.settings.give_up_hours)


def with_wait(assistant: Assistant, row: Row) -> Row:
    """Return the row with `waits_until`, also in its reason, in place of `waits_since`, if a failure counted."""
    since = row["waits_since"]
    until = None if since is None else (since + pause_of(assistant)).astimezone(UTC)
    others = {key: value for key, value in row.items() if key != "waits_since"}
    shown = f", waits until {until:{SHOWN_TIME}}" if until else ""
    return others | {"reason": f"{row['reason']}{shown}", "waits_until": until}


def waiting(assistant: Assistant, before: Mapping[str, Failures]) -> dict[str, datetime]:
    """When these conversations are asked again, of those that are not asked now."""
    now, pause = assistant.now(), pause_of(assistant)
    times = {key: failures.waits_until(now, pause) for key, failures in before.items()}
    return {key: at for key, at in times.items() if at is not None}


def failures_before(view: Transaction, origin: LabelOrigin, task: Task) -> dict[str, Failures]:
    """Return the day's earlier failures by conversation, with their counts; empty if there were none."""
    rows = view.answer("label/unusable_before", day=origin.day, task=task, way=origin.way)
    return {row["conversation_id"]: Failures(row["outcome"], row["counted"], row["counted_at"]) for row in rows}


def replace_failures(transaction: Transaction, task: Task, ids: Sequence[str], rows: Sequence[Row]) -> None:
    """Put these rows in the place of those of the conversations that were asked about."""
    gone = f"task = $task and conversation_id in {each_of('ids')}"
    transaction.delete("unusable_answers", gone, task=task, ids=as_json(ids))
    transaction.insert("unusable_answers", rows)


def row_of(origin: LabelOrigin, task: Task, conversation: Conversation, failures: Failures) -> Row:
    """The failures as they are stored."""
    return {
        "day": origin.day,
        "task": task,
        "conversation_id": conversation.conversation_id,
        "content_hash": conversation.content_hash,
        "way": origin.way,
        **failures._asdict(),
        "is_final": failures.is_final,
    }


def control(day: date) -> Conversation:
    """A conversation of one greeting and one answer."""
    said = (("user", "Hello!"), ("assistant", "Hello! How can I help you?"))
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    messages = tuple(
        Message(message_id=f"m{n}", position=n, role=role, content=text, sent_at=at + timedelta(seconds=n))
        for n, (role, text) in enumerate(said)
    )
    return Conversation(conversation_id=CONTROL_ID, user_id=None, day=day, content_hash="", messages=messages)


def ask_again(assistant: Assistant) -> int:
    """Delete the records of final and waiting failures, so that the next run asks them.

    Return the number of questions.
    """
    with assistant.store.writing() as transaction:
        found = transaction.answer("label/failures_counted")[0]["n"]
        transaction.answer("label/delete_all_failures")
    return int(found)
