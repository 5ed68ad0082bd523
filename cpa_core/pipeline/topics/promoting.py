"""Promoting a topic: an event type beside the schema, its border texts for people to read, and what old days cost."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

from cpa_core import schema as schemas
from cpa_core.errors import CpaError, InputError, NotFound, SettingsError
from cpa_core.gold.drawing import Draw, DrawnItem
from cpa_core.models import EventSchema, EventType, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import append_draw, merge_gold
from cpa_core.pipeline.label.one_off import inquiry
from cpa_core.pipeline.label.quote import Quote
from cpa_core.pipeline.schema.current import schema_path
from cpa_core.pipeline.schema.proposals import write_proposed
from cpa_core.pipeline.schema.stale import quote_of_history
from cpa_core.pipeline.topics.texts import items_of, sent_texts
from cpa_core.proposing.promoting import TopicEvidence, draft_type, with_type
from cpa_core.proposing.writing import completed
from cpa_core.schema import Change
from cpa_core.topics import Corpus, Item

CENTRAL, BORDER = 8, 4
"""Texts nearest to a topic's centre, and farthest from it, that its definition is drafted from."""
CHARACTERS = 1_000
"""Of each text, from its beginning."""


class WantedType(Value):
    """Which topic becomes an event type; a model drafts what is null. `role`: null takes the corpus's."""

    topic_id: str
    name: str | None = None
    definition: str | None = None
    role: Literal["user", "assistant"] | None = None


class Promotion(Value):
    """A promoted topic. `path` is the proposal beside the schema, `changes` its diff, `quote` what old days would cost.

    `border` are the conversations of the draw `draw_id`, for people to read: the texts at the topic's edge.
    `drafted_by` is the model, null where a person gave the definition.
    """

    topic_id: str
    event_type: EventType
    drafted_by: str | None
    because: str
    path: str
    changes: tuple[Change, ...]
    draw_id: str
    border: tuple[str, ...]
    quote: Quote | None


class _Edges(NamedTuple):
    """The texts at the centre of a topic and at its border; no conversation stands twice."""

    central: list[Item]
    border: list[Item]


def promote_topic(assistant: Assistant, wanted: WantedType) -> Promotion:
    """Write a schema with one more event type beside the one in use, and draw the topic's border texts for review.

    Nothing is tagged, and the schema in use stays. Raises NotFound for a topic that is not there, SchemaError for an
    event type that the schema cannot have, SettingsError without a model that drafts, CpaError without a valid draft.
    """
    corpus, edges = _edges(assistant, wanted.topic_id)
    path = schema_path(assistant)
    base, role = schemas.load(path)[0], wanted.role or ("assistant" if corpus == "misses" else "user")
    model: str | None = None
    because, definition, name = "", wanted.definition, wanted.name
    if name is None or definition is None:
        evidence = _evidence(assistant, edges, base, role)
        draft, model = _drafted(assistant, evidence)
        because, name, definition = draft[0], name or draft[1].name, definition or draft[1].definition
    made = with_type(base, name, definition, role)
    head = [
        f"Promoted from the topic {wanted.topic_id}: the last event type. "
        + (f"{model} drafted it." if model else "A person defined it."),
        "Edit it; the texts at its border wait for review. The conversations of these texts, by id:",
    ]
    ids = [one.conversation_id for one in (*edges.central, *edges.border)]
    written = write_proposed(completed(path.read_text("utf-8"), made, head, None, ids), path)
    draw = _draw(assistant, wanted.topic_id, corpus, edges.border, made)
    with assistant.store.writing() as tables:
        tables.update("topics", {"event_key": made.event_types[-1].key}, "topic_id = $topic", topic=wanted.topic_id)
    return Promotion(
        topic_id=wanted.topic_id,
        event_type=made.event_types[-1],
        drafted_by=model,
        because=because,
        path=str(written),
        changes=schemas.compare(base, made).changes,
        draw_id=draw.draw_id,
        border=tuple(one.conversation_id for one in edges.border),
        quote=_quote(assistant, made),
    )


def _edges(assistant: Assistant, topic_id: str) -> tuple[Corpus, _Edges]:
    """The topic's corpus, and its texts by their distance from the centre, one of each conversation."""
    if not assistant.store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    with assistant.store.reading() as view:
        topics = view.answer("topics/corpus_of_topic", topic=topic_id)
        if not topics:
            raise NotFound(f"{topic_id}: no topic has this id; cpa topics list shows them")
        corpus: Corpus = topics[0]["corpus"]
        rows = view.answer("topics/items_by_distance", corpus=corpus, topic=topic_id)
        texts = {one.item_id: one for one in items_of(view, corpus)}
    ordered = [texts[row["item_id"]] for row in rows if row["item_id"] in texts]
    distinct = list({one.conversation_id: one for one in reversed(ordered)}.values())[::-1]
    if len(distinct) < CENTRAL + BORDER:
        raise InputError(f"{topic_id}: {len(distinct)} conversations are too few for an event type; cpa topics find")
    return corpus, _Edges(distinct[:CENTRAL], distinct[-BORDER:])


def _evidence(
    assistant: Assistant, edges: _Edges, base: EventSchema, role: Literal["user", "assistant"]
) -> TopicEvidence:
    central, border = (tuple(sent_texts(assistant, items, CHARACTERS)) for items in edges)
    return TopicEvidence(role=role, central=central, border=border, base=base)


def _drafted(assistant: Assistant, evidence: TopicEvidence) -> tuple[tuple[str, EventType], str]:
    """The model's reason and event type, and the model."""
    model = assistant.model("propose")
    if model.provider == "reference":
        raise SettingsError(
            "no model is set that could draft an event type: CPA_MODEL or --model, or give --name and --definition"
        )
    with inquiry(assistant, "promote") as made, assistant.progress("promote", 1) as advance:
        draft, reply = made.settled(partial(draft_type, evidence, model), lambda ended: ended[0] is not None)
        advance()
    if draft is None:
        raise CpaError(f"{model}: no valid event type was drafted: {reply.outcome}: {reply.detail}")
    return (draft.because, draft.event_type), str(model)


def _draw(assistant: Assistant, topic_id: str, corpus: Corpus, border: Sequence[Item], made: EventSchema) -> Draw:
    """Keep the border texts as a draw that people read. It is no sample: no rate is made of it."""
    days = [one.day for one in border]
    items = (
        DrawnItem(conversation_id=one.conversation_id, message_id=one.place if corpus == "uncovered" else None)
        for one in border
    )
    draw = Draw(
        way="border",
        queue=f"topic {topic_id}",
        first=min(days),
        last=max(days),
        frame=len(border),
        seed=0,
        drawn_at=assistant.now(),
        schema_version=made.version,
        label=made.event_types[-1].key,
        items=tuple(items),
    )
    append_draw(assistant, draw)
    merge_gold(assistant)
    return draw


def _quote(assistant: Assistant, made: EventSchema) -> Quote | None:
    """Return the cost of asking about the old days; null without a model."""
    try:
        return quote_of_history(assistant, made)
    except SettingsError:
        return None
