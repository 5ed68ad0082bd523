"""The Dagster code location: the same stages, from real runs of the demo and of an assistant that fails."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource

from cpa_core.demo import demo_settings
from cpa_core.llm import Reply, Request
from cpa_core.pipeline import Assistant, due_days, land
from cpa_dagster import definitions as served
from cpa_dagster.assistant import assistant_definitions, first_day, s3_resource
from cpa_dagster.automation import WORK
from tests.fakes import asked, judged, tagged

ROOT = Path(__file__).parent.parent
KEYS = ["landed_files", "raw_conversations", "event_schema", "tagged_events", "judge_scores", "upload_receipts"]
DAY = "2026-03-02"
TABLES = (
    "landed_messages",
    "raw_conversations",
    "messages",
    "tagged_events",
    "judge_scores",
    "upload_receipts",
    "answers",
)


@pytest.fixture
def demo(tmp_path: Path) -> Assistant:
    """The demo, in a home of its own."""
    return Assistant.of(demo_settings("therapist", tmp_path / "demo"))


def definitions(assistant: Assistant) -> dg.Definitions:
    return assistant_definitions(assistant.settings, assistant=assistant)


def job(assistant: Assistant) -> dg.JobDefinition:
    return definitions(assistant).resolve_job_def("conversations")


def run(
    assistant: Assistant,
    day: str | None = DAY,
    *,
    only: str | None = None,
    until: str | None = None,
    instance: dg.DagsterInstance | None = None,
) -> dg.ExecuteInProcessResult:
    """One run in process, of all assets or of one: of a day, of a range of days, or of no day."""
    if instance is None:
        with dg.DagsterInstance.ephemeral() as own:
            return run(assistant, day, only=only, until=until, instance=own)
    tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": until} if until else {}
    return job(assistant).execute_in_process(
        partition_key=None if until else day,
        tags=tags,
        asset_selection=[dg.AssetKey(only)] if only else None,
        instance=instance,
        raise_on_error=False,
    )


def materialized(result: dg.ExecuteInProcessResult) -> list[tuple[str, str | None]]:
    events = result.filter_events(lambda event: event.is_step_materialization)
    return [(event.asset_key.to_user_string(), event.partition) for event in events if event.asset_key]


def metadata(result: dg.ExecuteInProcessResult, asset: str, day: str | None = DAY) -> dict[str, Any]:
    for event in result.filter_events(lambda event: event.is_step_materialization):
        found = event.step_materialization_data.materialization
        if (found.asset_key.to_user_string(), found.partition) == (asset, day):
            return {name: value.value for name, value in found.metadata.items()}
    raise AssertionError(f"{asset} {day} was not materialized")


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {f"{e.asset_key.to_user_string()}:{e.check_name}": e for e in result.get_asset_check_evaluations()}


def counts(assistant: Assistant) -> dict[str, int]:
    with assistant.store.reading() as view:
        return {table: view.rows(f"select count(*) as n from {table}")[0]["n"] for table in TABLES}


def test_the_asset_keys_are_those_that_users_see(demo: Assistant) -> None:
    graph = definitions(demo).resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == set(KEYS)
    partitioned = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned}
    assert partitioned == set(KEYS) - {"landed_files", "event_schema"}


def test_a_name_goes_before_the_keys_of_one_of_several_assistants(demo: Assistant) -> None:
    defs = assistant_definitions(demo.settings, name="billing")
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {f"billing/{key}" for key in KEYS}


def test_everything_for_one_day_is_one_run_in_order(demo: Assistant) -> None:
    result = run(demo)
    assert result.success
    done = materialized(result)
    days = {"landed_files": None, "event_schema": None}
    assert sorted(done) == sorted((key, days.get(key, DAY)) for key in KEYS)
    order = [asset for asset, _ in done]
    assert order[0] == "landed_files" and order[-1] == "upload_receipts"
    assert max(order.index("raw_conversations"), order.index("event_schema")) < min(
        order.index("tagged_events"), order.index("judge_scores")
    )
    tagged = metadata(result, "tagged_events")
    assert (tagged["conversations"], tagged["failures"], tagged["cost"]) == (3, 0, 0.0)
    assert tagged["events"] == counts(demo)["tagged_events"]
    assert metadata(result, "upload_receipts")["accepted"] == counts(demo)["upload_receipts"] > 0
    assert all(evaluation.passed for evaluation in evaluations(result).values())
    assert set(evaluations(result)) >= {"tagged_events:complete", "judge_scores:complete", "upload_receipts:accepted"}


def test_a_second_run_adds_no_row(demo: Assistant) -> None:
    assert run(demo).success
    before = counts(demo)
    again = run(demo)
    assert again.success
    assert counts(demo) == before
    assert metadata(again, "tagged_events")["asked"] == 0


def test_the_schema_alone_and_again_leaves_the_days_as_they_are(demo: Assistant) -> None:
    assert run(demo).success
    before = counts(demo)
    assert run(demo, day=None, only="event_schema").success
    assert counts(demo) == before


def test_a_range_of_days_is_one_run_and_every_day_reports_for_itself(demo: Assistant) -> None:
    result = run(demo, DAY, until="2026-03-04")
    assert result.success
    assert len([day for asset, day in materialized(result) if asset == "upload_receipts"]) == 3
    assert metadata(result, "raw_conversations", "2026-03-03")["conversations"] == 3
    assert evaluations(result)["tagged_events:complete"].metadata["days"].value == 3


def test_a_day_without_partition_is_an_error(demo: Assistant) -> None:
    with pytest.raises(dg.DagsterUnknownPartitionError, match="2026-02-28"):
        run(demo, "2026-02-28")


def test_partitions_begin_at_the_first_day_that_landed(demo: Assistant) -> None:
    unset = replace(demo, settings=demo.settings.model_copy(update={"start_date": None}))
    assert first_day(unset) == datetime.now(UTC).date()
    land(demo)
    assert first_day(unset) == date(2026, 3, 2)


def test_days_outside_the_partitions_are_reported_with_the_setting_that_includes_them(demo: Assistant) -> None:
    late = replace(demo, settings=demo.settings.model_copy(update={"start_date": date(2026, 3, 4)}))
    result = run(late, day=None, only="landed_files")
    assert "CPA_START_DATE=2026-03-02" in metadata(result, "landed_files", None)["outside the partitions"]


class Failing:
    """A model that answers, but never about a conversation whose text holds a word."""

    def __init__(self, word: str) -> None:
        self.word = word

    def call(self, request: Request) -> Reply:
        """A reply that is whole, or one cut off."""
        if self.word in request.user:
            return Reply(outcome="truncated")
        return Reply(
            outcome="ok", text=judged() if request.task == "judge" else tagged({m: [] for m in asked(request)})
        )


@pytest.fixture
def failing(assistant: Callable[..., Assistant]) -> Assistant:
    """Two days of one conversation; nothing can be tagged or judged on the first."""
    turns = {
        "c1": [("user", "A poisoned word", "2026-03-04T09:00:00Z")],
        "c2": [("user", "Which form do I need?", "2026-03-05T10:00:00Z")],
    }
    made = assistant(turns, CPA_START_DATE="2026-03-01")
    return replace(made, provider=lambda model: Failing("poisoned"))


def test_an_incomplete_day_is_reported_and_held_back(failing: Assistant) -> None:
    result = run(failing, "2026-03-04")
    assert not result.success
    assert {asset for asset, _ in materialized(result)} == set(KEYS) - {"upload_receipts"}
    check = evaluations(result)["tagged_events:complete"]
    assert not check.passed
    shown = check.metadata["conversations"].value.records[0].data
    assert shown == {"day": "2026-03-04", "conversation_id": "c1", "stage": "tag", "reason": "truncated"}
    assert metadata(result, "tagged_events", "2026-03-04")["retryable_failures"] == 1
    alone = run(failing, "2026-03-04", only="upload_receipts")
    assert not alone.success
    assert counts(failing)["upload_receipts"] == 0
    failure = alone.filter_events(lambda event: event.is_step_failure)[0].step_failure_data.user_failure_data
    assert failure is not None and "2026-03-04: not delivered" in (failure.description or "")
    assert "poisoned" not in json.dumps([str(event) for event in [*result.all_events, *alone.all_events]])


def test_the_complete_days_of_a_range_go_out_and_the_others_are_named(failing: Assistant) -> None:
    result = run(failing, "2026-03-03", until="2026-03-05")
    assert not result.success
    assert [day for asset, day in materialized(result) if asset == "upload_receipts"] == ["2026-03-03", "2026-03-05"]
    assert counts(failing)["upload_receipts"] == 1
    priceless = metadata(result, "judge_scores", "2026-03-05")
    assert (priceless["asked"], priceless["cost"], priceless["prompt_tokens"]) == (1, "unknown", "unknown")
    open_days = evaluations(result)["tagged_events:complete"].metadata["conversations"].value.records
    assert [record.data["day"] for record in open_days] == ["2026-03-04"]


def test_a_check_alone_looks_at_every_day_that_landed(demo: Assistant) -> None:
    assert run(demo, until="2026-03-06").success
    with demo.store.writing() as transaction:
        transaction.execute("update upload_receipts set status = 'rejected' where day = '2026-03-05'")
    accepted = dg.AssetCheckKey(dg.AssetKey("upload_receipts"), "accepted")
    alone = job(demo).get_subset(asset_selection=set(), asset_check_selection={accepted})
    with dg.DagsterInstance.ephemeral() as instance:
        (found,) = alone.execute_in_process(instance=instance).get_asset_check_evaluations()
    assert not found.passed
    assert [record.data["day"] for record in found.metadata["days"].value.records] == ["2026-03-05"]


def test_a_provider_that_stops_fails_the_step_in_its_own_words(assistant: Callable[..., Assistant]) -> None:
    unknown = assistant(CPA_MODEL="reference:annotations", CPA_START_DATE="2026-03-01")
    result = run(unknown, "2026-03-04")
    assert not result.success
    failures = result.filter_events(lambda event: event.is_step_failure)
    words = [
        f.step_failure_data.user_failure_data.description for f in failures if f.step_failure_data.user_failure_data
    ]
    assert any("the reference model answers from the annotations of the examples only" in (w or "") for w in words)


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


def test_the_sensor_asks_for_a_failing_day_three_times_and_then_says_so(failing: Assistant) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        carried_out(failing, tick(failing, instance), instance)
        keys = []
        for _ in range(3):
            found = tick(failing, instance)
            keys += [run_key for day, run_key in wanted(found) if day == "2026-03-04"]
            carried_out(failing, found, instance)
        assert keys == [f"cpa:2026-03-04:1:{n}" for n in range(3)]
        last = tick(failing, instance)
        assert last.run_requests == [] and "given up after 3 runs" in last.skip_message


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


def test_without_a_source_the_demo_is_served_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    defs = importlib.reload(served).defs
    landed = land(Assistant.of(demo_settings("therapist", tmp_path)))
    days = defs.resources["pipeline"].days.get_partition_keys()
    assert days == [day.isoformat() for day in landed.days], "the UI opens on the days of the demo"
    assert "CPA_SOURCE" in defs.resolve_asset_graph().get(dg.AssetKey("landed_files")).description
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert importlib.reload(served).defs.resources["pipeline"].assistant.settings.environ.get("OPENAI_API_KEY") is None


def test_a_bucket_may_be_configured_in_dagster(demo: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_REGION", "eu-west-3")
    own = S3Resource(region_name=dg.EnvVar("OUR_REGION"), aws_access_key_id="id", aws_secret_access_key="secret")
    pipeline = assistant_definitions(demo.settings, s3=own).resources["pipeline"]
    assert pipeline.assistant.s3().meta.region_name == "eu-west-3"


def test_a_bucket_is_read_through_dagsters_resource_by_the_same_settings(demo: Assistant) -> None:
    environ = {"AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    given = demo.settings.model_copy(update={"source": "s3://chats/", "environ": environ})
    resource = s3_resource(given)
    assert isinstance(resource, S3Resource)
    pipeline = assistant_definitions(given).resources["pipeline"]
    assert pipeline.assistant.s3().meta.region_name == "eu-north-1"
    assert s3_resource(demo.settings) is None


def test_a_fresh_process_materializes_a_range_of_days(tmp_path: Path) -> None:
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "cpa_dagster" / "dagster.yaml").read_text("utf-8"), "utf-8")
    given = {"DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "cpa_dagster.definitions"]
    done = subprocess.run(
        [*command, "--select", "*", "--partition-range", "2026-03-02...2026-03-03"],
        cwd=tmp_path,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outbox = tmp_path / ".demo" / "therapist" / "outbox"
    assert sorted(path.name for path in outbox.iterdir()) == ["2026-03-02.jsonl", "2026-03-03.jsonl"]


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("CPA_SOURCE=theirs.json\nCPA_HOME=theirs\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CPA_HOME", "ours")
    found = importlib.reload(served).defs.resources["pipeline"].assistant.settings
    assert (found.source, found.home) == ("theirs.json", Path("ours"))
