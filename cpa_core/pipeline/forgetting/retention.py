"""Removing what is older than a number of days. The sums of those days stay, without text and ids.

A conversation goes when its last message is older. One date keeps all of them away: a landing leaves out messages from
before it, unless their conversation is still here.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from cpa_core.errors import NotFound
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.files import clean_files
from cpa_core.pipeline.forgetting.journal import WAIT
from cpa_core.pipeline.forgetting.outbox import clean_shared_outbox
from cpa_core.pipeline.forgetting.subject import Forgotten
from cpa_core.pipeline.forgetting.tombstones import bury_before, moment_of
from cpa_core.pipeline.reporting.daily_tables import sum_days
from cpa_core.pipeline.upgrade import remove_copy
from cpa_core.store.answers import merge
from cpa_core.store.compaction import compact_database
from cpa_core.store.database import Transaction

WITHOUT_CONVERSATION = {
    "rejected_records": "rejected_at < $moment",
    "upload_receipts": "conversation_id is null and day < $before",
}
"""Rows that name no conversation and go by their own time."""
OUTDATED = "conversation_id in (select conversation_id from outdated)"
OLD_ANSWERS = (
    f"{OUTDATED} or (conversation_id is null and created_at < $moment and (answer is not null or detail is not null))"
)


class Outdated(Value):
    """A home's data from before a day: conversations, rows by table, lines or rows by file."""

    before: date
    conversations: int
    tables: dict[str, int]
    files: dict[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is here."""
        return not (self.tables or self.files)


def outdated(assistant: Assistant, days: int) -> Outdated:
    """List and count what is older than so many days; nothing is changed. Raises NotFound where there is no store."""
    store = assistant.store
    if not store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    merge(store)
    before = (assistant.now().astimezone(ZoneInfo(store.timezone)) - timedelta(days=days)).date()
    with store.reading() as view:
        subject = _subject(view, before, store.timezone)
        tables = {name: count for name, count in _counted(view, before, subject) if count}
    return Outdated(
        before=before,
        conversations=len(subject.conversations),
        tables=tables,
        files=_cleaned(assistant, subject, write=False) if tables else {},
    )


def remove_outdated(assistant: Assistant, before: date) -> None:
    """Sums first, then the date that keeps it away, then files, then rows. May be repeated. Nobody else is at work."""
    store = assistant.store
    with store.reading() as view:
        days = [row["day"] for row in view.answer("forgetting/days_to_keep", before=before)]
    for _ in sum_days(assistant.store, days):
        pass
    bury_before(store, before)
    remove_copy(store.home)
    with store.reading() as view:
        subject = _subject(view, before, store.timezone)
    _cleaned(assistant, subject, write=True)
    _remove(assistant, before)
    if store.is_file:
        compact_database(store, WAIT)
        return
    from cpa_core.store.lake.upkeep import purge  # needs the extra `scale`

    for day in days:
        with store.day_lock(day, wait=WAIT):
            pass  # a run that began before has ended now
    _remove(assistant, before)
    purge(store, WAIT)


def _cleaned(assistant: Assistant, subject: Forgotten, *, write: bool) -> dict[str, int]:
    """Remove what is old from the files of the home and from a shared outbox, or only count: lines or rows by file."""
    home = assistant.store.home
    found = {str(path.relative_to(home)): count for path, count in clean_files(home, subject, write=write).items()}
    return found | clean_shared_outbox(assistant, subject, write=write)


def _remove(assistant: Assistant, before: date) -> None:
    """Remove the rows in one transaction, which writes down the day before which only sums are left."""
    with assistant.store.writing(WAIT) as transaction:
        subject = _subject(transaction, before, assistant.store.timezone)
        transaction.show_ledgers("outdated")
        _delete(transaction, before, subject)
        if subject.conversations or not transaction.answer("forgetting/removed_before", before=before):
            row = {"before": before, "conversations": len(subject.conversations), "removed_at": assistant.now()}
            transaction.insert("retention", [row])


def _subject(view: Transaction, before: date, timezone: str) -> Forgotten:
    """The conversations that ended before the day; they are in the temporary table `outdated` then."""
    moment = moment_of(before, timezone)
    view.answer("forgetting/outdated", moment=moment, day=before)
    found = tuple(row["conversation_id"] for row in view.answer("forgetting/outdated_ids"))
    return Forgotten((), found, frozenset(found), before=moment)


def _tables(view: Transaction) -> Iterator[tuple[str, str]]:
    """Each table that names conversations, with the condition of what goes. Answers keep their cost."""
    for row in view.answer("forgetting/columns_with_ids"):
        if row["place"] == "conversation_id" and row["name"] != "answers":
            yield row["name"], OUTDATED
    yield "known_conversations", "kind = 'followed' and basis in (select conversation_id from outdated)"
    yield from WITHOUT_CONVERSATION.items()


def _bound(condition: str, before: date, subject: Forgotten) -> dict[str, object]:
    names = {"moment": subject.before, "before": before}
    return {name: value for name, value in names.items() if f"${name}" in condition}


def _counted(view: Transaction, before: date, subject: Forgotten) -> Iterator[tuple[str, int]]:
    counts: dict[str, int] = {}
    for table, condition in (*_tables(view), ("answers", OLD_ANSWERS)):
        counts[table] = counts.get(table, 0) + view.count(table, condition, **_bound(condition, before, subject))
    yield from sorted(counts.items())


def _delete(transaction: Transaction, before: date, subject: Forgotten) -> None:
    transaction.answer("forgetting/outdated_in_batches")
    for table, condition in _tables(transaction):
        transaction.delete(table, condition, **_bound(condition, before, subject))
    blank = {"conversation_id": None, "answer": None, "detail": None, "request_hash": ""}
    transaction.update("answers", blank, OLD_ANSWERS, **_bound(OLD_ANSWERS, before, subject))
