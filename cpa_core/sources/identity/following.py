"""Calls that name the call before them, as OpenAI's Responses do: one conversation, though each lies in another file.

Of each call it is remembered which conversation it is of, also of one that is only named by a later call: files come in
any order, and an id once given stays.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from cpa_core.sources.identity.calls import LoggedCall
from cpa_core.sources.identity.links import mark
from cpa_core.sources.identity.values import Known, Talk

KIND = "followed"
"""The kind under which a call is remembered; its basis is the conversation."""


def followed(found: Sequence[LoggedCall], known: Known, talks: dict[str, Talk]) -> Iterator[tuple[LoggedCall, str]]:
    """Each call with its conversation; what is new is noted among `talks`, which are remembered.

    A call that names no conversation, follows none and is not followed has none here: its history may lead to one.
    """
    if not found:
        return
    before = {call.call_id: call.after for call in found if call.call_id}
    marks = {name: _mark(name) for call in found for name in (call.call_id, call.after) if name}
    stored = {talk.links[0]: talk.basis for talk in known.talks((), list(marks.values())) if talk.kind == KIND}
    given = {name: stored[own] for name, own in marks.items() if own in stored}
    after = {name for name in before.values() if name}
    alone = {call.call_id for call in found if call.conversation_id is None} - after - given.keys()
    names = marks.keys() - alone
    ways = {name: _way(name, before) for name in sorted(names)}
    later: defaultdict[str, list[str]] = defaultdict(list)
    for name, way in ways.items():
        later[way[-1]] += [given[name]] if name in given else []
    whose = {
        name: next((given[one] for one in way if one in given), None) or min(later[way[-1]], default=way[-1])
        for name, way in ways.items()
    }
    for name in sorted(names - given.keys()):
        note(name, whose[name], talks)
    for call in found:
        if call.call_id in names:
            yield call, whose[call.call_id]


def note(name: str, conversation_id: str, talks: dict[str, Talk]) -> None:
    """Note among `talks` of which conversation a call is."""
    own = _mark(name)
    talks[f"f-{own}"] = Talk(f"f-{own}", KIND, None, None, None, (own,), basis=conversation_id)


def _mark(name: str) -> int:
    return mark(KIND, name)


def _way(name: str, before: dict[str, str | None]) -> list[str]:
    """A call and those before it, as far as they are known; a circle ends the way."""
    way = [name]
    seen = {name}
    while (earlier := before.get(way[-1])) and earlier not in seen:
        seen.add(earlier)
        way.append(earlier)
    return way
