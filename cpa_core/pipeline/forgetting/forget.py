"""Forgetting a person or a conversation: finding the data, removing it, and copying the database without it.

A journal in the home records the removal in progress: after a kill, the next call of the command finishes it first.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from cpa_core.errors import DestinationStopped, NotFound, SettingsError
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.deletions import (
    IN_HOME,
    DeletionReceipt,
    HeldElsewhere,
    ask_destinations,
    askable,
    ids_at_destinations,
    receipts_of,
)
from cpa_core.pipeline.forgetting.files import about, clean_files
from cpa_core.pipeline.forgetting.journal import WAIT, end_journal, journal_of, keep_journal, nobody_else
from cpa_core.pipeline.forgetting.outbox import clean_shared_outbox
from cpa_core.pipeline.forgetting.retention import Outdated, outdated, remove_outdated
from cpa_core.pipeline.forgetting.subject import Forgotten, objects_of, rejects_of, subject_of, with_hashed
from cpa_core.pipeline.forgetting.tombstones import bury
from cpa_core.pipeline.reporting.daily_tables import sum_day
from cpa_core.pipeline.upgrade import remove_copy
from cpa_core.store import Store
from cpa_core.store.answers import merge
from cpa_core.store.compaction import compact_database
from cpa_core.store.database import Transaction, as_json, each_of


class VendorBatch(Value):
    """A batch with questions about the person, which a vendor keeps until it expires or is deleted there."""

    provider: str
    batch_id: str
    state: str


class Forgetting(Value):
    """A home's data of users or conversations: rows by table, lines or rows by file, and days whose sums change.

    `quoting` names versions of the event schema and files whose examples quote the person: a person edits these.
    `asked` are the receipts of what destinations were asked about the person, now or by an earlier command.
    """

    users: tuple[str, ...]
    conversations: tuple[str, ...]
    tables: dict[str, int]
    files: dict[str, int]
    days: tuple[date, ...]
    elsewhere: tuple[HeldElsewhere, ...]
    batches: tuple[VendorBatch, ...]
    quoting: tuple[str, ...]
    asked: tuple[DeletionReceipt, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is here."""
        return not (self.tables or self.files)


def forgetting(assistant: Assistant, users: Sequence[str] = (), conversations: Sequence[str] = ()) -> Forgetting:
    """List and count what `forget` would remove; nothing is changed. Raises NotFound where there is no store."""
    if not assistant.store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    merge(assistant.store)
    with assistant.store.reading() as view:
        subject = subject_of(view, tuple(users), tuple(conversations))
        found = _counted(view, subject)
    asked = tuple(receipts_of(assistant, ids_at_destinations(subject.known_users, subject.known_conversations)))
    files = clean_files(assistant.store.home, subject, write=False)
    named = {str(path.relative_to(assistant.store.home)): count for path, count in files.items()}
    named |= clean_shared_outbox(assistant, subject, write=False)
    quoting = (*found.quoting, *_quoting_files(assistant.store.home, subject))
    return found.model_copy(update={"files": named, "quoting": quoting, "asked": asked})


def forget(
    assistant: Assistant,
    users: Sequence[str] = (),
    conversations: Sequence[str] = (),
    *,
    at_destinations: bool = False,
) -> Forgetting:
    """Remove it from the home for good, and return the removed data.

    `at_destinations`: first ask the destinations to delete the person, while the ids there are known. A killed removal
    is finished first. Raises NotFound, StoreBusy where a run is at work, StoreNotWritten; DestinationStopped where a
    destination refuses, and SettingsError where a key is missing: nothing is removed then.
    """
    resume_forgetting(assistant)
    found = forgetting(assistant, users, conversations)
    if at_destinations:
        askable(assistant.settings, found.elsewhere)
    begun = {"users": found.users, "conversations": found.conversations, "days": [str(day) for day in found.days]}
    keep_journal(assistant.store, begun | {"at_destinations": at_destinations})
    resume_forgetting(assistant)
    asked = {one.sent_as for one in found.elsewhere if one.sent_as}
    asked |= ids_at_destinations(with_hashed(found.users), with_hashed(found.conversations))
    return found.model_copy(update={"asked": tuple(receipts_of(assistant, asked))})


def resume_forgetting(assistant: Assistant) -> bool:
    """Finish a removal that was begun. Return whether there was one."""
    store = assistant.store
    begun = journal_of(store)
    if begun is None:
        return False
    with nobody_else(assistant.store):
        if "before" in begun:
            remove_outdated(assistant, date.fromisoformat(begun["before"]))
        else:
            users, conversations = tuple(begun["users"]), tuple(begun["conversations"])
            if begun.get("at_destinations"):
                _ask_first(assistant, users, conversations)
                keep_journal(store, begun | {"at_destinations": False})
            _carry_out(assistant, users, conversations, {date.fromisoformat(day) for day in begun.get("days", ())})
    end_journal(store)
    return True


def _ask_first(assistant: Assistant, users: tuple[str, ...], conversations: tuple[str, ...]) -> None:
    """Ask the destinations. Where one refuses, the removal has not begun, and the next command may leave it out."""
    with assistant.store.reading() as view:
        held = _elsewhere(view, subject_of(view, users, conversations))
    try:
        ask_destinations(assistant, held)
    except (DestinationStopped, SettingsError):
        end_journal(assistant.store)
        raise


def forget_older(assistant: Assistant, days: int) -> Outdated:
    """Remove what is older than so many days from the home, keep its sums, and say what was removed.

    A run that was killed is finished first. Raises NotFound, StoreBusy where a run is at work, StoreNotWritten.
    """
    resume_forgetting(assistant)
    found = outdated(assistant, days)
    keep_journal(assistant.store, {"before": str(found.before)})
    resume_forgetting(assistant)
    return found


def _carry_out(
    assistant: Assistant, users: tuple[str, ...], conversations: tuple[str, ...], begun: Collection[date]
) -> None:
    """Write tombstones, clean files, then clean the database, which names the files' contents until they are clean.

    `begun` are the days whose sums change: after a kill, the database may not know them any more.
    """
    store = assistant.store
    with store.reading() as view:
        subject = subject_of(view, users, conversations)
        days = sorted({*begun, *_days(view, subject)})
    bury(store, subject.stones)
    remove_copy(store.home)
    clean_files(store.home, subject, write=True)
    clean_shared_outbox(assistant, subject, write=True)
    if not store.is_file:
        _delete_shared(store, subject, days)
        return
    with ExitStack() as held:
        for day in days:
            held.enter_context(store.day_lock(day, wait=WAIT))
        with store.writing(WAIT) as transaction:
            _delete(transaction, subject)
    for day in days:
        sum_day(assistant.store, day)
    compact_database(store, WAIT)


def _delete_shared(store: Store, subject: Forgotten, days: Sequence[date]) -> None:
    """Remove the rows from a store of several workers, and then their bytes.

    A run that began before may write rows about the subject until it lets go of its day: these are removed after it.
    """
    from cpa_core.store.lake.upkeep import purge  # needs the extra `scale`

    with store.writing(WAIT) as transaction:
        _delete(transaction, subject)
    for day in days:
        sum_day(store, day)
    with store.writing(WAIT) as transaction:
        _delete(transaction, subject)
    purge(store, WAIT)


def _tables(view: Transaction, subject: Forgotten) -> Iterator[tuple[str, str]]:
    """Yield each table that names conversations or users, with the condition of its removed rows.

    Answers keep their cost.
    """
    for row in view.answer("forgetting/columns_with_ids"):
        if row["name"] != "answers":
            names = "conversations" if row["place"] == "conversation_id" else "users"
            yield row["name"], f"{row['place']} in {each_of(names)}"
    yield "known_conversations", f"kind = 'followed' and basis in {each_of('conversations')}"


def _named(subject: Forgotten, condition: str) -> dict[str, str]:
    names = {"conversations": as_json(subject.known_conversations), "users": as_json(subject.known_users)}
    return {name: value for name, value in names.items() if f"${name}" in condition}


def _answers_about(view: Transaction, subject: Forgotten) -> list[str]:
    """Answers about the conversations, and steps of a proposal that quote them."""
    rows = view.answer(
        "forgetting/answers_about",
        ids=as_json(subject.conversations),
    )
    return [row["answer_id"] for row in rows if about(row, subject)]


def _counted(view: Transaction, subject: Forgotten) -> Forgetting:
    counts: dict[str, int] = {}
    for table, condition in _tables(view, subject):
        counts[table] = counts.get(table, 0) + view.count(table, condition, **_named(subject, condition))
    counts["answers"] = len(_answers_about(view, subject))
    counts["rejected_records"] = len(rejects_of(view, subject))
    counts["landed_files"] = len(objects_of(view, subject))
    gone = list(subject.conversations)
    schemas = view.answer("forgetting/schemas")
    return Forgetting(
        users=subject.users,
        conversations=subject.conversations,
        tables={name: count for name, count in sorted(counts.items()) if count},
        files={},
        days=tuple(_days(view, subject)),
        elsewhere=tuple(_elsewhere(view, subject)),
        batches=tuple(VendorBatch(**row) for row in view.answer("forgetting/batches_at_vendors", gone=gone)),
        quoting=tuple(f"schema {row['version'][:12]}" for row in schemas if _quotes(row["yaml"], subject)),
    )


def _elsewhere(view: Transaction, subject: Forgotten) -> list[HeldElsewhere]:
    """Whose events are at destinations. The id of a user with conversations that stay is not the subject's own."""
    rows = view.answer("forgetting/persons_at_destinations", ids=as_json(sorted(subject.known_conversations)))
    return [
        HeldElsewhere(**row, is_own=not row["identified"] or row["distinct_id"] in subject.known_users)
        for row in rows
        if row["destination"] not in IN_HOME
    ]


def _quotes(yaml: str, subject: Forgotten) -> bool:
    """Return whether a line of a schema, such as an example, quotes the person."""
    lines = (line.strip().lstrip("-").strip().strip("'\"") for line in yaml.splitlines())
    return any(subject.mentions(line) for line in lines)


def _quoting_files(home: Path, subject: Forgotten) -> list[str]:
    return [path.name for path in sorted(home.glob("*.y*ml*")) if _quotes(path.read_text("utf-8", "replace"), subject)]


def _days(view: Transaction, subject: Forgotten) -> list[date]:
    rows = view.answer(
        "forgetting/days_of_conversations",
        ids=as_json(subject.conversations),
    )
    return [row["day"] for row in rows]


def _delete(transaction: Transaction, subject: Forgotten) -> None:
    """All of it, in one transaction."""
    rejects = rejects_of(transaction, subject)
    objects = objects_of(transaction, subject)
    answers = _answers_about(transaction, subject)
    transaction.answer("forgetting/questions_removed", gone=list(subject.conversations))
    for table, condition in _tables(transaction, subject):
        transaction.delete(table, condition, **_named(subject, condition))
    for row in rejects:
        transaction.answer(
            "forgetting/delete_reject",
            **{name: row[name] for name in ("uri", "place", "raw")},
        )
    for table in ("landed_files", "rejected_records", "landed_messages"):
        transaction.delete(table, f"uri in {each_of('uris')}", uris=as_json(objects))
    transaction.answer(
        "forgetting/empty_answers",
        ids=as_json(answers),
    )
