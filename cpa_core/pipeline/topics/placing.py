"""Updating the topics: new texts are placed each day, and texts without a topic are clustered once a week."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from cpa_core.errors import InputError, NotFound
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.label.quote import QuoteLine
from cpa_core.pipeline.topics.embedding import Embedder, TextVectors, embedder, kept_vectors, quote_line_of
from cpa_core.pipeline.topics.epochs import Epoch, begun_anew, keep_epoch
from cpa_core.pipeline.topics.groups import earlier_groups, groups_entered, write_groups
from cpa_core.pipeline.topics.listing import TopicGroupRow, TopicRow, groups_now, topics_now
from cpa_core.pipeline.topics.texts import items_of
from cpa_core.store.database import Row, Transaction, as_json, each_of
from cpa_core.topics import (
    CORPORA,
    Corpus,
    FoundTopic,
    Item,
    Layer,
    Placement,
    TopicGroup,
    first_layer,
    new_layer,
    placed,
)
from cpa_core.topics.vectors import Embedding, Space, module

if TYPE_CHECKING:
    from cpa_core.topics.vectors import Vectors

LEAST_ITEMS = 200
"""Texts that a corpus needs before its first topics are searched."""
CLUSTERED_EVERY = 7
"""Days of conversations after which texts without a topic are clustered again."""


class CorpusTopics(Value):
    """The changes to one corpus. `needed` counts the texts that it lacks before topics are searched.

    `unplaced` counts texts that have no vector: the next search asks for it again. `kept` is null unless the vectors
    are another model's than before: then all topics were found anew, and so many of them are known ones.
    """

    corpus: Corpus
    texts: int
    placed: int
    found: int
    needed: int
    unplaced: int = 0
    kept: int | None = None


class TopicsFound(Value):
    """The changes, every topic by corpus and size, and the groups above them."""

    corpora: tuple[CorpusTopics, ...]
    topics: tuple[TopicRow, ...]
    groups: tuple[TopicGroupRow, ...] = ()


def find_topics(assistant: Assistant) -> TopicsFound:
    """Place each text that is new or changed, cluster where it is due, and return every topic.

    Texts that no longer exist lose their place; a topic never changes its id. The database is locked only to read and
    write, not while texts are clustered. Raises NotFound where nothing was stored, SettingsError without the extra
    `topics`.
    """
    if not assistant.store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    with assistant.store.topics_lock(), embedder(assistant) as by_model:
        done = tuple(_brought_up(assistant, corpus, by_model) for corpus in CORPORA)
    return listed_topics(assistant).model_copy(update={"corpora": done})


def listed_topics(assistant: Assistant) -> TopicsFound:
    """Every topic and group as they were found last; no corpus is changed."""
    with assistant.store.reading() as view:
        return TopicsFound(corpora=(), topics=topics_now(assistant), groups=groups_now(view))


def rename_topic(assistant: Assistant, topic_id: str, name: str, description: str | None = None) -> str:
    """Give a topic or a group another name, and return the earlier one. Its id stays. Raises InputError, NotFound.

    From then on no model renames it. If `description` is None, the topic keeps its description.
    """
    if not name.strip():
        raise InputError("a topic's name needs a word")
    if not assistant.store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    with assistant.store.writing() as tables:
        rows = tables.answer("topics/name_of", topic=topic_id)
        if not rows:
            raise NotFound(f"{topic_id}: no topic has this id; cpa topics list shows them")
        names = {"name": name.strip(), "topic": topic_id}
        tables.answer("topics/rename_group", **names)
        tables.answer("topics/rename", description=(description or "").strip() or None, **names)
    return str(rows[0]["name"])


@dataclass(frozen=True)
class _Corpus:
    """A corpus as it is stored: its texts, their topics, its layers, the last day clustered, each topic's group."""

    name: Corpus
    items: tuple[Item, ...]
    known: dict[str, str | None]
    layers: tuple[Layer, ...]
    clustered: date | None
    groups: dict[str, str | None]


@dataclass(frozen=True)
class _Changed:
    """The findings of a run: places of texts, by item, the new layer if there is one, and topics that enter groups.

    `epoch` is there if all topics were found anew; `unplaced` are items without a vector.
    """

    places: dict[str, Placement]
    layer: Layer | None
    is_clustered: bool
    groups: tuple[TopicGroup, ...] = ()
    epoch: Epoch | None = None
    unplaced: frozenset[str] = frozenset()


def quote_vectors(assistant: Assistant) -> QuoteLine | None:
    """The price of the vectors that the next search lacks at most; null without CPA_EMBEDDINGS. Nothing is asked."""
    if assistant.settings.embeddings is None:
        return None
    with assistant.store.reading() as view:
        found = {corpus: items_of(view, corpus) for corpus in CORPORA}
        known = {row["corpus"] for row in view.answer("topics/spaces_made")}
    enough = [own for corpus, own in found.items() if corpus in known or len(own) >= LEAST_ITEMS]
    return quote_line_of(assistant, [one for own in enough for one in own])


def _brought_up(assistant: Assistant, corpus: Corpus, by_model: Embedder | None) -> CorpusTopics:
    with assistant.store.reading() as view:
        items = items_of(view, corpus)
        own = by_model(items) if by_model else None
        there = _read(view, corpus, items, _embeddings(assistant, items, own))
    few = not there.layers and len(there.items) < LEAST_ITEMS
    changed = _Changed({}, None, False) if few else _placed(there, own)
    ids = {one.item_id for one in there.items}
    gone = there.known.keys() - (ids - changed.unplaced if changed.epoch else ids)
    if gone or changed.places or changed.is_clustered or changed.groups:
        with assistant.store.writing() as tables:
            _write(tables, there, changed, sorted(gone), assistant.now())
            write_groups(tables, corpus, changed.groups, assistant.now())
    return CorpusTopics(
        corpus=corpus,
        texts=len(there.items),
        placed=len(ids - there.known.keys()) if not few else 0,
        found=len(changed.layer.topics) if changed.layer else 0,
        needed=LEAST_ITEMS - len(there.items) if few else 0,
        unplaced=len(changed.unplaced),
        kept=len(changed.epoch.same) if changed.epoch else None,
    )


def _embeddings(assistant: Assistant, items: Sequence[Item], own: TextVectors | None) -> Callable[[str], Embedding]:
    """The vectors of a model by its name: the settings' model makes them, any other has those of the ledger."""
    kept = kept_vectors(assistant, items)
    return lambda model: own.embedding if own and own.embedding.model == model else kept(model)


def _read(
    view: Transaction, corpus: Corpus, items: tuple[Item, ...], embedding_of: Callable[[str], Embedding]
) -> _Corpus:
    rows = view.answer("topics/last_clustered", corpus=corpus)
    topics = view.answer("topics/groups_of_topics", corpus=corpus)
    groups = {row["topic_id"]: row["group_id"] for row in topics}
    layers = tuple(_layers(view, corpus, embedding_of))
    return _Corpus(corpus, items, _known(view, corpus), layers, rows[0]["day"], groups)


def _placed(there: _Corpus, own: TextVectors | None) -> _Changed:
    """The changes to a corpus. Texts without a vector get no place, so that the next search finds them again."""
    embedding = own.embedding if own else None
    is_other = bool(there.layers) and there.layers[0].space.model != (embedding.model if embedding else "")
    changed = (_anew(there, embedding) if is_other else None) or _changed(there, embedding)
    if not own or not own.without:
        return changed
    without = {one.item_id for one in there.items if one.text in own.without}
    places = {name: place for name, place in changed.places.items() if name not in without}
    return replace(changed, places=places, unplaced=frozenset(without))


def _anew(there: _Corpus, embedding: Embedding | None) -> _Changed | None:
    """All topics found anew, in vectors of another kind; null where none is found, and the earlier ones stay."""
    epoch = begun_anew(there.name, there.items, there.known, there.groups, embedding)
    if epoch is None:
        return None
    places = {one.item_id: one for one in placed([epoch.layer], there.items)}
    return _Changed(places, epoch.layer, True, epoch.layer.above, epoch)


def _changed(there: _Corpus, embedding: Embedding | None) -> _Changed:
    """Places of texts that have none, and, where clustering is due, new topics with the texts that belong to them."""
    fresh = [one for one in there.items if one.item_id not in there.known]
    places = {one.item_id: one for one in placed(there.layers, fresh)}
    since = _due(there)
    known = there.known | {name: place.topic_id for name, place in places.items()}
    space = there.layers[0].space if there.layers else None
    earlier = earlier_groups(there.name, there.items, space, known, there.groups)
    if since is None:
        return _Changed(places, None, False, earlier)
    items = there.items
    if there.layers:
        layer = new_layer(there.name, items, since, known, embedding)
    else:
        layer = first_layer(there.name, items, embedding)
    if layer:
        places |= {one.item_id: one for one in placed([layer], items) if one.topic_id is not None}
    groups = there.groups | {topic: one.group_id for one in earlier for topic in one.topics}
    entered = layer.above or groups_entered(there.name, layer, known, places.values(), groups) if layer else ()
    return _Changed(places, layer, True, (*earlier, *entered))


def _write(tables: Transaction, there: _Corpus, changed: _Changed, gone: Sequence[str], now: datetime) -> None:
    _forget(tables, there.name, [*gone, *changed.places])
    tables.insert("topic_items", _rows(there, changed.places, now))
    newest = max((one.day for one in there.items), default=None)
    if newest is None or not changed.is_clustered:
        return
    if changed.layer:
        space_id = _keep_layer(tables, there, changed, (newest, now))
        if changed.epoch:
            keep_epoch(tables, there.name, space_id, changed.epoch, now)
    topics = there.known | {name: place.topic_id for name, place in changed.places.items()}
    row = {
        "corpus": there.name,
        "last_day": newest,
        "items": len(there.items),
        "without_topic": sum(topics.get(one.item_id) is None for one in there.items),
        "found": len(changed.layer.topics) if changed.layer else 0,
        "clustered_at": now,
    }
    tables.insert("topic_clusterings", [row])


def _known(tables: Transaction, corpus: Corpus) -> dict[str, str | None]:
    """The topic of each item that was placed; null for one that no topic is near to."""
    rows = tables.answer("topics/topics_of_items", corpus=corpus)
    return {row["item_id"]: row["topic_id"] for row in rows}


def _due(there: _Corpus) -> date | None:
    """The first day that no clustering has seen, where there was none yet or a week of days is there; else null."""
    days = [one.day for one in there.items]
    if there.clustered is None:
        return min(days, default=None)
    due = there.clustered + timedelta(days=CLUSTERED_EVERY)
    return there.clustered + timedelta(days=1) if max(days, default=there.clustered) >= due else None


def _forget(tables: Transaction, corpus: Corpus, item_ids: Sequence[str]) -> None:
    condition = f"corpus = $corpus and item_id in {each_of('ids')}"
    tables.delete("topic_items", condition, corpus=corpus, ids=as_json(item_ids))


def _layers(tables: Transaction, corpus: Corpus, embedding_of: Callable[[str], Embedding]) -> list[Layer]:
    """The corpus's spaces of the last epoch with their topics, the first first."""
    spaces: dict[str, Space] = {}
    since: dict[str, date | None] = {}
    others: dict[str, Vectors | None] = {}
    topics: dict[str, list[FoundTopic]] = {}
    for row in tables.answer("topics/layers", corpus=corpus):
        if row["space_id"] not in spaces:
            spaces[row["space_id"]] = Space.read(row["arrays"], embedding_of)
            since[row["space_id"]] = row["since"]
            others[row["space_id"]] = _rows_of(row["others"], spaces[row["space_id"]].dimensions)
        if row["topic_id"] is not None:
            dimensions = spaces[row["space_id"]].dimensions
            found = FoundTopic(row["topic_id"], tuple(row["words"]), _rows_of(row["centre"], dimensions), row["radius"])
            topics.setdefault(row["space_id"], []).append(found)
    return [
        Layer(space, tuple(topics.get(name, ())), since[name], others=others[name]) for name, space in spaces.items()
    ]


def first_space(view: Transaction, corpus: Corpus, embedding_of: Callable[[str], Embedding]) -> Space:
    """The space in which a corpus's first topics were found. Raises NotFound before they were."""
    rows = view.answer("topics/first_space", corpus=corpus)
    if not rows:
        raise NotFound(f"{corpus}: no topics yet: cpa topics find")
    return Space.read(rows[0]["arrays"], embedding_of)


def _written(rows: "Vectors | None") -> str | None:
    return None if rows is None else base64.b64encode(rows.astype("<f4").tobytes()).decode()


def _rows_of(written: str | None, dimensions: int) -> "Vectors":
    """The rows that `_written` gave; none of null."""
    found: Vectors = module("numpy").frombuffer(base64.b64decode(written or ""), dtype="<f4").reshape(-1, dimensions)
    return found


def _keep_layer(tables: Transaction, there: _Corpus, changed: _Changed, made: tuple[date, datetime]) -> str:
    """Write a layer and return the id of its space. Topics that are known by their id keep their name and their row."""
    corpus, layer, (day, now) = there.name, changed.layer, made
    assert layer is not None
    arrays = layer.space.written()
    number = sum(row["spaces"] for row in tables.answer("topics/spaces_made") if row["corpus"] == corpus)
    space_id = hashlib.sha256(f"{corpus}\0{number}\0{arrays}".encode()).hexdigest()[:12]
    space: Row = {"space_id": space_id, "corpus": corpus, "number": number, "since": layer.since}
    space |= {"made_at": now, "arrays": arrays, "others": _written(layer.others)}
    tables.insert("topic_spaces", [space])
    for one in layer.topics:
        row = _topic_row(corpus, space_id, one, (day, layer.since is not None))
        if one.topic_id in there.groups:
            moved = {name: row[name] for name in ("topic_id", "space_id", "centre", "radius")}
            tables.answer("topics/move_topic", corpus=corpus, **moved)
        else:
            tables.insert("topics", [row])
    return space_id


def _topic_row(corpus: Corpus, space_id: str, topic: FoundTopic, found: tuple[date, bool]) -> Row:
    return {
        "topic_id": topic.topic_id,
        "corpus": corpus,
        "space_id": space_id,
        "topic_name": ", ".join(topic.words) or topic.topic_id,
        "words": list(topic.words),
        "found_day": found[0],
        "is_new": found[1],
        "centre": _written(topic.centres),
        "radius": topic.radius,
    }


def _rows(there: _Corpus, places: dict[str, Placement], now: datetime) -> list[Row]:
    """Rows of `topic_items` for the texts that were placed."""
    return [
        {
            "corpus": there.name,
            "item_id": one.item_id,
            "day": one.day,
            "conversation_id": one.conversation_id,
            "topic_id": places[one.item_id].topic_id,
            "distance": places[one.item_id].distance,
            "placed_at": now,
        }
        for one in there.items
        if one.item_id in places
    ]
