"""The sensor of batches, so that no run waits for them: it requests the days whose answers have arrived."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice
from logging import Logger

import dagster as dg

from cpa_core.errors import StoreBusy
from cpa_core.models import digest
from cpa_core.pipeline import WAITING, Assistant, OpenBatch, at_work, look, ready_days
from cpa_dagster.assets import GROUP, UPSTREAM
from cpa_dagster.resources import WORK, Pipeline

UNDER_WAY = "under way"
"""The end of a note on work that a run does now: nothing is wrong."""
ATTEMPTS = 3
"""Runs that are requested for the same answers."""
REQUESTS = 50
"""Most runs that one tick requests."""
TICK_WAIT = 5.0
"""Seconds that a tick waits for a busy store, or for another process that polls batches."""
LOOKING = 20.0
"""Seconds after which a tick starts no further poll: Dagster ends the tick after 60."""
PATIENCE = 15.0
"""Seconds that a vendor may take for one answer to a tick."""


def batches_sensor(pipeline: Pipeline) -> dg.SensorDefinition:
    """Return the sensor. It is on from the start if CPA_LANE is `batch`: without it, no paid answer would arrive."""
    by_batch = pipeline.assistant.settings.lane == "batch"

    @dg.sensor(
        name=pipeline.named("batches"),
        job_name=pipeline.named(GROUP),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING if by_batch else dg.DefaultSensorStatus.STOPPED,
        description="Asks how far the batches are, and runs the days whose answers have come.",
    )
    def batches(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(context, pipeline)

    return batches


def log_notes(log: Logger, notes: Sequence[str]) -> None:
    """Log why work is not requested: a warning, unless it is only under way, which each tick finds until it ends."""
    for note in notes:
        (log.info if note.endswith(UNDER_WAY) else log.warning)(note)


def _tick(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SensorResult:
    """Poll the batches and request runs. The runs store the answers, because a tick has too little time."""
    assistant = _patient(pipeline.assistant)
    try:
        if not at_work(assistant.store, wait=TICK_WAIT):
            return dg.SensorResult(skip_reason="no batch is at work")
        problems = look(assistant, store=False, wait=TICK_WAIT, seconds=LOOKING)
        rows = at_work(assistant.store, wait=TICK_WAIT)
    except StoreBusy as busy:
        return dg.SensorResult(skip_reason=str(busy))
    notes = [f"{row.day} {row.task}: {row.batch_id or row.state}: {problem}" for row, problem in problems]
    requests = list(islice(_requests(context.instance, pipeline, rows, notes), REQUESTS))
    log_notes(context.log, notes)
    return dg.SensorResult(run_requests=requests, skip_reason=None if requests else "; ".join(notes) or "nothing new")


def _patient(assistant: Assistant) -> Assistant:
    """The assistant, with less time for a vendor than a tick has."""
    return replace(assistant, settings=assistant.settings.model_copy(update={"timeout": PATIENCE}))


def _requests(
    instance: dg.DagsterInstance, pipeline: Pipeline, rows: list[OpenBatch], notes: list[str]
) -> Iterator[dg.RunRequest]:
    """Yield one run for each day that can continue, unless one is in progress or the day was tried too often.

    Days with held questions run one after the other; a day that was given up does not block the others.
    """
    by_day: defaultdict[date, list[OpenBatch]] = defaultdict(list)
    for row in rows:
        by_day[row.day].append(row)
    runs: dict[date, Sequence[dg.DagsterRun]] = {}
    for day, batches in sorted(by_day.items()):
        waiting = sum(row.questions for row in batches if row.state in WAITING)
        if waiting:
            notes.append(f"{day}: {waiting} questions wait")
        if pipeline.days.has_partition_key(day.isoformat()):
            work = _work(pipeline, day, batches)
            runs[day] = instance.get_runs(dg.RunsFilter(tags={WORK: work}), limit=20)
    open_ = [day for day, found in runs.items() if len(found) < ATTEMPTS or any(not run.is_finished for run in found)]
    for day in ready_days(rows, list(runs)):
        if day not in open_:
            notes.append(f"{day}: given up after {len(runs[day])} runs; see {runs[day][0].run_id}")
    for day in ready_days(rows, open_):
        yield from _request(pipeline, day, _work(pipeline, day, by_day[day]), runs[day], notes)


def _work(pipeline: Pipeline, day: date, batches: list[OpenBatch]) -> str:
    """Return a name for the work of the day's run. Held questions are requested again the next day."""
    held = [str(pipeline.assistant.now().date())] if any(row.state == "held" for row in batches) else []
    answers = digest(sorted(row.batch_key for row in batches) + held)[:12]
    return f"{pipeline.place}:{day}:batches:{answers}"


def _request(
    pipeline: Pipeline, day: date, work: str, runs: Sequence[dg.DagsterRun], notes: list[str]
) -> Iterator[dg.RunRequest]:
    if any(not run.is_finished for run in runs):
        notes.append(f"{work}: {UNDER_WAY}")
        return
    _, *selection = (pipeline.key(name) for name in UPSTREAM)
    yield dg.RunRequest(
        run_key=f"{work}:{len(runs)}", asset_selection=selection, partition_key=day.isoformat(), tags={WORK: work}
    )
