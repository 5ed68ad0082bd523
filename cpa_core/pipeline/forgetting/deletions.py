"""Asking destinations to delete a person, and the receipts of what they answered.

A receipt is written before the question and again after the answer, so that a kill between them is known. It names the
person by a salted hash: the salt is that of the tombstones.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from cpa_core.destinations import DESTINATIONS, destination
from cpa_core.destinations.deletions import DELETIONS, DeletionAnswer, DeletionStatus, ask_deletion
from cpa_core.destinations.sending import EventRate
from cpa_core.errors import DestinationStopped, SettingsError
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.journal import WAIT
from cpa_core.pipeline.forgetting.tombstones import salted_tombstones, tombstones
from cpa_core.settings import Settings, lacking
from cpa_core.store import Store
from cpa_core.store.database import as_json

IN_HOME = ("outbox", "parquet")
"""Destinations that are files of the home, or beside the store: what they hold is removed here."""
LOST = "an earlier request got no answer, and may have deleted the person"


class HeldElsewhere(Value):
    """Events of the person at a destination, which has them under `distinct_id`. `identified`: that is a user's id.

    `is_own`: the id belongs to nobody who stays. A conversation's other users do, and a user with other conversations.
    """

    destination: str
    project: str
    distinct_id: str
    identified: bool
    events: int
    last_sent_at: datetime | None
    is_own: bool

    @property
    def sent_as(self) -> str | None:
        """The id by which the destination can delete the person; null where its API cannot, or has none."""
        vendor = DELETIONS.get(self.destination)
        return vendor.sent_as(self.distinct_id, self.identified) if vendor else None


class DeletionReceipt(Value):
    """A destination asked to delete a person, a salted hash, and its answer. `task` finds it there."""

    destination: str
    project: str
    person: str
    status: DeletionStatus
    http_status: int | None
    task: str | None
    detail: str | None
    asked_at: datetime
    answered_at: datetime | None


def stays_because(held: HeldElsewhere, given: Settings) -> str:
    """Why no destination is asked about these events; empty where one can be."""
    vendor = DELETIONS.get(held.destination)
    if vendor is None:
        return f"{held.destination} has no deletion that this tool knows"
    if held.sent_as is None:
        return vendor.unreachable
    if not held.is_own:
        return "the id belongs to a person who has other conversations: vendors delete a person, not a conversation"
    if held.destination not in configured(given):
        return "the destination is not among those that are set: CPA_DESTINATIONS"
    if held.project != destination(held.destination, given).project:
        return "the events were sent to another project; the settings now name a different one"
    return ""


def configured(given: Settings) -> list[str]:
    """The destinations with a deletion whose keys for events are set."""
    return [name for name in DELETIONS if not lacking(given, DESTINATIONS[name].needs)]


def askable(given: Settings, held: Sequence[HeldElsewhere]) -> list[HeldElsewhere]:
    """Those whose deletion can be asked for. Raises SettingsError where a key for it is missing."""
    found = [one for one in held if not stays_because(one, given)]
    for name in dict.fromkeys(one.destination for one in found):
        if missing := lacking(given, DELETIONS[name].needs):
            raise SettingsError(
                f"--at-destinations asks {DELETIONS[name].title}, and {' and '.join(missing)} must be set for that "
                "(docs/guides/forgetting.md); without the flag the request is printed"
            )
    return found


def receipts_of(assistant: Assistant, ids: Iterable[str]) -> list[DeletionReceipt]:
    """The receipts of the persons with these ids at destinations; none in a home that forgot nobody yet."""
    stones = tombstones(assistant.store)
    persons = {found for one in ids for found in stones.hashes_of("person", one)}
    with assistant.store.reading() as view:
        rows = view.answer("forgetting/deletions_of", persons=as_json(sorted(persons)))
    return [DeletionReceipt(**row) for row in rows]


def ids_at_destinations(users: Iterable[str], conversations: Iterable[str]) -> set[str]:
    """The ids under which any destination may have events of these users, and of unknown users' conversations."""
    pairs = [*((user, True) for user in users), *((name, False) for name in conversations)]
    found = {vendor.sent_as(name, identified) for vendor in DELETIONS.values() for name, identified in pairs}
    return {one for one in found if one is not None}


def ask_destinations(assistant: Assistant, held: Sequence[HeldElsewhere]) -> list[DeletionReceipt]:
    """Ask for the deletion of each person, one after the other, and keep a receipt of each.

    Who was promised a deletion after the last event was sent is not asked about again. Raises SettingsError, and
    DestinationStopped once all were asked, where one refused or did not answer.
    """
    found = list(_asked(assistant, askable(assistant.settings, held)))
    if failed := [one for one in found if one.status in ("refused", "unanswered")]:
        said = "; ".join(sorted({f"{one.destination}: {one.detail}" for one in failed}))
        raise DestinationStopped(
            f"{said}: nothing was removed here, where the ids for it are; run the same command again, or without "
            "--at-destinations to remove it here alone"
        )
    return found


def _asked(assistant: Assistant, held: Sequence[HeldElsewhere]) -> Iterator[DeletionReceipt]:
    timer = assistant.pacing.timer
    rates = {one.destination: EventRate(1.0, timer.clock, timer.sleep) for one in held}
    for one in held:
        before = _before(assistant, one)
        is_newer = before and one.last_sent_at and before.asked_at > one.last_sent_at
        if before and before.status == "promised" and is_newer:
            yield before
            continue
        rates[one.destination].wait(1)
        yield _ask(assistant, one, before)


def _ask(assistant: Assistant, one: HeldElsewhere, before: DeletionReceipt | None) -> DeletionReceipt:
    asked = _receipt(assistant, one, DeletionAnswer("asked"))
    _keep(assistant.store, asked)
    vendor = DELETIONS[one.destination]
    answer = ask_deletion(vendor, assistant.settings, one.sent_as or "", assistant.pacing.timer.sleep)
    if answer.status == "not_found" and before and before.status in ("asked", "unanswered"):
        answer = answer._replace(detail=LOST)
    found = asked.model_copy(update={**answer._asdict(), "answered_at": assistant.now()})
    _keep(assistant.store, found)
    return found


def _receipt(assistant: Assistant, one: HeldElsewhere, answer: DeletionAnswer) -> DeletionReceipt:
    return DeletionReceipt(
        destination=one.destination,
        project=one.project,
        person=salted_tombstones(assistant.store).hash_of("person", one.sent_as or ""),
        asked_at=assistant.now(),
        answered_at=None,
        **answer._asdict(),
    )


def _before(assistant: Assistant, one: HeldElsewhere) -> DeletionReceipt | None:
    found = receipts_of(assistant, [one.sent_as or ""])
    return next((row for row in found if (row.destination, row.project) == (one.destination, one.project)), None)


def _keep(store: Store, receipt: DeletionReceipt) -> None:
    with store.writing(WAIT) as transaction:
        key = receipt.model_dump(include={"destination", "project", "person"})
        transaction.answer("forgetting/delete_deletion", **key)
        transaction.insert("deletion_receipts", [receipt.model_dump()])
