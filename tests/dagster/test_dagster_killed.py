"""Runs that are killed or ended: their place in a pool is free again, without a daemon."""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import dagster as dg
import pytest

from cpa_core.pipeline import Assistant
from cpa_dagster.waiting import GOES_ON, in_this_process
from tests.support import pooled
from tests.support.runs import ROOT, definitions

LONG = 120.0
"""Seconds that a busy machine may need for what takes five."""

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([pooled.__name__])  # Dagster is loaded once for the three runs


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME as `make dev` prepares it."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copy(ROOT / "cpa_dagster" / "dagster.yaml", tmp_path)
    return tmp_path


@contextmanager
def running(home: Path) -> Iterator[BaseProcess]:
    """A run in a process of its own, killed at the end where it still runs."""
    process = PROCESSES.Process(target=pooled.run, args=(str(home),))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def wait(found: Callable[[], object], instance: dg.DagsterInstance) -> None:
    until = time.monotonic() + LONG
    while not found():
        assert time.monotonic() < until, said(instance)
        time.sleep(0.2)


def said(instance: dg.DagsterInstance) -> str:
    """Every line of the log of every run."""
    return "\n".join(entry.message for run in instance.get_runs() for entry in instance.all_logs(run.run_id))


def holders(instance: dg.DagsterInstance) -> set[str]:
    return set(instance.event_log_storage.get_concurrency_info(pooled.POOL).active_run_ids)


def test_a_killed_run_gives_its_place_back_and_a_wait_can_be_ended(home: Path) -> None:
    (home / "hold").touch()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        with running(home) as first:
            wait(lambda: holders(instance), instance)
            (killed,) = holders(instance)
            with running(home) as second:
                wait(lambda: f"ask waits for pool {pooled.POOL}: held by run {killed}" in said(instance), instance)
                os.kill(second.pid or 0, signal.SIGTERM)
                wait(lambda: not second.is_alive(), instance)
            assert holders(instance) == {killed}, "the place of a run that lives is not touched"
            first.kill()
            first.join()
        (home / "hold").unlink()
        with running(home) as third:
            wait(lambda: not third.is_alive(), instance)
            assert third.exitcode == 0, said(instance)
        assert f"run {killed} was killed: freed" in said(instance) and holders(instance) == set()
        ended = [run.status for run in reversed(instance.get_runs())]
        assert (ended[0], ended[2]) == (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS)
        assert ended[1] in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED), "the wait was ended"


def test_every_job_of_an_assistant_runs_in_the_executor_that_gives_places_back(demo: Assistant) -> None:
    found = definitions(demo).get_repository_def().get_all_jobs()
    assert len(found) >= 3 and {job.executor_def for job in found} == {in_this_process}


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
