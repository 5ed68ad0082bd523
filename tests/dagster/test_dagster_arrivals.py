"""The first arrival, the wrong home, the busy store: what Dagster shows, and that nothing is opened at import."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from cpa_core.errors import StoreBusy
from cpa_core.pipeline import Assistant, land
from cpa_core.store import Store
from cpa_core.store.database import Transaction
from cpa_dagster.automation import RANGE, due, ranges
from tests.dagster.test_automation import carried_out, tick
from tests.support.examples import scaled
from tests.support.runs import ROOT, definitions, evaluations, job, materialized, metadata, pipeline, run

OLD = scaled(["2020-01-02", "2022-03-04", "2025-06-07"], [f"202{n}-0{n + 1}-0{n + 2}" for n in range(6)])
"""Days of several years, the first just after the earliest partition."""


def days_of(*days: str) -> dict[str, list[tuple[str, str, str]]]:
    return {f"c{n}": [("user", f"Case {n}: which form?", f"{day}T09:00:00Z")] for n, day in enumerate(days)}


def words_of(result: dg.ExecuteInProcessResult) -> str:
    failed = [event.step_failure_data for event in result.filter_events(lambda event: event.is_step_failure)]
    return "\n".join(one.user_failure_data.description or "" for one in failed if one.user_failure_data)


@pytest.mark.parametrize("first", ["sensor", "schedule", "landed_files"])
def test_a_first_arrival_of_any_day_leads_to_receipts_without_a_reload(
    assistant: Callable[..., Assistant], first: str
) -> None:
    made = assistant(days_of(*OLD))
    with dg.instance_for_test() as instance:
        if first == "landed_files":
            assert run(made, day=None, only="landed_files", instance=instance).success
        for _ in range(2):
            carried_out(made, tick(made, instance, nightly=first == "schedule"), instance)
        again = tick(made, instance)
        assert again.run_requests == []
    with made.store.reading() as view:
        rows = view.rows("select day, count(*) as n from upload_receipts group by day order by day")
    assert [str(row["day"]) for row in rows] == OLD


def test_a_day_before_the_partitions_is_a_red_check_and_a_line_of_the_tick(assistant: Callable[..., Assistant]) -> None:
    made = assistant(days_of("2019-05-06", "2026-03-04"))
    result = run(made, day=None, only="landed_files")
    assert "CPA_START_DATE=2019-05-06" in metadata(result, "landed_files", None)["outside the partitions"]
    whole = run(made, "2026-03-04")
    red = evaluations(whole)["landed_files:in_partitions"]
    assert (red.passed, red.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert red.metadata["outside"].value == 1 and "CPA_START_DATE=2019-05-06" in (red.description or "")
    assert any("CPA_START_DATE=2019-05-06" in note for note in due(pipeline(made)).notes)


def test_two_years_of_landed_days_are_asked_for_in_ranges(assistant: Callable[..., Assistant]) -> None:
    start = date(2024, 1, 1)
    days = [start + timedelta(days=n) for n in range(730) if n % 7 and n != 400]
    made = assistant(days_of(*map(str, days)), CPA_START_DATE="2024-01-01")
    land(made)
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(made, instance)
        requested = [request.tags["cpa/days"].split() for request in found.run_requests]
        assert [one.rpartition(":")[0] for run_days in requested for one in run_days] == [str(day) for day in days]
        assert max(map(len, requested)) <= RANGE and len(requested) <= len(days) / RANGE + 1
        request = found.run_requests[-1]
        first, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
        instance.create_run_for_job(job(made), tags=request.tags)
        left = [day for one in tick(made, instance).run_requests for day in one.tags["cpa/days"].split()]
        assert not {day for day in left if first <= day.rpartition(":")[0] <= last}, "that range is under way"


def test_a_range_leaves_out_known_days_that_are_not_due() -> None:
    known = [date(2026, 3, n) for n in (1, 2, 5, 6, 9)]
    rows = [{"day": day} for day in known if day != date(2026, 3, 5)]
    assert [[row["day"].day for row in one] for one in ranges(rows, known)] == [[1, 2], [6, 9]]


def test_a_range_of_years_in_which_little_landed_is_one_run_that_counts_landed_days(
    assistant: Callable[..., Assistant],
) -> None:
    made = assistant(days_of("2026-03-04", "2026-03-07"))
    land(made)
    result = run(made, "2026-02-01", until="2026-03-20")
    assert result.success
    done = [day for asset, day in materialized(result) if asset == "upload_receipts"]
    assert len(done) == 48, "empty days are materialized too: nothing is left to backfill"
    assert evaluations(result)["tagged_events:complete"].metadata["days"].value == 2
    assert metadata(result, "raw_conversations", "2026-03-04")["conversations"] == 1
    quiet = run(made, "2026-03-05")
    assert quiet.success, "between the first and the last day that landed a day may be empty"


@pytest.mark.parametrize("alone", ["tagged_events", "judge_scores", "upload_receipts", "insights"])
def test_a_stage_alone_on_a_day_that_is_not_built_is_not_green(assistant: Callable[..., Assistant], alone: str) -> None:
    made = assistant(days_of("2026-03-04", "2026-03-06"))
    land(made)
    selected = definitions(made).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = selected.execute_in_process(
            partition_key="2026-03-04", asset_selection=[dg.AssetKey(alone)], instance=instance, raise_on_error=False
        )
    assert not result.success
    assert "2026-03-04: landed and not built: materialize raw_conversations" in words_of(result)


@pytest.mark.parametrize("case", ["empty home", "unknown day", "another home"])
def test_a_run_that_cannot_know_its_day_is_not_green(
    assistant: Callable[..., Assistant], tmp_path: Path, case: str
) -> None:
    made = assistant(days_of("2026-03-04"))
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(made, "2026-03-04", instance=instance).success
        home, day = made.settings.home, "2026-03-04"
        if case == "unknown day":
            day = "2026-02-03"
        else:
            home.rename(tmp_path / "mounted elsewhere")
        if case == "another home":
            land(Assistant.of(made.settings))
        moved = replace(Assistant.of(made.settings), provider=made.provider)
        result = run(moved, day, only="raw_conversations", instance=instance)
        assert not result.success
        said = {
            "empty home": "no conversation has landed in this home",
            "unknown day": "nothing is known of this day",
            "another home": "not the home that landed_files was materialized in",
        }
        assert said[case] in words_of(result) and str(home.resolve()) in words_of(result)
        if case == "another home":
            assert run(moved, None, only="landed_files", instance=instance).success
            assert run(moved, day, only="raw_conversations", instance=instance).success


LOADING = "from cpa_dagster.definitions import defs; defs.get_repository_def(); print('loaded')"


def test_nothing_is_opened_when_the_definitions_are_loaded(assistant: Callable[..., Assistant], tmp_path: Path) -> None:
    made = assistant()
    land(made)
    given = {
        "CPA_SOURCE": "s3://nobody/",
        "CPA_HOME": str(made.settings.home),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    before = {path: path.stat().st_mtime_ns for path in made.settings.home.rglob("*")}
    with duckdb.connect(str(made.store.path)), (made.settings.home / "locks" / "store.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [sys.executable, "-c", LOADING],
            cwd=tmp_path,
            env=os.environ | given | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == "loaded\n", done.stderr
    after = {path: path.stat().st_mtime_ns for path in made.settings.home.rglob("*")}
    assert {path: at for path, at in after.items() if path.suffix != ".duckdb"} == {
        path: at for path, at in before.items() if path.suffix != ".duckdb"
    }


HOLDER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
"""Holds a database until its input ends."""


class Hasty(Store):
    """A store that waits for nobody, and says so when it meets a process that holds its file."""

    def __init__(self, home: Path, met: Callable[[], object]) -> None:
        super().__init__(home, foreign_wait=0.0)
        self._met = met

    @contextmanager
    def reading(self, wait: float | None = None) -> Iterator[Transaction]:
        """As the store itself."""
        with self._said(), super().reading(wait) as view:
            yield view

    @contextmanager
    def writing(self, wait: float | None = None) -> Iterator[Transaction]:
        """As the store itself."""
        with self._said(), super().writing(wait) as transaction:
            yield transaction

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except StoreBusy:
            self._met()
            raise


def test_a_busy_store_is_tried_again_and_a_bad_key_is_not(
    assistant: Callable[..., Assistant], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is let go of when it was met once, so no time decides what the run sees."""
    monkeypatch.setattr("cpa_dagster.days.BUSY_PAUSE", 0)
    made = assistant(days_of("2026-03-04"))
    land(made)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(made.store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        result = run(replace(made, store=Hasty(made.settings.home, holder.communicate)), "2026-03-04")
    assert result.success
    retried = result.filter_events(lambda event: event.event_type_value == "STEP_UP_FOR_RETRY")
    assert retried and not result.filter_events(lambda event: event.is_step_failure)
    refused = run(assistant(days_of("2026-03-04"), CPA_MODEL="reference:annotations"), "2026-03-04", retag=True)
    assert not refused.success
    assert not refused.filter_events(lambda event: event.event_type_value == "STEP_UP_FOR_RETRY")
