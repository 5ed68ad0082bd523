"""What looks after batches, so that no run waits for them: a sensor that requests the days whose answers have come."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import islice

import dagster as dg

from cpa_core.errors import StoreBusy
from cpa_core.models import digest
from cpa_core.pipeline import Assistant, at_work, look
from cpa_core.store.database import Row
from cpa_dagster.assets import GROUP, UPSTREAM
from cpa_dagster.resources import WORK, Pipeline

ATTEMPTS = 3
"""Runs that are requested for the same answers."""
REQUESTS = 50
"""Most runs that one tick requests."""
TICK_WAIT = 5.0
"""Seconds that a tick waits for a busy store, or for somebody else who speaks of batches."""
LOOKING = 20.0
"""Seconds after which a tick begins no other look: Dagster ends it after 60."""
PATIENCE = 15.0
"""Seconds that a vendor may take for one answer to a tick."""


def batches_sensor(pipeline: Pipeline) -> dg.SensorDefinition:
    """It runs from the start where the lane of batches is chosen, for without it nothing that was paid comes in."""
    by_batch = pipeline.assistant.settings.lane == "batch"

    @dg.sensor(
        job_name=GROUP,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING if by_batch else dg.DefaultSensorStatus.STOPPED,
        description="Asks how far the batches are, and runs the days whose answers have come.",
    )
    def batches(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(context, pipeline)

    return batches


def _tick(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SensorResult:
    """Look, and request; the answers themselves are stored by the run, which has the time."""
    assistant = _patient(pipeline.assistant)
    try:
        if not at_work(assistant, wait=TICK_WAIT):
            return dg.SensorResult(skip_reason="no batch is at work")
        problems = look(assistant, store=False, wait=TICK_WAIT, seconds=LOOKING)
        rows = at_work(assistant, wait=TICK_WAIT)
    except StoreBusy as busy:
        return dg.SensorResult(skip_reason=str(busy))
    notes = [f"{row['day']} {row['task']}: {row['batch_id'] or row['state']}: {problem}" for row, problem in problems]
    requests = list(islice(_requests(context.instance, pipeline, rows, notes), REQUESTS))
    for note in notes:
        context.log.warning(note)
    return dg.SensorResult(run_requests=requests, skip_reason=None if requests else "; ".join(notes) or "nothing new")


def _patient(assistant: Assistant) -> Assistant:
    """The assistant, with less time for a vendor than a tick has."""
    given = assistant.settings
    return replace(
        assistant, settings=given.model_copy(update={"environ": {**given.environ, "CPA_TIMEOUT": str(PATIENCE)}})
    )


def _requests(
    instance: dg.DagsterInstance, pipeline: Pipeline, rows: list[Row], notes: list[str]
) -> Iterator[dg.RunRequest]:
    """One run for each day all of whose batches have ended, unless it is under way or was tried too often."""
    by_day: defaultdict[date, list[Row]] = defaultdict(list)
    for row in rows:
        by_day[row["day"]].append(row)
    for day, batches in sorted(by_day.items()):
        waiting = sum(row["questions"] for row in batches if row["state"] in ("submitting", "submitted"))
        if waiting:
            notes.append(f"{day}: {waiting} questions wait")
        elif pipeline.days.has_partition_key(day.isoformat()):
            answers = digest(sorted(row["batch_key"] for row in batches))[:12]
            yield from _request(instance, pipeline, day, answers, notes)


def _request(
    instance: dg.DagsterInstance, pipeline: Pipeline, day: date, answers: str, notes: list[str]
) -> Iterator[dg.RunRequest]:
    work = f"{'/'.join(pipeline.prefix) or 'cpa'}:{day}:batches:{answers}"
    runs = instance.get_runs(dg.RunsFilter(tags={WORK: work}), limit=20)
    if any(not run.is_finished for run in runs):
        notes.append(f"{work}: under way")
    elif len(runs) >= ATTEMPTS:
        notes.append(f"{work}: given up after {len(runs)} runs; see {runs[0].run_id}")
    else:
        _, *selection = (pipeline.key(name) for name in UPSTREAM)
        yield dg.RunRequest(
            run_key=f"{work}:{len(runs)}",
            asset_selection=selection,
            partition_key=day.isoformat(),
            tags={WORK: work},
        )
