"""Groups of topics: a coarser cut of the tree that the topics were cut from, with ids that never change."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

MOST_GROUPS, TOPICS_OF_A_GROUP = 10, 5
"""Groups of a corpus's first topics: at most ten, and one for each five topics."""
HALF = 0.5
"""A new topic joins a group from this share of its texts on that lay in the group before."""


@dataclass(frozen=True)
class TopicGroup:
    """A group of topics, or, where `words` is null, topics that join a group that is there already."""

    group_id: str
    words: tuple[str, ...] | None
    topics: tuple[str, ...]


def most_groups(topics: int) -> int:
    """How many groups so many topics have at most."""
    return max(1, min(MOST_GROUPS, ceil(topics / TOPICS_OF_A_GROUP)))


def group_id_of(corpus: str, topics: Iterable[str]) -> str:
    """The id of a group, made of the ids of its first topics."""
    return hashlib.sha256("\0".join([corpus, "group", *sorted(topics)]).encode()).hexdigest()[:12]


def by_majority(parts: Sequence[Sequence[int]], topics: Mapping[int, str]) -> list[list[str]]:
    """The topics of each part: a topic belongs where most of its rows are, to the first of equal ones.

    `parts` are rows, and `topics` has the topic of each row that has one. Every topic is in one part; a part may have
    none. Rows outside of all parts do not count; a topic with such rows only is in the first part.
    """
    counts: dict[str, Counter[int]] = {topic: Counter() for topic in topics.values()}
    for nth, rows in enumerate(parts):
        for row in rows:
            if row in topics:
                counts[topics[row]][nth] += 1
    found: list[list[str]] = [[] for _ in parts]
    for topic in sorted(counts):
        found[max(range(len(parts)), key=lambda nth: (counts[topic][nth], -nth))].append(topic)
    return found


def joined(
    corpus: str, topic_id: str, words: tuple[str, ...], before: Sequence[str | None], groups: Mapping[str, str | None]
) -> TopicGroup:
    """The group of a new topic: where at least half of its texts lay before, else one of its own.

    `before` has the earlier topic of each of its texts, and `groups` the group of each topic.
    """
    counts = Counter(groups.get(topic) if topic is not None else None for topic in before)
    known = sorted((-count, group) for group, count in counts.items() if group is not None)
    if known and -known[0][0] >= HALF * len(before):
        return TopicGroup(known[0][1], None, (topic_id,))
    return TopicGroup(group_id_of(corpus, [topic_id]), words, (topic_id,))
