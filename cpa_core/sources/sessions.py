"""The session of a message: the keys that name it in a row or beside a list of messages, one table for both."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cpa_core.sources.fields import MONGO, group, identity

SESSIONS = tuple(
    f"{word}{ending}"
    for word in ("conversation", "thread", "chat", "session", "dialog", "dialogue")
    for ending in ("_id", "Id", "ID", "_sid", "Sid", "_uuid")
)
"""These keys name the conversation of a record or row that has no `conversation_id` (a record: no `id`)."""

SESSIONS_OF_ROWS = frozenset(SESSIONS) - {"conversation_id"}
"""The same without the word that is every row's own."""

EMPTY = frozenset({"", "null", "none", "nan", "undefined", "[object object]"})
"""How programs write that there is no session."""

SESSION = "\0session "
"""How a conversation is called until it is known whose session it is: see `owners`."""


def named_by(tree: Mapping[str, Any], keys: Iterable[str]) -> str:
    """The first of these keys under which a record holds an id; "" where it holds none."""
    return next((key for key in keys if key in tree and is_given(tree[key])), "")


def is_given(value: Any) -> bool:
    """Whether a value is an id: a text that says something, a whole number, or either as mongoexport writes it."""
    if isinstance(value, str):
        return value.strip().lower() not in EMPTY
    if isinstance(value, dict):
        return len(value) == 1 and value.keys() <= MONGO
    return type(value) is int


def session_id(key: str, value: Any) -> str | None:
    """The conversation that a value of SESSIONS names; provisional for a session, which is one user's."""
    named = identity(key, value)
    return f"{SESSION}{named}" if named is not None and key.startswith("session") else named


def key_of_row(tree: Mapping[str, Any], *, sessions: bool) -> str:
    """The key of a row that names its conversation: `conversation_id`, else one of SESSIONS, else the user's.

    `sessions`: SESSIONS are read. A blank `conversation_id` remains the key where nothing else names one.
    """
    if "conversation_id" in tree and (not sessions or identity("conversation_id", tree["conversation_id"])):
        return "conversation_id"
    found = named_by(tree, SESSIONS) if sessions else ""
    return found or ("conversation_id" if "conversation_id" in tree else "user_id")


def id_of_row(key: str, tree: Mapping[str, Any]) -> str:
    """The id of a row's conversation by this key of it. Raises ValueError where there is none, or it is nobody's."""
    if key not in tree:
        raise ValueError("conversation_id: missing")
    if key in ("conversation_id", "user_id"):
        return group(key, identity(key, tree[key]))
    return group(key, session_id(key, tree[key]))


def with_session(cells: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]] | None:
    """Columns of text in which `conversation_id` stands for the session, where they name none; None: row by row."""
    key = next((key for key in SESSIONS if key in cells and key != "conversation_id"), "")
    if not key or all(isinstance(one, str) and one.strip() for one in cells.get("conversation_id", ("",))):
        return cells
    values = cells[key]
    if "conversation_id" in cells or not all(isinstance(one, str) for one in values):
        return None
    if not all(map(is_given, set(values))):
        return None
    found = {one: session_id(key, one) for one in set(values)}
    left = {name: column for name, column in cells.items() if name != key}
    return {**left, "conversation_id": [found[one] for one in values]}
