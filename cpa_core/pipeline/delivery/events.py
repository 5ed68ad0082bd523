"""Composing the events of a day from its tags and judgments, with no more of the text than privacy allows."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from cpa_core import schema as schemas
from cpa_core.events import (
    Choices,
    JudgedRow,
    TaggedRow,
    View,
    choices_of,
    full_view,
    of_judgment,
    of_tag,
    redacted_view,
    textless_view,
)
from cpa_core.models import JUDGED_EVENT, Event
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.label.redact import names_known
from cpa_core.redaction import Pseudonyms, redactor
from cpa_core.selection import EVERYTHING, DeliveryFilter
from cpa_core.settings import Settings
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction

MESSAGES = 10_000
"""Messages of the conversations composed at a time. It bounds the memory of a delivery."""


def count_of_day(store: Store, day: date, selection: DeliveryFilter = EVERYTHING) -> int:
    """Return the number of the day's selected events."""
    with store.reading() as view:
        rows = view.answer("delivery/count_of_day", day=day, judged=JUDGED_EVENT)
    return sum(row["events"] for row in rows if selection.takes(row["event_type"], row["role"]))


def events_of_day(assistant: Assistant, day: date, selection: DeliveryFilter = EVERYTHING) -> Iterator[list[Event]]:
    """Yield the day's selected events in groups of whole conversations, in the order of their start.

    In a group, each judged conversation's own event comes last. Raises SettingsError.
    """
    with assistant.store.reading() as view:
        known = view.answer("delivery/schemas_of_day", day=day)
        conversations = view.answer(
            "delivery/conversations_of_day",
            day=day,
        )
    choices = choices_of(schemas.parse(row["yaml"], row["origin"])[0] for row in known)
    for group in _groups(conversations):
        yield [selection.trimmed(event) for event in _events(assistant, day, group, choices, selection)]


def _groups(conversations: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield groups of conversations, bounded by their messages, with at least one conversation each."""
    group: list[Row] = []
    messages = 0
    for row in conversations:
        if group and messages + (row["message_count"] or 0) > MESSAGES:
            yield group
            group, messages = [], 0
        group.append(row)
        messages += row["message_count"] or 0
    if group:
        yield group


def _events(
    assistant: Assistant, day: date, group: Sequence[Row], choices: Choices, selection: DeliveryFilter
) -> list[Event]:
    asked = {"day": day, "conversations": json.dumps([row["conversation_id"] for row in group])}
    times = {"first": min(row["started_at"] for row in group), "last": max(row["ended_at"] for row in group)}
    with assistant.store.reading() as view:
        tagged = view.answer("delivery/events_of_day", text=assistant.settings.privacy != "no_text", **asked, **times)
        judged = [
            JudgedRow(**_parsed(r, "verdicts", "dealbreakers"))
            for r in view.answer("delivery/judgments_of_day", **asked)
        ]
        views = _views(assistant.settings, view, asked)
    scores = {row.conversation_id: row.score for row in judged}
    events: list[Event] = []
    for row in tagged:
        if not selection.takes(row["event_type"], row["role"]):
            continue
        tag = TaggedRow(**_parsed(row, "properties"))
        events.append(of_tag(tag, scores.get(tag.conversation_id), views(tag.conversation_id), choices))
    if not selection.takes(JUDGED_EVENT, None):
        return events
    return events + [of_judgment(row, views(row.conversation_id)) for row in judged]


def _views(settings: Settings, view: Transaction, asked: Mapping[str, Any]) -> Callable[[str], View]:
    """Return the privacy view of each of these conversations."""
    if settings.privacy == "full":
        whole = full_view()
        return lambda conversation_id: whole
    said: dict[str, list[str]] = {
        row["conversation_id"]: row["said"] for row in view.answer("delivery/texts_of_day", **asked)
    }
    if settings.privacy == "no_text":
        return _Kept(lambda conversation_id: textless_view(said.get(conversation_id, ())))
    names = names_known(view.answer("delivery/metadata_of_day", **asked))
    finds = redactor(settings)

    def redacted(conversation_id: str) -> View:
        messages = said.get(conversation_id, ())
        return redacted_view(messages, Pseudonyms(finds, messages, names.get(conversation_id, ())))

    return _Kept(redacted)


class _Kept(dict[str, View]):
    """Views by conversation, each made when it is first asked for."""

    def __init__(self, make: Callable[[str], View]) -> None:
        super().__init__()
        self._make = make

    def __call__(self, conversation_id: str) -> View:
        if conversation_id not in self:
            self[conversation_id] = self._make(conversation_id)
        return self[conversation_id]


def _parsed(row: Row, *names: str) -> Row:
    return row | {name: json.loads(row[name]) for name in names}
