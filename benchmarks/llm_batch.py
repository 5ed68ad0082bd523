"""The lane of batches under faults and a kill: `python -m benchmarks.llm batch`.

5,000 questions at each vendor's loopback server; 3 % expire and 2 % fail in their first batch; the run is killed while
it waits, and started again.
"""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.llm import ROOT, RUN, Line, chats, environ, whole
from cpa_core.llm import Usage
from cpa_core.pricing import cost
from cpa_core.store import Store
from tests.servers.batches import AnthropicBatchServer, BatchServer, Fate, OpenAIBatchServer, settings_of

CONVERSATIONS = 2_500
QUESTIONS = 2 * CONVERSATIONS
LONGEST = 400.0


class Ended(NamedTuple):
    """How the run after the kill ended: its exit code, and seconds since the first began."""

    status: int
    seconds: float


def fate(custom_id: str, nth: int) -> Fate:
    """3 % expire and 2 % fail, in the first batch that they are in."""
    drawn = int(custom_id[:8], 16) % 100
    return "answered" if nth > 1 or drawn >= 5 else "expired" if drawn < 3 else "errored"


def lines(folder: Path) -> list[Line]:
    """Both vendors."""
    found: list[Line] = []
    for name, kind in (("OpenAI", OpenAIBatchServer), ("Anthropic", AnthropicBatchServer)):
        (folder / name).mkdir()
        chats(folder / name / "chats.json", CONVERSATIONS, 2)
        with kind() as server:
            server.fate = fate
            found += _measured(name, folder / name, server)
    return found


def _measured(name: str, folder: Path, server: BatchServer) -> list[Line]:
    given = {**environ(folder, ""), **settings_of(server), "CPA_DESTINATIONS": "outbox", "CPA_POLL": "1"}
    server.held = True
    began = time.monotonic()
    killed = subprocess.Popen(RUN, cwd=ROOT, env={**os.environ, **given}, stdout=subprocess.DEVNULL)
    while len(server.times) < QUESTIONS and killed.poll() is None and time.monotonic() - began < LONGEST:
        time.sleep(0.1)
    looks = server.looks
    while server.looks == looks and killed.poll() is None and time.monotonic() - began < LONGEST:
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    handed, server.held = len(server.batches), False
    again = subprocess.run(RUN, cwd=ROOT, env={**os.environ, **given}, stdout=subprocess.DEVNULL, check=False)
    took = time.monotonic() - began
    return _lines(name, Path(given["CPA_HOME"]), server, handed, Ended(again.returncode, took))


def _lines(name: str, home: Path, server: BatchServer, handed: int, ended: Ended) -> list[Line]:
    with Store(home).reading() as view:
        rows = view.rows(
            "select request_hash, lane, outcome, provider, model, cost, prompt_tokens, cached_tokens, "
            "cache_write_tokens, completion_tokens from answers"
        )
        left = view.rows("select sum(unanswered)::bigint as n, string_agg(detail, '; ') as detail from batches")[0]
    done = whole(Store(home))
    usages = [(r["cost"], Usage(**{key: r[key] for key in Usage.model_fields}), r) for r in rows]
    full = sum(cost(r["provider"], r["model"], usage) or 0.0 for _, usage, r in usages)
    share = sum(paid for paid, _, _ in usages) / full
    hashes = {row["request_hash"] for row in rows}
    once = len(rows) == len(hashes) == QUESTIONS and server.twice == 0
    met = once and done == (CONVERSATIONS, CONVERSATIONS) and ended.status == 0
    lanes = {row["lane"] for row in rows}
    again = sum(server.times.values()) - QUESTIONS
    found = (
        f"{len(hashes)} of {QUESTIONS} questions, {len(rows)} answers, {server.twice} paid twice; tagged and judged "
    )
    found += f"{done} conversations; status {ended.status} after {ended.seconds:.0f} s"
    faults = f"{left['n']} unanswered ({left['detail']}), {again} asked again"
    killed = f"{handed} batches before the kill, {len(server.batches)} in all"
    return [
        Line(f"{name}: answered once, over a kill", found, "all, status 0", met),
        Line(f"{name}: left unanswered by a batch", faults, "asked again, no other", left["n"] == again > 0),
        Line(f"{name}: batches", killed, "those killed found again", len(server.batches) <= handed + 2),
        Line(f"{name}: paid, of the list price", f"{share:.1%} in {lanes}", "50 %", abs(share - 0.5) < 1e-6),
    ]
