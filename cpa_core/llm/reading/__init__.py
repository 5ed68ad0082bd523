"""Reading an answer from a model's reply: the one JSON object of the requested schema, wherever a server puts it."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from cpa_core.errors import ReplyInvalid
from cpa_core.llm.reading.finding import Contradiction, Standing, loads, standing
from cpa_core.llm.reading.mending import mended
from cpa_core.llm.reading.rows import rows_by_number, rows_of, takes_lines
from cpa_core.llm.reading.shaping import Schema, conforms, fits, matched_name, property_names, shaped
from cpa_core.llm.values import Reply, Request

__all__ = ["Reading", "brought", "conforms", "fits", "matched_name", "read_answer", "read_reply", "understood"]

MOST_WRAPPERS = 3
"""Objects and strings that may stand around an answer."""


class Reading(NamedTuple):
    """An answer that was read.

    `folded` counts changes by kind; `whole` is true if it conforms to the schema at every depth.
    """

    tree: dict[str, Any]
    folded: Counter[str]
    whole: bool

    @property
    def text(self) -> str:
        """The answer as plain JSON."""
        return json.dumps(self.tree, ensure_ascii=False)


def understood(request: Request, reply: Reply) -> Reply:
    """The reply with its answer as plain JSON of the question's schema. Raises ReplyInvalid as `read_answer`."""
    if not reply.text or reply.outcome not in ("ok", "invalid"):
        return reply
    reading = read_reply(reply.text, request)
    return reply.model_copy(update={"text": reading.text, "folded": sum(reading.folded.values())})


def read_reply(text: str, request: Request) -> Reading:
    """Return the answer to a question, in its schema or, if it does not conform, in the other one.

    Raises ReplyInvalid.
    """
    try:
        reading = read_answer(text, request.json_schema)
    except ReplyInvalid:
        if other := _whole(text, request.other_schema):
            return other
        raise
    return reading if reading.whole else _whole(text, request.other_schema) or reading


def _whole(text: str, schema: Schema | None) -> Reading | None:
    """The answer in a schema, if it conforms to all of it."""
    try:
        reading = read_answer(text, schema) if schema else None
    except ReplyInvalid:
        return None
    return reading if reading and reading.whole else None


def read_answer(text: str, schema: Schema) -> Reading:
    """The answer in a reply. Raises ReplyInvalid with the reason.

    It is the only object of the reply, reasoning aside, that fits the schema: fences, prose, wrappers and strings
    around it do not matter. The first object is not simply taken, nor the last: the judged conversation may hold a
    verdict of its own, and a model that repeats it would let it speak. So a reply with two different fitting objects is
    invalid. So is one whose object stands beside, or within, JSON that cannot be read. Types are changed only where the
    meaning is certain (`"3"`, `"false"`, an object for a list of pairs). Damaged JSON is mended only if the whole
    answer then conforms.
    """
    try:
        found = _values(text)
        readings = list(_fitting(list(found.values), schema)) if len(found.values) > 1 else []
        readings = readings or [reading for value in found.values for reading in _fitting(value, schema)]
        if len({json.dumps(reading.tree, sort_keys=True) for reading in readings}) > 1:
            raise ReplyInvalid("answer: two different objects that fit")
        return _encodable(readings[0] if readings and not found.is_broken else _damaged(found, schema))
    except Contradiction as contradiction:
        raise ReplyInvalid(f"answer: {contradiction}") from None


def brought(value: Any, schema: Schema) -> tuple[Any, int]:
    """Return a read value in the shape of another schema as far as that is certain, and the number of changes."""
    notes: Counter[str] = Counter()
    return (value, 0) if conforms(value, schema) else (shaped(value, schema, notes), notes.total())


def _values(text: str) -> Standing:
    """Return the value that the whole reply is, even as a JSON string; else the values within it."""
    for _ in range(MOST_WRAPPERS):
        try:
            value = loads(text)
        except Contradiction:
            raise
        except (ValueError, RecursionError):
            break
        if not isinstance(value, str):
            return Standing((value,), "", text)
        text = value
    found = standing(text)
    return Standing((), "", "") if found.is_open else found


def _fitting(value: Any, schema: Schema, wrappers: int = MOST_WRAPPERS) -> Iterator[Reading]:
    """Yield the readings of a value: the value or a wrapped one, in the shape of the schema."""
    if _is_schema(value):
        return
    notes: Counter[str] = Counter()
    tree = value if conforms(value, schema) else shaped(value, schema, notes)
    if fits(tree, schema):
        yield Reading(tree, notes, conforms(tree, schema))
    elif wrappers:
        for inner in _within(value, schema):
            yield from _fitting(inner, schema, wrappers - 1)


def _within(value: Any, schema: Schema) -> Iterator[Any]:
    """Yield candidates for the answer within a value: the schema's only list at the root, or a nested object.

    A string is searched only under a name that the schema does not have: a quote may hold an object of its own.
    """
    entries = value if isinstance(value, list) else [value]
    only = schema.get("required", ())
    listing = schema.get("properties", {}).get(only[0], {}) if len(only) == 1 else {}
    if "items" in listing and _are(entries, listing["items"]):
        yield {only[0]: entries}
    elif isinstance(value, list):
        yield from (one for one in value if len(value) == 1 and isinstance(one, dict))
    elif isinstance(value, dict):
        if takes_lines(listing) and rows_by_number(value):
            yield {only[0]: value}
            return
        names = property_names(schema)
        for name, one in value.items():
            if isinstance(one, dict) or (isinstance(one, list | str) and name not in names):
                yield from _decoded(one)


def _is_schema(value: Any) -> bool:
    """Whether a value is a JSON schema, which some repeat before their answer (dotnet/extensions#6212)."""
    is_object = isinstance(value, dict) and (value.get("type") == "object" or "$schema" in value)
    inner = value.get("properties") if is_object else None
    said = inner.values() if isinstance(inner, dict) else ()
    return bool(said) and all(isinstance(one, dict) and one.keys() & {"type", "$ref", "anyOf"} for one in said)


def _are(entries: list[Any], schema: Schema) -> bool:
    """Return whether all entries fit the schema, by the checks of `fits`."""
    brought = [shaped(one, schema, Counter()) for one in entries]
    return bool(entries) and all(
        fits(one, schema) if "properties" in schema else conforms(one, schema) for one in brought
    )


def _decoded(value: Any) -> Iterator[Any]:
    if not isinstance(value, str):
        yield value
        return
    try:
        found = loads(value)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict | list):
        yield found


def _damaged(found: Standing, schema: Schema) -> Reading:
    """Return a mended answer; or the only object in the reply, so that the task's checks name its fault."""
    if lines := _lines(found, schema):
        return lines
    if found.values and not found.is_broken:
        if len(found.values) == 1 and isinstance(found.values[0], dict):
            return Reading(found.values[0], Counter(), False)
        raise ReplyInvalid("answer: not an object")
    try:
        readings = list(_fitting(mended(found.rest), schema))
    except ValueError:
        readings = []
    if len(readings) == 1 and readings[0].whole:
        return readings[0]._replace(folded=readings[0].folded + Counter(damage=1))
    raise ReplyInvalid("answer: not JSON")


def _lines(found: Standing, schema: Schema) -> Reading | None:
    """Return an answer of plain lines as one text, if the schema asks for lines only."""
    properties = schema.get("properties", {})
    rows = rows_of(found.rest) if len(properties) == 1 and all(map(takes_lines, properties.values())) else None
    return Reading({name: [rows] for name in properties}, Counter(lines=1), True) if rows else None


def _encodable(reading: Reading) -> Reading:
    try:
        reading.text.encode()
    except UnicodeEncodeError:
        raise ReplyInvalid("answer: half a character (a lone surrogate)") from None
    return reading
