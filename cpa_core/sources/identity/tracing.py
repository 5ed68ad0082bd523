"""Traces whose pieces lie in several files: one conversation, of which only calls of one standing tell what was said.

Langfuse exports a trace and its observations as files of their own, and both hold the same words. Of each trace it is
remembered who told it: files come in any order, and an id once given stays.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cpa_core.sources.identity.calls import LoggedCall, outputs_from
from cpa_core.sources.identity.links import Row
from cpa_core.sources.identity.values import Known, KnownTrace

TOLD = "its trace, or a call around it, tells the same from another place"
"""Why a call of a trace is no speech of its own."""


class Traced(NamedTuple):
    """The decision on the calls of a part: the traces to remember, and the calls that add nothing."""

    traces: dict[str, KnownTrace]
    silent: set[int]


def traced(rows: Sequence[Row], calls: Sequence[LoggedCall], known: Known) -> Traced:
    """Who tells each trace, and its conversation. `silent` has the `id()` of calls.

    A call that names no session goes to its trace's; one that names another keeps it, where the trace has not landed
    under its own id.
    """
    asked = sorted({row.trace_id for row in rows if row.trace_id})
    if not asked:
        return Traced({}, set())
    before = {one.trace_id: one for one in known.traces(asked)}
    named = _named(rows)
    of_trace: defaultdict[str, list[LoggedCall]] = defaultdict(list)
    for call in calls:
        if call.trace_id:
            of_trace[call.trace_id].append(call)
    traces: dict[str, KnownTrace] = {}
    silent: set[int] = set()
    for trace in asked:
        session, user = named[trace]
        one = before.get(trace) or KnownTrace(trace, trace, None, None)
        landed = one.standing is not None
        own = one.conversation_id if landed or one.conversation_id != trace else session or trace
        one = one._replace(conversation_id=own, user_id=one.user_id or user)
        found = of_trace[trace]
        for call in found:
            if call.conversation_id == trace or (landed and own == trace):
                call.conversation_id = own
            call.user_id = call.user_id or one.user_id
        standing = _standing(one, found, known)
        silent |= {id(call) for call in found if call.standing != standing}
        traces[trace] = one._replace(standing=standing)
    return Traced({key: one for key, one in traces.items() if one != before.get(key)}, silent)


def _named(rows: Sequence[Row]) -> dict[str, tuple[str | None, str | None]]:
    """The session and user of each trace, as any of its records names them; of several the first by name."""
    found: defaultdict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for row in rows:
        if row.trace_id:
            sessions, users = found[row.trace_id]
            sessions |= {row.conversation_id} - {None, row.trace_id}  # type: ignore[arg-type]
            users |= {row.user_id} - {None}  # type: ignore[arg-type]
    return {key: (min(sessions, default=None), min(users, default=None)) for key, (sessions, users) in found.items()}


def _standing(trace: KnownTrace, calls: Sequence[LoggedCall], known: Known) -> int | None:
    """The standing of the calls that tell a trace: of those who told it, unless calls nearer to its outside do."""
    told = None if trace.vacant else trace.standing
    if told is None:
        return min((call.standing for call in calls), default=trace.standing)
    nearer = [call for call in calls if call.standing < told]
    return min((call.standing for call in _telling_more(nearer, trace, known)), default=told)


def _telling_more(calls: Sequence[LoggedCall], trace: KnownTrace, known: Known) -> Iterator[LoggedCall]:
    """The calls of which an answer, or else a message, is not known in the conversation."""
    if not calls:
        return
    heard = {one.mark for one in known.messages([trace.conversation_id]).get(trace.conversation_id, [])}
    for call in calls:
        answers = call.marks[outputs_from(call) :] or call.marks[call.own_from :]
        if not heard.issuperset(answers):
            yield call
