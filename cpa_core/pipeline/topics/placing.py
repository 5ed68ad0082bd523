"""Bringing the topics up to the days: new texts are placed, and what is left over is clustered once a week."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from cpa_core.errors import InputError, NotFound
from cpa_core.models import Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.store.database import Row, Transaction, as_json
from cpa_core.topics import CORPORA, Corpus, FoundTopic, Item, Layer, first_layer, new_layer, placed
from cpa_core.topics.vectors import Space, module

LEAST_ITEMS = 200
"""Texts of a corpus before its first topics are looked for."""
CLUSTERED_EVERY = 7
"""Days of conversations after which texts without a topic are clustered again."""
NEAREST = 3
"""Conversations that are named behind a topic."""


class TopicRow(Value):
    """One topic of a corpus; `topic_id` and `name` are null for the texts that no topic is near to.

    `share` is of the corpus's texts. `last_week` and `week_before` count texts by day, from the corpus's last day back.
    `mean_score` is from 0 to 100, null where nothing is judged. `conversations_behind` are nearest to its centre.
    """

    corpus: Corpus
    topic_id: str | None
    name: str | None
    found_day: date | None
    is_new: bool
    items: int
    conversations: int
    share: float
    last_week: int
    week_before: int
    mean_score: float | None
    last_day: date
    conversations_behind: tuple[str, ...] = ()

    def is_recent(self, days: int) -> bool:
        """Whether it became new within so many days before the corpus's last one."""
        return self.is_new and self.found_day is not None and (self.last_day - self.found_day).days < days


class CorpusTopics(Value):
    """What was done to one corpus. `needed` is how many texts it lacks before topics are looked for."""

    corpus: Corpus
    texts: int
    placed: int
    found: int
    needed: int


class TopicsFound(Value):
    """What was done, and every topic by corpus and size."""

    corpora: tuple[CorpusTopics, ...]
    topics: tuple[TopicRow, ...]


def find_topics(assistant: Assistant) -> TopicsFound:
    """Place each text that is new or changed, cluster where it is due, and return every topic.

    What no longer exists loses its place; a topic never changes its id. Raises NotFound where nothing was stored,
    SettingsError where the extra `topics` is not installed.
    """
    if not assistant.store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    with assistant.store.writing() as tables:
        done = tuple(_brought_up(tables, corpus, assistant.now()) for corpus in CORPORA)
    return TopicsFound(corpora=done, topics=topics_now(assistant))


def topics_now(assistant: Assistant) -> tuple[TopicRow, ...]:
    """Every topic as it was found last, by corpus and size, and a row for the texts without one."""
    with assistant.store.reading() as view:
        rows = view.answer("topics/sizes", corpus=None)
        nearest = view.answer("topics/nearest", most=NEAREST)
    behind: dict[tuple[str, str], list[str]] = {}
    for row in nearest:
        behind.setdefault((row["corpus"], row["topic_id"]), []).append(row["conversation_id"])
    return tuple(_row(row, behind.get((row["corpus"], row["topic_id"]), [])) for row in rows)


def rename_topic(assistant: Assistant, topic_id: str, name: str) -> str:
    """Give a topic another name, and return the earlier one. Its id stays. Raises InputError, NotFound."""
    if not name.strip():
        raise InputError("a topic's name needs a word")
    if not assistant.store.exists():
        raise NotFound(f"{assistant.settings.home}: nothing was stored here yet")
    with assistant.store.writing() as tables:
        rows = tables.rows("select topic_name from topics where topic_id = $topic", topic=topic_id)
        if not rows:
            raise NotFound(f"{topic_id}: no topic has this id; cpa topics lists them")
        tables.execute(
            "update topics set topic_name = $name where topic_id = $topic", name=name.strip(), topic=topic_id
        )
    return str(rows[0]["topic_name"])


def _row(row: Row, behind: Sequence[str]) -> TopicRow:
    kept = {name: row[name] for name in TopicRow.model_fields if name in row}
    return TopicRow(**kept, name=row["topic_name"], conversations_behind=tuple(behind))


def _brought_up(tables: Transaction, corpus: Corpus, now: datetime) -> CorpusTopics:
    items = [_item(corpus, row) for row in tables.answer(f"topics/{corpus}")]
    _forget_gone(tables, corpus, items)
    layers = _layers(tables, corpus)
    if not layers and len(items) < LEAST_ITEMS:
        return CorpusTopics(corpus=corpus, texts=len(items), placed=0, found=0, needed=LEAST_ITEMS - len(items))
    known = _known(tables, corpus)
    fresh = [one for one in items if one.item_id not in known]
    known |= _keep_places(tables, corpus, layers, fresh, now)
    since = _due(tables, corpus, items)
    layer = None
    if since:
        layer = new_layer(corpus, items, since) if layers else first_layer(corpus, items)
    if layer:
        _keep_layer(tables, corpus, layer, (len(layers), max(one.day for one in items), now))
        moved = _members(layer, items)
        _forget(tables, corpus, [one.item_id for one in moved])
        known |= _keep_places(tables, corpus, [layer], moved, now)
    found = len(layer.topics) if layer else 0
    if since:
        _keep_clustering(tables, corpus, items, (sum(one is None for one in known.values()), found, now))
    return CorpusTopics(corpus=corpus, texts=len(items), placed=len(fresh), found=found, needed=0)


def _known(tables: Transaction, corpus: Corpus) -> dict[str, str | None]:
    """The topic of each item that was placed; null for one that no topic is near to."""
    rows = tables.rows("select item_id, topic_id from topic_items where corpus = $corpus", corpus=corpus)
    return {row["item_id"]: row["topic_id"] for row in rows}


def _members(layer: Layer, items: Sequence[Item]) -> list[Item]:
    """The items that belong to a layer that was just made."""
    topics = {one.item_id: one.topic_id for one in placed([layer], items)}
    return [one for one in items if topics[one.item_id] is not None]


def _due(tables: Transaction, corpus: Corpus, items: Sequence[Item]) -> date | None:
    """The first day that no clustering has seen, where there was none yet or a week of days is there; else null."""
    rows = tables.rows("select max(last_day) as day from topic_clusterings where corpus = $corpus", corpus=corpus)
    last, days = rows[0]["day"], [one.day for one in items]
    if last is None:
        return min(days, default=None)
    return last + timedelta(days=1) if max(days, default=last) >= last + timedelta(days=CLUSTERED_EVERY) else None


def _item(corpus: Corpus, row: Row) -> Item:
    parts = (corpus, row["conversation_id"], row["place"], row["text"])
    return Item(
        hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24], row["day"], row["conversation_id"], parts[3]
    )


def _forget_gone(tables: Transaction, corpus: Corpus, items: Sequence[Item]) -> None:
    """Places of texts that are no longer there, or changed, are deleted."""
    there = {one.item_id for one in items}
    rows = tables.rows("select item_id from topic_items where corpus = $corpus", corpus=corpus)
    _forget(tables, corpus, [row["item_id"] for row in rows if row["item_id"] not in there])


def _forget(tables: Transaction, corpus: Corpus, item_ids: Sequence[str]) -> None:
    tables.execute(
        "delete from topic_items where corpus = $corpus and item_id in (select unnest($ids::json::varchar[]))",
        corpus=corpus,
        ids=as_json(item_ids),
    )


def _layers(tables: Transaction, corpus: Corpus) -> list[Layer]:
    """The corpus's spaces with their topics, the first first."""
    spaces: dict[str, Space] = {}
    since: dict[str, date | None] = {}
    topics: dict[str, list[FoundTopic]] = {}
    for row in tables.answer("topics/layers", corpus=corpus):
        if row["space_id"] not in spaces:
            spaces[row["space_id"]] = Space.read(row["arrays"])
            since[row["space_id"]] = row["since"]
        if row["topic_id"] is not None:
            centre = module("numpy").frombuffer(base64.b64decode(row["centre"]), dtype="<f4")
            found = FoundTopic(row["topic_id"], tuple(row["words"]), centre, row["radius"])
            topics.setdefault(row["space_id"], []).append(found)
    return [Layer(space, tuple(topics.get(name, ())), since[name]) for name, space in spaces.items()]


def _keep_layer(tables: Transaction, corpus: Corpus, layer: Layer, made: tuple[int, date, datetime]) -> None:
    number, day, now = made
    arrays = layer.space.written()
    space_id = hashlib.sha256(f"{corpus}\0{number}\0{arrays}".encode()).hexdigest()[:12]
    space: Row = {"space_id": space_id, "corpus": corpus, "number": number, "since": layer.since}
    space |= {"made_at": now, "arrays": arrays}
    tables.insert("topic_spaces", [space])
    tables.insert("topics", [_topic_row(corpus, space_id, one, (day, number > 0)) for one in layer.topics])


def _topic_row(corpus: Corpus, space_id: str, topic: FoundTopic, found: tuple[date, bool]) -> Row:
    return {
        "topic_id": topic.topic_id,
        "corpus": corpus,
        "space_id": space_id,
        "topic_name": ", ".join(topic.words) or topic.topic_id,
        "words": list(topic.words),
        "found_day": found[0],
        "is_new": found[1],
        "centre": base64.b64encode(topic.centre.astype("<f4").tobytes()).decode(),
        "radius": topic.radius,
    }


def _keep_places(
    tables: Transaction, corpus: Corpus, layers: Sequence[Layer], items: Sequence[Item], now: datetime
) -> dict[str, str | None]:
    """Place items and keep it; returns the topic of each."""
    found = placed(layers, items)
    rows = [
        {
            "corpus": corpus,
            "item_id": place.item_id,
            "day": item.day,
            "conversation_id": item.conversation_id,
            "topic_id": place.topic_id,
            "distance": place.distance,
            "placed_at": now,
        }
        for item, place in zip(items, found, strict=True)
    ]
    tables.insert("topic_items", rows)
    return {place.item_id: place.topic_id for place in found}


def _keep_clustering(
    tables: Transaction, corpus: Corpus, items: Sequence[Item], found: tuple[int, int, datetime]
) -> None:
    row = {
        "corpus": corpus,
        "last_day": max(one.day for one in items),
        "items": len(items),
        "without_topic": found[0],
        "found": found[1],
        "clustered_at": found[2],
    }
    tables.insert("topic_clusterings", [row])
