"""The few groups above the topics: made with the first topics, and entered by new ones."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from cpa_core.store.database import Row, Transaction, as_json
from cpa_core.topics import Corpus, Item, Layer, Placement, TopicGroup, groups_above, joined
from cpa_core.topics.vectors import Space


def earlier_groups(
    corpus: Corpus,
    items: Sequence[Item],
    space: Space | None,
    topics: Mapping[str, str | None],
    groups: Mapping[str, str | None],
) -> tuple[TopicGroup, ...]:
    """The groups of topics that an earlier version found without any; `space` is that of the first ones."""
    if space is None or not groups or any(groups.values()):
        return ()
    return groups_above(corpus, items, space, topics)


def groups_entered(
    corpus: Corpus,
    layer: Layer,
    known: Mapping[str, str | None],
    places: Iterable[Placement],
    groups: Mapping[str, str | None],
) -> tuple[TopicGroup, ...]:
    """The group that each new topic of a layer enters. `known` has the earlier topic of each item."""
    before: dict[str, list[str | None]] = {one.topic_id: [] for one in layer.topics}
    for place in places:
        if place.topic_id in before:
            before[place.topic_id].append(known.get(place.item_id))
    return tuple(joined(corpus, one.topic_id, one.words, before[one.topic_id], groups) for one in layer.topics)


def write_groups(tables: Transaction, corpus: Corpus, groups: Sequence[TopicGroup], now: datetime) -> None:
    """Write the groups that are new, and the group of each of their topics."""
    rows: list[Row] = [
        {
            "group_id": one.group_id,
            "corpus": corpus,
            "group_name": ", ".join(one.words) or one.group_id,
            "words": list(one.words),
            "made_at": now,
        }
        for one in groups
        if one.words is not None
    ]
    tables.insert("topic_groups", rows)
    for one in groups:
        tables.answer("topics/enter_group", corpus=corpus, group=one.group_id, topics=as_json(one.topics))
