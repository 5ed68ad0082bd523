"""Whole days by the command itself: `python -m benchmarks.llm refusals memory`."""

import os
import subprocess
from pathlib import Path

from benchmarks.llm import DAY, ROOT, RUN, Line, chats, counts, environ, model
from cpa_core.pipeline import Assistant
from cpa_core.settings import settings

WHOLE_DAY = "select count(*) as n from raw_conversations"
EVENTS = (
    "select (select count(*) from tagged_events) + (select count(*) from judge_scores where outcome = 'ok') as events, "
    "(select count(distinct event_id) from upload_receipts where status = 'accepted') as accepted"
)


def refusals(folder: Path) -> list[Line]:
    """5 % of the questions refused."""
    chats(folder / "chats.json", 1_000)
    with model("--faults", "refusals") as url:
        given = {**os.environ, **environ(folder, url, CPA_CONCURRENCY="32", CPA_DESTINATIONS="outbox")}
        run = subprocess.run(RUN, cwd=ROOT, env=given, check=False, capture_output=True, text=True)
        seen = counts(url)
    status = subprocess.run([*RUN[:-1], "status"], cwd=ROOT, env=given, check=False, capture_output=True, text=True)
    with _home(folder).store.reading() as view:
        rows = view.rows("select count(*) as n from failures where reason = 'refused' and not retryable")
        (delivered,) = view.rows(EVENTS)
    stored, shown = rows[0]["n"], status.stdout.count("refused: the model refused")
    met = stored == shown == seen["faults"] > 0 and run.returncode == 1
    found = f"{seen['faults']} of {seen['calls']} refused, {stored} recorded, {shown} shown by cpa status, "
    found += f"exit code {run.returncode}"
    receipts = f"{delivered['accepted']:,} accepted of {delivered['events']:,}"
    return [
        Line("refusals", found, "all recorded and shown, exit code not 0", met),
        Line("events of that day", receipts, "all", delivered["accepted"] == delivered["events"] > 0),
    ]


def memory(folder: Path, conversations: int = 20_000) -> list[Line]:
    """A day of 20,000 conversations landed, built, tagged, judged and delivered by one process."""
    chats(folder / "chats.json", conversations)
    size = (folder / "chats.json").stat().st_size / 1e6
    with model() as url:
        given = {**os.environ, **environ(folder, url, CPA_CONCURRENCY="32", CPA_DESTINATIONS="outbox")}
        process = subprocess.Popen(RUN, cwd=ROOT, env=given, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    with _home(folder).store.reading() as view:
        (delivered,) = view.rows(EVENTS)
        done = view.rows(WHOLE_DAY)[0]["n"]
    peak = used.ru_maxrss / 1024
    found = f"{peak:.0f} MB; {size:.0f} MB landed, {done:,} conversations, {delivered['accepted']:,} of "
    found += f"{delivered['events']:,} events delivered, exit code {process.returncode}"
    is_whole = process.returncode == 0 and done == conversations and delivered["accepted"] == delivered["events"]
    what = f"peak memory of `cpa run` for a day of {conversations:,} conversations ({DAY})"
    return [Line(what, found, "below 1 GB, all delivered", peak < 1000 and is_whole)]


def _home(folder: Path) -> Assistant:
    return Assistant.of(settings(environ(folder, "")))
