"""A home after a simulated year: `python -m proofs.year` (365 days of 100 conversations: ten minutes of processor).

Each night is a run of its own: it lands the day's file, labels it and delivers it to the outbox. The model's answers
are computed in this process. Some more nights are runs of Dagster in this process, whose event log is measured; a run
that a daemon launches writes a few lines more. Then: what the commands take on this home, what `cpa doctor` says, and
what `cpa compact` gives back, killed in the middle and run again. `--folder` keeps the home, and goes on with it.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from cpa_core.pipeline import Assistant, due_days, known_days, land, run_day
from cpa_core.settings import Settings, settings
from cpa_core.store import Store
from proofs.figures import Claims, proved, show
from proofs.scene import BIN, FOREIGN, ROOT
from tests.support.homes import contents
from tests.support.models import answering
from tests.support.runs import run

START = date(2025, 1, 1)
DAYS = 365
PER_DAY = 100
TURNS = 8
WORDS = {"user": 18, "assistant": 55}
"""Words of a message, by role."""
NIGHTS = 4
"""Nights that are runs of Dagster."""
KILLED_AFTER = (1.0, 3.0, 5.0, 6.5, 8.0)
"""Seconds of processor that `cpa compact` had when it was killed."""
VOCABULARY = """
order refund parcel account password invoice address card payment delivery courier warehouse label box return exchange
size colour voucher discount balance statement subscription renewal trial upgrade device charger screen battery update
setting page button error code screenshot manager colleague morning weekend holiday deadline please thanks sorry again
never always still already perhaps because although before after until where which would could
"""


def chats(day: date, count: int) -> dict[str, Any]:
    """The conversations of a day, all different; a user comes back now and then."""
    drawn = random.Random(day.toordinal())
    found: dict[str, Any] = {}
    for n in range(count):
        began = datetime(day.year, day.month, day.day, 6) + timedelta(seconds=drawn.randrange(60_000))
        roles = [("user", "assistant")[turn % 2] for turn in range(TURNS)]
        messages = [
            {
                "role": role,
                "content": " ".join(drawn.choices(VOCABULARY.split(), k=WORDS[role])).capitalize() + ".",
                "timestamp": (began + timedelta(seconds=20 * turn)).isoformat() + "Z",
            }
            for turn, role in enumerate(roles)
        ]
        found[f"{day:%Y%m%d}-{n:03}"] = {"user_id": f"u{drawn.randrange(3_000)}", "messages": messages}
    return found


def night(given: Settings, day: date, count: int) -> Assistant:
    """A day's file arrives, and a run lands, labels and delivers it."""
    write_day(given, day, count)
    assistant = at_night(given)
    land(assistant)
    for row in due_days(assistant):
        run_day(assistant, row["day"])
    return assistant


def write_day(given: Settings, day: date, count: int) -> None:
    """The file that a product leaves behind each day."""
    path = Path(str(given.source)) / f"{day}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(chats(day, count)), "utf-8")


def at_night(given: Settings) -> Assistant:
    """The assistant of one run."""
    return replace(Assistant.of(given), provider=answering)


def year(folder: Path, days: int, count: int) -> Settings:
    """The home of so many nights, and its sizes after each quarter of them."""
    given = settings(environ(folder))
    done = len(known_days(Assistant.of(given)))
    rows: list[dict[str, Any]] = []
    for n in range(done, days):
        night(given, START + timedelta(days=n), count)
        if (n + 1) % max(1, days // 4) == 0 or n + 1 == days:
            rows.append({"days": n + 1} | sizes(given.home))
    show("bytes of the home, in MB", rows or [{"days": done} | sizes(given.home)])
    return given


def environ(folder: Path) -> dict[str, str]:
    """The settings of the home. Nothing listens at the address: the commands that are run ask no model."""
    return {
        "CPA_HOME": str(folder / "home"),
        "CPA_SOURCE": str(folder / "chats"),
        "CPA_SCHEMA": str(ROOT / "examples" / "therapist" / "schema.yml"),
        "CPA_MODEL": "compatible:simulated",
        "CPA_COMPATIBLE_URL": "http://127.0.0.1:9/v1",
        "CPA_CONCURRENCY": "4",
        "DAGSTER_HOME": str(folder / "dagster"),
    }


def sizes(home: Path) -> dict[str, Any]:
    """What the parts of a home hold, in MB, and in how many files."""
    found: dict[str, Any] = {"database": (home / "cpa.duckdb").stat().st_size / 1e6}
    for name in ("answers", "outbox"):
        files = [path for path in (home / name).rglob("*") if path.is_file()]
        found |= {name: sum(path.stat().st_size for path in files) / 1e6, f"files of {name}": len(files)}
    return found


def event_log(given: Settings, folder: Path, days: int, count: int) -> None:
    """What Dagster writes down of a night."""
    shutil.rmtree(folder / "dagster", ignore_errors=True)
    (folder / "dagster").mkdir()
    shutil.copy(ROOT / "cpa_dagster" / "dagster.yaml", folder / "dagster")
    os.environ["DAGSTER_HOME"] = str(folder / "dagster")
    grown: list[int] = []
    with dg.DagsterInstance.get() as instance:
        for n in range(NIGHTS):
            day = START + timedelta(days=days + n)
            write_day(given, day, count)
            if not run(at_night(given), str(day), instance=instance).success:
                raise SystemExit(f"the run of {day} failed")
            grown.append(sum(path.stat().st_size for path in (folder / "dagster").rglob("*") if path.is_file()))
    a_night = (grown[-1] - grown[0]) / (NIGHTS - 1)
    row = {"after one night, MB": grown[0] / 1e6, "a night, KB": a_night / 1e3}
    show(f"Dagster's event log, by {NIGHTS} nights", [row | {"after 365 nights, MB": (grown[0] + 364 * a_night) / 1e6}])


def called(folder: Path, *words: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """A command on the home: seconds of processor, and what it said."""
    machine = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [str(BIN / "cpa"), *words]
    done = subprocess.run(line, env=machine | environ(folder), cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def commands(folder: Path, claims: Claims) -> None:
    """What the daily commands take on this home."""
    rows = []
    for words in (["status"], ["conversations"], ["quote"], ["run"], ["doctor", "--no-ask"]):
        took, done = called(folder, *words)
        rows.append({"command": "cpa " + " ".join(words), "cpu seconds": took, "status": done.returncode})
        if words[0] == "doctor":
            print("\n".join(line for line in done.stdout.splitlines() if "CPA_" not in line))
            claims.claim("cpa doctor finds nothing to mend in a home of a year", "0 to mend" in done.stdout)
    show("commands on the home of a year", rows)
    claims.claim("each ends with 0", all(row["status"] == 0 for row in rows))


def compacted(folder: Path, claims: Claims) -> None:
    """What `cpa compact` gives back, after it was killed in the middle."""
    home = folder / "home"
    whole, before = contents(Store(home)), sizes(home)
    for seconds in KILLED_AFTER:
        kill_after(folder, seconds)
        claims.claim(
            f"killed after {seconds} s of processor: every row and answer is there", contents(Store(home)) == whole
        )
    took, done = called(folder, "compact")
    print(done.stdout + done.stderr)
    after = sizes(home)
    show(f"compacted in {took:.1f} s of processor, in MB", [before, after])
    claims.claim("compacted: every row and answer is there", done.returncode == 0 and contents(Store(home)) == whole)
    claims.claim("the database is smaller", after["database"] < before["database"])
    claims.claim("nothing is left beside it", not list(home.glob("*.compacting*")))
    found = json.loads(called(folder, "run", "--json")[1].stdout)
    claims.claim("the next run asks nothing and sends nothing", (found["questions"], found["events_sent"]) == (0, 0))


def kill_after(folder: Path, seconds: float) -> None:
    """Start `cpa compact`, and kill it when it has used so much processor, unless it has ended."""
    machine = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    nowhere = subprocess.DEVNULL
    line = [str(BIN / "cpa"), "compact"]
    with subprocess.Popen(line, env=machine | environ(folder), cwd=folder, stdout=nowhere, stderr=nowhere) as process:
        while process.poll() is None:
            if used(process.pid) >= seconds:
                process.kill()
            time.sleep(0.01)


def used(pid: int) -> float:
    """Seconds of processor of a process (times 14 and 15 of proc(5)); zero when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def proof(claims: Claims) -> None:
    """The year, its sizes, and what can be given back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("days", type=int, nargs="?", default=DAYS)
    parser.add_argument("--conversations", type=int, default=PER_DAY, help="a day")
    parser.add_argument("--folder", type=Path, help="where the home is made and kept")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="year-") as temporary:
        folder = (asked.folder or Path(temporary)).absolute()
        given = year(folder, asked.days, asked.conversations)
        event_log(given, folder, asked.days, asked.conversations)
        commands(folder, claims)
        compacted(folder, claims)


if __name__ == "__main__":
    sys.exit(proved(proof))
