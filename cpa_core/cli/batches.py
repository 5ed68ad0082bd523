"""Batches on the command line: the waiting days of a run, and the lines that describe open batches."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from cpa_core.cli.screen import say
from cpa_core.errors import StoreBusy
from cpa_core.pipeline import AWAITED, Assistant, DayDone, OpenBatch, Problems, at_work, look, ready_days, wait_for_one
from cpa_core.store import Store

LOOK_WAIT = 5.0
"""Seconds that `cpa status` waits for a run that speaks of batches."""

Run = Callable[[Sequence[date]], Iterable[DayDone]]


class RanDays:
    """The days that a command brought to an end, and those that wait for batches; kept also where the run stops."""

    def __init__(self) -> None:
        self.done: list[DayDone] = []
        self.waiting: list[date] = []

    @property
    def is_whole(self) -> bool:
        """Whether all that was done is whole."""
        return all(one.is_whole for one in self.done)

    def run(self, assistant: Assistant, days: Sequence[date], run: Run, *, wait: bool) -> None:
        """Run the days; run those that wait for batches again once they are answered.

        Without `wait`, print the waiting days and leave them to the next run. Raises what `run` raises, and
        DeadlineReached.
        """
        self._run(days, run)
        if self.waiting:
            say(*waiting_lines(assistant.store))
        while self.waiting and wait:
            answered = ready_days(at_work(assistant.store), self.waiting, AWAITED)
            if answered:
                self._run(answered, run)
            else:
                say(*problem_lines(wait_for_one(assistant)))
        if self.waiting:
            say("next: cpa run, once the batches are answered; cpa status shows their progress")

    def _run(self, days: Sequence[date], run: Run) -> None:
        for one in run(days):
            if one.day in self.waiting:
                self.waiting.remove(one.day)
            if one.waits:
                self.waiting.append(one.day)
                continue
            self.done.append(one)
            if one.held:
                say(f"held back: {one.held}")


def problem_lines(problems: Problems) -> list[str]:
    """The batches whose vendors could not be asked, a line each."""
    return [f"not known: {row.day} {row.task}: {row.batch_id or row.state}: {problem}" for row, problem in problems]


def status_lines(assistant: Assistant) -> list[str]:
    """Return the progress of the batches, after polling their vendors and storing the batches that ended."""
    if not at_work(assistant.store):
        return []
    try:
        problems = problem_lines(look(assistant, store=True, wait=LOOK_WAIT))
    except StoreBusy:
        problems = ["a run is looking after the batches just now"]
    return problems + waiting_lines(assistant.store)


def waiting_lines(store: Store) -> list[str]:
    """The questions that wait for answers or for room, a line for each batch."""
    return [
        f"waiting: {row.day} {row.task}: {row.questions} questions to {row.provider}:{row.model} {where}"
        for row in at_work(store)
        if (where := _where(row))
    ]


def _where(row: OpenBatch) -> str:
    if row.state == "held":
        return "for their turn: the vendor refused more at once"
    if row.state not in AWAITED:
        return ""
    batch = row.batch_id or "a batch that may not exist"
    return f"in {batch} since {row.submitted_at:%Y-%m-%d %H:%M}, {row.done} done"
