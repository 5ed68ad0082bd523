"""Alerts: one message for each cause to Slack or a webhook, with numbers and a link, never a message's words.

The causes are read anew at each tick: runs of this assistant that failed, checks that are red, spend past a line, a
source or a schedule that is silent. The sensor's cursor holds the causes that were sent and still stand. So each cause
is sent once, and again only if it returns after it was gone.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import dagster as dg

from cpa_core.errors import CpaError, StoreBusy
from cpa_core.insights.inbox import inbox
from cpa_core.pipeline import Assistant, money_spent
from cpa_dagster.checks import all_checks
from cpa_dagster.days import OPEN
from cpa_dagster.resources import ATTEMPTS, WORK, Pipeline

TICK_WAIT = 5.0
"""Seconds that a tick waits for a busy store."""

PATIENCE = 10.0
"""Seconds that the receiver of a message may take."""

LOOKED_BACK = timedelta(days=2)
"""Age up to which a failed run is a cause."""

MOST_RUNS = 100
"""Failed runs that a tick looks at."""

WORDS = 400
"""Characters of a message at most."""


@dataclass(frozen=True)
class Cause:
    """A reason for an alert: a key that is stable while the cause stands, the words, and a path in the UI."""

    key: str
    words: str
    path: str


def alerts_sensor(pipeline: Pipeline) -> dg.SensorDefinition:
    """Return the sensor of an assistant's alerts; it is on from the start if CPA_ALERTS names a receiver."""
    receiver = pipeline.assistant.settings.alerts

    @dg.sensor(
        name=pipeline.named("alerts"),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if receiver else dg.DefaultSensorStatus.STOPPED,
        description="Tells CPA_ALERTS once of each cause: a day that failed, a red check, spend, silence.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if not receiver:
            return dg.SkipReason("CPA_ALERTS names no receiver")
        told = set(json.loads(context.cursor or "[]"))
        try:
            standing = list({one.key: one for one in causes(context.instance, pipeline)}.values())
        except StoreBusy as busy:
            return dg.SkipReason(str(busy))
        fresh = [one for one in standing if one.key not in told]
        kept = told.intersection(one.key for one in standing)
        for one in fresh:
            send(receiver, message(pipeline, one))
            kept.add(one.key)
            context.update_cursor(json.dumps(sorted(kept)))
        context.update_cursor(json.dumps(sorted(kept)))
        return dg.SkipReason(f"{len(fresh)} told, {len(standing)} stand")

    return alerts


def causes(instance: dg.DagsterInstance, pipeline: Pipeline) -> Iterator[Cause]:
    """Yield every cause that stands now. Raises StoreBusy."""
    failed = list(failed_runs(instance, pipeline))
    yield from failed
    yield from red_checks(instance, pipeline, {one.path for one in failed})
    yield from spend(pipeline.assistant)
    yield from silence(pipeline.assistant)
    yield from missed_ticks(instance, pipeline)
    yield from issues(pipeline.assistant, f"/assets/{pipeline.key('report').to_user_string()}")


def failed_runs(instance: dg.DagsterInstance, pipeline: Pipeline) -> Iterator[Cause]:
    """One cause for each day, range or landing whose newest runs failed; another when it is given up."""
    since = pipeline.assistant.now() - LOOKED_BACK
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], created_after=since)
    for record in reversed(instance.get_run_records(failed, limit=MOST_RUNS)):
        run = record.dagster_run
        if not _is_ours(run, pipeline):
            continue
        work = run.tags.get(WORK) or run.tags.get("dagster/partition") or run.tags.get("dagster/backfill") or run.run_id
        runs = instance.get_run_records(dg.RunsFilter(tags={WORK: work}), limit=ATTEMPTS) if WORK in run.tags else []
        if any(one.dagster_run.is_success for one in runs[:1]):
            continue
        reason = _reason(instance, run.run_id)
        yield Cause(f"failed:{work}", f"{_days(run)} failed: {reason}", f"/runs/{run.run_id}")
        if len([one for one in runs if one.dagster_run.is_failure]) >= ATTEMPTS:
            words = f"{_days(run)}: given up after {ATTEMPTS} runs until the night"
            yield Cause(f"given up:{work}", words, f"/runs/{run.run_id}")


def _is_ours(run: dg.DagsterRun, pipeline: Pipeline) -> bool:
    keys = set(run.asset_selection or ())
    if not keys:
        return run.job_name == pipeline.named("conversations")
    return any(list(key.path[:-1]) == list(pipeline.prefix) for key in keys)


def _days(run: dg.DagsterRun) -> str:
    tags = run.tags
    first, last = (tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    return tags.get("dagster/partition") or (f"{first} to {last}" if first else "the landing")


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the first failed step's error, or the run's. Our errors hold no message text.

    A day with open work is held back.
    """
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        data = event.step_failure_data.user_failure_data if event else None
        if data and data.description and event:
            held = "held back: " if OPEN in data.metadata else ""
            return f"{held}{event.step_key}: {data.description.splitlines()[0]}"
    return "the run's page says why"


def red_checks(instance: dg.DagsterInstance, pipeline: Pipeline, told: Collection[str]) -> Iterator[Cause]:
    """Yield a cause for each check whose newest evaluation failed, except checks of runs that are `told` already."""
    keys = [dg.AssetCheckKey(pipeline.key(one.asset), one.name) for one in all_checks(pipeline)]
    for key, summary in instance.event_log_storage.get_asset_check_summary_records(keys).items():
        record = summary.last_completed_check_execution_record
        evaluation = record.evaluation if record else None
        if record is None or evaluation is None or evaluation.passed or f"/runs/{record.run_id}" in told:
            continue
        asset = key.asset_key.to_user_string()
        numbers = ", ".join(
            f"{name} {value.value}"
            for name, value in evaluation.metadata.items()
            if isinstance(value.value, int | float)
        )
        words = f"check {key.name} of {asset}: {evaluation.severity.value.lower()}: {numbers}"
        yield Cause(f"check:{asset}:{key.name}", words, f"/assets/{asset}?view=checks&checkDetail={key.name}")


def spend(assistant: Assistant) -> Iterator[Cause]:
    """A cause for each UTC day that cost more than CPA_ALERT_SPEND."""
    line = assistant.settings.alert_spend
    if line is None or not assistant.store.exists():
        return
    _, today = money_spent(assistant)
    if today > line:
        day = assistant.now().astimezone(UTC).date()
        yield Cause(f"spend:{day}", f"{day}: ${today:.2f} spent, more than ${line:g} (CPA_ALERT_SPEND)", "/runs")


def silence(assistant: Assistant) -> Iterator[Cause]:
    """A cause where nothing landed for CPA_ALERT_SILENT_HOURS."""
    hours = assistant.settings.alert_silent_hours
    if hours is None or not assistant.store.exists():
        return
    with assistant.store.reading(wait=TICK_WAIT) as view:
        newest = view.answer("status/newest_landing")[0]["landed_at"]
    if newest is not None and assistant.now() - newest > timedelta(hours=hours):
        words = f"nothing has landed since {newest:%Y-%m-%d %H:%M} UTC, for more than {hours} hours"
        yield Cause(f"silent:{newest.isoformat()}", f"{words} (CPA_ALERT_SILENT_HOURS)", "/assets/landed_files")


def missed_ticks(instance: dg.DagsterInstance, pipeline: Pipeline) -> Iterator[Cause]:
    """A cause where the nightly schedule is on and its newest tick is more than a day and an hour old."""
    name = pipeline.named("nightly")
    for state in instance.all_instigator_state():
        data: Any = state.instigator_data
        if state.name != name or not state.is_running or not getattr(data, "start_timestamp", None):
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        newest = max([data.start_timestamp, *(tick.timestamp for tick in ticks)])
        since = datetime.fromtimestamp(newest, UTC)
        if pipeline.assistant.now() - since > timedelta(hours=25):
            words = f"the schedule {name} has not ticked since {since:%Y-%m-%d %H:%M} UTC"
            yield Cause(f"ticks:{name}:{since.date()}", words, f"/automation/schedules/{name}")


def issues(assistant: Assistant, path: str) -> Iterator[Cause]:
    """Yield a cause for each new or returned issue of the inbox, once for each spell.

    Its name comes from the schema.
    """
    if not assistant.store.exists():
        return
    with assistant.store.reading(wait=TICK_WAIT) as view:
        found = inbox(view)
    for one in found:
        news = one.news()
        if news:
            yield Cause(f"issue:{one.issue_id}:{one.spell()}", f"{news}: {one.title}", path)


def message(pipeline: Pipeline, cause: Cause) -> str:
    """Return the text to send: the assistant, the cause, and the link."""
    base = pipeline.assistant.settings.dagster_url.rstrip("/")
    return f"{pipeline.place}: {cause.words}"[:WORDS] + f" {base}{cause.path}"


def send(receiver: str, words: str) -> None:
    """Post the message as JSON: `text`, as Slack's incoming webhooks take it.

    Raises CpaError if the receiver refuses it.
    """
    request = Request(receiver, json.dumps({"text": words}).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=PATIENCE):
            return
    except OSError as error:
        host = urlsplit(receiver).hostname
        raise CpaError(f"CPA_ALERTS: {host} did not take the message: {type(error).__name__}") from None
