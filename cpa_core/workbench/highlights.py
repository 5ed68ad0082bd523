"""A message's text cut at the quotes of its events, to be shown with marks and never as markup."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from cpa_core.store.database import Row


class QuotedPart(NamedTuple):
    """A part of a text, and the names of the events that quote it."""

    text: str
    names: tuple[str, ...] = ()


def pieces(content: str, events: Sequence[Row]) -> list[QuotedPart]:
    """The text in order, cut where a quote begins or ends. Overlapping quotes share their part."""
    spans = [
        (max(0, row["quote_start"]), min(len(content), row["quote_end"]), row["event_type"])
        for row in events
        if row["quote_start"] is not None and row["quote_end"] is not None
    ]
    edges = sorted({0, len(content), *(edge for start, end, _ in spans for edge in (start, end))})
    return [
        QuotedPart(content[a:b], tuple(dict.fromkeys(name for start, end, name in spans if start <= a and b <= end)))
        for a, b in itertools.pairwise(edges)
        if a < b
    ]
