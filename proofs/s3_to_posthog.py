"""A file put into a bucket reaches PostHog without a hand: sensor and nightly schedule, with the daemon running.

`python -m proofs.s3_to_posthog arrival night unnamed`, or some of them:
- arrival: a first object into an empty home with a named schema, three times anew; then that object again, with more.
- night: the same by the schedule's four ticks, the first of which the daemon catches up with.
- unnamed: no schema is named; what a run proposes goes to the outbox, and one act of acceptance sends the rest.
"""

import argparse
import csv
import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from cpa_core.schema import dump
from cpa_core.store import Store
from cpa_dagster.automation import NIGHTLY
from proofs.buckets import bucket
from proofs.figures import Claims, Timeline, of_days, proved, show
from proofs.scene import Scene, scene, wait
from proofs.served import Dagster, records, webserver
from tests.servers.chat_completions import ChatServer
from tests.servers.posthog import PostHogServer
from tests.support.commands import ONE_EACH, at, chat

BUCKET = "chats"
FIRST, SECOND, THIRD = "2026-03-02", "2026-03-03", "2026-03-05"
MESSAGES = 4

LIMIT = 600.0
"""Seconds that the proof waits on a busy machine for what takes one minute on a quiet one."""

TARGET = 90.0
"""Seconds from an object to the receipts, and of a night's work, that are wanted on two quiet cores."""

TIMES = 3
"""Homes into which a first object arrives."""

ACCEPTED = """
    select destination, count(distinct event_id) as n
    from upload_receipts
    where status = 'accepted'
    group by destination
"""

Conversation = tuple[str, str]
"""Its id and its day."""


@dataclass
class Outside(Timeline):
    """What is not ours: the bucket, the model, PostHog; and when what happened."""

    s3: Any
    model: ChatServer
    posthog: PostHogServer

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
def outside(here: Scene, *, named: bool = True) -> Iterator[Outside]:
    """The three servers, and the settings that lead to them; the schema's file too where it is `named`."""
    with bucket(here, BUCKET) as client, ChatServer() as model, PostHogServer() as posthog:
        (here.folder / "schema.yml").write_text(dump(ONE_EACH), "utf-8")
        here.environ |= {
            "CPA_SOURCE": f"s3://{BUCKET}/in/",
            **({"CPA_SCHEMA": str(here.folder / "schema.yml")} if named else {}),
            "CPA_MODEL": "compatible:test-model",
            "CPA_COMPATIBLE_URL": model.url,
            **at(posthog),
        }
        yield Outside(client, model, posthog)


def of_runs(records: Sequence[dg.RunRecord]) -> list[dict[str, Any]]:
    """Runs as rows."""
    return [
        {
            "run": (record.dagster_run.tags.get("cpa/work") or "by hand"),
            "day": record.dagster_run.tags.get("dagster/partition") or "",
            "status": record.dagster_run.status.value,
            "seconds": seconds_of(record),
        }
        for record in records
    ]


def seconds_of(record: dg.RunRecord) -> float:
    """How long a run was at work."""
    return (record.end_time or 0) - (record.start_time or 0)


def quiet(dagster: Dagster) -> list[dg.RunRecord]:
    """The runs, once none is under way."""
    wait(lambda: all(record.dagster_run.is_finished for record in dagster.runs_of_days()), LIMIT, "the runs to end")
    return dagster.runs_of_days()


def accepted(here: Scene) -> int:
    """Accepted receipts in the home."""
    return sum(day["receipts"] for day in of_days(here.home)) if (here.home / "cpa.duckdb").exists() else 0


def parts(records: Sequence[dg.RunRecord], put: float, ended: float, cpu: float) -> dict[str, Any]:
    """Where the time went from a put, as epoch seconds, to the receipts of all its days."""
    landing, *days = records
    first, last = min(one.start_time or 0 for one in days), max(one.end_time or 0 for one in days)
    return {
        "to the landing": (landing.start_time or 0) - put,
        "landing": seconds_of(landing),
        "to the days": first - (landing.end_time or 0),
        "days": last - first,
        "whole": ended - put,
        "cpu seconds": cpu,
    }


def a_new_file(claims: Claims, dagster: Dagster, world: Outside) -> dict[str, Any]:
    """A file of two days into an empty home, with the sensor on: where the time went."""
    both = [(f"a{n}", FIRST) for n in range(3)] + [(f"b{n}", SECOND) for n in range(3)]
    put, used = time.time(), dagster.here.cpu()
    world.put("in/chats.csv", both)
    wait(lambda: world.hold(6), LIMIT, "all events at PostHog")
    wait(lambda: accepted(dagster.here) == len(world.posthog.rows), LIMIT, "their receipts")
    ended, used = time.time(), dagster.here.cpu() - used
    world.note("receipts of all events")
    runs = quiet(dagster)
    show("a new file: runs that the sensor requested", of_runs(runs))
    days = sorted(row["day"] for row in of_runs(runs))
    claims.claim("one landing, then exactly the two days", days == ["", FIRST, SECOND])
    claims.claim("PostHog holds exactly those days", world.days() == [FIRST, SECOND])
    claims.claim(
        "two questions a conversation, none malformed", len(world.model.calls) == 12 and not world.model.faults
    )
    return parts(runs, put, ended, used)


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
    """A first file and the schedule's four ticks. The daemon was down at the first one's time and catches up."""
    world.put("in/chats.csv", [("a0", FIRST), ("a1", FIRST), ("b0", SECOND)])
    dagster.switch_on("Schedule", "nightly")
    missed = last_tick(datetime.now(UTC))
    begin_before(dagster, missed)
    dagster.start_daemon()
    wait(dagster.runs_of_days, LIMIT, "the nightly tick to request a run")
    rows: list[dict[str, Any]] = [
        {"tick": f"{missed:%H:%M}, the daemon's", "requests": 1, "evaluated in": 0.0} | worked(quiet(dagster))
    ]
    claims.claim("the first tick lands what is new", [r["day"] for r in of_runs(quiet(dagster))] == [""])
    night = (missed + timedelta(days=1)).replace(hour=2, minute=30)
    requested: list[list[str | None]] = []
    for later in (night, night.replace(hour=3, minute=0), night.replace(hour=4, minute=0)):
        before, began = len(dagster.runs_of_days()), time.monotonic()
        wanted = dagster.schedule_tick("nightly", later.timestamp())
        row = {"tick": f"{later:%H:%M}", "requests": len(wanted), "evaluated in": time.monotonic() - began}
        requested.append([one.day for one in wanted])
        for one in wanted:
            dagster.launch(one)
        rows.append(row | worked(quiet(dagster)[before:]))
    show("a night: four ticks", rows)
    claims.claim(
        "the second asks for exactly what is due, the others for nothing", requested == [[FIRST, SECOND], [], []]
    )
    claims.claim("all events are at PostHog, with their receipts", world.hold(3) and accepted(dagster.here) == 15)
    work = sum(row["evaluated in"] + row["at work"] for row in rows)
    claims.claim(f"at most {TARGET:.0f} s of work: {work:.1f}", work <= TARGET)


def worked(records: Sequence[dg.RunRecord]) -> dict[str, float]:
    """How long runs were at work together, and from the first one's start to the last one's end."""
    if not records:
        return {"at work": 0.0, "from start to end": 0.0}
    ends = max(one.end_time or 0 for one in records) - min(one.start_time or 0 for one in records)
    return {"at work": sum(map(seconds_of, records)), "from start to end": ends}


def unnamed(claims: Claims, here: Scene, dagster: Dagster, world: Outside) -> None:
    """No schema is named: the sensor's runs propose one; `cpa schema accept` is the only act of a person."""
    world.put("in/chats.csv", [(f"a{n}", FIRST) for n in range(3)] + [(f"b{n}", SECOND) for n in range(3)])
    wait(lambda: held_back(here) == {FIRST, SECOND}, LIMIT, "receipts of the outbox")
    quiet(dagster)
    claims.claim("a proposal's events are in the outbox only", receipts(here) == {"outbox": events(here)})
    claims.claim("nothing is at PostHog", not world.posthog.rows and not world.posthog.stored)
    runs, asked = len(quiet(dagster)), len(world.model.calls)
    time.sleep(45)  # two ticks of the sensor
    claims.claim("such days are not due again", len(dagster.runs_of_days()) == runs)
    here.run("cpa", "schema", "accept", limit=120)
    world.note("accepted")
    wait(lambda: receipts(here).get("posthog") == events(here), LIMIT, "receipts of PostHog")
    world.note("receipts of all events")
    show("without a named schema: runs", of_runs(quiet(dagster)))
    claims.claim("one act of acceptance sends the rest", len(world.posthog.rows) == events(here))
    claims.claim("and nothing is asked twice", len(world.model.calls) == asked)


def receipts(here: Scene) -> dict[str, int]:
    """Events with an accepted receipt, by destination."""
    counted = (
        "select destination, count(distinct event_id) as n from upload_receipts where status = 'accepted' group by 1"
    )
    with Store(here.home).reading() as view:
        return {row["destination"]: row["n"] for row in view.rows(counted)}


def events(here: Scene) -> int:
    """Events of the home, the judgments' among them."""
    return sum(day["events"] + day["judged"] for day in of_days(here.home))


def held_back(here: Scene) -> set[str]:
    """The days with receipts."""
    days = of_days(here.home) if (here.home / "cpa.duckdb").exists() else []
    return {day["day"] for day in days if day["receipts"]}


def last_tick(now: datetime) -> datetime:
    """The schedule's last time before now."""
    times = [(int(cron.split()[1]), int(cron.split()[0])) for cron in NIGHTLY]
    nights = [(now - timedelta(days=n)).replace(second=0, microsecond=0) for n in (0, 1)]
    return max(tick for night in nights for h, m in times if (tick := night.replace(hour=h, minute=m)) < now)


def begin_before(dagster: Dagster, tick: datetime) -> None:
    """Let the schedule have been on since just before a tick, as on a machine whose daemon was down then."""
    with records(dagster.here) as instance:
        (state,) = [one for one in instance.all_instigator_state() if one.name == "nightly"]
        data = ScheduleInstigatorData(list(NIGHTLY), (tick - timedelta(minutes=1)).timestamp())
        instance.update_instigator_state(state.with_data(data))


def arrivals(claims: Claims) -> None:
    """A first object into an empty home, several times; the last home gets it once more, with another conversation."""
    rows = []
    for n in range(TIMES):
        with scene() as here, outside(here) as world, served_by_sensor(here) as dagster:
            rows.append(a_new_file(claims, dagster, world))
            if n == TIMES - 1:
                an_overwritten_file(claims, dagster, world)
                show("timeline of the last home", world.timeline)
            whole(claims, here, world)
    show("from the first object to the receipts, in seconds", rows)
    middle = sorted(row["whole"] for row in rows)[TIMES // 2]
    used = sorted(row["cpu seconds"] for row in rows)[TIMES // 2]
    claims.claim(f"median under {TARGET:.0f} s: {middle:.0f} ({used:.0f} of processor)", middle < TARGET)


@contextmanager
def served_by_sensor(here: Scene) -> Iterator[Dagster]:
    """Webserver and daemon, with the sensor on."""
    here.prepare_dagster()
    dagster = webserver(here)
    dagster.start_daemon()
    dagster.switch_on("Sensor", "new_files")
    yield dagster


def whole(claims: Claims, here: Scene, world: Outside) -> None:
    """Everything is there once."""
    days = of_days(here.home)
    show("what the store holds", days)
    claims.whole(days)
    claims.claim("receipts are as many as PostHog's events", accepted(here) == len(world.posthog.rows))
    claims.claim("no event was sent twice", world.posthog.stored == len(world.posthog.rows))


def nights(claims: Claims) -> None:
    """The schedule, in an empty home."""
    with scene() as here, outside(here) as world:
        here.prepare_dagster()
        a_night(claims, webserver(here), world)
        whole(claims, here, world)


def proposals(claims: Claims) -> None:
    """The sensor, in an empty home without a schema."""
    with scene() as here, outside(here, named=False) as world, served_by_sensor(here) as dagster:
        unnamed(claims, here, dagster, world)
        show("timeline", world.timeline)


PARTS: dict[str, Callable[[Claims], None]] = {"arrival": arrivals, "night": nights, "unnamed": proposals}


def without_a_hand(claims: Claims) -> None:
    """The parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    for name in parser.parse_args().parts:
        PARTS[name](claims)


if __name__ == "__main__":
    sys.exit(proved(without_a_hand))
