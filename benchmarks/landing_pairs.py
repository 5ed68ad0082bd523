"""Landing the same files by another revision and by this one, in turn: medians of the ratios of time and memory.

    python -m benchmarks.landing_pairs eed8f36 [--pairs 5] [--messages 1000000] [ROW...]

The other revision is checked out beside the files, and runs with the packages of this environment. Each landing is a
process of its own, with a new home; the pairs are interleaved, so that a busy machine slows both.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.landing import conversations, write_lines, write_map
from benchmarks.pairs import MOST, ROOT, checked_out, options_of_pairs

LANDING = """
import json, resource, sys
from datetime import date
from cpa_core.pipeline import Assistant, land
from cpa_core.settings import settings
landed = land(Assistant.of(settings({"CPA_HOME": sys.argv[2], "CPA_SOURCE": sys.argv[1]})), date(2026, 3, 4))
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, landed.records]))
"""


def write_chats(path: Path, messages: int) -> None:
    """OpenAI chats of ten messages, a conversation a line."""
    with path.open("w", encoding="utf-8") as file:
        for key, user, turns in conversations(messages):
            said = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
            start = {"timestamp": turns[0]["timestamp"]}
            file.write(json.dumps({"id": key, "user": user, "messages": said, **start}, ensure_ascii=False) + "\n")


def write_table(path: Path, messages: int) -> None:
    """CSV, one message a row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["conversation_id", "user_id", "message_id", "role", "content", "timestamp"])
        for key, user, turns in conversations(messages):
            for turn in turns:
                table.writerow([key, user, turn["message_id"], turn["role"], turn["content"], turn["timestamp"]])


ROWS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "lines": ("a.jsonl", write_lines),
    "bare-lines": ("a.jsonl", lambda path, messages: write_lines(path, messages, ids=False)),
    "csv": ("a.csv", write_table),
    "chats": ("a.jsonl", write_chats),
    "map": ("a.json", lambda path, messages: write_map(path, 250 * messages)),
}
"""One line a kind of file: its name, and what writes it with so many messages."""


def landed(code: Path, path: Path) -> tuple[float, float, int]:
    """Processor seconds and peak megabytes of landing a file by the code in a folder, and how many messages landed."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-c", LANDING, str(path), f"{home}/home"]
        said = subprocess.run(command, cwd=code, capture_output=True, text=True, check=True).stdout
        seconds, megabytes, records = json.loads(said.splitlines()[-1])
        return seconds, megabytes, records


def compared(row: str, other: Path, folder: Path, pairs: int, messages: int) -> bool:
    """Print a row: the medians of both, and of the ratios of each pair. Whether this revision is not worse."""
    name, write = ROWS[row]
    path = folder / name
    write(path, messages)
    each = [(landed(other, path), landed(ROOT, path)) for _ in range(pairs)]
    path.unlink()
    times, memory = (median(new[n] / old[n] for old, new in each) for n in (0, 1))
    same = {new[2] for _, new in each} == {old[2] for old, _ in each}
    (old_s, old_mb), (new_s, new_mb) = ([median(pair[k][n] for pair in each) for n in (0, 1)] for k in (0, 1))
    fine = times <= MOST and memory <= MOST and same
    print(
        f"{row:12} {each[0][1][2]:,} messages, {pairs} pairs: cpu {old_s:.1f} s -> {new_s:.1f} s, ratio {times:.2f}; "
        f"peak {old_mb:.0f} -> {new_mb:.0f} MB, ratio {memory:.2f} (at most {MOST}): {'met' if fine else 'NOT met'}",
        flush=True,
    )
    return fine


def main() -> int:
    """The rows that are named, else all; 1 when this revision is worse in one."""
    options = options_of_pairs(__doc__, pairs=5)
    options.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    options.add_argument("--messages", type=int, default=1_000_000)
    given = options.parse_args()
    with checked_out(given.revision) as (folder, other):
        fine = [compared(row, other, folder, given.pairs, given.messages) for row in given.rows or list(ROWS)]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
