"""The values behind the assets of one assistant: the assistant, the range of its days, and its names in Dagster."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta

import dagster as dg

from cpa_core.pipeline import Assistant, Progress
from cpa_core.settings import replaced
from cpa_dagster.options import RunOptions, SecretKeys

RunContext = dg.AssetExecutionContext | dg.AssetCheckExecutionContext

WORK = "cpa/work"
"""The tag of a run that automation requested: the landing, or the day and its generation."""

PAUSES = (timedelta(minutes=5), timedelta(minutes=30))
"""The sensor's waits after the first and the second failed run of the same work; after the third it gives up."""

ATTEMPTS = len(PAUSES) + 1
"""Runs that the sensor requests for the same work."""

LOG_EVERY = 10.0
"""Seconds between two lines of progress in a run's log."""


@dataclass(frozen=True)
class Pipeline:
    """One assistant in Dagster. `prefix` precedes its asset keys; `note` is shown wherever users look first.

    `owners` are shown with its assets; `goes_on` is true if new days keep arriving, unlike in the demo.
    """

    assistant: Assistant
    days: dg.DailyPartitionsDefinition
    prefix: tuple[str, ...] = ()
    note: str = ""
    owners: tuple[str, ...] = ()
    goes_on: bool = True

    def of_run(self, context: RunContext, options: RunOptions, keys: SecretKeys) -> Assistant:
        """Return the assistant for one run: answers are stored under the run's id, and progress is written to its log.

        Raises SettingsError for an option that no run can have.
        """
        given = self.assistant.settings
        if own := keys.texts():
            given = replaced(given, own)
        return replace(
            self.assistant,
            settings=options.applied(given),
            run_id=context.run.run_id,
            progress=logged(context.log.info),
            most_conversations=options.most_conversations,
        )

    def key(self, name: str) -> dg.AssetKey:
        """The key of one of the assets."""
        return dg.AssetKey([*self.prefix, name])

    @property
    def place(self) -> str:
        """Return the prefix of the tags of its runs."""
        return "/".join(self.prefix) or "cpa"

    def named(self, name: str) -> str:
        """The name of a group, job, sensor or schedule: several assistants may share a code location."""
        return "_".join([*self.prefix, name])

    def outside(self, days: list[date]) -> str:
        """Return a note on the days without a partition and the setting that includes them; empty if all have one."""
        beyond = self.without_partition(days)
        if not beyond:
            return ""
        named = ", ".join(day.isoformat() for day in beyond[:10]) + (" …" if len(beyond) > 10 else "")
        first = self.days.get_first_partition_key()
        if first is not None and beyond[0].isoformat() > first:
            return f"{named}: later than today, no partition yet"
        return f"{named}: before the first partition; set CPA_START_DATE={beyond[0]} and reload the code location"

    def without_partition(self, days: list[date]) -> list[date]:
        """Return the days without a partition, in order."""
        return sorted(day for day in days if not self.days.has_partition_key(day.isoformat()))


def logged(log: Callable[[str], object]) -> Progress:
    """Return a progress that logs a line every few seconds at most: each line is a write to Dagster."""
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
