"""Traces whose pieces lie in several files: one conversation, of which only calls of one standing tell what was said.

Langfuse exports a trace and its observations as files of their own, and both hold the same words. Of each trace it is
remembered who told it: files come in any order, and an id once given stays.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cpa_core.sources.identity.calls import LoggedCall, outputs_from
from cpa_core.sources.identity.links import Row
from cpa_core.sources.identity.values import Known, KnownTrace

TOLD = "its trace, or a call around it, tells the same from another place"
"""Why a call of a trace is no speech of its own."""


class Traced(NamedTuple):
    """The decision on the calls of a part: the traces to remember, and the calls that add nothing.

    `fresh` are the traces that nothing told before.
    """

    traces: dict[str, KnownTrace]
    fresh: set[str]
    silent: set[int]


def traced(rows: Sequence[Row], calls: Sequence[LoggedCall], known: Known) -> Traced:
    """Who tells each trace, and its conversation. `silent` has the `id()` of calls.

    A call that names no session goes to its trace's; one that names another keeps it, where the trace has not landed
    under its own id.
    """
    named = _named(rows)
    if not named:
        return Traced({}, set(), set())
    asked = sorted(named)
    before = {one.trace_id: one for one in known.traces(asked)}
    of_trace: dict[str, list[LoggedCall]] = {}
    for call in calls:
        if call.trace_id:
            of_trace.setdefault(call.trace_id, []).append(call)
    traces: dict[str, KnownTrace] = {}
    silent: set[int] = set()
    for trace in asked:
        one = _of_trace(trace, named[trace], of_trace.get(trace, ()), before.get(trace), known)
        silent.update(id(call) for call in of_trace.get(trace, ()) if call.standing != one.standing)
        if one != before.get(trace):
            traces[trace] = one
    fresh = {trace for trace in asked if trace not in before or before[trace].standing is None}
    return Traced(traces, fresh, silent)


def _of_trace(
    trace: str,
    named: tuple[str | None, str | None],
    found: Sequence[LoggedCall],
    before: KnownTrace | None,
    known: Known,
) -> KnownTrace:
    """Return a trace with all that is known of it now, and give its calls its conversation and user."""
    session, user = named
    one = before or KnownTrace(trace, trace, None, None)
    landed = one.standing is not None
    own = one.conversation_id if landed or one.conversation_id != trace else session or trace
    one = KnownTrace(trace, own, one.user_id or user, one.standing, one.vacant)
    for call in found:
        if call.conversation_id == trace or (landed and own == trace):
            call.conversation_id = own
        call.user_id = call.user_id or one.user_id
    standing = _standing(one, found, known)
    return one if standing == one.standing else one._replace(standing=standing)


def _named(rows: Sequence[Row]) -> dict[str, tuple[str | None, str | None]]:
    """The session and user of each trace, as any of its records names them; of several the first by name."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for row in rows:
        if row.trace_id:
            session = row.conversation_id if row.conversation_id != row.trace_id else None
            named = found.get(row.trace_id)
            found[row.trace_id] = (
                (session, row.user_id) if named is None else (_first(named[0], session), _first(named[1], row.user_id))
            )
    return found


def _first(one: str | None, other: str | None) -> str | None:
    return other if one is None else one if other is None else min(one, other)


def _standing(trace: KnownTrace, calls: Sequence[LoggedCall], known: Known) -> int | None:
    """The standing of the calls that tell a trace: of those who told it, unless calls nearer to its outside do."""
    told = None if trace.vacant else trace.standing
    if told is None:
        return min([call.standing for call in calls], default=trace.standing)
    nearer = [call for call in calls if call.standing < told]
    return min((call.standing for call in _telling_more(nearer, trace, known)), default=told)


def _telling_more(calls: Sequence[LoggedCall], trace: KnownTrace, known: Known) -> Iterator[LoggedCall]:
    """The calls of which an answer, or else a message, is not known in the conversation."""
    if not calls:
        return
    heard = {one.mark for one in known.messages([trace.conversation_id]).get(trace.conversation_id, [])}
    for call in calls:
        call.open()
        answers = call.marks[outputs_from(call) :] or call.marks[call.own_from :]
        if not heard.issuperset(answers):
            yield call
