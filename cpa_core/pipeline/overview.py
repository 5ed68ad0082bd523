"""Overviews of a home for its user: the spend of runs, the waiting days, the conversations."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from cpa_core import schema as schemas
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store import Store


class TaskSpend(Value):
    """The calls and cost of one task by one model in a run. `cost` is in US dollars, null if a price is unknown.

    `failed_calls` counts calls without a usable answer, such as calls cut short by an outage.
    """

    task: str
    model: str
    calls: int
    failed_calls: int
    cost: float | None


class RunSpend(Value):
    """The spend of a run by task, and of all runs in its UTC day and month, in US dollars; null is unknown."""

    tasks: tuple[TaskSpend, ...]
    run: float | None
    day: float | None
    month: float | None


class LandedDay(Value):
    """A day whose conversations have landed and wait for a run."""

    day: date
    conversations: int
    messages: int


class ConversationLine(Value):
    """One built conversation. `judged` is the outcome of its judgment; null means not judged."""

    conversation_id: str
    day: date
    user_id: str | None
    messages: int
    events: int
    score: float | None
    judged: str | None


class ConversationList(Value):
    """The conversations that a filter lets through, the lowest scores first; `found` counts those not shown too."""

    found: int
    conversations: tuple[ConversationLine, ...]


class ConversationFilter(Value):
    """A filter of conversations. A null field filters nothing; `below` is a score, `most` the most to list."""

    first: date | None = None
    last: date | None = None
    user: str | None = None
    event: str | None = None
    below: float | None = None
    most: int = 20


def spend_of_run(assistant: Assistant) -> RunSpend:
    """Return this run's spend so far, and the totals of its UTC day and month."""
    today = datetime.combine(assistant.now().astimezone(UTC).date(), time(), UTC)
    with assistant.store.reading() as view:
        rows = view.answer("status/spend_of_run", run=f"{assistant.run_id}-")
        day, month = (
            view.answer("status/spend_since", since=since)[0]["cost"] for since in (today, today.replace(day=1))
        )
    costs = [row["cost"] for row in rows]
    run = None if None in costs else sum(costs)
    return RunSpend(tasks=tuple(TaskSpend(**row) for row in rows), run=run, day=day, month=month)


def landed_days(store: Store) -> list[LandedDay]:
    """Return the days with landed conversations that are not built yet or have changed, in order."""
    with store.reading() as view:
        return [LandedDay(**row) for row in view.answer("status/landed_days")]


def list_conversations(store: Store, wanted: ConversationFilter) -> ConversationList:
    """The built conversations that the filter lets through."""
    with store.reading() as view:
        rows = view.answer("status/conversations", **wanted.model_dump())
    found = rows[0]["found"] if rows else 0
    lines = ({name: value for name, value in row.items() if name != "found"} for row in rows)
    return ConversationList(found=found, conversations=tuple(ConversationLine(**line) for line in lines))


def conversations_named(store: Store, name: str, most: int = 20) -> list[str]:
    """The ids that are `name`, else those that begin with it."""
    with store.reading() as view:
        found = [row["conversation_id"] for row in view.answer("status/conversations_named", name=name, most=most)]
    return [name] if name in found else found


def criteria_of(store: Store, versions: Sequence[str]) -> dict[str, dict[str, str]]:
    """The words of goals and dealbreakers by id (P1, D2), for each of these versions that is recorded."""
    with store.reading() as view:
        rows = view.answer(
            "schema/words_of_versions",
            versions=list(versions),
        )
    found = {}
    for row in rows:
        criteria = schemas.parse(row["yaml"], row["origin"])[0].criteria
        found[row["version"]] = criteria.goals() | criteria.dealbreakers_by_id()
    return found
