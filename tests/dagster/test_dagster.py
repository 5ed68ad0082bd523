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

import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource

from cpa_core.demo import demo_settings
from cpa_core.pipeline import Assistant, land
from cpa_core.pipeline.handles import handles
from cpa_core.settings import settings
from cpa_dagster import definitions as served
from cpa_dagster.assistant import EARLIEST, assistant_definitions, first_day, pipeline_of, s3_resource
from tests.support.fakes import Failing
from tests.support.runs import DAY, KEYS, ROOT, counts, definitions, evaluations, job, materialized, metadata, run

GOLD = ["gold_labels", "label_quality"]


def test_the_asset_keys_are_those_that_users_see(demo: Assistant) -> None:
    graph = definitions(demo).resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {
        *KEYS,
        "insights",
        "report",
        "quote",
        "topics",
        *GOLD,
    }
    partitioned = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned}
    assert partitioned == {*KEYS, "insights"} - {"landed_files", "event_schema"}


def test_a_name_goes_before_the_keys_of_one_of_several_assistants(demo: Assistant) -> None:
    defs = assistant_definitions(demo.settings, name="billing")
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {f"billing/{key}" for key in [*KEYS, "insights", "report", "quote", "topics", *GOLD]}


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


def test_partitions_begin_early_whatever_is_known_when_the_code_is_loaded(demo: Assistant) -> None:
    unset = demo.settings.model_copy(update={"start_date": None})
    assert first_day(unset) == EARLIEST == date(2020, 1, 1)
    assert first_day(demo.settings) == date(2026, 3, 2)


def test_days_outside_the_partitions_are_reported_with_the_setting_that_includes_them(demo: Assistant) -> None:
    late = replace(demo, settings=demo.settings.model_copy(update={"start_date": date(2026, 3, 4)}))
    result = run(late, day=None, only="landed_files")
    assert "CPA_START_DATE=2026-03-02" in metadata(result, "landed_files", None)["outside the partitions"]


def test_an_incomplete_day_is_reported_and_held_back(failing: Assistant) -> None:
    result = run(failing, "2026-03-04")
    assert not result.success
    assert {asset for asset, _ in materialized(result)} == set(KEYS) - {"upload_receipts"}
    check = evaluations(result)["tagged_events:complete"]
    assert not check.passed
    shown = check.metadata["conversations"].value.records[0].data
    assert shown == {
        "day": "2026-03-04",
        "conversation_id": handles(failing, ["c1"])[0],
        "stage": "tag",
        "reason": "truncated",
        "waits_until": "",
    }
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
    assert priceless["asked"] == 1 and not {"cost", "prompt_tokens", "quoted"}.intersection(priceless)
    assert not [value for value in priceless.values() if value == "unknown"]
    open_days = evaluations(result)["tagged_events:complete"].metadata["conversations"].value.records
    assert [record.data["day"] for record in open_days] == ["2026-03-04"]


def test_of_four_days_three_go_out_the_fourth_is_explained_and_the_retry_delivers_it(
    assistant: Callable[..., Assistant],
) -> None:
    turns = {f"c{n}": [("user", f"Case {n}: which form?", f"2026-03-0{n}T09:00:00Z")] for n in range(2, 6)}
    made = assistant(turns, CPA_START_DATE="2026-03-01")
    result = run(replace(made, provider=lambda model: Failing("Case 4")), "2026-03-02", until="2026-03-05")
    delivered = [day for asset, day in materialized(result) if asset == "upload_receipts"]
    assert delivered == ["2026-03-02", "2026-03-03", "2026-03-05"] and counts(made)["upload_receipts"] == 3
    (upload,) = result.filter_events(lambda event: event.is_step_failure)
    told = upload.step_failure_data.user_failure_data
    assert told is not None and "2026-03-04: not delivered" in (told.description or "")
    (shown, _) = told.metadata["open"].value.records
    assert (shown.data["day"], shown.data["conversation_id"]) == ("2026-03-04", handles(made, ["c4"])[0])
    assert shown.data["reason"].startswith("truncated, waits until ")
    rested = replace(made, now=lambda: datetime.now(UTC) + timedelta(hours=7))
    again = run(replace(rested, provider=lambda model: Failing("nothing")), "2026-03-02", until="2026-03-05")
    assert again.success
    assert [metadata(again, "tagged_events", f"2026-03-0{n}")["asked"] for n in range(2, 6)] == [0, 0, 1, 0]
    assert [metadata(again, "upload_receipts", f"2026-03-0{n}")["sent"] for n in range(2, 6)] == [0, 0, 1, 0]


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


def test_without_a_source_the_demo_is_served_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = importlib.reload(served)
    defs = loaded.defs
    landed = land(Assistant.of(demo_settings("therapist", tmp_path)))
    days = loaded.pipeline.days.get_partition_keys()
    assert days == [day.isoformat() for day in landed.days], "the UI opens on the days of the demo"
    assert "CPA_SOURCE" in defs.resolve_asset_graph().get(dg.AssetKey("landed_files")).description
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert importlib.reload(served).pipeline.assistant.settings.openai.key is None


def test_a_bucket_may_be_configured_in_dagster(demo: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_REGION", "eu-west-3")
    own = S3Resource(region_name=dg.EnvVar("OUR_REGION"), aws_access_key_id="id", aws_secret_access_key="secret")
    pipeline = pipeline_of(demo.settings, s3=own)
    assert pipeline.assistant.s3().meta.region_name == "eu-west-3"


def test_a_bucket_is_read_through_dagsters_resource_by_the_same_settings(demo: Assistant) -> None:
    environ = {"AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    given = demo.settings.model_copy(update={"source": "s3://chats/", "aws": settings(environ).aws})
    resource = s3_resource(given)
    assert isinstance(resource, S3Resource)
    pipeline = pipeline_of(given)
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
    found = importlib.reload(served).pipeline.assistant.settings
    assert (found.source, found.home) == ("theirs.json", Path("ours"))
