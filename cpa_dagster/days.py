"""The days of one run of a partitioned asset: the days with work, and the report of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TypeVar

import dagster as dg

from cpa_core.errors import BudgetReached, CpaError, DayIncomplete, DayWaits, DeadlineReached, StoreBusy
from cpa_core.pipeline import Assistant, QuoteLine, home_id, known_days, open_work, quote, unbuilt_days
from cpa_core.pipeline.handles import with_handles, without_names
from cpa_core.store.database import Row
from cpa_dagster.options import RunOptions, SecretKeys
from cpa_dagster.pictures import table
from cpa_dagster.reports import Metadata, Report
from cpa_dagster.resources import Pipeline, RunContext

Days = Iterator[dg.AssetMaterialization | dg.AssetObservation | dg.MaterializeResult[None]]

Result = TypeVar("Result")

HOME = "home id"
"""The metadata of `landed_files` with the id of its home."""

OPEN = "open"
"""The metadata of a failed step that lists the conversations which hold their days back."""

BUSY_TRIES, BUSY_PAUSE = 20, 15
"""Retries, and seconds between them, of a step whose store another process holds."""


@dataclass(frozen=True)
class Step:
    """One step of a run: its Dagster context, its assistant, its options and its keys."""

    context: RunContext
    pipeline: Pipeline
    options: RunOptions
    keys: SecretKeys

    @cached_property
    def assistant(self) -> Assistant:
        """The assistant, with the run's choices. Raises dg.Failure for a choice that no run can have."""
        try:
            return self.pipeline.of_run(self.context, self.options, self.keys)
        except CpaError as error:
            raise failure(str(error)) from error

    @cached_property
    def days(self) -> list[date]:
        """Return the days of the run, in order; none if it has no partition."""
        has_days = self.context.has_partition_key or self.context.has_partition_key_range
        return [date.fromisoformat(key) for key in self.context.partition_keys] if has_days else []

    @cached_property
    def landed(self) -> list[date]:
        """Return the days of the run with landed records, in order. Raises dg.Failure if the run is a mistake."""
        return landed_of(self)


def each_day(step: Step, work: Callable[[date], Metadata], report: Report, *, builds: bool = False) -> Days:
    """Do the work of each day of the run.

    A day that is held back does not stop the others: the finished days are recorded, then the step fails and names the
    rest. Any other error stops the step there. A day that waits for batches is no failure: the finished days are
    recorded, and the stages after this one are left out.

    Days without landed records are left as they are. A day that has landed and is not built fails the step, unless the
    step `builds` days itself.
    """
    with errors_of(step):
        known = step.landed
        if not builds:
            _must_be_built(step, known)
        yield from _each_day(step, known, work, report)


def in_passes(
    step: Step, run: Callable[[Sequence[date]], Mapping[date, Result | CpaError]]
) -> Callable[[date], Result]:
    """Return the work of one day, which `run` does for it and for the days after it that fit into the same pass.

    An error that `run` gives for a day is raised when it is that day's turn.
    """
    ended: dict[date, Result | CpaError] = {}

    def work(day: date) -> Result:
        if day not in ended:
            ended.update(run([one for one in step.landed if one >= day]))
        end = ended.pop(day)
        if isinstance(end, CpaError):
            raise end
        return end

    return work


def _each_day(step: Step, known: Sequence[date], work: Callable[[date], Metadata], report: Report) -> Days:
    done: dict[date, Metadata] = {}
    problems: list[str] = []
    held: list[date] = []
    waiting: list[str] = []
    with step.assistant.progress("days", len(known)) as advance:
        for day in known:
            try:
                done[day] = work(day)
            except DayWaits as waits:
                waiting.append(f"{day}: {waits}")
            except DayIncomplete as incomplete:
                held.append(day)
                problems.append(str(incomplete))
            except StoreBusy:
                raise
            except CpaError as error:
                problems.append(f"{day}: {error}")
                if isinstance(error, BudgetReached | DeadlineReached):
                    problems += _left(step, [one for one in known if one >= day])
                break
            advance()
    left = set(known).difference(done) if problems or waiting else None
    yield from _recorded(step, done, report, left)
    if problems:
        rows = with_handles(step.assistant, open_work(step.assistant, held)) if held else []
        raise failure(without_names(step.assistant, "\n".join(problems)), rows)
    for words in waiting:
        step.context.log.info(words)
    if not waiting:
        yield dg.MaterializeResult()


def _recorded(step: Step, done: dict[date, Metadata], report: Report, left: set[date] | None) -> Days:
    """Record each day's metadata with the step's result.

    If days are `left`, the step has none: yield a materialization for every other day.
    """
    context = step.context
    assert isinstance(context, dg.AssetExecutionContext)
    reports: Mapping[date, Metadata] = {}
    if done:
        with step.assistant.store.reading():  # a report reads each day several times
            reports = report(step.assistant, list(done))
    shown = {day: {**reports.get(day, {}), **metadata} for day, metadata in done.items()}
    if left is None:
        for day, metadata in shown.items():
            context.add_asset_metadata(metadata, partition_key=str(day))
        return
    for day in step.days:
        if day not in left:
            yield dg.AssetMaterialization(context.asset_key, partition=str(day), metadata=shown.get(day))


def landed_of(step: Step) -> list[date]:
    """Return the days of the run with landed records. Raises dg.Failure if the run can only be a mistake.

    A run is a mistake if nothing has landed in this home, if the newest landing went to another home, or if its only
    day is unknown.
    """
    known = known_days(step.assistant)
    if words := _mistake(step, known):
        raise failure(words)
    found = sorted(set(known).intersection(step.days))
    if len(found) < len(step.days):
        step.context.log.info(f"nothing landed on {len(step.days) - len(found)} of {len(step.days)} days of this run")
    return found


def _must_be_built(step: Step, known: Sequence[date]) -> None:
    """Raise dg.Failure if a day has conversations and none is built: the step would succeed without doing anything."""
    missing = sorted(set(unbuilt_days(step.assistant)).intersection(known))
    if missing:
        named = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
        raise failure(f"{named}: landed and not built: materialize raw_conversations of these days first")


def _mistake(step: Step, known: Sequence[date]) -> str:
    given = step.assistant.settings
    home = f"{given.store} (CPA_STORE)" if given.store else str(given.home.resolve())
    if not known:
        return (
            f"{home}: no conversation has landed in this home: materialize landed_files; if it has landed before, "
            "this process does not see the home that landed: check CPA_HOME and the volume"
        )
    elsewhere = landed_elsewhere(step)
    if elsewhere:
        return (
            f"{home}: this is not the home that landed_files was materialized in ({elsewhere}): "
            "check CPA_HOME and the volume, or materialize landed_files here"
        )
    if len(step.days) == 1 and not known[0] <= step.days[0] <= known[-1]:
        return f"{step.days[0]}: nothing is known of this day: {home} holds days from {known[0]} to {known[-1]}"
    return ""


def landed_elsewhere(step: Step) -> str:
    """Return the home id of the newest landing in Dagster if it is another home; else empty."""
    newest = step.context.instance.get_latest_materialization_event(step.pipeline.key("landed_files"))
    landed = newest.asset_materialization if newest else None
    value = landed.metadata.get(HOME) if landed else None
    there = str(value.value) if value else ""
    return there if there and there != home_id(step.assistant) else ""


@contextmanager
def errors_of(step: Step) -> Iterator[None]:
    """Turn our errors into Dagster's: a busy store is retried, any other error fails with its own text."""
    try:
        yield
    except StoreBusy as busy:
        step.context.log.warning(f"{busy}. Nothing is lost; tried again in {BUSY_PAUSE} s")
        raise dg.RetryRequested(max_retries=BUSY_TRIES, seconds_to_wait=BUSY_PAUSE) from busy
    except CpaError as error:
        raise failure(without_names(step.assistant, str(error))) from error


def _left(step: Step, days: Sequence[date]) -> list[str]:
    """Return the questions of the run's days that are still unasked, with their price."""
    lines = quote(step.assistant, days, retag=step.options.retag).lines
    return [f"left of {len(days)} days: {line.task}: {line.questions} questions, {price(line)}" for line in lines]


def price(line: QuoteLine) -> str:
    """Return the highest cost of a quote's questions, in words."""
    return "an unknown sum" if line.cost is None else f"at most about ${line.cost:.4f}"


def failure(words: str, rows: Sequence[Row] = ()) -> dg.Failure:
    """Return a failure with its text and the open conversations.

    Dagster does not retry it: the same run would fail again.
    """
    return dg.Failure(description=words, metadata=table(OPEN, rows), allow_retries=False)
