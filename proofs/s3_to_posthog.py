"""A file put into a bucket reaches PostHog without a hand: sensor and nightly schedule, with the daemon running."""

import csv
import io
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import ScheduleInstigatorData
from moto.server import ThreadedMotoServer

from cpa_core.schema import dump
from cpa_core.settings import settings
from cpa_core.sources import s3
from cpa_dagster.automation import NIGHTLY
from proofs.figures import Claims, of_days, proved, show
from proofs.scene import Scene, scene, wait
from proofs.served import Dagster, webserver
from tests.commands import ONE_EACH, at, chat
from tests.servers.chat_completions import ChatServer
from tests.servers.posthog import PostHogServer

BUCKET = "chats"
FIRST, SECOND, THIRD = "2026-03-02", "2026-03-03", "2026-03-05"
MESSAGES = 4

LIMIT = 360.0
"""Seconds until everything must be at PostHog: two ticks of the sensor, a minute each, and the runs."""

Conversation = tuple[str, str]
"""Its id and its day."""


@dataclass
class Outside:
    """What is not ours: the bucket, the model, PostHog; and when what happened."""

    s3: Any
    model: ChatServer
    posthog: PostHogServer
    began: float = field(default_factory=time.monotonic)
    timeline: list[dict[str, Any]] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Write down what happened now."""
        self.timeline.append({"second": round(time.monotonic() - self.began), "what": what})

    def put(self, key: str, conversations: Sequence[Conversation]) -> None:
        """Put a CSV of conversations into the bucket."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["user_id", "conversation_id", "role", "content", "message_id", "timestamp"])
        for name, day in conversations:
            for message in chat(name, MESSAGES, day)[name]["messages"]:
                row = [message[column] for column in ("role", "content", "message_id", "timestamp")]
                writer.writerow([f"user of {name}", name, *row])
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=text.getvalue().encode())
        self.note(f"put {key}: {len(conversations)} conversations")

    def days(self) -> list[str]:
        """The days of the events that PostHog holds."""
        return sorted({row["timestamp"][:10] for row in self.posthog.rows})

    def hold(self, conversations: int) -> bool:
        """Whether PostHog holds all events of so many conversations: one a message, and a judgment each."""
        return len(self.posthog.rows) == conversations * (MESSAGES + 1)


@contextmanager
def outside(here: Scene) -> Iterator[Outside]:
    """The three servers, and the settings that lead to them."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        with ChatServer() as model, PostHogServer() as posthog:
            host, port = moto.get_host_and_port()
            (here.folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
            here.environ |= {
                "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
                "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "eu-west-1",
                "CPA_SOURCE": f"s3://{BUCKET}/in/",
                "CPA_SCHEMA": str(here.folder / "schema.yml"),
                "CPA_MODEL": "compatible:test-model",
                "CPA_COMPATIBLE_URL": model.url,
                **at(posthog),
            }
            aws = {name: text for name, text in here.environ.items() if name.startswith("AWS_")}
            client = s3.client(settings(aws).aws)
            client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            yield Outside(client, model, posthog)
    finally:
        moto.stop()


def of_runs(records: Sequence[dg.RunRecord]) -> list[dict[str, Any]]:
    """Runs as rows."""
    return [
        {
            "run": (record.dagster_run.tags.get("cpa/work") or "by hand"),
            "day": record.dagster_run.tags.get("dagster/partition") or "",
            "status": record.dagster_run.status.value,
            "seconds": (record.end_time or 0) - (record.start_time or 0),
        }
        for record in records
    ]


def quiet(dagster: Dagster) -> list[dg.RunRecord]:
    """The runs, once none is under way."""
    wait(lambda: all(record.dagster_run.is_finished for record in dagster.runs_of_days()), 90, "the runs to end")
    return dagster.runs_of_days()


def a_new_file(claims: Claims, dagster: Dagster, world: Outside) -> None:
    """A file of two days, with the sensor on."""
    both = [(f"a{n}", FIRST) for n in range(3)] + [(f"b{n}", SECOND) for n in range(3)]
    world.put("in/chats.csv", both)
    wait(lambda: world.posthog.rows, LIMIT, "the first event at PostHog")
    world.note("first event at PostHog")
    wait(lambda: world.hold(6), LIMIT, "all events at PostHog")
    world.note("all events at PostHog")
    runs = of_runs(quiet(dagster))
    show("a new file: runs that the sensor requested", runs)
    claims.claim("one landing, then exactly the two days", sorted(r["day"] for r in runs) == ["", FIRST, SECOND])
    claims.claim("PostHog holds exactly those days", world.days() == [FIRST, SECOND])
    claims.claim(
        "two questions a conversation, none malformed", len(world.model.calls) == 12 and not world.model.faults
    )


def an_overwritten_file(claims: Claims, dagster: Dagster, world: Outside) -> None:
    """The same object with one more conversation, on the second day only."""
    before, asked, stored = len(dagster.runs_of_days()), len(world.model.calls), world.posthog.stored
    both = [(f"a{n}", FIRST) for n in range(3)] + [(f"b{n}", SECOND) for n in range(4)]
    world.put("in/chats.csv", both)
    wait(lambda: world.hold(7), LIMIT, "the new events at PostHog")
    world.note("the new events at PostHog")
    runs = of_runs(quiet(dagster)[before:])
    show("an overwritten file: runs that the sensor requested", runs)
    claims.claim("one landing, then the second day alone", sorted(r["day"] for r in runs) == ["", SECOND])
    new = world.model.calls[asked:]
    claims.claim("only the new conversation is asked", sorted(call.task for call in new) == ["judge", "tag"])
    claims.claim("only its events are sent", world.posthog.stored - stored == MESSAGES + 1)


def a_night(claims: Claims, dagster: Dagster, world: Outside) -> None:
    """A third file, the sensor off, the schedule on. The daemon was down at its time and catches up."""
    before, stored = len(dagster.runs_of_days()), world.posthog.stored
    world.put("in/later.csv", [("c0", THIRD), ("c1", THIRD)])
    dagster.switch_on("Schedule", "nightly")
    missed = last_tick(datetime.now(UTC))
    begin_before(dagster, missed)
    dagster.start_daemon()
    wait(lambda: len(dagster.runs_of_days()) > before, 90, "the nightly tick to request a run")
    landing = of_runs(quiet(dagster)[before:])
    world.note(f"the daemon's tick of {missed:%H:%M} landed the file")
    wanted = dagster.schedule_tick("nightly", (missed + timedelta(days=1)).timestamp())
    requested = [{"day": one.day, "assets": len(one.assets), "work": one.tags["cpa/work"]} for one in wanted]
    show("the next nightly tick requests", requested)
    claims.claim("the nightly tick lands what is new", [r["day"] for r in landing] == [""])
    claims.claim("the next one requests exactly what is due", [one.day for one in wanted] == [THIRD])
    for one in wanted:
        dagster.launch(one)
    wait(lambda: world.hold(9), LIMIT, "the third day at PostHog")
    world.note("the third day at PostHog")
    show("the night's runs", of_runs(quiet(dagster)[before:]))
    claims.claim("only that day is sent", world.posthog.stored - stored == 2 * (MESSAGES + 1))
    later = dagster.schedule_tick("nightly", (missed + timedelta(days=2)).timestamp())
    claims.claim("and the night after requests nothing", later == [])


def last_tick(now: datetime) -> datetime:
    """The schedule's last time before now."""
    times = [(int(cron.split()[1]), int(cron.split()[0])) for cron in NIGHTLY]
    nights = [(now - timedelta(days=n)).replace(second=0, microsecond=0) for n in (0, 1)]
    return max(tick for night in nights for h, m in times if (tick := night.replace(hour=h, minute=m)) < now)


def begin_before(dagster: Dagster, tick: datetime) -> None:
    """Let the schedule have been on since just before a tick, as on a machine whose daemon was down then."""
    with dg.DagsterInstance.from_config(str(dagster.here.dagster_home)) as instance:
        (state,) = [one for one in instance.all_instigator_state() if one.name == "nightly"]
        data = ScheduleInstigatorData(list(NIGHTLY), (tick - timedelta(minutes=1)).timestamp())
        instance.update_instigator_state(state.with_data(data))


def without_a_hand(claims: Claims) -> None:
    """The sensor, then the schedule."""
    with scene() as here, outside(here) as world:
        here.prepare_dagster()
        dagster = webserver(here)
        dagster.start_daemon()
        dagster.switch_on("Sensor", "new_files")
        world.note("sensor switched on")
        a_new_file(claims, dagster, world)
        an_overwritten_file(claims, dagster, world)
        here.end("daemon")
        dagster.switch_off_sensor("new_files")
        a_night(claims, dagster, world)
        show("timeline", world.timeline)
        days = of_days(here.home)
        show("what the store holds", days)
        claims.whole(days)
        receipts = sum(day["receipts"] for day in days)
        claims.claim("receipts are as many as PostHog's events", receipts == len(world.posthog.rows))
        claims.claim("no event was sent twice", world.posthog.stored == len(world.posthog.rows))


if __name__ == "__main__":
    sys.exit(proved(without_a_hand))
