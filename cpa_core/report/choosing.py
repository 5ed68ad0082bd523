"""The choice of conversations in the file: a fair share for each number, within the file's size."""

from collections.abc import Callable, Iterable, Mapping

from cpa_core.report.behind import Group

MOST_CONVERSATIONS = 1_500
MOST_BYTES = 4_500_000
"""The bytes of conversations in a file that must stay below 8 MB."""


def chosen(groups: Iterable[Group], room: float, weight: Callable[[int], float] = lambda place: 1.0) -> set[int]:
    """Places of conversations, at most `room` by their weight: the first of every group, then the second of each...

    Groups share them: a place chosen for one is free for another.
    """
    lists = [group.places for group in groups]
    found: set[int] = set()
    for nth in range(max(map(len, lists), default=0)):
        for places in lists:
            if nth < len(places) and places[nth] not in found and weight(places[nth]) <= room:
                found.add(places[nth])
                room -= weight(places[nth])
    return found


def within(groups: Mapping[str, Group], places: set[int]) -> dict[str, Group]:
    """The groups with those of their examples that are in the file."""
    return {key: Group(one.total, tuple(p for p in one.places if p in places)) for key, one in groups.items()}
