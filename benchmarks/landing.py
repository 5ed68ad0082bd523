"""How long landing takes, beside DuckDB's own bare read of the same file in the same run, and how much memory.

    python -m benchmarks.landing [real] [texts] [lines] [bare-lines] [map] [growth] [--keep FOLDER]

Without names, every row. Each measurement is a process of its own, so that peak memory is that of one thing only.
`--keep` writes the invented files there, where the next call finds them; `make-files` only writes them.
"""

import argparse
import csv
import gzip
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
TEXT = (
    "the form was sent on monday but nobody answered me and I still wait for my refund because your page says that a "
    "home office can be deducted only when it is used for work café größe 納税 “quoted” \\ back"
)
WORDS = TEXT.split()
GROWTH = (10_000, 100_000)
MOST_MEGABYTES = 1500


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


def measured(path: Path, *each: str, times: int = 2) -> list[dict[str, float]]:
    """Seconds and peak megabytes of each of these, in turn, in processes of their own: the best of so many runs."""
    runs: dict[str, list[dict[str, float]]] = {what: [] for what in each}
    for what in each * times:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", what, str(path), folder]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        runs[what].append(json.loads(said))
    return [
        {**min(found, key=lambda run: run["seconds"]), "megabytes": max(run["megabytes"] for run in found)}
        for found in runs.values()
    ]


def one(what: str, path: Path, folder: Path) -> None:
    """Measure in this process, and print."""
    begin = time.perf_counter()
    told = {"bare": bare, "ours": ours}[what](path, folder)
    seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_SELF)
    processor = used.ru_utime + used.ru_stime
    print(json.dumps({"seconds": seconds, "processor": processor, "megabytes": used.ru_maxrss / 1024, **told}))


def said(fine: bool, title: str, text: str) -> bool:
    """One line of the report."""
    print(f"{title:36} {text}: {'met' if fine else 'NOT met'}", flush=True)
    return fine


def compared(title: str, path: Path, bound: float) -> bool:
    """Ours against DuckDB's bare read."""
    reference, landed = measured(path, "bare", "ours", times=3)
    ratio = landed["seconds"] / reference["seconds"]
    fine = ratio <= bound and landed["megabytes"] < MOST_MEGABYTES and landed["rejected"] == 0
    work = landed["processor"] / reference["processor"]
    return said(
        fine,
        title,
        f"{landed['records']:,} messages, bare {reference['seconds']:.2f} s, landed {landed['seconds']:.2f} s, "
        f"ratio {ratio:.2f} (at most {bound:g}; of processor time {work:.2f}), "
        f"peak {landed['megabytes']:.0f} MB (below {MOST_MEGABYTES})",
    )


class Bench:
    """The rows of the report, and the files that they are about."""

    def __init__(self, data: Path, folder: Path, messages: int) -> None:
        self.real_file = data / "scale" / "permissive.csv.gz"
        self.folder, self.messages = folder, messages

    def lines_file(self, messages: int, *, ids: bool = True) -> Path:
        """Invented JSON Lines, made once."""
        path = self.folder / f"{messages}{'' if ids else '-without-ids'}.jsonl"
        if not path.exists():
            write_lines(path, messages, ids=ids)
        return path

    def map_file(self) -> Path:
        """An invented JSON map of 250 bytes a message."""
        path = self.folder / f"{self.messages}.json"
        if not path.exists():
            write_map(path, 250 * self.messages)
        return path

    def make_files(self) -> bool:
        """Write every invented file."""
        for messages in (*GROWTH, self.messages):
            self.lines_file(messages)
        self.lines_file(self.messages, ids=False)
        self.map_file()
        return True

    def real(self) -> bool:
        """The corpus of real messages."""
        return compared("real messages, .csv.gz", self.real_file, 4)

    def texts(self) -> bool:
        """Whether every text of the corpus lands as the file has it: one hash over all, in the order of the file."""
        with tempfile.TemporaryDirectory() as folder:
            ours(self.real_file, Path(folder))
            store = duckdb.connect(str(Path(folder) / "home" / "cpa.duckdb"), read_only=True)
            landed = store.execute("select content from landed_messages where superseded_at is null order by ordinal")
            digest, count = hashlib.sha256(), 0
            while rows := landed.fetchmany(50_000):
                count += len(rows)
                for (content,) in rows:
                    digest.update(content.encode() + b"\0")
        expected = hashlib.sha256()
        with gzip.open(self.real_file, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                expected.update(row["content"].encode() + b"\0")
        same = digest.digest() == expected.digest()
        return said(
            same, "hash over every real text", f"{count:,} texts, sha256 {digest.hexdigest()[:12]} as the file's"
        )

    def lines(self) -> bool:
        """JSON Lines whose messages have ids."""
        return compared("JSON Lines, ids given", self.lines_file(self.messages), 5)

    def bare_lines(self) -> bool:
        """JSON Lines whose ids are made from the content."""
        return compared("JSON Lines, ids from content", self.lines_file(self.messages, ids=False), 5)

    def map(self) -> bool:
        """The seed tool's form, on one line."""
        path = self.map_file()
        (run,) = measured(path, "ours")
        return said(
            run["megabytes"] < MOST_MEGABYTES and run["rejected"] == 0,
            "JSON map, one line",
            f"{run['records']:,} messages, {path.stat().st_size / 1e6:.0f} MB, landed {run['seconds']:.2f} s, "
            f"peak {run['megabytes']:.0f} MB (below {MOST_MEGABYTES})",
        )

    def growth(self) -> bool:
        """Seconds a message from 10,000 to a million."""
        each = []
        for messages in (*GROWTH, self.messages):
            (run,) = measured(self.lines_file(messages), "ours")
            each.append(run["seconds"] / messages * 1e6)
        shown = ", ".join(f"{n:,}: {us:.1f} us" for n, us in zip((*GROWTH, self.messages), each, strict=True))
        return said(
            each[-1] <= 1.5 * each[1], "growth, time a message", f"{shown} (the last at most 1.5 of the second)"
        )


ROWS = {
    "real": Bench.real,
    "texts": Bench.texts,
    "lines": Bench.lines,
    "bare-lines": Bench.bare_lines,
    "map": Bench.map,
    "growth": Bench.growth,
}


def main() -> int:
    """The rows that are named, else every one; 1 when a bound is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("rows", nargs="*", choices=[*ROWS, "make-files", []], metavar="ROW")
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--keep", type=Path)
    options.add_argument("--one", nargs=3, metavar=("WHAT", "FILE", "FOLDER"))
    given = options.parse_args()
    if given.one:
        one(given.one[0], Path(given.one[1]), Path(given.one[2]))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(given.data, given.keep or Path(temporary), given.messages)
        bench.folder.mkdir(parents=True, exist_ok=True)
        wanted = given.rows or [name for name in ROWS if bench.real_file.exists() or name not in ("real", "texts")]
        done = [bench.make_files() if name == "make-files" else ROWS[name](bench) for name in wanted]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
