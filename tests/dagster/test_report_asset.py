"""The asset `report`, materialized as Dagster does it."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from cpa_core.demo import demo_settings
from cpa_core.insights.statistics import bounded_mean, unit_sums
from cpa_core.pipeline import Assistant, land, run_day
from cpa_core.report.words import mean_of
from cpa_core.settings import settings
from cpa_core.sources import s3
from cpa_dagster.assistant import NO_KEYS, OPTIONS, assistant_definitions
from cpa_dagster.report import report_asset
from cpa_dagster.resources import Pipeline

RESOURCES = {"options": OPTIONS, "keys": NO_KEYS}


def materialized(assistant: Assistant) -> dg.ExecuteInProcessResult:
    """The asset alone, in a run of its own."""
    made = dg.Definitions(assets=[report_asset(pipeline(assistant))], resources=RESOURCES)
    job = made.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=False)


def pipeline(assistant: Assistant) -> Pipeline:
    return Pipeline(assistant=assistant, days=dg.DailyPartitionsDefinition("2026-03-02", end_date="2026-03-07"))


def test_the_report_is_in_the_home_with_its_path_and_a_preview(tmp_path: Path) -> None:
    assistant = Assistant.of(demo_settings("therapist", tmp_path))
    land(assistant)
    run_day(assistant, date(2026, 3, 2))
    (event,) = materialized(assistant).asset_materializations_for_node("report")
    path = assistant.settings.home / "report.html"
    assert "open" not in event.metadata, "CPA_REPORTS names no bucket"
    assert event.metadata["path"].value == str(path.resolve()) and path.stat().st_size == event.metadata["bytes"].value
    assert "data:image/svg+xml" in str(event.metadata["scores"].value)
    preview = str(event.metadata["preview"].value)
    assert "3 conversations with 32 messages" in preview and "| Mean score | **76.5 of 100** |" in preview


@pytest.fixture
def bucket() -> Iterator[dict[str, str]]:
    """The settings that lead to a bucket `reports` on loopback."""
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "AKIATESTKEY", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_REGION": "us-east-1"}
    environ = keys | {"AWS_ENDPOINT_URL_S3": f"http://{host}:{port}", "CPA_REPORTS": "s3://reports/of/therapist"}
    s3.client(settings(environ).aws).create_bucket(Bucket="reports")
    yield environ
    moto.stop()


def test_with_a_bucket_a_browser_elsewhere_opens_the_report_by_a_link(tmp_path: Path, bucket: dict[str, str]) -> None:
    def of(environ: dict[str, str]) -> Assistant:
        given = settings(environ)
        return Assistant.of(demo.model_copy(update={"reports": given.reports, "aws": given.aws}))

    demo = demo_settings("therapist", tmp_path)
    assistant = of(bucket)
    land(assistant)
    run_day(assistant, date(2026, 3, 2))
    (event,) = materialized(assistant).asset_materializations_for_node("report")
    link = event.metadata["open"]
    assert isinstance(link, dg.UrlMetadataValue)
    with urlopen(link.url) as answer:  # without a key
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.read() == (assistant.settings.home / "report.html").read_bytes()
    signed = dict(parse_qsl(urlsplit(link.url).query))
    assert (signed["X-Amz-Expires"], signed["X-Amz-Algorithm"]) == (str(7 * 24 * 3600), "AWS4-HMAC-SHA256")
    assert urlsplit(link.url).path == "/reports/of/therapist/report.html" and "very-secret" not in link.url

    refused = materialized(of(bucket | {"CPA_REPORTS": "s3://elsewhere/"}))
    (failed,) = refused.get_step_failure_events()
    assert "s3://elsewhere/report.html: no such bucket: elsewhere" in str(failed.step_failure_data.user_failure_data)


def test_without_a_conversation_the_step_fails_in_words(tmp_path: Path) -> None:
    result = materialized(Assistant.of(demo_settings("therapist", tmp_path)))
    assert not result.success
    (failed,) = result.get_step_failure_events()
    assert "no conversation yet" in str(failed.step_failure_data.user_failure_data)


def test_it_is_one_of_the_assistants_assets_but_the_jobs_of_days_do_not_wait_for_it(tmp_path: Path) -> None:
    definitions = assistant_definitions(demo_settings("therapist", tmp_path), last_day=date(2026, 3, 6))
    found = definitions.resolve_asset_graph().get(dg.AssetKey("report"))
    assert (found.group_name, found.partitions_def) == ("insights", None)
    assert {key.to_user_string() for key in found.parent_keys} == {"tagged_events", "judge_scores"}


@pytest.mark.parametrize("scores", [[1.0, 99.0], [0.0, 0.0, 60.0], [100.0] * 3, [70.0], [98.0, 100.0, 100.0]])
def test_no_interval_of_a_score_lies_outside_0_to_100(scores: list[float]) -> None:
    said = mean_of(bounded_mean(unit_sums([(score, 1) for score in scores]), 100), "scored")
    shown = [float(end) for end in said.partition("95%: ")[2].split("–") if end]
    assert all(0 <= end <= 100 for end in shown) and len(shown) == (2 if len(scores) > 1 else 0), said
