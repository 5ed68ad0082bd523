"""Sensor and schedule: what is due is asked for once, what fails again with pauses, and what is wrong is said."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from botocore.exceptions import ClientError

from cpa_core.pipeline import Assistant, due_days, land
from cpa_dagster.automation import WORK, due
from cpa_dagster.batches import UNDER_WAY, log_notes
from tests.support.fakes import Failing
from tests.support.runs import definitions, job, pipeline


def tick(assistant: Assistant, instance: dg.DagsterInstance, *, nightly: bool = False) -> Any:
    """What the sensor or the schedule says now."""
    defs = definitions(assistant)
    given = {"instance": instance, "repository_def": defs.get_repository_def()}
    if nightly:
        at = datetime(2026, 3, 7, 2, tzinfo=UTC)
        made = dg.build_schedule_context(**given, scheduled_execution_time=at)
        return defs.resolve_schedule_def("nightly").evaluate_tick(made)
    context = dg.build_sensor_context(**given)
    return defs.resolve_sensor_def("new_files").evaluate_tick(context)


def wanted(found: Any) -> list[tuple[str | None, str | None]]:
    return [(request.partition_key, request.run_key) for request in found.run_requests]


def carried_out(assistant: Assistant, found: Any, instance: dg.DagsterInstance) -> None:
    """Run what a tick asks for, as the daemon would."""
    for request in found.run_requests:
        job(assistant).execute_in_process(
            partition_key=request.partition_key,
            tags=request.tags,
            asset_selection=request.asset_selection,
            instance=instance,
            raise_on_error=False,
        )


def test_the_sensor_lands_and_then_runs_the_days_that_were_touched(demo: Assistant) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(demo, instance)
        assert [key for key, _ in wanted(first)] == [None]
        assert first.run_requests[0].asset_selection == [dg.AssetKey("landed_files")]
        assert wanted(tick(demo, instance)) == wanted(first), "a tick that died asks for the same again"
        carried_out(demo, first, instance)
        second = tick(demo, instance)
        assert [key for key, _ in wanted(second)] == [f"2026-03-0{n}" for n in range(2, 7)]
        carried_out(demo, second, instance)
        third = tick(demo, instance)
        assert third.run_requests == [] and third.skip_message == "nothing new, nothing due"


def later(assistant: Assistant, minutes: float) -> Assistant:
    """The assistant with a clock that is ahead, or behind."""
    return replace(assistant, now=lambda: datetime.now(UTC) + timedelta(minutes=minutes))


def test_the_sensor_asks_for_a_failing_day_three_times_with_growing_pauses(failing: Assistant) -> None:
    failing = replace(failing, provider=lambda model: Failing("poisoned", "error"))  # one that counts would wait
    with dg.DagsterInstance.ephemeral() as instance:
        carried_out(failing, tick(failing, instance), instance)
        keys = []
        for minutes in (0.0, 5.1, 30.1):
            too_early = tick(later(failing, minutes - 1), instance)
            if minutes:
                assert too_early.run_requests == [] and "tried before, again from" in too_early.skip_message
            found = tick(later(failing, minutes), instance)
            keys += [run_key for day, run_key in wanted(found) if day == "2026-03-04"]
            carried_out(failing, found, instance)
        assert keys == [f"cpa:2026-03-04:1:{n}" for n in range(3)]
        last = tick(later(failing, 600), instance)
        assert last.run_requests == [] and "given up after 3 runs until the night" in last.skip_message


def test_a_clock_that_was_set_back_stops_nobody(failing: Assistant) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        land(failing)
        carried_out(failing, tick(failing, instance), instance)
        yesterday = tick(later(failing, -1500), instance)
        assert [key for key, _ in wanted(yesterday)] == ["2026-03-04"]


class Away:
    """A bucket that is not there, or too slow."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def head_object(self, **given: Any) -> Any:
        """After a while, nothing."""
        time.sleep(self.seconds)
        raise ClientError({"Error": {"Code": "SlowDown"}}, "HeadObject")


@pytest.mark.parametrize(("seconds", "words"), [(0.0, "answered SlowDown"), (1.0, "not listed within 0 s")])
def test_a_source_that_is_away_is_said_and_the_days_go_on(
    failing: Assistant, monkeypatch: pytest.MonkeyPatch, seconds: float, words: str
) -> None:
    land(failing)
    monkeypatch.setattr("cpa_dagster.automation.LISTING_WAIT", 0.4)
    given = failing.settings.model_copy(update={"source": "s3://chats/a.json"})
    away = replace(failing, settings=given, s3=lambda: Away(seconds))
    with dg.DagsterInstance.ephemeral() as instance:
        found = due(pipeline(away))
        assert [str(row["day"]) for row in found.days] == ["2026-03-04", "2026-03-05"]
        assert words in found.notes[0]
        assert [key for key, _ in wanted(tick(failing, instance))] == ["2026-03-04", "2026-03-05"]


class Many:
    """A bucket of a hundred thousand objects, a thousand on a page, none of which can be opened."""

    def get_paginator(self, name: str) -> "Many":
        """Itself."""
        return self

    def paginate(self, **given: Any) -> Iterator[dict[str, Any]]:
        """The pages."""
        at = datetime(2026, 3, 4, tzinfo=UTC)
        for page in range(100):
            yield {
                "Contents": [
                    {"Key": f"in/{page:03}/{n:03}.json", "ETag": '"e"', "Size": 10, "LastModified": at}
                    for n in range(1000)
                ]
            }


def test_a_tick_lists_a_hundred_thousand_objects_in_seconds(demo: Assistant) -> None:
    given = demo.settings.model_copy(update={"source": "s3://chats/in/"})
    full = replace(demo, settings=given, s3=Many)
    over = replace(pipeline(demo), assistant=full)
    began = time.process_time()
    found = due(over)
    assert found.landing and not found.notes
    assert time.process_time() - began < 20


def test_the_schedule_lands_and_requests_what_is_due_however_often_it_failed(failing: Assistant) -> None:
    with dg.instance_for_test() as instance:
        assert [key for key, _ in wanted(tick(failing, instance, nightly=True))] == [None]
        land(failing)
        work = {WORK: "cpa:2026-03-04:1"}
        for _ in range(4):
            instance.create_run_for_job(job(failing), tags=work, status=dg.DagsterRunStatus.FAILURE)
        assert [key for key, _ in wanted(tick(failing, instance, nightly=True))] == ["2026-03-04", "2026-03-05"]


def test_a_changed_file_is_due_again_under_a_new_key(failing: Assistant) -> None:
    source = Path(failing.settings.source or "")
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            carried_out(failing, tick(failing, instance), instance)
        source.write_text(source.read_text("utf-8").replace("Which form", "What form"), "utf-8")
        found = tick(failing, instance)
        assert None in [key for key, _ in wanted(found)]
        carried_out(failing, found, instance)
        assert ("2026-03-05", "cpa:2026-03-05:2:0") in wanted(tick(failing, instance))


def test_a_busy_database_skips_the_tick(demo: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    land(demo)
    fresh = Assistant.of(demo.settings)
    monkeypatch.setattr("cpa_dagster.automation.TICK_WAIT", 0.1)
    with dg.DagsterInstance.ephemeral() as instance, demo.store.writing():
        found = tick(fresh, instance)
    assert found.run_requests == [] and "another run holds this lock" in found.skip_message


def test_days_outside_the_partitions_are_reported_by_the_tick(demo: Assistant) -> None:
    later = replace(demo, settings=demo.settings.model_copy(update={"start_date": date(2026, 3, 7)}))
    land(later)
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(later, instance)
    assert found.run_requests == [] and "CPA_START_DATE=2026-03-02" in found.skip_message
    assert len(due_days(later)) == 5


def test_a_day_with_a_conversation_that_may_go_on_waits(demo: Assistant) -> None:
    quiet = demo.settings.model_copy(update={"quiet_minutes": 60})
    noon = datetime(2026, 3, 2, 23, 59, tzinfo=UTC) - timedelta(hours=12)
    waiting = replace(demo, settings=quiet, now=lambda: noon)
    land(waiting)
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(waiting, instance)
    assert "a conversation may still go on" in (found.skip_message or "")


def test_work_that_is_under_way_is_not_requested_twice(demo: Assistant) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(demo, instance)
        instance.create_run_for_job(job(demo), tags={WORK: first.run_requests[0].tags[WORK]})
        assert tick(demo, instance).run_requests == []


@pytest.mark.parametrize(
    ("note", "level"),
    [
        (f"cpa:2026-03-03:1: {UNDER_WAY}", "INFO"),
        ("cpa:2026-03-03:1: given up after 3 runs until the night; see r1", "WARNING"),
        ("2026-03-03 tag: b1: the vendor cannot be asked", "WARNING"),
    ],
)
def test_a_tick_warns_only_of_what_is_wrong(note: str, level: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    log_notes(logging.getLogger("tick"), [note])
    assert [(one.levelname, one.message) for one in caplog.records] == [(level, note)]
