"""Delivery under trouble and in bulk: what arrives at a vendor's server on loopback, beside what the ledger says.

python -m benchmarks.delivery                     both parts, both vendors
python -m benchmarks.delivery trouble amplitude   8,000 events, faults and kills
python -m benchmarks.delivery bulk posthog        100,000 events to a server without latency, in a process of its own
python -m benchmarks.delivery bulk posthog 300    300,000: the memory stays what it was
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from cpa_core.models import event_id
from cpa_core.pipeline import Assistant, deliver_day
from cpa_core.schema import dump
from cpa_core.settings import settings
from tests.servers.amplitude import AmplitudeServer
from tests.servers.loopback import Asked, Fault, Hangs, Says
from tests.servers.posthog import PostHogServer
from tests.support.commands import at
from tests.support.fakes import SCHEMA

DAY = date(2026, 3, 4)
START = datetime(2026, 3, 4, tzinfo=UTC)
WORDS = "Can I deduct my home office, and which form do I need for it this year? "
MESSAGES = 99
"""Messages of a conversation; with its judgment, 100 events."""
KILLS = 10
SMALL = 100
"""Events of a request in the trouble: eight requests of 1,000 would meet hardly any of it."""

Vendor = PostHogServer | AmplitudeServer


def store_day(assistant: Assistant, conversations: int) -> None:
    """A day, tagged and judged, as the stages before leave it: 100 events a conversation."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for n in range(conversations):
        for name, made in _conversation(f"conversation-{n:05}", n).items():
            rows[name] += made
    with assistant.store.writing() as transaction:
        for name, made in rows.items():
            transaction.insert(name, made)
        transaction.insert("days", [{"day": DAY, "generation": 1, "built_generation": 1, "reason": "landed"}])
        transaction.insert("event_schemas", [{"version": SCHEMA.version, "yaml": dump(SCHEMA), "origin": "schema.yml"}])


TABLES = ("raw_conversations", "messages", "tagged_conversations", "tagged_events", "judge_scores")


def _conversation(key: str, n: int) -> dict[str, list[dict[str, Any]]]:
    one = {"day": DAY, "conversation_id": key}
    done = {**one, "content_hash": "h", "schema_version": SCHEMA.version, "prompt_id": "p", "model": "m"}
    messages = [
        {**one, "message_id": f"m{m}", "position": m, "role": "user", "content": WORDS * 3}
        | {"sent_at": START + timedelta(seconds=n * 60 % 80_000 + m)}
        for m in range(MESSAGES)
    ]
    tags = [
        {name: row[name] for name in ("day", "conversation_id", "message_id", "position", "role")}
        | {"event_id": event_id(key, str(row["message_id"]), "Question|user"), "event_type": "Question"}
        | {
            "properties": json.dumps({"Topic": "Tax", "Subject": "home office"}),
            "because": "It asks about a deduction.",
        }
        | {"quote": WORDS[:20], "schema_version": SCHEMA.version, "model": "m"}
        for row in messages
    ]
    found = {"score": 80.0, "because": "It is right.", "verdicts": '{"P1": {"verdict": "met"}}', "dealbreakers": "{}"}
    about = {"user_id": f"user-{n % 500}", "content_hash": "h", "message_count": MESSAGES}
    times = {"started_at": messages[0]["sent_at"], "ended_at": messages[-1]["sent_at"]}
    return {
        "raw_conversations": [{**one, **about, **times}],
        "messages": messages,
        "tagged_conversations": [{**done, "outcome": "ok"}],
        "tagged_events": tags,
        "judge_scores": [{**done, **found, "outcome": "ok"}],
    }


def of(environ: dict[str, str]) -> Assistant:
    """The assistant that these settings describe."""
    return Assistant.of(settings(environ))


def memory_peak() -> int:
    """The most memory this process ever held, in kB; not its parent's, which `getrusage` counts on Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))


def child(batch: int) -> None:
    """In a process of its own, which may be killed: deliver the day, and print what that came to."""
    from cpa_core.destinations.amplitude import Amplitude
    from cpa_core.destinations.posthog import PostHog

    PostHog.batch = Amplitude.batch = batch
    began, worked = time.monotonic(), time.process_time()
    before = memory_peak()
    done = deliver_day(of(dict(os.environ)), DAY)
    spent, work = time.monotonic() - began, time.process_time() - worked
    figures = {"seconds": spent, "work": work, "memory": memory_peak(), "before": before}
    print(json.dumps(done.model_dump() | figures))


def started(environ: dict[str, str], batch: int) -> subprocess.Popen[str]:
    """The child."""
    command = [sys.executable, "-m", "benchmarks.delivery", "child", str(batch)]
    return subprocess.Popen(command, env=os.environ | environ, stdout=subprocess.PIPE, text=True)


def trouble(seed: int) -> Callable[[Asked], Fault | None]:
    """A script: 20 % 500s, 10 % 429s, 5 % of connections dropped, half of them after storing."""
    chance = random.Random(seed)

    def script(asked: Asked) -> Fault | None:
        drawn = chance.random()
        if drawn < 0.20:
            return Says(500, {"error": "internal"})
        if drawn < 0.30:
            return Says(429, {"error": "rate_limited"}, {"Retry-After": "1"})
        return Hangs(stored=drawn < 0.325) if drawn < 0.35 else None

    return script


def killed_and_run_again(server: Vendor, environ: dict[str, str], seed: int) -> tuple[int, int]:
    """Run until nothing is open: kills, and runs in all."""
    moments = random.Random(seed)
    kills = runs = 0
    while runs < KILLS + 20:
        runs += 1
        asked = len(server.asked)
        process = started(environ, SMALL)
        while kills < KILLS and process.poll() is None and len(server.asked) == asked:
            time.sleep(0.01)
        if kills < KILLS and process.poll() is None:
            time.sleep(moments.random() * 2)
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            continue
        said = process.communicate()[0]
        if json.loads(said)["open"] == 0 and kills == KILLS:
            break
    return kills, runs


def sent_forms(server: Vendor) -> Iterator[tuple[str, str]]:
    """Id and whole form of every event of every request, in whatever way that was answered."""
    for asked in server.asked:
        for event in asked.events:
            yield str(event.get("uuid") or event.get("insert_id")), json.dumps(event, sort_keys=True)


def claim(words: str, held: bool) -> None:
    """State that something holds, or end."""
    print(f"{'holds ' if held else 'BROKEN'}  {words}", flush=True)
    if not held:
        sys.exit(1)


def under_trouble(make: type[PostHogServer] | type[AmplitudeServer], home: Path, seed: int) -> None:
    """8,000 events, 50 ms latency, faults and kills."""
    with make(trouble(seed)) as server:
        server.latency = 0.05
        environ = {"CPA_HOME": str(home), **at(server)}
        store_day(of(environ), 80)
        began = time.monotonic()
        kills, runs = killed_and_run_again(server, environ, seed)
        with of(environ).store.reading() as view:
            rows = view.rows("select event_id, status, attempts from upload_receipts")
        ids = {str(row.get("uuid") or row.get("insert_id")) for row in server.rows}
        forms: dict[str, set[str]] = {}
        times_sent: Counter[str] = Counter()
        for key, form in sent_forms(server):
            forms.setdefault(key, set()).add(form)
            times_sent[key] += 1
        print(f"{kills} kills, {runs} runs, {len(server.asked)} requests, {time.monotonic() - began:.0f} s")
        print(f"events sent {times_sent.total()}, at the server {len(server.rows)}, receipts {len(rows)}")
        claim(f"killed {KILLS} times", kills == KILLS)
        claim("8,000 unique events at the server, nothing missing", len(server.rows) == len(ids) == 8_000)
        accepted = {row["event_id"] for row in rows if row["status"] == "accepted"}
        claim("the ledger says accepted for exactly those, once each", accepted == ids and len(rows) == 8_000)
        claim("what was sent twice had the same id, time and content", all(len(found) == 1 for found in forms.values()))
        asked = len(server.asked)
        again = json.loads(started(environ, SMALL).communicate()[0])
        claim("another run sends nothing: 0 requests", len(server.asked) == asked and again["sent"] == 0)


def serve(name: str) -> None:
    """In a process of its own: a server that keeps no request, until a line comes in; then what it has seen."""
    server = MAKES[name]()
    server.asked = requests = _Counted()
    with server:
        print(json.dumps({"url": server.url, "key": server.key}), flush=True)
        for _ in sys.stdin:
            print(json.dumps({"requests": requests.taken, "rows": len(server.table)}), flush=True)


class _Counted(list[Asked]):
    """Requests that are counted and forgotten."""

    taken = 0

    def __len__(self) -> int:
        return self.taken

    def append(self, asked: Asked) -> None:
        self.taken += 1


class Served:
    """A server in another process, as this one sees it."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-m", "benchmarks.delivery", "serve", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.place = self._line()
        upper = name.upper()
        address = {"posthog": "POSTHOG_HOST", "amplitude": "AMPLITUDE_URL"}[name]
        self.environ = {"CPA_DESTINATIONS": name, f"{upper}_API_KEY": self.place["key"], address: self.place["url"]}

    def seen(self) -> dict[str, int]:
        """Requests, and events that are stored."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return {name: int(count) for name, count in self._line().items()}

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def end(self) -> None:
        """End the server."""
        self.process.communicate()


def bare_read(home: Path) -> float:
    """Seconds that DuckDB takes to read the same events, messages and conversations, and nothing else."""
    with duckdb.connect(str(home / "cpa.duckdb"), read_only=True) as connection:
        began = time.monotonic()
        connection.execute(
            "select e.*, m.content, r.user_id, j.score from tagged_events e "
            "join messages m using (day, conversation_id, position) "
            "join raw_conversations r using (day, conversation_id) join judge_scores j using (day, conversation_id)"
        ).to_arrow_table()
        return time.monotonic() - began


def in_bulk(name: str, home: Path, conversations: int) -> None:
    """A hundred events a conversation, to a server without latency."""
    served = Served(name)
    environ = {"CPA_HOME": str(home), **served.environ}
    store_day(of(environ), conversations)
    read = bare_read(home)
    done = json.loads(started(environ, 1_000).communicate()[0])
    rate, seen = done["accepted"] / done["seconds"], served.seen()
    print(
        f"{done['accepted']} events in {done['seconds']:.1f} s, {seen['requests']} requests: {rate:.0f} a second "
        f"({done['accepted'] / done['work']:.0f} a second of processor time; load {os.getloadavg()[0]:.1f}); "
        f"memory at most {done['memory'] / 1024:.0f} MB ({done['before'] / 1024:.0f} MB before)"
    )
    print(f"{done['seconds'] / read:.0f} times DuckDB's bare read of the same rows ({read:.2f} s)")
    whole = done["accepted"] == seen["rows"] == conversations * (MESSAGES + 1)
    claim(f"{done['accepted']} events accepted and at the server", whole)
    again = json.loads(started(environ, 1_000).communicate()[0])
    same = served.seen()["requests"] == seen["requests"]
    claim(f"another run: 0 requests, {again['seconds']:.1f} s", same and again["sent"] == 0)
    served.end()
    claim("at least 5,000 events a second", rate >= 5_000)


MAKES: dict[str, type[PostHogServer] | type[AmplitudeServer]] = {"posthog": PostHogServer, "amplitude": AmplitudeServer}


def main(arguments: Sequence[str]) -> None:
    """The parts that are named, or all; a number is how many thousand events."""
    if arguments[:1] == ["child"]:
        return child(int(arguments[1]))
    if arguments[:1] == ["serve"]:
        return serve(arguments[1])
    names = [name for name in MAKES if name in arguments] or list(MAKES)
    parts = [part for part in ("trouble", "bulk") if part in arguments] or ["trouble", "bulk"]
    thousands = next((int(word) for word in arguments if word.isdigit()), 100)
    for name in names:
        for part in parts:
            print(f"\n{part}, {name}", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                if part == "trouble":
                    under_trouble(MAKES[name], Path(folder), seed=7)
                else:
                    in_bulk(name, Path(folder), thousands * 10)


if __name__ == "__main__":
    main(sys.argv[1:])
