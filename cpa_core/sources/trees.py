"""The records of a file as parsed trees, whatever holds them: lines, a list, pages, or the rows of a table.

A route says where the records stand in each value of a file: `()` the value itself, `("[]",)` the elements of a list,
`("data", "[]")` those of a list under `data`. Large files are read along it one record at a time.
"""

import ast
import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
from pyarrow import parquet

from cpa_core.errors import SourceError
from cpa_core.sources import documents, envelopes, shapes
from cpa_core.sources.contents import stream
from cpa_core.sources.conversations import decoded, raw
from cpa_core.sources.documents import Repeating, Window, elements
from cpa_core.sources.files import File
from cpa_core.sources.records import Reject, whole
from cpa_core.sources.samples import Layout
from cpa_core.sources.tables import Lines, distinct, header_again, numbered_rows, separator, trees_of

Route: TypeAlias = tuple[str, ...]
Placed: TypeAlias = tuple[str, Any]
Trees: TypeAlias = Iterable[Placed | Reject]
Found: TypeAlias = Iterator[Placed | Reject]

DELIMITERS = {"csv": ",", "tsv": "\t"}
MOST_ROWS = 1_000
DEPTH = 6
WRAPPERS = frozenset(
    {"data", "results", "result", "hits", "payload", "conversation", "thread", "session", "trace", "export", "call"}
    | {"message", "chats", "conversations", "_embedded", "threads", "sessions"}
)
"""Under these keys an export may hold the object that holds its records; other keys of objects may be ids."""

LINES = (".jsonl", ".ndjson")
"""Files of these names have events in their lines, also where there is one; any other object may be a page."""

NESTED = ("{", "[")
PRINTED = ("[{'", '[{"')
LONGEST_PRINTED = 1 << 20
_BETWEEN = re.compile(r"\}\n\s*\{")
"""Characters of a printed list that is read: Python's own reader of such texts is slow."""

TABLE = "="
"""The step of a route that makes objects of the rows of a table saved as JSON."""
NO_KEYS = frozenset({"[]", TABLE, *envelopes.STEPS})
"""Steps that are no key of an object."""
NAMES = ("columns", "cols", "meta", "column_names")
ROWS = ("results", "rows", "data", "values")
"""Keys under which such a table names its columns, and those under which its rows stand."""


class Marks(NamedTuple):
    """Marks of a format: the signs of records that stand in envelopes, among others that bear none of them, and the
    columns of a table whose cells are words, also where they are JSON.
    """

    signs: Sequence[str] = ()
    texts: frozenset[str] = frozenset()


UNMARKED = Marks()


class Records:
    """The records of a file, each with its place, read anew each time they are gone through.

    Going through them raises SourceError where a file of one value is damaged. `count` counts those of the last time.
    `once`: no object of them has a key twice, as going through them has shown.
    `opens`: JSON that stands in their texts is read as what it says, as in the cells of a table.
    """

    def __init__(
        self, file: File, holds: str, layout: Layout, route: Route, *, opens: bool = False, marks: Marks = UNMARKED
    ) -> None:
        self.file, self.holds, self.layout, self.route, self.opens = file, holds, layout, route, opens
        self.count, self.once = 0, False
        self.signs, self.texts = marks

    def __iter__(self) -> Iterator[Placed | Reject]:
        self.count = 0
        before = Repeating.made
        as_they_are = not (self.opens or self.file.names or self.signs)
        for one in self._found():
            if isinstance(one, Reject):
                yield one
                continue
            self.count += 1
            if as_they_are and type(one[1]) is dict and one[1].keys().isdisjoint(envelopes.MARKS):
                yield one
                continue
            tree = self.file.mapped(self._dated(opened(one[1]) if self.opens else one[1]))
            yield (one[0], tree) if self._is_own(tree) else Reject(one[0], envelopes.FOREIGN, "{}", loss=False)
        self.once = self.once or Repeating.made == before

    def _dated(self, tree: Any) -> Any:
        """A record that is itself the line of a log, with the time of that line where it names none."""
        key = envelopes.time_key(tree)
        if key is None or "timestamp" in tree or "timestamp" in self.file.names:
            return tree
        return {**tree, "timestamp": tree[key]}

    def _is_own(self, tree: Any) -> bool:
        return not self.signs or envelopes.may_be_speech(tree) or shapes.best(tree, self.signs) > 0

    def _found(self) -> Iterator[Placed | Reject]:
        if self.holds in ("csv", "tsv", "parquet"):
            rows_ = table(self.file, self.holds, self.texts)
            return _opened_rows(rows_, self.route) if self.route else rows_
        if self.layout == "lines" and self.signs:
            lines = envelopes.joined(_of_log(self.file), envelopes.STEPS.get(self.route[0], ()))
            return _opened_rows(lines, self.route)
        if self.layout == "lines":
            return _of_lines(self.file, self.route, once=self.once)
        return _of_values(self.file, self.route)


def _is_event(route: Route) -> bool:
    """Whether a route leads from an object to the one record in it."""
    return bool(route) and WRAPPERS.issuperset(route)


def _opened_rows(found: Iterable[Placed | Reject], route: Route) -> Found:
    """The records that stand inside the rows of a table."""
    for one in found:
        yield from [one] if isinstance(one, Reject) else along(*one, route)


def _of_log(file: File) -> Found:
    """The lines of a log: each an object, or text of which a program made one."""
    for number, line in enumerate(documents.lines(file.name, file.content, newline="\n"), 1):
        place = f"line {number}"
        if (one := _of_line(place, line)) is None:
            continue
        if isinstance(one, Reject) and documents.is_utf8(line):
            one = place, envelopes.of_text(line)
        yield one


def _of_lines(file: File, route: Route, *, once: bool) -> Found:
    parsed = documents.parser(once=once)
    for number, line in enumerate(documents.lines_of_bytes(file.name, file.content), 1):
        place = f"line {number}"
        try:
            tree = parsed(line)
        except ValueError:
            if (one := _of_line(place, documents.as_line(line))) is None:
                continue
            if isinstance(one, Reject):
                yield one
                continue
            tree = one[1]
        if route:
            yield from along(place, tree, route)
        else:
            yield place, tree


def _of_line(place: str, line: str) -> Placed | Reject | None:
    """A line that the quicker parser leaves, with the reason where it is none of JSON; None where it is blank."""
    if line.isspace():
        return None
    try:
        if not documents.is_utf8(line):
            raise ValueError(documents.NOT_UTF8)
        return place, decoded(line)
    except ValueError as error:
        return Reject(place, str(error), documents.with_bytes_shown(line.strip()))


def _of_values(file: File, route: Route) -> Found:
    window = Window(file.name, documents.text(file.name, file.content))
    number = 0
    is_line = _is_event(route) and file.name.lower().removesuffix(".gz").endswith(LINES)
    while window.peek():
        number += 1
        place = f"{number}" if number > 1 else ""
        yield from along(place, window.value(), route) if is_line else _streamed(window, place, route)


def _streamed(window: Window, place: str, route: Route) -> Found:
    """The records of the value that comes next, read one by one."""
    mark = window.peek()
    if route[:1] == ("[]",) and mark == "[":
        for n, tree in enumerate(elements(window)):
            yield from along(_within(place, f"{n}"), tree, route[1:])
    elif route and route[0] not in NO_KEYS and mark == "{":
        beside: dict[str, Any] = {}
        for key in documents.keys(window):
            if key == route[0] and not beside.keys().isdisjoint(envelopes.MARKS):
                beside[key] = window.value()  # a line of a log: small, and its time may follow
            elif key == route[0]:
                yield from _streamed(window, _within(place, key), route[1:])
            else:
                value = window.value()
                beside |= {key: value} if key in envelopes.LOGGED else {}
        if route[0] in beside:
            yield from along(place or "", beside, route)
    else:
        yield from along(place or "top level", window.value(), route)


def _within(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def along(place: str, tree: Any, route: Route) -> Found:
    """The records of a parsed value, those of a line of a log with its time where they have none."""
    found: list[Placed | Reject] = []
    _gather(place, tree, route, found)
    if route and (key := envelopes.time_key(tree)):
        return (one if isinstance(one, Reject) else (one[0], envelopes.timed_as(one[1], tree[key])) for one in found)
    return iter(found)


def _gather(place: str, tree: Any, route: Route, found: list[Placed | Reject]) -> None:
    """Add the records of a value: a list, for a generator within each step would cost as much as a record."""
    place, tree, route = _along_one(place, tree, route)
    if not route:
        found.append((place, tree))
        return
    step, rest = route[0], route[1:]
    if step == TABLE and (rows := tabled(tree)) is not None:
        for n, one in enumerate(rows):
            _gather(_within(place, f"row {n + 1}"), one, rest, found)
    elif step in envelopes.STEPS:
        path = envelopes.STEPS[step]
        if (inner := envelopes.inside(tree, path)) is None:
            found.append(envelopes.not_inside(place, tree, path))
        else:
            _gather(_within(place, ".".join(path)), inner, rest, found)
    elif step == "[]" and isinstance(tree, list):
        if rest or not place:
            for n, one in enumerate(tree):
                _gather(_within(place, f"{n}"), one, rest, found)
        else:
            found += [(f"{place}.{n}", one) for n, one in enumerate(tree)]
    elif isinstance(tree, dict) and step in tree:
        _gather(_within(place, step), _held(tree, route), rest, found)
    else:
        found.append((place, tree))  # a value of another kind among those of the route: its reader says what it lacks


def _along_one(place: str, tree: Any, route: Route) -> tuple[str, Any, Route]:
    """Where a route leads as long as each of its steps leads to one value, and the rest of the route."""
    depth = 0
    for step in route:
        if step == TABLE or step in envelopes.STEPS:
            break
        if isinstance(tree, dict) and step in tree:
            place, tree = _within(place, step), _held(tree, route[depth:])
        elif step == "[]" and isinstance(tree, list) and len(tree) == 1:
            place, tree = _within(place, "0"), tree[0]
        else:
            break
        depth += 1
    return place, tree, route[depth:]


def _held(tree: dict[str, Any], route: Route) -> Any:
    """The value under the first key of a route; the one record in an event has the event's time."""
    held = tree[route[0]]
    return envelopes.of_event(held, tree) if route[0] in WRAPPERS and _is_event(route) else held


def routes(values: Sequence[Any]) -> Iterator[tuple[Route, list[Any]]]:
    """Where records may stand in these values of a file, outer places first, each with the records there."""
    level: dict[Route, list[Any]] = {(): list(values)}
    for _ in range(DEPTH):
        yield from ((route, trees) for route, trees in level.items() if not _are_columns(trees))
        deeper: dict[Route, list[Any]] = {}
        for route, trees in level.items():
            for step, one in _steps(trees):
                deeper.setdefault((*route, *step), []).extend(one)
        level = {route: trees[: len(values) + 20] for route, trees in deeper.items()}


def enveloped(values: Sequence[Any]) -> Iterator[tuple[Route, list[Any]]]:
    """Where records may stand inside envelopes that are records of a log or a queue, each with the records there."""
    for route, found in routes(values):
        for step, path in envelopes.STEPS.items():
            inner = [held for one in found if (held := envelopes.inside(one, path)) is not None]
            yield from (((*route, step, *further), trees) for further, trees in routes(inner) if inner)


def _steps(trees: Iterable[Any]) -> Iterator[tuple[Route, list[Any]]]:
    for tree in trees:
        if isinstance(tree, list):
            yield ("[]",), tree[:20]
        elif isinstance(tree, dict):
            if found := tabled(tree):
                yield (TABLE,), found[:20]
            for key, value in islice(tree.items(), 40):
                if isinstance(value, list) and value and isinstance(value[0], dict | list):
                    yield (key, "[]"), value[:20]
                elif key in WRAPPERS and isinstance(value, dict):
                    yield (key,), [value]


def tabled(tree: Any) -> list[dict[str, Any]] | None:
    """The rows of a table that is saved as JSON, as objects: its columns named once, or its rows by their ids.

    So answer PostHog's queries, Metabase, ClickHouse (JSONCompact, JSONColumns, JSONObjectEachRow), pandas (`orient`
    split, columns, index) and others. A column `*` holds a whole row. None where it is none.
    """
    if not isinstance(tree, dict):
        return None
    named = next((tree[key] for key in NAMES if isinstance(tree.get(key), list) and tree[key]), None)
    rows_ = next((tree[key] for key in ROWS if isinstance(tree.get(key), list) and tree[key]), None)
    if named is None or rows_ is None or not all(type(row) is list and len(row) == len(named) for row in rows_):
        return _by_column(tree) or _by_id(tree)
    names = [str(one.get("name")) if isinstance(one, dict) else str(one) for one in named]
    return [_row(dict(zip(names, map(unfolded, row), strict=True))) for row in rows_]


def _by_column(tree: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The rows of columns that are lists of one length, or objects by the numbers of their rows."""
    columns = list(tree.values())
    if len(columns) < 2 or type(columns[0]) not in (list, dict) or not columns[0]:
        return None
    if not all(type(one) is type(columns[0]) and len(one) == len(columns[0]) for one in columns):
        return None
    if type(columns[0]) is dict:
        numbers = list(columns[0])
        if not all(one.isdecimal() for one in numbers) or any(list(one) != numbers for one in columns):
            return None
        columns = [list(one.values()) for one in columns]
    if any(isinstance(one, dict) for column in columns for one in column):
        return None
    return [dict(zip(tree, map(unfolded, row), strict=True)) for row in zip(*columns, strict=True)]


def _are_columns(trees: Sequence[Any]) -> bool:
    """Whether values are tables by their columns, which have the keys of a record but are none."""
    return bool(trees) and all(isinstance(tree, dict) and _by_column(tree) is not None for tree in trees)


def _by_id(tree: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The rows of an object that has each under its id, all of them with at least two keys of one name.

    A record in the wrapper of an event stands under no id.
    """
    rows = list(tree.values())
    if (
        not rows
        or WRAPPERS.issuperset(tree)
        or not all(type(row) is dict and not any(isinstance(v, dict | list) for v in row.values()) for row in rows)
    ):
        return None
    if len(set(rows[0]).intersection(*rows[1:])) < 2:
        return None
    return [row if key.isdecimal() or "id" in row else {"message_id": key, **row} for key, row in tree.items()]


def _row(cells: dict[str, Any]) -> dict[str, Any]:
    everything = cells.pop("*", None)
    return {**everything, **cells} if isinstance(everything, dict) else cells


def table(file: File, holds: str, texts: frozenset[str] = frozenset()) -> Found:
    """The rows of a table as objects. `texts` are the columns whose cells are words."""
    return parquet_rows(file, texts) if holds == "parquet" else rows(file, separator(file, DELIMITERS[holds]), texts)


def rows(file: File, delimiter: str, texts: frozenset[str] = frozenset()) -> Found:
    """The rows of a table of text as objects; a cell that holds JSON is parsed, an empty one is null."""
    numbered = numbered_rows(Lines(documents.lines(file.name, file.content)), delimiter)
    first = next(numbered, (1, []))
    header = [] if isinstance(first, Reject) else distinct([name.strip() for name in first[1]], file)
    for one in numbered:
        if isinstance(one, Reject):
            yield one
        elif not isinstance(first, Reject) and one[1] == first[1]:
            yield header_again(one[0])
        elif len(one[1]) != len(header):
            reason = f"{len(one[1])} fields where the header has {len(header)}"
            yield Reject(f"line {one[0]}", reason, raw(one[1]))
        else:
            cells = zip(header, _texts(one[1]), strict=True)
            yield f"line {one[0]}", {name: _cell(cell, name in texts) for name, cell in cells}


def _cell(cell: Any, is_text: bool) -> Any:
    return whole(cell) or None if is_text and isinstance(cell, str) else unfolded(cell)


def _texts(cells: list[str]) -> Sequence[str]:
    """The cells of a row, without the quotes that a program which writes JSON into every cell has around texts.

    So Langfuse wrote tables until March 2026: https://github.com/langfuse/langfuse/pull/12441.
    """
    if next(filter(None, cells), "")[:1] != '"':
        return cells
    try:
        said = [decoded(cell) if cell else "" for cell in cells]
    except ValueError:
        return cells
    return [found if isinstance(found, str) else cell for found, cell in zip(said, cells, strict=True)]


def unfolded(cell: Any) -> Any:
    """A cell of a table: JSON in text as what it says, an empty text as null."""
    if not isinstance(cell, str):
        return cell
    if cell.lstrip()[:1] not in NESTED:
        return whole(cell) or None
    try:
        return decoded(cell)
    except ValueError:
        return _of_python(cell) or whole(cell)


def _of_python(cell: str) -> Any:
    """A list of objects as Python prints it, which is how pandas writes one into a table; None for anything else.

    NumPy, whose lists pandas has of Parquet, sets no comma between the lines of one.
    """
    if not cell.lstrip().startswith(PRINTED) or len(cell) > LONGEST_PRINTED:
        return None
    try:
        found = ast.literal_eval(_BETWEEN.sub("}, {", cell.strip()))
        return decoded(json.dumps(found))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def opened(tree: Any) -> Any:
    """A record with what its texts say where they are JSON, also the body of a request or response in it.

    Anything that is no object is returned as it is.
    """
    return {key: _with_body(unfolded(value)) for key, value in tree.items()} if type(tree) is dict else tree


def _with_body(value: Any) -> Any:
    return {**value, "body": unfolded(value["body"])} if type(value) is dict and "body" in value else value


def parquet_rows(file: File, texts: frozenset[str] = frozenset()) -> Found:
    """The rows of a Parquet file as objects. Raises SourceError where it is none."""
    try:
        number = 0
        for batch in parquet.ParquetFile(stream(file.content)).iter_batches(MOST_ROWS):
            for tree in trees_of(batch):
                number += 1
                yield f"row {number}", {key: _cell(value, key in texts) for key, value in tree.items()}
    except (pa.ArrowInvalid, OSError):
        raise SourceError(f"{file.name}: not Parquet, or damaged") from None


def header(file: File, delimiter: str) -> list[str]:
    """The names in the first row of a table of text; none where it cannot be read."""
    try:
        mark = separator(file, delimiter)
        lines = csv.reader(documents.lines(file.name, file.content), strict=True, delimiter=mark)
        return [name.strip() for name in next(filter(None, lines), [])]
    except csv.Error:
        return []
