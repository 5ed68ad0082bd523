"""Building a day: assemble its conversations from everything that landed."""

from datetime import date, timedelta

from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store.database import Transaction

NO_QUIET = timedelta(days=36_500)


class Built(Value):
    """What a build made of a day. `waiting` counts conversations that are not quiet for long enough yet."""

    conversations: int
    messages: int
    waiting: int


def build_day(assistant: Assistant, day: date) -> Built:
    """Replace the day's conversations and messages by what has landed, in one transaction."""
    quiet = timedelta(minutes=assistant.settings.quiet_minutes) or -NO_QUIET
    settled = assistant.now() - quiet
    with assistant.store.day_lock(day), assistant.store.writing() as transaction:
        before = _contents(transaction, day)
        for table in ("raw_conversations", "messages"):
            transaction.execute(f"delete from {table} where day = $day", day=day)
        transaction.answer("build/built_conversations", day=day, settled=settled)
        transaction.answer("build/built_messages", day=day)
        after = _contents(transaction, day)
        waiting = _waiting(transaction, day) - len(after)
        _record(transaction, day, waiting, changed=before != after)
        messages = transaction.rows("select count(*) as n from messages where day = $day", day=day)[0]["n"]
    return Built(conversations=len(after), messages=messages, waiting=waiting)


def _contents(transaction: Transaction, day: date) -> set[tuple[str, str]]:
    rows = transaction.rows("select conversation_id, content_hash from raw_conversations where day = $day", day=day)
    return {(row["conversation_id"], row["content_hash"]) for row in rows}


def _waiting(transaction: Transaction, day: date) -> int:
    rows = transaction.rows("select count(*) as n from landed_conversations where day = $day", day=day)
    return int(rows[0]["n"])


def _record(transaction: Transaction, day: date, waiting: int, *, changed: bool) -> None:
    """A day with conversations that wait stays dirty; a day that changed is delivered nowhere yet."""
    if waiting == 0:
        transaction.execute("update days set built_generation = generation where day = $day", day=day)
    else:
        reason = f"{waiting} conversations not settled"
        transaction.execute("update days set reason = $reason where day = $day", day=day, reason=reason)
    if changed:
        transaction.execute("update days set delivered_to = [] where day = $day", day=day)
