"""What runs by itself, once it is switched on: a sensor for new files and a nightly schedule, over one rule.

Nothing is remembered between ticks: what is due is read from the store, and what was already tried from the runs.
So a tick that dies loses nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Any

import dagster as dg

from cpa_core.errors import StoreBusy
from cpa_core.models import digest
from cpa_core.pipeline import Unlanded, unlanded
from cpa_core.store.database import Row
from cpa_dagster.assets import GROUP, UPSTREAM
from cpa_dagster.resources import WORK, Pipeline

ATTEMPTS = 3
"""Runs that the sensor requests for the same work."""

REQUESTS = 50
"""Most runs that one tick requests; the rest is due at the next."""

TICK_WAIT = 5.0
"""Seconds that a tick waits for a busy store before it is skipped."""

NIGHTLY = ("0 2 * * *", "30 2 * * *", "0 3 * * *", "0 4 * * *")
"""The first tick lands what is new, and the days that it touched are due at the next."""


@dataclass(frozen=True)
class Due:
    """What a tick sees. `landing` is an id of the objects to land, empty without any; `outside` says which days
    have no partition."""

    landing: str
    days: tuple[Row, ...]
    waiting: tuple[date, ...]
    outside: str


def automation(pipeline: Pipeline) -> dict[str, Any]:
    """The job, the schedule and the sensor of one assistant; both begin stopped, for they spend money."""
    job = dg.define_asset_job(
        GROUP,
        selection=dg.AssetSelection.groups(GROUP),
        description="Everything for one day: land, build, tag, judge, deliver.",
    )

    @dg.sensor(
        job=job,
        minimum_interval_seconds=60,
        description="Lands new and changed files, then runs the days they touched: each at most three times.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(context, pipeline, attempts=ATTEMPTS)

    @dg.schedule(
        job=job,
        cron_schedule=list(NIGHTLY),
        execution_timezone=pipeline.assistant.settings.timezone,
        description="Lands new and changed files, then runs every day that is due, also those that failed before.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> Any:
        found = _tick(context, pipeline, attempts=None)
        return found.run_requests or found.skip_reason

    return {"jobs": [job], "sensors": [new_files], "schedules": [nightly]}


def _tick(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext, pipeline: Pipeline, attempts: int | None
) -> dg.SensorResult:
    try:
        found = due(pipeline)
    except StoreBusy as busy:
        return dg.SensorResult(skip_reason=str(busy))
    notes = [found.outside] if found.outside else []
    if found.waiting:
        notes.append(f"{', '.join(map(str, found.waiting))}: a conversation may still go on")
    requests = list(islice(_requests(context.instance, pipeline, found, attempts, notes), REQUESTS))
    if requests:
        for note in notes:
            context.log.warning(note)
        return dg.SensorResult(run_requests=requests)
    return dg.SensorResult(skip_reason="; ".join(notes) or "nothing new, nothing due")


def due(pipeline: Pipeline) -> Due:
    """What needs a run now: the source is listed, not read. Raises StoreBusy, SourceError."""
    assistant = pipeline.assistant
    quiet = timedelta(minutes=assistant.settings.quiet_minutes)
    found = unlanded(assistant, wait=TICK_WAIT)
    with assistant.store.reading(wait=TICK_WAIT) as view:
        days = view.answer("due_days", destinations=list(assistant.settings.destinations))
        ends = view.rows("select day, max(ended_at) as ended_at from landed_conversations group by day")
    waiting = {row["day"] for row in ends if quiet and row["ended_at"] > assistant.now() - quiet}
    inside = [row for row in days if pipeline.days.has_partition_key(row["day"].isoformat())]
    return Due(
        landing=_landing(found) if found else "",
        days=tuple(row for row in inside if row["day"] not in waiting),
        waiting=tuple(row["day"] for row in inside if row["day"] in waiting),
        outside=pipeline.outside([row["day"] for row in days]),
    )


def _landing(found: Unlanded) -> str:
    fresh = sorted((o.uri, o.etag) for o in found.fresh)
    return digest([fresh, found.removed, found.returned])[:12]


def _requests(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Due, attempts: int | None, notes: list[str]
) -> Iterator[dg.RunRequest]:
    """One run to land, one a day that is due; none for work that is under way or was tried too often."""
    place = "/".join(pipeline.prefix) or "cpa"
    landing, *rest = (pipeline.key(name) for name in UPSTREAM)
    wanted: list[tuple[str, Sequence[dg.AssetKey], str | None]] = []
    if found.landing:
        wanted.append((f"{place}:land:{found.landing}", [landing], None))
    wanted += [(f"{place}:{row['day']}:{row['generation']}", rest, row["day"].isoformat()) for row in found.days]
    for work, selection, key in wanted:
        runs = instance.get_runs(dg.RunsFilter(tags={WORK: work}), limit=20)
        if any(not run.is_finished for run in runs):
            notes.append(f"{work}: under way")
        elif attempts is not None and len(runs) >= attempts:
            notes.append(f"{work}: given up after {len(runs)} runs; see {runs[0].run_id}")
        else:
            run_key = f"{work}:{len(runs)}"
            yield dg.RunRequest(run_key=run_key, asset_selection=selection, partition_key=key, tags={WORK: work})
