"""Draws of the items that people read next, and their queue: which are read, which are left."""

from collections.abc import Sequence
from datetime import date

from cpa_core import insights
from cpa_core.errors import InputError, NotFound
from cpa_core.gold.agreement import agreement
from cpa_core.gold.drawing import Draw, DrawnItem, Way, at_random, beliefs, by_doubt
from cpa_core.gold.reviews import part_of
from cpa_core.models import EventSchema, EventType, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import append_draw, merge_gold
from cpa_core.pipeline.gold.quality import trust_of
from cpa_core.pipeline.schema.current import current_schema
from cpa_core.store import Store
from cpa_core.store.database import Row

PRECISION, MISSED = 0.8, 0.02
"""Assumed quality of an unchecked tagger: the share of its events that are right, and of messages that it missed."""


class WantedDraw(Value):
    """The options of a draw: way, size, days (null means all), label and seed."""

    way: Way
    size: int
    first: date | None = None
    last: date | None = None
    label: str | None = None
    seed: int = 0


class QueueItem(Value):
    """One item of a queue: a conversation, or one message of it, and who has read it."""

    draw_id: str
    conversation_id: str
    message_id: str | None
    chance: float | None
    read_by: tuple[str, ...]


def draw_gold(assistant: Assistant, wanted: WantedDraw) -> Draw:
    """Draw conversations or messages for people to read, and store the draw. Items of earlier draws are left out.

    Raises NotFound where there is nothing to draw from, InputError for a label that the schema does not have.
    """
    if wanted.size < 1:
        raise InputError(f"a draw of {wanted.size}: a draw needs at least 1 item (--size)")
    schema, _ = current_schema(assistant)
    merge_gold(assistant)
    frame = _frame(assistant, wanted)
    drawn = _DRAWERS[wanted.way](assistant, wanted, schema, frame)
    days = [row["day"] for row in frame]
    draw = Draw(
        way=wanted.way,
        queue=wanted.way,
        first=wanted.first or min(days),
        last=wanted.last or max(days),
        seed=wanted.seed,
        drawn_at=assistant.now(),
        schema_version=schema.version,
        **drawn,
    )
    if not draw.items:
        raise NotFound(f"nothing is left to draw {wanted.way}: everything of these days was drawn before")
    append_draw(assistant, draw)
    merge_gold(assistant)
    return draw


def left_to_draw(assistant: Assistant) -> tuple[int, int]:
    """Return how many conversations were never drawn at random, and how many there are."""
    with assistant.store.reading() as view:
        rows = view.answer("gold/frame", first=None, last=None)
    return sum(not row["was_drawn"] for row in rows), len(rows)


def _frame(assistant: Assistant, wanted: WantedDraw) -> list[Row]:
    """The conversations of the days, with whether they were drawn before. Raises NotFound."""
    with assistant.store.reading() as view:
        rows = view.answer("gold/frame", first=wanted.first, last=wanted.last)
    if not rows:
        raise NotFound(f"{assistant.settings.home}: no conversation on these days; cpa run SOURCE --schema FILE")
    return rows


Drawn = dict[str, object]


def _random(assistant: Assistant, wanted: WantedDraw, schema: EventSchema, frame: Sequence[Row]) -> Drawn:
    left = [(row["day"], row["conversation_id"]) for row in frame if not row["was_drawn"]]
    return {"frame": len(left), "items": at_random(left, wanted.size, wanted.seed)}


def _doubt(assistant: Assistant, wanted: WantedDraw, schema: EventSchema, frame: Sequence[Row]) -> Drawn:
    """Messages by how uncertain it is that they have the label."""
    kind = label_of(wanted.label, schema)
    rows = [row for row in beliefs_of(assistant, wanted, kind) if part_of(row[0]) == "measure"]
    mean = sum(believed for _, _, believed in rows) / len(rows) if rows else 0.0
    items = by_doubt(rows, wanted.size, wanted.seed)
    return {"frame": len(rows), "label": kind.key, "mean_believed": mean, "items": items}


def beliefs_of(assistant: Assistant, wanted: WantedDraw, kind: EventType) -> list[tuple[str, str, float]]:
    """Return every message that may have the label: conversation, message, and the label's probability.

    The probability comes from people's labels so far; before there are any, from PRECISION and MISSED.
    """
    found = next((one.agreement for one in trust_of(assistant) if one.key == kind.key), agreement(()))
    precision = found.precision.value if found.precision.value is not None else PRECISION
    missed = MISSED
    if found.recall.value is not None and found.prevalence.value is not None:
        missed = max(0.001, (1 - found.recall.value) * found.prevalence.value)
    at = {f"{row['conversation_id']} {row['message_id']}": row for row in _messages(assistant.store, wanted, kind)}
    believed = beliefs(
        {place: row["has_label"] for place, row in at.items()},
        frozenset(place for place, row in at.items() if row["is_doubtful"]),
        frozenset(place for place, row in at.items() if row["has_other"]),
        precision,
        missed,
    )
    return [(row["conversation_id"], row["message_id"], believed[place]) for place, row in at.items()]


def _disagreement(assistant: Assistant, wanted: WantedDraw, schema: EventSchema, frame: Sequence[Row]) -> Drawn:
    """Messages of the teaching part on which people and the tagger, or two people, differ: to learn from."""
    with assistant.store.reading() as view:
        rows = view.answer("gold/disagreements")
    ids = [(row["conversation_id"], row["message_id"]) for row in rows if part_of(row["conversation_id"]) == "teach"]
    items = tuple(DrawnItem(conversation_id=one, message_id=other) for one, other in ids[: wanted.size])
    return {"frame": len(ids), "items": items}


def _second(assistant: Assistant, wanted: WantedDraw, schema: EventSchema, frame: Sequence[Row]) -> Drawn:
    """Conversations that one person has read, for a second one."""
    read = [(row["day"], row["conversation_id"]) for row in frame if row["reviewers"] == 1]
    return {"frame": len(read), "items": at_random(read, wanted.size, wanted.seed)}


_DRAWERS = {"random": _random, "doubt": _doubt, "disagreement": _disagreement, "second": _second}


def label_of(label: str | None, schema: EventSchema) -> EventType:
    """The event type of that name, or with that key. Raises InputError with the names there are."""
    found = [one for one in schema.event_types if label in (one.name, one.key)]
    if not found:
        names = ", ".join(one.name for one in schema.event_types)
        raise InputError(f"{label!r} is no event type of the schema: --label names one of {names}")
    return found[0]


def _messages(store: Store, wanted: WantedDraw, kind: EventType) -> list[Row]:
    """Return the messages of the label's role in tagged conversations, with the tagger's label of each."""
    whole = insights.whole(store)
    if whole is None:
        return []
    scope = insights.Scope(wanted.first or whole.first, wanted.last or whole.last)
    with insights.selected(store, scope) as of:
        return of.view.answer("gold/messages_believed", role=kind.role, key=kind.key)


def gold_queue(assistant: Assistant, queue: str | None = None, reviewer: str | None = None) -> list[QueueItem]:
    """Return the drawn items in reading order, the oldest draw first, without items that `reviewer` has read."""
    merge_gold(assistant)
    with assistant.store.reading() as view:
        rows = view.answer("gold/queue", queue=queue)
    items = [QueueItem(**row | {"read_by": tuple(row["read_by"] or ())}) for row in rows]
    return [item for item in items if reviewer is None or reviewer not in item.read_by]
