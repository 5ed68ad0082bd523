"""Calls that continue each other in order: told by comparing places of messages, without their words.

Most files of calls hold conversations of which nothing is known yet. Each call gives its conversation and repeats what
was said before it, and the file holds each message once. There the places of the messages say the same as their hashes.
Any other conversation is left to `decide`, whole. `tests/identity/test_plain_calls.py`: both find the same.
"""

from array import array
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cpa_core.sources.columns import DRAFT, TIME, Gathered, as_one, give_back, selected
from cpa_core.sources.identity.calls import ANSWERS
from cpa_core.sources.identity.values import Known, Opened

SYSTEM, ANSWER, OUTPUT = 1, 2, 4
"""Bits of a role: it is the system prompt's, it is an answer's, it may end the output of a call."""

MANY = 100_000
"""The comparison of so many records leaves much memory behind."""

AT_ONCE = 50_000

OUTPUTS = frozenset({"assistant", "tool_call", "reasoning", "attachment"})
NEVER = -(2**63)
TRACES = ("trace_id", "conversation_id", "user_id", "standing")


class PlainCalls(NamedTuple):
    """One file, parted: what its plain calls add, as drafts, and `rest`, which needs care.

    Of the drafts the rows `repeated` are only of a history, which is empty but for system prompts. The `openings` are
    the first rows that calls without a history add themselves. `traces` are those of the plain calls, as columns of
    KnownTrace.
    """

    rest: Opened
    drafts: Any = None
    repeated: Sequence[int] = ()
    openings: Sequence[int] = ()
    traces: Any = None


def parted(part: list[Opened], known: Known) -> list[PlainCalls]:
    """Return the files of a part, each with its plain calls apart from the rest.

    A call is plain if it gives its conversation, all calls of that are in this file, nothing of it has landed, and each
    repeats what those before it told, or nothing at all. The given list is empty afterwards: what a file adds is made
    while its drafts are let go.
    """
    shared = _of_several(part, "conversation_id") | _of_several(part, "trace_id")
    waiting = deque(_Calls(file) if _all_held(file) else PlainCalls(file) for file in part)
    part.clear()
    found: list[PlainCalls] = []
    while waiting:
        one = waiting.popleft()
        found.append(one if isinstance(one, PlainCalls) else one.parted(shared, known))
    return found


def _all_held(file: Opened) -> bool:
    """Whether a file has calls that hold their messages in common, and no draft that is of no record."""
    records = file.records
    if not records.num_rows or records["rows"].null_count == len(records):
        return False
    alone = pc.sum(records["size"].filter(pc.is_null(records["rows"]))).as_py() or 0
    taken = bytearray(file.drafts.num_rows)
    for chunk in records["rows"].chunks:
        for row in _numbers(pc.list_flatten(chunk)):
            taken[row] = 1
    return bool(alone + sum(taken) == file.drafts.num_rows)


def _of_several(part: Sequence[Opened], word: str) -> set[str]:
    """The values of a column of the records that several files have."""
    if len(part) < 2:
        return set()
    counts = Counter(one for file in part for one in pc.unique(file.records[word]).to_pylist() if one is not None)
    return {one for one, count in counts.items() if count > 1}


class _Calls:
    """The calls of one file, by the column."""

    def __init__(self, file: Opened) -> None:
        self.file = file
        self.records = file.records.combine_chunks()
        self.began = pc.coalesce(self.records["started_at"], self.records["ended_at"]).combine_chunks()
        self.ended = pc.coalesce(self.records["ended_at"], self.records["started_at"]).combine_chunks()

    def parted(self, shared: Collection[str], known: Known) -> PlainCalls:
        """See PlainCalls."""
        plain = self._without(self._alone(), shared)
        plain = self._without(plain, self._known(plain, known))
        telling = _Telling(self)
        telling.hear_all(plain)
        if telling.careful:
            plain = self._without(plain, telling.names(telling.careful))
            telling.forget(plain)
        if not pc.any(plain).as_py():
            return PlainCalls(self.file)
        if len(self.records) > MANY:
            give_back()
        rest, drafts = self._rest(plain), _Drafts(self.file.drafts)
        self.file = rest
        return PlainCalls(rest, telling.drafts(drafts), telling.repeated, telling.openings, self._traces(plain))

    def _alone(self) -> Any:
        """Which calls name a conversation and are alone in their trace, and the only ones of their id."""
        records = self.records
        trace, call_id = as_one(records["trace_id"]), as_one(records["call_id"])
        named = pc.and_not(pc.is_valid(trace), pc.is_in(trace, _twice(trace)))
        named = pc.and_(named, pc.fill_null(pc.not_equal(trace, as_one(records["conversation_id"])), False))
        found = pc.and_(pc.is_valid(as_one(records["rows"])), pc.or_(pc.is_null(trace), named))
        found = pc.and_(found, pc.is_null(as_one(records["after"])))
        return pc.and_not(found, pc.and_(pc.is_valid(call_id), pc.is_in(call_id, _twice(call_id))))

    def _without(self, plain: Any, names: Collection[str]) -> Any:
        """The plain calls without those of these conversations or traces, or of conversations with others."""
        records = self.records
        own = as_one(records["conversation_id"])
        if names:
            given = pa.array(sorted(names), pa.string())
            out = pc.or_(pc.is_in(own, given), pc.is_in(as_one(records["trace_id"]), given))
            plain = pc.and_not(plain, out)
        others = pc.unique(own.filter(pc.invert(plain))).drop_null()
        return pc.and_not(plain, pc.is_in(own, others)) if len(others) else plain

    def _known(self, plain: Any, known: Known) -> set[str]:
        """The conversations and traces of these calls of which something landed before."""
        kept = self.records.select(["conversation_id", "trace_id"]).filter(plain)
        named, traces = (pc.unique(kept[word]).drop_null().to_pylist() for word in kept.column_names)
        heard = known.messages(named) if named else {}
        return {*heard, *(one.trace_id for one in (known.traces(traces) if traces else ()))}

    def _rest(self, plain: Any) -> Opened:
        kept = pc.invert(plain).to_pylist()
        if not any(kept):
            return self.file._replace(drafts=DRAFT.empty_table(), records=self.records.slice(0, 0))
        drafts, records = selected(Gathered(self.file.drafts, self.records, []), {}, kept)
        return self.file._replace(drafts=drafts, records=records)

    def _traces(self, plain: Any) -> Any:
        return self.records.select(TRACES).filter(pc.and_(plain, pc.is_valid(self.records["trace_id"])))


def _twice(column: Any) -> Any:
    """The values that stand in a column more than once."""
    counts = pc.value_counts(column)
    return counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()


class _Drafts:
    """The drafts of a file, of which those that are passed are let go, if nobody else holds them."""

    def __init__(self, drafts: Any) -> None:
        self.schema, self.first = drafts.schema, 0
        self.batches = deque(drafts.to_batches())

    def taken(self, rows: "array[int]", least: int) -> Any:
        """These rows, which are near each other in most files. `least` is the first that is needed from now on."""
        while self.batches and self.first + self.batches[0].num_rows <= least:
            self.first += self.batches.popleft().num_rows
        held, end, last = list[Any](), self.first, max(rows)
        for batch in self.batches:
            if end > last:
                break
            held.append(batch)
            end += batch.num_rows
        near = pa.Table.from_batches(held, self.schema)
        if rows == array("q", range(rows[0], rows[0] + len(rows))):
            return near.slice(rows[0] - self.first, len(rows))
        return near.take(pc.subtract(_array(rows), self.first))


class _Telling:
    """The calls of a file in order of time, and what each adds to its conversation.

    `rows` are places in the drafts, one for each message that lands. `numbers` are those of their records, `places`
    where they stand in these. `careful` are the conversations, by key, that do not go on in order.
    """

    def __init__(self, calls: _Calls) -> None:
        records = calls.records
        self.calls = calls
        self.own_from = _numbers(as_one(records["own_from"]))
        held = as_one(records["rows"])
        self.offsets, self.flat = _numbers(held.offsets, "i"), _numbers(held.values)
        keyed = as_one(records["conversation_id"]).dictionary_encode()
        self.keys, self.ids = _numbers(keyed.indices, "i"), keyed.dictionary
        self.kinds = _kinds(calls.file.drafts["role"])
        self.moments = _numbers(pc.fill_null(calls.began.cast(pa.int64()), NEVER))
        self._begin()

    def _begin(self) -> None:
        self.rows, self.numbers, self.places = array("q"), array("q"), array("q")
        self.outputs = array("q", bytes(8 * len(self.keys)))
        self.repeated: list[int] = []
        self.openings: list[int] = []
        self.before: list[array[int] | None] = [None] * len(self.ids)
        self.prompted = bytearray(len(self.ids))
        self.careful: set[int] = set()

    def hear_all(self, plain: Any) -> None:
        """Hear the plain calls, in the order of the file where that is the order of time in each conversation."""
        numbers = pc.indices_nonzero(plain).to_pylist()
        if not self._in_order(numbers):
            numbers.sort(key=self.moments.__getitem__)
        for n in numbers:
            if self.keys[n] not in self.careful and not self._hear(n):
                self.careful.add(self.keys[n])

    def _in_order(self, numbers: Iterable[int]) -> bool:
        latest = [NEVER] * len(self.ids)
        for n in numbers:
            key, at = self.keys[n], self.moments[n]
            if at < latest[key]:
                return False
            latest[key] = at
        return True

    def _hear(self, n: int) -> bool:
        """Note what a call adds. False where its history is not the end of what was told, or says more than that."""
        kinds, flat, key = self.kinds, self.flat, self.keys[n]
        begin, end = self.offsets[n], self.offsets[n + 1]
        own = begin + self.own_from[n]
        lead = next((place for place in range(begin, own) if kinds[flat[place]] != SYSTEM), own)
        history, told, before = flat[lead:own], flat[own:end], self.before[key]
        if any(kinds[row] == SYSTEM for row in told):
            return False
        if before is None:
            if history:
                return False
            self.before[key] = told[:]
            self.repeated += range(len(self.rows), len(self.rows) + own - begin)
            self.openings += [len(self.rows) + own - begin] if own < end else []
            self.prompted[key] = own > begin
            told = flat[begin:end]
        elif self._goes_on(before, history) and (lead == begin or self.prompted[key]):
            before.extend(told)
        else:
            return False
        self._tell(n, told, end - begin, own - begin)
        return True

    def _goes_on(self, before: "array[int]", history: "array[int]") -> bool:
        """Whether a history is the end of what was told before, and ends with an answer."""
        return bool(history) and history == before[-len(history) :] and bool(self.kinds[history[-1]] & ANSWER)

    def _tell(self, n: int, told: "array[int]", size: int, own: int) -> None:
        output, kinds = size, self.kinds
        for row in reversed(told):
            if output == own or not kinds[row] & OUTPUT:
                break
            output -= 1
        self.outputs[n] = output
        self.rows.extend(told)
        self.numbers.extend([n] * len(told))
        self.places.extend(range(size - len(told), size))

    def names(self, keys: Iterable[int]) -> set[str]:
        """The conversations of these keys."""
        return {self.ids[key].as_py() for key in keys}

    def forget(self, plain: Any) -> None:
        """Leave out what was told of calls that are not plain."""
        kept = _array(self.numbers)
        mask = plain.take(kept)
        for word in ("repeated", "openings"):
            noted = set(getattr(self, word))
            flags = pa.array([n in noted for n in range(len(kept))], pa.bool_()).filter(mask)
            setattr(self, word, pc.indices_nonzero(flags).to_pylist())
        for word in ("rows", "numbers", "places"):
            setattr(self, word, array("q", _array(getattr(self, word)).filter(mask).to_pylist()))

    def drafts(self, drafts: _Drafts) -> Any:
        """The messages that the calls add, as drafts: each with its place, user and time in the call that adds it.

        They are made part by part: Arrow makes one array of all that it takes from.
        """
        earlier = self._earlier()
        begins = range(0, len(self.rows), AT_ONCE)
        least = [*accumulate((min(self.rows[at : at + AT_ONCE]) for at in reversed(begins)), min)][::-1]
        parts = [drafts.schema.empty_table()]
        for at, lowest in zip(begins, least, strict=True):
            made = drafts.taken(self.rows[at : at + AT_ONCE], lowest)
            parts.append(self._placed(made, at, None if earlier is None else earlier.slice(at, made.num_rows)))
        return pa.concat_tables(parts)

    def _placed(self, made: Any, at: int, earlier: Any) -> Any:
        """Drafts, of which the first is row `at` of all, with what is theirs in the call that adds them."""
        numbers, places = (_array(each[at : at + made.num_rows]) for each in (self.numbers, self.places))
        records = self.calls.records
        told = {
            "place": places_of(records, made["place"], numbers, places),
            "user_id": records["user_id"].take(numbers),
            "sent_at": pc.coalesce(made["sent_at"], self._times(numbers, places, earlier)),
        }
        for word, values in told.items():
            place = made.schema.get_field_index(word)
            made = made.set_column(place, made.schema.field(place), values)
        return made

    def _times(self, numbers: Any, places: Any, earlier: Any) -> Any:
        """The time of each message by its call: of answers the end, of a system prompt just before the start."""
        answers = pc.greater_equal(places, _array(self.outputs).take(numbers))
        times = pc.if_else(answers, self.calls.ended.take(numbers), self.calls.began.take(numbers))
        return times if earlier is None else pc.subtract(times.cast(pa.int64()), earlier).cast(TIME)

    def _earlier(self) -> Any:
        """So many microseconds before its call each message was said; None if none was."""
        if not self.repeated:
            return None
        earlier = array("q", bytes(8 * len(self.rows)))
        for n in self.repeated:
            earlier[n] = self.own_from[self.numbers[n]] - self.places[n]
        return _array(earlier)


def places_of(records: Any, own: Any, numbers: Any, places: Any) -> Any:
    """Where messages stand in the file, by the number of their record and their place in it; else as they are."""
    held = as_one(records["places"])
    if held.null_count == len(held):
        return own
    at = pc.add(held.offsets.cast(pa.int64()).take(numbers), places)
    at = pc.if_else(held.is_valid().take(numbers), at, pa.scalar(None, pa.int64()))
    return pa.chunked_array([pc.coalesce(held.values.take(at), as_one(own))])


def _kinds(roles: Any) -> bytes:
    """The kind of each draft's role, as a byte."""
    keyed = as_one(roles).dictionary_encode()
    known = [
        SYSTEM * (role == "system") + ANSWER * (role in ANSWERS) + OUTPUT * (role in OUTPUTS)
        for role in keyed.dictionary.to_pylist()
    ]
    return bytes(map(known.__getitem__, keyed.indices.to_pylist()))


def _numbers(column: Any, code: Literal["i", "q"] = "q") -> "array[int]":
    """An Arrow array of whole numbers of 32 or 64 bits (`i`, `q`), none of them null."""
    found = array(code)
    width = found.itemsize
    found.frombytes(
        memoryview(column.buffers()[1]).cast("B")[width * column.offset : width * (column.offset + len(column))]
    )
    return found


def _array(numbers: "array[int]") -> Any:
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
