"""Topics: groups of texts that keep their ids. Vectors, groups, placement within a radius, and names by words."""

from cpa_core.topics.corpora import CORPORA, Corpus, Item
from cpa_core.topics.finding import FoundTopic, Layer, Placement, first_layer, found_beyond_chance, new_layer, placed

__all__ = [
    "CORPORA",
    "Corpus",
    "FoundTopic",
    "Item",
    "Layer",
    "Placement",
    "first_layer",
    "found_beyond_chance",
    "new_layer",
    "placed",
]
