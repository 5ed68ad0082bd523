"""Millions of messages on the lake beside the file engine: landed, built, and asked for all insights.

    python -m benchmarks.scale_out --messages 10000000 [--engines lake] [--source FILE] [--folder FOLDER]

The messages are those of a CSV file, copied under new ids into DAYS days. Labels are written by SQL in the meantime.
Each step is a process of its own: its seconds, its processor seconds and its peak memory are printed, and for the lake
the ratio to the file. The lake's Postgres is a real server on loopback, whose memory and processor time are its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.insights import QUESTIONS, SCHEMA, TABLES
from cpa_core import insights
from cpa_core.pipeline import Assistant, land
from cpa_core.pipeline.build import build_days, unbuilt_days
from cpa_core.schema import dump
from cpa_core.settings import settings
from tests.servers.postgres import server

DATA = Path(__file__).parents[2] / "shared" / "data" / "scale" / "permissive.csv.gz"
FIRST, DAYS = date(2026, 1, 1), 60
MOST_MEGABYTES = 4000
DUCKDB_MEMORY = "2GB"
STATUS = Path("/proc/self/status")
"""It has the peak memory of this program; `getrusage` has that of the program before it, which held the messages."""
STEPS = ("land", "build", "label", "ask")
COPIED = ("tagged_conversations", "tagged_events", "judge_scores", "answers")
"""The tables that are written by SQL, a day at a time."""
READ = """
    create temp table said as
    select *, row_number() over () as place, min(timestamp) over (partition by conversation_id) as began
    from read_csv($file, types = {timestamp: 'timestamp', content: 'varchar'})"""
COPY = """
    select
      $copy || '-' || user_id as user_id, $copy || '-' || conversation_id as conversation_id, role, content,
      $copy || '-' || message_id as message_id,
      strftime(
        $first::timestamp + to_days((hash($copy, conversation_id) % $days)::integer) + interval 9 hour
        + coalesce(timestamp - began, interval 0 second), '%Y-%m-%dT%H:%M:%SZ'
      ) as timestamp
    from said where place <= $limit order by place"""
"""A message of a copy has ids of its own, and its conversation begins on one of the days."""
OF_DAY = "select * from {} where day = $day"


def copies(source: Path, folder: Path, messages: int) -> int:
    """Write CSV files of the messages under new ids, a file a copy. Return the bytes."""
    with duckdb.connect() as memory:
        memory.execute(READ, {"file": str(source)})
        (size,) = memory.execute("select count(*) from said").fetchone() or (0,)
        for copy, begin in enumerate(range(0, messages, size)):
            names = {"copy": copy, "limit": messages - begin, "first": FIRST, "days": DAYS}
            memory.execute("create or replace temp table copied as " + COPY, names)
            memory.execute(f"copy copied to '{folder}/copy-{copy:04}.csv' (header)")
    return sum(path.stat().st_size for path in folder.glob("*.csv"))


def landing(assistant: Assistant) -> dict[str, Any]:
    """All files."""
    landed = land(assistant, date(2026, 3, 4))
    return {"records": landed.records, "rejected": landed.rejected}


def building(assistant: Assistant) -> dict[str, Any]:
    """All days."""
    built: dict[date, Any] = {}
    while days := [day for day in unbuilt_days(assistant) if day not in built]:
        built |= build_days(assistant, days)
    return {"days": len(built), "messages": sum(one.messages for one in built.values())}


def labelling(assistant: Assistant) -> dict[str, Any]:
    """Labels of every conversation, a day a transaction, as the stages write them."""
    store = assistant.store
    row = {"version": SCHEMA.version, "yaml": dump(SCHEMA), "created_at": assistant.now(), "origin": "file"}
    with store.writing() as tables:
        tables.insert("event_schemas", [row])
        days = [row["day"] for row in tables.rows("select distinct day from raw_conversations order by day")]
    for day in days:
        with store.writing() as tables:
            for table in COPIED:
                of_day = TABLES[table].replace(
                    "raw_conversations", "(select * from raw_conversations where day = $day)"
                )
                of_day = of_day.replace("from messages m", f"from ({OF_DAY.format('messages')}) m")
                names = {"day": day, "version": SCHEMA.version}
                bound = {name: value for name, value in names.items() if f"${name}" in of_day}
                tables.execute(f"insert into {table} by name {of_day}", **bound)
    return {"days": len(days)}


def asking(assistant: Assistant) -> dict[str, Any]:
    """Every question of the insights."""
    scope = insights.whole(assistant.store)
    assert scope
    slowest: list[tuple[float, str]] = []
    with insights.selected(assistant.store, scope) as of:
        for question in QUESTIONS:
            at = time.monotonic()
            question(of)
            slowest.append((round(time.monotonic() - at, 2), question.__name__))
        count = insights.overview(of)
    return {"messages": count.messages, "events": count.events, "slowest": sorted(slowest)[-4:]}


WORK: dict[str, Callable[[Assistant], dict[str, Any]]] = dict(
    zip(STEPS, (landing, building, labelling, asking), strict=True)
)


def one(step: str) -> None:
    """A step in this process, on the store that the environment names; its figures as JSON."""
    began, worked = time.monotonic(), time.process_time()
    found = WORK[step](Assistant.of(settings(dict(os.environ))))
    (peak,) = [int(line.split()[1]) / 1024 for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")]
    seconds, cpu = time.monotonic() - began, time.process_time() - worked
    print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": peak, **found}))


@contextmanager
def stores(folder: Path, engines: list[str]) -> Iterator[dict[str, dict[str, str]]]:
    """The settings of each engine's store."""
    shared = {"CPA_SOURCE": str(folder / "source"), "CPA_QUIET_MINUTES": "0", "CPA_DUCKDB_MEMORY": DUCKDB_MEMORY}
    given = {"file": {**shared, "CPA_HOME": str(folder / "file")}}
    if engines == ["file"]:
        yield given
        return
    with server() as postgres:
        lake = {"CPA_STORE": f"ducklake:{postgres.url}", "CPA_STORE_DATA": str(folder / "lake-data")}
        yield {**given, "lake": {**shared, **lake, "CPA_HOME": str(folder / "lake")}}


def measured(step: str, given: dict[str, str], prefix: list[str]) -> dict[str, Any]:
    """A step in a process of its own."""
    command = [*prefix, sys.executable, "-m", "benchmarks.scale_out", "--one", step]
    said = subprocess.run(command, env={**os.environ, **given}, capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"{step}: {said.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return found


def compared(folder: Path, engines: list[str], messages: int, prefix: list[str]) -> bool:
    """Print each step on each engine. Return whether the memory stayed within its bound."""
    seconds: dict[str, float] = {}
    fine = True
    with stores(folder, engines) as given:
        for step in STEPS:
            for engine in engines:
                found = measured(step, given[engine], prefix)
                seconds[f"{engine} {step}"] = found["cpu"]
                peak = found.pop("megabytes")
                is_measured = step != "label"  # made for the questions, not by the product
                fine &= peak <= MOST_MEGABYTES or not is_measured
                ratio = f", {found['cpu'] / seconds[f'file {step}']:.2f} of the file's cpu" if "file" in engines else ""
                words = f"{found.pop('seconds'):,.1f} s, {found.pop('cpu'):,.1f} s of cpu, peak {peak:,.0f} MB{ratio}"
                print(f"{messages:,} {engine:4} {step:5} {words} {found}", flush=True)
    return fine


def main() -> int:
    """The exit status: 1 where a step took more memory than its bound."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--messages", type=int, default=200_000)
    asked.add_argument("--engines", nargs="+", choices=["file", "lake"], default=["file", "lake"])
    asked.add_argument("--source", type=Path, default=DATA)
    asked.add_argument("--folder", type=Path, help="where everything is written; a temporary folder unless given")
    asked.add_argument("--prefix", default="", help="words before the command of each step, such as: nice -n 5")
    asked.add_argument("--one", choices=STEPS, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.one:
        one(given.one)
        return 0
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        (folder / "source").mkdir()
        size = copies(given.source, folder / "source", given.messages)
        print(f"{given.messages:,} messages, {size / 1e6:,.0f} MB of CSV, {DAYS} days", flush=True)
        return 0 if compared(folder, given.engines, given.messages, given.prefix.split()) else 1


if __name__ == "__main__":
    sys.exit(main())
