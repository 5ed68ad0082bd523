"""What an answer about tags costs: the reference annotations of the examples written in the old form and in lines.

`python -m benchmarks.llm tokens`. One tokenizer counts both (OpenAI's o200k_base, which bpe-openai brings along). Both
are written by `json.dumps`, first as it is, as the models of this repository write, then without any space: there the
words of quotes, reasons and names alone are half of the old form, so that no form of the same words can halve it.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cpa_core import judging
from cpa_core import schema as schemas
from cpa_core.models import Conversation, EventSchema
from cpa_core.providers.reference import examples
from cpa_core.tagging import EARLIER, first_requests, read, windows
from tests.servers.brain import written
from tests.support.fakes import MODEL, conversation

Line = tuple[str, str, str, bool | None]
Entries = Mapping[int, Sequence[Mapping[str, Any]]]
ANNOMI = Path(__file__).parents[2] / "shared" / "data" / "annomi"
COMPACT = (",", ":")
HALF = 0.5


@cache
def _encoding() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it reads its data in a way that Python 3.11 deprecates
        import bpe_openai

        return bpe_openai.get_encoding("o200k_base")


def count(text: str) -> int:
    """The tokens of a text."""
    return len(_encoding().encode(text))


def objects(entries: Entries) -> dict[str, Any]:
    """An answer as the prompts before asked for it."""
    return {"messages": [{"m": m, "events": list(events)} for m, events in entries.items()]}


def lines_of(entries: Entries) -> dict[str, Any]:
    """The same answer in lines."""
    return {"messages": [row for m, events in entries.items() for row in written(m, [dict(e) for e in events])]}


def annotated(example: str) -> dict[str, Entries]:
    """The events of an example's conversations as an answer has them."""
    tree = yaml.safe_load((examples() / example / "annotations.yml").read_text("utf-8"))
    return {key: {m: [_event(e) for e in events] for m, events in one["messages"].items()} for key, one in tree.items()}


def _event(given: Mapping[str, Any]) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in given["properties"].items()]
    return {**{key: given[key] for key in ("quote", "because", "type")}, "properties": pairs}


def are_the_same(example: str, newer: Callable[[Entries], dict[str, Any]] = lines_of) -> bool:
    """Whether the old form of every answer of an example and a newer one are read as the same events and words."""
    schema = schemas.load(examples() / example / "schema.yml")[0]
    data = json.loads((examples() / example / "example_data.json").read_text("utf-8"))
    for key, entries in annotated(example).items():
        about = conversation(*[(one["role"], one["content"]) for one in data[key]["messages"]])
        old, new = (read(json.dumps(form(entries)), about, about.tagged_positions, schema) for form in (objects, newer))
        if old != new or any(entry.hard for entry in old.values()):
            return False
    return True


def lines(folder: Path) -> list[Line]:
    """The rows of the table."""
    return [row for example in ("therapist", "tax_advisor") for row in _rows(example)] + shown_again()


def shown_again() -> list[Line]:
    """What long conversations cost to show: AnnoMI's, with the opening messages in later windows."""
    if not ANNOMI.exists():
        return []
    schema = schemas.load(ANNOMI / "schema.yml")[0]
    data = json.loads((ANNOMI / "conversations.json").read_text("utf-8"))
    new = old = text = 0
    for told in data.values():
        about = conversation(*[(one["role"], one["content"]) for one in told["messages"]])
        requests = [*first_requests(about, schema, MODEL), judging.question(about, schema, MODEL)]
        new += sum(count(request.user) for request in requests)
        old += sum(count(words) for words in _before(about, schema))
        text += sum(count(message.content) for message in about.messages)
    found = f"{new / old:.2f}: {new / text:.2f} tokens for one of text, {old / text:.2f} before"
    return [("AnnoMI, the part of prompts that nothing shares, of that before", found, "at most 1.1", new <= 1.1 * old)]


def _before(about: Conversation, schema: EventSchema) -> Iterator[str]:
    """What prompts showed of a conversation before: JSON lines, ten earlier messages, each m by itself."""
    rows = [
        json.dumps({"m": m.position, "role": m.role, "text": m.content}, ensure_ascii=False) for m in about.messages
    ]
    for window in windows(about.messages):
        start, end = window[0].position, window[-1].position + 1
        asked = ", ".join(str(m.position) for m in window)
        yield "\n".join([*rows[max(0, start - EARLIER) : start], *rows[start:end], f"Answer for m = {asked}."])
    yield "\n".join(rows)


def _rows(example: str) -> list[Line]:
    answers = annotated(example).values()
    same = are_the_same(example)
    events = sum(len(found) for entries in answers for found in entries.values())
    rows: list[Line] = []
    for how, separators in (("", None), (", without spaces", COMPACT)):
        old, new = (
            sum(count(json.dumps(form(one), ensure_ascii=False, separators=separators)) for one in answers)
            for form in (objects, lines_of)
        )
        share = new / old
        found = (
            f"{share:.1%}: {new:,} of {old:,} tokens for {events} events, {new / events:.1f} of {old / events:.1f} each"
        )
        wanted, met = ("at most half, read as the same", share <= HALF and same) if not how else ("no bound", None)
        rows.append((f"{example}, an answer in lines, of the old form{how}", found, wanted, met))
    words = sum(count(text) for entries in answers for found in entries.values() for e in found for text in _words(e))
    rows.append((f"{example}, words of quotes, reasons, names and values alone", f"{words:,} tokens", "no bound", None))
    return rows


def _words(event: Mapping[str, Any]) -> list[str]:
    return [event["quote"], event["because"], event["type"], *(pair["value"] for pair in event["properties"])]
