"""Finding topics: groups of a sample, the rest placed within each topic's radius, and ids that never change.

A layer is a space with the topics that were found in it, and both are frozen. A later layer holds only topics that are
new since a day beyond chance, and only texts from that day on are placed in it: what has a topic keeps it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from cpa_core.topics.corpora import Item
from cpa_core.topics.grouping import GroupTree, cut, tree_of
from cpa_core.topics.hierarchy import TopicGroup, by_majority, group_id_of, most_groups
from cpa_core.topics.vectors import Embedding, Space, module, space_of

if TYPE_CHECKING:
    from cpa_core.topics.vectors import Vectors

SAMPLE = 20_000
LEAST_MEMBERS = 15
MOST_TOPICS, TEXTS_OF_A_TOPIC = 100, 50
"""Topics of a first layer: at most 100, and one for each 50 texts of the sample."""
WORDS = 3
"""Words of a name."""
WITHIN = 0.95
"""The share of its members within a topic's radius: the farthest ones would make it reach into others."""
SAME = 0.5
"""A group is a known topic from this share of common members on."""
GROWTH, CHANCE = 4.0, 0.001
"""A topic is new where its share of the recent texts is four times its share before, at this probability of chance.

The probability is that of all groups which are compared together.
"""


@dataclass(frozen=True)
class FoundTopic:
    """A topic at its birth. `centres` are rows of length one; a large topic has several.

    95 % of its members are within `radius`, a cosine distance, of the nearest centre.
    """

    topic_id: str
    words: tuple[str, ...]
    centres: "Vectors"
    radius: float


@dataclass(frozen=True)
class Layer:
    """A space and its topics. `since` is the first day of texts that are placed in it, null for all days.

    `members` has the topic of each item that was grouped, when the layer is made; one that was read has none.
    `others` are the centres of the groups that are no topic of this layer: a text nearest to one has no topic here.
    `above` are the few groups of a first layer's topics.
    """

    space: Space
    topics: tuple[FoundTopic, ...]
    since: date | None = None
    members: Mapping[str, str] = field(default_factory=dict)
    others: "Vectors | None" = None
    above: tuple[TopicGroup, ...] = ()


class Placement(NamedTuple):
    """Where an item belongs: null for one that no topic is near to. `distance` is from the topic's centre."""

    item_id: str
    topic_id: str | None
    distance: float | None


def first_layer(corpus: str, items: Iterable[Item], embedding: Embedding | None = None) -> Layer | None:
    """The topics of items, in any order; None where none is found. Equal items give equal ids and vectors.

    A topic has 15 texts of the sample or more. Vectors are those of the embedding if there is one. Raises SettingsError
    without scikit-learn.
    """
    grouped = _grouped(items, embedding=embedding)
    if grouped is None:
        return None
    topics = _topics(corpus, grouped, [(members, [members]) for members in grouped.fine()])
    layer = _layer(grouped, topics)
    of_rows = {row: topic.topic_id for topic, rows in topics for row in rows}
    return replace(layer, above=_above(corpus, grouped, of_rows)) if layer else None


def groups_above(
    corpus: str, items: Iterable[Item], space: Space, topics: Mapping[str, str | None]
) -> tuple[TopicGroup, ...]:
    """The few groups of topics that were found by an earlier version, in the space of the first ones.

    `topics` has the topic of each item.
    """
    grouped = _grouped(items, space)
    if grouped is None:
        return ()
    of_rows = {row: topic for row, one in enumerate(grouped.items) if (topic := topics.get(one.item_id)) is not None}
    return _above(corpus, grouped, of_rows)


def _above(corpus: str, grouped: "_Grouped", topics: Mapping[int, str]) -> tuple[TopicGroup, ...]:
    """Groups of topics from a coarse cut of the tree; `topics` has the topic of each row that has one."""
    counted = grouped.space.counted("words", [one.text for one in grouped.items])
    nodes = cut(grouped.tree, most_groups(len(set(topics.values()))), LEAST_MEMBERS)
    found = []
    for own in map(frozenset, by_majority([grouped.members(node) for node in nodes], topics) if nodes else ()):
        members = [row for row, topic in topics.items() if topic in own]
        if own:
            words = telling_words(grouped.space.features["words"], counted, members)
            found.append(TopicGroup(group_id_of(corpus, own), words, tuple(sorted(own))))
    return tuple(sorted(found, key=lambda one: one.group_id))


class _Grouped(NamedTuple):
    """A sample in a space, and the tree of those that have a vector. `rows` has the place of each row of the tree."""

    items: list[Item]
    space: Space
    vectors: "Vectors"
    tree: GroupTree
    rows: list[int]

    def fine(self) -> list[list[int]]:
        """The places of the members of each group of the usual size."""
        most = max(2, min(MOST_TOPICS, len(self.rows) // TEXTS_OF_A_TOPIC))
        return [self.members(node) for node in cut(self.tree, most, LEAST_MEMBERS)]

    def members(self, node: int) -> list[int]:
        """The places of a node's members, in order."""
        return sorted(self.rows[row] for row in self.tree.members(node))


def _grouped(items: Iterable[Item], known: Space | None = None, embedding: Embedding | None = None) -> _Grouped | None:
    chosen = sampled(items)
    space = known or space_of([one.text for one in chosen], embedding)
    if space is None:
        return None
    vectors = space.vectors([one.text for one in chosen])
    rows: list[int] = module("numpy").flatnonzero((vectors != 0).any(axis=1)).tolist()
    return _Grouped(chosen, space, vectors, tree_of(vectors[rows]), rows) if len(rows) >= LEAST_MEMBERS else None


def _layer(
    grouped: _Grouped, topics: Sequence[tuple[FoundTopic, list[int]]], since: date | None = None, others: Any = None
) -> Layer | None:
    found = tuple(sorted((one for one, _ in topics), key=lambda one: one.topic_id))
    members = {
        grouped.items[row].item_id: topic.topic_id
        for topic, rows in topics
        for row in rows
        if since is None or grouped.items[row].day >= since
    }
    return Layer(grouped.space, found, since, members, others) if found else None


def sampled(items: Iterable[Item], most: int = SAMPLE) -> list[Item]:
    """At most so many items, chosen and ordered by a hash of their ids, whatever order they came in."""
    return sorted(items, key=lambda one: (_hash(one.item_id), one.item_id))[:most]


def _topics(
    corpus: str, grouped: _Grouped, groups: Sequence[tuple[list[int], Sequence[list[int]]]]
) -> list[tuple[FoundTopic, list[int]]]:
    """A topic for each group, with its members. A group is its members, and the parts that have a centre each."""
    np = module("numpy")
    counted = grouped.space.counted("words", [one.text for one in grouped.items])
    found: list[tuple[FoundTopic, list[int]]] = []
    for members, parts in groups:
        centres = np.array([_centre(grouped.vectors[part]) for part in parts], dtype="float32")
        radius = float(np.quantile((1 - grouped.vectors[members] @ centres.T).min(axis=1), WITHIN))
        ids = sorted(grouped.items[row].item_id for row in members)
        words = telling_words(grouped.space.features["words"], counted, members)
        found.append((FoundTopic(_hash(corpus, *ids)[:12], words, centres, radius), members))
    return found


def _centre(rows: "Vectors") -> "Vectors":
    total = rows.sum(axis=0)
    centre: Vectors = (total / max(float((total**2).sum()) ** 0.5, 1e-12)).astype("float32")
    return centre


def telling_words(names: Sequence[str], counted: Any, members: Sequence[int]) -> tuple[str, ...]:
    """The words that tell members from the others best: frequent in them, and more so than in the others.

    The measure is a word's mean weight in the members, times the logarithm of its ratio to that in all. No two names
    share a word.
    """
    if not names:
        return ()
    own, whole = counted[members].mean(axis=0).A1, counted.mean(axis=0).A1
    ratio = module("numpy").divide(own, whole, out=whole * 0 + 1, where=own > 0)
    order = (-own * module("numpy").log(ratio)).argsort(kind="stable")
    chosen: list[str] = []
    for nth in order:
        name = names[nth]
        if not any(set(name.split()) & set(one.split()) for one in chosen):
            chosen.append(name)
        if len(chosen) == WORDS:
            break
    return tuple(chosen)


def placed(layers: Sequence[Layer], items: Sequence[Item]) -> list[Placement]:
    """Where each item belongs, in the order given: the nearest topic within its radius, of the newest layer of its day.

    A text that was grouped when the layer was made belongs to its topic.
    """
    found: dict[str, Placement] = {}
    ordered = sorted(items, key=lambda one: one.item_id)  # sums of floating point numbers depend on the order of rows
    for layer in reversed(layers):
        left = [one for one in ordered if one.item_id not in found and (layer.since is None or one.day >= layer.since)]
        places = zip(left, _nearest(layer, left), strict=True)
        found |= {one.item_id: Placement(one.item_id, *place) for one, place in places if place is not None}
    return [found.get(one.item_id, Placement(one.item_id, None, None)) for one in items]


def _nearest(layer: Layer, items: Sequence[Item]) -> list[tuple[str, float] | None]:
    """The topic and distance of each item; null for one that is near to none."""
    if not layer.topics or not items:
        return [None] * len(items)
    np = module("numpy")
    vectors = layer.space.vectors([one.text for one in items])
    distances = np.stack([(1 - vectors @ one.centres.T).min(axis=1) for one in layer.topics], axis=1)
    within = distances <= np.array([one.radius + 1e-6 for one in layer.topics])
    if layer.others is not None and len(layer.others):
        within &= distances <= (1 - vectors @ layer.others.T).min(axis=1, keepdims=True)
    reached = np.where(within & (vectors != 0).any(axis=1)[:, None], distances, np.inf)
    places = {one.topic_id: nth for nth, one in enumerate(layer.topics)}
    found: list[tuple[str, float] | None] = []
    for item, best, near, far in zip(items, reached.argmin(axis=1), reached, distances, strict=True):
        own = layer.members.get(item.item_id)
        if own in places:
            found.append((own, float(far[places[own]])))
        else:
            found.append((layer.topics[best].topic_id, float(near[best])) if np.isfinite(near[best]) else None)
    return found


def new_layer(
    corpus: str,
    items: Sequence[Item],
    since: date,
    known: Mapping[str, str | None] | None = None,
    embedding: Embedding | None = None,
) -> Layer | None:
    """The topics that are new since a day, beyond chance, as a layer of that day; None where there are none.

    All items are grouped anew, as many before that day as since, and each group of the tree is compared with its share
    before; the largest that are new are topics. `known` has the topic of each item: a group that shares half of all
    members with a topic is that one, grown.
    """
    recent = sampled([one for one in items if one.day >= since], SAMPLE // 2)
    before = sampled([one for one in items if one.day < since], len(recent))
    grouped = _grouped([*recent, *before], embedding=embedding)
    if grouped is None:
        return None
    news = [rows for rows in _grown_groups(grouped, since) if not _is_known(grouped, rows, known or {})]
    owners = {row: nth for nth, rows in enumerate(news) for row in rows}
    parts: dict[int, list[list[int]]] = {nth: [] for nth in range(-1, len(news))}
    for rows in grouped.fine():
        for nth in sorted({owners.get(row, -1) for row in rows}):
            parts[nth].append([row for row in rows if owners.get(row, -1) == nth])
    topics = _topics(corpus, grouped, [(rows, parts[nth] or [rows]) for nth, rows in enumerate(news)])
    others = [_centre(grouped.vectors[rows]) for rows in parts[-1]]
    return _layer(grouped, topics, since, module("numpy").array(others, dtype="float32"))


def _grown_groups(grouped: _Grouped, since: date) -> Iterator[list[int]]:
    """The members of each largest group that is new since a day; if nothing came before, each of the usual size."""
    tree = grouped.tree
    is_recent = [grouped.items[row].day >= since for row in grouped.rows]
    now, then = tree.sums(is_recent), tree.sums([not one for one in is_recent])
    if not then[tree.root]:
        yield from grouped.fine()
        return
    compared = sum(one + other >= LEAST_MEMBERS for one, other in zip(now, then, strict=True))
    left = [tree.root]
    while left:
        node = left.pop()
        if now[node] < LEAST_MEMBERS:
            continue
        if found_beyond_chance(now[node], then[node], now[tree.root], then[tree.root], compared):
            yield grouped.members(node)
        else:
            left += tree.parts(node)


def _is_known(grouped: _Grouped, rows: Sequence[int], known: Mapping[str, str | None]) -> bool:
    """Whether a group is a known topic: at least half of the items that are in either are in both."""
    own = Counter(known.get(grouped.items[row].item_id) for row in rows)
    earlier = Counter(known.get(one.item_id) for one in grouped.items)
    return any(topic is not None and both >= SAME * (len(rows) + earlier[topic] - both) for topic, both in own.items())


def found_beyond_chance(recent: int, before: int, all_recent: int, all_before: int, compared: int = 1) -> bool:
    """Whether so many of the recent texts, beside so many of those before, are more than chance makes.

    One-sided: given their sum, `recent` is binomial with the recent texts' share of all, if nothing changed. The
    probability is divided by the number of groups that are compared.
    """
    if recent < LEAST_MEMBERS or not all_recent:
        return False
    if not all_before:
        return True
    if recent / all_recent < GROWTH * before / all_before:
        return False
    share = all_recent / (all_recent + all_before)
    chance = float(module("scipy.stats").binom.sf(recent - 1, recent + before, share))
    return chance * max(1, compared) < CHANCE


def same_groups(found: Mapping[str, str], earlier: Mapping[str, str | None]) -> dict[str, str]:
    """The earlier group of each group that is one of them, by shared members: at least half of those in either.

    Both map items to groups. No two groups are one, so an id that stays is still one group's.
    """
    sizes, before = Counter(found.values()), Counter(earlier.values())
    both = Counter((group, old) for item, group in found.items() if (old := earlier.get(item)) is not None)
    pairs = sorted((-shared, group, old) for (group, old), shared in both.items())
    same: dict[str, str] = {}
    for shared, group, old in pairs:
        is_half = -shared >= SAME * (sizes[group] + before[old] + shared)
        if is_half and group not in same and old not in same.values():
            same[group] = old
    return same


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
