"""A proposal as a file for people: the schema, and in comments what it rests on."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice

from cpa_core.models import EventSchema
from cpa_core.proposing.counting import QUOTE_CHARACTERS, Counted, Firing
from cpa_core.schema import dump

WIDTH = 10
"""Ids of the sample in one line."""


def written(schema: EventSchema, head: Sequence[str], found: Counted | None, ids: Sequence[str]) -> str:
    """The text of the file. Reading it gives the schema; every comment stays on its line, whatever a message holds."""
    firings = {(one.event_type.name, one.event_type.role): one for one in found.firings} if found else {}
    types = iter(schema.event_types)
    lines = [f"# {line}" for line in head]
    lines += [f"# {_one_line(', '.join(part))}" for part in _parts(ids)]
    is_in_types = False
    for line in dump(schema).splitlines():
        if is_in_types and line.startswith("- "):
            one = next(types)
            firing = firings.get((one.name, one.role))
            lines += [f"# {said}" for said in _said(firing, found)] if firing and found and found.conversations else []
        is_in_types = is_in_types or line == "event_types:"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _said(firing: Firing, found: Counted) -> Iterator[str]:
    share = firing.messages / found.messages if found.messages else 0.0
    of = f"the {found.conversations} conversations that were counted" if found.failed else "the sample"
    yield f"{firing.messages} of {found.messages} messages of {of} ({share:.1%})"
    for quote in firing.quotes:
        cut = quote if len(quote) <= QUOTE_CHARACTERS else quote[:QUOTE_CHARACTERS] + "…"
        yield f"  e.g. {_one_line(json.dumps(cut, ensure_ascii=False))}"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while part := list(islice(rest, WIDTH)):
        yield part
