"""Identity in a home: the store's record of conversations, and the additions of a part of a landing."""

import json
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import groupby

import pyarrow as pa

from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.tombstones import tombstones
from cpa_core.pipeline.landing.fetch import LARGE, Parsed, finished
from cpa_core.settings import Settings
from cpa_core.sources.columns import give_back
from cpa_core.sources.files import Sessions
from cpa_core.sources.identity import History, Identified, Known, KnownTrace, Nothing, Opened, Said, Talk, identified
from cpa_core.sources.identity.links import SPOKEN, chain, day_of, mark, values_of
from cpa_core.sources.owners import Owners
from cpa_core.store import Store
from cpa_core.store.database import Row, Transaction, as_json

SEEDED = "identity"
"""The flag of a home whose earlier landings identity knows."""

BY_WORDS = "conversations_by_words"
"""Set by migration 19 in a home that named conversations by their words when `session_id` was not read."""

BY_USER = "rows_by_user"
"""Set by migration 36 in a home whose rows were of their user's conversation, though they had a session."""

FORGOTTEN = "\0forgotten"

ROWS_AT_ONCE = 200_000


class Stored:
    """The known conversations of the store, without messages of the objects `uris`, which are being replaced."""

    def __init__(self, view: Transaction, uris: Collection[str]) -> None:
        self.view = view
        self.uris = as_json(uris)

    def talks(self, links: Collection[int], ends: Collection[int]) -> list[Talk]:
        """See Known."""
        asked = {"links": json.dumps(list(links)), "ends": json.dumps(list(ends))}
        return _talks(self.view.table("landing/known_talks", **asked, uris=self.uris))

    def tails(self, marks: Collection[int]) -> list[Talk]:
        """See Known."""
        return _talks(self.view.table("landing/known_tails", marks=json.dumps(list(marks))))

    def numbers(self, bases: Collection[str]) -> dict[str, int]:
        """See Known."""
        found = self.view.answer("landing/known_numbers", bases=as_json(bases))
        return {row["basis"]: row["given"] for row in found}

    def messages(self, conversation_ids: Collection[str]) -> dict[str, list[Said]]:
        """See Known."""
        found: defaultdict[str, list[Said]] = defaultdict(list)
        for row in self.view.answer("landing/known_messages", ids=as_json(conversation_ids), uris=self.uris):
            place = (row["uri"], row["ordinal"])
            about = mark(row["role"], row["content"]), row["role"], row["sent_at"], row["repeated"]
            history = (row["history_length"], row["history_mark"]) if row["history_mark"] is not None else None
            size = len(row["content"]) if row["role"] == "user" else 0
            said = Said(*about, place, history, size)
            found[row["conversation_id"]].append(said)
        return found

    def traces(self, trace_ids: Collection[str]) -> list[KnownTrace]:
        """See Known."""
        found = self.view.answer("landing/known_traces", ids=as_json(trace_ids), uris=self.uris)
        return [KnownTrace(**row) for row in found]

    def chained(self) -> bool:
        """See Known."""
        return bool(self.view.answer("landing/has_calls"))


def _talks(found: pa.Table) -> list[Talk]:
    """The rows of a question, whose columns are fields of a talk, as talks that have not changed."""
    columns = {name: [one for chunk in found[name].chunks for one in values_of(chunk)] for name in found.column_names}
    columns["said"] = [said or () for said in columns["said"]]
    columns |= dict.fromkeys(("changed", "fresh"), [False] * found.num_rows)
    return [Talk(*values) for values in zip(*(columns[name] for name in Talk.__slots__), strict=True)]


def named_part(assistant: Assistant, part: list[Parsed]) -> tuple[list[Parsed], Identified]:
    """Return a part of a landing with the conversations of its records named, and the identity records to store.

    The given list is empty afterwards, so that what was read is not held beside what lands.
    """
    waiting, files = _apart(part)
    if not files:
        return [parsed for parsed, _ in waiting], Identified((), (), ())
    uris = [parsed.object.uri for parsed, _ in waiting if parsed.arrived and not parsed.problem]
    found = _identified(assistant, (files.popleft() for _ in range(len(files))), uris)
    decided = deque(found.files)
    found = found._replace(files=())
    named: list[Parsed] = []
    while waiting:
        parsed, size = waiting.popleft()
        if (file := parsed.opened) is not None:
            parsed = replace(parsed, opened=None)
            if size > LARGE:
                give_back()
            parsed = finished(assistant, parsed, file, decided.popleft())
            if size > LARGE:
                give_back()
        named.append(parsed)
    return named, found


def _apart(part: list[Parsed]) -> tuple[deque[tuple[Parsed, int]], deque[Opened]]:
    """The objects of a part, with their sizes and without their columns, and these: nobody else holds them."""
    waiting: deque[tuple[Parsed, int]] = deque()
    files: deque[Opened] = deque()
    for parsed in part:
        if (file := parsed.opened) is not None:
            files.append(file)
            file = file._replace(drafts=None, records=file.records.select(["kind"]))
        waiting.append((replace(parsed, opened=file), parsed.size))
    part.clear()
    return waiting, files


def _identified(assistant: Assistant, files: Iterable[Opened], uris: Sequence[str]) -> Identified:
    with _known(assistant, uris) as known:
        return identified(files, known, assistant.settings.zone)


@contextmanager
def _known(assistant: Assistant, uris: Sequence[str]) -> Iterator[Known]:
    if not assistant.store.exists():
        yield Nothing()
        return
    with assistant.store.reading() as view:
        seeded = bool(view.answer("landing/is_set", name=SEEDED))
        if seeded:
            yield Stored(view, uris)
    if not seeded:
        _seed(assistant)
        with assistant.store.reading() as view:
            yield Stored(view, uris)


def sessions_of(store: Store) -> Sessions:
    """Return how a home reads sessions.

    A home that named conversations by words or users before sessions were read continues to do so.
    """
    if not store.exists():
        return Sessions(owners=Owners())
    with store.reading() as view:
        of_lists, of_rows = (not view.answer("landing/is_set", name=name) for name in (BY_WORDS, BY_USER))
    return Sessions(of_lists, of_rows, Owners(partial(_users_of, store)))


def _users_of(store: Store, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The users who spoke in these conversations. A forgotten conversation is of a user who is nobody else."""
    with store.reading() as view:
        for row in view.answer("landing/users_of_sessions", ids=as_json(names)):
            yield row["conversation_id"], row["user_id"]
    for name in tombstones(store).held("conversation", list(names)):
        yield name, FORGOTTEN


def remember(transaction: Transaction, talks: Sequence[Talk]) -> None:
    """Store these talks in place of their earlier state; fresh ids have none."""
    if not talks:
        return
    if replaced := [talk.conversation_id for talk in talks if not talk.fresh]:
        transaction.answer(
            "landing/forget_conversations",
            ids=as_json(replaced),
        )
    names = ("conversation_id", "kind", "user_id", "started_at", "day", "basis", "number", "last_at", "headless")
    columns = {name: [getattr(talk, name) for talk in talks] for name in names}
    opening = [talk.links[0] for talk in talks]
    lists = {"links": [list(talk.links) for talk in talks], "said": [list(talk.said) for talk in talks]}
    transaction.insert_columns("known_conversations", {**columns, "opening": opening, **lists})


def remember_traces(transaction: Transaction, traces: Sequence[KnownTrace], fresh: Sequence[pa.Table]) -> None:
    """Store these traces in place of their earlier state; fresh ones, as columns, have none."""
    for table in fresh:
        transaction.insert_arrow("known_traces", table)
    if not traces:
        return
    transaction.answer(
        "landing/forget_traces",
        ids=as_json(one.trace_id for one in traces),
    )
    names = ("trace_id", "conversation_id", "user_id", "standing")
    transaction.insert_columns("known_traces", {name: [getattr(one, name) for one in traces] for name in names})


def note_spoken(transaction: Transaction, conversation_ids: Sequence[str]) -> None:
    """Note the message ids of continued conversations, before their objects are replaced."""
    if conversation_ids:
        transaction.answer("landing/spoken_before", ids=as_json(conversation_ids))


def keep_message_ids(transaction: Transaction, conversation_ids: Sequence[str]) -> None:
    """Give fresh messages their known ids if their times are now written in another form."""
    if conversation_ids:
        transaction.answer("landing/spoken_again")


def note_histories(
    transaction: Transaction,
    uri: str,
    repeated: Mapping[int, History],
    openings: Mapping[int, History],
) -> None:
    """Note the history of a call at messages of an object, by their places: see Decided."""
    found = [("true", repeated), ("null", openings)]
    told = (
        f'{{"ordinal": {n}, "length": {long}, "mark": {one}, "repeated": {word}}}'
        for word, places in found
        for n, (long, one) in sorted(places.items())
    )
    if repeated or openings:
        transaction.answer("landing/note_histories", uri=uri, told=f"[{', '.join(told)}]")


def forget_repeated(transaction: Transaction, places: Sequence[tuple[str, int]]) -> None:
    """Forget messages, by object and place in it, that were known from a history and have a call of their own now."""
    for uri, ordinal in places:
        transaction.answer("landing/delete_repeated", uri=uri, ordinal=ordinal)


def note_new_home(transaction: Transaction) -> None:
    """Note of a home in which nothing has landed that it has no conversations that an earlier version named."""
    transaction.answer(
        "landing/set_once",
        name=SEEDED,
    )


def _seed(assistant: Assistant) -> None:
    """Register, once, the conversations that an earlier version named by their first message."""
    with assistant.store.writing() as transaction:
        (count,) = transaction.answer("landing/messages_landed")
        parts = 1 + count["n"] // ROWS_AT_ONCE
        for part in range(parts if count["n"] else 0):
            rows = transaction.answer("landing/named_before", parts=parts, part=part)
            found = groupby(rows, key=lambda row: row["conversation_id"])
            talks = [_named_before(assistant.settings, list(of_one)) for _, of_one in found]
            remember(transaction, talks)
        transaction.insert("settings_fixed", [{"name": SEEDED, "value": "1"}])


def _named_before(settings: Settings, rows: Sequence[Row]) -> Talk:
    """A conversation as an earlier version landed it: of several objects, the one with most, then the earliest.

    That version could put different talks under one id: only one of them keeps it.
    """
    objects = [list(of_one) for _, of_one in groupby(rows, key=lambda row: row["uri"])]
    best = max(objects, key=lambda each: (len(each), -each[0]["sent_at"].timestamp()))
    marks = [mark(row["role"], row["content"]) for row in best if row["role"] in SPOKEN and row["content"].strip()]
    start = next((row["sent_at"] for row in best if not row["time_assumed"]), None)
    day = day_of(start, best[0]["untimed_day"], settings.zone)
    user = next((row["user_id"] for row in best if row["user_id"] is not None), None)
    links = tuple(chain(marks or [0]))
    return Talk(best[0]["conversation_id"], "conversation", user, start, day, links)
