"""What the assets are given: the assistant, the range of its days, and progress in the run's log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

import dagster as dg

from cpa_core.pipeline import Assistant, Progress

RunContext = dg.AssetExecutionContext | dg.AssetCheckExecutionContext

WORK = "cpa/work"
"""The tag of a run that automation requested: which landing, or which generation of which day."""

LOG_EVERY = 10.0
"""Seconds between two lines of progress in a run's log."""


@dataclass(frozen=True)
class Pipeline:
    """One assistant in Dagster. `prefix` goes before its asset keys; `note` is said wherever users look first.

    `owners` are shown with its assets; `goes_on` says that new days come by themselves, unlike those of the demo.
    """

    assistant: Assistant
    days: dg.DailyPartitionsDefinition
    prefix: tuple[str, ...] = ()
    note: str = ""
    owners: tuple[str, ...] = ()
    goes_on: bool = True

    def of_run(self, context: RunContext) -> Assistant:
        """The assistant for one run: answers are kept under the run's id, progress goes to its log."""
        return replace(self.assistant, run_id=context.run.run_id, progress=logged(context.log.info))

    @staticmethod
    def retags(context: RunContext) -> bool:
        """Whether the run may bring history to the schema in force: a person named its days, automation did not."""
        return WORK not in context.run.tags

    def key(self, name: str) -> dg.AssetKey:
        """The key of one of the six assets."""
        return dg.AssetKey([*self.prefix, name])

    def outside(self, days: list[date]) -> str:
        """Which of these days no partition stands for, and what would include them; empty when all have one."""
        beyond = sorted(day for day in days if not self.days.has_partition_key(day.isoformat()))
        if not beyond:
            return ""
        named = ", ".join(day.isoformat() for day in beyond[:10]) + (" …" if len(beyond) > 10 else "")
        first = self.days.get_first_partition_key()
        if first is not None and beyond[0].isoformat() > first:
            return f"{named}: later than today, no partition yet"
        return (
            f"{named}: before the first partition; set CPA_START_DATE={beyond[0]} (without it, the first day that "
            "landed) and reload the code location"
        )


def logged(log: Callable[[str], object]) -> Progress:
    """Progress as lines of a log, one every few seconds whatever it is about: each line is a write to Dagster."""
    said = time.monotonic()

    @contextmanager
    def progress(stage: str, total: int) -> Iterator[Callable[[], None]]:
        done = 0

        def advance() -> None:
            nonlocal done, said
            done += 1
            if time.monotonic() - said >= LOG_EVERY:
                said = time.monotonic()
                log(f"{stage}: {done} of {total}")

        yield advance

    return progress
