"""Gold in and out: CSV, JSON Lines, Label Studio, Argilla; files are checked against conversations and schema."""

import json
from collections.abc import Container, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from cpa_core.errors import InputError
from cpa_core.evidence import locate
from cpa_core.gold import argilla
from cpa_core.gold.drawing import Draw, DrawnItem
from cpa_core.gold.label_studio import SpokenMessage, configuration, read_tasks, tasks
from cpa_core.gold.raw import RawReview
from cpa_core.gold.reviews import GoldAnswer, Labelled, Review, answers_on_conversation, answers_on_message, said_hash
from cpa_core.gold.spreadsheet import read_csv, write_csv
from cpa_core.models import EventSchema, Value, digest
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.draws import QueueItem, gold_queue
from cpa_core.pipeline.gold.ledger import append_draw, append_reviews, merge_gold
from cpa_core.pipeline.schema.current import current_schema
from cpa_core.schema import parse
from cpa_core.store import Store
from cpa_core.store.database import Row, as_json

GoldForm = Literal["csv", "jsonl", "label-studio", "argilla"]
FORMS: dict[str, GoldForm] = {".csv": "csv", ".jsonl": "jsonl", ".json": "label-studio"}
"""The form of a file by the end of its name. Argilla's is named, for its files end like Label Studio's."""

BARE: tuple[GoldForm, ...] = ("label-studio", "argilla")
"""Forms that say who gave which answer, but neither queue, schema nor note: an answer that stands already is known."""

READERS = 2
"""People who read a conversation that is drawn for a second reviewer."""


class Imported(Value):
    """The result of an import: reviews and labels stored, the number left out, and the reasons with their places.

    `quotes_not_found` counts quotes that their messages do not contain. Their labels are stored without a quote.
    """

    reviews: int
    labels: int
    known: int
    left_out: int
    reasons: tuple[str, ...]
    draw_id: str | None = None
    quotes_not_found: int = 0


class ExportedGold(Value):
    """The files of an export, and how many reviews and conversations are in them.

    `hidden` counts the reviews left out because their conversations wait for a second reviewer, who must not see them.
    """

    paths: tuple[Path, ...]
    reviews: int
    conversations: int
    hidden: int = 0


def form_of(path: Path, form: str | None) -> GoldForm:
    """The form that is named, else that of the file's name. Raises InputError."""
    forms: tuple[GoldForm, ...] = get_args(GoldForm)
    found = FORMS.get(path.suffix) if form is None else next((one for one in forms if one == form), None)
    if found is None:
        raise InputError(f"{path}: say --format {', '.join(forms)}")
    return found


def import_gold(
    assistant: Assistant, path: Path, form: GoldForm, reviewer: str | None = None, *, at_random: bool = False
) -> Imported:
    """Store the reviews of a file; known ones are not stored twice. Raises InputError, SchemaError, LedgerNotWritten.

    `at_random` means that the file's conversations are a random sample of their days, so that rates may be corrected by
    them. A review of an unknown message or conversation is left out and reported with its place. A quote that the
    message does not contain is left out, and its label is stored.
    """
    schema, _ = current_schema(assistant)
    merge_gold(assistant)
    raw = _read(path, form, schema)
    wanted = {one.conversation_id for one in raw if isinstance(one, RawReview)} | {
        one.conversation_id for one in raw if isinstance(one, Review)
    }
    reading = _Reading(assistant, schema, sorted(wanted), reviewer or "imported")
    reviews = [found for one in raw if (found := reading.checked(one)) is not None]
    fresh = _fresh(assistant.store, reviews, reading.undated)
    if form in BARE:
        fresh = _news(assistant.store, fresh)
    append_reviews(assistant, fresh)
    drawn = _declared_random(assistant, schema, reading.days, reviews) if at_random and reviews else None
    merge_gold(assistant)
    return Imported(
        reviews=len(fresh),
        labels=sum(len(one.answers) for one in fresh),
        known=len(reviews) - len(fresh),
        left_out=len(reading.reasons),
        reasons=tuple(reading.reasons[:5]),
        draw_id=drawn,
        quotes_not_found=reading.quotes_not_found,
    )


def _fresh(store: Store, reviews: Sequence[Review], undated: Container[str]) -> list[Review]:
    """Return the reviews that the home does not have yet, each once. A time that the file lacks makes no difference."""
    with store.reading() as view:
        known = {row["review_id"] for row in view.answer("gold/reviews_known")}
    said = {_said(one) for one in _reviews(store)} if reviews else set()
    fresh: dict[str, Review] = {}
    for one in reviews:
        is_known = _said(one) in said if one.review_id in undated else one.review_id in known
        if not is_known:
            fresh[one.review_id] = one
    return list(fresh.values())


def _news(store: Store, reviews: Sequence[Review]) -> list[Review]:
    """Return the reviews that differ from what the same person last said of the same message or conversation."""
    standing = {_subject(one): _answers(one) for one in _reviews(store) if one.blind}
    return [one for one in reviews if standing.get(_subject(one)) != _answers(one)]


def _subject(one: Review) -> tuple[str, str | None, str]:
    return one.conversation_id, one.message_id, one.reviewer


def _answers(one: Review) -> str:
    of = one.model_dump(mode="json", include={"said", "answers"})
    return digest(of | {"answers": sorted(of["answers"], key=lambda answer: (answer["kind"], answer["key"]))})


def _said(one: Review) -> str:
    """Return a digest of a review apart from its time."""
    answers = sorted(one.answers, key=lambda answer: (answer.kind, answer.key))
    return digest(one.model_copy(update={"answers": tuple(answers)}).model_dump(mode="json", exclude={"reviewed_at"}))


def _read(path: Path, form: GoldForm, schema: EventSchema) -> Sequence[RawReview | Review]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as wrong:
        raise InputError(f"{path}: cannot be read: {type(wrong).__name__}") from None
    if form == "csv":
        properties = frozenset(p.name for kind in schema.event_types for p in kind.properties)
        return read_csv(text, str(path), properties)
    if form == "label-studio":
        return read_tasks(text, str(path))
    if form == "argilla":
        return argilla.read_records(text, str(path), schema)
    found: list[Review] = []
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: a quote may hold U+2028 as it is
        try:
            found += [Review.model_validate_json(line)] if line.strip() else []
        except ValidationError as wrong:
            first = wrong.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{path}: line {number}: {place}: {first['msg']}") from None
    return found


class _Reading:
    """The conversations that a file names, and the reasons why some of its reviews are left out."""

    def __init__(self, assistant: Assistant, schema: EventSchema, conversations: Sequence[str], reviewer: str) -> None:
        self._now = assistant.now()
        self._reviewer = reviewer
        with assistant.store.reading() as view:
            rows = view.answer("gold/spoken_messages", conversations=as_json(conversations))
            recorded = view.answer("schema/versions")
        self._schemas = {row["version"]: parse(row["yaml"], row["version"])[0] for row in recorded}
        self._schema = self._schemas.setdefault(schema.version, schema)
        self._messages = {(row["conversation_id"], row["message_id"]): row for row in rows}
        self.days: dict[str, date] = {row["conversation_id"]: row["day"] for row in rows}
        self.reasons: list[str] = []
        self.undated: set[str] = set()
        self.quotes_not_found = 0

    def checked(self, one: RawReview | Review) -> Review | None:
        """The review, if it is of something that is here and of the schema."""
        place = one.place if isinstance(one, RawReview) else f"review {one.review_id}"
        row = self._messages.get((one.conversation_id, one.message_id or ""))
        if one.conversation_id not in self.days:
            self.reasons.append(f"{place}: conversation {one.conversation_id!r} is not in this home")
        elif one.message_id is not None and row is None:
            self.reasons.append(f"{place}: conversation {one.conversation_id!r} has no message {one.message_id!r}")
        elif isinstance(one, Review):
            return one
        else:
            try:
                _check(one, self._now)
                review = self._review(one, row)
                self.undated.update([] if one.reviewed_at else [review.review_id])
                return review
            except InputError as wrong:
                self.reasons.append(f"{place}: {wrong}")
        return None

    def _review(self, raw: RawReview, row: Row | None) -> Review:
        schema = self._schemas.get(raw.schema_version or "", self._schema)
        answers: tuple[GoldAnswer, ...]
        if raw.message_id is None:
            answers = answers_on_conversation(schema, raw.verdicts)
        else:
            is_same_text = row is not None and raw.said in ("", said_hash(row["content"]))
            labelled = [self._quoted(one, row["content"]) if row and is_same_text else one for one in raw.labelled]
            answers = answers_on_message(schema, row["role"] if row else "", labelled)
        return Review(
            conversation_id=raw.conversation_id,
            message_id=raw.message_id,
            role=row["role"] if row else None,
            said=raw.said or (said_hash(row["content"]) if row else ""),
            schema_version=schema.version,
            reviewer=raw.reviewer or self._reviewer,
            reviewed_at=raw.reviewed_at or self._now,
            seconds=raw.seconds,
            queue=raw.queue or "imported",
            draw_id=raw.draw_id,
            chance=raw.chance,
            blind=raw.blind,
            note=raw.note,
            answers=answers,
        )

    def _quoted(self, one: Labelled, content: str) -> Labelled:
        """Return the label with its quote as the message has it; without a quote if the message does not contain it."""
        if not one.quote:
            return one
        place = locate(one.quote, content)
        self.quotes_not_found += place is None
        return one.model_copy(update={"quote": content[place[0] : place[1]] if place else None})


def _check(raw: RawReview, now: datetime) -> None:
    """Raise InputError where a review cannot be true."""
    if raw.labelled and raw.message_id is None:
        raise InputError("an event type without a message_id: an event is in a message")
    if raw.chance is not None and not 0 < raw.chance <= 1:
        raise InputError(f"chance {raw.chance} is not above 0 and at most 1")
    if raw.seconds is not None and not 0 <= raw.seconds < inf:
        raise InputError(f"seconds {raw.seconds} is no time that reading takes")
    if raw.reviewed_at is not None and raw.reviewed_at > now + timedelta(days=1):
        raise InputError(f"reviewed_at {raw.reviewed_at.isoformat()} is in the future")


def _declared_random(
    assistant: Assistant, schema: EventSchema, days: Mapping[str, date], reviews: Sequence[Review]
) -> str:
    """Keep that these conversations were drawn at random from all of their days: the id of the draw."""
    chosen = sorted({one.conversation_id for one in reviews})
    first, last = min(days[one] for one in chosen), max(days[one] for one in chosen)
    with assistant.store.reading() as view:
        frame = view.answer("gold/frame", first=first, last=last)
    chance = len(chosen) / len(frame)
    draw = Draw(
        way="imported",
        queue="imported",
        first=first,
        last=last,
        frame=len(frame),
        seed=0,
        drawn_at=assistant.now(),
        schema_version=schema.version,
        items=tuple(DrawnItem(conversation_id=one, chance=chance) for one in chosen),
    )
    append_draw(assistant, draw)
    return draw.draw_id


def export_gold(assistant: Assistant, path: Path, form: GoldForm, queue: str | None = None) -> ExportedGold:
    """Write all reviews to a file; for Label Studio and Argilla with what is drawn, and with the questions beside it.

    A queue named leaves the others out. Message text is in the forms for these two only. They do not show the reviews
    of a conversation that waits for a second reviewer.
    """
    schema, _ = current_schema(assistant)
    items = gold_queue(assistant, queue)
    reviews = [one for one in _reviews(assistant.store) if queue is None or one.queue == queue]
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "csv":
        return _written([(path, write_csv(reviews))], reviews, len({one.conversation_id for one in reviews}))
    if form == "jsonl":
        text = "".join(f"{one.model_dump_json()}\n" for one in reviews)
        return _written([(path, text)], reviews, len({one.conversation_id for one in reviews}))
    draws = {item.conversation_id: item.draw_id for item in items}
    asked = _asked(items)
    shown = _spoken(assistant.store, [*draws, *(one.conversation_id for one in reviews)])
    awaited = {item.conversation_id for item in gold_queue(assistant, "second") if len(item.read_by) < READERS}
    hidden = [one for one in reviews if one.conversation_id in awaited]
    reviews = [one for one in reviews if one.conversation_id not in awaited and one.blind]
    files = [(path, tasks(shown, reviews, draws, asked)), (path.with_suffix(".xml"), configuration(schema))]
    if form == "argilla":
        beside = path.with_suffix(".settings.json")
        has_verdicts = any(not one.kind for one in argilla.questions(schema).values())
        text = argilla.records(shown, reviews, draws, has_verdicts=has_verdicts)
        files = [(path, text), (beside, argilla.settings(schema))]
    return _written(files, reviews, len(shown)).model_copy(update={"hidden": len(hidden)})


def _asked(items: Sequence[QueueItem]) -> dict[str, list[str]]:
    """The messages that were drawn, by conversation; a conversation that was drawn whole is left out."""
    whole = {item.conversation_id for item in items if item.message_id is None}
    found: dict[str, list[str]] = {}
    for item in items:
        if item.message_id is not None and item.conversation_id not in whole:
            found.setdefault(item.conversation_id, []).append(item.message_id)
    return found


def _written(files: Sequence[tuple[Path, str]], reviews: Sequence[Review], conversations: int) -> ExportedGold:
    for path, text in files:
        path.write_text(text, "utf-8")
    return ExportedGold(paths=tuple(path for path, _ in files), reviews=len(reviews), conversations=conversations)


def _reviews(store: Store) -> list[Review]:
    """Return every review as it was given."""
    with store.reading() as view:
        rows = view.answer("gold/labels_in_order")
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["review_id"], []).append(row)
    own = set(Review.model_fields) - {"answers"}
    return [
        Review(
            **{name: of[0][name] for name in own},
            answers=tuple(
                GoldAnswer(
                    **{name: row[name] for name in GoldAnswer.model_fields if "propert" not in name},
                    properties=json.loads(row["properties"]),
                    property_definitions=json.loads(row["property_definitions"]),
                )
                for row in of
            ),
        )
        for of in found.values()
    ]


def _spoken(store: Store, conversations: Sequence[str]) -> dict[str, list[SpokenMessage]]:
    with store.reading() as view:
        rows = view.answer("gold/spoken_messages", conversations=as_json(dict.fromkeys(conversations)))
    found: dict[str, list[SpokenMessage]] = {}
    for row in rows:
        one = SpokenMessage(message_id=row["message_id"], role=row["role"], content=row["content"])
        found.setdefault(row["conversation_id"], []).append(one)
    return found
