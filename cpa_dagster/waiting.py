"""The executor: steps in the run's process, which log whom they wait for at a pool, and whose wait can be interrupted.

Dagster's in-process executor (1.13.27) checks no signal while a step waits for its pool. The place of a killed run is
freed only by the daemon's monitoring, which a run from the command line does not have. So each run holds a lock file in
Dagster's storage while its process lives. A waiting run frees the places of runs whose lock nobody holds.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import inner_plan_execution_iterator
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor
from dagster._utils.interrupts import check_captured_interrupt, pop_captured_interrupt

LOOKS = 2.0
"""Seconds between two checks of the holder of the place that a step waits for."""

PAUSE = 0.2
"""Seconds between two tries to take it."""

GOES_ON = "Goes on where run {} ended: its answers and its finished days are kept, and only what is open is asked."
"""The line on the page of a run that is a retry or a re-execution."""


class Waiting(InstanceConcurrencyContext):
    """Dagster's claim of places in pools, which also checks for signals and for runs that were killed."""

    def __init__(self, job_context: PlanExecutionContext) -> None:
        super().__init__(job_context.instance, job_context.dagster_run)
        self._job = job_context
        self._looked = 0.0
        self._told = ""

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """Return whether the step has its place now. Raises DagsterExecutionInterruptedError when the wait is ended."""
        if super().claim(concurrency_key, step_key, step_priority):
            return True
        if check_captured_interrupt():
            pop_captured_interrupt()
            raise dg.DagsterExecutionInterruptedError(f"{step_key}: ended while it waited for pool {concurrency_key}")
        if time.monotonic() - self._looked >= LOOKS:
            self._looked = time.monotonic()
            self._look(concurrency_key, step_key)
        time.sleep(PAUSE)
        return False

    def _look(self, pool: str, step_key: str) -> None:
        """Free the places of killed runs, and log each holder once."""
        held = self._instance.event_log_storage.get_concurrency_info(pool)
        holders = sorted(held.active_run_ids)
        freed = [run_id for run_id in holders if free_dead(self._instance, run_id)]
        if freed:
            self._pending_timeouts.pop(step_key, None)
            self._pending_timeouts[step_key] = 0.0
        told = f"{step_key} waits for pool {pool}: held by run {', '.join(holders)}" if holders else ""
        if told and told != self._told:
            self._told = told
            self._job.log.info(told + "".join(f"; run {run_id} was killed: freed" for run_id in freed))


def free_dead(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Free the places of a run that ended or whose process died; such a run is then reported as failed."""
    record = instance.get_run_by_id(run_id)
    is_over = record is None or record.is_finished
    if not is_over and not is_killed(instance, run_id):
        return False
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    if record is not None and not is_over:
        words = "The process of this run was killed. What it did is kept: run it again to go on."
        instance.report_run_failed(record, words)
    return True


def is_killed(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run took its lock on this machine, and nobody holds it now."""
    path = lock_of(instance, run_id)
    if not path.exists():
        return False
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def lock_of(instance: dg.DagsterInstance, run_id: str) -> Path:
    """The lock file of a run."""
    return Path(instance.storage_directory()) / "cpa_runs" / run_id


@contextmanager
def alive(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the lock of a run; the kernel releases it when the process is killed."""
    path = lock_of(instance, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


class InThisProcess(InProcessExecutor):
    """Dagster's in-process executor, with `Waiting` for pools."""

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """The events of the run's steps, one after the other."""
        steps = execution_plan.step_keys_to_execute
        yield dg.DagsterEvent.engine_event(
            plan_context,
            f"{len(steps)} steps, in process {os.getpid()}",
            EngineEventData.in_process(os.getpid(), steps),
        )
        run = plan_context.dagster_run
        if run.parent_run_id:
            yield dg.DagsterEvent.engine_event(plan_context, GOES_ON.format(run.parent_run_id), EngineEventData())
        with alive(plan_context.instance, run.run_id):
            yield from ExecuteRunWithPlanIterable(
                execution_plan=plan_context.execution_plan,
                iterator=_events,
                execution_context_manager=PlanExecutionContextManager(
                    job=plan_context.job,
                    retry_mode=plan_context.retry_mode,
                    execution_plan=plan_context.execution_plan,
                    run_config=plan_context.run_config,
                    dagster_run=run,
                    instance=plan_context.instance,
                    raise_on_error=plan_context.raise_on_error,
                    output_capture=plan_context.output_capture,
                    step_dependency_config=self.step_dependency_config,
                ),
            )


def _events(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[dg.DagsterEvent]:
    with Waiting(job_context) as places:
        yield from inner_plan_execution_iterator(job_context, execution_plan, places)


@dg.executor(name="in_process")
def in_this_process(_: dg.InitExecutorContext) -> InThisProcess:
    """The executor of every assistant's runs: one object, so that several may share a code location."""
    return InThisProcess(RetryMode.ENABLED)
