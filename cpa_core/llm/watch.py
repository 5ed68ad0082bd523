"""What a run has seen of a model: whether its first answers are all unusable, and about what it answered well."""

import re
import threading
from collections import Counter
from typing import NamedTuple

from cpa_core.errors import AnswersUnusable
from cpa_core.llm.values import About, Reply, Request

FIRST_ANSWERS = 20
"""Answers, all unusable for one reason and none of use before them, at which a run stops."""
ENOUGH = 3
"""Questions that are remembered as answered well: whoever asks means another question than his own."""
VALUES = re.compile(r"'[^']*'|\d+")
"""What differs in a rule from answer to answer: values and positions."""


class Subject(NamedTuple):
    """A question by its task and the conversation that it is about."""

    task: str
    conversation_id: str


class Watch:
    """Shared by the engines of a run that ask one model. Refused and filtered answers say nothing here.

    Questions that failed in an earlier run, in which the model answered others well, are no evidence against it.
    `first` is how many unusable answers end the run; null: none does.
    """

    def __init__(self, model: str, first: int | None = FIRST_ANSWERS) -> None:
        self.model = model
        self._first = first
        self._well: set[Subject] = set()
        self._unusable: Counter[str] = Counter()
        self._rules: Counter[tuple[str, str]] = Counter()
        self._guard = threading.Lock()

    def note(self, request: Request, reply: Reply, about: About) -> None:
        """The model answered. Raises AnswersUnusable when all of its first answers are unusable for one reason."""
        if reply.outcome == "ok":
            with self._guard:
                if len(self._well) < ENOUGH:
                    self._well.add(Subject(request.task, about.conversation_id))
        elif reply.outcome in ("invalid", "error") and not about.failed_before:
            self.unusable(reply.outcome, reply.detail)
        elif reply.outcome == "truncated" and request.is_roomier and not about.failed_before:
            self.unusable(reply.outcome, reply.detail, answers=2)  # the first, with less room, was cut off as well

    def unusable(self, outcome: str, detail: str, answers: int = 1) -> None:
        """So many answers more that are of no use. Raises AnswersUnusable."""
        rule = VALUES.sub("…", detail)
        with self._guard:
            if self._well:
                return
            self._unusable[outcome] += answers
            self._rules[outcome, rule] += answers
            seen = self._unusable[outcome]
            if self._first is None or seen < self._first:
                return
            words, often = max(((r, n) for (o, r), n in self._rules.items() if o == outcome), key=lambda pair: pair[1])
        shown = detail if rule == words else words
        raise AnswersUnusable(
            f"{self.model}: the first {seen} answers are all unusable: {outcome}: {shown} ({often} of {seen})",
            outcome,
            shown,
        )

    def has_answered_others(self, task: str, conversation_id: str) -> bool:
        """Whether the model has answered another question well in this run."""
        return bool(self._well - {Subject(task, conversation_id)})
