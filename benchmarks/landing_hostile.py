"""Hostile files, each landed by a process of its own: what becomes of it, and the peak memory.

    python -m benchmarks.landing_hostile

Every file lands or is rejected with a reason, and the good one beside it lands in any case.
"""

import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cpa_core.pipeline import Assistant, land
from cpa_core.settings import settings

MEGA = 1_000_000
MOST_MEGABYTES = 1500
MOST_SECONDS = 60


def line(**more: Any) -> str:
    """One message as a line of JSON."""
    message = {"conversation_id": "c1", "role": "user", "content": "hi", "timestamp": "2026-03-04T09:00:00Z"}
    return json.dumps({**message, **more}, ensure_ascii=True) + "\n"


def packed(block: bytes, times: int) -> bytes:
    """A small gzip file that unpacks to so many blocks."""
    return gzip.compress(block) * times


ODD = (
    "../../etc/passwd",
    "/etc/passwd\0.json",
    "C:\\..\\x",
    "\u202egpj.exe",
    "a\u2066b\u2069c",
    "'; drop table days; --",
)
USERS = "user_id,role,content,timestamp\n"
FILES: dict[str, tuple[str, Callable[[], str | bytes]]] = {
    "a text of 100 MB, JSON Lines": ("a.jsonl", lambda: line(content="x" * 100 * MEGA)),
    "a text of 100 MB, CSV": ("a.csv", lambda: USERS + "u,user," + "x" * 100 * MEGA + ",2026-03-04\n"),
    "a text of 100 MB, JSON map": (
        "a.json",
        lambda: '{"c": {"messages": [' + line(content="x" * 100 * MEGA).strip() + "]}}",
    ),
    "a line of 100 MB that is not JSON": (
        "a.jsonl",
        lambda: line() + "{" * 100 * MEGA + "\n" + line(content="after"),
    ),
    "a quote of 100 MB, never closed": ("a.csv", lambda: USERS + 'u,user,hi,2026-03-04\nu,user,"' + "x\n" * 50 * MEGA),
    "50 million lists in each other": ("a.jsonl", lambda: line() + "[" * 50 * MEGA + "\n"),
    "50 million lists, JSON map": ("a.json", lambda: '{"c": ' + "[" * 50 * MEGA),
    "10 million objects in each other": ("a.jsonl", lambda: line() + '{"a":' * 10 * MEGA + "\n"),
    "gzip of 4 GB of zeros": ("a.csv.gz", lambda: packed(bytes(MEGA), 4000)),
    "gzip of 4 GB of lines": ("a.jsonl.gz", lambda: packed(line().encode() * 100_000, 360)),
    "a number of a million digits": ("a.jsonl", lambda: line() + '{"role": ' + "9" * MEGA + "}\n"),
    "NUL bytes": ("a.jsonl", lambda: line(content="a\0b", conversation_id="c\0")),
    "lone surrogates": ("a.jsonl", lambda: line(content="a\ud83d", conversation_id="c\udc00")),
    "paths, marks, SQL in ids": (
        "a.jsonl",
        lambda: "".join(line(conversation_id=odd, message_id=odd) for odd in ODD),
    ),
}


def as_bytes(content: str | bytes) -> bytes:
    """What is written."""
    return content if isinstance(content, bytes) else content.encode()


def one(folder: Path) -> None:
    """Land in this process, and print what came of it."""
    begin = time.perf_counter()
    landed = land(Assistant.of(settings({"CPA_HOME": str(folder / "home"), "CPA_SOURCE": str(folder / "in")})))
    reason = landed.problems[0].split(": ", 1)[1][:70] if landed.problems else ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"records": landed.records, "lost": landed.lost, "reason": reason}
    print(json.dumps({**told, "megabytes": peak, "seconds": time.perf_counter() - begin}))


def tried(title: str, name: str, content: Callable[[], str | bytes]) -> bool:
    """One line of the report."""
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        (folder / "in").mkdir()
        (folder / "in" / "good.jsonl").write_text(line(conversation_id="good"), "utf-8")
        (folder / "in" / name).write_bytes(as_bytes(content()))  # freed at once: a child's peak begins with ours
        command = [sys.executable, __file__, "--one", at]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=480, check=False)
        stray = {path.name for path in folder.iterdir()} - {"in", "home"}
    if ended.returncode:
        print(f"{title:36} fell over: {ended.stderr.strip().splitlines()[-1]}: NOT met", flush=True)
        return False
    told = json.loads(ended.stdout)
    fine = told["records"] + told["lost"] >= 2 and told["megabytes"] < MOST_MEGABYTES and told["seconds"] < MOST_SECONDS
    outcome = f"{told['records']} landed, {told['lost']} rejected" + (f" ({told['reason']})" if told["reason"] else "")
    print(
        f"{title:36} {outcome}, {told['seconds']:.1f} s (below {MOST_SECONDS}), peak {told['megabytes']:.0f} MB "
        f"(below {MOST_MEGABYTES}): {'met' if fine and not stray else 'NOT met'}",
        flush=True,
    )
    return fine and not stray


def main() -> int:
    """Every hostile file; 1 when one is not met."""
    if sys.argv[1:2] == ["--one"]:
        one(Path(sys.argv[2]))
        return 0
    fine = [tried(title, *file) for title, file in FILES.items()]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
