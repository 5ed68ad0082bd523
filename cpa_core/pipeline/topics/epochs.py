"""Epochs: topics found anew in vectors of another kind, and the map from the earlier ones to them."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cpa_core.store.database import Row, Transaction
from cpa_core.topics import Corpus, Item, Layer, first_layer, same_groups
from cpa_core.topics.vectors import Embedding


@dataclass(frozen=True)
class Epoch:
    """A first layer in vectors of another kind. `same` has the id that each known topic was found under.

    `shared` counts the texts of each earlier topic in each topic of the layer.
    """

    layer: Layer
    same: Mapping[str, str]
    shared: Mapping[tuple[str, str], int]


def begun_anew(
    corpus: Corpus,
    items: Sequence[Item],
    known: Mapping[str, str | None],
    groups: Mapping[str, str | None],
    embedding: Embedding | None,
) -> Epoch | None:
    """The topics of all items in the vectors of an embedding, or of words if it is None; None where none is found.

    A topic or a group that shares half of its texts with an earlier one is that one, and keeps its id. `known` has the
    earlier topic of each item, and `groups` the group of each topic.
    """
    found = first_layer(corpus, items, embedding)
    if found is None:
        return None
    same = same_groups(found.members, known)
    ids = _ids([one.topic_id for one in found.topics], same)
    members = {item: ids[topic] for item, topic in found.members.items()}
    topics = tuple(sorted((replace(one, topic_id=ids[one.topic_id]) for one in found.topics), key=lambda t: t.topic_id))
    layer = replace(found, topics=topics, members=members)
    shared = Counter((old, topic) for item, topic in members.items() if (old := known.get(item)) is not None)
    return Epoch(_grouped(layer, known, groups, ids), same, shared)


def _ids(found: Sequence[str], same: Mapping[str, str]) -> dict[str, str]:
    """The id of each topic or group: an earlier one's, else its own, or another one if its own is taken by now."""
    taken = set(same.values())
    return {one: same.get(one, _other_id(one) if one in taken else one) for one in found}


def _other_id(one: str) -> str:
    return hashlib.sha256(f"{one}\0again".encode()).hexdigest()[:12]


def _grouped(
    layer: Layer, known: Mapping[str, str | None], groups: Mapping[str, str | None], ids: Mapping[str, str]
) -> Layer:
    """The layer with its groups. A group that continues an earlier one keeps its id and its name."""
    of_topic = {ids[topic]: one.group_id for one in layer.above for topic in one.topics}
    before = {item: groups.get(topic) if topic is not None else None for item, topic in known.items()}
    same = same_groups({item: of_topic[topic] for item, topic in layer.members.items() if topic in of_topic}, before)
    group_ids = _ids([one.group_id for one in layer.above], same)
    there = set(groups.values())
    above = (
        replace(
            one,
            group_id=group_ids[one.group_id],
            words=None if group_ids[one.group_id] in there else one.words,
            topics=tuple(sorted(ids[topic] for topic in one.topics)),
        )
        for one in layer.above
    )
    return replace(layer, above=tuple(sorted(above, key=lambda one: one.group_id)))


def keep_epoch(tables: Transaction, corpus: Corpus, space_id: str, epoch: Epoch, now: datetime) -> None:
    """Write how many texts of each earlier topic stand in each topic of the epoch. A pair without a text has no row."""
    rows: list[Row] = [
        {
            "corpus": corpus,
            "space_id": space_id,
            "earlier_id": earlier,
            "topic_id": topic,
            "shared": count,
            "made_at": now,
        }
        for (earlier, topic), count in sorted(epoch.shared.items())
    ]
    tables.insert("topic_epochs", rows)
