"""The lines of an answer, `m quote|why|type|values`, read as the objects that other answers consist of.

Three quarters of what tagging costs is the answer. A tokenizer has one token for `"because":"` as for `"w":"`, so short
keys save nothing; what costs are braces, brackets and quotation marks. Objects are still read wherever they stand: in
answers of earlier versions, and where a question asks again.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cpa_core.evidence import locate
from cpa_core.llm.reading import matched_name
from cpa_core.models import EventSchema, EventType, Message

LINE = re.compile(r"\s*(?:m\s*=?\s*)?(\d+)[.:)]?\s+(\S.*)", re.DOTALL)
"""The number of a message, as models write it, and the words after it."""
NOTHING = frozenset({"-", "–", "—", "none", "(none)", "nothing"})
BAR = "|"
ROLE = re.compile(r"\s*[(\[](?:user|assistant)(?:, plain)?[)\]]$")
"""What the catalogue shows with a type's name."""


def entries_of(items: Sequence[Any], messages: Mapping[int, Message], schema: EventSchema) -> dict[int, Any]:
    """The entries in an answer's list by `m`, objects or lines. Where a message has both, its object counts."""
    objects: dict[int, Any] = {}
    lines: dict[int, Any] = {}
    for item in items:
        if isinstance(item, dict) and type(item.get("m")) is int:
            objects.setdefault(item["m"], item)
        elif isinstance(item, str) and (found := LINE.fullmatch(item)) and int(found[1]) in messages:
            m, words = int(found[1]), found[2].strip()
            events = lines.setdefault(m, {"m": m, "events": []})["events"]
            events += [] if words.casefold() in NOTHING else [_event(words, messages[m], schema)]
    return lines | objects


def _event(words: str, message: Message, schema: EventSchema) -> dict[str, Any]:
    """One line as an object. What it lacks is left out; a `|` in a quote or in the last value belongs to it."""
    cells = words.split(BAR)
    types = schema.of_role(message.role)
    named = [matched_name(ROLE.sub("", cell.strip()), types) for cell in cells]
    place = _place_of_type(cells, [types[name] if name else None for name in named])
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


def _place_of_type(cells: Sequence[str], types: Sequence[EventType | None]) -> int | None:
    """Which cell names the type: of those that might, the first that as many values follow as the type has."""
    found = [(n, one) for n, one in enumerate(types) if one and (n >= 2 or not "".join(cells[:n]).strip())]
    fitting = [n for n, one in found if len(cells) - n - 1 == len(one.properties)]
    return next(iter([*fitting, *(n for n, _ in found)]), None)


def _quote_and_reason(cells: Sequence[str], content: str) -> tuple[str, str]:
    """The longest beginning that the message holds, and the rest; the last cell is always of the reason."""
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
