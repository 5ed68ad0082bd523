"""Naming topics: a name and a sentence from central and border texts, and whether both tell it from its neighbour."""

from collections.abc import Collection, Sequence
from typing import Any

from cpa_core.errors import ReplyInvalid
from cpa_core.evidence import answer_object, closed, listed
from cpa_core.llm import Ask, ModelName, Request
from cpa_core.models import Value
from cpa_core.prompts import json_line, render

REPAIRS = 1
"""Times that an invalid answer is asked for again."""
MOST_CHARACTERS, MOST_WORDS = 60, 40
"""Of a name, and of a description."""


class NamingEvidence(Value):
    """The evidence of a topic: what its texts are, its central and border texts, and texts of the nearest topic."""

    about: str
    central: tuple[str, ...]
    border: tuple[str, ...]
    others: tuple[str, ...]


class TopicName(Value):
    """A name of few words, and a description of one sentence, empty where nobody gave one."""

    name: str
    description: str


def name_topic(evidence: NamingEvidence, taken: Collection[str], model: ModelName, ask: Ask) -> TopicName | None:
    """A name that no other topic has; null where no answer is usable. Raises what `ask` raises."""
    problem = ""
    for _ in range(1 + REPAIRS):
        reply = ask(naming_question(evidence, model, problem), lambda text: _check_name(text, taken))
        if reply.outcome not in ("ok", "invalid"):
            return None
        try:
            return name_in(reply.text, taken)
        except ReplyInvalid as invalid:  # an answer of the ledger may be a name that was taken since
            problem = str(invalid) if reply.text else reply.detail
    return None


def naming_question(evidence: NamingEvidence, model: ModelName, problem: str = "") -> Request:
    """The question about one topic; `problem` says what was wrong with the last answer."""
    rows = [{"place": "central", "text": one} for one in evidence.central]
    rows += [{"place": "border", "text": one} for one in evidence.border]
    dynamic = {
        "texts": "\n".join(map(json_line, rows)),
        "others": "\n".join(json_line({"text": one}) for one in evidence.others),
        "correction": _correction(problem),
    }
    system, user = render("describe", {"corpus": evidence.about}, dynamic)
    text = {"type": "string"}
    return _request(model, (system, user), closed({"in_common": text, "description": text, "name": text}))


def name_in(text: str, taken: Collection[str]) -> TopicName:
    """The name in an answer. Raises ReplyInvalid: words are missing or too many, or another topic has the name."""
    tree = answer_object(text)
    found = {key: " ".join(tree[key].split()) for key in ("description", "name") if isinstance(tree.get(key), str)}
    if not found.get("name") or not found.get("description"):
        raise ReplyInvalid("description and name: text is needed")
    if len(found["name"]) > MOST_CHARACTERS or len(found["description"].split()) > MOST_WORDS:
        raise ReplyInvalid("a name of two to five words and a description of one sentence are needed")
    if found["name"].casefold() in {one.casefold() for one in taken}:
        raise ReplyInvalid("name: another topic has this name")
    return TopicName(**found)


def told_apart(names: Sequence[TopicName], texts: Sequence[tuple[str, int]], model: ModelName, ask: Ask) -> int | None:
    """How many of the texts the model gives to their own topic, by the names of the two topics alone.

    Each text has the place of its topic, 0 or 1. Null where no answer is usable. Raises what `ask` raises.
    """
    problem = ""
    said = [text for text, _ in texts]
    for _ in range(1 + REPAIRS):
        request = telling_question(names, said, model, problem)
        reply = ask(request, lambda text: _check_places(text, len(said)))
        if reply.outcome == "ok":
            places = places_in(reply.text, len(said))
            return sum(place == own for place, (_, own) in zip(places, texts, strict=True))
        if reply.outcome != "invalid":
            return None
        problem = reply.detail
    return None


def telling_question(names: Sequence[TopicName], texts: Sequence[str], model: ModelName, problem: str = "") -> Request:
    """The question to which of two topics each text belongs."""
    topics = [{"topic": n, "name": one.name, "description": one.description} for n, one in enumerate(names, 1)]
    dynamic = {
        "topics": "\n".join(map(json_line, topics)),
        "texts": "\n".join(json_line({"n": n, "text": one}) for n, one in enumerate(texts, 1)),
        "correction": _correction(problem),
    }
    number = {"type": "integer"}
    place = closed({"n": number, "topic": {"type": "integer", "enum": [1, 2]}})
    shape = closed({"belongs": {"type": "array", "items": place}})
    return _request(model, render("tell_apart", {}, dynamic), shape)


def places_in(text: str, count: int) -> list[int]:
    """For each text in order, the place of its topic, 0 or 1. Raises ReplyInvalid where a text has none or two."""
    rows = [row for row in listed(answer_object(text), "belongs") if isinstance(row, dict)]
    given = {row.get("n"): row.get("topic") for row in rows if type(row.get("n")) is int}
    places = [given.get(n) for n in range(1, count + 1)]
    if len(rows) != count or any(type(place) is not int or place not in (1, 2) for place in places):
        raise ReplyInvalid("belongs: each text once, with topic 1 or 2")
    return [place - 1 for place in places if place is not None]


def _request(model: ModelName, words: tuple[str, str], shape: dict[str, Any]) -> Request:
    return Request(
        task="describe",
        provider=model.provider,
        model=model.model,
        system=words[0],
        user=words[1],
        json_schema=shape,
        max_tokens=800,
    )


def _correction(problem: str) -> str:
    return f"\nYour last answer could not be used: {problem}" if problem else ""


def _check_name(text: str, taken: Collection[str]) -> None:
    name_in(text, taken)


def _check_places(text: str, count: int) -> None:
    places_in(text, count)
