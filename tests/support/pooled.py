"""A job whose only step needs a place in a pool, run in a process of its own that a test may kill."""

import os
import time
from pathlib import Path

import dagster as dg

from cpa_dagster.waiting import in_this_process

POOL = "one_at_a_time"


@dg.op(pool=POOL)
def ask() -> None:
    """Keeps its place for as long as the file `hold` stands in the instance's folder."""
    while (Path(os.environ["DAGSTER_HOME"]) / "hold").exists():
        time.sleep(0.05)


@dg.job(executor_def=in_this_process)
def pooled() -> None:
    """The job."""
    ask()


def run(home: str) -> None:
    """Run the job to its end in this process."""
    os.environ["DAGSTER_HOME"] = home
    with dg.DagsterInstance.from_config(home) as instance:
        dg.execute_job(dg.reconstructable(pooled), instance, raise_on_error=True)
