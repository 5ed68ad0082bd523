"""Topics: groups of texts that keep their ids. Vectors, groups, placement within a radius, and names by words."""

from cpa_core.topics.corpora import CORPORA, Corpus, Item
from cpa_core.topics.finding import (
    FoundTopic,
    Layer,
    Placement,
    first_layer,
    found_beyond_chance,
    groups_above,
    new_layer,
    placed,
    same_groups,
)
from cpa_core.topics.hierarchy import TopicGroup, joined

__all__ = [
    "CORPORA",
    "Corpus",
    "FoundTopic",
    "Item",
    "Layer",
    "Placement",
    "TopicGroup",
    "first_layer",
    "found_beyond_chance",
    "groups_above",
    "joined",
    "new_layer",
    "placed",
    "same_groups",
]
