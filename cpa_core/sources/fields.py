"""One field of one message, as a file may write it. Each raises ValueError with the rule that is broken."""

import sys
from functools import lru_cache
from typing import Any

from cpa_core.models import is_person
from cpa_core.sources.documents import Repeating
from cpa_core.sources.records import as_json, whole

MONGO = frozenset({"$oid", "$numberLong", "$numberInt", "$uuid"})
"""How mongoexport writes ids and numbers: https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/."""


def identity(key: str, value: Any) -> str | None:
    """An id as text; blank is none."""
    if isinstance(value, str):
        return whole(value) if value.strip() else None
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() <= MONGO and value:
        return identity(key, next(iter(value.values())))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: text or a number is needed, this is a {kind(value)}")
    return str(value)


def needed(key: str, value: Any) -> str:
    """An id that a record must have. Raises ValueError for a blank one."""
    found = identity(key, value)
    if found is None:
        raise ValueError(f"{key}: missing")
    return found


def group(key: str, value: str | None) -> str:
    """The id by which messages are one conversation. Raises ValueError for a blank one, and for a user who is nobody.

    `anonymous`, `null` or `0` is the word of a program for all users whom it does not know: their talks are not one.
    """
    if value is None or not value.strip():
        raise ValueError(f"{key}: blank")
    if key == "user_id" and not is_person(value):
        raise ValueError(
            "user_id: names nobody, and no conversation_id says whose talk this is: --map conversation_id=..."
        )
    return value


USUAL = frozenset({"user", "assistant", "system", "tool", "human", "ai", "model", "developer"})
"""Roles as most files write them."""


def role(value: Any) -> str:
    """A role in lower case; some tools write a number or a truth value."""
    if type(value) is str and value in USUAL:
        return value
    if type(value) is not str and isinstance(value, bool | int | float):
        value = str(value).removesuffix(".0")
    if not isinstance(value, str) or not value.strip():
        raise ValueError("role: missing" if value is None else "role: a word is needed")
    return _lower(value)


@lru_cache(maxsize=1024)
def _lower(value: str) -> str:
    return sys.intern(whole(value.strip().lower()))


def content(message: dict[str, Any]) -> str:
    """The text of a message; null is an empty one."""
    if "content" not in message:
        raise ValueError("content: missing")
    value = message["content"]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"content: text is needed, this is a {kind(value)}")
    return whole(value)


def once(fields: dict[str, Any]) -> None:
    """Refuse an object in which a key occurs twice."""
    if isinstance(fields, Repeating):
        raise ValueError(f"{whole(fields.key)}: this key occurs twice in one object")


def rest(fields: dict[str, Any], known: frozenset[str]) -> str | None:
    """Return the other fields of an object as JSON; null if there are none."""
    if fields.keys() <= known:
        return None
    return as_json({key: value for key, value in fields.items() if key not in known})


def kind(value: object) -> str:
    """Return the kind of a JSON value, in words."""
    names = {dict: "object", list: "list", str: "text", bool: "truth value", type(None): "null"}
    return names.get(type(value), "object" if isinstance(value, dict) else "number")


def truth(value: object) -> bool:
    """Whether a flag is set: true, also as the text or number that a table has for it."""
    return value is True or (isinstance(value, str | int | float) and str(value).strip().lower() in TRUE)


TRUE = frozenset({"true", "1", "1.0", "t", "yes"})
