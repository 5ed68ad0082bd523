"""A run's observations of a model: whether its first answers are all unusable, and which questions it answered well."""

import re
import threading
from collections import Counter, defaultdict
from typing import NamedTuple

from cpa_core.errors import AnswersUnusable, Foreign, Garbled
from cpa_core.llm.values import About, Reply, Request

FIRST_ANSWERS = 20
"""Number of first answers, all unusable, at which a run stops."""
LEAST_SHARE = 4
"""At least one of this many must be an answer: a server that is down for a moment is a different case."""
MOST_OWED = FIRST_ANSWERS // 2
"""Most questions owed a second try in another form: of many parallel calls, all may be cut off at first."""
MOST_KINDS = 4
"""Kinds of unusable answers that the error names."""
ENOUGH = 3
"""Questions remembered as answered well: enough for any caller to find one other than its own."""
VALUES = re.compile(r"'[^']*'|\d+")
"""The parts of a rule that differ between answers: values and positions."""
ANOTHER_API = "another API"
"""The kind of an answer in the form of another API, or of a web page."""
NO_ANSWER = "no answer"
"""The kind of a call without an answer, among several kinds."""


class Subject(NamedTuple):
    """A question by its task and the conversation that it is about."""

    task: str
    conversation_id: str


class Useless(NamedTuple):
    """A kind of unusable answer: its outcome, and the rule that it breaks without the values."""

    outcome: str
    rule: str


class Tally:
    """The unusable answers of one task, or of several: how many of each kind, and their words."""

    def __init__(self) -> None:
        self.kinds: Counter[Useless] = Counter()
        self.words: dict[Useless, set[str]] = {}
        self.failed = 0

    def add(self, kind: Useless, detail: str) -> None:
        """Add one answer."""
        self.kinds[kind] += 1
        words = self.words.setdefault(kind, set())
        words |= {detail} if len(words) < 2 else set()
        self.failed += kind.outcome == NO_ANSWER

    def __add__(self, other: "Tally") -> "Tally":
        both = Tally()
        both.kinds, both.failed = self.kinds + other.kinds, self.failed + other.failed
        both.words = {kind: self.words.get(kind, set()) | other.words.get(kind, set()) for kind in both.kinds}
        return both

    def said(self, kind: Useless) -> str:
        """Return the text of a kind, without the parts that differ."""
        words = self.words[kind]
        return next(iter(words)) if len(words) == 1 else kind.rule


class Watch:
    """Shared by the engines of a run that ask one model. Refused and filtered answers do not count.

    Unusable answers count together, whatever their kinds, and those of all tasks until one task has a good answer. Then
    each other task counts alone, because a model that tags well may be unable to judge. A question whose answer is cut
    off, or in a form that the server does not support, is asked once more in another way. While many such second
    answers are owed, the run continues. Questions that failed in an earlier run, in which the model answered others
    well, do not count against it. `first` is the number of unusable answers that ends the run; null means no limit.
    """

    def __init__(self, model: str, first: int | None = FIRST_ANSWERS) -> None:
        self.model = model
        self._first = first
        self._well: set[Subject] = set()
        self._good: set[str] = set()
        self._tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self._asked_again: set[Subject] = set()
        self._owed: set[Subject] = set()
        self._guard = threading.Lock()

    def note(self, request: Request, reply: Reply, about: About) -> None:
        """Note an answer. Raises AnswersUnusable if the model's first answers, all or of this task, are unusable."""
        subject = Subject(request.task, about.conversation_id)
        if reply.outcome == "ok":
            with self._guard:
                self._good.add(request.task)
                if len(self._well) < ENOUGH:
                    self._well.add(subject)
        elif reply.outcome in ("invalid", "error", "truncated") and not about.failed_before:
            self._owes(subject, is_owed=reply.again or (reply.is_cut_off and not request.is_roomier))
            self._note(request.task, reply.outcome, reply.detail)

    def garbled(self, task: str, failed: Garbled) -> None:
        """Note an answer of status 200 that cannot be read, or is of another API.

        Raises AnswersUnusable, as `note` does.
        """
        self._note(task, ANOTHER_API if isinstance(failed, Foreign) else "invalid", failed.reason)

    def failed(self, task: str, reason: str) -> None:
        """Note a call without an answer. Raises AnswersUnusable if the answers among such calls are unusable."""
        self._note(task, NO_ANSWER, reason)

    def _owes(self, subject: Subject, *, is_owed: bool) -> None:
        """Note whether a second answer about the subject is owed; there is at most one."""
        with self._guard:
            if is_owed and subject not in self._asked_again:
                self._owed.add(subject)
                self._asked_again.add(subject)
            else:
                self._owed.discard(subject)

    def _note(self, task: str, outcome: str, detail: str) -> None:
        with self._guard:
            if task in self._good:
                return
            self._tallies[task].add(Useless(outcome, VALUES.sub("…", detail)), detail)
            alone = task if self._good else ""
            tally = self._tallies[task] if alone else sum(self._tallies.values(), Tally())
            if self._shows(tally, alone):
                raise self._unusable(tally, alone)

    def _shows(self, tally: Tally, alone: str) -> bool:
        """Return whether the observations, of one task `alone` or of all, suffice to stop."""
        seen = tally.kinds.total()
        if self._first is None or seen < self._first:
            return False
        owed = sum(alone in ("", one.task) for one in self._owed)
        return (seen - tally.failed) * LEAST_SHARE >= self._first and owed <= MOST_OWED

    def _unusable(self, tally: Tally, alone: str) -> AnswersUnusable:
        seen = tally.kinds.total()
        shown = tally.kinds.most_common(MOST_KINDS)
        parts = [f"{kind.outcome}: {tally.said(kind)} ({often} of {seen})" for kind, often in shown]
        rest = seen - sum(often for _, often in shown)
        words = "; ".join([*parts, *([f"{rest} others"] if rest else [])])
        main = next((kind for kind, _ in shown if kind.outcome != NO_ANSWER), shown[0][0])
        which = f"answers to the task {alone}" if alone else "answers"
        reason = f"{self.model}: the first {seen} {which} are all unusable: {words}"
        return AnswersUnusable(reason, main.outcome, tally.said(main), alone)

    def has_answered_others(self, task: str, conversation_id: str) -> bool:
        """Whether the model has answered another question well in this run."""
        return bool(self._well - {Subject(task, conversation_id)})
