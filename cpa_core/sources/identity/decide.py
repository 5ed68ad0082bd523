"""Deciding a part of a landing: files in an order of their content, conversations by the rule, calls by time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from itertools import takewhile
from typing import Any

import pyarrow as pa

from cpa_core.sources.identity import talks
from cpa_core.sources.identity.additions import Additions, places_of
from cpa_core.sources.identity.calls import ANSWER, LoggedCall, last_question
from cpa_core.sources.identity.chaining import NEW, Chaining, Refused, only_newest
from cpa_core.sources.identity.chains import Chains
from cpa_core.sources.identity.following import followed, note
from cpa_core.sources.identity.links import SPOKEN, Held, Row, Spoken, day_of, mark, parts_of, rows_of, start_of
from cpa_core.sources.identity.plain_calls import PlainCalls, parted
from cpa_core.sources.identity.sessionless import Joined, joined_traces
from cpa_core.sources.identity.snapshots import Filed, times_known, without_snapshots
from cpa_core.sources.identity.talks import Index, Unnamed, basis_of
from cpa_core.sources.identity.telling import SENT_AGAIN
from cpa_core.sources.identity.telling import told as told_by
from cpa_core.sources.identity.tracing import TOLD, Traced, traced
from cpa_core.sources.identity.values import (
    EMPTY,
    Decided,
    History,
    Identified,
    Known,
    KnownOnce,
    KnownTrace,
    Opened,
    Talk,
)
from cpa_core.sources.records import Reject, as_json
from cpa_core.sources.reject_table import table_of


def identified(part: Iterable[Opened], known: Known, zone: tzinfo = UTC, *, alike: bool = False) -> Identified:
    """The files of a part with the conversation of each record; the order of the files decides nothing.

    A file that nobody else holds is let go as soon as it is decided.
    `zone` is the one in which days begin. `alike`: plain calls are decided as all others are, which finds the same.
    Raises nothing: what cannot be decided is a reject, or a new conversation.
    """
    known = KnownOnce(known)
    plain = [PlainCalls(file) for file in part] if alike else parted(list(part), known)
    files = [_File(n, one.rest, zone) for n, one in enumerate(plain)]
    with_records = [file for file in files if file.opened.records.num_rows]
    naming = _Naming(known)
    _conversations(sorted(with_records, key=lambda file: file.digest), known, naming)
    retold = _calls(with_records, known, naming)
    remembered = [talk for talk in naming.talks.values() if talk.changed]
    told = times_known([Filed(file.opened.drafts, file.rows, file.opened.midnight) for file in with_records], known)
    for file, times in zip(with_records, told, strict=True):
        file.times = times
    decided = [_joined(one, file.decided()) for one, file in zip(plain, files, strict=True)]
    fresh_traces = [one.traces for one in plain if one.traces is not None]
    return Identified(decided, remembered, retold, sorted(naming.continued), naming.traces, fresh_traces)


def _joined(plain: PlainCalls, rest: Decided) -> Decided:
    """A file whose plain calls were told apart from the rest."""
    if plain.drafts is None:
        return rest
    first = rest.drafts.num_rows
    repeated = {**rest.repeated, **dict.fromkeys((first + n for n in plain.repeated), EMPTY)}
    openings = {**rest.openings, **dict.fromkeys((first + n for n in plain.openings), EMPTY)}
    drafts = pa.concat_tables([rest.drafts, plain.drafts]) if first else plain.drafts
    return replace(rest, drafts=drafts, repeated=repeated, openings=openings)


class _Naming:
    """The ids that are given in this part, each once, and the talks that have them."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.given: dict[str, int] = {}
        self.talks: dict[str, Talk] = {}
        self.continued: set[str] = set()
        self.traces: list[KnownTrace] = []

    def look_up(self, bases: set[str]) -> None:
        """Ask once for many bases how many ids there are of each."""
        asked = bases - self.given.keys()
        if not asked:
            return
        found = self.known.numbers(asked)
        self.given.update({basis: found.get(basis, 0) for basis in asked})

    def name(self, talk: Talk) -> Talk:
        """A new talk with the next id of its basis."""
        if talk.basis not in self.given:
            self.look_up({talk.basis})
        talk.number = self.given[talk.basis]
        self.given[talk.basis] += 1
        talk.conversation_id, talk.fresh = f"c-{talk.basis}-{talk.number}", True
        self.talks[talk.conversation_id] = talk
        return talk


@dataclass
class _File:
    """One file on its way through identity. `ids` has a conversation for each record that was given none.

    `users` has users that only another record of a trace names, `times` those of messages that are known otherwise.
    """

    place: int
    opened: Opened
    zone: tzinfo
    ids: dict[int, str] = field(default_factory=dict)
    users: dict[int, str] = field(default_factory=dict)
    times: dict[int, datetime] = field(default_factory=dict)
    untold: int = 0
    guessed: int = 0
    rejects: list[Reject] = field(default_factory=list)
    calls: list[LoggedCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows: list[Row] = []
        self.digest = b""
        if self.opened.records.num_rows:
            self.rows = list(rows_of(self.opened.records))
            self.spoken = Spoken(self.opened.drafts, self.opened.records)
            self.digest = self.spoken.digest()

    def candidates(self) -> list[Unnamed]:
        """The records that are conversations without an id."""
        return [
            Unnamed(
                row.number, row.user_id, start, day_of(start, self.opened.day, self.zone), self.spoken.of(row.number)
            )
            for row in self.rows
            if row.kind == "conversation" and row.conversation_id is None
            for start in [start_of(row, self.spoken)]
        ]

    def is_short(self, number: int, shared: int) -> bool:
        """Whether so many spoken messages from the beginning of a record are an opening that many people share."""
        row = self.rows[number]
        part = self.opened.drafts.slice(row.first, row.size)
        spoken = [
            (role, content)
            for role, content in zip(part["role"].to_pylist(), part["content"].to_pylist(), strict=True)
            if role in SPOKEN and content and not content.isspace()
        ][:shared]
        users = [content for role, content in spoken if role == "user"]
        return len(users) < talks.LEAST_USERS or sum(map(len, users)) < talks.LEAST_CHARACTERS

    def decided(self) -> Decided:
        """The file with its conversations named."""
        if not self.rows:
            return Decided(self.opened.drafts, self.opened.rejects)
        drafts = _named(self)
        repeated: Mapping[int, History] = {}
        openings: Mapping[int, History] = {}
        if any(row.kind == "call" for row in self.rows):
            adding = Additions(self.rows, self.calls, drafts)
            self.calls, self.rows = [], []  # as large as what they tell
            self.spoken.held = Held([], [], [], bytearray())
            drafts, repeated, openings = adding.added(self.opened, drafts)
        else:
            drafts = without_snapshots(drafts, self.rows, self.times)
        rejects = table_of(self.opened.rejects) + self.rejects
        return Decided(drafts, rejects, repeated, openings, self.untold, self.guessed)


def _conversations(files: Sequence[_File], known: Known, naming: _Naming) -> None:
    """Name the records that are whole conversations, file by file; those of earlier files are known to later ones."""
    each = [(file, found) for file in files if (found := file.candidates())]
    if not each:
        return
    heap = _Heap(one for _, found in each for one in found)
    for talk in known.talks(heap.links, heap.ends):
        if talk.kind == "conversation":
            talk.changed = False
            heap.add(talk)
            naming.talks[talk.conversation_id] = talk
    expected = [{one.number: _basis(one) for one in found if one.links[-1] not in heap.ended} for _, found in each]
    naming.look_up({basis for bases in expected for basis in bases.values()})
    for (file, found), bases in zip(each, expected, strict=True):
        match = talks.matched(found, Index(heap.ended, heap.passed), file.is_short)
        file.untold += match.untold
        new = {one.number: bases.get(one.number) or _basis(one) for one in found if one.number not in match.talks}
        naming.look_up(set(new.values()))
        for one in found:
            known_as = match.talks.get(one.number)
            if known_as and known_as.started_at != one.started_at:
                naming.continued.add(known_as.conversation_id)
            talk = _learned(known_as, one) if known_as else naming.name(_new(one, new[one.number]))
            if not known_as or talk.changed:
                heap.add(talk)
            file.ids[one.number] = talk.conversation_id


class _Heap:
    """The talks that records of a part may be: by their end, and by what stands before it where a record ends so.

    A talk is left out if its end occurs in no record of the part and it continues none of them.
    """

    def __init__(self, asked: Iterable[Unnamed]) -> None:
        self.links: set[int] = set()
        self.ends: set[int] = set()
        for one in asked:
            self.links.update(one.links)
            self.ends.add(one.links[-1])
        self.ended: dict[int, dict[str, Talk]] = {}
        self.passed: dict[int, dict[str, Talk]] = {}

    def add(self, talk: Talk) -> None:
        """A talk that is known from now on, or with more than before."""
        *before, end = talk.links
        if end in self.links:
            self.ended.setdefault(end, {})[talk.conversation_id] = talk
        for link in before:
            if link in self.ends:
                self.passed.setdefault(link, {})[talk.conversation_id] = talk


def _basis(one: Unnamed) -> str:
    return basis_of("conversation", one.user_id, one.started_at, one.day, one.links[0])


def _new(one: Unnamed, basis: str) -> Talk:
    return Talk("", "conversation", one.user_id, one.started_at, one.day, one.links, basis=basis)


def _learned(talk: Talk, one: Unnamed) -> Talk:
    """A talk with what a record adds to what is known of it."""
    talk.vacant = False
    if len(one.links) > len(talk.links):
        talk.links, talk.changed = one.links, True
    if talk.user_id is None and one.user_id is not None:
        talk.user_id, talk.changed = one.user_id, True
    if talk.started_at is None and one.started_at is not None:
        talk.started_at, talk.day, talk.changed = one.started_at, one.day, True
    return talk


def _named(file: _File) -> Any:
    """The drafts with the id of each conversation, and its user where only another record names it."""
    return _with(file, _with(file, file.opened.drafts, "conversation_id", file.ids), "user_id", file.users)


def _with(file: _File, drafts: Any, word: str, given: dict[int, str]) -> Any:
    """The drafts with what is given of some records in one column."""
    column = drafts[word]
    if not given:
        return drafts
    records = file.opened.records
    first, size = records["first"].to_pylist(), records["size"].to_pylist()
    pieces: list[Any] = []
    at = 0
    names = [None if row.held else given.get(row.number) for row in file.rows]
    for begin, run in _runs(first, size, names):
        pieces += [column.slice(at, begin - at).combine_chunks()] if begin > at else []
        pieces.append(run)
        at = begin + len(run)
    rest = column.slice(at)
    chunks = [
        chunk
        for piece in [*pieces, rest]
        for chunk in (piece.chunks if isinstance(piece, pa.ChunkedArray) else [piece])
    ]
    place = drafts.schema.get_field_index(word)
    return drafts.set_column(place, word, pa.chunked_array(chunks, pa.string()))


def _runs(first: list[int], size: list[int], names: list[str | None]) -> list[tuple[int, Any]]:
    """Records that lie side by side, as one array of names each, with its place."""
    runs: list[tuple[int, list[str]]] = []
    for begin, count, name in zip(first, size, names, strict=True):
        if name is None or not count:
            continue
        if not runs or runs[-1][0] + len(runs[-1][1]) != begin:
            runs.append((begin, []))
        runs[-1][1].extend([name] * count)
    return [(begin, pa.array(names_, pa.string())) for begin, names_ in runs]


def _calls(files: Sequence[_File], known: Known, naming: _Naming) -> list[tuple[str, int]]:
    """Put calls together, by the id that they give or by their history, and decide what each adds."""
    for file in files:
        file.calls = list(_once(_calls_of(file)))
    _trace(files, known, naming)
    _follow(files, known, naming)
    loose = [call for file in files for call in file.calls if call.conversation_id is None]
    if loose:
        _chain(files, loose, known, naming)
    groups: defaultdict[str, list[LoggedCall]] = defaultdict(list)
    for file in files:
        for call in file.calls:
            if call.conversation_id is not None:
                groups[call.conversation_id].append(call)
    heard = known.messages(groups.keys()) if groups else {}
    retold = [place for key, found in groups.items() for place in told_by(found, heard.get(key, []))]
    for file in files:
        _note(file, [call for call in file.calls if call.is_sent_again], SENT_AGAIN)
    return retold


def _note(file: _File, found: Sequence[LoggedCall], reason: str) -> None:
    """Reject calls of a file of which nothing is lost."""
    numbers, firsts = [call.number for call in found], [call.rows[0] for call in found]
    places = places_of(file.opened, numbers, [0] * len(found), firsts)
    file.rejects += [Reject(place, reason, "{}", loss=False) for place in places.to_pylist()]


def _trace(files: Sequence[_File], known: Known, naming: _Naming) -> None:
    """Put the calls of a trace into one conversation, in whichever files, and leave out those that tell nothing."""
    rows = [row for file in files for row in file.rows if row.trace_id]
    found = traced(rows, [call for file in files for call in file.calls if call.trace_id], known)
    _continue(files, found, known, naming)
    for file in files:
        for call in file.calls:
            row = file.rows[call.number]
            if row.trace_id and call.conversation_id and call.conversation_id != row.conversation_id:
                file.ids[call.number] = call.conversation_id
            if row.trace_id and call.user_id and call.user_id != row.user_id:
                file.users[call.number] = call.user_id
        _note(file, [call for call in file.calls if id(call) in found.silent], TOLD)
        file.calls = [call for call in file.calls if id(call) not in found.silent]


def _continue(files: Sequence[_File], found: Traced, known: Known, naming: _Naming) -> None:
    """Give traces without a session the conversation that they continue, and note the traces with theirs."""
    sessionless = [
        call
        for file in files
        for call in file.calls
        if call.trace_id and call.conversation_id == call.trace_id and id(call) not in found.silent
    ]
    joined = joined_traces(sessionless, found.fresh, known) if sessionless else Joined({}, [], [], [])
    for call in sessionless:
        call.conversation_id = joined.traces.get(call.conversation_id or "", call.conversation_id)
    for call in {call.trace_id: call for call in joined.untold}.values():
        _of(files, call).untold += 1
    for call in joined.guessed:
        _of(files, call).guessed += 1
    naming.talks.update({talk.conversation_id: talk for talk in joined.talks})
    noted = dict(found.traces)
    for trace, conversation_id in joined.traces.items():
        noted[trace] = noted[trace]._replace(conversation_id=conversation_id)
    naming.traces += noted.values()


def _follow(files: Sequence[_File], known: Known, naming: _Naming) -> None:
    """Give calls that name the call before them one conversation, in whichever files, and remember whose they are."""
    found = [call for file in files for call in file.calls if call.call_id is not None and call.after is not None]
    for call, conversation_id in followed(found, known, naming.talks):
        call.conversation_id = conversation_id
        _of(files, call).ids[call.number] = conversation_id


def _calls_of(file: _File) -> list[LoggedCall]:
    found = [row for row in file.rows if row.kind == "call" and row.size]
    alone = [row for row in found if not row.held]
    told = parts_of(file.opened.drafts.select(["role", "content"]), ((row.first, row.size) for row in alone))
    return [_held_call(file, row) if row.held else _call(file, row, *next(told)) for row in found]


def _held_call(file: _File, row: Row) -> LoggedCall:
    """A call that gives its conversation: nothing of it is sought by its words."""
    return _logged(file, row, (), (), file.spoken.held)


def _call(file: _File, row: Row, roles: list[str], contents: list[str]) -> LoggedCall:
    said = file.spoken.said(row.number)
    speaks = [role in SPOKEN and bool(text) and not text.isspace() for role, text in zip(roles, contents, strict=True)]
    known = iter(said)
    marks = [
        next(known) if spoken else mark(role, text) for role, text, spoken in zip(roles, contents, speaks, strict=True)
    ]
    history = [n for n, spoken in enumerate(speaks[: row.own_from]) if spoken]
    greets = {roles[n] for n in history} != SPOKEN
    call = _logged(file, row, roles, marks, None)
    call.links, call.said = file.spoken.of(row.number), said
    call.before, call.greeted = (0, len(history)) if greets else (len(history), 0)
    call.characters = sum(len(contents[n]) for n in history if roles[n] == "user")
    spoken = (n for n in range(row.own_from, len(roles)) if speaks[n])
    asking = [len(contents[n]) for n in takewhile(lambda n: roles[n] == "user", spoken)]
    call.asked, call.asking = len(asking), sum(asking)
    call.sizes = [len(contents[n]) if roles[n] == "user" else ANSWER for n, one in enumerate(speaks) if one]
    return call


def _logged(file: _File, row: Row, roles: Sequence[str], marks: Sequence[int], held: Held | None) -> LoggedCall:
    return LoggedCall(
        file=file.place,
        number=row.number,
        user_id=row.user_id,
        at=row.started_at,
        ended_at=row.ended_at,
        roles=roles,
        marks=marks,
        held=held,
        own_from=row.own_from,
        rows=row.rows,
        links=(),
        said=(),
        before=0,
        call_id=row.call_id,
        after=row.after,
        trace_id=row.trace_id,
        standing=row.standing,
        conversation_id=row.conversation_id,
    )


def _once(found: Sequence[LoggedCall]) -> list[LoggedCall]:
    """The same call, by its id, once: as it says most."""
    if len({call.call_id for call in found}) == len(found):
        return list(found)
    best: dict[tuple[str | None, str], LoggedCall] = {}
    for call in found:
        if call.call_id is not None:
            key = (call.conversation_id, call.call_id)
            if key not in best or len(best[key].rows) < len(call.rows):
                best[key] = call
    return [call for call in found if call.call_id is None or best[call.conversation_id, call.call_id] is call]


def _chain(files: Sequence[_File], loose: Sequence[LoggedCall], known: Known, naming: _Naming) -> None:
    """Conversations of calls that name none: each call's history leads to the one that it continues."""
    links = {
        link
        for call in loose
        for link in (call.links[-1], *call.links[max(call.before - 1, 0) : call.begin + call.asked])
    }
    begun = {link for call in loose if call.user_id is not None for link in call.links[: call.before]}
    tails = {call.said[n - 1] for call in loose if (n := call.before or call.greeted)}
    passed = links | {
        call.links[n - 1] for call in loose if (n := last_question(call.user_id, call.sizes[: call.before]))
    }
    stored = [talk for talk in known.talks(links | begun, passed) if talk.kind == "call"]
    for talk in stored:
        talk.changed = False
        naming.talks[talk.conversation_id] = talk
    apart = set() if known.chained() else {id(c) for f in files for c in only_newest(_loose(f))}
    apart -= {id(call) for call in loose if call.begins}
    chaining = Chaining(Chains([*stored, *(known.tails(tails - {0}) if tails else [])]), lambda c: _begun(c, files))
    chaining.expect(loose)
    for call in sorted(loose, key=lambda call: (call.moment, call.links[-1])):
        chaining.put(call, alone=id(call) in apart)
    chaining.sort_out()
    naming.talks.update({talk.conversation_id: talk for talk in chaining.windows.values()})
    for call in chaining.untold:
        _of(files, call).untold += 1
    for refused in chaining.refused:
        _refuse(files, refused)
    for talk, found in chaining.told.values():
        named = _named_talk(talk, found[0], naming) if talk.conversation_id.startswith(NEW) else talk
        naming.talks[named.conversation_id] = named
        for call in found:
            call.conversation_id = named.conversation_id
            _of(files, call).ids[call.number] = named.conversation_id
            if call.begins and call.begins != named.conversation_id:
                note(call.begins, named.conversation_id, naming.talks)


def _named_talk(talk: Talk, first: LoggedCall, naming: _Naming) -> Talk:
    """A new talk with its id: of a call that would begin a conversation of its own, that is the call's."""
    if first.begins is None:
        return naming.name(talk)
    talk.conversation_id, talk.basis = first.begins, ""
    return talk


def _loose(file: _File) -> list[LoggedCall]:
    return [call for call in file.calls if call.conversation_id is None]


def _of(files: Sequence[_File], call: LoggedCall) -> _File:
    return next(file for file in files if file.place == call.file)


def _begun(call: LoggedCall, files: Sequence[_File]) -> Talk:
    """A conversation that this call begins, or of which it is the first that is known."""
    file = _of(files, call)
    start = None if call.before else call.at
    day = day_of(call.at, file.opened.day, file.zone)
    basis = basis_of("call", call.user_id, call.at, day, call.links[0])
    talk = Talk("", "call", call.user_id, start, day, call.links, call.said, basis)
    talk.last_at, talk.headless = call.moment, bool(call.before)
    return talk


def _refuse(files: Sequence[_File], refused: Refused) -> None:
    """Reject each new message of a refused call; messages that it only repeats are no rejects."""
    call, file = refused.call, _of(files, refused.call)
    rows = call.rows[refused.begin :]
    places = places_of(file.opened, [call.number] * len(rows), range(refused.begin, len(call.rows)), rows).to_pylist()
    for place, row in zip(places, file.opened.drafts.take(pa.array(rows, pa.int64())).to_pylist(), strict=True):
        raw = {key: value for key, value in row.items() if key in ("role", "content", "message_id", "user_id")}
        file.rejects.append(Reject(place, refused.reason, as_json(raw)))
