"""Traces that name no session: a trace whose history is a known conversation continues that conversation.

Without a session, the id of a trace names its conversation. Many applications make a trace for each answer and send the
whole history with it. Each answer would then be a conversation of its own, with the same words in all of them.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
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
    """The links of a call and of its history, null where that is empty or a greeting; whether an answer ends it."""

    history: int | None
    links: tuple[int, ...]
    is_answered: bool


def joined_traces(
    found: Sequence[LoggedCall], fresh: Collection[str], known: Known
) -> tuple[dict[str, str], list[Talk]]:
    """Return the conversation of each trace that continues another one, and the conversations to remember.

    `found` are the calls of traces without a session; of these, the `fresh` have not landed before. A trace continues
    conversation that ends with its whole history. Of several, a known user's latest is meant. Of unknown users' nothing
    tells which one is, and the trace stays a conversation of its own.
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
        is_open = own not in talks and trace in fresh and one.history is not None
        if is_open and (before := _before(call, ended[one.history or 0].values())):
            own = joined[trace] = before.conversation_id
        _extend(talks, ended, own, call, one)
    return joined, [talk for talk in talks.values() if talk.changed]


def _extend(talks: dict[str, Talk], ended: dict[int, dict[str, Talk]], own: str, call: LoggedCall, one: _Words) -> None:
    """Note that a conversation ends with this call. A call without an answer ends nothing: it is sent again."""
    talk = talks.get(own)
    if talk is None:
        talk = talks[own] = Talk(own, KIND, call.user_id, call.at, None, one.links, last_at=call.moment, fresh=True)
    elif one.is_answered and len(one.links) > len(talk.links) and call.moment >= (talk.last_at or LONG_AGO):
        ended[talk.links[-1]].pop(own, None)
        talk.links, talk.last_at, talk.changed = one.links, call.moment, True
    if talk.user_id is None and call.user_id is not None:
        talk.user_id, talk.changed = call.user_id, True
    ended[talk.links[-1]][own] = talk


def _before(call: LoggedCall, ending: Collection[Talk]) -> Talk | None:
    """Return the conversation that a call continues, of those that end with its history; null where none is sure."""
    fitting = [talk for talk in ending if _fits(call, talk)]
    if not fitting or (len(fitting) > 1 and (call.user_id is None or any(talk.user_id is None for talk in fitting))):
        return None
    return max(fitting, key=lambda talk: talk.last_at or LONG_AGO)


def _fits(call: LoggedCall, talk: Talk) -> bool:
    """Whether a call may be the next of a conversation: not before it, of the same user, or not long after."""
    last = talk.last_at or LONG_AGO
    if last > call.moment:
        return False
    if call.user_id is None or talk.user_id is None:
        return call.moment - last <= NEAR
    return call.user_id == talk.user_id


def _words(call: LoggedCall) -> _Words:
    if call.held is None:
        roles = [role for role in call.roles if role in SPOKEN]
        return _Words(call.links[call.before - 1] if call.before else None, call.links, roles[-1:] == ["assistant"])
    held = call.held
    rows = [row for row in call.rows if held.speaks[row]]
    links = tuple(chain(held.marks[row] for row in rows))
    before = [held.roles[row] for row in call.rows[: call.own_from] if held.speaks[row]]
    is_answered = bool(rows) and held.roles[rows[-1]] == "assistant"
    return _Words(links[len(before) - 1] if set(before) == SPOKEN else None, links, is_answered)
