"""Hints for a file that is not read as it should be: words that match nothing, and fields that look like ours."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow.compute as pc

from cpa_core.errors import SourceError
from cpa_core.sources import headers, mapping, shapes
from cpa_core.sources.files import File
from cpa_core.sources.formats import recognition
from cpa_core.sources.formats.recognition import Choice
from cpa_core.sources.records import Reject
from cpa_core.sources.times import moment

LOOKED_AT = 3
"""Records whose keys are looked at."""
SHOWN = 14
DEPTH = 6
_TIME = re.compile(r"(start|end|creat|sent|send|event|insert|log|updat|time|date|_at$|At$|^ts$|^at$)", re.IGNORECASE)
_FIRST = ("created", "sent", "timestamp", "time", "date", "ts", "start")
"""Names of a message's own time, which precede others."""


def records(file: File, chosen: Choice) -> list[Any]:
    """The first records of a file as they are written; of conversations by id, those."""
    plain = file._replace(names={}, matched=None)
    found = chosen.records(plain)
    first = [one[1] for one in islice(found, LOOKED_AT) if not isinstance(one, Reject)]
    if chosen.form.name != "json":
        return first
    return [tree for one in first if isinstance(one, dict) for tree in islice(one.values(), LOOKED_AT)]


def keys(file: File, chosen: Choice) -> list[str]:
    """The paths that occur in the first records, never a value."""
    return shapes.keys(records(file, chosen))


def check_names(file: File, chosen: Choice) -> None:
    """Raises SourceError for words of `--map` that match nothing in the file."""
    found = {*(file.matched or ())} | ({"messages"} if chosen.route in recognition.named_routes(file) else set())
    unmatched = [f"{word}={path}" for word, path in file.names.items() if word not in found]
    if unmatched:
        seen = keys(file, chosen)
        shown = ", ".join(seen[:SHOWN]) + (", ..." if len(seen) > SHOWN else "")
        raise SourceError(
            f"{file.name}: --map {','.join(unmatched)}: no record has this field. Keys seen: {shown or 'none'}. "
            "If the names stand in CPA_MAP for another file, --map '' leaves them out"
        )


def for_missing(file: File, chosen: Choice, reason: str) -> str:
    """For a field that is missing everywhere: the keys seen, and the flag by which one that is alike would serve."""
    word = reason.partition(":")[0]
    if not reason.endswith(": missing") or word not in mapping.LIKELY:
        return ""
    seen = [path.rpartition("[].")[2] for path in keys(file, chosen)]
    ours = ("conversation_id", "role", "content")
    wanted = [one for one in ours if one not in seen and one not in file.names] or [word]
    named = mapping.likely([word, *(one for one in wanted if one != word)], seen)
    flag = mapping.flag({**file.names, **named})
    advice = f"; if they are other words here: {flag}" if word in named else ""
    return f" (keys seen: {', '.join(dict.fromkeys(seen[:SHOWN]))}{advice})"


_CONVERSATION = re.compile(rf"^({'|'.join(mapping.CONVERSATIONS)})([-_]?(id|sid|uuid|key))?$", re.IGNORECASE)
_USER = re.compile(
    r"^(user|customer|client|visitor|shopper|buyer|member|account|contact|person|end_?user)[-_]?(id|uuid|name|key|email)$"
    r"|^(user|customer|shopper)$",
    re.IGNORECASE,
)
HELD = ("metadata", "meta", "attributes", "context", "properties", "extra")


def looking_like_ids(file: File, chosen: Choice, found: Any) -> Iterator[str]:
    """Notes on keys that look like the id of a conversation or user, where records of a file have none of their own.

    Of rows of messages, those have no conversation of their own that have their user's.
    `found` are the records (of messages, the drafts) as columns. Keys that are read, and values, are never named.
    """
    if chosen.form.kind == "call" or not found.num_rows:
        return
    asked = {"conversation_id": _CONVERSATION, "user_id": _USER}
    for word, pattern in asked.items():
        if word not in file.names and _is_lacking(found, word) and (path := _like(file, chosen, pattern)):
            yield (
                f"{file.name}: its records name no {word.partition('_')[0]} that is read; {path} looks like one: "
                f"{mapping.flag({**file.names, word: path})}"
            )


def _is_lacking(found: Any, word: str) -> bool:
    """Whether no record names this, or no row has another conversation than that of its user."""
    if word == "conversation_id" and "by_user" in found.column_names:
        return bool(pc.all(found["by_user"]).as_py())
    return bool(found[word].null_count == found.num_rows)


def one_conversation(file: File, chosen: Choice, records: Any) -> Iterator[str]:
    """A note on lines of messages that are taken for one conversation, for nothing names any."""
    if chosen.form.name == recognition.BARE and records.num_rows:
        yield (
            f"{file.name}: its lines name no conversation: all of them are one; if a field tells several apart, name "
            "it: --map conversation_id=FIELD"
        )


def shared_sessions(file: File, count: int) -> Iterator[str]:
    """A note on sessions that several users have."""
    if count:
        yield (
            f"{file.name}: {count:,} sessions have several users: each user's messages are a conversation of their own "
            "(SESSION@USER); if these users talk with each other, name the conversation: --map conversation_id=FIELD"
        )


def _like(file: File, chosen: Choice, pattern: re.Pattern[str]) -> str | None:
    for tree in records(file, chosen):
        held = [(f"{key}.", tree[key]) for key in HELD if isinstance(tree, dict) and isinstance(tree.get(key), dict)]
        for before, inner in [("", tree), *held] if isinstance(tree, dict) else []:
            for key, value in inner.items():
                if pattern.match(key) and type(value) in (str, int) and value != "":
                    return f"{before}{key}"
    return None


def time_field(file: File, chosen: Choice) -> str | None:
    """The path, from a message or else its record, of a field that looks like the time that is missing."""
    found = [one for tree in records(file, chosen) for one in _times(tree, (), 0) if not one.endswith("timestamp")]
    inner = [path.rpartition("[].")[2] for path in found if "[]." in path]
    outer = [path for path in found if "[]." not in path and chosen.form.name != "json"]
    best = next((path for paths in (inner, outer) for path in sorted(dict.fromkeys(paths), key=_rank)), None)
    return _with_clock(file, chosen, best) if best else None


def _with_clock(file: File, chosen: Choice, path: str) -> str:
    """The path of a date with that of the time of day beside it, where the two stand apart."""
    before, dot, _ = path.rpartition(".")
    names = [key.rpartition("[].")[2].removeprefix(before + dot) for key in keys(file, chosen)]
    pair = headers.day_and_clock([name for name in dict.fromkeys(names) if "." not in name])
    return "+".join(f"{before}{dot}{one}" for one in pair.split("+", 1)) if pair else path


def _rank(path: str) -> tuple[int, int]:
    name = path.rpartition(".")[2].lower()
    return next((n for n, one in enumerate(_FIRST) if name.startswith(one)), len(_FIRST)), path.count(".")


def _times(tree: Any, before: tuple[str, ...], depth: int) -> Iterator[str]:
    if depth > DEPTH:
        return
    if isinstance(tree, list):
        for one in tree[:LOOKED_AT]:
            yield from _times(one, (*before[:-1], f"{before[-1]}[]") if before else ("[]",), depth + 1)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(value, dict | list):
                yield from _times(value, (*before, key), depth + 1)
            elif _TIME.search(key) and _is_time(value):
                yield ".".join((*before, key))


def _is_time(value: Any) -> bool:
    try:
        return moment(value)[0] is not None
    except ValueError as error:
        return "--times" in str(error)
