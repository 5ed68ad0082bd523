"""How long landing takes, beside DuckDB's own bare read of the same file in the same run, and how much memory.

    python benchmarks/landing.py [--data FOLDER] [--messages 1000000]

Every measurement is a process of its own, so that peak memory is that of one thing only.
"""

import argparse
import hashlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from cpa_core.pipeline import Assistant, land
from cpa_core.settings import settings

DATA = Path(__file__).parents[2] / "shared" / "data"
BARE = {
    "csv": "select * from read_csv($file)",
    "jsonl": "select * from read_json($file, format = 'newline_delimited', columns = {conversation_id: 'varchar', "
    "message_id: 'varchar', user_id: 'varchar', role: 'varchar', content: 'varchar', timestamp: 'timestamptz'})",
}
WORDS = [
    "the",
    "form",
    "was",
    "sent",
    "on",
    "monday",
    "but",
    "nobody",
    "answered",
    "me",
    "and",
    "I",
    "still",
    "wait",
    "for",
    "my",
    "refund",
    "because",
    "your",
    "page",
    "says",
    "that",
    "a",
    "home",
    "office",
    "can",
    "be",
    "deducted",
    "only",
    "when",
    "it",
    "is",
    "used",
    "for",
    "work",
    "café",
    "größe",
    "納税",
    "“quoted”",
    "\\",
    "back",
]


def conversations(messages: int) -> Iterator[tuple[str, str, list[dict[str, str]]]]:
    """Invented conversations of ten messages with ids and times: id, user, messages. The same in every run."""
    chance = random.Random(7)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(messages // 10):
        at = begin + timedelta(seconds=n * 25)
        turns = [
            {
                "role": "user" if i % 2 == 0 else "assistant",
                "content": " ".join(chance.choices(WORDS, k=chance.randint(5, 45))),
                "timestamp": (at + timedelta(seconds=i)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "message_id": f"m{n:07}-{i}",
            }
            for i in range(10)
        ]
        yield f"c{n:07}", f"u{n % 5000}", turns


def write_lines(path: Path, messages: int, *, ids: bool = True) -> None:
    """One message a line."""
    with path.open("w", encoding="utf-8") as file:
        for conversation_id, user_id, turns in conversations(messages):
            for turn in turns:
                given = turn if ids else {key: value for key, value in turn.items() if key != "message_id"}
                line = {"conversation_id": conversation_id, "user_id": user_id, **given}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_map(path: Path, size: int) -> None:
    """The seed tool's form, as one line of at least so many bytes."""
    with path.open("w", encoding="utf-8") as file:
        separator = "{"
        for conversation_id, user_id, turns in conversations(10**8):
            one = json.dumps({"user_id": user_id, "messages": turns}, ensure_ascii=False)
            file.write(f'{separator}"{conversation_id}": {one}')
            separator = ", "
            if file.tell() >= size:
                break
        file.write("}")


def bare(path: Path, folder: Path) -> dict[str, object]:
    """DuckDB's own read into a table of a database file."""
    kind = "csv" if ".csv" in path.name else "jsonl"
    connection = duckdb.connect(str(folder / "bare.duckdb"))
    connection.execute("create table bare as " + BARE[kind], {"file": str(path)})
    connection.close()
    return {}


def ours(path: Path, folder: Path) -> dict[str, object]:
    """The same file landed in a new home."""
    assistant = Assistant.of(settings({"CPA_HOME": str(folder / "home"), "CPA_SOURCE": str(path)}))
    landed = land(assistant, date(2026, 3, 4))
    return {"records": landed.records, "rejected": landed.rejected}


def measured(what: str, path: Path) -> dict[str, float]:
    """Seconds and peak megabytes of one of the two, in a process of its own; the best of two runs."""
    runs = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", what, str(path), folder]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        runs.append(json.loads(said))
    return {**min(runs, key=lambda run: run["seconds"]), "megabytes": max(run["megabytes"] for run in runs)}


def one(what: str, path: Path, folder: Path) -> None:
    """Measure in this process, and print."""
    begin = time.perf_counter()
    told = {"bare": bare, "ours": ours}[what](path, folder)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, **told}))


def compared(title: str, path: Path, bound: float) -> bool:
    """One line: ours against DuckDB's bare read."""
    reference, landed = measured("bare", path), measured("ours", path)
    ratio = landed["seconds"] / reference["seconds"]
    fine = ratio <= bound and landed["megabytes"] < 1500 and landed["rejected"] == 0
    print(
        f"{title:42} {landed['records']:>9,} messages  bare {reference['seconds']:5.2f} s  landed "
        f"{landed['seconds']:6.2f} s  ratio {ratio:4.2f} (at most {bound:g})  peak {landed['megabytes']:5.0f} MB"
        f"  {'ok' if fine else 'MISSED'}",
        flush=True,
    )
    return fine


def unchanged(path: Path) -> bool:
    """Whether every text lands as the file has it: one hash over all, in the order of the file."""
    with tempfile.TemporaryDirectory() as folder:
        ours(path, Path(folder))
        store = duckdb.connect(str(Path(folder) / "home" / "cpa.duckdb"), read_only=True)
        landed = store.execute("select content from landed_messages where superseded_at is null order by ordinal")
        digest = hashlib.sha256()
        while rows := landed.fetchmany(50_000):
            for (content,) in rows:
                digest.update(content.encode() + b"\0")
    import csv
    import gzip

    expected = hashlib.sha256()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            expected.update(row["content"].encode() + b"\0")
    same = digest.digest() == expected.digest()
    print(f"{'hash over every text of ' + path.name:42} {'the same' if same else 'DIFFERS'}", flush=True)
    return same


def growth(folder: Path, most: int) -> bool:
    """Seconds a message from 10,000 to `most`: the last must not cost more than a small one."""
    each = []
    for messages in (10_000, 100_000, most):
        path = folder / f"{messages}.jsonl"
        if not path.exists():
            write_lines(path, messages)
        run = measured("ours", path)
        each.append(run["seconds"] / messages)
        print(
            f"{'growth, JSON Lines':42} {messages:>9,} messages  {run['seconds']:6.2f} s  {each[-1] * 1e6:5.1f} us each"
        )
    return each[-1] <= 1.5 * each[1]


def main() -> int:
    """Every line of the benchmark; 1 when a bound is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--one", nargs=3, metavar=("WHAT", "FILE", "FOLDER"))
    given = options.parse_args()
    if given.one:
        one(given.one[0], Path(given.one[1]), Path(given.one[2]))
        return 0
    fine = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real = given.data / "scale" / "permissive.csv.gz"
        if real.exists():
            fine += [compared("real messages, .csv.gz", real, 4), unchanged(real)]
        lines, without, tree = folder / f"{given.messages}.jsonl", folder / "without.jsonl", folder / "map.json"
        write_lines(lines, given.messages)
        fine.append(compared("JSON Lines, ids given", lines, 5))
        write_lines(without, given.messages, ids=False)
        fine.append(compared("JSON Lines, ids made from content", without, 5))
        without.unlink()
        write_map(tree, 250 * given.messages)
        run = measured("ours", tree)
        fine.append(run["megabytes"] < 1500)
        print(
            f"{'JSON map, one line':42} {run['records']:>9,} messages  {tree.stat().st_size / 1e6:.0f} MB  landed "
            f"{run['seconds']:6.2f} s  peak {run['megabytes']:5.0f} MB  {'ok' if fine[-1] else 'MISSED'}"
        )
        tree.unlink()
        fine.append(growth(folder, given.messages))
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
