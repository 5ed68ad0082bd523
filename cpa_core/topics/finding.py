"""Finding topics: HDBSCAN over a sample, the rest placed within each topic's radius, and ids that never change.

A layer is a space with the topics that were found in it, and both are frozen. A later layer holds only topics that are
new since a day beyond chance, and only texts from that day on are placed in it: what has a topic keeps it.
HDBSCAN's time grows with the square of the sample:
https://scikit-learn.org/stable/modules/clustering.html#hdbscan
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from cpa_core.topics.corpora import Item
from cpa_core.topics.vectors import Space, module, space_of

if TYPE_CHECKING:
    from cpa_core.topics.vectors import Vectors

SAMPLE = 20_000
LEAST_MEMBERS, LARGEST_LEAST, SHARE_OF_SAMPLE = 15, 100, 0.01
"""A topic has at least one in a hundred of the sample, but never fewer than 15, and never needs more than 100."""
NEIGHBOURS = 5
"""How many neighbours make a text part of a dense region (HDBSCAN's min_samples)."""
WORDS = 3
"""Words of a name."""
WITHIN = 0.95
"""The share of its members within a topic's radius: the farthest ones would make it reach into others."""
SAME = 0.5
"""A cluster is a known topic from this share of common members on."""
GROWTH, CHANCE = 4.0, 0.0001
"""A topic is new where its share of the recent texts is four times its share before, at this probability of chance."""


@dataclass(frozen=True)
class FoundTopic:
    """A topic at its birth. `centre` has length one; within `radius`, a cosine distance, are 95 % of its members."""

    topic_id: str
    words: tuple[str, ...]
    centre: "Vectors"
    radius: float


@dataclass(frozen=True)
class Layer:
    """A space and its topics. `since` is the first day of texts that are placed in it, null for all days.

    `members` has the topic of each item that was clustered, when the layer is made; one that was read has none.
    """

    space: Space
    topics: tuple[FoundTopic, ...]
    since: date | None = None
    members: Mapping[str, str] = field(default_factory=dict)


class Placement(NamedTuple):
    """Where an item belongs: null for one that no topic is near to. `distance` is from the topic's centre."""

    item_id: str
    topic_id: str | None
    distance: float | None


def first_layer(corpus: str, items: Iterable[Item], share: float = SHARE_OF_SAMPLE) -> Layer | None:
    """The topics of items, in any order; None where none is found. Equal items give equal ids and vectors.

    A topic has at least this share of the sample, within 15 and 100 texts. Raises SettingsError without scikit-learn.
    """
    chosen = sampled(items)
    space = space_of([one.text for one in chosen])
    if space is None:
        return None
    vectors = space.vectors([one.text for one in chosen])
    labels = clusters_of(vectors, share)
    topics = [_topic(corpus, space, chosen, vectors, labels == label) for label in range(labels.max() + 1)]
    members = {one.item_id: topics[nth].topic_id for one, nth in zip(chosen, labels, strict=True) if nth >= 0}
    return Layer(space, tuple(sorted(topics, key=lambda one: one.topic_id)), None, members) if topics else None


def sampled(items: Iterable[Item], most: int = SAMPLE) -> list[Item]:
    """At most so many items, chosen and ordered by a hash of their ids, whatever order they came in."""
    return sorted(items, key=lambda one: (_hash(one.item_id), one.item_id))[:most]


def clusters_of(vectors: "Vectors", share: float) -> Any:
    """The cluster of each row from 0 on, -1 where it belongs to none."""
    least = max(LEAST_MEMBERS, min(LARGEST_LEAST, round(share * len(vectors))))
    if len(vectors) < least:
        return module("numpy").full(len(vectors), -1)
    clusters = module("sklearn.cluster").HDBSCAN(min_cluster_size=least, min_samples=NEIGHBOURS, copy=True)
    return clusters.fit_predict(vectors)


def _topic(corpus: str, space: Space, items: Sequence[Item], vectors: "Vectors", members: Any) -> FoundTopic:
    own = vectors[members]
    centre = own.sum(axis=0)
    centre = (centre / max(float((centre**2).sum()) ** 0.5, 1e-12)).astype("float32")
    radius = float(module("numpy").quantile(1 - own @ centre, WITHIN))
    ids = sorted(one.item_id for one, is_member in zip(items, members, strict=True) if is_member)
    texts = [one.text for one in items]
    return FoundTopic(_hash(corpus, *ids)[:12], telling_words(space, texts, members), centre, radius)


def telling_words(space: Space, texts: Sequence[str], members: Any) -> tuple[str, ...]:
    """The words that tell members from the others best, by the difference of their mean weights; no part of another."""
    names = space.features["words"]
    if not names:
        return ()
    counted = space.counted("words", texts)
    own, others = counted[members], counted[~members]
    difference = own.mean(axis=0) - (others.mean(axis=0) if others.shape[0] else 0)
    order = (-difference).A1.argsort(kind="stable")
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

    A member of a cluster belongs to it.
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
    distances = 1 - vectors @ np.array([one.centre for one in layer.topics], dtype="float32").T
    within = distances <= np.array([one.radius + 1e-6 for one in layer.topics])
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
    corpus: str, items: Sequence[Item], since: date, known: Mapping[str, str | None] | None = None
) -> Layer | None:
    """The topics that are new since a day, beyond chance, as a layer of that day; None where there are none.

    All items are clustered anew, as many before that day as since, and each cluster is compared with its share before.
    `known` has the topic of each item: a cluster that shares half of all members with a topic is that one, grown.
    """
    recent = sampled([one for one in items if one.day >= since], SAMPLE // 2)
    before = sampled([one for one in items if one.day < since], len(recent))
    layer = first_layer(corpus, [*recent, *before], 0)
    if layer is None:
        return None
    places = {one.item_id: one.topic_id for one in placed([layer], [*recent, *before]) if one.topic_id is not None}
    now, then = (Counter(places.get(one.item_id) for one in part) for part in (recent, before))
    grown = _grown(places, {one.item_id: (known or {}).get(one.item_id) for one in [*recent, *before]})
    kept = tuple(
        one
        for one in layer.topics
        if one.topic_id not in grown
        and found_beyond_chance(now[one.topic_id], then[one.topic_id], len(recent), len(before))
    )
    ids = {one.topic_id for one in kept}
    days = {one.item_id: one.day for one in [*recent, *before]}
    members = {name: topic for name, topic in layer.members.items() if topic in ids and days[name] >= since}
    return Layer(layer.space, kept, since, members) if kept else None


def _grown(places: Mapping[str, str], known: Mapping[str, str | None]) -> set[str]:
    """The clusters that are a known topic: at least half of the items that are in either are in both."""
    shared = Counter((topic, known[name]) for name, topic in places.items() if known[name] is not None)
    sizes, earlier = Counter(places.values()), Counter(topic for topic in known.values() if topic is not None)
    return {new for (new, old), both in shared.items() if old and both >= SAME * (sizes[new] + earlier[old] - both)}


def found_beyond_chance(recent: int, before: int, all_recent: int, all_before: int) -> bool:
    """Whether so many of the recent texts, beside so many of those before, are more than chance makes.

    One-sided: given their sum, `recent` is binomial with the recent texts' share of all, if nothing changed.
    """
    if recent < LEAST_MEMBERS or not all_recent:
        return False
    if not all_before:
        return True
    if recent / all_recent < GROWTH * before / all_before:
        return False
    share = all_recent / (all_recent + all_before)
    return float(module("scipy.stats").binom.sf(recent - 1, recent + before, share)) < CHANCE


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
