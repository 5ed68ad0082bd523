"""Composing the events of a day from its tags and judgments, with no more of the text than privacy allows."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from cpa_core import schema as schemas
from cpa_core.events import (
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
from cpa_core.models import Event
from cpa_core.pipeline.context import Assistant
from cpa_core.redaction import Pseudonyms, names_of, redactor
from cpa_core.store.database import Row, Transaction


def events_of_day(assistant: Assistant, day: date) -> list[Event]:
    """Every event of the day as it stands, each judged conversation's own event last. Raises SettingsError."""
    is_shown = assistant.settings.privacy != "no_text"
    with assistant.store.reading() as view:
        tagged = view.answer("events_of_day", day=day, text=is_shown)
        judged = [JudgedRow(**_parsed(r, "verdicts", "dealbreakers")) for r in view.answer("judgments_of_day", day=day)]
        known = view.answer("schemas_of_day", day=day)
        views = _views(assistant, view, day)
    scores = {row.conversation_id: row.score for row in judged}
    choices = choices_of(schemas.parse(row["yaml"], row["origin"])[0] for row in known)
    events: list[Event] = []
    for row in tagged:
        tag = TaggedRow(**_parsed(row, "properties"))
        events.append(of_tag(tag, scores.get(tag.conversation_id), views(tag.conversation_id), choices))
    return events + [of_judgment(row, views(row.conversation_id)) for row in judged]


def _views(assistant: Assistant, view: Transaction, day: date) -> Callable[[str], View]:
    """How each conversation of the day may be shown."""
    if assistant.settings.privacy == "full":
        whole = full_view()
        return lambda conversation_id: whole
    said: dict[str, list[str]] = {}
    for row in view.answer("texts_of_day", day=day):
        said.setdefault(row["conversation_id"], []).append(row["content"])
    if assistant.settings.privacy == "no_text":
        return _Kept(lambda conversation_id: textless_view(said.get(conversation_id, ())))
    names = _names(view.answer("metadata_of_day", day=day))
    finds = redactor(assistant.settings.environ)

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


def _names(rows: Sequence[Row]) -> Mapping[str, list[str]]:
    """Names of people by conversation, from its metadata, its messages' metadata, and a user id that is a name."""
    names: dict[str, list[str]] = {}
    for row in rows:
        metadata = json.loads(row["metadata"]) if row["metadata"] else {}
        found = names_of(metadata) if isinstance(metadata, dict) else []
        user = row["user_id"] or ""
        found += [user] if " " in user.strip() and not any(c.isdigit() for c in user) else []
        names.setdefault(row["conversation_id"], []).extend(found)
    return names


def _parsed(row: Row, *names: str) -> Row:
    return row | {name: json.loads(row[name]) for name in names}
