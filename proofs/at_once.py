"""Many runs at once: four of different days beside two readers, then twenty of the same day. Nothing is lost.

One reader takes its turn as the assistant's own processes do; the other opens the file as a notebook does, unasked.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from proofs.backfill import IN_FLIGHT, MESSAGES, PER_DAY, START, history, keys_of
from proofs.figures import Claims, of_days, proved, show, total
from proofs.scene import Scene, wait
from proofs.served import ASSETS, Dagster, Requested, webserver
from tests.servers.chat_completions import Behaviour
from tests.servers.scripted import Call

DAYS = 4
SAME = 20
LIMIT = 900.0

LATENCY = 0.1
"""Seconds that the model takes for an answer."""

NOTEBOOK = """
import duckdb, json, sys, time
path, told = sys.argv[1], {"read": 0, "told to wait": 0, "rows": 0}
for _ in sys.stdin:
    try:
        with duckdb.connect(path, read_only=True) as held:
            told["rows"] = held.execute("select count(*) from messages").fetchone()[0]
            told["read"] += 1
    except duckdb.IOException as refused:
        if "lock" not in str(refused) and "does not exist" not in str(refused):
            raise
        told["told to wait"] += 1
print(json.dumps(told))
"""


@contextmanager
def readers(here: Scene) -> Iterator[Callable[[], dict[str, Any]]]:
    """Both, until what they saw is asked for."""
    stop, looks = threading.Event(), {"looks": 0}
    path = here.home / "cpa.duckdb"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    notebook = subprocess.Popen([sys.executable, "-c", NOTEBOOK, str(path)], **pipes)

    def by_turns() -> None:
        while not stop.wait(0.2):
            if path.exists():
                of_days(here.home)
                looks["looks"] += 1
                assert notebook.stdin is not None
                notebook.stdin.write("\n")
                notebook.stdin.flush()

    thread = threading.Thread(target=by_turns)
    thread.start()

    def seen() -> dict[str, Any]:
        stop.set()
        thread.join()
        said, _ = notebook.communicate(timeout=60)
        return looks | {f"notebook: {name}": n for name, n in json.loads(said).items()}

    try:
        yield seen
    finally:
        stop.set()
        notebook.kill()
        notebook.wait()


def launched(dagster: Dagster, days: Sequence[str]) -> list[str]:
    """A run of every asset for each of these days, all requested at once; how each ended."""
    before = len(dagster.runs())
    for day in days:
        dagster.launch(Requested(ASSETS, {"dagster/partition": day}))
    wait(lambda: len(dagster.runs()) == before + len(days), 60, "the runs to be there")
    wait(lambda: all(one.dagster_run.is_finished for one in dagster.runs()), LIMIT, "the runs to end", pause=2.0)
    return [one.dagster_run.status.value for one in dagster.runs()[before:]]


def most_at_once(calls: Sequence[Call]) -> int:
    """The most calls that were under way together."""
    began = sorted(call.at for call in calls)
    return max(sum(at <= other < at + LATENCY * 0.9 for other in began) for at in began)


def at_once(claims: Claims) -> None:
    """Four days, then one day twenty times."""
    with history(DAYS + 1) as (here, model, posthog):
        model.behaviour = Behaviour(latency=LATENCY)
        here.prepare_dagster()
        here.run("cpa", "land", limit=120)
        dagster = webserver(here)
        dagster.start_daemon()
        with readers(here) as seen:
            ended = launched(dagster, keys_of(DAYS))
            show("two readers beside four runs", [seen()])
        found = of_days(here.home)
        show(f"four days at once: {', '.join(ended)}", found)
        claims.claim("all four runs succeeded", ended == ["SUCCESS"] * DAYS)
        claims.whole(found)
        rows = total(found, ["conversations", "messages", "receipts"])
        wanted = [DAYS * PER_DAY, DAYS * PER_DAY * MESSAGES, DAYS * PER_DAY * (MESSAGES + 1)]
        claims.claim("no row is lost", list(rows.values()) == wanted)
        claims.claim("two questions a conversation", len(model.calls) == 2 * DAYS * PER_DAY)
        most = most_at_once(model.calls)
        claims.claim(f"one limiter's worth of calls at once over all runs: {most} of {IN_FLIGHT}", most <= IN_FLIGHT)
        asked, stored = len(model.calls), posthog.stored
        ended = launched(dagster, [str(START + timedelta(days=DAYS))] * SAME)
        claims.claim(f"all {SAME} runs of the same day succeeded", ended == ["SUCCESS"] * SAME)
        claims.claim("they asked once", len(model.calls) - asked == 2 * PER_DAY)
        claims.claim("they sent once", posthog.stored - stored == PER_DAY * (MESSAGES + 1))
        claims.whole(of_days(here.home))


if __name__ == "__main__":
    sys.exit(proved(at_once))
