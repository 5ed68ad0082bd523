"""What is killed, held or absent in Dagster: what each shows, and that the work ends without a hand or says what to do.

A run from the command line, a run's process and the daemon are killed by SIGKILL, a process that is not ours holds the
store for 100 seconds over a backfill, and a worker has an empty volume.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import dagster as dg

from proofs.backfill import history, keys_of, process_of
from proofs.figures import Claims, of_days, proved, show
from proofs.scene import Failed, Scene, wait
from proofs.served import OF_DAYS, Dagster, Requested, records, webserver
from tests.servers.chat_completions import Behaviour, ChatServer
from tests.servers.posthog import PostHogServer

DAYS = 4
ASKED = 3
"""Questions after which a kill comes."""

LATENCY = 1.0
"""Seconds of the model for an answer, so that a kill finds questions under way."""

HELD = 100
"""Seconds that the foreign process holds the store."""

BUSY = "held by process"
"""What a run's page says meanwhile."""

FOREIGN = """
import duckdb, sys, time
def connected():
    while True:
        try:
            return duckdb.connect(sys.argv[1])
        except duckdb.IOException:
            time.sleep(0.1)
held = connected()
print("taken", flush=True)
time.sleep(float(sys.argv[2]))
"""
"""It waits until nobody else has the store: a run that follows may still be at work."""

COMMAND = ("asset", "materialize", "-m", "cpa_dagster.definitions", "--select", ",".join(OF_DAYS), "--partition")

LIMIT = 900.0
"""Seconds that the proof waits on a busy machine."""

WORDS = 200
"""Characters of a line of a log that are shown."""

TELLING = ("killed", "held", "tried again", "retry", "Retry", "unexpectedly", "waits for", "not see", "no conversation")
"""Words of the lines that tell a reader what happened."""


def told(dagster: Dagster, runs: Sequence[dg.RunRecord]) -> list[dict[str, str]]:
    """The lines on the runs' pages that say what happened, each once."""
    found: dict[str, str] = {}
    with records(dagster.here) as instance:
        for record in runs:
            for entry in instance.all_logs(record.dagster_run.run_id):
                words = " ".join(entry.message.split())[:WORDS] or _reason(entry)
                if any(word in words for word in TELLING):
                    found.setdefault(words, record.dagster_run.run_id[:8])
    return [{"run": run, "its page says": words.rjust(WORDS)} for words, run in found.items()]


def _reason(entry: dg.EventLogEntry) -> str:
    event = entry.dagster_event
    data: Any = event.event_specific_data if event else None
    error = getattr(data, "error", None)
    return " ".join(str(error.message).split())[:WORDS] if error else ""


def headless(here: Scene, model: ChatServer, claims: Claims, day: str) -> None:
    """`dagster asset materialize` is killed; the next one frees its place and goes on."""
    here.start("first", "dagster", *COMMAND, day)
    wait(lambda: len(model.calls) >= ASKED, LIMIT, "the first questions")
    os.kill(here.running["first"].pid, signal.SIGKILL)
    here.end("first")
    seconds = here.run("dagster", *COMMAND, day, limit=LIMIT)
    said = [path.read_text("utf-8") for path in sorted(here.folder.glob("dagster-*.log"))][-1]
    lines = [line.split(" - ")[-1][:WORDS] for line in said.splitlines() if "was killed" in line]
    show(f"a headless materialize is killed; again: {seconds:.0f} s", [{"the next run says": line} for line in lines])
    claims.claim("the next run frees the killed one's place and says so", bool(lines))
    claims.claim("and ends the day", _delivered(here, [day]))


def worker(dagster: Dagster, model: ChatServer, claims: Claims, day: str) -> None:
    """The process of a run is killed; the daemon starts it again."""
    before, asked = len(dagster.runs_of_days()), len(model.calls)
    dagster.launch(Requested(OF_DAYS, {"dagster/partition": day}))
    wait(lambda: len(model.calls) >= asked + ASKED, LIMIT, "the first questions")
    os.kill(wait(lambda: process_of(dagster), LIMIT, "its process"), signal.SIGKILL)
    wait(lambda: _delivered(dagster.here, [day]), LIMIT, "the day's receipts")
    runs = _ended(dagster, before)
    show("a run's process is killed", told(dagster, runs))
    claims.claim("it fails, and its retry succeeds without a hand", _statuses(runs) == ["FAILURE", "SUCCESS"])


def daemon(dagster: Dagster, model: ChatServer, claims: Claims, days: Sequence[str]) -> None:
    """The daemon is killed while a run is under way and another waits in the queue."""
    here = dagster.here
    before, asked = len(dagster.runs_of_days()), len(model.calls)
    dagster.launch(Requested(OF_DAYS, {"dagster/partition": days[0]}))
    wait(lambda: len(model.calls) >= asked + ASKED, LIMIT, "the first questions")
    os.kill(here.running["daemon"].pid, signal.SIGKILL)
    here.running["killed daemon"] = here.running.pop("daemon")
    dagster.launch(Requested(OF_DAYS, {"dagster/partition": days[1]}))
    wait(lambda: _delivered(here, days[:1]), LIMIT, "the day that was under way")
    claims.claim(
        "a run that is under way ends without the daemon", _statuses(dagster.runs_of_days()[before:])[0] != "FAILURE"
    )
    claims.claim("the next one waits in the queue", _statuses(dagster.runs_of_days()[before:])[1] == "QUEUED")
    dagster.start_daemon()
    wait(lambda: _delivered(here, days), LIMIT, "the day that waited")
    claims.claim("a new daemon goes on with it", _statuses(_ended(dagster, before)) == ["SUCCESS", "SUCCESS"])


def foreign(dagster: Dagster, model: ChatServer, claims: Claims, days: Sequence[str]) -> None:
    """A process that is not ours holds the store over a backfill of days that are done."""
    here, before, asked = dagster.here, len(dagster.runs_of_days()), len(model.calls)
    here.start("foreign", sys.executable, "-c", FOREIGN, str(here.home / "cpa.duckdb"), str(HELD))
    wait(lambda: here.said("foreign") == "taken\n", LIMIT, "the foreign process to hold the store", pause=0.1)
    began = time.monotonic()
    ended = dagster.backfill(days, LIMIT)
    runs = _ended(dagster, before)
    seconds, lines = time.monotonic() - began, told(dagster, runs)
    show(f"the store is held for {HELD} s; the backfill ended after {seconds:.0f} s", lines)
    claims.claim("it waited for the store, and a run's page says so", seconds > HELD - 5 and _says(lines, BUSY))
    claims.claim("the backfill ends COMPLETED_SUCCESS", ended["status"] == "COMPLETED_SUCCESS")
    claims.claim("no run of it failed", set(_statuses(runs)) == {"SUCCESS"})
    claims.claim("and nothing was asked", len(model.calls) == asked)


def _says(lines: Sequence[dict[str, str]], words: str) -> bool:
    return any(words in line["its page says"] for line in lines)


def empty_volume(here: Scene, model: ChatServer, claims: Claims, day: str) -> None:
    """A worker that does not see the volume."""
    home, asked = here.environ["CPA_HOME"], len(model.calls)
    here.environ["CPA_HOME"] = str(here.folder / "unmounted")
    said = ""
    try:
        here.run("dagster", *COMMAND, day, limit=LIMIT)
    except Failed as failed:
        said = str(failed)
    here.environ["CPA_HOME"] = home
    (words,) = {line.strip() for line in said.splitlines() if "no conversation has landed" in line} or {""}
    show("a worker without the volume", [{"its run fails": words[-2 * WORDS :]}])
    claims.claim("it fails and names what to check", "check CPA_HOME and the volume" in words)
    claims.claim("and asks nothing", len(model.calls) == asked)


def _delivered(here: Scene, days: Sequence[str]) -> bool:
    """Whether all events of the days have their receipts."""
    found = {row["day"]: row["receipts"] == row["events"] + row["judged"] > 0 for row in of_days(here.home)}
    return all(found.get(day) for day in days)


def _ended(dagster: Dagster, before: int) -> list[dg.RunRecord]:
    """The runs from there on, once none is under way."""
    wait(lambda: all(one.dagster_run.is_finished for one in dagster.runs_of_days()), LIMIT, "the runs to end")
    return dagster.runs_of_days()[before:]


def _statuses(runs: Sequence[dg.RunRecord]) -> list[str]:
    return [record.dagster_run.status.value for record in runs]


def once(claims: Claims, here: Scene, model: ChatServer, posthog: PostHogServer) -> None:
    """Everything is there, and nothing twice but what was in flight at a kill."""
    days = of_days(here.home)
    show("what the store holds", days)
    claims.whole(days)
    claims.claim("PostHog holds every event once", len(posthog.rows) == sum(day["receipts"] for day in days))
    whole = 2 * sum(day["conversations"] for day in days)
    claims.claim(
        f"{len(model.calls) - whole} of {whole} questions were in flight and asked again",
        len(model.calls) <= whole + 16,
    )


def kills(claims: Claims) -> None:
    """One after the other, in one home."""
    with history(DAYS) as (here, model, posthog):
        model.behaviour = Behaviour(latency=LATENCY)
        here.prepare_dagster()
        here.run("cpa", "land", limit=LIMIT)
        days = keys_of(DAYS)
        headless(here, model, claims, days[0])
        dagster = webserver(here)
        dagster.start_daemon()
        worker(dagster, model, claims, days[1])
        daemon(dagster, model, claims, days[2:])
        foreign(dagster, model, claims, days)
        empty_volume(here, model, claims, days[0])
        once(claims, here, model, posthog)


if __name__ == "__main__":
    sys.exit(proved(kills))
