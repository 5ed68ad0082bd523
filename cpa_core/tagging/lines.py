"""The lines of an answer, `m quote|why|type|values`, read into the objects of other answers.

The answer makes three quarters of the cost of tagging. A tokenizer has one token for `"because":"` as for `"w":"`, so
short keys save nothing; braces, brackets and quotation marks cost most. Objects are still read: in answers of earlier
versions, and in answers to repeated questions.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from cpa_core.evidence import locate
from cpa_core.llm.reading import matched_name
from cpa_core.models import EventSchema, EventType, Message

LINE = re.compile(r"\s*(?:m\s*=?\s*)?(\d+)(?:[.:)]?\s+|\s*\|\s*)(\S.*)", re.DOTALL)
"""The number of a message, as models write it, and the words after it."""
NOTHING = frozenset({"", "none", "nothing", "no event", "no events"})
"""Texts for a message without events, without dashes and marks around them."""
EDGES = " -–—.()[]"
WORDS = re.compile(r"[^\W\d_]+|\d+")
"""Runs of letters, and of digits."""
UNCLEAR = "unclear"
"""The key of an event that could be read in two ways."""
BAR = "|"
ROLE = re.compile(r"\s*[(\[](?:user|assistant)(?:, plain)?[)\]]$")
"""The suffix that the catalogue shows after a type's name."""


def entries_of(items: Sequence[Any], messages: Mapping[int, Message], schema: EventSchema) -> dict[int, Any]:
    """The entries in an answer's list by `m`, objects or lines. If a message has both, its objects count.

    A message with several objects has the events of all of them.
    """
    objects: dict[int, Any] = {}
    lines: dict[int, Any] = {}
    barred = [message.content for message in messages.values() if BAR in message.content]
    for item in items:
        if isinstance(item, dict) and type(item.get("m")) is int:
            entry = _with_events(item, messages.get(item["m"]), schema)
            objects[item["m"]] = _together(objects.get(item["m"]), entry)
        for m, events in _rows(item, messages, schema, barred) if isinstance(item, str) else ():
            lines.setdefault(m, {"m": m, "events": []})["events"] += events
    return lines | objects


def _rows(
    item: str, messages: Mapping[int, Message], schema: EventSchema, barred: Collection[str]
) -> list[tuple[int, list[dict[str, Any]]]]:
    """Return the messages of a line, each with its events; a text of several lines is several rows.

    A quote copied with its line breaks looks like several rows, too. So a text is several rows only if each is whole
    and none begins like words of a message. It is one row if its quote contains the line breaks. Otherwise all messages
    that it may refer to are unclear.
    """
    parts = [part for part in item.replace("\r\n", "\n").split("\n") if part.strip()]
    starts = [start for part in parts if (start := _start(part, messages))]
    whole = _start(item, messages)
    if whole is None:
        return []
    one = [(whole[0], _events(*whole, messages, schema, barred))]
    if len(parts) == 1:
        return one
    rows = [(m, _events(m, words, messages, schema, barred)) for m, words in starts]
    in_order = len(rows) == len(parts) and all(a <= b for (a, _), (b, _) in pairwise(rows))
    are_rows = in_order and _are_whole(rows, messages, schema)
    is_one = _is_one(item, one[0], messages, schema)
    if is_one and not are_rows:
        return one
    if are_rows and not is_one and not any(_stands_as(*start, messages) for start in starts[1:]):
        return rows
    return [(m, [{UNCLEAR: True}]) for m in dict.fromkeys(m for m, _ in starts)]


def _start(text: str, messages: Mapping[int, Message]) -> tuple[int, str] | None:
    """The number of a message at the beginning of a row, and the row's words."""
    found = LINE.fullmatch(text)
    return (int(found[1]), found[2].strip()) if found and int(found[1]) in messages else None


def _events(
    m: int, words: str, messages: Mapping[int, Message], schema: EventSchema, barred: Collection[str]
) -> list[dict[str, Any]]:
    return [] if _is_nothing(words) else [_event(words, messages[m], schema, barred)]


def _is_one(
    item: str, row: tuple[int, list[dict[str, Any]]], messages: Mapping[int, Message], schema: EventSchema
) -> bool:
    """Whether a text of several lines is one row: its quote was copied with line breaks, or it names one type at most
    and no other line begins as a row does."""
    m, events = row
    quote = str(events[0].get("quote") or "") if events else ""
    if "\n" in quote and locate(quote, messages[m].content):
        rest = item[item.rfind(quote) + len(quote) :]
        return "\n" not in rest.strip()
    following = item.strip().split("\n")[1:]
    cells = [cell for line in item.split("\n") for cell in line.split(BAR)]
    types = schema.of_role(messages[m].role)
    named = [cell for cell in cells if matched_name(ROLE.sub("", cell.strip()), types)]
    return len(named) < 2 and not any(LINE.fullmatch(line) for line in following)


def _are_whole(
    rows: Sequence[tuple[int, list[dict[str, Any]]]], messages: Mapping[int, Message], schema: EventSchema
) -> bool:
    """Return whether each row states that there is no event, or names a type with all of its values."""
    for m, events in rows:
        types = schema.of_role(messages[m].role)
        for event in events:
            name = matched_name(str(event.get("type")), types)
            if name is None or len(event.get("properties", ())) != len(types[name].properties):
                return False
    return True


def _stands_as(m: int, words: str, messages: Mapping[int, Message]) -> bool:
    """Whether a row's number and first word stand together in a message, so that it may be words of that message."""
    begin = WORDS.findall(unicodedata.normalize("NFKC", words.partition(BAR)[0]).casefold())[:1]
    wanted = " ".join(["", str(m), *begin])
    return any(wanted in f" {_plain(message.content)}" for message in messages.values())


@lru_cache(maxsize=512)
def _plain(content: str) -> str:
    return " ".join(WORDS.findall(unicodedata.normalize("NFKC", content).casefold()))


def _together(first: Any, second: Any) -> Any:
    """Return two entries of one message merged; if they cannot be merged, the faulty one."""
    if first is None or not isinstance(second.get("events"), list):
        return second
    both = isinstance(first.get("events"), list)
    return {**first, "events": first["events"] + second["events"]} if both else first


def _with_events(item: dict[str, Any], message: Message | None, schema: EventSchema) -> dict[str, Any]:
    """Return an entry, or an event as an entry, with the keys by which the lines are explained."""
    written = item.get("type")
    if message is None or "events" in item or not isinstance(written, str):
        return item
    if _is_nothing(written.strip()):
        return {"m": item["m"], "events": []}
    event = {name: item[name] for name in ("quote", "type") if name in item}
    name = matched_name(written.strip(), schema.of_role(message.role))
    values = item.get("properties", item.get("values"))
    if isinstance(values, dict):
        values = [{"name": key, "value": value} for key, value in values.items()]
    cells = values.split(BAR) if isinstance(values, str) and values.strip() else values or []
    if name and isinstance(cells, list) and all(isinstance(cell, str) for cell in cells):
        cells = _pairs(cells, schema.of_role(message.role)[name])
    because = item.get("because", item.get("why"))
    return {"m": item["m"], "events": [{**event, "because": because, "properties": cells}]}


def _is_nothing(words: str) -> bool:
    """Return whether a line states that there is no event."""
    return all(cell.strip(EDGES).casefold() in NOTHING for cell in words.split(BAR))


def _event(words: str, message: Message, schema: EventSchema, barred: Collection[str]) -> dict[str, Any]:
    """Return one line as an object. Missing parts are left out; a `|` in a quote or in the last value belongs to it.

    `barred` are the messages with a `|`: text that occurs in one of them is no answer. An ambiguous line is `unclear`.
    """
    cells = words.split(BAR)
    types = schema.of_role(message.role)
    named = [matched_name(ROLE.sub("", cell.strip()), types) for cell in cells]
    kinds = [types[name] if name else None for name in named]
    own = [kind if kind and not _stands(cells[: n + 1], barred) else None for n, kind in enumerate(kinds)]
    place = _place_of_type(cells, own)
    is_copied = bool(barred) and sum(kind is not None for kind in own) > 1
    if is_copied or _is_unclear(cells, own, bool(barred)) or (place is None and any(kinds[2:])):
        return {UNCLEAR: True}
    if place is None:
        said = cells[2] if len(cells) > 2 else cells[-1]
        return {"quote": cells[0].strip(), "because": cells[1].strip() if len(cells) > 2 else None, "type": said}
    event_type = types[named[place] or ""]
    written = ROLE.sub("", cells[place].strip())  # as it was written, so that what is folded can be counted
    event = {"type": written, "properties": _pairs(cells[place + 1 :], event_type)}
    if place < 2:
        return event
    quote, because = _quote_and_reason(cells[:place], message.content)
    return {"quote": quote, "because": because, **event}


def _stands(cells: Sequence[str], barred: Collection[str]) -> bool:
    """Whether a quote, a reason and a type stand so in a message: then the type is words of the quote."""
    return len(cells) > 2 and any(locate(BAR.join(cells).strip(), content) for content in barred)


def _is_unclear(cells: Sequence[str], kinds: Sequence[EventType | None], is_barred: bool) -> bool:
    """Return whether more than one cell may be the type, followed by as many values as the type has.

    If no message contains a `|`, a line with a cell for each part is clear.
    """
    after = {n: len(cells) - n - 1 - len(kind.properties) for n, kind in enumerate(kinds) if kind and n > 1}
    fitting = [n for n, more in after.items() if more == 0 or (more > 0 and _has_open_end(kinds[n]))]
    return len(fitting) > 1 and (is_barred or after.get(2) != 0)


def _has_open_end(kind: EventType | None) -> bool:
    """Whether the last value may be any words, a `|` among them."""
    return bool(kind and kind.properties and not kind.properties[-1].choices)


def _place_of_type(cells: Sequence[str], types: Sequence[EventType | None]) -> int | None:
    """Return the cell of the type: the first candidate that is followed by as many values as the type has."""
    found = [(n, one) for n, one in enumerate(types) if one and (n >= 2 or not "".join(cells[:n]).strip())]
    fitting = [n for n, one in found if len(cells) - n - 1 == len(one.properties)]
    return next(iter([*fitting, *(n for n, _ in found)]), None)


def _quote_and_reason(cells: Sequence[str], content: str) -> tuple[str, str]:
    """Return the longest beginning that occurs in the message, and the rest; the last cell is always the reason's."""
    cuts = range(len(cells) - 1, 0, -1)
    cut = next((n for n in cuts if locate(BAR.join(cells[:n]).strip(), content)), len(cells) - 1)
    return BAR.join(cells[:cut]).strip(), BAR.join(cells[cut:]).strip()


def _pairs(cells: Sequence[str], event_type: EventType) -> list[dict[str, str]]:
    """The values, each with the name of the property in its place."""
    names = [found.name for found in event_type.properties]
    values = [cell.strip() for cell in cells]
    if 0 < len(names) < len(values) and not event_type.properties[-1].choices:
        values = [*values[: len(names) - 1], BAR.join(cells[len(names) - 1 :]).strip()]
    if len(values) > len(names):
        names += [f"value {n + 1}" for n in range(len(names), len(values))]
    return [{"name": name, "value": value} for name, value in zip(names, values, strict=False)]
