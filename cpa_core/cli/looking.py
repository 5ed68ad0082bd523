"""The commands that only read a home: its state, its conversations, and one conversation."""

import json
from collections.abc import Iterable, Sequence
from datetime import date

from cpa_core.cli.batches import status_lines
from cpa_core.cli.commands import roles_lines
from cpa_core.cli.delivery import reconciled_lines
from cpa_core.cli.display import (
    day_facts,
    event_lines,
    existing,
    failures_of,
    reject_lines,
    show_days,
    show_spend,
    trouble_lines,
)
from cpa_core.cli.facts import ConversationsFacts, Done, DueDay, ShowFacts, SpendFacts, StatusFacts
from cpa_core.cli.models import server_lines
from cpa_core.cli.schemas import drift_lines, stale_lines
from cpa_core.cli.screen import paged, quote_texts, say, show_table
from cpa_core.errors import NotFound, SchemaError
from cpa_core.pipeline import (
    Assistant,
    Stale,
    drift,
    due_days,
    known_days,
    reconciled,
    rejects,
    spending,
    stale_days,
    waiting_versions,
)
from cpa_core.pipeline.abilities import known_servers
from cpa_core.pipeline.overview import (
    ConversationFilter,
    ConversationLine,
    LandedDay,
    conversations_named,
    criteria_of,
    landed_days,
    list_conversations,
)
from cpa_core.settings import Settings
from cpa_core.store import Store
from cpa_core.store.database import Row

LOOKED_BACK = 7
"""Days that `cpa status` compares with those before them."""
SHOWN_DAYS = 14
"""Days of the table, unless all are wanted."""
FEW_RECEIPTS = 3
"""Days and destinations whose receipts have a line each."""
SHOWN_DUE = 5
"""Due days that are named one by one."""


def status(given: Settings, *, every_day: bool = False) -> Done:
    """Print what needs a person's attention, then the store's contents day by day."""
    existing(given)
    assistant = Assistant.of(given)
    batches = status_lines(assistant)
    facts = _status_facts(assistant, batches)
    say(*facts.to_do)
    say(f"files: {facts.files} ({facts.files_removed} removed since), records: {facts.records:,}")
    say(*(f"rejected records: {count}: {reason}" for reason, count in facts.rejected.items()))
    show_days(facts.days, None if every_day else SHOWN_DAYS)
    if facts.spend:
        show_spend(facts.spend)
    say(*server_lines(known_servers(assistant.store)))
    say(*_receipt_lines(facts))
    if not facts.to_do:
        say("ok: nothing needs a hand")
    return Done(0, facts)


def _status_facts(assistant: Assistant, batches: Sequence[str]) -> StatusFacts:
    days = known_days(assistant)
    landed = landed_days(assistant.store)
    due = tuple(DueDay(day=row["day"], reason=row["reason"]) for row in due_days(assistant))
    stale, unknown = _stale(assistant)
    drifted = tuple(drift(assistant, days[-LOOKED_BACK:]))
    receipts = tuple(reconciled(assistant, days))
    files = _files(assistant.store)
    to_do = [
        *(["to do: nothing has landed yet: cpa land SOURCE"] if not files["files"] and not days else []),
        *trouble_lines(assistant, days),
        *(line for one in receipts if _is_off(one.difference, one.stale) for line in reconciled_lines([one])),
        *batches,
        *reject_lines(rejects(assistant)),
        *roles_lines(assistant),
        *(f"proposed: schema {one[:12]} is not accepted: cpa schema accept" for one in waiting_versions(assistant)),
        *_due_lines(due, landed),
        *unknown,
        *stale_lines(stale),
        *drift_lines(drifted),
    ]
    return StatusFacts(
        home=assistant.settings.home,
        to_do=tuple(to_do),
        **files,
        landed=tuple(landed),
        days=day_facts(assistant, days, landed),
        due=due,
        spend=tuple(SpendFacts(**row) for row in spending(assistant)),
        failures=failures_of(assistant, days),
        receipts=receipts,
        stale=tuple(stale),
        drift=drifted,
    )


def _files(store: Store) -> Row:
    """Return the counts of landed files and records, and of rejected records by reason."""
    with store.reading() as view:
        (files,) = view.answer("status/landed_files")
        reasons = view.answer("status/rejects_by_reason")
    return files | {"rejected": {row["reason"]: row["n"] for row in reasons}}


def _is_off(difference: int, stale: int) -> bool:
    return bool(difference or stale)


def _due_lines(due: Sequence[DueDay], landed: Sequence[LandedDay]) -> Iterable[str]:
    """Return the days that need work; days that have only landed share one line."""
    fresh = {one.day for one in landed}
    if landed:
        conversations, messages = sum(one.conversations for one in landed), sum(one.messages for one in landed)
        span = f"{landed[0].day} to {landed[-1].day}" if len(landed) > 1 else f"{landed[0].day}"
        yield (
            f"waiting: {len(landed)} days ({span}) have landed and wait for a run: {conversations:,} conversations, "
            f"{messages:,} messages: cpa quote, then cpa run"
        )
    rest = [one for one in due if one.day not in fresh]
    yield from (f"due: {one.day}: {one.reason}" for one in rest[:SHOWN_DUE])
    if len(rest) > SHOWN_DUE:
        yield f"due: {len(rest) - SHOWN_DUE} more days, to {rest[-1].day}: cpa run"


def _stale(assistant: Assistant) -> tuple[list[Stale], list[str]]:
    """Return the days of another schema. If the schema cannot be read, the rest of the status is shown all the same."""
    try:
        return stale_days(assistant), []
    except SchemaError as error:
        return [], [f"which days are of another schema is not known: {error}"]


def _receipt_lines(facts: StatusFacts) -> Iterable[str]:
    """Return events and receipts for each day if they are few, else in total; days that differ are listed above."""
    if len(facts.receipts) <= FEW_RECEIPTS:
        yield from reconciled_lines([one for one in facts.receipts if not _is_off(one.difference, one.stale)])
        return
    for destination in dict.fromkeys(one.destination for one in facts.receipts):
        of_one = [one for one in facts.receipts if one.destination == destination]
        events, accepted, rejected, left = (
            sum(getattr(one, name) for one in of_one) for name in ("events", "accepted", "rejected", "open")
        )
        judged = sum(one.judged for one in facts.days)
        yield (
            f"receipts: {destination}: {events:,} events = {accepted:,} accepted + {rejected:,} rejected + "
            f"{left:,} open, difference {sum(one.difference for one in of_one)}, stale "
            f"{sum(one.stale for one in of_one)}; each judgment ({judged:,}) is an event too"
        )


def conversations(given: Settings, wanted: ConversationFilter) -> Done:
    """List the built conversations that the filter lets through, the lowest scores first."""
    existing(given)
    found = list_conversations(Assistant.of(given).store, wanted)
    if not found.conversations:
        raise NotFound(f"{given.home}: no built conversation matches the filters; cpa status shows the days")
    titles = ("score", "events", "messages", "day", "user", "conversation")
    with paged():
        show_table(titles, [_listed(one) for one in found.conversations], left={3, 4, 5})
        if found.found > len(found.conversations):
            say(f"{found.found - len(found.conversations):,} more: --most {found.found} lists all {found.found:,}")
        say(f"next: cpa show {found.conversations[0].conversation_id}")
    return Done(0, ConversationsFacts(listed=found))


def _listed(one: ConversationLine) -> tuple[str, ...]:
    score = "-" if one.score is None else f"{one.score:.0f}"
    return (score, str(one.events), str(one.messages), str(one.day), one.user_id or "", one.conversation_id)


def show(given: Settings, name: str) -> Done:
    """One conversation, message by message, with its events, and its judgment."""
    existing(given)
    assistant = Assistant.of(given)
    facts = _shown(assistant.store, _only_one(assistant, name))
    with paged():
        quote_texts(*event_lines(facts))
    return Done(0, facts)


def _only_one(assistant: Assistant, name: str) -> str:
    """The conversation with this id, or the only one whose id begins so. Raises NotFound."""
    found = conversations_named(assistant.store, name)
    if not found:
        raise NotFound(
            f"{assistant.settings.home}: no conversation {name!r} in any built day; cpa conversations lists them"
        )
    if len(found) > 1:
        some = ", ".join(found[:SHOWN_DUE])
        raise NotFound(f"{name!r} begins several ids: {some}{', ...' if len(found) > SHOWN_DUE else ''}")
    return found[0]


def _shown(store: Store, conversation: str) -> ShowFacts:
    with store.reading() as view:
        messages = view.answer("status/shown_messages", conversation=conversation)
        events = view.answer("status/shown_events", conversation=conversation)
        judgments = view.answer("status/shown_judgment", conversation=conversation)
    judgment = _read(judgments[0], "verdicts", "dealbreakers") if judgments else None
    version = judgment["schema_version"] if judgment else None
    fields = ("position", "sent_at", "role", "content")
    day: date = messages[0]["day"]
    return ShowFacts(
        conversation_id=conversation,
        day=day,
        user_id=messages[0]["user_id"],
        messages=tuple({name: row[name] for name in fields} for row in messages),
        events=tuple(_read(row, "properties") for row in events),
        judgment=judgment,
        criteria=criteria_of(store, [version]).get(version, {}) if version else {},
    )


def _read(row: Row, *fields: str) -> Row:
    """A row whose fields of JSON are values."""
    return row | {name: json.loads(row[name]) for name in fields}
