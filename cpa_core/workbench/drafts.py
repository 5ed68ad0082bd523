"""Drafts of unfinished reviews, stored at each step, so that a kill loses nothing."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Literal

from pydantic import ValidationError

from cpa_core.gold.reviews import Labelled
from cpa_core.models import Value
from cpa_core.store.ledgers import GrowingLines, append_lines

Step = Literal["message", "verdicts", "undo", "defer"]


class DraftStep(Value):
    """One step: labels of a message or verdicts on the conversation, an undo of the last step, or a deferral.

    `said_at` is its time; `seconds` the time it took. `verdicts` are by the ids of criteria and dealbreakers.
    """

    step: Step
    reviewer: str
    draw_id: str
    conversation_id: str
    message_id: str | None = None
    labelled: tuple[Labelled, ...] = ()
    verdicts: Mapping[str, str] = {}
    note: str = ""
    seconds: float | None = None
    said_at: datetime


class ReviewDraft(Value):
    """A reviewer's draft of a conversation: the last step on each message and on the whole, and any deferral."""

    messages: Mapping[str, DraftStep] = {}
    verdicts: DraftStep | None = None
    is_deferred: bool = False

    @property
    def has_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self.messages) or self.verdicts is not None


class Drafts:
    """The file of the steps. Each reading continues where the last ended, so a page reads only added lines."""

    def __init__(self, path: Path) -> None:
        self._lines = GrowingLines(path)
        self._turn = Lock()
        self._steps: dict[tuple[str, str, str], list[DraftStep]] = {}

    def add(self, step: DraftStep) -> None:
        """Keep a step, on the disk when this returns. Raises LedgerNotWritten."""
        append_lines(self._lines.path, [step.model_dump_json()])

    def of(self, reviewer: str, draw_id: str, conversation_id: str) -> ReviewDraft:
        """Return the reviewer's draft of this conversation."""
        self.refresh()
        messages: dict[str, DraftStep] = {}
        verdicts: DraftStep | None = None
        deferred = False
        for step in self._standing(reviewer, draw_id, conversation_id):
            deferred = step.step == "defer"
            if step.step == "message" and step.message_id is not None:
                messages[step.message_id] = step
            if step.step == "verdicts":
                verdicts = step
        return ReviewDraft(messages=messages, verdicts=verdicts, is_deferred=deferred)

    def is_begun(self, reviewer: str, draw_id: str, conversation_id: str) -> bool:
        """Return whether the reviewer has begun this conversation, as far as the file was read."""
        return (reviewer, draw_id, conversation_id) in self._steps

    def _standing(self, reviewer: str, draw_id: str, conversation_id: str) -> list[DraftStep]:
        """The steps that no undo took back."""
        standing: list[DraftStep] = []
        for step in self._steps.get((reviewer, draw_id, conversation_id), ()):
            if step.step != "undo":
                standing.append(step)
            elif standing:
                standing.pop()
        return standing

    def refresh(self) -> None:
        """Read the lines added to the file."""
        with self._turn:
            for line in self._lines.fresh():
                try:
                    step = DraftStep.model_validate_json(line)
                except ValidationError:
                    continue  # a line of another version: its step is asked again
                self._steps.setdefault((step.reviewer, step.draw_id, step.conversation_id), []).append(step)
