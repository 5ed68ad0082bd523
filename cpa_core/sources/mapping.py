"""The mapping of `--map`: the place of each of our words in a record or a message of this file, by path.

A path is a key (`sender`), keys inside each other (`message.text`), elements of lists (`parts[].text`, `turns[0].who`),
or a key with dots of its own (`attributes.session.id`), which comes first. JSON that stands as text is looked into, and
so are the attributes of OpenTelemetry, also without the word `attributes`.
Source of the notation: a subset of JMESPath, https://jmespath.org/specification.html (without its flattening).
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, MutableSet, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from cpa_core.sources import times
from cpa_core.sources.documents import DECODER

Steps: TypeAlias = tuple[str | int | None, ...]
"""Keys, positions in a list, and None for all elements of one."""

CONVERSATIONS = (
    *("conversation", "thread", "session", "chat", "ticket", "dialogue", "dialog", "call", "case", "interaction"),
)
"""Names of a conversation, the likeliest first; its id stands under one, or under one with an ending (`ticket_id`)."""

LIKELY: Mapping[str, tuple[str, ...]] = {
    "role": (
        *(
            "author_type",
            "sender_type",
            "author_role",
            "sender_role",
            "participant_role",
            "sender",
            "author",
            "speaker",
        ),
        "from",
        *("participant", "who", "actor", "message_type"),
    ),
    "content": (
        "text",
        "message",
        "body",
        "utterance",
        "msg",
        "value",
        "transcript",
        "message_text",
        "content_text",
        "words",
    ),
    "conversation_id": (
        *(f"{one}{ending}" for one in CONVERSATIONS for ending in ("", "_id", "_key", "_uuid", "_sid")),
        *("conv_id", "trace_id", "talk", "id"),
    ),
    "user_id": (
        *("user", "customer_id", "customer", "client_id", "visitor_id", "shopper", "member_id", "account_id"),
        *("contact_id", "person_id", "participant_id", "user_name", "username", "email"),
    ),
    "timestamp": (
        *("created_at", "sent_at", "created", "time", "start_time", "started_at", "date", "datetime", "event_time"),
        *("ts", "create_time", "timestamp_ms", "event_timestamp", "inserted_at", "logged_at", "when"),
    ),
    "messages": ("chat_messages", "turns", "events", "transcript", "history", "dialogue", "dialog", "utterances"),
}
"""Other names of our words, the likeliest first; letter case and underscores are ignored."""

SIDES: Mapping[str, tuple[str, ...]] = {
    "input": ("question", "query", "user_message", "user_input", "user_query", "prompt", "user_prompt", "request"),
    "output": ("answer", "response", "reply", "bot_response", "assistant_response", "bot_message", "completion"),
}
"""Other names of both sides of one exchange, where a record holds a question and its answer."""

LISTS = frozenset({"messages", "conversations"})
"""Words whose value is a list of messages."""

OF_RECORD = LISTS | {"conversation_id", "id", "user_id", "user", "system", "input", "output"}
"""Words of a whole conversation or call: inside one they say nothing of a single message."""

OF_MESSAGE = frozenset({"role", "content", "message_id", "from", "value", "parts"})
"""Words of one message: of a conversation that holds its messages in a list they say nothing."""

_STEP = re.compile(r"((?:[^.\[\]]|\[[^\[\]\d][^\[\]]*\])+)|\[(\d*)\]")
"""A key, which may have a unit in brackets (`timestamp [UTC]`), or a place in a list."""


CLOCK = "timestamp+"
"""The word of a time of day whose date stands apart from it: `timestamp=Date+Time`."""


class Mapped(dict[str, Any]):
    """An object in which our words stand already."""


class Path(NamedTuple):
    """One word and where it stands."""

    word: str
    steps: Steps

    def found(self, tree: Any) -> list[Any]:
        """Return the values at the path: none, one, or one for each element of the lists on the way."""
        return list(_found(tree, self.steps))

    def value(self, found: Sequence[Any]) -> Any:
        """Return the value of the word: with lists on the way, all messages, all lines of text, or else the first."""
        if None not in self.steps:
            return found[0]
        if self.word in LISTS:
            return [one for part in found for one in (part if isinstance(part, list) else [part])]
        if self.word == "content" and all(isinstance(one, str) for one in found):
            return "\n".join(found)
        return list(found) if self.word == "content" else found[0]


def steps(written: str) -> Steps:
    """A path as it is written, in steps. Raises ValueError for what is none."""
    found: list[str | int | None] = []
    rest = written
    while rest:
        match = _STEP.match(rest)
        if not match:
            raise ValueError(f"{written!r} is no path, as in message.text or parts[].text")
        key, at = match.groups()
        found.append(key if key is not None else int(at) if at else None)
        rest = rest[match.end() :].removeprefix(".")
    return tuple(found)


def _found(tree: Any, rest: Steps) -> Iterator[Any]:
    if not rest:
        yield tree
        return
    if isinstance(tree, str) and tree.lstrip()[:1] in ("{", "["):
        tree = _unfolded(tree)
    step = rest[0]
    if isinstance(tree, list):
        if step is None:
            yield from (value for one in tree for value in _found(one, rest[1:]))
        elif isinstance(step, int) and step < len(tree):
            yield from _found(tree[step], rest[1:])
        elif isinstance(step, str) and (pairs := _pairs(tree)):
            yield from _found(pairs, rest)
    elif isinstance(tree, dict) and isinstance(step, str):
        for length in range(_keys(rest), 0, -1):
            key = ".".join(map(str, rest[:length]))
            if key in tree:
                yield from _found(tree[key], rest[length:])
                return
        if isinstance(tree.get("attributes"), dict | list) and step != "attributes":
            yield from _found(tree["attributes"], rest)


def _pairs(tree: list[Any]) -> dict[str, Any]:
    """OpenTelemetry's list of `{"key", "value": {"stringValue"}}` as an object; empty where a list is none."""
    if not all(isinstance(one, dict) and one.keys() == {"key", "value"} for one in tree):
        return {}
    return {str(one["key"]): next(iter(v.values())) if isinstance(v := one["value"], dict) and v else v for one in tree}


def _keys(rest: Steps) -> int:
    """How many steps from here are keys, which may be one key with dots."""
    return next((n for n, step in enumerate(rest) if not isinstance(step, str)), len(rest))


def _unfolded(text: str) -> Any:
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _without(tree: Any, rest: Steps) -> Any:
    """A copy of a tree that no longer holds what stands there."""
    if not isinstance(tree, dict) or not isinstance(rest[0], str):
        return tree
    for length in range(_keys(rest), 0, -1):
        key = ".".join(map(str, rest[:length]))
        if key in tree:
            deeper = rest[length:]
            if deeper and isinstance(tree[key], dict) and (left := _without(tree[key], deeper)):
                return {**tree, key: left}
            if deeper and isinstance(deeper[0], str) and isinstance(tree[key], list):
                return tree  # attributes of a span, which say more than this one
            return {name: value for name, value in tree.items() if name != key}
    return tree


class Paths(NamedTuple):
    """The paths of a mapping by what they are looked up in: a record or row, and a message inside a record.

    `routes` are the places of records that the mapping itself names, as steps from the top of a file.
    """

    record: tuple[Path, ...] = ()
    message: tuple[Path, ...] = ()
    routes: tuple[Steps, ...] = ()


@lru_cache(maxsize=64)
def paths(names: tuple[tuple[str, str], ...]) -> Paths:
    """The paths of pairs of our word and theirs. Raises ValueError for what is no path.

    Where `role` is named from the top of a file (`threads[].turns[].who`), the elements of its last list are the
    messages. Their parent is the record, unless the conversation's id is named in them too: then each is a record.
    Where `messages` and the conversation's id go through the same list, its elements are the records.
    """
    written = {word: steps(path) for pair in names for word, path in _apart(*pair)}
    routes: list[Steps] = []
    if base := _base(written):
        route = _route(written, base)
        routes.append(route)
        inner = {word: found[len(base) :] for word, found in written.items() if _begins(found, base)}
        outer = {word: found[len(route) :] if _begins(found, route) else found for word, found in written.items()}
        written = {**outer, **inner} if route == base else {**outer, **inner, "messages": base[len(route) : -1]}
    elif messages := written.get("messages"):
        if _key(written) and (route := _common(written, messages[:-1])):
            routes.append(route)
            written = {word: found[len(route) :] if _begins(found, route) else found for word, found in written.items()}
        else:
            routes.append(messages if messages[-1] is None else (*messages, None))
    made = tuple(Path(word, found) for word, found in written.items() if found)
    return Paths(made, tuple(one for one in made if one.word not in OF_RECORD), tuple(filter(None, routes)))


def _apart(word: str, path: str) -> Iterator[tuple[str, str]]:
    """A word and its path; those of the date and of the time of day, where a time stands in two fields."""
    day, mark, clock = path.partition("+") if word == "timestamp" else (path, "", "")
    yield word, day.strip() if mark else path
    if mark:
        yield CLOCK, clock.strip()


def lists_of(names: Mapping[str, str]) -> Steps:
    """The steps of `messages` where they go through a list, and nothing else named says which lists are one talk."""
    found = {word: steps(path) for word, path in names.items()}
    way = found.get("messages", ())
    apart = None in way[:-1] and not _base(found) and not _key(found)
    return (way[:-1] if way[-1] is None else way) if apart else ()


def written(way: Steps) -> str:
    """A path in the notation in which it is given."""
    return "".join("[]" if one is None else f"[{one}]" if isinstance(one, int) else f".{one}" for one in way)[1:]


def _base(written: Mapping[str, Steps]) -> Steps:
    """The steps to each message, where `role` (or only `content`) is named through a list."""
    named = written.get("role") or (written.get("content", ()) if "messages" not in written else ())
    if "role" not in written and named[:2] != ("messages", None):
        return ()
    return named[: max((n + 1 for n, step in enumerate(named) if step is None), default=0)]


def _route(written: Mapping[str, Steps], base: Steps) -> Steps:
    """The steps to each record: to the last list that the conversation's id and the messages have in common."""
    if any(_begins(key, base) for key in _key(written)):
        return base
    return _common(written, base[:-1])


def _key(written: Mapping[str, Steps]) -> list[Steps]:
    """The steps to the word that tells records apart; none where none is named."""
    return [written[word] for word in ("conversation_id", "id", "user_id") if word in written][:1]


def _common(written: Mapping[str, Steps], shared: Steps) -> Steps:
    """The steps to the last list that these steps and those to the conversation's id have in common."""
    for key in _key(written):
        pairs = enumerate(zip(shared, key, strict=False))
        shared = shared[: next((n for n, (a, b) in pairs if a != b), min(len(shared), len(key)))]
    return shared[: max((n + 1 for n, step in enumerate(shared) if step is None), default=0)]


def _begins(found: Steps, with_these: Steps) -> bool:
    return bool(with_these) and found[: len(with_these)] == with_these


def mapped(tree: Any, names: Mapping[str, str], matched: MutableSet[str]) -> Any:
    """A record or row with our words. In one that holds its messages in a list, words of a message count for nothing.

    `matched` takes in each word that was found. An object with a repeating key is left as it is, to be refused.
    """
    if type(tree) is not dict:
        return tree
    known = paths(tuple(names.items())).record
    outer = _filled(tree, tree, [one for one in known if one.word not in OF_MESSAGE], matched)
    if any(isinstance(outer.get(word), list) for word in LISTS):
        return outer
    return _filled(tree, outer, [one for one in known if one.word in OF_MESSAGE], matched)


def message(tree: Any, names: Mapping[str, str], matched: MutableSet[str]) -> Any:
    """One message inside a record with our words; words of a record count for nothing."""
    return _filled(tree, tree, paths(tuple(names.items())).message, matched) if type(tree) is dict else tree


def _filled(tree: dict[str, Any], rest: dict[str, Any], known: Sequence[Path], matched: MutableSet[str]) -> Mapped:
    """`rest`, which is what is left of `tree`, with the words that stand in `tree`."""
    found: dict[str, Any] = {}
    for one in known:
        values = one.found(tree)
        if values:
            found[one.word] = one.value(values)
            rest = _without(rest, one.steps)
        if values or one.word in tree:
            matched.add(one.word)
    if CLOCK in found:
        day, clock = (str(found.pop(word, "") or "") for word in ("timestamp", CLOCK))
        found["timestamp"] = times.of_day_and_clock(day, clock)
    return Mapped(shadowed(rest, found) | found)


def shadowed(rest: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other fields of an object; a key equal to one of our words, mapped elsewhere, is renamed."""
    return {f"{key} (of the file)" if key in found else key: value for key, value in rest.items()}


def column(name: str, names: Mapping[str, str]) -> str:
    """Return our word for a column if a path is just this column, else its own name."""
    return next((word for word, path in names.items() if path == name), name)


def likely(words: Iterable[str], keys: Sequence[str]) -> dict[str, str]:
    """For each of our words the key, of those seen, that is most likely meant; words without one are left out."""
    seen = {_folded(key): key for key in reversed(keys)}
    pairs = (
        (word, [seen[_folded(one)] for one in (word, *LIKELY.get(word, ())) if _folded(one) in seen]) for word in words
    )
    return {word: found[0] for word, found in pairs if found}


def _folded(key: str) -> str:
    return key.lower().replace("_", "").replace(" ", "").replace("-", "")


def flag(named: Mapping[str, str]) -> str:
    """The flag that names these: `--map role=sender,content=text`."""
    pairs = ",".join(f"{word}={path}" for word, path in named.items())
    return f"--map {shlex.quote(pairs) if ' ' in pairs else pairs}" if named else ""


def advice(named: Mapping[str, str], lacking: Iterable[str], keys: Sequence[str]) -> str:
    """The flag that would do: what is named already, and the lacking words, each with its likely key or `...`.

    Time and user are named where a key is likely one; they may be missing.
    """
    lacking = [word for word in lacking if word not in named]
    if "role" in lacking and (both := sides(keys)):
        lacking = [word for word in lacking if word not in ("role", "content")]
        named = {**named, **both}
    found = likely([*lacking, *(word for word in ("timestamp", "user_id") if word not in {*named, *keys})], keys)
    taken = [found[word] for word in lacking if word in found]
    found = {word: key for word, key in found.items() if word in lacking or key not in taken}
    return flag({**named, **dict.fromkeys(lacking, "..."), **found})


def sides(keys: Sequence[str]) -> dict[str, str]:
    """The keys of a question and its answer, of those seen; none where not both are there."""
    seen = {_folded(key): key for key in reversed(keys)}
    found = {word: [seen[_folded(one)] for one in names if _folded(one) in seen] for word, names in SIDES.items()}
    return {word: keys_[0] for word, keys_ in found.items()} if all(found.values()) else {}


def begins_in(path: str, keys: Sequence[str]) -> bool:
    """Whether a path begins at one of these keys, or is one."""
    found = steps(path)
    return any(".".join(map(str, found[:n])) in keys for n in range(1, _keys(found) + 1))
