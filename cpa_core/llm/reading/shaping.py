"""Shaping a JSON value to a JSON schema, only where its meaning is certain."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

from cpa_core.llm.reading.finding import loads
from cpa_core.llm.reading.rows import rows_by_number, rows_of, takes_lines

Schema = dict[str, Any]
Notes = Counter[str]

WHOLE = re.compile(r"[+-]?\d{1,15}(\.0+)?")
SIGNS = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "‛": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"', "…": "..."}
)
GAPS = re.compile(r"[\s_\-\u2010-\u2015\u2212\u00ad\u200b-\u200f\u2060\ufeff\ufe0e\ufe0f]+")
EDGES = "'\"*.:"


def plain_name(name: str) -> str:
    """Return a name without differences in case, spaces, dashes, typographic signs and marks around it."""
    plain = unicodedata.normalize("NFKC", name.translate(SIGNS)).casefold()
    return GAPS.sub("", plain).strip(EDGES)


def matched_name(written: str, names: Iterable[str]) -> str | None:
    """Return the name that was written: an exact match, else the only one with the same `plain_name`; null for none."""
    known = list(dict.fromkeys(names))
    if written in known:
        return written
    plain = plain_name(written)
    alike = [name for name in known if plain and plain_name(name) == plain]
    return alike[0] if len(alike) == 1 else None


def shaped(value: Any, schema: Schema, notes: Notes) -> Any:
    """Return the value in the schema's shape as far as that is certain, else unchanged. `notes` counts the changes."""
    kinds = _kinds(schema)
    simple = kinds - {"array", "object", "string"}
    if not kinds or (simple and _is(value, simple)):
        return value
    if isinstance(value, str) and "string" not in kinds:
        return _unquoted(value, schema, kinds, notes)
    for kind, shape in SHAPES.items():
        if kind in kinds:
            return shape(value, schema, notes)
    return value


def conforms(value: Any, schema: Schema) -> bool:
    """Whether the value is of the schema: types, required properties and enums, at every depth."""
    kinds = _kinds(schema)
    if kinds and not _is(value, kinds):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, dict):
        inner = schema.get("properties", {})
        return fits(value, schema) and all(conforms(value[name], inner[name]) for name in inner if name in value)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return all(conforms(item, schema["items"]) for item in value)
    return True


def fits(value: Any, schema: Schema) -> bool:
    """Whether the value is an object with the required properties, each of its type; their content may be wrong."""
    inner = schema.get("properties", {})
    return isinstance(value, dict) and all(
        name in value and _is(value[name], _kinds(inner.get(name, {}))) for name in schema.get("required", ())
    )


def property_names(schema: Schema) -> set[str]:
    """The names of the properties of a schema, at every depth."""
    inner = schema.get("properties", {})
    below = [*inner.values(), *([schema["items"]] if isinstance(schema.get("items"), dict) else [])]
    return set(inner).union(*(property_names(one) for one in below))


def _kinds(schema: Schema) -> set[str]:
    written = schema.get("type", ())
    return {written} if isinstance(written, str) else set(written)


def _is(value: Any, kinds: set[str]) -> bool:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null", float: "number"}
    if type(value) is int:
        return bool(kinds & {"integer", "number"}) or not kinds
    return names.get(type(value)) in kinds or not kinds


def _unquoted(written: str, schema: Schema, kinds: set[str], notes: Notes) -> Any:
    """Return the value inside a string: a number, true or false, or JSON (iterative/datachain#1930)."""
    bare = written.strip()
    if kinds & {"integer", "number"} and WHOLE.fullmatch(bare):
        notes["number"] += 1
        return int(float(bare))
    if "boolean" in kinds and bare.casefold() in ("true", "false"):
        notes["boolean"] += 1
        return bare.casefold() == "true"
    if not kinds & {"array", "object"}:
        return written
    try:
        found = loads(bare)
    except (ValueError, RecursionError):
        rows = rows_of(bare) if takes_lines(schema) else None
        notes["lines"] += rows is not None
        return written if rows is None else [rows]
    if not isinstance(found, dict | list):
        return written
    notes["encoded"] += 1
    return shaped(found, schema, notes)


def _list(value: Any, schema: Schema, notes: Notes) -> Any:
    """Return a list: a single object becomes a list of one, a mapping a list of named ones (instructor#1341)."""
    item: Schema = schema.get("items", {})
    if value is None:
        notes["list"] += 1
        return []
    if isinstance(value, dict) and takes_lines(schema) and (rows := rows_by_number(value)):
        notes["list"] += 1
        return rows
    if isinstance(value, dict) and "object" in _kinds(item):
        notes["list"] += 1
        own = shaped(value, item, Notes())
        value = [value] if fits(own, item) else _keyed(value, item)
    return [shaped(one, item, notes) for one in value] if isinstance(value, list) else value


def _keyed(value: dict[str, Any], item: Schema) -> Any:
    """`{"P1": {...}}` as `[{"id": "P1", ...}]`, and `{"Topic": "Tax"}` as a list of name and value.

    The name becomes the first property, which must allow every one of them; else the object stays.
    """
    inner: dict[str, Schema] = item.get("properties", {})
    key, *others = inner or [""]
    if not others or (not value and len(others) > 1) or not all(_may_be(name, inner[key]) for name in value):
        return value
    if all(isinstance(one, dict) for one in value.values()) and len(others) > 1:
        return [{**one, key: one.get(key, name)} for name, one in value.items()]
    if len(others) > 1:
        return value
    return [
        {key: name, others[0]: one[others[0]] if isinstance(one, dict) and others[0] in one else one}
        for name, one in value.items()
    ]


def _may_be(name: str, schema: Schema) -> bool:
    kinds = _kinds(schema)
    if "integer" in kinds:
        return WHOLE.fullmatch(name.strip()) is not None
    return "string" in kinds and ("enum" not in schema or matched_name(name, schema["enum"]) is not None)


def _object(value: Any, schema: Schema, notes: Notes) -> Any:
    if not isinstance(value, dict):
        return value
    inner: dict[str, Schema] = schema.get("properties", {})
    named = {_property(name, value, inner, notes): one for name, one in value.items()}
    if len(inner) == 2 and all("string" in _kinds(one) for one in inner.values()):
        named = {name: _spelled(one, notes) for name, one in named.items()}
    return {name: shaped(one, inner[name], notes) if name in inner else one for name, one in named.items()}


def _spelled(value: Any, notes: Notes) -> Any:
    """Return the value of a name-value pair as text: a number, true or false as written."""
    if not isinstance(value, bool | int | float):
        return value
    notes["text"] += 1
    return str(value).lower() if isinstance(value, bool) else str(value)


def _property(name: str, value: dict[str, Any], inner: dict[str, Schema], notes: Notes) -> str:
    """Return the intended property of a differently written name, unless the property is present as well."""
    if name in inner:
        return name
    found = matched_name(name, inner)
    alike = [other for other in value if found and matched_name(other, inner) == found]
    if found is None or len(alike) > 1:
        return name
    notes["name"] += 1
    return found


def _text(value: Any, schema: Schema, notes: Notes) -> Any:
    """Return the matching name of an enum, if the schema has one."""
    if not isinstance(value, str) or "enum" not in schema:
        return value
    found = matched_name(value, schema["enum"])
    if found is None or found == value:
        return value
    notes["name"] += 1
    return found


def _integer(value: Any, schema: Schema, notes: Notes) -> Any:
    if not isinstance(value, float) or not value.is_integer():
        return value
    notes["number"] += 1
    return int(value)


SHAPES = {"array": _list, "object": _object, "string": _text, "integer": _integer}
"""The function that shapes a value of each kind."""
