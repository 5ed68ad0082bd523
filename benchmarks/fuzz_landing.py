"""Mutated real files for some minutes: no crash, no hang, no message that is neither landed nor rejected.

    python -m benchmarks.fuzz_landing --minutes 5 [--seed 1] [--data FOLDER]

A reader of its own (`independent.py`) says what is in each file: every text of it must come out as a message or stand
in what was rejected, and every line that is no record must be a reject. Every fiftieth file goes through the store.
"""

import argparse
import csv
import gzip
import io
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.independent import READERS
from cpa_core.errors import SourceError
from cpa_core.pipeline import Assistant, land
from cpa_core.settings import settings
from cpa_core.sources import Reject, parse
from cpa_core.sources.records import whole

DATA = Path(__file__).parents[2] / "shared" / "data"
MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC)
SPLICES = (
    b'"',
    b"\n",
    b"\r",
    b",",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\\",
    b"\0",
    b"\xff",
    b"\\ud800",
    b"NaN",
    b"1e999",
    b"\xe2\x80\xae",
)
PATIENCE = 20
GOOD = b'{"conversation_id": "good", "role": "user", "content": "good", "timestamp": "2026-03-04T09:00:00Z"}'


def corpus(folder: Path) -> list[tuple[str, bytes]]:
    """Beginnings of real files in every form that we can make of them."""
    files: list[tuple[str, bytes]] = []
    for path in sorted(folder.glob("*/conversations.*")) + sorted(folder.glob("seed_examples/*/example_data.json")):
        content = path.read_bytes()
        if path.suffix == ".csv":
            rows = list(csv.reader(io.StringIO(content.decode(), newline="")))[:150]
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            files.append(("a.csv", text.getvalue().encode()))
            files.append(("a.csv.gz", gzip.compress(files[-1][1])))
            files.append(("a.jsonl", b"\n".join(line(rows[0], row) for row in rows[1:])))
        else:
            tree = dict(list(json.loads(content).items())[:15])
            files.append(("a.json", json.dumps(tree, indent=1).encode()))
            chats = [{"id": key, "messages": one["messages"]} for key, one in tree.items()]
            files.append(("chats.jsonl", b"\n".join(json.dumps(one).encode() for one in chats)))
            files.append(("chats.json", json.dumps(chats).encode()))
    return files


def line(header: list[str], row: list[str]) -> bytes:
    """A row as a line of JSON."""
    return json.dumps(dict(zip(header, row, strict=True))).encode()


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, cut, doubled or put in."""
    made = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        at, size = chance.randrange(len(made) + 1), chance.randint(1, 40)
        kind = chance.randrange(5)
        if kind == 0:
            made[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del made[at : at + size]
        elif kind == 2:
            made[at:at] = chance.choice(SPLICES)
        elif kind == 3:
            made[at:at] = made[at : at + size]
        elif chance.random() < 0.2:
            del made[at:]
    return bytes(made)


def written(text: str) -> tuple[str, ...]:
    """A text as it may stand in what was rejected: itself, in a field of CSV, in JSON of two kinds."""
    return text, text.replace('"', '""'), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def silence(name: str, content: bytes) -> str:
    """What was lost without a word: empty, or what is missing. Raises SourceError where the file is refused."""
    records, rejects = parse(name, content, MIDNIGHT)
    unpacked = gzip.decompress(content) if name.endswith(".gz") else content
    seen = READERS[name](unpacked.decode("utf-8-sig", "backslashreplace"))
    if seen is None:
        return ""
    raw = "\n".join(reject.raw for reject in rejects)
    missing = Counter(whole(text) for *_, text in seen.messages) - Counter(record.content for record in records)
    gone = sum(not any(form in raw for form in written(text)) for text in missing)
    if gone:
        return f"{gone} texts"
    if seen.bad > len(rejects):
        return f"{seen.bad - len(rejects)} records that are no messages"
    return ""


def stored(name: str, content: bytes) -> str:
    """The same file through the store, beside a good one: what is not there is missing."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        (source / name).write_bytes(content)
        (source / "good.jsonl").write_bytes(GOOD)
        assistant = Assistant.of(settings({"CPA_HOME": f"{folder}/home", "CPA_SOURCE": str(source)}))
        landed = land(assistant, MIDNIGHT.date())
        with assistant.store.reading() as view:
            kept = view.rows("select content from landed_messages order by ordinal")
            rejected = view.rows("select count(*) as n from rejected_records")[0]["n"]
    try:
        records, rejects = parse(name, content, MIDNIGHT)
    except SourceError:
        records, rejects = [], [Reject("", "", "")]
    same = Counter(row["content"] for row in kept) == Counter(record.content for record in records) + Counter(["good"])
    return "" if same and rejected == len(rejects) == landed.rejected else "rows of the store"


def attempt(files: list[tuple[str, bytes]], seed: int) -> tuple[str, str]:
    """One mutated file: its name, and what became of it."""
    chance = random.Random(seed)
    name, content = chance.choice(files)
    if name.endswith(".gz") and chance.random() < 0.5:
        made = gzip.compress(mutated(gzip.decompress(content), chance), 1)
    else:
        made = mutated(content, chance)
    try:
        lost = silence(name, made)
    except SourceError:
        lost = ""
        outcome = "refused with a reason"
    else:
        outcome = "landed"
    lost = lost or (stored(name, made) if seed % 50 == 0 else "")
    return name, f"lost in silence: {lost}" if lost else outcome


def main() -> int:
    """Fuzz; 1 when anything was found, with the seed that finds it again."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--data", type=Path, default=DATA)
    given = options.parse_args()
    files, outcomes = corpus(given.data), Counter[tuple[str, str]]()
    until, seed = time.monotonic() + 60 * given.minutes, given.seed
    while time.monotonic() < until:
        signal.alarm(PATIENCE)  # a hang ends the process
        try:
            name, outcome = attempt(files, seed)
        except BaseException:
            print(f"seed {seed}: fell over", flush=True)
            raise
        if outcome.startswith("lost"):
            print(f"seed {seed}: {name}: {outcome}: NOT met")
            return 1
        outcomes[name, outcome] += 1
        seed += 1
    signal.alarm(0)
    for (name, outcome), count in sorted(outcomes.items()):
        print(f"{name:12} {count:>7,} {outcome}")
    print(f"{outcomes.total():,} mutated files in {given.minutes:g} minutes, none crashed, hung or lost a text: met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
