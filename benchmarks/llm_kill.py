"""A run killed again and again: `python -m benchmarks.llm kill`."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.llm import ROOT, RUN, Line, chats, counts, environ, model, questions

ON_ITS_WAY = 0.1
"""Seconds in which an answer that the model has given may not have been written down yet."""


class Span(NamedTuple):
    """A run that was killed: since when calls are its own, when it was killed, and when the last of them has come."""

    since: float
    killed: float
    over: float


def kill(folder: Path, times: int = 20) -> list[Line]:
    """SIGKILL at random moments of one run, which is started again each time."""
    drawn = random.Random(4)
    chats(folder / "chats.json", 2_500)
    kills: list[tuple[float, float]] = []
    with model("--latency", "0.2") as url:
        given = {**os.environ, **environ(folder, url, CPA_CONCURRENCY="32", CPA_DESTINATIONS="outbox")}
        for _ in range(times):
            before = counts(url)["calls"]
            process = subprocess.Popen(RUN, cwd=ROOT, env=given, stdout=subprocess.DEVNULL)
            while counts(url)["calls"] == before and process.poll() is None:
                time.sleep(0.02)
            time.sleep(drawn.uniform(0.0, 1.5))
            began = time.monotonic()
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills.append((began, time.monotonic()))
        status = subprocess.run(RUN, cwd=ROOT, env=given, check=False, stdout=subprocess.DEVNULL).returncode
        asked = questions(url)
    twice = sum(len(times) - 1 for times in asked.values())
    pairs = [(_again(asked, run), _in_flight(asked, run)) for run in _spans(kills)]
    whole = status == 0 and len(asked) == 5_000 and twice == sum(again for again, _ in pairs)
    each = " ".join(f"{again}/{flying}" for again, flying in pairs)
    met = whole and all(again <= min(flying, 32) for again, flying in pairs)
    found = f"{twice} of {len(asked)} questions, exit code {status}; for each kill, of those in flight: {each}"
    return [Line(f"questions paid twice after {times} kills", found, "at most those in flight", met)]


def _spans(kills: list[tuple[float, float]]) -> list[Span]:
    """The runs that were killed; what a run has sent may come a moment after it is gone."""
    ends = [0.0, *(over + ON_ITS_WAY for _, over in kills)]
    return [Span(since, began, over) for since, (began, _), over in zip(ends, kills, ends[1:], strict=False)]


def _again(asked: dict[str, list[tuple[float, float]]], run: Span) -> int:
    """Questions of a killed run that a later one has asked once more."""
    came = [[at for at, _ in times] for times in asked.values()]
    return sum(any(run.since <= at < run.over for at in times) and times[-1] >= run.over for times in came)


def _in_flight(asked: dict[str, list[tuple[float, float]]], run: Span) -> int:
    """Questions of a killed run whose answers, at its kill, were to come or on their way to the disk."""
    return sum(
        any(run.since <= came < run.over and answered > run.killed - ON_ITS_WAY for came, answered in times)
        for times in asked.values()
    )
