"""A month of history (or `--days 365`) at once: by the command, by a range in Dagster, by a backfill of its UI."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import dagster as dg

from cpa_core.schema import dump
from proofs.figures import Claims, of_days, proved, show, total
from proofs.scene import Scene, scene
from proofs.served import ASSETS, webserver
from tests.commands import ONE_EACH, at, chat
from tests.servers.chat_completions import ChatServer
from tests.servers.posthog import PostHogServer

START = date(2025, 1, 1)
PER_DAY = 2
MESSAGES = 4

LIMIT = 60.0
PER_DAY_LIMIT = 10.0
"""Seconds that a backfill may take, and seconds for each of its days."""

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
    keys = [str(START + timedelta(days=n)) for n in range(days)]
    ended = dagster.backfill(keys, LIMIT + days * PER_DAY_LIMIT)
    here.end("daemon")
    here.end("webserver")
    return len(ended["runs"]), ended["status"]


def runs_of(here: Scene) -> int:
    """How many runs the Dagster instance has seen."""
    with dg.DagsterInstance.from_config(str(here.dagster_home)) as instance:
        return instance.get_runs_count()


def backfills(claims: Claims) -> None:
    """The three ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    days: int = parser.parse_args().days
    measured("cpa run --from --to", days, claims, by_command, dagster=False)
    ranged = measured("dagster asset materialize --partition-range", days, claims, by_range, dagster=True)
    claims.claim("a range is one run", [row["runs"] for row in ranged] == [1, 1])
    launched = measured("backfill in the UI", days, claims, by_backfill, dagster=True)
    claims.claim("both backfills ended COMPLETED_SUCCESS", {row["ended"] for row in launched} == {"COMPLETED_SUCCESS"})
    claims.claim("in no more runs than assets", max(row["runs"] for row in launched) <= len(ASSETS))


if __name__ == "__main__":
    sys.exit(proved(backfills))
