"""The instance of this project: how soon its daemon looks for backfills and for runs that wait in the queue."""

import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._daemon import controller
from dagster._daemon.backfill import execute_backfill_iteration_loop

from tests.support.runs import ROOT

LONGEST = 5
"""Seconds between two looks at most: a backfill of the job `history` then asks within thirty seconds of Launch."""


class Pauses(threading.Event):
    """Ends no loop; keeps how long the daemon wanted to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return False


def pause_of(instance: dg.DagsterInstance) -> float:
    """What the daemon of an instance waits between two looks when no backfill is there."""
    instance.get_required_daemon_types()
    pauses = Pauses()
    process: Any = SimpleNamespace(instance=instance)
    loop = execute_backfill_iteration_loop(process, logging.getLogger("backfills"), pauses)
    while not pauses.seconds:
        next(iter(loop))
    return pauses.seconds[0]


@pytest.mark.parametrize(("more", "longest"), [("", LONGEST), ("backfill_interval_seconds: 12\n", 12)])
def test_the_daemon_looks_for_backfills_as_often_as_the_file_says(
    more: str, longest: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS", 30)
    lines = (ROOT / "cpa_dagster" / "dagster.yaml").read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not (more and line.startswith("backfill_interval_seconds"))]
    (tmp_path / "dagster.yaml").write_text("".join(kept) + more, "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert longest - 1 < pause_of(instance) <= longest
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
        assert instance.run_coordinator.dequeue_interval_seconds == 1
        limits = instance.get_concurrency_config().run_queue_config
        assert limits and limits.max_concurrent_runs == 4, "the queue's own section leaves the limit of runs as it is"


def test_without_the_class_dagster_waits_thirty_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS", 30)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert 29 < pause_of(instance) <= 30, "when this fails, Dagster has mended it, and the class can go"
