"""Traces that name no session: one that repeats all that was said in another continues that conversation.

A trace id stands for a conversation where nothing better does. Many applications make a trace for each answer, and send
the whole history with it: then the same words would stand in as many conversations as there are answers.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from cpa_core.sources.identity.calls import LONG_AGO, LoggedCall
from cpa_core.sources.identity.links import SPOKEN, chain
from cpa_core.sources.identity.values import Known, Talk

KIND = "trace"
"""The kind under which a conversation is remembered that has the id of a trace."""
NEAR = timedelta(days=1)
"""Without a user, a conversation is continued within this time."""


class _Words(NamedTuple):
    """The spoken messages of a call as links: of its history, null where that is none or a greeting, and of all."""

    history: int | None
    links: tuple[int, ...]


def continued(found: Sequence[LoggedCall], fresh: Collection[str], known: Known) -> tuple[dict[str, str], list[Talk]]:
    """Return the conversation of each trace that continues another one, and the conversations to remember.

    `found` are the calls of traces without a session; of these, the `fresh` have not landed before. A trace continues
    the only conversation that ends with its whole history, of a user who may be the same. Where several end so, nothing
    tells which one is meant, and the trace stays a conversation of its own.
    """
    words = {id(call): _words(call) for call in found}
    histories = {one.history for one in words.values() if one.history is not None}
    ends = {one.links[-1] for one in words.values() if one.links}
    talks = {talk.conversation_id: talk for talk in known.talks(histories | ends, ()) if talk.kind == KIND}
    ended: defaultdict[int, dict[str, Talk]] = defaultdict(dict)
    for talk in talks.values():
        talk.changed = False
        ended[talk.links[-1]][talk.conversation_id] = talk
    joined: dict[str, str] = {}
    for call in sorted(found, key=lambda call: (call.moment, call.trace_id or "")):
        one, trace = words[id(call)], call.trace_id or ""
        if not one.links:
            continue
        own = joined.get(trace, trace)
        if own not in talks and trace in fresh and one.history is not None:
            fitting = [talk for talk in ended[one.history].values() if _fits(call, talk)]
            if len(fitting) == 1:
                own = joined[trace] = fitting[0].conversation_id
        _extend(talks, ended, own, call, one.links)
    return joined, [talk for talk in talks.values() if talk.changed]


def _extend(
    talks: dict[str, Talk], ended: dict[int, dict[str, Talk]], own: str, call: LoggedCall, links: tuple[int, ...]
) -> None:
    """Note that a conversation ends with this call."""
    talk = talks.get(own)
    if talk is None:
        talk = talks[own] = Talk(own, KIND, call.user_id, call.at, None, links, last_at=call.moment, fresh=True)
    elif len(links) > len(talk.links) and call.moment >= (talk.last_at or LONG_AGO):
        ended[talk.links[-1]].pop(own, None)
        talk.links, talk.last_at, talk.changed = links, call.moment, True
    talk.user_id = talk.user_id or call.user_id
    ended[talk.links[-1]][own] = talk


def _fits(call: LoggedCall, talk: Talk) -> bool:
    """Whether a call may be the next of a conversation: not before it, of the same user, or not long after."""
    last = talk.last_at or LONG_AGO
    if last > call.moment:
        return False
    if call.user_id is None or talk.user_id is None:
        return call.moment - last <= NEAR
    return call.user_id == talk.user_id


def _words(call: LoggedCall) -> _Words:
    said = list(_spoken(call))
    links = tuple(chain(mark for _, _, mark in said))
    history = [role for n, role, _ in said if n < call.own_from]
    return _Words(links[len(history) - 1] if set(history) == SPOKEN else None, links)


def _spoken(call: LoggedCall) -> Iterator[tuple[int, str, int]]:
    """The place, role and mark of each message in which somebody speaks."""
    if call.held is None:
        for n, (role, mark) in enumerate(zip(call.roles, call.marks, strict=True)):
            if role in SPOKEN:
                yield n, role, mark
        return
    for n, row in enumerate(call.rows):
        if call.held.speaks[row]:
            yield n, call.held.roles[row], call.held.marks[row]
