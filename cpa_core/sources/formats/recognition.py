"""Which format a file has, by the keys of its first parsed records; and what to say where none fits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from cpa_core.errors import NotRecognised, SourceError
from cpa_core.sources import documents, envelopes, mapping, shapes, tables, trees, workbooks
from cpa_core.sources.files import File
from cpa_core.sources.formats.companions import COMPANIONS, INVENTORIES
from cpa_core.sources.formats.form import Format
from cpa_core.sources.records import Reject
from cpa_core.sources.samples import MOST, SIZES, Layout, samples
from cpa_core.sources.sessions import SESSIONS
from cpa_core.sources.trees import Route

ENDINGS = {"json": "json", "csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}
ENDINGS |= {ending[1:]: "csv" for ending in workbooks.ENDINGS}
"""The container by the ending of a name; the content of a JSON file may decide otherwise."""

SHOWN_KEYS = 14


class Choice(NamedTuple):
    """A format, what the file is made of, and where the records stand in its values.

    `empty`: the file holds no record, as an export of a quiet hour. `opens`: the format's keys stand in JSON that is
    the text of others, as where a table with such columns is saved as JSON.
    """

    form: Format
    holds: str
    layout: Layout
    route: Route
    empty: bool = False
    opens: bool = False

    def records(self, file: File) -> trees.Records:
        """The records of a file that was recognised so."""
        signs = self.form.signs if self.envelope else ()
        marks = trees.Marks(signs, self.form.texts)
        return trees.Records(file, self.holds, self.layout, self.route, opens=self.opens, marks=marks)

    @property
    def envelope(self) -> str:
        """The path at which a record stands in its envelope; "" where it stands for itself."""
        return next((".".join(envelopes.STEPS[step]) for step in self.route if step in envelopes.STEPS), "")


def container(file: File, formats: Mapping[str, Format]) -> str:
    """Return the container of a file: json, jsonl, csv, tsv or parquet. Raises SourceError for an unknown ending."""
    if documents.is_parquet(file.name, file.content):
        return "parquet"
    ending = file.name.lower().removesuffix(".gz").rsplit(".", 1)[-1]
    if ending in ENDINGS:
        return ENDINGS[ending]
    if file.form in ENDINGS:
        return file.form
    if file.form in formats or _holds_json(file):
        return "json"
    raise SourceError(f"{file.name}: none of the kinds that are read: {', '.join(ENDINGS)}, also .gz")


def _holds_json(file: File) -> bool:
    """Whether a file whose name does not say what it holds begins with JSON, as it stands or in a line of a log."""
    return any(isinstance(value, dict | list) for value in next(samples(file)).values)


def choice(file: File, formats: Mapping[str, Format]) -> Choice:
    """The format of a file: the one that is named, else the one whose signs its records bear best.

    Raises SourceError that names the keys seen and the nearest formats where none fits.
    """
    return _choice(file._replace(matched=set()), formats)


def logged(file: File, chosen: Choice) -> File:
    """A file of our rows as the lines of a log, read with the time of each line, where the rows have none of their own.

    Records that stand deeper, or in another format, take that time as they are cut: see `trees.Records`.
    """
    if (chosen.form.name, chosen.layout, chosen.route) != ("jsonl", "lines", ()) or "timestamp" in file.names:
        return file
    keys = {envelopes.time_key(tree) for tree in next(samples(file)).values}
    key = keys.pop() if len(keys) == 1 else None
    return file if key in (None, "timestamp") else file._replace(names={**file.names, "timestamp": key})


def _choice(file: File, formats: Mapping[str, Format]) -> Choice:
    if file.form and file.form not in formats:
        raise SourceError(f"{file.name}: format: {file.form} is none of {', '.join(formats)}")
    holds = container(file, formats)
    return _of_table(file, holds, formats) if holds in ("csv", "tsv", "parquet") else _of_json(file, holds, formats)


def _of_table(file: File, holds: str, formats: Mapping[str, Format]) -> Choice:
    named = file.form if file.form and file.form not in ENDINGS else None
    rows = [] if file.form in ENDINGS or _has_own_columns(file, holds) else _first_rows(file, holds)
    if named:
        return Choice(formats[named], holds, "lines", ())
    best = _best([((), rows)], formats) or _best([((), rows)], COMPANIONS)
    if rows and not best and (inside := _best(_in_envelopes(file, rows), formats)):
        return Choice(inside[0], holds, "lines", inside[1])
    if best and best[0].kind == "none":
        return Choice(best[0], holds, "lines", (), empty=True)
    own = best is None or best[0] is formats.get("jsonl")  # rows with our words
    return Choice(formats[file.form or holds] if own or not best else best[0], holds, "lines", ())


def _has_own_columns(file: File, holds: str) -> bool:
    if holds == "parquet":
        return False
    return not tables.missing(file, trees.header(file, trees.DELIMITERS[holds]), strictly=True)


def _first_rows(file: File, holds: str) -> list[Any]:
    found: list[Any] = []
    for one in trees.table(file, holds):
        if not isinstance(one, Reject):
            found.append(file.mapped(one[1]))
        if len(found) == MOST:
            break
    return found


def _of_json(file: File, holds: str, formats: Mapping[str, Format]) -> Choice:
    offered = {file.form: formats[file.form]} if file.form else formats
    values: list[Any] = []
    layout: Layout = "values"
    for one in samples(file):
        values, layout = one.values, one.layout
        _one_list_each(file, values)
        for offer, opens in ATTEMPTS:
            if (best := _best(offer(file, values, opens=opens), offered)) is not None:
                return Choice(best[0], "json", layout, best[1], opens=opens)
        if layout == "lines" and (bare := _bare_lines(file, values, offered)) is not None:
            return Choice(bare, "json", layout, ())
        blank = one.whole and not (values or one.damaged)
        if blank or (one.whole and values and not any(map(_weight, values))):
            return Choice(formats[file.form or holds], "json", layout, (), empty=True)
    if file.form or not values:
        fallback = formats[file.form or ("jsonl" if layout == "lines" else holds)]
        return Choice(fallback, "json", layout, _wrapped(values))
    if (beside := _companion(file, values)) is not None:
        return Choice(beside, "json", layout, (), empty=True)
    documents.text(file.name, file.content).read(SIZES[-1])  # bytes that are not UTF-8 are the first thing to say
    raise NotRecognised(_refusal(file, values, formats))


BARE = "message_lines"
"""The format of lines that are messages of one conversation: anywhere else, such objects may be of several."""


def _bare_lines(file: File, values: Sequence[Any], offered: Mapping[str, Format]) -> Format | None:
    form = offered.get(BARE)
    if form is None or not values or not all(shapes.best(_mapped(file, one), form.signs) for one in values):
        return None
    return form


def _one_list_each(file: File, values: Sequence[Any]) -> None:
    """Raise SourceError where `messages` leads to several lists of one record, and nothing tells whose they are."""
    way = mapping.lists_of(file.names)
    if not way or any(isinstance(one, dict) and one.keys() & NAMING for one in values):
        return
    if any(len(mapping.Path("", way).found(one)) > 1 for one in values):
        path = mapping.written(way[:-1] if way[-1] is None else way)
        raise SourceError(
            f"{file.name}: --map messages={path}: several lists of messages, and nothing says which are one "
            f"conversation: name its id beside them (--map conversation_id={path.rpartition('.')[0]}.ID), or, if each "
            f"list is one, the role from the top (--map role={path}[].ROLE)"
        )


def _companion(file: File, values: Sequence[Any]) -> Format | None:
    found = _best(_translated(file, values), COMPANIONS)
    named = file.name.rpartition("/")[2].lower() in INVENTORIES
    return found[0] if found else COMPANIONS["chatgpt_inventory"] if named else None


def _translated(file: File, values: Sequence[Any], *, opens: bool = False) -> Iterator[tuple[Route, list[Any]]]:
    offered: Iterator[tuple[Route, list[Any]]] = chain(trees.routes(values), _named(file, values))
    if opens:
        offered = ((route, list(map(trees.opened, found))) for route, found in offered)
    return ((route, [_mapped(file, tree) for tree in found]) for route, found in offered)


def _in_envelopes(file: File, values: Sequence[Any], *, opens: bool = False) -> Iterator[tuple[Route, list[Any]]]:
    """Where records may stand in lines of logs and messages of queues, with our words."""
    for route, found in trees.enveloped(values) if _companion(file, values) is None else ():
        yield route, [_mapped(file, trees.opened(tree) if opens else tree) for tree in found]


ATTEMPTS = ((_translated, False), (_translated, True), (_in_envelopes, False), (_in_envelopes, True))
"""Where records are looked for, in this order, and whether JSON in their texts is opened."""


def _mapped(file: File, tree: Any) -> Any:
    """A record with our words; of conversations by id, each with them."""
    found: set[str] = set()
    outer = file._replace(matched=found).mapped(tree)
    if found or not file.names or type(tree) is not dict:
        return outer
    return {key: file.mapped(one) for key, one in tree.items()}


def named_routes(file: File) -> list[Route]:
    """Where the records stand by what a person named, however deep."""
    named = mapping.paths(tuple(file.names.items())).routes
    return [tuple("[]" if step is None else str(step) for step in steps) for steps in named]


def _named(file: File, values: Sequence[Any]) -> Iterator[tuple[Route, list[Any]]]:
    for route in named_routes(file):
        placed = (one for value in values for one in trees.along("", value, route))
        found = [one[1] for one in placed if not isinstance(one, Reject)]
        if found != list(values):
            yield route, found[:MOST]


def _weight(value: Any) -> int:
    """How much there is in a value that could be a record: an empty list or page holds nothing."""
    if isinstance(value, list):
        return sum(1 for one in value if one not in ({}, [], None))
    if isinstance(value, dict):
        lists = {key: one for key, one in value.items() if isinstance(one, list)}
        return 0 if not value or (lists.keys() & PAGES and not any(lists.values())) else 1
    return 1


NAMING = frozenset({"id", *SESSIONS})
"""A record with one of these keys names its conversation: its messages are no rows of others."""

PAGES = {"data", "traces", "observations", "conversations", "messages", "items", "results", "records", "runs"}
PAGES |= {"events", "comments", "payload", "value", "rows", "resourceSpans", "resourceLogs"}
"""Under these keys an export has its records: an empty list there is an export of a quiet hour."""


def _wrapped(values: Sequence[Any]) -> Route:
    """Where the records of a format that is named stand, when its signs do not say: a list, or a page's `data`."""
    first = values[0] if values else None
    if isinstance(first, list):
        return ("[]",)
    return ("data", "[]") if isinstance(first, dict) and isinstance(first.get("data"), list) else ()


def _best(offered: Iterable[tuple[Route, list[Any]]], formats: Mapping[str, Format]) -> tuple[Format, Route] | None:
    """The format whose signs the records bear best: the mean of conditions met; of equals the outer, then the first."""
    best, found = 0.0, None
    named: dict[Route, bool] = {}
    for route, records in offered:
        if records and envelopes.has_types(records[0]):
            continue
        named[route] = any(isinstance(tree, dict) and tree.keys() & NAMING for tree in records)
        for form in formats.values():
            if form.name == BARE:
                continue
            if form.kind == "message" and route and named.get(route[:-2]) and not _are_rows(records):
                continue  # messages of a conversation that has an id, whatever else each of them names
            score = sum(shapes.best(tree, form.signs) for tree in records) / max(1, len(records))
            if score > best:
                best, found = score, (form, route)
    return found


def _are_rows(records: Sequence[Any]) -> bool:
    """Whether messages name their conversation themselves."""
    return any(isinstance(tree, dict) and tree.keys() & {"conversation_id", "thread_id"} for tree in records)


def _refusal(file: File, values: Sequence[Any], formats: Mapping[str, Format]) -> str:
    """Why a file is not read: the keys that were seen, never a value, the nearest formats, and the way out."""
    seen = shapes.keys([file.mapped(value) for value in values])
    near = "; or ".join(_lacks(form, sign) for form, sign in _nearest(file, values, formats))
    shown = ", ".join(seen[:SHOWN_KEYS]) + (", ..." if len(seen) > SHOWN_KEYS else "")
    flag = _flag(file, seen)
    return (
        f"{file.name}: the format is not recognised. Keys seen: {shown or 'none'}. Nearest: {near}. If the messages "
        f"stand under other names, say which: {flag}; or name the format (docs/formats.md): --format NAME"
    )


def _flag(file: File, seen: Sequence[str]) -> str:
    """The flag that would do: with a question and its answer, with a list whose keys are like ours, or with dots."""
    keys = [key.rpartition("[].")[2] for key in seen]
    if mapping.sides(keys):
        return mapping.advice(file.names, EXCHANGED, keys)
    like = {} if file.names else _like_ours(seen)
    return mapping.flag(like or {**file.names, **{word: "..." for word in NAMED if word not in file.names}})


def _like_ours(seen: Sequence[str]) -> dict[str, str]:
    """The list of these paths whose elements have a role and content under likely names, with those; else nothing."""
    lists: dict[str, list[str]] = {}
    for path in seen:
        before, _, key = path.removeprefix("[].").rpartition("[].")
        lists.setdefault(before, []).append(key)
    for before, keys in lists.items():
        found = mapping.likely(("role", "content", "timestamp"), keys)
        if {"role", "content"} <= found.keys():
            named = {"messages": before} if before else mapping.likely(("conversation_id",), keys)
            return {**named, **found} if named else {}
    return {}


EXCHANGED = ("role", "content", "conversation_id")
"""The words for which a record with a question and its answer has others."""

NAMED = ("messages", "role", "content")
"""The words that a person names for messages of an unknown format."""


def _nearest(file: File, values: Sequence[Any], formats: Mapping[str, Format]) -> list[tuple[Format, str]]:
    ranked: list[tuple[float, Format, str]] = []
    records = [tree for _, found in _translated(file, values) for tree in found[:2]]
    for form in formats.values():
        shares = [(_share(tree, sign), sign) for tree in records for sign in form.signs]
        if shares:
            share, sign = max(shares, key=lambda one: one[0])
            ranked.append((share, form, sign))
    ranked.sort(key=lambda one: -one[0])
    return [(form, sign) for _, form, sign in ranked[:2]]


def _share(tree: Any, sign: str) -> float:
    wanted = [one for one in sign.split() if one[0] != "!"]
    return 1 - len(shapes.missing(tree, sign)) / len(wanted)


def _lacks(form: Format, sign: str) -> str:
    needed = ", ".join(one.replace("=", " to be ") for one in sign.split() if one[0] != "!")
    return f"{form.name} ({form.title}) needs {needed}"
