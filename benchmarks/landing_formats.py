"""The cost of landing each format beside plain JSON Lines of the same talks: processor seconds, ratio, peak memory.

    python -m benchmarks.landing_formats [--messages 1000000] [--turns 6] [WRITER...]

The files are written as the tests write them (`tests/formats/generated.WRITERS`), a record a line: with system prompts,
tools and reasoning, and calls with their full history. So a file says more than its talks: `times written` is its size
beside that of the plain lines. A record is a conversation, a message or a call; only calls repeat what was said before.
Each landing is a process of its own, with a new home.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from benchmarks.landing import WORDS
from cpa_core.pipeline import Assistant, land
from cpa_core.settings import settings
from cpa_core.sources.files import File
from cpa_core.sources.formats import FORMATS, form_of
from tests.formats.generated import WRITERS
from tests.support.writings import Told

PLAIN = "plain lines"
MOST_TIMES, MOST_MEGABYTES = 5.0, 1500
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = date(2026, 3, 4)


def talks(messages: int, turns: int) -> Iterator[Told]:
    """Invented conversations of so many messages of 5 to 45 words; the same in every run."""
    chance = Random(7)
    for n in range(messages // turns):
        said = [("user" if i % 2 == 0 else "assistant", _text(chance)) for i in range(turns)]
        yield Told(f"c{n:07}", f"u{n % 5000}", BEGIN + timedelta(seconds=25 * n), tuple(said))


def _text(chance: Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(5, 45)))


def plain(told: Told) -> list[dict[str, str]]:
    """A message a line, in the product's own words."""
    return [
        {
            "conversation_id": told.key,
            "user_id": told.user or "",
            "role": role,
            "content": text,
            "timestamp": f"{told.begins + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ}",
        }
        for n, (role, text) in enumerate(told.turns)
    ]


def write(writer: str, path: Path, messages: int, turns: int) -> None:
    """The talks in one way of writing, a record a line."""
    of_one = plain if writer == PLAIN else WRITERS[writer][1]
    with path.open("w", encoding="utf-8") as file:
        for told in talks(messages, turns):
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in of_one(told))


def one(path: Path, home: Path) -> None:
    """Land a file in this process, and print what it took; a first small landing has loaded what any needs."""
    small = home.with_name("small.jsonl")
    write(PLAIN, small, 100, 4)
    land(Assistant.of(settings({"CPA_HOME": f"{home}-small", "CPA_SOURCE": str(small)})), DAY)
    begin = time.process_time()
    landed = land(Assistant.of(settings({"CPA_HOME": str(home), "CPA_SOURCE": str(path)})), DAY)
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, "records": landed.records, "lost": landed.lost}))


def record(writer: str) -> str:
    """What a record of a writer's file is: `conversation`, `message` or `call`."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.jsonl"
        write(writer, path, 60, 6)
        return FORMATS[form_of(File(path.name, path.read_bytes()))].kind


def measured(writer: str, messages: int, turns: int) -> dict[str, float]:
    """What landing the talks takes in one way of writing; `size` is that of the file in bytes."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.jsonl"
        write(writer, path, messages, turns)
        command = [sys.executable, "-m", "benchmarks.landing_formats", "--one", str(path), f"{name}/home"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found: dict[str, float] = json.loads(said)
        return {**found, "size": path.stat().st_size}


def line(writer: str, found: Mapping[str, float], bare: Mapping[str, float]) -> str:
    """A row of the table: what a landing took, and its ratios to that of plain lines."""
    ratio, written = found["seconds"] / bare["seconds"], found["size"] / bare["size"]
    return (
        f"{writer:26} {'message' if writer == PLAIN else record(writer):12} {found['seconds']:8.1f} {ratio:6.1f} "
        f"{found['megabytes']:6.0f} {written:14.1f} {found['records']:10,.0f}"
    )


def main() -> int:
    """The ways of writing that are named, else all; 1 when one takes too long, too much memory, or loses messages."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("writers", nargs="*", choices=[*WRITERS, []], metavar="WRITER")
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--turns", type=int, default=6)
    options.add_argument("--one", nargs=2, type=Path, metavar=("FILE", "HOME"))
    given = options.parse_args()
    if given.one:
        one(*given.one)
        return 0
    before = measured(PLAIN, given.messages, given.turns)
    print(f"{'format':26} {'a record':12} {'cpu s':>8} {'ratio':>6} {'MB':>6} {'times written':>14} {'rows':>10}")
    print(line(PLAIN, before, before), flush=True)
    fine = True
    for writer in given.writers or WRITERS:
        found = measured(writer, given.messages, given.turns)
        after = measured(PLAIN, given.messages, given.turns)
        bare = {**after, "seconds": (before["seconds"] + after["seconds"]) / 2}
        before = after
        in_time = found["seconds"] <= MOST_TIMES * bare["seconds"]
        met = in_time and found["megabytes"] <= MOST_MEGABYTES and not found["lost"]
        print(line(writer, found, bare), "met" if met else "NOT met", flush=True)
        fine = fine and met
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
