"""Proposed schemas that wait for a person: events by a run's proposal reach no vendor before somebody accepts it."""

from collections.abc import Sequence
from datetime import date

from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.schema.current import accept_versions, read_schema
from cpa_core.pipeline.schema.stale import schema_in_force, stale_days
from cpa_core.store.database import Transaction

OUTBOX = "outbox"
"""The only destination of a day whose schema waits: it is on this machine."""


class Accepted(Value):
    """The accepted versions of the schema, and the days that were held for them."""

    versions: tuple[str, ...]
    days: tuple[date, ...]


def waiting_versions(assistant: Assistant) -> list[str]:
    """The versions that runs proposed, that no person has named or accepted yet, oldest first. Raises SchemaError."""
    named = assistant.settings.schema_path
    if named and not named.exists():
        read_schema(assistant)
    if assistant.settings.accept_proposals or not assistant.store.exists():
        return []
    with assistant.store.reading() as view:
        found = _unaccepted(view)
    return [version for version in found if version != read_schema(assistant)[0].version] if named else found


def _unaccepted(view: Transaction) -> list[str]:
    rows = view.answer("schema/proposals_waiting")
    return [row["version"] for row in rows]


def waiting_days(assistant: Assistant) -> list[date]:
    """The days whose events rest on a proposal that waits, in order: these go to the outbox only. Raises SchemaError.

    Once a person's version is in force, a day waits only while a conversation of it would be asked again by that.
    """
    versions = waiting_versions(assistant)
    if not versions:
        return []
    with assistant.store.reading() as view:
        rows = view.answer("schema/days_by_version", versions=versions)
    in_force = schema_in_force(assistant)
    current = in_force.version if in_force else ""
    stale = {one.day for one in stale_days(assistant)}
    return sorted({row["day"] for row in rows if row["version"] == current or row["day"] in stale})


def destinations_of(assistant: Assistant, days: Sequence[date]) -> dict[date, Sequence[str]]:
    """Return the destinations of each day's events: only the outbox while the proposal that labelled it waits.

    Raises SchemaError.
    """
    waiting = set(waiting_days(assistant))
    return {day: (OUTBOX,) if day in waiting else assistant.settings.destinations for day in days}


def accept_schema(assistant: Assistant) -> Accepted:
    """Accept every proposal that waits in the home: its days are due at all destinations. Raises SchemaError."""
    found = Accepted(versions=tuple(waiting_versions(assistant)), days=tuple(waiting_days(assistant)))
    accept_versions(assistant, found.versions)
    return found
