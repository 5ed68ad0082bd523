"""Whose session it is: a session is one user's, and another user's of the same name is another conversation.

Programs that number sessions begin at 1 for each user. The first user of a session keeps its name as the
conversation's id, also in later landings; others have `SESSION@USER`. A row without a user, as of an answer, belongs to
the user who spoke last in its session.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.models import is_person
from cpa_core.sources import roles
from cpa_core.sources.columns import Gathered, Table
from cpa_core.sources.files import Owning
from cpa_core.sources.sessions import SESSION

Pair: TypeAlias = tuple[str, str]
"""A session and a user who spoke in it; or a conversation's id and such a user."""


class Owners:
    """The users who spoke in sessions, in the home and in this landing.

    `known` returns, of conversations by these ids, the users who spoke in each.
    """

    def __init__(self, known: Callable[[Collection[str]], Iterable[Pair]] = lambda names: ()) -> None:
        self.known = known
        self.users: dict[str, set[str]] = {}

    def others(self, pairs: Sequence[Pair]) -> dict[Pair, str]:
        """The conversations of those users who are not the first of their session; in the order in which they spoke."""
        names = {name for session, user in pairs for name in (session, f"{session}@{user}")} - self.users.keys()
        self.users |= {name: set() for name in names}
        for name, user in self.known(names) if names else ():
            self.users[name].add(user)
        return {pair: name for pair in pairs if (name := self._of(*pair)) != pair[0]}

    def _of(self, session: str, user: str) -> str:
        apart = f"{session}@{user}"
        first = self.users[session]
        if user in first or not (first or self.users[apart]):
            first.add(user)
            return session
        self.users[apart].add(user)
        return apart


def settled(found: Gathered, owners: Owning, named: Mapping[str, str]) -> tuple[Gathered, int]:
    """Return a file with the conversations of its sessions named, and how many sessions several users have.

    `named` are roles that a person named.
    """
    written = found.drafts["conversation_id"]
    provisional = pc.starts_with(written, SESSION)
    if not pc.any(provisional, min_count=0).as_py():
        return found, 0
    ids = pc.if_else(provisional, pc.utf8_slice_codeunits(written, len(SESSION)), written)
    pairs = _pairs(found.drafts, provisional, ids, named)
    others = owners.others(pairs)
    if others:
        ids = pa.chunked_array([_apart(found.drafts, provisional, ids, set(pairs), others)])
    drafts, records = _with_ids(found.drafts, ids), found.records
    if records.num_rows and pc.any(pc.starts_with(records["conversation_id"], SESSION), min_count=0).as_py():
        taken = ids.take(records["first"])
        given = pc.starts_with(records["conversation_id"], SESSION)
        records = _with_ids(records, pc.if_else(pc.fill_null(given, False), taken, records["conversation_id"]))
    return Gathered(drafts, records, found.rejects), len({session for session, _ in others})


def _with_ids(table: Table, ids: Table) -> Table:
    return table.set_column(table.schema.get_field_index("conversation_id"), "conversation_id", ids)


def _pairs(drafts: Table, provisional: Table, ids: Table, named: Mapping[str, str]) -> list[Pair]:
    """The sessions with each person who speaks in them, in the order of the file."""
    users = [one for one in pc.unique(drafts["user_id"]).to_pylist() if is_person(one)]
    asking = [one for one in pc.unique(drafts["role"]).to_pylist() if roles.ours(one, named) == "user"]
    spoke = pc.and_(provisional, pc.is_in(drafts["user_id"], pa.array(users, pa.string())))
    spoke = pc.and_(spoke, pc.is_in(drafts["role"], pa.array(asking, pa.string())))
    both = pa.table({"session": ids.filter(spoke), "user": drafts["user_id"].filter(spoke)})
    different = both.group_by(["session", "user"], use_threads=False).aggregate([])
    return list(zip(different["session"].to_pylist(), different["user"].to_pylist(), strict=True))


def _apart(drafts: Table, provisional: Table, ids: Table, pairs: set[Pair], others: Mapping[Pair, str]) -> pa.Array:
    """The ids of all rows, where a session of several users has one for each of them."""
    shared = pa.array(sorted({session for session, _ in others}), pa.string())
    rows = pc.indices_nonzero(pc.and_(provisional, pc.is_in(ids, shared))).to_pylist()
    part = drafts.take(pa.array(rows, pa.int64()))
    times, users = part["sent_at"].to_pylist(), part["user_id"].to_pylist()
    sessions = ids.take(pa.array(rows, pa.int64())).to_pylist()
    order = list(range(len(rows))) if None in times else sorted(range(len(rows)), key=times.__getitem__)
    found = ids.to_pylist()
    for n, user in _speakers([(n, sessions[n], users[n]) for n in order], pairs):
        found[rows[n]] = others.get((sessions[n], user), sessions[n])
    return pa.array(found, pa.string())


def _speakers(rows: Sequence[tuple[int, str, str | None]], pairs: set[Pair]) -> Iterator[tuple[int, str]]:
    """The user whose each row is: its own, else who spoke last in its session, else who speaks next."""
    last: dict[str, str] = {}
    waiting: dict[str, list[int]] = {}
    for n, session, user in rows:
        if user is not None and (session, user) in pairs:
            last[session] = user
            yield from ((one, user) for one in waiting.pop(session, ()))
        if session in last:
            yield n, last[session]
        else:
            waiting.setdefault(session, []).append(n)
