"""Pages of one conversation, as APIs list it: where two of them meet within a second, which part of it came first.

Source: https://platform.openai.com/docs/api-reference/messages/listMessages (pages by `created_at`, in whole seconds).
A page is a piece of the conversation without gaps. Where two pages share a second, the page that ends later has the
later part of it. Its messages get times some microseconds later, in their order.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

MICROSECOND = timedelta(microseconds=1)
SAME = timedelta(milliseconds=1)
"""Times that differ by less are those of one moment, in whose messages identity brought an order."""

Told = list[tuple[int, datetime]]
"""The messages of one moment, in order: a mark of each, and its time."""


class Page(NamedTuple):
    """One record of a conversation: a mark of each message, and its time, rising."""

    marks: Sequence[int]
    times: Sequence[datetime]


def times_of(pages: Sequence[Page], landed: Told) -> list[dict[int, datetime]]:
    """For each page the times of messages, by their place in it, that are not those which the page says.

    `landed` are messages of the conversation that other objects hold, in order.
    """
    found: list[dict[int, datetime]] = [{} for _ in pages]
    moments = defaultdict[datetime, Told](list)
    sharing = defaultdict[datetime, int](int)
    for moment in (one for page in pages for one in {_moment(at) for at in page.times}):
        sharing[moment] += 1
    for one in landed:
        moments[_moment(one[1] + SAME / 2)].append(one)
    first = min((_moment(at + SAME / 2) for _, at in landed), default=None)
    for n in sorted(range(len(pages)), key=lambda n: (pages[n].times[0], pages[n].times[-1])):
        page = pages[n]
        shared: dict[datetime, list[int]] = {}
        for place, at in enumerate(page.times):
            if at.microsecond < 1000 and (sharing[_moment(at)] > 1 or moments[_moment(at)]):
                shared.setdefault(_moment(at), []).append(place)
        for moment, places in shared.items():
            is_earlier = moment == first == _moment(page.times[-1])
            own = [(page.marks[m], page.times[m]) for m in places]
            placed = _placed(own, moments[moment], is_earlier=is_earlier)
            found[n] |= {m: at for m, at in zip(places, placed, strict=True) if at != page.times[m]}
    return found


def _moment(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _placed(own: Told, told: Told, *, is_earlier: bool) -> list[datetime]:
    """The times of messages of one moment beside those that are `told`, to which they are added.

    Where both have a message, but not one beginning with the end of the other, nothing tells the order: times stay.
    """
    marks, known = [one for one, _ in own], [one for one, _ in told]
    for n in range(len(known) - len(marks) + 1):
        if known[n : n + len(marks)] == marks:
            return [at for _, at in told[n : n + len(marks)]]
    ways = range(min(len(marks), len(known)), 0, -1)
    if is_earlier:
        same = next((n for n in ways if marks[-n:] == known[:n]), 0)
        new, shared = marks[: len(marks) - same], [at for _, at in told[:same]]
    else:
        same = next((n for n in ways if marks[:n] == known[-n:]), 0)
        new, shared = marks[same:], [at for _, at in told[len(told) - same :]]
    if not set(new).isdisjoint(known):
        return [at for _, at in own]
    if is_earlier:
        times = [told[0][1] - (len(new) - n) * MICROSECOND for n in range(len(new))]
        told[:0] = zip(new, times, strict=True)
        return times + shared
    if not told:
        told += own
        return [at for _, at in own]
    times = [told[-1][1] + (n + 1) * MICROSECOND for n in range(len(new))]
    told += zip(new, times, strict=True)
    return shared + times
