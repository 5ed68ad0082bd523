"""Workers on one lake, from a bucket to receipts: eight and four in calm, then two that are killed again and again.

Each has a folder of its own: `python -m proofs.two_workers --seconds 300`. Postgres is Debian's, S3 is moto on loopback
behind a relay that answers 5 % of the requests by 503 in the second part. A killed worker's folder is removed with it,
Postgres is ended hard once, and maintenance runs beside it. What is claimed: nothing is lost, each row is there once,
and no question and no event goes out twice but for what was in flight at a kill.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from cpa_core.errors import CpaError
from cpa_core.schema import dump
from cpa_core.settings import settings
from cpa_core.sources.s3 import client
from cpa_core.store import Store
from cpa_core.store.lake.upkeep import keys_twice, look_after
from proofs.figures import OF_DAYS, Claims, Figures, Timeline, proved, show, total
from proofs.scene import FOREIGN
from tests.servers.chat_completions import Behaviour, ChatServer
from tests.servers.postgres import PASSWORD, Postgres, server
from tests.servers.posthog import PostHogServer
from tests.servers.s3 import Relay, relayed
from tests.support.commands import ONE_EACH, at, chat

BUCKET = "lake"
START = date(2026, 3, 1)
CALM_DAYS, MESSAGES, IN_FLIGHT, LATENCY, BUSY = 8, 4, 16, 0.3, 0.05
PAUSES = 5.0, 12.0
"""Seconds between two kills."""


@dataclass
class Worker:
    """A process in a folder of its own, which is gone with it."""

    day: date
    folder: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def of(cls, outside: "Outside", day: date) -> "Worker":
        folder = Path(mkdtemp(prefix="cpa-worker-"))
        given = {"CPA_HOME": str(folder / "home"), "HOME": str(folder), "TMPDIR": str(folder), **outside.environ}
        clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        log = outside.logs / f"{day}-{folder.name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "cpa_core.cli", "run", "--day", str(day)],
                cwd=folder,
                env=clean | given,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(day, folder, process)

    def kill(self) -> None:
        """End it and its folder, as a machine that is gone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ended(self) -> int | None:
        """Its status, where it has ended; then its folder is removed."""
        status = self.process.poll()
        if status is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        return status


@dataclass
class Outside(Timeline):
    """What the workers share: servers, settings, and a folder of their logs."""

    postgres: Postgres
    s3: Relay
    model: ChatServer
    posthog: PostHogServer
    logs: Path
    environ: dict[str, str]
    per_day: int
    kills: int = 0
    runs: Counter[str] = field(default_factory=Counter)

    def put(self, days: Sequence[date]) -> None:
        """An object a day into the bucket."""
        bucket = client(settings(self.environ).aws)
        for day in days:
            said = {
                key: one for n in range(self.per_day) for key, one in chat(f"c{day}-{n}", MESSAGES, str(day)).items()
            }
            bucket.put_object(Bucket=BUCKET, Key=f"in/{day}.json", Body=json.dumps(said).encode())

    def store(self) -> Store:
        """The lake, seen from this process."""
        return Store.of(settings(self.environ | {"CPA_HOME": str(self.logs / "home")}))

    def asked_twice(self) -> int:
        """Questions that the model was asked more than once, each time counted."""
        seen = Counter((call.task, call.transcript, call.asked) for call in self.model.calls)
        return sum(seen.values()) - len(seen)


@contextmanager
def outside(per_day: int) -> Iterator[Outside]:
    """The servers, and the settings that lead to them."""
    logs = Path(mkdtemp(prefix="cpa-two-workers-"))
    with (
        server() as postgres,
        relayed() as s3,
        ChatServer(Behaviour(latency=LATENCY)) as model,
        PostHogServer() as posthog,
    ):
        (logs / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
        environ = {
            "AWS_ENDPOINT_URL_S3": s3.url,
            "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
            "AWS_SECRET_ACCESS_KEY": "a-secret-of-s3",
            "AWS_REGION": "eu-west-1",
            "CPA_STORE": f"ducklake:{postgres.url}",
            "CPA_STORE_DATA": f"s3://{BUCKET}/store/",
            "CPA_SOURCE": f"s3://{BUCKET}/in/",
            "CPA_SCHEMA": str(logs / "schema.yml"),
            "CPA_MODEL": "compatible:test-model",
            "CPA_COMPATIBLE_URL": model.url,
            "CPA_COMPATIBLE_STRUCTURED": "strict",
            "CPA_CONCURRENCY": str(IN_FLIGHT),
            **at(posthog),
        }
        place = {"LocationConstraint": "eu-west-1"}
        client(settings(environ).aws).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        yield Outside(postgres, s3, model, posthog, logs, environ, per_day)


def days_from(first: int, count: int) -> list[date]:
    """Days in order."""
    return [START + timedelta(days=first + n) for n in range(count)]


def together(outside: Outside, days: Sequence[date]) -> list[int]:
    """A worker for each of these, all at once: how each ended."""
    workers = [Worker.of(outside, day) for day in days]
    return [(worker.process.wait(), worker.ended())[0] for worker in workers]


def seen(outside: Outside) -> list[Figures]:
    """What the lake holds of each day."""
    with outside.store().reading() as view:
        return list(view.rows(OF_DAYS))


def calm(claims: Claims, outside: Outside) -> None:
    """Different days at once, and the same day four times at once: nothing twice."""
    outside.put(days_from(0, CALM_DAYS))
    began = time.monotonic()
    ended = together(outside, days_from(0, CALM_DAYS))
    claims.claim(f"{CALM_DAYS} workers of different days succeed ({time.monotonic() - began:.0f} s)", not any(ended))
    claims.claim("no question was asked twice", outside.asked_twice() == 0)
    day = days_from(CALM_DAYS, 1)
    outside.put(day)
    ended = together(outside, day * 4)
    claims.claim("four workers of the same day succeed", ended == [0] * 4)
    found = seen(outside)
    show("calm", found)
    claims.whole(found)
    claims.claim("no question was asked twice", outside.asked_twice() == 0)
    claims.claim("no event was sent twice", outside.posthog.stored == len(outside.posthog.rows))


class Watching:
    """Looks at the lake every second for rows that are there twice, and looks after it now and then."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.looks, self.away, self.upkeeps = 0, 0, 0
        self.wrong: list[Any] = []

    def _look(self) -> None:
        store = self._outside.store()
        while not self._stop.wait(1.0):
            try:
                with store.reading() as view:
                    found = keys_twice(view)
                self.upkeeps += self.looks % 15 == 14 and bool(look_after(store, 0))
            except CpaError:
                self.away += 1
                continue
            self.looks += 1
            self.wrong += [found] if found else []

    def __enter__(self) -> "Watching":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()


@dataclass
class Killing:
    """Two workers at a time over the days that are left; one is killed every few seconds, until `until`.

    While there is time, another day's file arrives in the bucket for each that is finished.
    """

    outside: Outside
    days: list[date]
    left: list[date]
    until: float
    restart_at: float
    working: dict[date, Worker] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    next_kill: float = field(default_factory=time.monotonic)
    restarted: bool = False

    def go_on(self) -> None:
        """Until every day is finished, or for 15 minutes after the last kill."""
        self.next_kill += self.chance.uniform(*PAUSES)
        while self.left and time.monotonic() < self.until + 900:
            for day in [one for one in self.left if one not in self.working][: 2 - len(self.working)]:
                self.working[day] = Worker.of(self.outside, day)
            time.sleep(0.1)
            self._take_ended()
            self._disturb(time.monotonic())
        for worker in self.working.values():
            worker.kill()

    def _take_ended(self) -> None:
        for day, worker in list(self.working.items()):
            status = worker.ended()
            if status is not None:
                self.outside.runs["succeeded" if status == 0 else f"ended with {status}"] += 1
                del self.working[day]
                if status == 0:
                    self.left.remove(day)
                    self._arrive()

    def _arrive(self) -> None:
        if time.monotonic() < self.until:
            new = [self.days[-1] + timedelta(days=1)]
            self.outside.put(new)
            self.days += new
            self.left += new

    def _disturb(self, now: float) -> None:
        if self.next_kill < now < self.until and self.working:
            self.working.pop(self.chance.choice(sorted(self.working))).kill()
            self.outside.kills += 1
            self.next_kill = now + self.chance.uniform(*PAUSES)
        if not self.restarted and now > self.restart_at:
            self.outside.postgres.restart()
            self.restarted = True


def wild(claims: Claims, outside: Outside, seconds: float, count: int) -> None:
    """Two workers are killed by turns, with their folders, until the time is up; then the days are finished."""
    days = days_from(CALM_DAYS + 1, count)
    outside.put(days)
    outside.s3.busy = BUSY
    now = time.monotonic()
    killing = Killing(outside, days, list(days), now + seconds, now + seconds / 2)
    with Watching(outside) as watching:
        killing.go_on()
    outside.s3.busy = 0.0
    found = [row for row in seen(outside) if row["day"] >= str(days[0])]
    show("after the kills", [total(found, ["conversations", "messages", "tagged", "judged", "events", "receipts"])])
    show("runs", [dict(outside.runs) | {"killed": outside.kills}])
    show(
        "the watcher",
        [
            {
                "looks": watching.looks,
                "without an answer": watching.away,
                "wrong": len(watching.wrong),
                "upkeeps": watching.upkeeps,
            }
        ],
    )
    show("S3", [{"answered by 503": outside.s3.slowed}])
    words = f"each of {len(days)} days was finished, after {outside.kills} kills and a restart of Postgres"
    claims.claim(words, not killing.left and killing.restarted)
    claims.whole(found)
    claims.claim("no conversation is lost", sum(row["conversations"] for row in found) == len(days) * outside.per_day)
    claims.claim("no row was ever seen twice", bool(watching.looks) and not watching.wrong)
    twice, allowed = outside.asked_twice(), outside.kills * IN_FLIGHT
    claims.claim(f"{twice} questions were asked again, at most {allowed} were in flight at the kills", twice <= allowed)


def outcome(claims: Claims, outside: Outside) -> None:
    """What stands at PostHog, and that no log shows a credential."""
    wanted = sum(row["events"] + row["judged"] for row in seen(outside))
    claims.claim(f"PostHog holds each of {wanted} events once", len(outside.posthog.rows) == wanted)
    print(f"        {outside.posthog.stored - wanted} events were sent again under the same ids", flush=True)
    logs = "".join(path.read_text("utf-8", "replace") for path in outside.logs.glob("*.log"))
    secrets = (PASSWORD, "s3cret", "a-secret-of-s3")
    claims.claim("no log shows a credential", not any(secret in logs for secret in secrets))


def main() -> int:
    """The exit status: 1 where a claim was broken."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("parts", nargs="*", default=["calm", "wild"])
    asked.add_argument("--seconds", type=float, default=300.0)
    asked.add_argument("--days", type=int, default=4)
    asked.add_argument("--conversations", type=int, default=60)
    given = asked.parse_args()

    def proof(claims: Claims) -> None:
        with outside(given.conversations) as shared:
            print(f"logs: {shared.logs}", flush=True)
            if "calm" in given.parts:
                calm(claims, shared)
            if "wild" in given.parts:
                wild(claims, shared, given.seconds, given.days)
            outcome(claims, shared)

    return proved(proof)


if __name__ == "__main__":
    sys.exit(main())
