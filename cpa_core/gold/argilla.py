"""Gold in Argilla's form: a record for each message and one for each conversation's verdicts; spans are events.

A file of records is what `Dataset.records.to_json` writes, and `Settings.to_json` the questions beside it.
Sources: docs.argilla.io/latest/how_to_guides/import_export, docs.argilla.io/latest/how_to_guides/annotate, version 2.8.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from cpa_core.errors import InputError
from cpa_core.gold.label_studio import SpokenMessage
from cpa_core.gold.raw import RawReview, list_of
from cpa_core.gold.reviews import HITS, VERDICTS, GoldAnswer, Labelled, Review
from cpa_core.models import NOT_APPLICABLE, TAGGED_ROLES, EventSchema, Value, digest

EVENTS, READ = "events", "read"
"""The names of two questions: which events a message has, and whether the record was read."""
SHOWN = 20
"""Messages before the one to label that a record shows, at most."""


class AskedAbout(NamedTuple):
    """The subject of a question of Argilla: a property of an event type, or a criterion if `kind` is empty."""

    kind: str
    name: str


class Seen(Value):
    """A reviewer of a record, and when they read it; null if the file does not say."""

    name: str
    at: datetime | None = None


def question_of(asked: AskedAbout) -> str:
    """Return the name of a question. Argilla takes small letters, digits, underscores and hyphens only."""
    return f"{'property' if asked.kind else 'verdict'}_{digest(list(asked))[:10]}"


def questions(schema: EventSchema) -> dict[str, AskedAbout]:
    """Return the questions on properties and criteria by their names."""
    properties = [AskedAbout(kind.name, p.name) for kind in schema.event_types for p in kind.properties]
    goals = [AskedAbout("", name) for name in (*schema.criteria.goals(), *schema.criteria.dealbreakers_by_id())]
    return {question_of(one): one for one in (*properties, *goals)}


def records(
    conversations: Mapping[str, Sequence[SpokenMessage]],
    reviews: Iterable[Review],
    draws: Mapping[str, str],
    *,
    has_verdicts: bool,
) -> str:
    """The JSON of records with a response for each reviewer. `draws`: draw by conversation."""
    by: dict[tuple[str, str | None], list[Review]] = {}
    for review in reviews:
        by.setdefault((review.conversation_id, review.message_id), []).append(review)
    found = []
    for conversation, messages in conversations.items():
        drawn = {"draw_id": draws[conversation]} if conversation in draws else {}
        about = {"conversation_id": conversation, **drawn}
        if has_verdicts:
            found.append(_record(about, messages, None, by.get((conversation, None), [])))
        for n, one in enumerate(messages):
            if one.role in TAGGED_ROLES:
                given = by.get((conversation, one.message_id), [])
                found.append(_record(about, messages[max(0, n - SHOWN) : n + 1], one, given))
    return json.dumps(found, ensure_ascii=False, indent=1)


def _record(
    about: Mapping[str, str], shown: Sequence[SpokenMessage], message: SpokenMessage | None, reviews: Sequence[Review]
) -> dict[str, Any]:
    fields: dict[str, Any] = {"conversation": [{"role": one.role, "content": one.content} for one in shown]}
    fields |= {"message": message.content} if message else {}
    metadata: dict[str, Any] = {**about, **({"message_id": message.message_id} if message else {})}
    responses: dict[str, list[dict[str, Any]]] = {}
    for review in reviews:
        user = str(uuid5(NAMESPACE_URL, review.reviewer))
        seen = Seen(name=review.reviewer, at=review.reviewed_at)
        metadata.setdefault("reviewers", []).append(f"{user} {seen.model_dump_json()}")
        for name, value in _values(review, message.content if message else ""):
            responses.setdefault(name, []).append({"value": value, "user_id": user})
    identity = " ".join((about["conversation_id"], message.message_id)) if message else about["conversation_id"]
    return {
        "id": identity,
        "fields": fields,
        "metadata": metadata,
        "suggestions": {},
        "responses": responses,
        "vectors": {},
    }


def _values(review: Review, content: str) -> Iterator[tuple[str, Any]]:
    """Yield the answers of one review: question and value."""
    yield READ, "read"
    if review.message_id is None:
        yield from ((question_of(AskedAbout("", one.name)), one.verdict) for one in review.answers)
        return
    present = [one for one in review.answers if one.present]
    if present:
        yield EVENTS, [_span(one, content) for one in present]
    for one in present:
        yield from ((question_of(AskedAbout(one.name, name)), value) for name, value in one.properties.items())


def _span(answer: GoldAnswer, content: str) -> dict[str, Any]:
    """The event's quote, or the whole message."""
    start = content.find(answer.quote) if answer.quote else -1
    begin, end = (start, start + len(answer.quote or "")) if start >= 0 else (0, len(content))
    return {"start": begin, "end": end, "label": answer.name}


def settings(schema: EventSchema) -> str:
    """The JSON of the dataset's fields and questions, for `Settings.from_json`."""
    asked = [*_event_questions(schema), *_verdict_questions(schema)]
    fields = [
        _part("conversation", {"type": "chat", "use_markdown": False}, required=True),
        _part("message", {"type": "text", "use_markdown": False}),
    ]
    terms = {"type": "terms", "values": None, "visible_for_annotators": False}
    names = ("conversation_id", "message_id", "draw_id", "reviewers")
    about = [{"name": name, "title": name, "visible_for_annotators": False, "settings": terms} for name in names]
    found = {
        "guidelines": "Mark the events of the message. A record that is read without a mark has none.",
        "questions": asked,
        "fields": fields,
        "vectors": [],
        "metadata": about,
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }
    return json.dumps(found, ensure_ascii=False, indent=1)


def _event_questions(schema: EventSchema) -> Iterator[dict[str, Any]]:
    hints: dict[str, list[str]] = {}
    for kind in schema.event_types:
        hints.setdefault(kind.name, []).append(f"{kind.role}: {kind.definition}")
    options = [{"value": name, "text": name, "description": "; ".join(said)} for name, said in hints.items()]
    span = {"type": "span", "field": "message", "allow_overlapping": True, "visible_options": None, "options": options}
    yield _part(EVENTS, span, "Events of the message")
    yield _part(READ, _choices(("read", "unsure")), "Read?", required=True)
    for kind in schema.event_types:
        for one in kind.properties:
            how = _choices((*one.choices, NOT_APPLICABLE)) if one.choices else {"type": "text", "use_markdown": False}
            yield _part(question_of(AskedAbout(kind.name, one.name)), how, f"{kind.name}: {one.name}", one.definition)


def _verdict_questions(schema: EventSchema) -> Iterator[dict[str, Any]]:
    for said, choices in ((schema.criteria.goals(), VERDICTS), (schema.criteria.dealbreakers_by_id(), HITS)):
        for name, words in said.items():
            yield _part(question_of(AskedAbout("", name)), _choices(choices), f"Conversation: {words}"[:500])


def _choices(values: Sequence[str]) -> dict[str, Any]:
    options = [{"value": one, "text": one} for one in values]
    return {"type": "label_selection", "options": options, "visible_options": None}


def _part(
    name: str, how: dict[str, Any], title: str = "", description: str = "", *, required: bool = False
) -> dict[str, Any]:
    """A field or a question."""
    return {
        "name": name,
        "title": title or name,
        "description": description or None,
        "required": required,
        "type": how["type"],
        "settings": how,
    }


def read_records(text: str, name: str, schema: EventSchema) -> list[RawReview]:
    """The reviews in a file of records: one for each user who says that they read the record.

    Raises InputError with file and record.
    """
    found = list_of(text, name, "an export of Argilla's records is a list")
    asked = questions(schema)
    return [review for n, one in enumerate(found, 1) for review in _of_record(one, f"{name}: record {n}", asked)]


def _of_record(record: Any, place: str, asked: Mapping[str, AskedAbout]) -> Iterator[RawReview]:
    try:
        responses, metadata = record["responses"], record["metadata"]
        if unknown := sorted(set(responses) - set(asked) - {EVENTS, READ}):
            raise InputError(f"{place}: {unknown[0]} is no question of this schema: export the records anew")
        seen = dict(_seen(one) for one in metadata.get("reviewers") or ())
        for one in responses.get(READ, ()):
            if one["value"] == "read":
                user = str(one["user_id"])
                pairs = [(name, each) for name, of_question in responses.items() for each in of_question]
                given = {name: each["value"] for name, each in pairs if str(each["user_id"]) == user}
                yield _review(record, place, seen.get(user, Seen(name=user)), (given, asked))
    except (KeyError, TypeError, AttributeError, ValueError) as wrong:
        raise InputError(f"{place}: not a record that cpa gold export wrote: {type(wrong).__name__}: {wrong}") from None


def _seen(written: str) -> tuple[str, Seen]:
    user, _, rest = written.partition(" ")
    return user, Seen.model_validate_json(rest)


def _review(
    record: Any, place: str, seen: Seen, answered: tuple[Mapping[str, Any], Mapping[str, AskedAbout]]
) -> RawReview:
    given, asked = answered
    of = {asked[name]: str(value) for name, value in given.items() if name in asked}
    about: dict[str, Any] = {key: record["metadata"].get(key) for key in ("conversation_id", "message_id", "draw_id")}
    about |= {"place": place, "reviewer": seen.name, "reviewed_at": seen.at}
    if about["message_id"] is None:
        return RawReview(verdicts={one.name: value for one, value in of.items() if not one.kind}, **about)
    content = record["fields"]["message"]
    labelled = [_labelled(span, content, of) for span in given.get(EVENTS, ())]
    return RawReview(labelled=tuple(labelled), **about)


def _labelled(span: Mapping[str, Any], content: str, of: Mapping[AskedAbout, str]) -> Labelled:
    begin, end = span["start"], span["end"]
    quote = None if (begin, end) == (0, len(content)) else content[begin:end]
    properties = {one.name: value for one, value in of.items() if one.kind == span["label"]}
    return Labelled(event_type=span["label"], quote=quote, properties=properties)
