"""Building a day: assemble its conversations from everything that landed."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta

from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.label.context import outdate
from cpa_core.store.database import Transaction

NO_QUIET = timedelta(days=36_500)

TOGETHER = 50
"""Days that are built in one transaction at most: while it lasts, no other process reads the store."""
ENOUGH = 250
"""Conversations after which a transaction takes no further day."""


class Built(Value):
    """The result of building a day. `waiting` counts conversations that have not been quiet long enough."""

    conversations: int
    messages: int
    waiting: int


def build_day(assistant: Assistant, day: date) -> Built:
    """Replace the day's conversations and messages by the landed ones, in one transaction."""
    return build_days(assistant, [day])[day]


def build_days(assistant: Assistant, days: Sequence[date]) -> dict[date, Built]:
    """Build the first of these days and those after it in one transaction, up to a day that another run holds.

    Opening the database takes most of the time of a small day, so a range is built in such pieces. `days` are in order,
    without duplicates. At most `TOGETHER` of them are built, none after `ENOUGH` conversations, and at least the first,
    whose lock this waits for.
    """
    settled = _settled(assistant)
    built: dict[date, Built] = {}
    with ExitStack() as held:  # the locks of days end after the transaction
        held.enter_context(assistant.store.day_lock(days[0]))
        with assistant.store.writing() as transaction:
            for n, day in enumerate(days[:TOGETHER]):
                enough = sum(one.conversations for one in built.values()) >= ENOUGH
                if enough or (n and not assistant.store.takes_day(day, held)):
                    break
                built[day] = _built(transaction, day, settled)
    return built


def unbuilt_days(assistant: Assistant) -> list[date]:
    """The days whose conversations have landed and wait for nothing, of which none is built, in order."""
    with assistant.store.reading() as view:
        return [row["day"] for row in view.answer("build/unbuilt_days", settled=_settled(assistant))]


def _settled(assistant: Assistant) -> datetime:
    """When a conversation must have ended by to be built."""
    quiet = timedelta(minutes=assistant.settings.quiet_minutes) or -NO_QUIET
    return assistant.now() - quiet


def _built(transaction: Transaction, day: date, settled: datetime) -> Built:
    before = _contents(transaction, day)
    for table in ("raw_conversations", "messages"):
        transaction.insert_day(table, day, [])
    transaction.answer("build/built_conversations", day=day, settled=settled)
    transaction.answer("build/built_messages", day=day)
    after = _contents(transaction, day)
    waiting = _waiting(transaction, day) - len(after)
    _record(transaction, day, waiting, changed=outdate(transaction, day) or before != after)
    messages = transaction.answer("build/messages_of_day", day=day)[0]["n"]
    return Built(conversations=len(after), messages=messages, waiting=waiting)


def _contents(transaction: Transaction, day: date) -> set[tuple[str, str]]:
    rows = transaction.answer("build/contents_of_day", day=day)
    return {(row["conversation_id"], row["content_hash"]) for row in rows}


def _waiting(transaction: Transaction, day: date) -> int:
    rows = transaction.answer("build/landed_of_day", day=day)
    return int(rows[0]["n"])


def _record(transaction: Transaction, day: date, waiting: int, *, changed: bool) -> None:
    """A day with conversations that wait stays dirty; a day that changed is delivered nowhere yet."""
    if waiting == 0:
        transaction.answer("build/mark_built", day=day)
    else:
        reason = f"{waiting} conversations not settled"
        transaction.answer("build/set_reason", day=day, reason=reason)
    if changed:
        transaction.answer("build/mark_undelivered", day=day)
