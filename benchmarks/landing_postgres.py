"""How long a million rows of Postgres take to land, beside the same rows as one CSV file, and how much memory.

    python -m benchmarks.landing_postgres [--messages 1000000] [--times 2]

Each measurement is a process of its own over a new home, in turn; the best of so many runs counts. The server is
a real one in a temporary folder. Its own processor time is part of the seconds, not of ours.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from benchmarks.landing import conversations, said
from cpa_core.pipeline import Assistant, land
from cpa_core.settings import settings
from tests.servers.postgres import Postgres, server

MOST_RATIO, MOST_MEGABYTES = 3.0, 1000
CHUNK = 100_000
NAMES = ["conversation_id", "user_id", "role", "content", "timestamp", "message_id"]


def rows(messages: int) -> pa.Table:
    """Invented messages: the same in every run."""
    found = [(chat, user, *turn.values()) for chat, user, turns in conversations(messages) for turn in turns]
    parts = (found[begin : begin + CHUNK] for begin in range(0, len(found), CHUNK))
    return pa.concat_tables(pa.table([*map(list, zip(*part, strict=True))], names=NAMES) for part in parts)


def prepared(postgres: Postgres, folder: Path, messages: int) -> Path:
    """The rows as a CSV file, and as two tables: by the time of the message, and with a time of change beside it."""
    found = rows(messages)
    path = folder / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        for batch in found.to_batches():
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    postgres.add("texts", found, mode="create")
    columns = ", ".join(name for name in NAMES if name != "timestamp")
    postgres.run(
        f"create table messages as select {columns}, timestamp::timestamptz as timestamp from texts",
        "drop table texts",
        "create index on messages (timestamp)",
        "create table changed as select *, timestamp + interval '1 hour' as updated_at from messages",
        "create index on changed (updated_at)",
        "analyze",
    )
    return path


def one(folder: Path, given: dict[str, str]) -> None:
    """Land in this process, and print what it took."""
    begin = time.perf_counter()
    landed = land(Assistant.of(settings(given | {"CPA_HOME": str(folder / "home")})))
    seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"seconds": seconds, "processor": used.ru_utime + used.ru_stime, "megabytes": peak()}
    print(json.dumps({**told, "records": landed.records, "rejected": landed.rejected}))


def peak() -> float:
    """The most megabytes of this program alone: what getrusage says begins with the memory of its parent."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured(given: dict[str, str]) -> dict[str, float]:
    """The same in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.landing_postgres", "--one", folder, json.dumps(given)]
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, float] = json.loads(out)
    return found


def compared(title: str, runs: list[dict[str, float]], beside: list[dict[str, float]], messages: int) -> bool:
    """Rows of Postgres against the same as CSV."""
    best, base = (min(each, key=lambda run: run["seconds"]) for each in (runs, beside))
    ratio, peak = best["seconds"] / base["seconds"], max(run["megabytes"] for run in runs)
    whole = all(run["records"] == messages and not run["rejected"] for run in runs)
    return said(
        whole and ratio <= MOST_RATIO and peak < MOST_MEGABYTES,
        title,
        f"{messages:,} messages, CSV {base['seconds']:.2f} s, Postgres {best['seconds']:.2f} s, ratio {ratio:.2f} "
        f"(at most {MOST_RATIO:g}; of processor time {best['processor'] / base['processor']:.2f}), "
        f"peak {peak:.0f} MB (below {MOST_MEGABYTES}; CSV {base['megabytes']:.0f})",
    )


def main() -> int:
    """Both tables beside the file; 1 when a bound is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=2)
    options.add_argument("--one", nargs=2, metavar=("FOLDER", "SETTINGS"))
    asked = options.parse_args()
    if asked.one:
        one(Path(asked.one[0]), json.loads(asked.one[1]))
        return 0
    with tempfile.TemporaryDirectory() as temporary, server() as postgres:
        path = prepared(postgres, Path(temporary), asked.messages)
        database = {"CPA_SOURCE": postgres.url}
        ways = {
            "csv": {"CPA_SOURCE": str(path)},
            "the same rows": database | {"CPA_TABLE": "messages", "CPA_WATERMARK": "timestamp"},
            "and a column of change": database | {"CPA_TABLE": "changed", "CPA_WATERMARK": "updated_at"},
        }
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for way in [*ways] * asked.times:
            runs[way].append(measured(ways[way]))
        done = [compared(way, runs[way], runs["csv"], asked.messages) for way in ways if way != "csv"]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
