"""Celery workers on one lake, as `deploy/celery` starts them: one beside two, a limit and a budget that both keep.

`python -m proofs.celery_workers [speed | one | two] [limit] [budget]`. It needs `deploy/requirements.txt`, and the
Postgres and the Redis of Debian (`apt-get install postgresql redis-server`). Each run tags and judges one day, which
has landed before. The time in which at least one call is under way is measured, so no start of a process counts.
"""

import argparse
import json
import os
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import psycopg
import yaml

from cpa_core.pipeline import Assistant, land
from cpa_core.pipeline.build import build_days, unbuilt_days
from cpa_core.schema import dump
from cpa_core.settings import settings
from cpa_core.store.lake import lake_engine
from proofs.figures import Claims, proved, show
from proofs.scene import ROOT, Scene, free_port, scene, wait
from proofs.served import Dagster, Requested, webserver
from tests.servers.brain import Body
from tests.servers.chat_completions import Behaviour, ChatServer, Status
from tests.servers.postgres import PASSWORD, USER, Postgres, server
from tests.servers.scripted import Scripted
from tests.support.commands import ONE_EACH, chat

START = date(2026, 3, 1)
LATENCY, IN_FLIGHT, LIMIT = 1.2, 16, 600
LEAST_FASTER, LEAST_SHARE = 1.8, 0.95
PRICES = "compatible:test-model: {input: 1000, output: 1000}\n"
STAGES = ("tagged_events", "judge_scores")
WORKERS = 2


class Vendor:
    """A model that takes its time, and refuses more than LIMIT calls in any minute where `is_limited`."""

    def __init__(self) -> None:
        self.is_limited = False
        self.accepted: list[float] = []
        self.refused = 0
        self._guard = threading.Lock()

    def script(self, body: Body, number: int) -> Scripted | None:
        """The answer to a call: null for the usual one."""
        with self._guard:
            now = time.monotonic()
            if self.is_limited and len(self.accepted) - bisect_right(self.accepted, now - 60) >= LIMIT:
                self.refused += 1
                return Status(429, {"retry-after": "1"}, "rate_limit_exceeded")
            self.accepted.append(now)
            return None

    def clear(self, *, is_limited: bool) -> None:
        """Begin anew."""
        self.is_limited, self.accepted, self.refused = is_limited, [], 0

    def asking(self) -> float:
        """Seconds in which at least one call was under way."""
        return sum(
            min(LATENCY, after - at) for at, after in zip(self.accepted, [*self.accepted[1:], 1e12], strict=True)
        )

    def per_minute(self) -> float:
        """Calls a minute of the time in which at least one was under way."""
        return 60 * len(self.accepted) / self.asking()

    def busiest(self) -> int:
        """The most calls in any minute."""
        return max(bisect_right(self.accepted, at + 60) - n for n, at in enumerate(self.accepted))


@dataclass
class Deployment:
    """Webserver, daemon, Redis and Postgres; workers come and go."""

    here: Scene
    dagster: Dagster
    vendor: Vendor
    url: str
    command: list[str]

    def store(self, name: str, days: int, conversations: int, **more: str) -> list[date]:
        """Land and build days in a store of their own, which the next workers see. Return the days."""
        source = self.here.folder / name
        source.mkdir()
        found = [START + timedelta(days=n) for n in range(days)]
        for day in found:
            said = {
                key: one for n in range(conversations) for key, one in chat(f"{name}{day}-{n}", 4, str(day)).items()
            }
            (source / f"{day}.json").write_text(json.dumps(said), "utf-8")
        self.here.environ |= {"CPA_STORE": f"ducklake:{self.url}?schema={name}", "CPA_SOURCE": str(source), **more}
        own = {key: value for key, value in self.here.environ.items() if key.startswith("CPA_")}
        assistant = Assistant.of(settings(own | {"CPA_HOME": str(self.here.folder / f"{name}-home")}))
        land(assistant, START)
        while left := unbuilt_days(assistant):
            build_days(assistant, left)
        lake_engine(assistant.settings).close()
        return found

    @contextmanager
    def workers(self, count: int) -> Iterator[None]:
        """So many workers, each with a home of its own."""
        names = [f"worker-{n}" for n in range(count)]
        for name in names:
            own = self.here.environ["CPA_HOME"]
            self.here.environ["CPA_HOME"] = str(self.here.folder / f"{name}-{time.monotonic_ns()}")
            self.here.start(name, *self.command, f"--hostname={name}@%h")
            self.here.environ["CPA_HOME"] = own
        for name in names:
            wait(lambda name=name: " ready." in self.here.said(name), 120, f"{name} to be ready")  # type: ignore[misc]
        try:
            yield
        finally:
            for name in names:
                self.here.end(name)

    def asked(self, days: Sequence[date], count: int, *, is_limited: bool = False) -> list[str]:
        """Tag and judge the days, a run each, by so many workers: how the runs ended."""
        before = {one.dagster_run.run_id for one in self.dagster.runs()}
        self.vendor.clear(is_limited=is_limited)
        with self.workers(count):
            for day in days:
                self.dagster.launch(Requested(STAGES, {"dagster/partition": str(day)}))

            def ended() -> list[str]:
                runs = [one.dagster_run for one in self.dagster.runs() if one.dagster_run.run_id not in before]
                done = [run.status.value for run in runs if run.is_finished]
                return done if len(done) == len(days) else []

            return wait(ended, 900, "the runs to end", pause=1.0)


@contextmanager
def deployment() -> Iterator[Deployment]:
    """The processes of `deploy/celery.yaml` without an engine."""
    vendor = Vendor()
    with scene() as here, server() as postgres, ChatServer(Behaviour(vendor.script, LATENCY)) as model:
        redis = free_port()
        here.start(
            "redis",
            "redis-server",
            "--port",
            str(redis),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(here.folder),
        )
        (here.folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
        (here.folder / "prices.yml").write_text(PRICES, "utf-8")
        here.environ |= {
            "CELERY_BROKER": f"redis://127.0.0.1:{redis}/0",
            "CELERY_BACKEND": f"redis://127.0.0.1:{redis}/1",
            "CPA_SCHEMA": str(here.folder / "schema.yml"),
            "CPA_PRICES": str(here.folder / "prices.yml"),
            "CPA_STORE_DATA": str(here.folder / "lake"),
            "CPA_MODEL": "compatible:test-model",
            "CPA_COMPATIBLE_URL": model.url,
            "CPA_COMPATIBLE_KEY": "any",
            "CPA_COMPATIBLE_STRUCTURED": "strict",
            "CPA_CONCURRENCY": str(IN_FLIGHT),
            "CPA_DESTINATIONS": "outbox",
            "CPA_STORE": f"ducklake:{postgres.url}?schema=first",
            "CPA_SOURCE": str(here.folder),
        }
        _prepare(here, postgres)
        services: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "celery.yaml").read_text("utf-8"))["services"]
        command = [word.replace("redis:6379", f"127.0.0.1:{redis}") for word in services["worker"]["command"]]
        dagster = webserver(here)
        dagster.start_daemon()
        yield Deployment(here, dagster, vendor, postgres.url, command)


def _prepare(here: Scene, postgres: Postgres) -> None:
    """DAGSTER_HOME with the settings of the deployment."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("create database dagster template template0")
    login = {"HOST": "127.0.0.1", "USER": USER, "PASSWORD": PASSWORD, "DB": "dagster"}
    here.environ |= {f"DAGSTER_POSTGRES_{name}": value for name, value in login.items()}
    config = yaml.safe_load((ROOT / "deploy" / "celery" / "dagster.yaml").read_text("utf-8"))
    config["storage"]["postgres"]["postgres_db"]["port"] = postgres.port
    own = {name: value for name, value in here.environ.items() if name.startswith(("DAGSTER_POSTGRES_", "CELERY_"))}
    os.environ |= own  # this process reads Dagster's records too
    here.dagster_home.mkdir()
    (here.dagster_home / "dagster.yaml").write_text(yaml.safe_dump(config), "utf-8")
    here.run("dagster", "instance", "info", limit=120)


def speed(claims: Claims, at: Deployment, conversations: int) -> None:
    """One worker beside two, each over two days."""
    seconds = {count: alone(claims, at, conversations, count) for count in (1, WORKERS)}
    ratio = seconds[1] / seconds[WORKERS]
    claims.claim(f"two workers ask {ratio:.2f} times as fast as one, at least {LEAST_FASTER}", ratio >= LEAST_FASTER)


def alone(claims: Claims, at: Deployment, conversations: int, count: int) -> float:
    """So many workers over two days: seconds in which at least one call was under way."""
    days = at.store(f"speed{count}", 2, conversations)
    ended = at.asked(days, count)
    seconds, calls = at.vendor.asking(), len(at.vendor.accepted)
    show("asking", [{"workers": count, "calls": calls, "seconds with a call": round(seconds, 1)}])
    each_once = set(ended) == {"SUCCESS"} and calls == 4 * conversations
    claims.claim(f"every run of {count} succeeds, and asks each question once", each_once)
    return seconds


def limit(claims: Claims, at: Deployment, conversations: int) -> None:
    """Both at a limit of calls a minute."""
    days = at.store("limited", WORKERS, conversations, CPA_RPM=str(LIMIT))
    ended = at.asked(days, WORKERS, is_limited=True)
    del at.here.environ["CPA_RPM"]
    share, most = at.vendor.per_minute() / LIMIT, at.vendor.busiest()
    row = {"calls": len(at.vendor.accepted), "a minute": round(at.vendor.per_minute()), "most in a minute": most}
    show(f"a limit of {LIMIT} calls a minute", [row | {"refused by 429": at.vendor.refused}])
    claims.claim("every run succeeds", set(ended) == {"SUCCESS"})
    claims.claim(f"both together use {share:.1%} of the limit, at least {LEAST_SHARE:.0%}", LEAST_SHARE <= share <= 1)
    claims.claim("the vendor refuses at most one call of a hundred", at.vendor.refused <= len(at.vendor.accepted) / 100)


def budget(claims: Claims, at: Deployment, conversations: int) -> None:
    """Both within the budget of a day that suffices for a part of the questions."""
    days = at.store("budget", WORKERS, conversations)
    whole = at.asked(days, WORKERS)
    dollars = _spent(at, "budget")
    most = round(0.6 * dollars, 2)
    days = at.store("bounded", WORKERS, conversations, CPA_DAILY_BUDGET=str(most))
    ended = at.asked(days, WORKERS)
    del at.here.environ["CPA_DAILY_BUDGET"]
    spent = _spent(at, "bounded")
    row = {"all questions": round(dollars, 2), "budget": most, "spent": round(spent, 2), "runs": str(ended)}
    show("a daily budget", [row])
    claims.claim("without it every run succeeds", set(whole) == {"SUCCESS"})
    claims.claim("a run that reaches it does not succeed", "FAILURE" in ended)
    claims.claim(f"both together spend {spent / most:.1%} of it", 0.9 <= spent / most <= 1)


def _spent(at: Deployment, schema: str) -> float:
    with psycopg.connect(at.url) as connection:
        row = connection.execute(f"select sum(cost) from {schema}.answers".encode()).fetchone()
    return float(row[0]) if row else 0.0


PARTS: dict[str, Callable[[Claims, Deployment, int], object]] = {
    "speed": speed,
    "limit": limit,
    "budget": budget,
    "one": partial(alone, count=1),
    "two": partial(alone, count=WORKERS),
}
"""`one` and `two` are the halves of `speed`, for a machine that is free for a few minutes at a time."""


def main() -> int:
    """The exit status: 1 where a claim was broken."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("parts", nargs="*", default=["speed", "limit", "budget"])
    asked.add_argument("--conversations", type=int, default=300, help="conversations a day")
    given = asked.parse_args()

    def proof(claims: Claims) -> None:
        with deployment() as at:
            for part in given.parts:
                PARTS[part](claims, at, given.conversations)

    return proved(proof)


if __name__ == "__main__":
    sys.exit(main())
