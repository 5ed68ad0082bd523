"""A month of history at once, or as many days as are named: `python -m proofs.backfill 365 --ways killed`.

Ways: by the command, by a range in Dagster, by a backfill of its UI; `killed`: a backfill of the job `history` over
days that have landed, with its process killed by SIGKILL in the middle of the questions and in the middle of the
delivery, and retried by the daemon; and `empty`: a range of years on which nothing landed.
"""

import argparse
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from cpa_core.schema import dump
from proofs.figures import Claims, of_days, proved, show, total
from proofs.scene import Scene, scene, wait
from proofs.served import ASSETS, OF_DAYS, Dagster, records, webserver
from tests.servers.chat_completions import ChatServer
from tests.servers.posthog import PostHogServer
from tests.support.commands import ONE_EACH, at, chat

START = date(2025, 1, 1)
PER_DAY = 10
MESSAGES = 4

LIMIT = 120.0
PER_DAY_LIMIT = 10.0
"""Seconds that a backfill may take, and seconds for each of its days."""

TARGET = 0.8
"""Seconds a day in the runs, with what two kills cost, that are wanted on two cores which nobody else uses."""

FIRST_QUESTION = 30.0
"""Seconds from Launch to the first question that are wanted there."""

EMPTY = date(2020, 1, 1), date(2025, 6, 30)
"""Days on which something landed; on none between them."""

EMPTY_A_SECOND = 1000.0
"""Days without conversations that a step is to take in a second, at least."""

IN_FLIGHT = 8
"""Questions at once (CPA_CONCURRENCY): what a kill may lose, and be paid for again."""

RANGE = "dagster/asset_partition_range_start"
"""The tag of a run over a range of days."""

Row = dict[str, Any]


@contextmanager
def history(days: int) -> Iterator[tuple[Scene, ChatServer, PostHogServer]]:
    """So many days of invented conversations, a model that answers at once, and PostHog."""
    with scene() as here, ChatServer() as model, PostHogServer() as posthog:
        invented: dict[str, Any] = {}
        for n in range(days * PER_DAY):
            invented |= chat(f"c{n:05}", MESSAGES, str(START + timedelta(days=n // PER_DAY)), f"u{n % 50}")
        (here.folder / "chats.json").write_text(json.dumps(invented), "utf-8")
        (here.folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
        here.environ |= {
            "CPA_SOURCE": str(here.folder / "chats.json"),
            "CPA_SCHEMA": str(here.folder / "schema.yml"),
            "CPA_MODEL": "compatible:test-model",
            "CPA_COMPATIBLE_URL": model.url,
            "CPA_CONCURRENCY": str(IN_FLIGHT),
            "CPA_START_DATE": str(START),
            **at(posthog),
        }
        yield here, model, posthog


def measured(
    name: str, days: int, claims: Claims, run: Callable[[Scene, int], tuple[int, str]], *, dagster: bool
) -> list[Row]:
    """The figures of a backfill and of the same again; `run` does it, and says in how many runs and how it ended."""
    rows: list[Row] = []
    with history(days) as (here, model, posthog):
        if dagster:
            here.prepare_dagster()
        before = 0, 0
        for which in ("first", "again"):
            began = time.monotonic()
            runs, status = run(here, days)
            seconds = time.monotonic() - began
            asked, stored = len(model.calls) - before[0], posthog.stored - before[1]
            before = len(model.calls), posthog.stored
            found = of_days(here.home)
            rows.append(
                {"how": f"{name}, {which}", "days": len(found), "runs": runs, "ended": status, "seconds": seconds}
                | {"a day": seconds / days, "questions": asked, "sent": stored}
                | total(found, ["conversations", "messages", "events", "receipts", "failures"])
            )
    show(name, rows)
    _claims(claims, rows, days, found)
    return rows


def _claims(claims: Claims, rows: list[Row], days: int, found: Any) -> None:
    first, again = rows
    claims.claim(f"all {days} days are there", len(found) == days)
    claims.whole(found)
    claims.claim("two questions a conversation", first["questions"] == 2 * PER_DAY * days)
    claims.claim("every event went out once", first["sent"] == first["receipts"] == days * PER_DAY * (MESSAGES + 1))
    claims.claim("the second backfill asks nothing and sends nothing", (again["questions"], again["sent"]) == (0, 0))


def by_command(here: Scene, days: int) -> tuple[int, str]:
    """`cpa run --from --to`."""
    last = START + timedelta(days=days - 1)
    here.run("cpa", "run", "--from", str(START), "--to", str(last), limit=LIMIT + days * PER_DAY_LIMIT)
    return 1, "status 0"


def by_range(here: Scene, days: int) -> tuple[int, str]:
    """`dagster asset materialize --partition-range`."""
    span = f"{START}...{START + timedelta(days=days - 1)}"
    before = runs_of(here)
    definitions = ["-m", "cpa_dagster.definitions", "--select", "*", "--partition-range", span]
    here.run("dagster", "asset", "materialize", *definitions, limit=LIMIT + days * PER_DAY_LIMIT)
    return runs_of(here) - before, "status 0"


def by_backfill(here: Scene, days: int) -> tuple[int, str]:
    """The backfill of the UI, which the daemon carries out."""
    dagster = webserver(here)
    dagster.start_daemon()
    ended = dagster.backfill(keys_of(days), LIMIT + days * PER_DAY_LIMIT)
    here.end("daemon")
    here.end("webserver")
    return len(ended["runs"]), ended["status"]


def keys_of(days: int) -> list[str]:
    """The partitions of the history."""
    return [str(START + timedelta(days=n)) for n in range(days)]


def runs_of(here: Scene) -> int:
    """How many runs the Dagster instance has seen."""
    with records(here) as instance:
        return instance.get_runs_count()


def process_of(dagster: Dagster) -> int | None:
    """The process of the run of days that is under way, as its event log names it."""
    started = [one for one in dagster.runs_of_days() if one.dagster_run.status is dg.DagsterRunStatus.STARTED]
    with records(dagster.here) as instance:
        for record in started:
            engine = instance.all_logs(record.dagster_run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
            data = [event.dagster_event.engine_event_data.metadata for event in engine if event.dagster_event]
            for metadata in data:
                if "pid" in metadata:
                    return int(str(metadata["pid"].value))
    return None


@dataclass
class Worker:
    """The process of the run, whichever it is by now. `most` is its most resident memory so far, in bytes."""

    dagster: Dagster
    pid: int | None = None
    most: int = 0

    def look(self) -> bool:
        """Whether it is there; its memory is looked at."""
        now = peak(self.pid) if self.pid else 0
        if not now:
            self.pid = process_of(self.dagster)
        self.most = max(self.most, now)
        return bool(now)

    def kill_when(self, reached: Callable[[], bool], limit: float, what: str) -> None:
        """Kill it as soon as something is reached."""
        wait(lambda: self.look() and reached(), limit, what)
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        wait(lambda: self.pid and not peak(self.pid), 30, "its end")


def killed(days: int, claims: Claims) -> None:
    """The backfill of the UI with two kills."""
    limit = LIMIT + days * PER_DAY_LIMIT
    questions, events = 2 * PER_DAY * days, PER_DAY * (MESSAGES + 1) * days
    with history(days) as (here, model, posthog):
        here.prepare_dagster()
        here.run("cpa", "land", limit=limit)
        dagster = webserver(here)
        dagster.start_daemon()
        worker = Worker(dagster)
        began, size = time.monotonic(), bytes_of(here.dagster_home)
        launched = time.time()
        backfill = dagster.launch_backfill(keys_of(days), OF_DAYS)
        wait(lambda: model.calls, limit, "the first question")
        asked_after = model.calls[0].at - began
        show("from Launch to the first question, in seconds", [until_asked(here, launched) | {"whole": asked_after}])
        worker.kill_when(lambda: len(model.calls) >= questions // 2, limit, "half of the questions")
        worker.kill_when(lambda: posthog.stored >= events // 2, limit, "half of the delivery")
        ended = wait(
            lambda: None if worker.look() else dagster.ended(backfill), limit, "the backfill to end", pause=2.0
        )
        seconds = time.monotonic() - began
        ranges = [record for record in dagster.runs_of_days() if RANGE in record.dagster_run.tags]
        runs = [record.dagster_run.status.value for record in ranges]
        worked = sum((record.end_time or 0) - (record.start_time or 0) for record in ranges)
        found = of_days(here.home)
        grown = bytes_of(here.dagster_home) - size
        row: Row = {"days": len(found), "seconds": seconds, "a day": seconds / days, "in the runs": worked}
        row |= {"a day in the runs": worked / days, "questions": len(model.calls), "sent": posthog.stored}
        row |= total(found, ["conversations", "receipts", "failures"])
        show(f"backfill of the UI, killed twice: {', '.join(runs)}", [row])
        log = {"event log MB": grown / 1e6, "KB a day": grown / days / 1e3, "peak of a run MB": worker.most / 1e6}
        show("event log and memory", [log | {"store MB": bytes_of(here.home) / 1e6}])
    claims.claim(
        f"the first question after at most {FIRST_QUESTION:.0f} s: {asked_after:.1f}", asked_after <= FIRST_QUESTION
    )
    claims.claim(f"all {days} days are there", len(found) == days)
    claims.whole(found)
    claims.claim("the backfill ended COMPLETED_SUCCESS", ended["status"] == "COMPLETED_SUCCESS")
    claims.claim("one run, and its retry after each kill", runs == ["FAILURE", "FAILURE", "SUCCESS"])
    again = len(model.calls) - questions
    claims.claim(f"at most what was in flight was asked again: {again} of {questions}", 0 <= again <= IN_FLIGHT)
    resent = posthog.stored - events
    claims.claim(
        f"PostHog holds every event once ({resent} came twice, under the same id)", len(posthog.rows) == events
    )
    claims.claim(f"at most {TARGET} s a day in the runs: {worked / days:.2f}", worked / days <= TARGET)


def until_asked(here: Scene, launched: float) -> Row:
    """Where the time went before the first question: the daemon's look, the run's way to its process, the building."""
    with records(here) as instance:
        (first,) = [one for one in instance.get_run_records() if RANGE in one.dagster_run.tags]
        steps = {step: begun for step, (begun, _) in steps_of(instance, first.dagster_run.run_id).items()}
    queued, started = first.create_timestamp.timestamp(), first.start_time or 0
    return {
        "until the daemon requests the run": queued - launched,
        "until its process works": started - queued,
        "until it asks": min(steps[name] for name in ("tagged_events", "judge_scores") if name in steps) - started,
    }


def steps_of(instance: dg.DagsterInstance, run_id: str) -> dict[str, tuple[float, float]]:
    """When each step of a run began and ended, so far; zero for what has not."""
    found: dict[str, tuple[float, float]] = {}
    kinds = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS}
    for entry in instance.all_logs(run_id, of_type=kinds):
        begun = found.get(entry.step_key or "", (0.0, 0.0))[0]
        is_end = entry.dagster_event_type == dg.DagsterEventType.STEP_SUCCESS
        found[entry.step_key or ""] = (begun, entry.timestamp) if is_end else (entry.timestamp, 0.0)
    return found


def empty(claims: Claims) -> None:
    """A range of years on which nothing landed, in one run."""
    first, last = EMPTY
    span = f"{first + timedelta(days=1)}...{last - timedelta(days=1)}"
    days = (last - first).days - 1
    with history(0) as (here, _, _):
        here.environ["CPA_START_DATE"] = str(first)
        (here.folder / "chats.json").write_text(json.dumps(chat("a", 2, str(first)) | chat("b", 2, str(last))), "utf-8")
        here.prepare_dagster()
        here.run("cpa", "land", limit=LIMIT)
        definitions = ["-m", "cpa_dagster.definitions", "--select", ",".join(OF_DAYS), "--partition-range", span]
        seconds = here.run("dagster", "asset", "materialize", *definitions, limit=20 * LIMIT)
        with records(here) as instance:
            (record,) = instance.get_run_records()
            steps = steps_of(instance, record.dagster_run.run_id)
            done = [len(instance.get_materialized_partitions(dg.AssetKey(asset))) for asset in OF_DAYS]
    rows: list[Row] = [{"step": name, "seconds": steps[name][1] - steps[name][0]} for name in OF_DAYS]
    show(
        f"{days} days without conversations: one run of {seconds:.1f} s",
        [row | {"days a second": days / row["seconds"]} for row in rows],
    )
    claims.claim("each is materialized", done == [days] * len(OF_DAYS))
    slowest = min(days / row["seconds"] for row in rows)
    claims.claim(f"at least {EMPTY_A_SECOND:.0f} days a second in each step: {slowest:.0f}", slowest >= EMPTY_A_SECOND)


def peak(pid: int) -> int:
    """The most resident memory of a process so far, in bytes; zero when it has ended."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8"))
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) * 1024 if found else 0


def bytes_of(folder: Path) -> int:
    """The size of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def backfills(claims: Claims) -> None:
    """The ways that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("days", type=int, nargs="?", default=30)
    ways = ("command", "range", "ui", "killed", "empty")
    parser.add_argument("--ways", nargs="+", choices=ways, default=ways)
    given = parser.parse_args()
    days: int = given.days
    if "command" in given.ways:
        measured("cpa run --from --to", days, claims, by_command, dagster=False)
    if "range" in given.ways:
        ranged = measured("dagster asset materialize --partition-range", days, claims, by_range, dagster=True)
        claims.claim("a range is one run", [row["runs"] for row in ranged] == [1, 1])
    if "ui" in given.ways:
        rows = measured("backfill in the UI", days, claims, by_backfill, dagster=True)
        claims.claim("both backfills ended COMPLETED_SUCCESS", {row["ended"] for row in rows} == {"COMPLETED_SUCCESS"})
        claims.claim("in no more runs than assets", max(row["runs"] for row in rows) <= len(ASSETS))
    if "killed" in given.ways:
        killed(days, claims)
    if "empty" in given.ways:
        empty(claims)


if __name__ == "__main__":
    sys.exit(proved(backfills))
