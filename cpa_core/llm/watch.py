"""What a run has seen of a model: whether its first answers are all unusable, and about what it answered well."""

import re
import threading
from collections import Counter
from typing import NamedTuple

from cpa_core.errors import AnswersUnusable, Foreign, Garbled
from cpa_core.llm.values import About, Reply, Request

FIRST_ANSWERS = 20
"""Answers, none of use among them or before them, at which a run stops."""
LEAST_SHARE = 4
"""One of so many must be an answer: a server that is only down for a moment is another matter."""
MOST_OWED = FIRST_ANSWERS // 2
"""Questions that may be about to be asked in another way: of many calls at once, all may be cut off at first."""
MOST_KINDS = 4
"""Kinds of uselessness that are named."""
ENOUGH = 3
"""Questions that are remembered as answered well: whoever asks means another question than his own."""
VALUES = re.compile(r"'[^']*'|\d+")
"""What differs in a rule from answer to answer: values and positions."""
ANOTHER_API = "another API"
"""The kind of an answer in the form of one, or of a page."""
NO_ANSWER = "no answer"
"""The kind of a call that brought none, as one of several kinds."""


class Subject(NamedTuple):
    """A question by its task and the conversation that it is about."""

    task: str
    conversation_id: str


class Useless(NamedTuple):
    """A kind of answer that is of no use, in `rule` with its values left out, and the words of the first."""

    outcome: str
    rule: str


class Watch:
    """Shared by the engines of a run that ask one model. Refused and filtered answers say nothing here.

    Useless answers count together, whatever their kinds. Where one is cut off, or in a form that the server does not
    take, its question is put once more in another way: while many such second answers are owed, the run goes on.
    Questions that failed in an earlier run, in which the model answered others well, are no evidence against it.
    `first` is how many useless answers end the run; null: none does.
    """

    def __init__(self, model: str, first: int | None = FIRST_ANSWERS) -> None:
        self.model = model
        self._first = first
        self._well: set[Subject] = set()
        self._kinds: Counter[Useless] = Counter()
        self._words: dict[Useless, set[str]] = {}
        self._asked_again: set[Subject] = set()
        self._owed: set[Subject] = set()
        self._failed = 0
        self._guard = threading.Lock()

    def note(self, request: Request, reply: Reply, about: About) -> None:
        """The model answered. Raises AnswersUnusable when its first answers are all useless."""
        subject = Subject(request.task, about.conversation_id)
        if reply.outcome == "ok":
            with self._guard:
                if len(self._well) < ENOUGH:
                    self._well.add(subject)
        elif reply.outcome in ("invalid", "error", "truncated") and not about.failed_before:
            self._owes(subject, is_owed=reply.again or (reply.is_cut_off and not request.is_roomier))
            self._note(reply.outcome, reply.detail)

    def garbled(self, failed: Garbled) -> None:
        """An answer of status 200 that cannot be read, or of another API. Raises AnswersUnusable, as `note`."""
        self._note(ANOTHER_API if isinstance(failed, Foreign) else "invalid", failed.reason)

    def failed(self, reason: str) -> None:
        """A call without an answer. Raises AnswersUnusable where answers among such calls are useless."""
        self._note(NO_ANSWER, reason)

    def _owes(self, subject: Subject, *, is_owed: bool) -> None:
        """Whether a second answer about the subject is to come; there is one only."""
        with self._guard:
            if is_owed and subject not in self._asked_again:
                self._owed.add(subject)
                self._asked_again.add(subject)
            else:
                self._owed.discard(subject)

    def _note(self, outcome: str, detail: str) -> None:
        kind = Useless(outcome, VALUES.sub("…", detail))
        with self._guard:
            if self._well:
                return
            self._kinds[kind] += 1
            words = self._words.setdefault(kind, set())
            words |= {detail} if len(words) < 2 else set()
            self._failed += outcome == NO_ANSWER
            if self._shows():
                raise self._unusable()

    def _shows(self) -> bool:
        """Whether what was seen is enough to stop."""
        seen = self._kinds.total()
        if self._first is None or seen < self._first:
            return False
        return (seen - self._failed) * LEAST_SHARE >= self._first and len(self._owed) <= MOST_OWED

    def _unusable(self) -> AnswersUnusable:
        seen = self._kinds.total()
        shown = self._kinds.most_common(MOST_KINDS)
        parts = [f"{kind.outcome}: {self._said(kind)} ({often} of {seen})" for kind, often in shown]
        rest = seen - sum(often for _, often in shown)
        words = "; ".join([*parts, *([f"{rest} others"] if rest else [])])
        main = next((kind for kind, _ in shown if kind.outcome != NO_ANSWER), shown[0][0])
        return AnswersUnusable(
            f"{self.model}: the first {seen} answers are all unusable: {words}", main.outcome, self._said(main)
        )

    def _said(self, kind: Useless) -> str:
        """Its words, without what differs in them."""
        words = self._words[kind]
        return next(iter(words)) if len(words) == 1 else kind.rule

    def has_answered_others(self, task: str, conversation_id: str) -> bool:
        """Whether the model has answered another question well in this run."""
        return bool(self._well - {Subject(task, conversation_id)})
