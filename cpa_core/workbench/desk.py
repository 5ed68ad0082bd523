"""The reviewer's desk: the draws, the next item, and the reviews of a finished conversation."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from threading import Lock
from typing import Any

from pydantic import ValidationError

from cpa_core.errors import InputError, NotFound
from cpa_core.gold.drawing import Draw, DrawnItem
from cpa_core.gold.reviews import (
    ADJUDICATED,
    Labelled,
    Review,
    answers_on_conversation,
    answers_on_message,
    said_hash,
)
from cpa_core.models import TAGGED_ROLES, EventSchema, Value
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.gold.ledger import append_draw, append_reviews, gold_folder
from cpa_core.pipeline.schema.current import schema_path
from cpa_core.pipeline.schema.stale import schema_in_force
from cpa_core.store.database import Row
from cpa_core.store.ledgers import GrowingLines
from cpa_core.workbench.drafts import Drafts, DraftStep, ReviewDraft
from cpa_core.workbench.figures import FigureDesk

WRONG = "reported"
"""The queue of conversations that a reader reported for a wrong label."""


class Task(Value):
    """One item of a draw. `message_id` is null where the whole conversation is to be read; `place` counts from 0."""

    draw_id: str
    place: int
    queue: str
    conversation_id: str
    message_id: str | None
    chance: float | None


class QueueProgress(Value):
    """A reviewer's progress in one draw, or in the queue of reported items (then `draw_id` is null).

    `minutes` is the time for the rest at the median so far; null at first.
    """

    draw_id: str | None
    queue: str
    label: str | None
    size: int
    done: int
    deferred: int
    minutes: float | None


class Desk:
    """Draws and reviews, read from the files of the home and not from the store, so that nobody waits for a run."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self.figures = FigureDesk(assistant)
        folder = gold_folder(assistant.settings)
        self.drafts = Drafts(folder / "drafts.jsonl")
        self._draws = GrowingLines(folder / "draws.jsonl")
        self._reviews = GrowingLines(folder / "reviews.jsonl")
        self._drawn: dict[str, Draw] = {}
        self._read: dict[str, set[tuple[str, str | None]]] = {}
        self._seconds: dict[tuple[str, str], float] = {}
        self._turn = Lock()
        self._schema: tuple[tuple[int, int], EventSchema | None] | None = None

    def schema(self) -> EventSchema | None:
        """The schema in force; its file is read again when it changed. Raises SchemaError."""
        path = schema_path(self.assistant)
        if not path.exists():
            return schema_in_force(self.assistant)
        stands = path.stat()
        mark = stands.st_mtime_ns, stands.st_size
        if self._schema is None or self._schema[0] != mark:
            self._schema = mark, schema_in_force(self.assistant)
        return self._schema[1]

    def draws(self) -> list[Draw]:
        """Every draw, the oldest first, but those that only declare a file to be a random sample."""
        with self._turn:
            for line in self._draws.fresh():
                try:
                    draw = Draw.model_validate_json(line)
                except ValidationError:
                    continue  # counted where the files are merged
                self._drawn[draw.draw_id] = draw
            return [draw for draw in self._drawn.values() if draw.way != "imported"]

    def task(self, draw_id: str, place: int) -> Task:
        """One item of a draw. Raises NotFound."""
        draw = self._draw(draw_id)
        if draw is None or not 0 <= place < len(draw.items):
            raise NotFound("no such item in any draw")
        return _task(draw_id, draw.queue, place, draw.items[place])

    def _draw(self, draw_id: str) -> Draw | None:
        self.draws()
        found = self._drawn.get(draw_id)
        return None if found is None or found.way == "imported" else found

    def next(self, reviewer: str, draw_id: str | None = None, queue: str | None = None) -> Task | None:
        """Return the reviewer's next item, of one draw, of one queue or of all; deferred items come last."""
        draws = [one for one in self.draws() if draw_id in (None, one.draw_id) and queue in (None, one.queue)]
        self._bring_up()
        waiting: Task | None = None
        for draw in draws:
            for task in _tasks(draw):
                if self._has_read(reviewer, task):
                    continue
                if not self._is_deferred(reviewer, task):
                    return task
                waiting = waiting or task
        return waiting

    def progress(self, reviewer: str) -> list[QueueProgress]:
        """Return the reviewer's progress in each draw; reported items form one queue, the last."""
        draws = self.draws()
        self._bring_up()
        drawn = [self._progress(reviewer, [draw]) for draw in draws if draw.queue != WRONG]
        reported = [draw for draw in draws if draw.queue == WRONG]
        return [*drawn, *([self._progress(reviewer, reported)] if reported else [])]

    def progress_of(self, reviewer: str, task: Task) -> QueueProgress:
        """Return the reviewer's progress in the draw of an item."""
        found = self._draw(task.draw_id)
        return self._progress(reviewer, [found] if found else [])

    def _progress(self, reviewer: str, draws: Sequence[Draw]) -> QueueProgress:
        tasks = [task for draw in draws for task in _tasks(draw)]
        left = [task for task in tasks if not self._has_read(reviewer, task)]
        taken = sorted(self._seconds[key] for key in self._seconds if key[0] == reviewer)
        median = taken[len(taken) // 2] if taken else None
        return QueueProgress(
            draw_id=None if draws[0].queue == WRONG else draws[0].draw_id,
            queue=draws[0].queue,
            label=draws[0].label,
            size=len(tasks),
            done=len(tasks) - len(left),
            deferred=sum(self._is_deferred(reviewer, task) for task in left),
            minutes=None if median is None else median * len(left) / 60,
        )

    def is_done(self, reviewer: str, task: Task) -> bool:
        """Whether the reviewer has read it, in whichever queue."""
        self._bring_up()
        return self._has_read(reviewer, task)

    def _has_read(self, reviewer: str, task: Task) -> bool:
        return (task.conversation_id, task.message_id) in self._read.get(reviewer, ())

    def _is_deferred(self, reviewer: str, task: Task) -> bool:
        return self.drafts.is_begun(reviewer, task.draw_id, task.conversation_id) and (
            self.draft(reviewer, task).is_deferred
        )

    def _bring_up(self) -> None:
        """Read the lines added to the reviews and their drafts."""
        self.drafts.refresh()
        with self._turn:
            for line in self._reviews.fresh():
                try:
                    review = Review.model_validate_json(line)
                except ValidationError:
                    continue  # counted where the files are merged
                own = self._read.setdefault(review.reviewer, set())
                own |= {(review.conversation_id, None), (review.conversation_id, review.message_id)}
                if review.blind and review.seconds is not None:
                    key = review.reviewer, review.conversation_id
                    self._seconds[key] = self._seconds.get(key, 0.0) + review.seconds

    def draft(self, reviewer: str, task: Task) -> ReviewDraft:
        """Return the reviewer's draft of an item."""
        return self.drafts.of(reviewer, task.draw_id, task.conversation_id)

    def finish(self, reviewer: str, task: Task, schema: EventSchema, messages: Sequence[Row]) -> list[Review]:
        """Store the reviews of an item. Raises InputError while a message has no answer yet."""
        draft = self.draft(reviewer, task)
        asked = messages_of(task, messages)
        if open_messages := [row for row in asked if row["message_id"] not in draft.messages]:
            raise InputError(f"{len(open_messages)} messages have no answer yet")
        reviews = [_review(task, schema, draft.messages[row["message_id"]], row) for row in asked]
        if draft.verdicts and draft.verdicts.verdicts:
            reviews.append(_review(task, schema, draft.verdicts))
        append_reviews(self.assistant, reviews)
        return reviews

    def after_reveal(self, step: DraftStep, task: Task, schema: EventSchema, row: Row) -> None:
        """Store a reviewer's labels of a message after seeing the model's: they never count as blind."""
        append_reviews(self.assistant, [_review(task, schema, step, row).model_copy(update={"blind": False})])

    def settle(self, reviewer: str, row: Row, schema: EventSchema, labelled: Sequence[Labelled]) -> None:
        """Keep the answer that stands where reviewers disagree."""
        review = Review(
            **_of_message(row),
            conversation_id=row["conversation_id"],
            schema_version=schema.version,
            reviewer=reviewer,
            reviewed_at=self.assistant.now(),
            queue=ADJUDICATED,
            answers=answers_on_message(schema, row["role"], labelled),
        )
        append_reviews(self.assistant, [review])

    def reported(self, conversation_id: str) -> set[str | None]:
        """Return the messages reported for a wrong label; null stands for the conversation as a whole."""
        items = [item for draw in self.draws() if draw.queue == WRONG for item in draw.items]
        return {item.message_id for item in items if item.conversation_id == conversation_id}

    def report(self, conversation_id: str, message_id: str | None, day: date, schema_version: str) -> None:
        """Add a conversation or a message to the queue of reported items, which is never part of a random sample.

        An item is in the queue at most once.
        """
        if message_id in self.reported(conversation_id):
            return
        draw = Draw(
            way="disagreement",
            queue=WRONG,
            first=day,
            last=day,
            frame=1,
            seed=0,
            drawn_at=self.assistant.now(),
            schema_version=schema_version,
            items=(DrawnItem(conversation_id=conversation_id, message_id=message_id),),
        )
        append_draw(self.assistant, draw)


def _review(task: Task, schema: EventSchema, step: DraftStep, row: Row | None = None) -> Review:
    """Return the review of a message; without one, of the conversation as a whole."""
    answers = (
        answers_on_conversation(schema, step.verdicts)
        if row is None
        else answers_on_message(schema, row["role"], step.labelled)
    )
    return Review(
        **_of_message(row),
        conversation_id=task.conversation_id,
        schema_version=schema.version,
        reviewer=step.reviewer,
        reviewed_at=step.said_at,
        seconds=step.seconds,
        queue=task.queue,
        draw_id=task.draw_id,
        chance=task.chance,
        note=step.note,
        answers=answers,
    )


def _of_message(row: Row | None) -> dict[str, Any]:
    """Return a review's fields about its message."""
    if row is None:
        return {"message_id": None, "role": None}
    return {"message_id": row["message_id"], "role": row["role"], "said": said_hash(row["content"])}


def messages_of(task: Task, messages: Sequence[Row]) -> list[Row]:
    """The messages that a reviewer is asked about: those of tagged roles, or the one of the item."""
    asked = [row for row in messages if row["role"] in TAGGED_ROLES]
    return [row for row in asked if task.message_id in (None, row["message_id"])]


def labelled_of(schema: EventSchema, role: str, chosen: Sequence[str], given: Mapping[str, str]) -> list[Labelled]:
    """Return the labels of a form: the chosen types, with their `quote TYPE` and `property TYPE NAME` in `given`."""
    found: list[Labelled] = []
    for name in chosen:
        kind = schema.find(name, role)
        properties = {
            one.name: given[f"property {name} {one.name}"]
            for one in (kind.properties if kind else ())
            if given.get(f"property {name} {one.name}")
        }
        found.append(Labelled(event_type=name, quote=given.get(f"quote {name}") or None, properties=properties))
    answers_on_message(schema, role, found)  # an unknown type or value is refused here, before it is kept
    return found


def _tasks(draw: Draw) -> Iterator[Task]:
    draw_id = draw.draw_id  # made of the whole content: once a draw, not once an item
    return (_task(draw_id, draw.queue, place, item) for place, item in enumerate(draw.items))


def _task(draw_id: str, queue: str, place: int, item: DrawnItem) -> Task:
    return Task(
        draw_id=draw_id,
        place=place,
        queue=queue,
        conversation_id=item.conversation_id,
        message_id=item.message_id,
        chance=item.chance,
    )
