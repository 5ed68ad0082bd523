"""The workbench beside a run: `python -m benchmarks.workbench`, a table; 1 where a bound is passed.

A home holds a day that two people review. A day of 5,000 conversations arrives, and `cpa run` lands, builds, tags,
judges and delivers it, by a model on loopback in a process of its own. Pairs of runs, without and with the workbench
and its two visitors, are interleaved; each begins with the same copy of the home.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.llm import ROOT, RUN, chats, environ, model
from cpa_core.pipeline import Assistant
from cpa_core.pipeline.gold.draws import WantedDraw, draw_gold
from cpa_core.settings import settings

FIRST_DAY, PAUSE = "2026-03-03", 1.0
REVIEWED, READ = 300, 100
VISITORS = ("ana", "ben")
PATHS = ("/", "/review", "/read", "/c/r00007", "/schema", "/quality", "/try")
LONGEST_PAGE, MOST_RATIO = 0.3, 1.05


@dataclass
class Seen:
    """What the visitors saw: seconds of each page and of each step that is stored, and steps that were not stored."""

    pages: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    steps: list[float] = field(default_factory=list)
    lost: int = 0
    refused: list[str] = field(default_factory=list)


class Visitor:
    """One person with a browser that does what its pages ask for, about a request a second."""

    def __init__(self, address: str, name: str, home: Path, seen: Seen) -> None:
        self.host, _, rest = address.removeprefix("http://").partition("/")
        self.name, self.home, self.seen = name, home, seen
        self.cookies: dict[str, str] = {}
        self.ask("GET", f"/{rest}")
        self.ask("POST", "/reviewer", reviewer=name)

    def ask(self, method: str, path: str, **form: str) -> tuple[int, str, str]:
        """One request: status, text, and where it leads."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {
            "cookie": cookie,
            "origin": f"http://{self.host}",
            "content-type": "application/x-www-form-urlencoded",
        }
        connection.request(method, path, urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8")
        for said in answer.headers.get_all("set-cookie") or ():
            name, _, value = said.partition(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.status, text, answer.getheader("location") or path

    def page(self, path: str, shown: str) -> tuple[str, str]:
        """A page after what leads to it, timed as one: its text and its address."""
        began = time.perf_counter()
        status, text, place = self.ask("GET", path)
        if status == 303:
            status, text, place = self.ask("GET", place)
        self.seen.pages[shown].append(time.perf_counter() - began)
        if status != 200:
            self.seen.refused.append(f"{shown} {status}")
        return text, place

    def step(self, path: str, **form: str) -> None:
        """A step of a review, timed; it is looked for on the disk as soon as the page says that it is kept."""
        began = time.perf_counter()
        status, _, _ = self.ask("POST", path, **form)
        self.seen.steps.append(time.perf_counter() - began)
        file = "reviews" if path.endswith("/finish") else "drafts"
        with (self.home / "gold" / f"{file}.jsonl").open("rb") as lines:
            lines.seek(max(0, os.fstat(lines.fileno()).st_size - 20_000))
            last = [line for line in lines.read().splitlines() if f'"reviewer":"{self.name}"'.encode() in line]
        is_kept = bool(last) and form.get("message_id", "").encode() in last[-1]
        self.seen.lost += status != 303 or not is_kept

    def visit(self, ended: threading.Event) -> None:
        """Review, look around, and review again, until the run has ended."""
        while not ended.is_set():
            text, place = self.page("/review", "/review")
            for message in re.findall(r'name="message_id" value="([^"]*)"', text):
                if ended.wait(PAUSE):
                    return
                self.step(f"{place}/message", message_id=unescape(message), seconds="1")
            if "data-review" in text:
                self.step(f"{place}/finish")
            for path in PATHS:
                if ended.wait(PAUSE):
                    return
                self.page(path, path)


def home(folder: Path, url: str) -> dict[str, str]:
    """A home whose first day is labelled and drawn from, and the environment of its runs."""
    chats(folder / "chats.json", REVIEWED)
    text = (folder / "chats.json").read_text("utf-8")
    (folder / "chats.json").write_text(text.replace("2026-03-04T", f"{FIRST_DAY}T").replace('"c0', '"r0'), "utf-8")
    given = environ(folder, url, CPA_DESTINATIONS="outbox")
    subprocess.run(RUN, cwd=ROOT, env=os.environ | given, check=True, capture_output=True)
    draw_gold(Assistant.of(settings(given)), WantedDraw(way="random", size=READ))
    return given


@contextmanager
def served(given: dict[str, str]) -> Iterator[str]:
    """The workbench in a process of its own: the address that it prints."""
    command = [*RUN[:-1], "serve"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | given, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.kill()


def run(given: dict[str, str]) -> tuple[float, float]:
    """`cpa run`: seconds, and seconds of processor."""
    began = time.perf_counter()
    process = subprocess.Popen(RUN, cwd=ROOT, env=os.environ | given, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"the run ended with {process.returncode}"
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def visited_run(given: dict[str, str], seen: Seen) -> tuple[float, float]:
    """The same while two people use the workbench."""
    ended = threading.Event()
    with served(given) as address:
        people = [Visitor(address, name, Path(given["CPA_HOME"]), seen) for name in VISITORS]
        threads = [threading.Thread(target=one.visit, args=(ended,)) for one in people]
        for thread in threads:
            thread.start()
        try:
            return run(given)
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def measured(folder: Path, conversations: int, pairs: int) -> int:
    """Every pair, and the table."""
    seen = Seen()
    ratios, cpu = [], []
    with model("--latency", "0.5") as url:
        given = home(folder, url)
        kept = folder / "kept"
        Path(given["CPA_HOME"]).rename(kept)
        (folder / "more").mkdir()
        chats(folder / "more" / "chats.json", conversations)
        given["CPA_SOURCE"] = str(folder / "more")
        for nth in range(pairs):
            took: dict[bool, tuple[float, float]] = {}
            for is_visited in (nth % 2 == 1, nth % 2 == 0):
                shutil.copytree(kept, given["CPA_HOME"])
                took[is_visited] = visited_run(given, seen) if is_visited else run(given)
                shutil.rmtree(given["CPA_HOME"])
            ratios.append(took[True][0] / took[False][0])
            cpu.append(took[True][1] / took[False][1])
            print(
                f"pair {nth + 1}: {took[False][0]:.1f} s alone, {took[True][0]:.1f} s visited, "
                f"load {os.getloadavg()[0]:.1f}"
            )
            print(f"        processor of the run: {took[False][1]:.1f} s and {took[True][1]:.1f} s", flush=True)
    return table(seen, ratios, cpu)


def table(seen: Seen, ratios: list[float], cpu: list[float]) -> int:
    """Print what was seen beside its bound: 1 where a bound is passed."""
    for path, found in sorted(seen.pages.items()):
        last = sorted(found)[int(0.95 * (len(found) - 1))]
        print(f"{path:12} median {1000 * statistics.median(found):5.0f} ms, 95 % {1000 * last:5.0f} ms of {len(found)}")
    every = [one for found in seen.pages.values() for one in found]
    lines = [
        ("median of all pages", statistics.median(every), LONGEST_PAGE, "s"),
        ("slowest page's median", max(map(statistics.median, seen.pages.values())), LONGEST_PAGE, "s"),
        ("median of a step until it is stored", statistics.median(seen.steps), LONGEST_PAGE, "s"),
        (f"steps not on the disk, of {len(seen.steps)}", float(seen.lost), 0.0, ""),
        (f"requests refused, of {len(every)}", float(len(seen.refused)), 0.0, ""),
        ("seconds of the run, visited to alone, median", statistics.median(ratios), MOST_RATIO, ""),
    ]
    for what, found_, most, unit in lines:
        print(f"{'holds ' if found_ <= most else 'BROKEN'} {what}: {found_:.3f} {unit}(bound {most})")
    print(f"       its processor seconds, visited to alone, median: {statistics.median(cpu):.3f}")
    print(json.dumps({"ratios": [round(one, 3) for one in ratios], "refused": seen.refused[:5]}))
    return int(any(found_ > most for _, found_, most, _ in lines))


def main() -> int:
    """Measure in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=5_000)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="workbench-") as name:
        return measured(Path(name), options.conversations, options.pairs)


if __name__ == "__main__":
    sys.exit(main())
