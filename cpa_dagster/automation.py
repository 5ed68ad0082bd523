"""Automation, once switched on: a sensor for new files and a nightly schedule, which share one rule.

A tick keeps no state: it reads due days from the store, and earlier tries from Dagster's runs. So a tick that dies
loses nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import dagster as dg

from cpa_core.errors import CpaError, SchemaError, StoreBusy
from cpa_core.models import digest
from cpa_core.pipeline import Assistant, Unlanded, due_days, unlanded
from cpa_core.store.database import Row
from cpa_dagster.alerts import alerts_sensor
from cpa_dagster.assets import GROUP, UNPARTITIONED, UPSTREAM
from cpa_dagster.batches import UNDER_WAY, batches_sensor, log_notes
from cpa_dagster.resources import ATTEMPTS, PAUSES, WORK, Pipeline
from cpa_dagster.upkeep import upkeep_schedules

REQUESTS = 50
"""Most runs that one tick requests; the rest is due at the next."""

SINGLE = 10
"""Up to this many due days, each is a run of its own, so that they run in parallel; more days become ranges."""

RANGE = 100
"""Most days of one run."""

LAST_RANGES = 50
"""Runs of ranges that are looked at for what was tried before."""

RANGES, DAYS = "cpa/ranges", "cpa/days"
"""The tags of a run of a range: its assistant, and its days with their generations."""

TICK_WAIT = 5.0
"""Seconds that a tick waits for a busy store before it is skipped."""

LISTING_WAIT = 40.0
"""Seconds that a tick waits for the listing of the source: Dagster ends it after 60."""

NIGHTLY = ("0 2 * * *", "30 2 * * *", "0 3 * * *", "0 4 * * *")
"""The first tick lands new files; the days that they touch are due at the next tick."""


@dataclass(frozen=True)
class Due:
    """The work that a tick finds due.

    `landing` is an id of the objects to land, empty if there are none. `notes` explain due work that cannot be
    requested: days without a partition, conversations that may continue, an unreachable source. `known` are all days
    with landed records.
    """

    landing: str
    days: tuple[Row, ...]
    notes: tuple[str, ...]
    known: tuple[date, ...]


def automation(pipeline: Pipeline) -> dict[str, Any]:
    """The job, the schedule and the sensors of one assistant. Those that spend money begin stopped."""
    job = dg.define_asset_job(
        pipeline.named(GROUP),
        selection=dg.AssetSelection.assets(*(pipeline.key(name) for name in UPSTREAM)),
        description="Everything for one day: land, build, tag, judge, deliver.",
    )
    history = dg.define_asset_job(
        pipeline.named("history"),
        selection=dg.AssetSelection.assets(*(pipeline.key(name) for name in UPSTREAM if name not in UNPARTITIONED)),
        description="A range of days that have landed: build, tag, judge, deliver. Its backfill waits for no landing.",
    )

    @dg.sensor(
        name=pipeline.named("new_files"),
        job=job,
        minimum_interval_seconds=20,
        description="Lands new and changed files, then runs the days they touched; thrice what fails.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(context, pipeline, attempts=ATTEMPTS)

    @dg.schedule(
        name=pipeline.named("nightly"),
        job=job,
        cron_schedule=list(NIGHTLY),
        execution_timezone=pipeline.assistant.settings.timezone,
        description="Lands new and changed files, then runs every day that is due, also those that failed before.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> Any:
        found = _tick(context, pipeline, attempts=None)
        return found.run_requests or found.skip_reason

    insights = dg.AssetSelection.assets(pipeline.key("insights"), pipeline.key("report"))
    follow = dg.AutomationConditionSensorDefinition(
        pipeline.named("insights_follow"),
        target=insights,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Makes the insights and the report anew after a day was labelled. It asks no model.",
    )
    return {
        "jobs": [job, history],
        "sensors": [new_files, batches_sensor(pipeline), follow, alerts_sensor(pipeline)],
        "schedules": [nightly, *upkeep_schedules(pipeline)],
    }


def _tick(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext, pipeline: Pipeline, attempts: int | None
) -> dg.SensorResult:
    """Return the runs to request now. The tick's log explains due work that cannot be requested."""
    try:
        found = due(pipeline)
    except StoreBusy as busy:
        context.log.warning(str(busy))
        return dg.SensorResult(skip_reason=str(busy))
    notes = list(found.notes)
    requests = list(islice(_requests(context.instance, pipeline, found, attempts, notes), REQUESTS))
    log_notes(context.log, notes)
    if requests:
        return dg.SensorResult(run_requests=requests)
    return dg.SensorResult(skip_reason="; ".join(notes) or "nothing new, nothing due")


def due(pipeline: Pipeline) -> Due:
    """Return the work that needs a run now: the source is listed, not read. Raises StoreBusy."""
    assistant = pipeline.assistant
    quiet = timedelta(minutes=assistant.settings.quiet_minutes)
    landing, trouble = _to_land(assistant)
    days, unusable = _days_due(assistant)
    with assistant.store.reading(wait=TICK_WAIT) as view:
        known = [row["day"] for row in view.answer("status/known_days")]
        ends = view.answer("status/ends_of_days")
    young = {row["day"] for row in ends if quiet and row["ended_at"] > assistant.now() - quiet}
    by_batch = assistant.settings.lane == "batch"  # then what waits has a sensor of its own
    ready = [row for row in days if not (by_batch and row["waits"]) and not row["waits_until"]]
    later = (f"{row['day']}: {row['reason']}" for row in days if row["waits_until"])
    inside = [row for row in ready if pipeline.days.has_partition_key(row["day"].isoformat())]
    waiting = ", ".join(str(row["day"]) for row in inside if row["day"] in young)
    notes = (
        trouble,
        unusable,
        pipeline.outside(known),
        f"{waiting}: a conversation may still go on" if waiting else "",
        *later,
    )
    return Due(
        landing=landing,
        days=tuple(row for row in inside if row["day"] not in young),
        notes=tuple(filter(None, notes)),
        known=tuple(known),
    )


def _days_due(assistant: Assistant) -> tuple[list[Row], str]:
    """Return the days that are due; none, with the reason, if the named schema cannot be read. Raises StoreBusy."""
    try:
        return due_days(assistant, wait=TICK_WAIT), ""
    except SchemaError as error:
        return [], f"no day is run: {error}"


def _to_land(assistant: Assistant) -> tuple[str, str]:
    """Return an id of the objects to land, or why the source could not be listed; due days run all the same."""
    listed: SimpleQueue[Unlanded | CpaError] = SimpleQueue()

    def work() -> None:
        try:
            listed.put(unlanded(assistant, wait=TICK_WAIT))
        except CpaError as error:
            listed.put(error)

    Thread(target=work, daemon=True).start()
    try:
        found = listed.get(timeout=LISTING_WAIT)
    except Empty:
        return "", f"{assistant.settings.source}: not listed within {LISTING_WAIT:.0f} s; the next tick tries again"
    if isinstance(found, StoreBusy):
        raise found
    if isinstance(found, CpaError):
        return "", str(found)
    fresh = sorted((o.uri, o.etag) for o in found.fresh)
    return digest([fresh, found.removed, found.returned])[:12] if found else "", ""


def _requests(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Due, attempts: int | None, notes: list[str]
) -> Iterator[dg.RunRequest]:
    """Yield one run to land, and runs for the due days; none for work that is in progress or was tried too often."""
    landing, *rest = (pipeline.key(name) for name in UPSTREAM)
    tried = Tried(instance, pipeline, attempts)
    if found.landing:
        work = f"{pipeline.place}:land:{found.landing}"
        reason, count = tried.not_now(work)
        if reason:
            notes.append(f"{work}: {reason}")
        else:
            yield dg.RunRequest(run_key=f"{work}:{count}", asset_selection=[landing], tags={WORK: work})
    free: dict[date, int] = {}
    for row in found.days:
        reason, free[row["day"]] = tried.not_now(tried.of_day(row), row)
        if reason:
            notes.append(f"{tried.of_day(row)}: {reason}")
            del free[row["day"]]
    rows = [row for row in found.days if row["day"] in free]
    if len(rows) <= SINGLE:
        for row in rows:
            work = tried.of_day(row)
            key = row["day"].isoformat()
            run_key = f"{work}:{free[row['day']]}"
            yield dg.RunRequest(run_key=run_key, asset_selection=rest, partition_key=key, tags={WORK: work})
        return
    for rows_of_run in ranges(rows, found.known):
        yield _range_request(pipeline, rows_of_run, rest, sum(free[row["day"]] for row in rows_of_run))


def ranges(rows: Sequence[Row], known: Sequence[date]) -> Iterator[list[Row]]:
    """Yield the due days as ranges: no other known day lies within a range, and a range has a bounded size.

    `rows` and `known` are in order.
    """
    place = {day: n for n, day in enumerate(known)}
    one: list[Row] = []
    for row in rows:
        if one and (len(one) >= RANGE or place[row["day"]] != place[one[-1]["day"]] + 1):
            yield one
            one = []
        one.append(row)
    if one:
        yield one


def _range_request(
    pipeline: Pipeline, rows: Sequence[Row], selection: Sequence[dg.AssetKey], count: int
) -> dg.RunRequest:
    """One run of several days. Its tags name the days and generations that it was requested for."""
    first, last = rows[0]["day"].isoformat(), rows[-1]["day"].isoformat()
    wanted = " ".join(f"{row['day']}:{row['generation']}" for row in rows)
    work = f"{pipeline.place}:{first}..{last}:{digest([wanted])[:12]}"
    tags = {
        WORK: work,
        RANGES: pipeline.place,
        DAYS: wanted,
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    return dg.RunRequest(run_key=f"{work}:{count}", asset_selection=list(selection), tags=tags)


@dataclass(frozen=True)
class Tried:
    """Earlier requests, read from Dagster's runs, which are the only memory. Null `attempts` means no limit."""

    instance: dg.DagsterInstance
    pipeline: Pipeline
    attempts: int | None

    def of_day(self, row: Row) -> str:
        """Return the name of the work on a day and its landed generation."""
        return f"{self.pipeline.place}:{row['day']}:{row['generation']}"

    def not_now(self, work: str, row: Row | None = None) -> tuple[str, int]:
        """Return why no run is requested for this work now (empty if one is), and the number of its earlier runs."""
        of_work = dg.RunsFilter(tags={WORK: work})
        runs = [*self.instance.get_run_records(of_work, limit=ATTEMPTS), *self._in_ranges(row)]
        runs.sort(key=lambda record: record.create_timestamp, reverse=True)
        reason = _not_now(runs, self.pipeline.assistant.now(), self.attempts)
        return reason, self.instance.get_runs_count(of_work)

    def _in_ranges(self, row: Row | None) -> list[dg.RunRecord]:
        named = f"{row['day']}:{row['generation']}" if row else ""
        return [one for one in self._of_ranges if named in one.dagster_run.tags[DAYS].split()] if row else []

    @cached_property
    def _of_ranges(self) -> list[dg.RunRecord]:
        filters = dg.RunsFilter(tags={RANGES: self.pipeline.place})
        return list(self.instance.get_run_records(filters, limit=LAST_RANGES))


def _not_now(runs: Sequence[dg.RunRecord], now: datetime, attempts: int | None) -> str:
    """Return why no run is requested for work with these earlier runs, newest first; empty if one is.

    After a run that succeeded there is no pause: the work is due for another reason, such as an accepted schema. A run
    that ended in the future shows that the clock was set back, and causes no wait.
    """
    if any(not record.dagster_run.is_finished for record in runs):
        return UNDER_WAY
    if attempts is None or not runs:
        return ""
    if len(runs) >= attempts:
        return f"given up after {attempts} runs until the night; see {runs[0].dagster_run.run_id}"
    if runs[0].dagster_run.is_success:
        return ""
    ended = datetime.fromtimestamp(runs[0].end_time or 0, UTC)
    again = ended + PAUSES[len(runs) - 1]
    return f"tried before, again from {again:%H:%M} UTC" if ended <= now < again else ""
