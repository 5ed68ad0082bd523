"""Whose words a message is: our role for each word that a file uses, by default or by what the person names."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

DEFAULTS: Mapping[str, str] = {
    **dict.fromkeys(("user", "human", "customer", "client", "visitor", "end_user"), "user"),
    **dict.fromkeys(("assistant", "ai", "bot", "model", "gpt", "chatgpt", "agent", "automated_agent"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "tool_result"), "tool"),
    **dict.fromkeys(("tool_call", "function_call"), "tool_call"),
    "reasoning": "reasoning",
    "attachment": "attachment",
}
"""Our role for each word that is known without being named. Any other is kept, and nobody tags it."""

OURS = frozenset(DEFAULTS.values())
"""Every role that has a meaning here."""

DOUBTFUL = "agent"
"""A program in one product's words, a person in another's: beside a bot in one conversation it must be named."""

LEFT = "other"
"""The word by which a person says that a role is nobody's to tag."""


@lru_cache(maxsize=1024)
def word(role: str) -> str:
    """A role as it is looked up: letter case, spaces and hyphens do not count, and `1.0` is `1`."""
    folded = role.strip().lower().replace(" ", "_").replace("-", "_")
    return folded.removesuffix(".0") if folded.removesuffix(".0").isdecimal() else folded


def ours(role: str, named: Mapping[str, str]) -> str:
    """Our role for one word; `named` has ours by word. The word itself where there is none."""
    if not named and role in DEFAULTS:
        return DEFAULTS[role]
    found = named.get(word(role)) or DEFAULTS.get(word(role))
    return role if found in (None, LEFT) else found


def known(named: Mapping[str, str]) -> list[str]:
    """The roles that need no word of warning: ours, and those that the person left out on purpose."""
    left = {word for word, role in named.items() if role == LEFT}
    return sorted(OURS | {word.replace("_", mark) for word in left for mark in "_ -"})


def assigned(drafts: Any, named: Mapping[str, str], records: Any = None) -> Any:
    """The same drafts (columns of `columns.DRAFT`) with our roles; `records` are those that they belong to, if any.

    `agent` is the assistant only in conversations in which no other word is, unless `named` says what it is.
    """
    written = drafts["role"]
    words = pc.unique(written)
    made = pa.array([ours(one, named) for one in words.to_pylist()], pa.string())
    if made.equals(words.cast(pa.string())):
        return drafts
    roles = pc.take(made, pc.index_in(written, words))
    if DOUBTFUL not in named:
        bots = [one for one in words.to_pylist() if one != DOUBTFUL and ours(one, named) == "assistant"]
        if bots and DOUBTFUL in words.to_pylist():
            keys = _keys(drafts, records)
            beside = pc.is_in(keys, pc.unique(keys.filter(pc.is_in(written, pa.array(bots, pa.string())))))
            roles = pc.if_else(pc.and_(pc.equal(written, DOUBTFUL), beside), written, roles)
    return drafts.set_column(drafts.schema.get_field_index("role"), drafts.schema.field("role"), roles)


def _keys(drafts: Any, records: Any) -> Any:
    """Return keys that distinguish the conversations of drafts: their ids, or the place of a record without an id."""
    keys = drafts["conversation_id"].to_pylist()
    for record in () if records is None else records.select(["conversation_id", "first", "size"]).to_pylist():
        if not record["conversation_id"]:
            place = slice(record["first"], record["first"] + record["size"])
            keys[place] = [f"\0{record['first']}"] * record["size"]
    return pa.chunked_array([pa.array(keys, pa.string())])


def counted(records: Any, named: Mapping[str, str]) -> dict[str, int]:
    """How many messages have each role that nobody tags."""
    counts = pc.value_counts(records["role"]).to_pylist()
    fine = set(known(named))
    return {one["values"]: one["counts"] for one in counts if one["values"] not in fine}
