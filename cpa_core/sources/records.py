"""One message as a file gives it, and how the ids and times it lacks are filled in from its content.

These are named tuples, not pydantic values: a file holds hundreds of thousands, and their fields are checked as
they are cut out of it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from cpa_core.errors import DayNeeded
from cpa_core.models import message_hash
from cpa_core.sources import roles
from cpa_core.sources.times import moment

__all__ = [
    "CONTRADICTION",
    "Draft",
    "Record",
    "Reject",
    "SourceRecord",
    "as_json",
    "filled",
    "moment",
    "own_input",
    "tupled",
    "whole",
]

CONTRADICTION = "message_id: given before in this conversation with another content"

_HALF = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False)


class Record(NamedTuple):
    """One message, whole. The fields are columns of `landed_messages`; both metadata are JSON.

    `by_user`: its conversation is known by the user's id alone. `zone_assumed`: its time was written without a zone.
    """

    place: str
    ordinal: int
    conversation_id: str
    message_id: str
    id_given: bool
    user_id: str | None
    role: str
    content: str
    sent_at: datetime
    time_assumed: bool
    metadata: str | None
    conversation_metadata: str | None
    by_user: bool = False
    zone_assumed: bool = False


class Reject(NamedTuple):
    """One record that is not used: its place in the file, the rule it breaks, and the record itself.

    `loss` is false where nothing a person wrote is missing, such as a conversation without messages.
    """

    place: str
    reason: str
    raw: str
    loss: bool = True


class Draft(NamedTuple):
    """A record before ids and times are filled in."""

    place: str
    conversation_id: str
    message_id: str | None
    user_id: str | None
    role: str
    content: str
    sent_at: datetime | None
    metadata: str | None
    conversation_metadata: str | None
    by_user: bool = False
    zone_assumed: bool = False


class SourceRecord(NamedTuple):
    """One record as a format has it: a conversation, or a call that may repeat what was said before it.

    `conversation_id` is the session, thread or trace that the record names; None where it names none. `started_at` is
    the start that a conversation names of itself, or the start of a call; `ended_at` is the time of a call's output.
    Messages are in order, with `conversation_id` "". Of a call, those before `own_from` only repeat history, the others
    are its newest input and its output (see `own_input`). `call_id` is the id of a call, where it has one: the same
    call in two exports is one. `after` is the id of the call that it continues. It is "" for the first of such a chain,
    and None if its format has none. `trace_id` is the trace that a call is a piece of, and `standing` how near to its
    outside it is (see `formats.traces`); a call without messages only tells the conversation and user of its trace.
    `metadata` is JSON of the conversation.
    """

    place: str
    kind: Literal["conversation", "call"]
    conversation_id: str | None
    user_id: str | None
    started_at: datetime | None
    ended_at: datetime | None
    messages: tuple[Draft, ...]
    own_from: int = 0
    metadata: str | None = None
    zone_assumed: bool = False
    call_id: str | None = None
    after: str | None = None
    trace_id: str | None = None
    standing: int = 0


tupled = tuple.__new__
"""Makes a named tuple of all its values, at half the cost of calling its class; for the innermost loops of reading."""


def own_input(words: Sequence[str]) -> int:
    """Where the newest input of a call begins among the roles of its input: after all that was answered before."""
    begin = len(words)
    while begin and roles.ours(words[begin - 1], {}) not in ("assistant", "tool_call", "reasoning"):
        begin -= 1
    while begin < len(words) and roles.ours(words[begin], {}) == "system":
        begin += 1
    return begin


class _Timed(NamedTuple):
    ordinal: int
    draft: Draft
    sent_at: datetime
    assumed: bool


def whole(text: str) -> str:
    """Text that UTF-8 can hold: half a surrogate pair becomes the replacement character."""
    if text.isascii():
        return text
    try:
        text.encode()  # at a tenth of the cost of looking for such halves
    except UnicodeEncodeError:
        return _HALF.sub("\ufffd", text)
    return text


def filled(name: str, drafts: Sequence[Draft], midnight: datetime | None) -> tuple[list[Record], list[Reject]]:
    """Records in the order of the file by conversation, and rows that contradict an earlier one of the same id.

    `midnight` begins the day of conversations without any time. Raises DayNeeded when one needs it.
    """
    groups: defaultdict[str, list[tuple[int, Draft]]] = defaultdict(list)
    for ordinal, draft in enumerate(drafts):
        groups[draft.conversation_id].append((ordinal, draft))
    records: list[Record] = []
    rejects: list[Reject] = []
    for conversation in groups.values():
        for found in _identified(_timed(name, conversation, midnight)):
            if isinstance(found, Record):
                records.append(found)
            else:
                rejects.append(found)
    return records, rejects


def _timed(name: str, conversation: Sequence[tuple[int, Draft]], midnight: datetime | None) -> Iterator[_Timed]:
    """A message without a time has that of the one before it, or of the first that has one."""
    last = next((draft.sent_at for _, draft in conversation if draft.sent_at is not None), None)
    if last is None and midnight is None:
        place = conversation[0][1].place
        raise DayNeeded(f"{name}: {place}: timestamp: missing, so the day must be named")
    for n, (ordinal, draft) in enumerate(conversation):
        if last is not None:
            last = draft.sent_at or last
            yield _Timed(ordinal, draft, last, draft.sent_at is None)
        elif midnight is not None:
            yield _Timed(ordinal, draft, midnight + timedelta(seconds=n), True)


def _identified(conversation: Iterable[_Timed]) -> Iterator[Record | Reject]:
    seen: Counter[tuple[str, str, datetime]] = Counter()
    given: dict[str, tuple[str, str, datetime]] = {}
    for ordinal, draft, sent_at, assumed in conversation:
        words = (draft.role, draft.content, sent_at)
        if draft.message_id is not None:
            earlier = given.setdefault(draft.message_id, words)
            if earlier is not words:
                if earlier != words:
                    yield Reject(draft.place, CONTRADICTION, _raw(draft, sent_at))
                continue
            message_id = draft.message_id
        else:
            message_id = message_hash(draft.conversation_id, *words, seen[words])
            seen[words] += 1
        yield Record(
            place=draft.place,
            ordinal=ordinal,
            conversation_id=draft.conversation_id,
            message_id=message_id,
            id_given=draft.message_id is not None,
            user_id=draft.user_id,
            role=draft.role,
            content=draft.content,
            sent_at=sent_at,
            time_assumed=assumed,
            metadata=draft.metadata,
            conversation_metadata=draft.conversation_metadata,
            by_user=draft.by_user,
            zone_assumed=draft.zone_assumed,
        )


def _raw(draft: Draft, sent_at: datetime) -> str:
    return as_json(draft._asdict() | {"sent_at": sent_at.isoformat()})


def as_json(value: object) -> str:
    """JSON that the database takes: no NaN, no half surrogates. Raises ValueError for an infinite number."""
    return whole(_ENCODER.encode(value))
