"""Mutated real files for some minutes: no crash, no hang, no message that is neither landed nor rejected.

python benchmarks/fuzz_landing.py --minutes 5 [--seed 1] [--data FOLDER]
"""

import argparse
import csv
import gzip
import io
import json
import random
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from cpa_core.errors import SourceError
from cpa_core.sources import parse

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


def lost_in_silence(name: str, content: bytes) -> bool:
    """Whether fewer records and rejects come out than there are rows or lines in."""
    records, rejects = parse(name, content, MIDNIGHT)
    if name == "a.jsonl":
        entered = sum(bool(line.strip()) for line in content.decode("utf-8-sig").split("\n"))
    elif name == "a.csv":
        entered = sum(bool(row) for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) - 1
    else:
        return False
    given = sum(record.id_given for record in records)  # equal rows under one given id are one message
    return len(records) + len(rejects) < entered and not given


def main() -> int:
    """Fuzz; 1 when anything was found, with the seed that finds it again."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--data", type=Path, default=DATA)
    given = options.parse_args()
    files, outcomes = corpus(given.data), Counter[str]()
    until, seed = time.monotonic() + 60 * given.minutes, given.seed
    while time.monotonic() < until:
        chance = random.Random(seed)
        name, content = chance.choice(files)
        signal.alarm(PATIENCE)  # a hang ends the process
        try:
            outcomes["lost in silence" if lost_in_silence(name, mutated(content, chance)) else "landed"] += 1
        except SourceError:
            outcomes["refused with a reason"] += 1
        except BaseException:
            print(f"seed {seed}: {name}: fell over", flush=True)
            raise
        if outcomes["lost in silence"]:
            print(f"seed {seed}: {name}: lost in silence")
            return 1
        seed += 1
    signal.alarm(0)
    print(f"{sum(outcomes.values()):,} mutated files in {given.minutes:g} minutes: {dict(outcomes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
