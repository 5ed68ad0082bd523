"""Runs from the command line that are killed or ended: their place in a pool is free again, without a daemon."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from cpa_core.pipeline import Assistant, build_day, land
from cpa_dagster.waiting import GOES_ON, in_this_process
from tests.dagster.test_dagster_arrivals import days_of
from tests.support.runs import ROOT, counts

DAY = "2026-03-04"
LONG = 120.0
"""Seconds that a busy machine may need for what takes five."""


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of a server that takes every request and answers none."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


def given(made: Assistant, dagster_home: Path, **more: str) -> dict[str, str]:
    """The environment of a run of this assistant."""
    settings = made.settings
    own = {
        "DAGSTER_HOME": str(dagster_home),
        "PYTHONPATH": str(ROOT),
        "CPA_HOME": str(settings.home),
        "CPA_SOURCE": str(settings.source),
        "CPA_SCHEMA": str(settings.schema_path),
        "CPA_MODEL": "compatible:m",
        "CPA_COMPATIBLE_URL": settings.compatible.url or "",
    }
    return os.environ | own | more


@contextmanager
def materialize(environ: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`dagster asset materialize`, the docs' way without the UI; killed at the end where it still runs."""
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "cpa_dagster.definitions"]
    with (folder / f"log-{time.monotonic_ns()}").open("w+") as log:
        process = subprocess.Popen(
            [*command, "--select", "tagged_events", "--partition", DAY], cwd=folder, env=environ, stdout=log, stderr=log
        )
        process.log = lambda: Path(log.name).read_text("utf-8")  # type: ignore[attr-defined]
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait(found: Callable[[], object], why: Callable[[], str]) -> None:
    until = time.monotonic() + LONG
    while not found():
        assert time.monotonic() < until, why()
        time.sleep(0.3)


def holders(dagster_home: Path) -> set[str]:
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        return instance.event_log_storage.get_concurrency_info("model_compatible").active_run_ids


def test_a_killed_run_gives_its_place_back_and_a_wait_can_be_ended(
    assistant: Callable[..., Assistant], tmp_path: Path, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = assistant(days_of(DAY))
    land(made)
    build_day(made, date.fromisoformat(DAY))
    dagster_home = tmp_path / "dagster"
    dagster_home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    (dagster_home / "dagster.yaml").write_text((ROOT / "cpa_dagster" / "dagster.yaml").read_text("utf-8"), "utf-8")
    with materialize(given(made, dagster_home, CPA_COMPATIBLE_URL=deaf), tmp_path) as first:
        wait(lambda: holders(dagster_home), first.log)  # type: ignore[attr-defined]
        (killed,) = holders(dagster_home)
        with materialize(given(made, dagster_home), tmp_path) as second:
            wait(lambda: f"held by run {killed}" in second.log(), second.log)  # type: ignore[attr-defined]
            second.send_signal(signal.SIGTERM)
            wait(lambda: second.poll() is not None, second.log)  # type: ignore[attr-defined]
        assert holders(dagster_home) == {killed}
        first.kill()
        first.wait()
    with materialize(given(made, dagster_home), tmp_path) as third:
        wait(lambda: third.poll() is not None, third.log)  # type: ignore[attr-defined]
        assert third.returncode == 0, third.log()  # type: ignore[attr-defined]
        assert f"run {killed} was killed: freed" in third.log()  # type: ignore[attr-defined]
    assert holders(dagster_home) == set() and counts(made)["tagged_events"] > 0
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        found = instance.get_run_by_id(killed)
        assert found is not None and found.status == dg.DagsterRunStatus.FAILURE


@dg.op
def work() -> None: ...


@dg.job(executor_def=in_this_process)
def retried() -> None:
    work()


def test_a_run_that_is_a_retry_goes_on_and_says_so() -> None:
    with dg.instance_for_test() as instance:
        first = dg.execute_job(dg.reconstructable(retried), instance)
        options = dg.ReexecutionOptions(first.run_id)
        again = dg.execute_job(dg.reconstructable(retried), instance, reexecution_options=options)
        said = [event.message for event in again.all_events]
        assert again.success and GOES_ON.format(first.run_id) in said
        assert not [event for event in first.all_events if "Goes on" in (event.message or "")]
