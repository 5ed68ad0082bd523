"""Batches in Dagster: a run hands over and ends, a sensor requests the days whose answers have come."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from cpa_core.pipeline import Assistant, land
from cpa_core.settings import settings
from cpa_core.store import locks
from cpa_dagster.assistant import assistant_definitions
from tests.batches.test_batches import largest, ledger, opened, states
from tests.servers.batches import OpenAIBatchServer
from tests.support.commands import environ
from tests.support.homes import Home

DAY = "2026-03-04"


@pytest.fixture
def server() -> Iterator[OpenAIBatchServer]:
    """OpenAI on loopback, whose batches do not end yet."""
    with OpenAIBatchServer() as server:
        server.held = True
        yield server


@pytest.fixture
def home(tmp_path: Path, server: OpenAIBatchServer) -> Home:
    """A home of one day, landed."""
    home = opened(tmp_path, server)
    land(Assistant.of(settings(environ(home))))
    return home


class Served:
    """The code location of a home: its runs in process, the ticks of its sensors."""

    def __init__(self, home: Home, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.defs = assistant_definitions(settings(environ(home)))

    def run(self, request: dg.RunRequest | None = None, *, raises: bool = True) -> dg.ExecuteInProcessResult:
        """One run: of what a tick requested, or of everything for the day. It `raises` what fails it, or says so."""
        return self.defs.resolve_job_def("conversations").execute_in_process(
            partition_key=DAY,
            asset_selection=list(request.asset_selection or []) if request else None,
            tags=request.tags if request else {},
            instance=self.instance,
            raise_on_error=raises,
        )

    def tick(self, name: str = "batches") -> dg.SensorResult:
        """What a sensor says now."""
        sensor = next(sensor for sensor in self.defs.sensors or [] if sensor.name == name)
        assert isinstance(sensor, dg.SensorDefinition)
        found = sensor(dg.build_sensor_context(instance=self.instance))
        assert isinstance(found, dg.SensorResult)
        return found


@pytest.fixture
def served(home: Home) -> Iterator[Served]:
    """The home in Dagster."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Served(home, instance)


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    events = result.filter_events(lambda event: event.is_step_materialization)
    return {event.asset_key.to_user_string() for event in events if event.asset_key}


def said(tick: dg.SensorResult) -> str:
    return str(tick.skip_reason)


def test_a_run_hands_over_and_ends_and_the_sensor_requests_the_day_when_its_answers_have_come(
    home: Home, served: Served, server: OpenAIBatchServer
) -> None:
    assert "no batch" in said(served.tick())
    waiting = served.run()
    assert waiting.success
    assert materialized(waiting) == {"landed_files", "raw_conversations", "event_schema"}
    assert states(home) == [("submitted", 3), ("submitted", 3)]
    assert f"{DAY}: 6 questions wait" in said(served.tick())
    assert not served.tick("new_files").run_requests, "what waits is not run again"

    server.held = False
    tick = served.tick()
    assert [request.partition_key for request in tick.run_requests or []] == [DAY]
    assert [state for state, _ in states(home)] == ["ended", "ended"], "the run stores, the tick only looks"
    done = served.run((tick.run_requests or [])[0])
    assert done.success
    assert materialized(done) >= {"tagged_events", "judge_scores", "upload_receipts"}
    assert ledger(home) == [("batch", "ok", 6, 6)]
    assert home.rows("select count(*) as n from upload_receipts where status = 'accepted'")[0]["n"] > 0
    assert "no batch" in said(served.tick())


def test_a_day_whose_answers_cannot_be_used_is_given_up_after_three_runs(
    served: Served, server: OpenAIBatchServer
) -> None:
    served.run()
    server.held = False
    for _ in range(3):
        request = (served.tick().run_requests or [])[0]
        job = served.defs.resolve_job_def("conversations")
        served.instance.create_run_for_job(job_def=job, tags=request.tags, status=dg.DagsterRunStatus.FAILURE)
    assert "given up after 3 runs" in said(served.tick())


def test_what_there_is_no_room_for_goes_on_tick_by_tick_until_all_is_answered(
    home: Home, served: Served, server: OpenAIBatchServer
) -> None:
    server.most_enqueued = 1.5 * largest(home, server)
    assert served.run().success
    ticks = 0
    while "no batch" not in said(tick := served.tick()):
        ticks += 1
        assert ticks < 30 and len(tick.run_requests or []) <= 1
        for request in tick.run_requests or []:
            assert served.run(request).success
        assert not served.tick("new_files").run_requests
    assert ledger(home) == [("batch", "ok", 6, 6)] and server.twice == 0 and server.most_at_once == 1


def test_a_day_whose_batch_was_refused_for_good_has_a_run_that_fails_with_the_vendors_words(
    home: Home, served: Served, server: OpenAIBatchServer
) -> None:
    server.whole = "Billing hard limit has been reached"
    assert served.run().success
    request = (served.tick().run_requests or [])[0]
    assert states(home) == [("refused", 3), ("refused", 3)]
    failed = served.run(request, raises=False)
    steps = failed.filter_events(lambda event: event.is_step_failure)
    assert len(steps) == 2 and all(
        "Billing hard limit has been reached" in str(step.event_specific_data) for step in steps
    )
    assert "no batch" in said(served.tick())
    server.whole = ""
    server.held = False
    assert served.run().success
    assert served.run((served.tick().run_requests or [])[0]).success
    assert ledger(home) == [("batch", "ok", 6, 6)]


def test_a_tick_waits_for_nobody(home: Home, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.run()
    monkeypatch.setattr("cpa_dagster.batches.TICK_WAIT", 0.05)
    with locks.held(home.folder / "home" / "locks" / "batches.lock"):
        assert "another run holds this lock" in said(served.tick())


def test_a_vendor_that_does_not_answer_is_a_note_of_the_tick(served: Served, server: OpenAIBatchServer) -> None:
    served.run()
    server.batches.clear()
    tick = served.tick()
    assert not tick.run_requests and "404" in said(tick)


def test_the_sensor_runs_from_the_start_only_in_the_lane_of_batches(home: Home, served: Served) -> None:
    def status(defs: dg.Definitions) -> dg.DefaultSensorStatus:
        return next(s for s in defs.sensors or [] if s.name == "batches").default_status  # type: ignore[union-attr]

    assert status(served.defs) == dg.DefaultSensorStatus.RUNNING
    standard = settings(environ(home) | {"CPA_LANE": "standard"})
    assert status(assistant_definitions(standard)) == dg.DefaultSensorStatus.STOPPED
